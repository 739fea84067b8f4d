// What relays say of themselves and of their clients (RFC 3046, 3527, 5107, 8357).
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "dataplane/dhcp/engine.h"
#include "tests/support/dhcp_lab.h"

namespace slipway::dhcp {
namespace {

using test::BootLab;
using test::DhcpLab;
using test::kRack;
using test::kRelay;
using test::Request;
using test::V4;

const MacAddress kMac{{0x52, 0x54, 0, 0, 0, 1}};
constexpr Ipv4Address kLoopback{0xC0A8'FF01};  // an anycast gateway's, in no subnet

// A relay's datagram to the rack's own address, or to a virtual one of it.
void FromRelay(DhcpLab& lab, Ipv4Address relay, Ipv4Address destination = kRack) {
  lab.context.source = relay;
  lab.context.source_port = kServerPort;
  lab.context.destination = destination;
}

Request Discover() { return Request(MessageType::kDiscover, kMac); }

TEST(RelayTest, OneDiscoverThroughTwoRelaysGivesOneAddressAndTwoReplies) {
  DhcpLab lab;
  std::array<Ipv4Address, 2> addresses;
  const std::array<Ipv4Address, 2> relays{kRelay, V4("10.88.0.2")};
  for (std::size_t i = 0; i < relays.size(); ++i) {
    FromRelay(lab, relays[i]);
    ASSERT_EQ(lab.Handle(Discover().Giaddr(relays[i]).Build()), Reason::kOffered);
    addresses[i] = lab.Reply().yiaddr;
    EXPECT_EQ(lab.effects.reply.address, relays[i]);
    EXPECT_EQ(lab.Reply().giaddr, relays[i]);
  }
  EXPECT_EQ(addresses[0], addresses[1]);
  for (const Ipv4Address relay : relays) {
    FromRelay(lab, relay);
    const auto request = Request(MessageType::kRequest, kMac)
                             .Giaddr(relay)
                             .Address(Option::kRequestedAddress, addresses[0])
                             .Address(Option::kServerIdentifier, kRack)
                             .Build();
    const Reason reason = lab.HandleDurably(request);
    EXPECT_TRUE(reason == Reason::kAcked || reason == Reason::kAckedFromMemory);
    EXPECT_EQ(lab.effects.reply.address, relay);
  }
  EXPECT_EQ(lab.table.CountsOf(test::kRelaySubnet).bound, 1U);
}

TEST(RelayTest, EchoesOption82ByteForByte) {
  DhcpLab lab;
  FromRelay(lab, kRelay);
  // Circuit and remote id, an unknown sub-option, virtual subnet selection (151, 152), and one
  // with a length that lies.
  const std::vector<std::uint8_t> sent = {1, 2, 7, 8,   2, 1, 9,   200, 3, 1,  2,
                                          3, 9, 0, 151, 2, 0, 'v', 152, 0, 77, 90};
  ASSERT_EQ(
      lab.Handle(Discover().Giaddr(kRelay).Bytes(Option::kRelayAgentInformation, sent).Build()),
      Reason::kOffered);
  const ByteSpan echoed = lab.Reply().Get(Option::kRelayAgentInformation);
  EXPECT_TRUE(std::ranges::equal(echoed, std::as_bytes(std::span(sent))));
  // Last, before the end option.
  const ByteSpan reply = lab.ReplyBytes();
  const auto end = std::ranges::search(reply, echoed).begin() + std::ssize(echoed);
  EXPECT_EQ(*end, std::byte{255});
}

// RFC 3396: more than 255 bytes come and go in pieces.
TEST(RelayTest, EchoesALongOption82InPieces) {
  DhcpLab lab;
  FromRelay(lab, kRelay);
  std::vector<std::uint8_t> sent = {1, 200};
  sent.resize(202);
  std::iota(sent.begin() + 2, sent.end(), std::uint8_t{0});
  sent.insert(sent.end(), {2, 100});
  sent.resize(304, 0xAB);
  const auto packet = Discover()
                          .Giaddr(kRelay)
                          .Bytes(Option::kMaxMessageSize, {0x05, 0xDC})
                          .Bytes(Option::kRelayAgentInformation, sent)
                          .Build();
  ASSERT_EQ(lab.Handle(packet), Reason::kOffered);
  EXPECT_TRUE(std::ranges::equal(lab.Reply().Get(Option::kRelayAgentInformation),
                                 std::as_bytes(std::span(sent))));
}

TEST(RelayTest, AnswersAPortOfTheRelaysOwn) {
  DhcpLab lab;
  FromRelay(lab, kRelay);
  lab.context.source_port = 49'152;
  const auto with =
      Discover().Giaddr(kRelay).Bytes(Option::kRelayAgentInformation, {1, 1, 5, 19, 0}).Build();
  ASSERT_EQ(lab.Handle(with), Reason::kOffered);
  EXPECT_EQ(lab.effects.reply.port, 49'152);
  const auto without =
      Discover().Giaddr(kRelay).Bytes(Option::kRelayAgentInformation, {1, 1, 19}).Build();
  ASSERT_EQ(lab.Handle(without), Reason::kOffered);
  EXPECT_EQ(lab.effects.reply.port, kServerPort);
}

TEST(RelayTest, AnswersFromTheVirtualAddressThatTheRelayUsed) {
  DhcpLab lab;
  const Ipv4Address virtual_address = V4("10.99.0.53");
  FromRelay(lab, kRelay, virtual_address);
  lab.context.vlan = nullptr;  // on an interface that serves nobody
  lab.context.local_addresses = {};
  ASSERT_EQ(lab.Handle(Discover().Giaddr(kRelay).Build()), Reason::kOffered);
  EXPECT_EQ(lab.effects.reply.source, virtual_address);
  EXPECT_EQ(lab.Reply().GetAddress(Option::kServerIdentifier), virtual_address);
}

TEST(RelayTest, ADirectedBroadcastIsNoAddressOfOurs) {
  DhcpLab lab;
  FromRelay(lab, kRelay, V4("10.77.0.255"));
  ASSERT_EQ(lab.Handle(Discover().Giaddr(kRelay).Build()), Reason::kOffered);
  EXPECT_EQ(lab.effects.reply.source, kRack);
}

// RFC 5107: the relay is our identifier; datagrams and URLs still name us.
TEST(RelayTest, ServerOverrideIsAnIdentifierAndNoSource) {
  DhcpLab lab;
  FromRelay(lab, kLoopback);
  const std::vector<std::uint8_t> agent = {5, 4, 10, 88, 0, 0, 11, 4, 10, 88, 0, 1};
  const auto packet = Discover()
                          .Giaddr(kLoopback)
                          .Text(Option::kUserClass, "iPXE")
                          .Bytes(Option::kRelayAgentInformation, agent)
                          .Build();
  ASSERT_EQ(lab.Handle(packet), Reason::kOffered);
  EXPECT_EQ(lab.effects.reply.source, kRack);
  EXPECT_EQ(lab.effects.reply.address, kLoopback);
  EXPECT_EQ(lab.Reply().GetAddress(Option::kServerIdentifier), kRelay);
  EXPECT_EQ(AsText(lab.Reply().file), "http://10.77.0.1:5248/boot/ipxe");
  const Ipv4Address address = lab.Reply().yiaddr;
  const auto request = Request(MessageType::kRequest, kMac)
                           .Giaddr(kLoopback)
                           .Address(Option::kRequestedAddress, address)
                           .Address(Option::kServerIdentifier, kRelay)
                           .Bytes(Option::kRelayAgentInformation, agent)
                           .Build();
  EXPECT_EQ(lab.HandleDurably(request), Reason::kAcked);
  // Later it renews through the relay, which says the same again.
  const auto renewal = Request(MessageType::kRequest, kMac)
                           .Ciaddr(address)
                           .Giaddr(kLoopback)
                           .Bytes(Option::kRelayAgentInformation, agent)
                           .Build();
  EXPECT_EQ(lab.HandleDurably(renewal), Reason::kAckedFromMemory);
  EXPECT_EQ(lab.effects.reply.address, kLoopback);
}

// The relay of an anycast gateway that does not say the link: its VLAN lists it.
TEST(RelayTest, AListedRelayTellsTheVlan) {
  DhcpLab lab;
  FromRelay(lab, kLoopback);
  const auto packet = Discover().Giaddr(kLoopback).Build();
  EXPECT_EQ(lab.Handle(packet), Reason::kUnservedLink);
  BootLab boot;
  boot.AddNetwork().AddRelayedNetwork().AddImages();
  config::VlanRecord far = boot.vlan;
  far.id = test::kRelayVlan;
  (void)far.relays.push_back(IpAddress(kLoopback));
  lab.Use(boot.Put(far).Finish());
  ASSERT_EQ(lab.Handle(packet), Reason::kOffered);
  EXPECT_EQ(lab.Reply().yiaddr.value >> 8, V4("10.88.0.0").value >> 8);
  EXPECT_EQ(lab.effects.reply.address, kLoopback);
  // A link that it names and that is not served stays so.
  const auto elsewhere = Discover()
                             .Giaddr(kLoopback)
                             .Bytes(Option::kRelayAgentInformation, {5, 4, 10, 99, 0, 0})
                             .Build();
  EXPECT_EQ(lab.Handle(elsewhere), Reason::kUnservedLink);
}

TEST(RelayTest, RenewalsThatBypassTheRelayAreAnsweredDirectly) {
  DhcpLab lab;
  FromRelay(lab, kRelay);
  ASSERT_EQ(lab.Handle(Discover().Giaddr(kRelay).Build()), Reason::kOffered);
  const Ipv4Address address = lab.Reply().yiaddr;
  const auto request = Request(MessageType::kRequest, kMac)
                           .Giaddr(kRelay)
                           .Address(Option::kRequestedAddress, address)
                           .Address(Option::kServerIdentifier, kRack)
                           .Build();
  ASSERT_EQ(lab.HandleDurably(request), Reason::kAcked);
  ASSERT_EQ(lab.Renew(kMac, address), Reason::kAckedFromMemory);
  EXPECT_EQ(lab.effects.reply.delivery, Delivery::kUdp);
  EXPECT_EQ(lab.effects.reply.address, address);
  EXPECT_EQ(lab.effects.reply.port, kClientPort);
  EXPECT_EQ(lab.effects.reply.source, kRack);
}

// RFC 3046 2.2 is the same without a giaddr: a switch that snoops adds the option too.
TEST(RelayTest, EchoesOption82OfASwitch) {
  DhcpLab lab;
  ASSERT_EQ(lab.Handle(Discover().Bytes(Option::kRelayAgentInformation, {1, 1, 5}).Build()),
            Reason::kOffered);
  EXPECT_EQ(lab.effects.reply.delivery, Delivery::kFrame);
  EXPECT_EQ(lab.Reply().Get(Option::kRelayAgentInformation).size(), 3U);
}

// Several subnets on one segment: a full one gives way to the next.
TEST(RelayTest, AFullSubnetGivesWayToTheNextOfTheSegment) {
  BootLab boot;
  boot.AddNetwork().AddImages();
  boot.range.last = boot.range.first;
  config::SubnetRecord second = boot.subnet;
  second.id = 30;
  second.prefix = *IpPrefix::Parse("10.78.0.0/24");
  second.gateway = V4("10.78.0.1");
  config::RangeRecord pool = boot.range;
  pool.id = 300;
  pool.subnet = 30;
  pool.first = V4("10.78.0.100");
  pool.last = V4("10.78.0.199");
  DhcpLab lab(boot.Put(boot.range).Put(second).Put(pool).Finish());
  const Ipv4Address first = lab.Dora(kMac);
  const Ipv4Address other = lab.Dora(MacAddress{{0x52, 0x54, 0, 0, 0, 2}});
  EXPECT_NE(first, other);
  EXPECT_EQ(other.value >> 8, V4("10.78.0.0").value >> 8);
  EXPECT_EQ(lab.Reply().GetAddress(Option::kRouter), V4("10.78.0.1"));
}

}  // namespace
}  // namespace slipway::dhcp
