#include "dataplane/link/envelope.h"

#include <gtest/gtest.h>

#include "dataplane/base/random.h"
#include "dataplane/link/channel.h"
#include "tests/unit/dataplane/link/fakes.h"

namespace slipway::link {
namespace {

std::vector<std::byte> Heartbeat(EnvelopeHeader header = {.sequence = 1}) {
  EnvelopeWriter writer;
  const auto body = schema::CreateHeartbeat(writer.Begin(), 42);
  const auto message = writer.Finish(header, body);
  return {message->begin(), message->end()};
}

TEST(LinkEnvelopeTest, ReadsWhatItWrote) {
  EnvelopeReader reader;
  const auto message = Heartbeat({.sequence = 7, .acknowledged = 6, .trace = 5, .connection = 4});
  const auto envelope = reader.Read(message);
  ASSERT_TRUE(envelope.has_value());
  EXPECT_EQ((*envelope)->sequence(), 7U);
  EXPECT_EQ((*envelope)->acknowledged(), 6U);
  EXPECT_EQ((*envelope)->trace(), 5U);
  EXPECT_EQ((*envelope)->connection(), 4U);
  ASSERT_NE((*envelope)->body_as_Heartbeat(), nullptr);
  EXPECT_EQ((*envelope)->body_as_Heartbeat()->sent_ns(), 42U);
}

TEST(LinkEnvelopeTest, ReadsFromAnyAlignment) {
  EnvelopeReader reader;
  const auto message = Heartbeat();
  std::vector<std::byte> shifted(message.size() + 8);
  for (std::size_t shift = 0; shift < 8; ++shift) {
    std::copy(message.begin(), message.end(), shifted.begin() + static_cast<std::ptrdiff_t>(shift));
    EXPECT_TRUE(reader.Read(ByteSpan(shifted).subspan(shift, message.size())).has_value());
  }
}

TEST(LinkEnvelopeTest, AcceptsOneMinorVersionOfDifferenceOnly) {
  EnvelopeReader reader;
  for (int major = 0; major < 3; ++major) {
    for (int minor = 0; minor < 256; ++minor) {
      const auto version = static_cast<std::uint16_t>((major << 8) | minor);
      const bool near =
          major == kVersionMajor && minor >= kVersionMinor - 1 && minor <= kVersionMinor + 1;
      const auto read = reader.Read(Heartbeat({.sequence = 1, .version = version}));
      EXPECT_EQ(read.has_value(), near) << major << "." << minor;
      if (!read) {
        EXPECT_EQ(read.error(), RejectReason::kVersion);
      }
    }
  }
}

TEST(LinkEnvelopeTest, EveryTruncationAndEveryFlippedBitIsRejected) {
  EnvelopeReader reader;
  const auto message = Heartbeat();
  for (std::size_t size = 0; size < message.size(); ++size) {
    EXPECT_FALSE(reader.Read(ByteSpan(message).first(size)).has_value());
  }
  for (std::size_t bit = 0; bit < 8 * message.size(); ++bit) {
    auto flipped = message;
    flipped[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
    EXPECT_FALSE(reader.Read(flipped).has_value());
  }
}

TEST(LinkEnvelopeTest, OversizeIsRejectedBeforeAnythingIsRead) {
  EnvelopeReader reader;
  const std::vector<std::byte> large(kMessageBytesMax + 1);
  EXPECT_EQ(reader.Read(large).error(), RejectReason::kTooLarge);
  EnvelopeWriter writer;
  const std::string text(kMessageBytesMax, 'x');
  auto& builder = writer.Begin();
  const auto body = schema::CreateReject(builder, builder.CreateString(text));
  EXPECT_EQ(writer.Finish({.sequence = 1}, body).error().code, ErrorCode::kTooLarge);
}

TEST(LinkEnvelopeTest, BodyOfANewerSchemaIsSeenAsUnknown) {
  EnvelopeReader reader;
  EnvelopeWriter writer;
  const auto body = schema::CreateHeartbeat(writer.Begin(), 1);
  const auto message =
      writer.FinishUnion({.sequence = 1}, static_cast<schema::LinkBody>(200), body.Union());
  const auto envelope = reader.Read(*message);
  ASSERT_TRUE(envelope.has_value());
  EXPECT_FALSE(HasKnownBody(**envelope));
}

class Silence final : public MessageOutput {
 public:
  bool Send(ByteSpan message) override {
    last.assign(message.begin(), message.end());
    return true;
  }

  std::vector<std::byte> last;
};

TEST(LinkChannelTest, NumbersAreCheckedAndCounted) {
  LinkCounters counters;
  Channel channel(counters);
  const Instant now{};
  channel.Open(4, now);
  const auto receive = [&](std::uint64_t sequence, std::uint64_t acknowledged,
                           std::uint64_t connection) {
    return channel
        .Receive(
            Heartbeat(
                {.sequence = sequence, .acknowledged = acknowledged, .connection = connection}),
            false, now)
        .verdict;
  };
  EXPECT_EQ(receive(1, 0, 4), Channel::Verdict::kDeliver);
  EXPECT_EQ(receive(1, 0, 4), Channel::Verdict::kIgnore);
  EXPECT_EQ(receive(2, 0, 5), Channel::Verdict::kIgnore);
  EXPECT_EQ(receive(3, 0, 4), Channel::Verdict::kReset);
  EXPECT_EQ(receive(2, 1, 4), Channel::Verdict::kReset);
  EXPECT_EQ(receive(2, 0, 4), Channel::Verdict::kDeliver);
  EXPECT_EQ(counters.Rejected(RejectReason::kReplayed), 1U);
  EXPECT_EQ(counters.Rejected(RejectReason::kStale), 1U);
  EXPECT_EQ(counters.Rejected(RejectReason::kGap), 1U);
  EXPECT_EQ(counters.Rejected(RejectReason::kBadAck), 1U);
}

TEST(LinkChannelTest, DataBeyondCreditResets) {
  LinkCounters counters;
  Channel channel(counters);
  channel.Open(4, Instant{});
  EnvelopeWriter writer;
  const auto body = schema::CreateDelta(writer.Begin());
  const auto message = writer.Finish({.sequence = 1, .connection = 4}, body);
  EXPECT_EQ(channel.Receive(*message, false, Instant{}).verdict, Channel::Verdict::kReset);
  Silence out;
  ASSERT_TRUE(channel.GrantAll(out));
  EXPECT_EQ(channel.Receive(*message, false, Instant{}).verdict, Channel::Verdict::kDeliver);
  EXPECT_EQ(counters.Rejected(RejectReason::kOverCredit), 1U);
}

TEST(LinkChannelTest, PeerMayNotGrantMoreThanTheBound) {
  LinkCounters counters;
  Channel channel(counters);
  channel.Open(4, Instant{});
  EXPECT_FALSE(channel.MaySendData());
  EXPECT_TRUE(channel.TakeCredit(kCreditBytes));
  EXPECT_TRUE(channel.MaySendData());
  EXPECT_FALSE(channel.TakeCredit(1));
  EXPECT_FALSE(channel.TakeCredit(UINT64_MAX));
}

}  // namespace
}  // namespace slipway::link
