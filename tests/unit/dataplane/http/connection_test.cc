#include "dataplane/http/connection.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <string_view>

namespace slipway::http {
namespace {

constexpr Instant kStart{1'000'000'000};
constexpr WallTime kWall{784'111'777'000'000'000};
constexpr std::array<Route, 3> kRoutes = {{
    {.path = "/boot/ipxe", .id = 1},
    {.path = "/files/", .prefix = true, .id = 2},
    {.path = "/machine/inventory", .action = RouteAction::kUpload, .id = 3, .body_bytes_max = 100},
}};

constexpr std::string_view kHost = " HTTP/1.1\r\nHost: rack\r\n\r\n";

// A connection with its buffers, as a shell keeps them.
class Peer {
 public:
  Peer() { connection.Start(kRoutes, kStart); }

  Step Send(std::string_view text, Instant now = kStart) {
    input += text;
    return Keep(connection.OnInput(AsBytes(input), kWall, now, out));
  }

  Step Content(const ContentInfo& content, Instant now = kStart) {
    return Keep(connection.OnContent(content, kWall, now, out));
  }

  Step Timer(Instant now) { return Keep(connection.OnTimer(kWall, now, out)); }

  Step Keep(const Step& step) {
    input.erase(0, step.consumed);
    head.assign(AsText(ByteSpan(out).first(step.head_bytes)));
    return step;
  }

  HttpConnection connection;
  std::string input;
  std::string head;
  std::array<std::byte, kResponseHeadBytesMax> out{};
};

ContentInfo File(std::uint64_t bytes) {
  return {.outcome = ContentOutcome::kFound,
          .bytes = bytes,
          .validators = {.etag = "cafe", .modified = {}},
          .content_type = {}};
}

bool Has(const std::string& head, std::string_view text) {
  return head.find(text) != std::string::npos;
}

std::string Get(std::string_view path) { return "GET " + std::string(path) + std::string(kHost); }

TEST(HttpConnectionTest, GetOfAFile) {
  Peer peer;
  ASSERT_EQ(peer.Send(Get("/files/loaders/snponly.efi")).kind, StepKind::kResolve);
  EXPECT_EQ(peer.connection.route().id, 2);
  EXPECT_EQ(peer.connection.name(), "loaders/snponly.efi");
  const Step step = peer.Content(File(12'345));
  ASSERT_EQ(step.kind, StepKind::kRespond);
  EXPECT_EQ(step.body.offset, 0U);
  EXPECT_EQ(step.body.bytes, 12'345U);
  EXPECT_EQ(peer.head,
            "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
            "Content-Type: application/octet-stream\r\nContent-Length: 12345\r\n"
            "Accept-Ranges: bytes\r\nETag: \"cafe\"\r\n\r\n");
  EXPECT_EQ(peer.connection.OnSent(kStart).kind, StepKind::kNeedInput);
  EXPECT_TRUE(peer.input.empty());
}

TEST(HttpConnectionTest, HeadSaysTheLengthAndSendsNothing) {
  Peer peer;
  (void)peer.Send("HEAD /boot/ipxe" + std::string(kHost));
  EXPECT_EQ(peer.connection.name(), "");
  const Step step = peer.Content({.outcome = ContentOutcome::kFound,
                                  .bytes = 77,
                                  .validators = {},
                                  .content_type = "text/plain"});
  EXPECT_EQ(step.body.bytes, 0U);
  EXPECT_TRUE(Has(peer.head, "Content-Length: 77\r\n"));
  EXPECT_TRUE(Has(peer.head, "Content-Type: text/plain\r\n"));
  EXPECT_TRUE(Has(peer.head, "Cache-Control: no-store\r\n"));
}

TEST(HttpConnectionTest, HeadOfWhatIsMissingHasNoText) {
  Peer peer;
  (void)peer.Send("HEAD /nowhere" + std::string(kHost));
  EXPECT_TRUE(Has(peer.head, "Content-Length: 14\r\n"));
  EXPECT_TRUE(peer.head.ends_with("\r\n\r\n"));
}

TEST(HttpConnectionTest, PipelinedRequestsAreAnsweredInOrder) {
  Peer peer;
  ASSERT_EQ(peer.Send(Get("/files/a") + Get("/files/b")).kind, StepKind::kResolve);
  EXPECT_EQ(peer.connection.name(), "a");
  EXPECT_EQ(peer.Send("").kind, StepKind::kNone);  // One at a time.
  (void)peer.Content(File(1));
  ASSERT_EQ(peer.connection.OnSent(kStart).kind, StepKind::kNeedInput);
  ASSERT_EQ(peer.Send("").kind, StepKind::kResolve);
  EXPECT_EQ(peer.connection.name(), "b");
}

TEST(HttpConnectionTest, Http10ClosesAfterTheAnswer) {
  Peer peer;
  (void)peer.Send("GET /files/ldlinux.c32 HTTP/1.0\r\nConnection: close\r\n\r\n");
  (void)peer.Content(File(10));
  EXPECT_TRUE(Has(peer.head, "Connection: close\r\n"));
  EXPECT_EQ(peer.connection.OnSent(kStart).kind, StepKind::kClose);
}

TEST(HttpConnectionTest, Http10KeepAliveIsSaid) {
  Peer peer;
  (void)peer.Send("GET /files/a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  (void)peer.Content(File(10));
  EXPECT_TRUE(Has(peer.head, "Connection: keep-alive\r\n"));
  EXPECT_EQ(peer.connection.OnSent(kStart).kind, StepKind::kNeedInput);
}

TEST(HttpConnectionTest, RangeIsAnsweredPartially) {
  Peer peer;
  (void)peer.Send("GET /files/a HTTP/1.1\r\nHost: a\r\nRange: bytes=10-19\r\n\r\n");
  const Step step = peer.Content(File(100));
  EXPECT_EQ(step.body.offset, 10U);
  EXPECT_EQ(step.body.bytes, 10U);
  EXPECT_TRUE(peer.head.starts_with("HTTP/1.1 206 Partial Content\r\n"));
  EXPECT_TRUE(Has(peer.head, "Content-Range: bytes 10-19/100\r\n"));
  EXPECT_TRUE(Has(peer.head, "Content-Length: 10\r\n"));
}

TEST(HttpConnectionTest, UnsatisfiableRangeSaysTheSize) {
  Peer peer;
  (void)peer.Send("GET /files/a HTTP/1.1\r\nHost: a\r\nRange: bytes=100-\r\n\r\n");
  EXPECT_EQ(peer.Content(File(100)).body.bytes, 0U);
  EXPECT_TRUE(peer.head.starts_with("HTTP/1.1 416 "));
  EXPECT_TRUE(Has(peer.head, "Content-Range: bytes */100\r\n"));
  EXPECT_EQ(peer.connection.OnSent(kStart).kind, StepKind::kNeedInput);
}

TEST(HttpConnectionTest, KnownTagIsNotModified) {
  Peer peer;
  (void)peer.Send("GET /files/a HTTP/1.1\r\nHost: a\r\nIf-None-Match: \"cafe\"\r\n\r\n");
  EXPECT_EQ(peer.Content(File(100)).body.bytes, 0U);
  EXPECT_TRUE(peer.head.starts_with("HTTP/1.1 304 Not Modified\r\n"));
  EXPECT_TRUE(Has(peer.head, "ETag: \"cafe\"\r\n"));
  EXPECT_FALSE(Has(peer.head, "Content-Length"));
}

TEST(HttpConnectionTest, UnknownPathsAndMethods) {
  struct Row {
    std::string_view request;
    std::string_view answer;
    bool keep;
  };

  constexpr Row kRows[] = {
      {"GET /machine/other", "HTTP/1.1 404 ", true},
      {"GET /files/", "HTTP/1.1 404 ", true},
      {"GET /boot/ipxe/x", "HTTP/1.1 404 ", true},
      {"PUT /files/a", "HTTP/1.1 405 ", true},
      {"GET /machine/inventory", "HTTP/1.1 405 ", true},
      {"GET /files/../a", "HTTP/1.1 400 ", false},
      {"OPTIONS *", "HTTP/1.1 400 ", false},
      {"BREW /files/a", "HTTP/1.1 501 ", false},
  };
  for (const Row& row : kRows) {
    Peer peer;
    const Step step = peer.Send(std::string(row.request) + std::string(kHost));
    ASSERT_EQ(step.kind, StepKind::kRespond) << row.request;
    EXPECT_TRUE(peer.head.starts_with(row.answer)) << row.request << peer.head;
    EXPECT_EQ(peer.connection.OnSent(kStart).kind,
              row.keep ? StepKind::kNeedInput : StepKind::kLinger)
        << row.request;
  }
}

TEST(HttpConnectionTest, MethodNotAllowedNamesTheAllowed) {
  Peer peer;
  (void)peer.Send("DELETE /files/a" + std::string(kHost));
  EXPECT_TRUE(Has(peer.head, "Allow: GET, HEAD\r\n"));
  Peer other;
  (void)other.Send("HEAD /machine/inventory" + std::string(kHost));
  EXPECT_TRUE(Has(other.head, "Allow: POST\r\n"));
}

TEST(HttpConnectionTest, UploadWaitsForTheOwner) {
  Peer peer;
  Step step = peer.Send(
      "POST /machine/inventory HTTP/1.1\r\nHost: a\r\nAuthorization: bearer t0ken\r\n"
      "Content-Length: 10\r\n\r\n12345");
  ASSERT_EQ(step.kind, StepKind::kNeedBody);
  EXPECT_EQ(step.head_bytes, 0U);
  EXPECT_EQ(peer.input, "12345");
  EXPECT_EQ(peer.connection.token(), "t0ken");
  EXPECT_EQ(peer.connection.body_bytes_left(), 10U);
  EXPECT_EQ(peer.connection.OnBody(5, kStart).kind, StepKind::kNeedBody);
  peer.input.clear();
  EXPECT_EQ(peer.connection.OnBody(5, kStart).kind, StepKind::kSubmit);
  step = peer.Keep(peer.connection.OnSubmitted(UploadOutcome::kStored, kWall, kStart, peer.out));
  EXPECT_EQ(step.kind, StepKind::kRespond);
  EXPECT_TRUE(peer.head.starts_with("HTTP/1.1 202 Accepted\r\n"));
  EXPECT_EQ(peer.connection.OnSent(kStart).kind, StepKind::kNeedInput);
}

TEST(HttpConnectionTest, UploadOutcomesHaveStatuses) {
  for (const auto& [outcome, status] : {std::pair{UploadOutcome::kMalformed, Status::kBadRequest},
                                        std::pair{UploadOutcome::kDenied, Status::kUnauthorized},
                                        std::pair{UploadOutcome::kFailed, Status::kUnavailable}}) {
    Peer peer;
    (void)peer.Send("POST /machine/inventory HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    ASSERT_EQ(peer.connection.OnBody(0, kStart).kind, StepKind::kSubmit);
    (void)peer.Keep(peer.connection.OnSubmitted(outcome, kWall, kStart, peer.out));
    EXPECT_EQ(peer.connection.status(), status);
    EXPECT_EQ(Has(peer.head, "Retry-After: 2\r\n"), status == Status::kUnavailable);
    EXPECT_EQ(Has(peer.head, "WWW-Authenticate: Bearer\r\n"), status == Status::kUnauthorized);
  }
}

TEST(HttpConnectionTest, UploadTooLargeIsRefusedBeforeItsBody) {
  Peer peer;
  const Step step =
      peer.Send("POST /machine/inventory HTTP/1.1\r\nHost: a\r\nContent-Length: 101\r\n\r\n");
  EXPECT_EQ(step.kind, StepKind::kRespond);
  EXPECT_EQ(peer.connection.status(), Status::kContentTooLarge);
  EXPECT_EQ(peer.connection.OnSent(kStart).kind, StepKind::kLinger);
}

TEST(HttpConnectionTest, NoBufferForTheBodyIsUnavailable) {
  Peer peer;
  (void)peer.Send("POST /machine/inventory HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n");
  (void)peer.Keep(peer.connection.OnNoBuffer(kWall, kStart, peer.out));
  EXPECT_EQ(peer.connection.status(), Status::kUnavailable);
  EXPECT_EQ(peer.connection.OnSent(kStart).kind, StepKind::kLinger);
}

TEST(HttpConnectionTest, ExpectedContinueComesFirst) {
  Peer peer;
  const Step step = peer.Send(
      "POST /machine/inventory HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
      "Content-Length: 10\r\n\r\n");
  EXPECT_EQ(step.kind, StepKind::kNeedBody);
  EXPECT_EQ(peer.head, "HTTP/1.1 100 Continue\r\n\r\n");
}

TEST(HttpConnectionTest, TokenThatIsTooLongIsNone) {
  Peer peer;
  (void)peer.Send("POST /machine/inventory HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " +
                  std::string(300, 't') + "\r\nContent-Length: 1\r\n\r\n");
  EXPECT_EQ(peer.connection.token(), "");
}

TEST(HttpConnectionTest, PendingContentWaitsAndThenGivesUp) {
  Peer peer;
  (void)peer.Send(Get("/files/a"));
  EXPECT_EQ(
      peer.Content({.outcome = ContentOutcome::kPending, .validators = {}, .content_type = {}})
          .kind,
      StepKind::kNone);
  EXPECT_EQ(peer.connection.next_deadline(), kStart + kContentTimeout);
  EXPECT_EQ(peer.Timer(kStart + kContentTimeout).kind, StepKind::kRespond);
  EXPECT_EQ(peer.connection.status(), Status::kUnavailable);
}

TEST(HttpConnectionTest, SlowHeadIsTimedOut) {
  Peer peer;
  (void)peer.Send("GET /fi");
  (void)peer.Send("les", kStart + Duration::Seconds(9));
  EXPECT_EQ(peer.Timer(kStart + Duration::Seconds(9)).kind, StepKind::kNone);
  EXPECT_EQ(peer.Timer(kStart + kHeadTimeout).kind, StepKind::kRespond);
  EXPECT_EQ(peer.connection.status(), Status::kRequestTimeout);
  EXPECT_EQ(peer.connection.OnSent(kStart + kHeadTimeout).kind, StepKind::kLinger);
  EXPECT_EQ(peer.Timer(kStart + kHeadTimeout + kLingerTimeout).kind, StepKind::kClose);
}

TEST(HttpConnectionTest, IdleConnectionsAreClosedWithoutAWord) {
  Peer silent;
  EXPECT_EQ(silent.Timer(kStart + kHeadTimeout).kind, StepKind::kClose);
  Peer peer;
  (void)peer.Send(Get("/files/a"));
  (void)peer.Content(File(1));
  (void)peer.connection.OnSent(kStart);
  EXPECT_EQ(peer.Timer(kStart + kHeadTimeout).kind, StepKind::kNone);
  EXPECT_EQ(peer.Timer(kStart + kIdleTimeout).kind, StepKind::kClose);
}

TEST(HttpConnectionTest, SlowReaderIsCutOffAPacedOneIsNot) {
  Peer peer;
  (void)peer.Send(Get("/files/a"));
  (void)peer.Content(File(1 << 30));
  Instant now = kStart;
  for (int i = 0; i < 100; ++i) {
    now = now + Duration::Seconds(1);
    peer.connection.OnProgress(kSlowestBytesPerSecond);
    ASSERT_EQ(peer.Timer(now).kind, StepKind::kNone);
  }
  EXPECT_EQ(peer.Timer(now + kSlowGrace).kind, StepKind::kClose);
}

TEST(HttpConnectionTest, SlowBodyIsTimedOut) {
  Peer peer;
  (void)peer.Send("POST /machine/inventory HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n");
  (void)peer.connection.OnBody(1, kStart);
  EXPECT_EQ(peer.Timer(kStart + kSlowGrace).kind, StepKind::kRespond);
  EXPECT_EQ(peer.connection.status(), Status::kRequestTimeout);
}

TEST(HttpConnectionTest, HalfClosedPeerGetsItsAnswer) {
  Peer peer;
  (void)peer.Send(Get("/files/a"));
  EXPECT_EQ(peer.connection.OnInputEnd().kind, StepKind::kNone);
  (void)peer.Content(File(5));
  EXPECT_TRUE(Has(peer.head, "Connection: close\r\n"));
  EXPECT_EQ(peer.connection.OnSent(kStart).kind, StepKind::kClose);
  Peer idle;
  EXPECT_EQ(idle.connection.OnInputEnd().kind, StepKind::kClose);
}

TEST(HttpConnectionTest, LongestHeadFitsItsBuffer) {
  Peer peer;
  (void)peer.Send(
      "GET /files/a HTTP/1.1\r\nHost: a\r\nConnection: close\r\nRange: bytes=1-2\r\n\r\n");
  ContentInfo content = File(UINT64_MAX);
  const std::string tag(64, 'e');
  const std::string type(100, 't');
  content.validators = {.etag = tag, .modified = kWall};
  content.content_type = type;
  EXPECT_GT(peer.Content(content).head_bytes, 0U);
}

}  // namespace
}  // namespace slipway::http
