#include "dataplane/tftp/session.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <string_view>

namespace slipway::tftp {
namespace {

using std::string_literals::operator""s;
using std::string_view_literals::operator""sv;

constexpr Instant kStart{1'000'000'000};
constexpr SessionOptions kEthernet{.blksize_max = 1468, .windowsize_max = 16};

Request Asking(std::string_view options) {
  std::string packet = "\0\1f\0octet\0"s;
  packet += options;
  return *ParseRequest(AsBytes(packet));
}

std::array<std::byte, 4> Ack(std::uint64_t block) {
  std::array<std::byte, 4> packet{};
  StoreBig<std::uint16_t>(packet.data(), 4);
  StoreBig<std::uint16_t>(packet.data() + 2, static_cast<std::uint16_t>(block));
  return packet;
}

Step Acked(TftpSession& session, std::uint64_t block, Instant now = kStart) {
  return session.OnPacket(Ack(block), now);
}

std::string Oack(const TftpSession& session) {
  std::array<std::byte, kControlPacketBytesMax> out;
  return std::string(AsText(ByteSpan(out).first(session.EncodeOack(out))));
}

void ExpectWindow(const Step& step, std::uint16_t first, std::uint16_t count, std::uint64_t offset,
                  std::uint64_t bytes) {
  EXPECT_EQ(step.kind, StepKind::kSendWindow);
  EXPECT_EQ(step.first_block, first);
  EXPECT_EQ(step.count, count);
  EXPECT_EQ(step.offset, offset);
  EXPECT_EQ(step.bytes, bytes);
}

TEST(TftpSessionTest, PlainRequestStartsWithOneBlock) {
  TftpSession session;
  ExpectWindow(session.Start(Asking(""), 1300, kEthernet, kStart), 1, 1, 0, 512);
  ExpectWindow(Acked(session, 1), 2, 1, 512, 512);
  ExpectWindow(Acked(session, 2), 3, 1, 1024, 276);
  EXPECT_EQ(Acked(session, 3).kind, StepKind::kDone);
  EXPECT_EQ(session.end(), EndReason::kComplete);
  EXPECT_EQ(session.acknowledged_bytes(), 1300U);
  EXPECT_EQ(session.next_deadline(), Instant::Never());
}

TEST(TftpSessionTest, EmptyFileIsOneEmptyBlock) {
  TftpSession session;
  ExpectWindow(session.Start(Asking(""), 0, kEthernet, kStart), 1, 1, 0, 0);
  EXPECT_EQ(Acked(session, 1).kind, StepKind::kDone);
}

TEST(TftpSessionTest, MultipleOfTheBlockSizeEndsWithAnEmptyBlock) {
  TftpSession session;
  ExpectWindow(session.Start(Asking(""), 512, kEthernet, kStart), 1, 1, 0, 512);
  ExpectWindow(Acked(session, 1), 2, 1, 512, 0);
  EXPECT_EQ(Acked(session, 2).kind, StepKind::kDone);
}

TEST(TftpSessionTest, OptionsAreAcknowledgedBeforeData) {
  TftpSession session;
  const Step step =
      session.Start(Asking("tsize\0000\0blksize\0001468\0timeout\0003\0windowsize\0004\0"sv),
                    10'000, kEthernet, kStart);
  EXPECT_EQ(step.kind, StepKind::kSendOack);
  EXPECT_EQ(Oack(session),
            "\0\6tsize\00010000\0blksize\0001468\0timeout\0003\0windowsize\0004\0"sv);
  EXPECT_EQ(Acked(session, 1).kind, StepKind::kSilent);
  const Step data = Acked(session, 0);
  ExpectWindow(data, 1, 4, 0, 4 * 1468);
  EXPECT_TRUE(data.first_data);
  ExpectWindow(Acked(session, 4), 5, 3, 4 * 1468, 10'000 - 4 * 1468);
  EXPECT_EQ(Acked(session, 7).kind, StepKind::kDone);
}

TEST(TftpSessionTest, BlockSizeAndWindowAreCapped) {
  TftpSession session;
  (void)session.Start(Asking("blksize\00065464\0windowsize\00065535\0"sv), 1 << 20,
                      {.blksize_max = 1428, .windowsize_max = 8}, kStart);
  EXPECT_EQ(Oack(session), "\0\6blksize\0001428\0windowsize\0008\0"sv);
  (void)session.Start(Asking("windowsize\000100\0"sv), 1 << 20,
                      {.blksize_max = 1428, .windowsize_max = 1000}, kStart);
  EXPECT_EQ(session.windowsize(), kWindowsizeMax);
  EXPECT_EQ(session.blksize(), 512);
}

TEST(TftpSessionTest, OnlyUnknownOptionsMeansNoOack) {
  TftpSession session;
  EXPECT_EQ(session.Start(Asking("multicast\0\0"sv), 10, kEthernet, kStart).kind,
            StepKind::kSendWindow);
}

TEST(TftpSessionTest, DuplicateAckIsIgnored) {
  TftpSession session;
  (void)session.Start(Asking(""), 5000, kEthernet, kStart);
  EXPECT_EQ(Acked(session, 1).kind, StepKind::kSendWindow);
  EXPECT_EQ(Acked(session, 1).kind, StepKind::kSilent);
  EXPECT_EQ(Acked(session, 0).kind, StepKind::kSilent);
  EXPECT_EQ(Acked(session, 3).kind, StepKind::kSilent);  // Not sent yet.
  ExpectWindow(Acked(session, 2), 3, 1, 1024, 512);
}

TEST(TftpSessionTest, AckInsideTheWindowSendsTheRestAgain) {
  TftpSession session;
  (void)session.Start(Asking("windowsize\0004\0"sv), 10'000, kEthernet, kStart);
  ExpectWindow(Acked(session, 0), 1, 4, 0, 2048);
  const Step again = Acked(session, 2);
  ExpectWindow(again, 3, 4, 1024, 2048);
  EXPECT_TRUE(again.resend);
  EXPECT_EQ(Acked(session, 2).kind, StepKind::kSilent);
  ExpectWindow(Acked(session, 6), 7, 4, 3072, 2048);
}

TEST(TftpSessionTest, BlockNumbersRollOver) {
  TftpSession session;
  constexpr std::uint64_t kBlocks = 140'000;
  ExpectWindow(session.Start(Asking(""), kBlocks * 512 - 1, kEthernet, kStart), 1, 1, 0, 512);
  for (std::uint64_t block = 1; block < kBlocks; ++block) {
    const Step step = Acked(session, block);
    ASSERT_EQ(step.kind, StepKind::kSendWindow);
    ASSERT_EQ(step.first_block, (block + 1) & 0xFFFF);
    ASSERT_EQ(step.offset, block * 512);
  }
  EXPECT_EQ(Acked(session, kBlocks).kind, StepKind::kDone);
  EXPECT_EQ(session.acknowledged_bytes(), kBlocks * 512 - 1);
}

TEST(TftpSessionTest, WindowsRollOverToo) {
  TftpSession session;
  (void)session.Start(Asking("windowsize\00016\0"sv), 70'000 * 512, kEthernet, kStart);
  Step step = Acked(session, 0);
  std::uint64_t sent = 0;
  while (step.kind == StepKind::kSendWindow) {
    ASSERT_EQ(step.first_block, (sent + 1) & 0xFFFF);
    sent += step.count;
    step = Acked(session, sent);
  }
  EXPECT_EQ(sent, 70'001U);
  EXPECT_EQ(session.end(), EndReason::kComplete);
}

TEST(TftpSessionTest, SilentClientGetsSixCopiesWithBackoff) {
  TftpSession session;
  (void)session.Start(Asking(""), 100'000, kEthernet, kStart);
  std::uint64_t blocks = 1;
  Duration waited{};
  Instant last = kStart;
  while (session.next_deadline() != Instant::Never()) {
    const Instant now = session.next_deadline();
    EXPECT_EQ(session.OnTimer(now - Duration::Nanos(1)).kind, StepKind::kSilent);
    EXPECT_GE(now - last, waited);
    waited = now - last;
    last = now;
    const Step step = session.OnTimer(now);
    if (step.kind == StepKind::kSendWindow) {
      ExpectWindow(step, 1, 1, 0, 512);
      EXPECT_TRUE(step.resend);
      blocks += step.count;
    }
  }
  EXPECT_EQ(blocks, 6U);
  EXPECT_EQ(session.end(), EndReason::kTimedOut);
  EXPECT_EQ(last - kStart, Duration::Seconds(1 + 2 + 4 + 8 + 8 + 8));
}

TEST(TftpSessionTest, SilentClientWithOptionsGetsNoData) {
  TftpSession session;
  Step step =
      session.Start(Asking("blksize\0001428\0windowsize\00016\0"sv), 100'000, kEthernet, kStart);
  int oacks = 0;
  while (step.kind == StepKind::kSendOack) {
    ++oacks;
    step = session.OnTimer(session.next_deadline());
  }
  EXPECT_EQ(oacks, 6);
  EXPECT_EQ(session.end(), EndReason::kTimedOut);
}

TEST(TftpSessionTest, TimeoutOptionSetsTheFirstWait) {
  TftpSession session;
  (void)session.Start(Asking("timeout\0003\0"sv), 10, kEthernet, kStart);
  EXPECT_EQ(session.next_deadline(), kStart + Duration::Seconds(3));
  (void)session.Start(Asking("timeout\000200\0"sv), 10, kEthernet, kStart);
  (void)session.OnTimer(session.next_deadline());
  EXPECT_EQ(session.next_deadline(), kStart + Duration::Seconds(400));
}

TEST(TftpSessionTest, ProgressResetsTheResendBudget) {
  TftpSession session;
  (void)session.Start(Asking(""), 100'000, kEthernet, kStart);
  for (std::uint64_t block = 1; block < 50; ++block) {
    for (int i = 0; i < 5; ++i) {
      ASSERT_EQ(session.OnTimer(session.next_deadline()).kind, StepKind::kSendWindow);
    }
    ASSERT_EQ(Acked(session, block).kind, StepKind::kSendWindow);
  }
}

TEST(TftpSessionTest, AbortedSizeProbeIsNormal) {
  TftpSession session;
  (void)session.Start(Asking("tsize\0000\0"sv), 1000, kEthernet, kStart);
  EXPECT_EQ(session.OnPacket(AsBytes("\0\5\0\10User aborted\0"sv), kStart).kind, StepKind::kDone);
  EXPECT_EQ(session.end(), EndReason::kProbe);
}

TEST(TftpSessionTest, ErrorInTheMiddleEndsTheTransfer) {
  TftpSession session;
  (void)session.Start(Asking(""), 5000, kEthernet, kStart);
  (void)Acked(session, 1);
  EXPECT_EQ(session.OnPacket(AsBytes("\0\5\0\3disk full\0"sv), kStart).kind, StepKind::kDone);
  EXPECT_EQ(session.end(), EndReason::kClientError);
  EXPECT_EQ(Acked(session, 2).kind, StepKind::kSilent);
}

TEST(TftpSessionTest, OtherPacketsAreSilence) {
  TftpSession session;
  (void)session.Start(Asking(""), 5000, kEthernet, kStart);
  for (const auto packet : {""sv, "\0"sv, "\0\4"sv, "\0\4\0"sv, "\0\3\0\1xx"sv, "\0\6\0\0"sv,
                            "\0\1f\0octet\0"sv, "\377\377\0\1"sv}) {
    EXPECT_EQ(session.OnPacket(AsBytes(packet), kStart).kind, StepKind::kSilent);
  }
  EXPECT_EQ(session.end(), EndReason::kOpen);
}

TEST(TftpSessionTest, RepeatedRequestIsAnsweredOnceItIsNoEcho) {
  TftpSession session;
  (void)session.Start(Asking("tsize\0000\0"sv), 5000, kEthernet, kStart);
  EXPECT_EQ(session.OnRequestAgain(true, kStart + Duration::Millis(50)).kind, StepKind::kSilent);
  EXPECT_EQ(session.OnRequestAgain(true, kStart + Duration::Millis(500)).kind, StepKind::kSendOack);
  (void)Acked(session, 0);
  (void)Acked(session, 1);
  EXPECT_EQ(session.OnRequestAgain(true, kStart + Duration::Seconds(2)).kind, StepKind::kDone);
}

TEST(TftpSessionTest, AnotherRequestFromTheSamePortBeginsAnew) {
  TftpSession session;
  (void)session.Start(Asking("tsize\0000\0"sv), 5000, kEthernet, kStart);
  EXPECT_EQ(session.OnRequestAgain(false, kStart).kind, StepKind::kDone);
  EXPECT_EQ(session.end(), EndReason::kProbe);
}

TEST(TftpSessionTest, RepeatedRequestsStayWithinTheResendBudget) {
  TftpSession session;
  (void)session.Start(Asking(""), 5000, kEthernet, kStart);
  Instant now = kStart;
  int sent = 1;
  for (int i = 0; i < 100; ++i) {
    now = now + Duration::Millis(300);
    sent += session.OnRequestAgain(true, now).kind == StepKind::kSendWindow ? 1 : 0;
  }
  EXPECT_EQ(sent, 6);
}

TEST(TftpSessionTest, AbortSendsOneErrorAndEnds) {
  TftpSession session;
  (void)session.Start(Asking(""), 5000, kEthernet, kStart);
  const Step step = session.Abort(WireError::kNotDefined, "read failed");
  EXPECT_EQ(step.kind, StepKind::kSendError);
  EXPECT_EQ(session.end(), EndReason::kRefused);
  EXPECT_EQ(session.Abort(WireError::kNotDefined, "again").kind, StepKind::kSilent);
}

TEST(TftpSessionTest, NetasciiGoesBlockByBlock) {
  const std::string file(700, '\n');
  TftpSession session;
  const Request request = *ParseRequest(AsBytes("\0\1f\0netascii\0tsize\0000\0"sv));
  Step step = session.Start(request, file.size(), kEthernet, kStart);
  std::string received;
  std::uint64_t block = 0;
  while (step.kind == StepKind::kSendWindow) {
    std::array<std::byte, 512> out;
    const auto source = AsBytes(file).subspan(static_cast<std::size_t>(step.offset));
    const std::size_t size = session.EncodeNetasciiBlock(source, out);
    received += AsText(ByteSpan(out).first(size));
    step = Acked(session, ++block);
  }
  EXPECT_EQ(session.end(), EndReason::kComplete);
  std::string expected;
  for (std::size_t i = 0; i < file.size(); ++i) {
    expected += "\r\n";
  }
  EXPECT_EQ(received, expected);
  EXPECT_EQ(session.acknowledged_bytes(), 1400U);
}

}  // namespace
}  // namespace slipway::tftp
