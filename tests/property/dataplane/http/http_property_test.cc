// Requests cut into pieces at any place give the same answers; ranges agree with a plain model.
// SLIPWAY_SEED repeats a run.
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <string>

#include "dataplane/base/random.h"
#include "dataplane/http/connection.h"

namespace slipway::http {
namespace {

constexpr std::array<Route, 2> kRoutes = {{
    {.path = "/files/", .prefix = true},
    {.path = "/post", .action = RouteAction::kUpload, .body_bytes_max = 1000},
}};

std::uint64_t Seed() {
  const char* text = std::getenv("SLIPWAY_SEED");
  return text == nullptr ? 20'261'122 : std::strtoull(text, nullptr, 10);
}

// Answers of a connection to `all`, cut by `random`; bodies are counted, not made.
std::string Converse(const std::string& all, SeededRandom& random, std::size_t piece_max) {
  HttpConnection connection;
  connection.Start(kRoutes, Instant{1});
  std::array<std::byte, kResponseHeadBytesMax> out;
  std::string answers;
  std::string input;
  std::size_t given = 0;
  Step step{.kind = StepKind::kNeedInput, .body = {}};
  while (true) {
    input.erase(0, step.consumed);
    answers += AsText(ByteSpan(out).first(step.head_bytes));
    switch (step.kind) {
      case StepKind::kNone:
      case StepKind::kNeedInput: {
        if (given < all.size()) {
          const std::size_t piece = std::min(1 + random.Below(piece_max), all.size() - given);
          input += all.substr(given, piece);
          given += piece;
          // The buffer's place must stay while a head is incomplete; views are only used at once.
          step = connection.OnInput(AsBytes(input), {}, Instant{1}, out);
        } else {
          const Step left = connection.OnInput(AsBytes(input), {}, Instant{1}, out);
          if (left.kind == StepKind::kNeedInput || left.kind == StepKind::kNone) {
            return answers;
          }
          step = left;
        }
        break;
      }
      case StepKind::kResolve:
        step = connection.OnContent({.outcome = ContentOutcome::kFound,
                                     .bytes = 100,
                                     .validators = {.etag = "e", .modified = {}},
                                     .content_type = {}},
                                    {}, Instant{1}, out);
        break;
      case StepKind::kNeedBody: {
        if (input.empty() && given < all.size()) {
          input += all[given++];
        }
        const std::size_t bytes = std::min<std::size_t>(input.size(), connection.body_bytes_left());
        if (bytes == 0 && connection.body_bytes_left() > 0) {
          return answers;
        }
        input.erase(0, bytes);
        step = connection.OnBody(bytes, Instant{1});
        break;
      }
      case StepKind::kSubmit:
        step = connection.OnSubmitted(UploadOutcome::kStored, {}, Instant{1}, out);
        break;
      case StepKind::kRespond:
        answers +=
            "[" + std::to_string(step.body.offset) + "+" + std::to_string(step.body.bytes) + "]";
        step = connection.OnSent(Instant{1});
        if (step.kind == StepKind::kNeedInput && !input.empty()) {
          step = connection.OnInput(AsBytes(input), {}, Instant{1}, out);
        }
        break;
      case StepKind::kLinger:
      case StepKind::kClose:
        return answers + "(end)";
    }
  }
}

std::string RandomRequests(SeededRandom& random) {
  static constexpr std::array kPieces = {
      "GET /files/a HTTP/1.1\r\nHost: a\r\n\r\n",
      "HEAD /files/a%20b?x HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET /files/a HTTP/1.1\r\nHost: a\r\nRange: bytes=5-9\r\n\r\n",
      "GET /none HTTP/1.1\r\nHost: a\r\n\r\n",
      "\r\nGET /files/b HTTP/1.1\r\nhost: [::1]:80\r\nX: y\r\n\r\n",
      "POST /post HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
      "POST /post HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
      "DELETE /files/a HTTP/1.1\r\nHost: a\r\n\r\n",
  };
  std::string all;
  for (std::uint64_t i = 0; i < 1 + random.Below(6); ++i) {
    all += kPieces[random.Below(kPieces.size())];
  }
  if (random.Below(3) == 0) {
    all[random.Below(all.size())] = static_cast<char>(random.Below(256));
  }
  return all;
}

TEST(HttpPropertyTest, PiecesDoNotChangeTheAnswers) {
  const std::uint64_t seed = Seed();
  RecordProperty("seed", std::to_string(seed));
  SeededRandom random(seed);
  for (int i = 0; i < 3000; ++i) {
    const std::string all = RandomRequests(random);
    const std::string whole = Converse(all, random, 1'000'000);
    ASSERT_EQ(Converse(all, random, 7), whole) << "seed " << seed << ": " << all;
    ASSERT_EQ(Converse(all, random, 1), whole) << "seed " << seed << ": " << all;
  }
}

TEST(HttpPropertyTest, RangesAgreeWithAModel) {
  SeededRandom random(Seed());
  for (int i = 0; i < 20'000; ++i) {
    const std::uint64_t total = random.Below(50);
    const std::uint64_t a = random.Below(60);
    const std::uint64_t b = random.Below(60);
    const std::string text = "bytes=" + std::to_string(a) + "-" + std::to_string(b);
    Request request;
    request.method = Method::kGet;
    request.range = text;
    const Selection selection = Select(request, {}, total);
    std::uint64_t count = 0;
    for (std::uint64_t at = 0; at < total; ++at) {
      count += at >= a && at <= b ? 1 : 0;
    }
    if (a > b) {
      EXPECT_EQ(selection.status, Status::kOk);
    } else if (count == 0) {
      EXPECT_EQ(selection.status, Status::kRangeNotSatisfiable);
    } else {
      EXPECT_EQ(selection.range.offset, a);
      EXPECT_EQ(selection.range.bytes, count);
    }
  }
}

}  // namespace
}  // namespace slipway::http
