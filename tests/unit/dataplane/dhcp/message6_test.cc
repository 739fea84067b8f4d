#include "dataplane/dhcp/message6.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/dhcp6_lab.h"

namespace slipway::dhcp {
namespace {

using test::Bytes;
using test::Request6;
using test::V6;

std::string Hex(ByteSpan bytes) {
  std::string text;
  for (const std::byte byte : bytes) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    text += kDigits[std::to_integer<std::size_t>(byte) >> 4];
    text += kDigits[std::to_integer<std::size_t>(byte) & 15];
  }
  return text;
}

// RFC 8415 figure 2, 8, 12, 14: type and transaction id, then options of code, length, value.
TEST(Message6Test, IsLaidOutAsTheRfcDraws) {
  const auto packet = Request6(MessageType6::kSolicit, 0xABCDEF)
                          .Client(Bytes({0, 3, 0, 1, 2, 0, 0, 0, 0, 5}))
                          .IaNa(0x01020304, {V6("2001:db8::7")})
                          .Asks({Option6::kDnsServers, Option6::kBootFileUrl})
                          .Option(Option6::kRapidCommit)
                          .Build();
  EXPECT_EQ(Hex(packet),
            "01abcdef"
            "0001000a00030001020000000005"
            "00030028"
            "010203040000000000000000"
            "00050018"
            "20010db80000000000000000000000070000000000000000"
            "000600040017003b"
            "000e0000");
}

TEST(Message6Test, ReadsWhatAClientSends) {
  Message6 message;
  const auto packet = Request6(MessageType6::kRequest, 0x010203)
                          .Client(Bytes({0, 3, 0, 1, 2, 0, 0, 0, 0, 5}))
                          .Option(Option6::kElapsedTime, Bytes({0, 7}))
                          .IaNa(9, {V6("2001:db8::7"), V6("2001:db8::8")})
                          .IaOf(Option6::kIaPd, 10)
                          .Asks({Option6::kDnsServers})
                          .Build();
  ASSERT_TRUE(Decode6(packet, message).has_value());
  EXPECT_FALSE(message.relayed());
  EXPECT_EQ(message.type, MessageType6::kRequest);
  EXPECT_EQ(message.xid, 0x010203U);
  EXPECT_EQ(message.Get(Option6::kClientId).size(), 10U);
  ASSERT_EQ(message.ias.size(), 2U);
  EXPECT_EQ(message.ias[0].iaid, 9U);
  ASSERT_EQ(message.ias[0].addresses.size(), 2U);
  EXPECT_EQ(message.ias[0].addresses[1], V6("2001:db8::8"));
  EXPECT_EQ(message.ias[1].type, Option6::kIaPd);
  EXPECT_TRUE(message.Asks(Option6::kDnsServers));
  EXPECT_FALSE(message.Asks(Option6::kDomainList));
  EXPECT_FALSE(message.Wants(Option6::kDomainList));
}

TEST(Message6Test, WithoutAListEverythingIsWantedAndNothingAskedFor) {
  Message6 message;
  ASSERT_TRUE(Decode6(Request6(MessageType6::kSolicit).Build(), message).has_value());
  EXPECT_TRUE(message.Wants(Option6::kDnsServers));
  EXPECT_FALSE(message.Asks(Option6::kDnsServers));
}

TEST(Message6Test, ReadsChainsOfRelays) {
  const auto id = Bytes({1, 2, 3});
  const auto mac = Bytes({0, 1, 2, 0, 0, 0, 0, 9});
  const std::vector<RelayHop> relays = {
      {.hops = 1, .link = V6("2001:db8:1::1"), .peer = V6("fe80::2"), .has_port = true, .port = 0},
      {.hops = 0,
       .link = {},
       .peer = V6("fe80::3"),
       .has_interface_id = true,
       .interface_id = id,
       .client_address = mac}};
  const auto packet = Request6(MessageType6::kSolicit, 5, relays).IaNa(1).Build();
  Message6 message;
  ASSERT_TRUE(Decode6(packet, message).has_value());
  ASSERT_EQ(message.relays.size(), 2U);
  EXPECT_EQ(message.relays[0].link, V6("2001:db8:1::1"));
  EXPECT_TRUE(message.relays[0].has_port);
  EXPECT_FALSE(message.relays[0].has_interface_id);
  EXPECT_EQ(message.relays[1].peer, V6("fe80::3"));
  EXPECT_EQ(Hex(message.relays[1].interface_id), "010203");
  EXPECT_EQ(Hex(message.relays[1].client_address), "0001020000000009");
  EXPECT_EQ(message.type, MessageType6::kSolicit);
  EXPECT_EQ(message.ias.size(), 1U);
}

TEST(Message6Test, RefusesMoreRelaysThanThereCanBe) {
  Message6 message;
  const std::vector<RelayHop> most(kRelaysMax6, RelayHop{});
  EXPECT_TRUE(Decode6(Request6(MessageType6::kSolicit, 1, most).Build(), message).has_value());
  // One more around it, by hand: the writer has no room for it.
  auto packet = Request6(MessageType6::kSolicit, 1, most).Build();
  auto outer = Request6(MessageType6::kNone, 0).Build();
  outer.assign(34, std::byte{0});
  outer[0] = std::byte{12};
  const std::size_t size = packet.size();
  for (const int byte : {0, 9, static_cast<int>(size >> 8), static_cast<int>(size & 0xFF)}) {
    outer.push_back(static_cast<std::byte>(byte));
  }
  outer.insert(outer.end(), packet.begin(), packet.end());
  const Result<void> decoded = Decode6(outer, message);
  ASSERT_FALSE(decoded.has_value());
  EXPECT_EQ(decoded.error().code, ErrorCode::kTooLarge);
}

TEST(Message6Test, RefusesWhatBreaksItsOwnLengths) {
  Message6 message;
  const auto packet = Request6(MessageType6::kSolicit, 1, {RelayHop{}})
                          .Client(Bytes({0, 3, 0, 1, 2, 0, 0, 0, 0, 5}))
                          .IaNa(1, {V6("2001:db8::7")})
                          .Build();
  ASSERT_TRUE(Decode6(packet, message).has_value());
  for (std::size_t size = 0; size < packet.size(); ++size) {
    EXPECT_FALSE(Decode6(std::span(packet).first(size), message).has_value()) << size;
  }
}

TEST(Message6Test, StrictLengthsSpoilTheMessageAndOthersAreAsIfNotSent) {
  Message6 message;
  const auto decode = [&](Option6 option, const std::vector<std::byte>& value) {
    return Decode6(Request6(MessageType6::kSolicit).Option(option, value).Build(), message)
        .has_value();
  };
  EXPECT_FALSE(decode(Option6::kClientId, Bytes({0, 3})));
  EXPECT_FALSE(decode(Option6::kServerId, std::vector<std::byte>(kDuidBytesMax + 1)));
  EXPECT_FALSE(decode(Option6::kIaNa, Bytes({0, 0, 0, 1})));
  EXPECT_TRUE(decode(Option6::kElapsedTime, Bytes({0, 0, 1})));
  EXPECT_FALSE(message.Has(Option6::kElapsedTime));
  EXPECT_TRUE(decode(Option6::kRapidCommit, Bytes({1})));
  EXPECT_FALSE(message.Has(Option6::kRapidCommit));
}

TEST(Message6Test, TwoIdentifiersOfOneSideSpoilTheMessage) {
  Message6 message;
  const auto id = Bytes({0, 3, 0, 1, 2, 0, 0, 0, 0, 5});
  EXPECT_FALSE(
      Decode6(Request6(MessageType6::kSolicit).Client(id).Client(id).Build(), message).has_value());
  // Of other options the first counts.
  const auto packet = Request6(MessageType6::kSolicit)
                          .Option(Option6::kElapsedTime, Bytes({0, 1}))
                          .Option(Option6::kElapsedTime, Bytes({0, 2}))
                          .Build();
  ASSERT_TRUE(Decode6(packet, message).has_value());
  EXPECT_EQ(Hex(message.Get(Option6::kElapsedTime)), "0001");
}

TEST(Message6Test, CountsTheAssociationsThatFindNoRoom) {
  Request6 request(MessageType6::kSolicit);
  for (std::uint32_t i = 0; i < kIasMax + 3; ++i) {
    request.IaNa(i, {V6("2001:db8::1"), V6("2001:db8::2"), V6("2001:db8::3"), V6("2001:db8::4"),
                     V6("2001:db8::5")});
  }
  Message6 message;
  ASSERT_TRUE(Decode6(request.Build(), message).has_value());
  EXPECT_EQ(message.ias.size(), kIasMax);
  EXPECT_EQ(message.ias_left_out, 3U);
  EXPECT_EQ(message.ias[0].addresses.size(), kAddressesPerIaMax);
}

TEST(Message6Test, LeavesOutAndCountsWhatDoesNotFit) {
  std::array<std::byte, 16> out{};
  Writer6 writer(out, out.size());
  writer.Header(MessageType6::kReply, 1);
  writer.U32(Option6::kInformationRefreshTime, 600);
  writer.U8(Option6::kPreference, 255);
  writer.Flag(Option6::kRapidCommit);
  EXPECT_EQ(writer.left_out(), 1U);  // the preference; the flag still fits
  const Result<std::size_t> size = writer.Finish();
  ASSERT_TRUE(size.has_value());
  EXPECT_EQ(*size, 16U);
  Message6 message;
  ASSERT_TRUE(Decode6(out, message).has_value());
  EXPECT_TRUE(message.Has(Option6::kRapidCommit));
}

}  // namespace
}  // namespace slipway::dhcp
