// VLANs whose addresses are another server's: ProxyDHCP on ports 67 and 4011 (PXE 2.1), or silence.
#include <gtest/gtest.h>

#include "dataplane/dhcp/engine.h"
#include "tests/support/dhcp_lab.h"

namespace slipway::dhcp {
namespace {

using test::BootLab;
using test::DhcpLab;
using test::kRack;
using test::Request;
using test::V4;

const MacAddress kMac{{0x52, 0x54, 0, 0, 0, 1}};
const Ipv4Address kForeign = V4("10.77.0.200");

config::SnapshotRef WithMode(config::DhcpMode mode) {
  BootLab lab;
  lab.vlan.dhcp = mode;
  return lab.AddNetwork().AddImages().Finish();
}

class Pxe : public Request {
 public:
  explicit Pxe(MessageType type, std::uint32_t xid = 1) : Request(type, kMac, xid) {
    Text(Option::kVendorClass, "PXEClient:Arch:00007:UNDI:003016");
    Bytes(Option::kClientArchitecture, {0, 7});
    Bytes(Option::kClientUuid, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16});
  }
};

void ToBootServer(DhcpLab& lab, Ipv4Address source) {
  lab.context.boot_server_port = true;
  lab.context.source = source;
  lab.context.source_port = 4011;
  lab.context.destination = kRack;
}

TEST(ProxyTest, OffersBootDataWithoutAnAddress) {
  DhcpLab lab(WithMode(config::DhcpMode::kProxy));
  ASSERT_EQ(lab.Handle(Pxe(MessageType::kDiscover).Build()), Reason::kProxyOffered);
  const Message& reply = lab.Reply();
  EXPECT_EQ(reply.type, MessageType::kOffer);
  EXPECT_TRUE(reply.yiaddr.is_any());
  EXPECT_EQ(reply.siaddr, kRack);
  EXPECT_EQ(AsText(reply.file), "loaders/snponly.efi");
  EXPECT_EQ(AsText(reply.Get(Option::kVendorClass)), "PXEClient");
  EXPECT_EQ(reply.GetAddress(Option::kServerIdentifier), kRack);
  EXPECT_EQ(reply.Get(Option::kClientUuid).size(), 17U);
  for (const Option option : {Option::kLeaseTime, Option::kSubnetMask, Option::kRouter,
                              Option::kDomainNameServer, Option::kRenewalTime}) {
    EXPECT_FALSE(reply.Has(option));
  }
  EXPECT_EQ(lab.effects.reply.delivery, Delivery::kFrame);
  EXPECT_EQ(lab.effects.reply.mac, kBroadcastMac);
  EXPECT_EQ(lab.table.size(), 0U);
}

TEST(ProxyTest, IpxeKnowsTheOfferByItsVendorClass) {
  DhcpLab lab(WithMode(config::DhcpMode::kProxy));
  const auto packet = Pxe(MessageType::kDiscover).Text(Option::kUserClass, "iPXE").Build();
  ASSERT_EQ(lab.Handle(packet), Reason::kProxyOffered);
  EXPECT_EQ(AsText(lab.Reply().file), "http://10.77.0.1:5248/boot/ipxe");
  EXPECT_EQ(AsText(lab.Reply().Get(Option::kVendorClass)), "PXEClient");
  DhcpLab own;
  ASSERT_EQ(own.Handle(packet), Reason::kOffered);
  EXPECT_FALSE(own.Reply().Has(Option::kVendorClass));
}

TEST(ProxyTest, LeavesAllElseToTheMainServer) {
  DhcpLab lab(WithMode(config::DhcpMode::kProxy));
  EXPECT_EQ(lab.Handle(Request(MessageType::kDiscover, kMac).Build()), Reason::kNoBootData);
  const auto request = Pxe(MessageType::kRequest)
                           .Address(Option::kRequestedAddress, kForeign)
                           .Address(Option::kServerIdentifier, V4("10.77.0.2"))
                           .Build();
  EXPECT_EQ(lab.Handle(request), Reason::kOtherServer);
  EXPECT_EQ(lab.effects.reply.delivery, Delivery::kNone);
  // ... but from now on the address is known to be this machine's.
  EXPECT_EQ(lab.effects.peer.address, kForeign);
  EXPECT_EQ(lab.effects.peer.mac, kMac);
  for (const MessageType type :
       {MessageType::kInform, MessageType::kDecline, MessageType::kRelease, MessageType::kNone}) {
    EXPECT_EQ(lab.Handle(Pxe(type).Ciaddr(kForeign).Build()), Reason::kOtherServer);
  }
  EXPECT_EQ(lab.table.size(), 0U);
}

TEST(ProxyTest, AcksOnItsOwnPortToWhereItCameFrom) {
  DhcpLab lab(WithMode(config::DhcpMode::kProxy));
  ToBootServer(lab, kForeign);
  for (const MessageType type : {MessageType::kRequest, MessageType::kInform}) {
    ASSERT_EQ(lab.Handle(Pxe(type).Ciaddr(kForeign).Build()), Reason::kProxyAcked);
    const Message& reply = lab.Reply();
    EXPECT_EQ(reply.type, MessageType::kAck);
    EXPECT_TRUE(reply.yiaddr.is_any());
    EXPECT_EQ(reply.ciaddr, kForeign);
    EXPECT_FALSE(reply.Has(Option::kLeaseTime));
    EXPECT_EQ(lab.effects.reply.delivery, Delivery::kUdp);
    EXPECT_EQ(lab.effects.reply.address, kForeign);
    EXPECT_EQ(lab.effects.reply.port, 4011);
    EXPECT_EQ(lab.effects.reply.source, kRack);
    EXPECT_FALSE(lab.effects.reply.wait_durable);
    EXPECT_TRUE(lab.effects.record.empty());
  }
  EXPECT_EQ(lab.Handle(Pxe(MessageType::kDiscover).Build()), Reason::kOtherServer);
  EXPECT_EQ(lab.table.size(), 0U);
}

TEST(ProxyTest, NobodyClaimsAnAddressOfAnotherVlan) {
  BootLab boot;
  boot.vlan.dhcp = config::DhcpMode::kProxy;
  DhcpLab lab(boot.AddNetwork().AddRelayedNetwork().AddImages().Finish());
  const auto request =
      Pxe(MessageType::kRequest).Address(Option::kRequestedAddress, V4("10.88.0.100")).Build();
  EXPECT_EQ(lab.Handle(request), Reason::kOtherServer);
  EXPECT_TRUE(lab.effects.peer.address.is_any());
}

TEST(ProxyTest, TheBootServerPortServesOurOwnVlansToo) {
  DhcpLab lab;
  const Ipv4Address address = lab.Dora(kMac);
  ToBootServer(lab, address);
  EXPECT_EQ(lab.Handle(Pxe(MessageType::kRequest).Ciaddr(address).Build()), Reason::kProxyAcked);
  EXPECT_TRUE(lab.effects.peer.address.is_any());
  EXPECT_EQ(AsText(lab.Reply().file), "loaders/snponly.efi");
}

TEST(ProxyTest, BreaksLoopsToo) {
  DhcpLab lab(WithMode(config::DhcpMode::kProxy));
  for (std::uint32_t xid = 1; xid <= 5; ++xid) {
    EXPECT_EQ(lab.Handle(Pxe(MessageType::kDiscover, xid).Build()), Reason::kProxyOffered) << xid;
  }
  EXPECT_EQ(lab.Handle(Pxe(MessageType::kDiscover, 6).Build()), Reason::kNoBootData);
  EXPECT_EQ(lab.engine.counters().loops_found.value(), 1U);
}

TEST(ProxyTest, UnknownMachinesFollowThePolicy) {
  BootLab boot;
  boot.vlan.dhcp = config::DhcpMode::kProxy;
  boot.vlan.unknown_policy = config::UnknownPolicy::kIgnore;
  DhcpLab lab(boot.AddNetwork().AddImages().Finish());
  EXPECT_EQ(lab.Handle(Pxe(MessageType::kDiscover).Build()), Reason::kPolicyIgnore);
}

TEST(ProxyTest, OffIsSilence) {
  DhcpLab lab(WithMode(config::DhcpMode::kOff));
  for (const MessageType type :
       {MessageType::kDiscover, MessageType::kRequest, MessageType::kInform, MessageType::kNone}) {
    EXPECT_EQ(lab.Handle(Pxe(type).Ciaddr(kForeign).Build()), Reason::kDhcpOff);
    EXPECT_EQ(lab.effects.reply.delivery, Delivery::kNone);
  }
}

// Its server is expected there and no cause for alarm.
TEST(ProxyTest, KnowsTheMainServer) {
  DhcpLab lab(WithMode(config::DhcpMode::kProxy));
  auto offer = Pxe(MessageType::kOffer).Build();
  offer[0] = std::byte{2};
  EXPECT_EQ(lab.Handle(offer), Reason::kMainServer);
  DhcpLab own;
  EXPECT_EQ(own.Handle(offer), Reason::kForeignServer);
}

}  // namespace
}  // namespace slipway::dhcp
