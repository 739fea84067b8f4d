#include "dataplane/dhcp/message.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/dhcp_lab.h"

namespace slipway::dhcp {
namespace {

const MacAddress kMac{{0x52, 0x54, 0, 0, 0, 1}};

// A request with `options` as raw bytes behind the cookie.
std::vector<std::byte> WithOptions(const std::vector<int>& options) {
  auto packet = test::Request(MessageType::kNone, kMac).Build();
  packet.resize(kHeaderBytes);
  for (const int value : options) {
    packet.push_back(static_cast<std::byte>(value));
  }
  return packet;
}

TEST(MessageTest, ReadsHeaderAndOptions) {
  Message message;
  const auto packet = test::Request(MessageType::kDiscover, kMac, 0xABCD'0123)
                          .Broadcast()
                          .Text(Option::kHostName, "node")
                          .Address(Option::kRequestedAddress, {0x0A00'0001})
                          .Build();
  ASSERT_TRUE(Decode(packet, message).has_value());
  EXPECT_EQ(message.op, kBootRequest);
  EXPECT_EQ(message.xid, 0xABCD'0123U);
  EXPECT_TRUE(message.broadcast());
  EXPECT_EQ(message.mac(), kMac);
  EXPECT_EQ(message.type, MessageType::kDiscover);
  EXPECT_EQ(AsText(message.Get(Option::kHostName)), "node");
  EXPECT_EQ(message.GetAddress(Option::kRequestedAddress).value, 0x0A00'0001U);
  EXPECT_FALSE(message.Has(Option::kServerIdentifier));
}

TEST(MessageTest, RefusesEveryTruncationOfTheHeader) {
  const auto packet = test::Request(MessageType::kDiscover, kMac).Build();
  Message message;
  for (std::size_t size = 0; size < 236; ++size) {
    EXPECT_EQ(Decode(std::span(packet).first(size), message).error().code, ErrorCode::kTruncated);
  }
  // Without cookie it is BOOTP.
  ASSERT_TRUE(Decode(std::span(packet).first(236), message).has_value());
  EXPECT_EQ(message.type, MessageType::kNone);
}

TEST(MessageTest, RefusesAnOptionBeyondTheEnd) {
  Message message;
  EXPECT_EQ(Decode(WithOptions({53, 1, 1, 12, 5, 'a', 'b'}), message).error().code,
            ErrorCode::kMalformed);
  EXPECT_EQ(Decode(WithOptions({53, 1, 1, 12}), message).error().code, ErrorCode::kMalformed);
  EXPECT_TRUE(Decode(WithOptions({53, 1, 1, 0, 0}), message).has_value());
}

TEST(MessageTest, RefusesWrongLengthsOfWhatMatters) {
  Message message;
  EXPECT_EQ(Decode(WithOptions({53, 2, 1, 1, 255}), message).error().detail, 53U);
  EXPECT_EQ(Decode(WithOptions({53, 1, 1, 50, 3, 1, 2, 3, 255}), message).error().detail, 50U);
  EXPECT_EQ(Decode(WithOptions({53, 0, 255}), message).error().detail, 53U);
  // A bad length of a mere hint makes it as if not there.
  ASSERT_TRUE(Decode(WithOptions({53, 1, 1, 57, 1, 9, 255}), message).has_value());
  EXPECT_FALSE(message.Has(Option::kMaxMessageSize));
}

TEST(MessageTest, JoinsThePiecesOfAnOption) {
  // RFC 3396: one value in three pieces, another option in between.
  Message message;
  ASSERT_TRUE(Decode(WithOptions({53, 1, 1, 12, 2, 'a', 'b', 61, 2, 1, 2, 12, 1, 'c', 12, 2, 'd',
                                  'e', 255}),
                     message)
                  .has_value());
  EXPECT_EQ(AsText(message.Get(Option::kHostName)), "abcde");
  EXPECT_EQ(message.Get(Option::kClientIdentifier).size(), 2U);
}

TEST(MessageTest, BoundsThePieces) {
  std::vector<int> options = {53, 1, 1};
  for (int i = 0; i < 6; ++i) {
    options.push_back(175);
    options.push_back(250);
    options.insert(options.end(), 250, i);
  }
  Message message;
  EXPECT_EQ(Decode(WithOptions(options), message).error().code, ErrorCode::kTooLarge);
}

TEST(MessageTest, ReadsOverloadedFieldsOnceInOrder) {
  auto packet = WithOptions({53, 1, 1, 52, 1, 3, 12, 1, 'a', 255});
  const auto put = [&](std::size_t at, std::vector<int> values) {
    for (const int value : values) {
      packet[at++] = static_cast<std::byte>(value);
    }
  };
  put(108, {12, 1, 'b', 52, 1, 2, 255});
  put(44, {12, 1, 'c', 255});
  Message message;
  // The overload option inside `file` makes option 52 two bytes long: refused, never followed.
  EXPECT_FALSE(Decode(packet, message).has_value());
  put(108, {12, 1, 'b', 255, 52, 1, 2});
  ASSERT_TRUE(Decode(packet, message).has_value());
  EXPECT_EQ(AsText(message.Get(Option::kHostName)), "abc");
  EXPECT_TRUE(message.file.empty());
  EXPECT_TRUE(message.sname.empty());
}

TEST(MessageTest, RefusesBrokenOptionsInOverloadedFields) {
  auto packet = WithOptions({53, 1, 1, 52, 1, 1, 255});
  packet[108 + 126] = std::byte{12};
  packet[108 + 127] = std::byte{9};
  Message message;
  EXPECT_EQ(Decode(packet, message).error().code, ErrorCode::kMalformed);
  EXPECT_FALSE(Decode(WithOptions({53, 1, 1, 52, 1, 4, 255}), message).has_value());
}

TEST(MessageTest, TakesNoAddressFromStrangeHardware) {
  Message message;
  auto packet = test::Request(MessageType::kDiscover, kMac).Build();
  packet[1] = std::byte{32};  // InfiniBand
  ASSERT_TRUE(Decode(packet, message).has_value());
  EXPECT_TRUE(message.mac().is_zero());
  packet[1] = std::byte{1};
  packet[2] = std::byte{17};
  EXPECT_FALSE(Decode(packet, message).has_value());
  packet[2] = std::byte{6};
  packet[28] = std::byte{0xFF};
  ASSERT_TRUE(Decode(packet, message).has_value());
  EXPECT_TRUE(message.mac().is_zero());
}

TEST(WriterTest, LeavesOutWhatDoesNotFitButNeverTheLast) {
  std::array<std::byte, 400> out{};
  Writer writer(out, 330);
  writer.RequestHeader(1, 0, false, {}, kMac);
  const std::vector<std::byte> last(40, std::byte{7});
  writer.Reserve(last);
  const std::string text(60, 'x');
  writer.Text(Option::kHostName, text);    // 240 + 62 > 330 - 42 - 1
  writer.Text(Option::kDomainName, "ab");  // still fits
  writer.Last(Option::kRelayAgentInformation, last);
  const Result<std::size_t> size = writer.Finish();
  ASSERT_TRUE(size.has_value());
  EXPECT_LE(*size, 330U);
  EXPECT_EQ(writer.left_out(), 1U);
  Message message;
  ASSERT_TRUE(Decode(std::span(out).first(*size), message).has_value());
  EXPECT_FALSE(message.Has(Option::kHostName));
  EXPECT_EQ(AsText(message.Get(Option::kDomainName)), "ab");
  EXPECT_EQ(message.Get(Option::kRelayAgentInformation).size(), 40U);
}

}  // namespace
}  // namespace slipway::dhcp
