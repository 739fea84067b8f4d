#include "dataplane/dhcp/engine6.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "tests/support/dhcp6_lab.h"

namespace slipway::dhcp {
namespace {

using test::BootLab;
using test::Bytes;
using test::Dhcp6Lab;
using test::DuidEn;
using test::DuidLl;
using test::Mac;
using test::Request6;
using test::V6;

const MacAddress kMac = Mac("52:54:00:00:00:01");

class Engine6Test : public testing::Test {
 protected:
  std::string Text(Option6 option) {
    const Message6& message = lab_.Reply();
    return std::string(AsText(message.Get(option)));
  }

  static Request6 Solicit(const std::vector<std::byte>& duid = DuidLl(kMac)) {
    return Request6(MessageType6::kSolicit).Client(duid).IaNa();
  }

  static Request6 ToUs(MessageType6 type, const IpAddress& address,
                       const std::vector<std::byte>& duid = DuidLl(kMac)) {
    return Request6(type).Client(duid).Server(Dhcp6Lab::ServerId()).IaNa(1, {address.v6()});
  }

  static std::vector<RelayHop> OneRelay(Ipv6Address link = V6("2001:db8:88::1")) {
    return {{.hops = 0, .link = link, .peer = V6("fe80::c1:2")}};
  }

  void FromRelay() {
    lab_.context.source = V6("2001:db8:88::1");
    lab_.context.source_port = kServerPort6;
    lab_.context.destination = test::kRack6;
  }

  Dhcp6Lab lab_;
};

// ---- the four messages ----

TEST_F(Engine6Test, SolicitAdvertiseRequestReply) {
  ASSERT_EQ(lab_.Handle(Solicit().Build()), Reason6::kAdvertised);
  const Message6& offer = lab_.Reply();
  EXPECT_EQ(offer.type, MessageType6::kAdvertise);
  EXPECT_EQ(offer.xid, 0x12'3456U);
  EXPECT_TRUE(std::ranges::equal(offer.Get(Option6::kClientId), DuidLl(kMac)));
  EXPECT_TRUE(std::ranges::equal(offer.Get(Option6::kServerId), Dhcp6Lab::ServerId()));
  EXPECT_TRUE(std::ranges::equal(offer.Get(Option6::kPreference), Bytes({255})));
  ASSERT_EQ(offer.ias.size(), 1U);
  EXPECT_EQ(offer.ias[0].valid_seconds, 600U);
  EXPECT_GE(offer.ias[0].t1, 270U);
  EXPECT_LE(offer.ias[0].t1, 300U);
  EXPECT_EQ(offer.ias[0].t2, 480U);
  EXPECT_TRUE(lab_.effects.record.empty());  // an offer is no lease
  EXPECT_FALSE(lab_.effects.reply.wait_durable);
  const IpAddress address = lab_.ReplyAddress();
  EXPECT_TRUE(IpPrefix::Parse("2001:db8:77::/64")->Contains(address));

  ASSERT_EQ(lab_.Handle(ToUs(MessageType6::kRequest, address).Build()), Reason6::kReplied);
  EXPECT_EQ(lab_.Reply().type, MessageType6::kReply);
  EXPECT_EQ(lab_.ReplyAddress(), address);
  EXPECT_FALSE(lab_.Reply().Has(Option6::kPreference));
  EXPECT_TRUE(lab_.effects.reply.wait_durable);
  EXPECT_FALSE(lab_.effects.record.empty());
  EXPECT_EQ(lab_.effects.ticket.address, address);
  EXPECT_EQ(lab_.table.ByAddress(address)->state, lease::State::kBound);
}

TEST_F(Engine6Test, AnswersGoToTheClientFromTheLinkLocalAddress) {
  ASSERT_EQ(lab_.Handle(Solicit().Build()), Reason6::kAdvertised);
  EXPECT_EQ(lab_.effects.reply.address, lab_.context.source);
  EXPECT_EQ(lab_.effects.reply.port, kClientPort6);
  EXPECT_EQ(lab_.effects.reply.source, test::kRackLinkLocal);
}

TEST_F(Engine6Test, RenewalInsideTheHorizonIsAnsweredFromMemory) {
  const IpAddress address = lab_.Exchange(DuidLl(kMac));
  ASSERT_TRUE(address.is_set());
  lab_.Pass(Duration::Seconds(300));
  EXPECT_EQ(lab_.Renew(DuidLl(kMac), address), Reason6::kRepliedFromMemory);
  EXPECT_FALSE(lab_.effects.reply.wait_durable);
  lab_.Pass(Duration::Seconds(400));
  EXPECT_EQ(lab_.Renew(DuidLl(kMac), address), Reason6::kReplied);
  EXPECT_TRUE(lab_.effects.reply.wait_durable);
}

TEST_F(Engine6Test, RapidCommitBindsAtOnce) {
  ASSERT_EQ(lab_.Handle(Solicit().Option(Option6::kRapidCommit).Build()), Reason6::kRapidCommitted);
  EXPECT_EQ(lab_.Reply().type, MessageType6::kReply);
  EXPECT_TRUE(lab_.Reply().Has(Option6::kRapidCommit));
  EXPECT_TRUE(lab_.effects.reply.wait_durable);
  EXPECT_EQ(lab_.table.ByAddress(lab_.ReplyAddress())->state, lease::State::kBound);
}

TEST_F(Engine6Test, RebindIsAnsweredWithoutOurIdentifier) {
  const IpAddress address = lab_.Exchange(DuidLl(kMac));
  const auto rebind = [&](Ipv6Address wanted) {
    return lab_.HandleDurably(
        Request6(MessageType6::kRebind).Client(DuidLl(kMac)).IaNa(1, {wanted}).Build());
  };
  EXPECT_EQ(rebind(address.v6()), Reason6::kRepliedFromMemory);
  EXPECT_EQ(lab_.ReplyAddress(), address);
  // Another network's: its server may answer.
  EXPECT_EQ(rebind(V6("2001:db8:99::5")), Reason6::kUnknownLease);
  EXPECT_EQ(lab_.effects.reply.bytes, 0U);
  // Another link of ours: not here.
  EXPECT_EQ(rebind(V6("2001:db8:88::5")), Reason6::kTakenBack);
  EXPECT_EQ(lab_.Reply().ias[0].valid_seconds, 0U);
}

TEST_F(Engine6Test, RenewalOfALeaseThatGotLostIsTakenOnIfItIsFree) {
  EXPECT_EQ(lab_.Renew(DuidLl(kMac), V6("2001:db8:77::1:20")), Reason6::kReplied);
  EXPECT_EQ(lab_.ReplyAddress(), V6("2001:db8:77::1:20"));
  // Somebody else's is taken back.
  EXPECT_EQ(lab_.Renew(DuidLl(Mac("52:54:00:00:00:02")), V6("2001:db8:77::1:20")),
            Reason6::kTakenBack);
  EXPECT_EQ(lab_.Reply().ias[0].addresses[0], V6("2001:db8:77::1:20"));
  EXPECT_EQ(lab_.Reply().ias[0].valid_seconds, 0U);
}

TEST_F(Engine6Test, ConfirmTellsWhetherAddressesFitTheLink) {
  const auto confirm = [&](const std::vector<Ipv6Address>& addresses) {
    return lab_.Handle(
        Request6(MessageType6::kConfirm).Client(DuidLl(kMac)).IaNa(1, addresses).Build());
  };
  EXPECT_EQ(confirm({V6("2001:db8:77::5")}), Reason6::kConfirmed);
  EXPECT_EQ(lab_.Reply().status(), Status6::kSuccess);
  EXPECT_EQ(confirm({V6("2001:db8:77::5"), V6("2001:db8:88::5")}), Reason6::kNotOnLink);
  EXPECT_EQ(lab_.Reply().status(), Status6::kNotOnLink);
  EXPECT_EQ(confirm({}), Reason6::kMalformed);
  EXPECT_EQ(lab_.effects.reply.bytes, 0U);
}

TEST_F(Engine6Test, ReleaseEndsTheLeaseAndKeepsTheAddressForTheClient) {
  const IpAddress address = lab_.Exchange(DuidLl(kMac));
  EXPECT_EQ(lab_.HandleDurably(ToUs(MessageType6::kRelease, address).Build()), Reason6::kReleased);
  EXPECT_EQ(lab_.Reply().status(), Status6::kSuccess);
  EXPECT_TRUE(lab_.effects.reply.wait_durable);
  EXPECT_EQ(lab_.table.ByAddress(address)->state, lease::State::kReleased);
  EXPECT_EQ(lab_.Exchange(DuidLl(kMac)), address);
}

TEST_F(Engine6Test, ReleaseOfSomebodyElsesLeaseFindsNoBinding) {
  const IpAddress address = lab_.Exchange(DuidLl(kMac));
  const auto other = DuidLl(Mac("52:54:00:00:00:02"));
  EXPECT_EQ(lab_.Handle(ToUs(MessageType6::kRelease, address, other).Build()), Reason6::kNoBinding);
  EXPECT_EQ(lab_.Reply().status(), Status6::kSuccess);  // RFC 8415 18.3.7
  EXPECT_EQ(lab_.Reply().ias[0].status, Status6::kNoBinding);
  EXPECT_EQ(lab_.table.ByAddress(address)->state, lease::State::kBound);
}

TEST_F(Engine6Test, DeclineQuarantinesTheAddress) {
  const IpAddress address = lab_.Exchange(DuidLl(kMac));
  EXPECT_EQ(lab_.HandleDurably(ToUs(MessageType6::kDecline, address).Build()), Reason6::kDeclined);
  EXPECT_EQ(lab_.table.ByAddress(address)->state, lease::State::kDeclined);
  const IpAddress next = lab_.Exchange(DuidLl(kMac));
  EXPECT_TRUE(next.is_set());
  EXPECT_NE(next, address);
}

TEST_F(Engine6Test, InformationRequestGetsOptionsOnly) {
  const auto packet = Request6(MessageType6::kInformationRequest)
                          .Asks({Option6::kDnsServers, Option6::kDomainList, Option6::kSntpServers,
                                 Option6::kNtpServer, Option6::kInformationRefreshTime})
                          .Build();
  ASSERT_EQ(lab_.Handle(packet), Reason6::kInformed);
  const Message6& reply = lab_.Reply();
  EXPECT_TRUE(reply.ias.empty());
  EXPECT_FALSE(reply.Has(Option6::kClientId));
  const auto address = std::as_bytes(std::span(test::kRack6.octets));
  EXPECT_TRUE(std::ranges::equal(reply.Get(Option6::kDnsServers), address));
  EXPECT_TRUE(std::ranges::equal(reply.Get(Option6::kSntpServers), address));
  EXPECT_TRUE(std::ranges::equal(reply.Get(Option6::kNtpServer).subspan(4), address));
  EXPECT_EQ(Text(Option6::kDomainList), std::string("\4rack\4test\0", 11));
  EXPECT_TRUE(
      std::ranges::equal(reply.Get(Option6::kInformationRefreshTime), Bytes({0, 0, 2, 88})));
}

TEST_F(Engine6Test, OptionsThatAreNotAskedForStayAway) {
  ASSERT_EQ(lab_.Handle(Solicit().Asks({Option6::kDomainList}).Build()), Reason6::kAdvertised);
  EXPECT_TRUE(lab_.Reply().Has(Option6::kDomainList));
  EXPECT_FALSE(lab_.Reply().Has(Option6::kDnsServers));
  EXPECT_FALSE(lab_.Reply().Has(Option6::kBootFileUrl));
}

// ---- several associations ----

TEST_F(Engine6Test, OneAddressPerClientPrefixesNever) {
  const auto packet = Request6(MessageType6::kSolicit)
                          .Client(DuidLl(kMac))
                          .IaOf(Option6::kIaPd, 1)
                          .IaNa(2)
                          .IaNa(3)
                          .IaOf(Option6::kIaTa, 4)
                          .Build();
  ASSERT_EQ(lab_.Handle(packet), Reason6::kAdvertised);
  const Message6& reply = lab_.Reply();
  ASSERT_EQ(reply.ias.size(), 4U);
  EXPECT_EQ(reply.ias[0].status, Status6::kNoPrefixAvail);
  EXPECT_EQ(reply.ias[1].iaid, 2U);
  EXPECT_EQ(reply.ias[1].addresses.size(), 1U);
  EXPECT_EQ(reply.ias[2].status, Status6::kNoAddrsAvail);
  EXPECT_EQ(reply.ias[3].type, Option6::kIaTa);
  EXPECT_EQ(reply.ias[3].status, Status6::kNoAddrsAvail);
}

TEST_F(Engine6Test, AFullPoolSaysSo) {
  BootLab lab;
  Dhcp6Lab::AddNetworks(lab);
  lab.range6.last = V6("2001:db8:77::1:1");  // two addresses, none for the unknown
  lab_.Use(lab.Put(lab.range6).Finish());
  std::set<IpAddress> seen;
  Reason6 last = Reason6::kCount;
  for (std::uint8_t i = 0; i < 3; ++i) {
    last = lab_.Handle(Solicit(DuidEn(i)).Build());
    seen.insert(lab_.ReplyAddress());
  }
  EXPECT_EQ(last, Reason6::kNoAddress);
  EXPECT_EQ(lab_.Reply().type, MessageType6::kAdvertise);
  EXPECT_EQ(lab_.Reply().ias[0].status, Status6::kNoAddrsAvail);
}

TEST_F(Engine6Test, AnAddressOfAnotherLinkIsSaidToBeSo) {
  EXPECT_EQ(lab_.Handle(ToUs(MessageType6::kRequest, V6("2001:db8:88::5")).Build()),
            Reason6::kNotOnLink);
  EXPECT_EQ(lab_.Reply().ias[0].status, Status6::kNotOnLink);
}

TEST_F(Engine6Test, RequestOfATakenAddressGetsAnother) {
  const IpAddress address = lab_.Exchange(DuidLl(kMac));
  const auto other = DuidLl(Mac("52:54:00:00:00:02"));
  EXPECT_EQ(lab_.Handle(ToUs(MessageType6::kRequest, address, other).Build()), Reason6::kReplied);
  EXPECT_TRUE(lab_.ReplyAddress().is_set());
  EXPECT_NE(lab_.ReplyAddress(), address);
}

// ---- who is asking ----

TEST_F(Engine6Test, TheSameMachineKeepsItsAddressThroughBootStages) {
  // Firmware by its UUID, from an address with its MAC in it.
  lab_.context.source = test::LinkLocalOf(kMac);
  const auto firmware = Bytes({0, 4, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16});
  const IpAddress address = lab_.Exchange(firmware, 0xF1);
  ASSERT_TRUE(address.is_set());
  // The loader; the installer by another DUID and IAID; the OS from a random address.
  EXPECT_EQ(lab_.Exchange(DuidEn(1), 0xF2), address);
  EXPECT_EQ(lab_.Exchange(DuidLl(kMac), 0xF3), address);
  lab_.context.source = V6("fe80::1:2:3:4");
  EXPECT_EQ(lab_.Renew(DuidLl(kMac), address, 0xF3), Reason6::kRepliedFromMemory);
  const auto with_time = Bytes({0, 1, 0, 1, 9, 9, 9, 9, 0x52, 0x54, 0, 0, 0, 1});
  EXPECT_EQ(lab_.Exchange(with_time, 0xF4), address);
}

TEST_F(Engine6Test, WithoutAMacDuidAndIaidAreTheIdentity) {
  const IpAddress first = lab_.Exchange(DuidEn(1), 1);
  const IpAddress second = lab_.Exchange(DuidEn(1), 2);
  const IpAddress third = lab_.Exchange(DuidEn(2), 1);
  EXPECT_EQ((std::set{first, second, third}.size()), 3U);
  EXPECT_EQ(lab_.Exchange(DuidEn(1), 1), first);
  EXPECT_TRUE(lab_.table.ByAddress(first)->mac.is_zero());
}

// A DUID is a machine's: its MAC may be that of the other interface.
TEST_F(Engine6Test, TwoInterfacesUnderOneDuidGetTwoAddresses) {
  const IpAddress first = lab_.Exchange(DuidLl(kMac), 1);
  const IpAddress second = lab_.Exchange(DuidLl(kMac), 2);
  EXPECT_NE(first, second);
  EXPECT_EQ(lab_.Exchange(DuidLl(kMac), 2), second);
  EXPECT_EQ(lab_.Exchange(DuidLl(kMac), 1), first);
  EXPECT_EQ(lab_.Renew(DuidLl(kMac), second, 2), Reason6::kRepliedFromMemory);
}

TEST_F(Engine6Test, TheRelaysWordOnTheMacCountsMost) {
  FromRelay();
  auto relays = OneRelay();
  const auto mac = Bytes({0, 1, 0x52, 0x54, 0, 0, 0, 9});
  relays[0].client_address = mac;
  relays[0].peer = test::LinkLocalOf(kMac);
  ASSERT_EQ(lab_.Handle(Request6(MessageType6::kSolicit, 1, relays)
                            .Client(DuidLl(Mac("52:54:00:00:00:02")))
                            .IaNa()
                            .Build()),
            Reason6::kAdvertised);
  EXPECT_EQ(lab_.table.ByAddress(lab_.ReplyAddress())->mac, Mac("52:54:00:00:00:09"));
}

TEST_F(Engine6Test, AReservationIsGivenAndNobodyElseGetsIt) {
  BootLab lab;
  Dhcp6Lab::AddNetworks(lab);
  lab.AddMachine(5, "52:54:00:00:00:01", config::BootTarget::kLocal);
  config::InterfaceRecord interface;
  interface.id = 100'005;
  interface.machine = 5;
  interface.mac = kMac;
  interface.subnet6 = test::kSubnet6;
  interface.address6 = V6("2001:db8:77::abcd");
  lab_.Use(lab.Put(interface).Finish());
  const IpAddress reserved = V6("2001:db8:77::abcd");
  EXPECT_EQ(lab_.Exchange(DuidLl(kMac)), reserved);
  EXPECT_EQ(lab_.table.ByAddress(reserved)->machine, 5U);
  EXPECT_EQ(lab_.Handle(ToUs(MessageType6::kRequest, reserved, DuidEn(1)).Build()),
            Reason6::kReplied);
  EXPECT_NE(lab_.ReplyAddress(), reserved);
}

TEST_F(Engine6Test, AClientWithANewReservationIsMovedAtItsRenewal) {
  const IpAddress before = lab_.Exchange(DuidLl(kMac));
  BootLab lab;
  Dhcp6Lab::AddNetworks(lab);
  lab.AddMachine(5, "52:54:00:00:00:01", config::BootTarget::kLocal);
  config::InterfaceRecord interface;
  interface.id = 100'005;
  interface.machine = 5;
  interface.mac = kMac;
  interface.subnet6 = test::kSubnet6;
  interface.address6 = V6("2001:db8:77::abcd");
  lab_.Use(lab.Put(interface).Finish());
  EXPECT_EQ(lab_.Renew(DuidLl(kMac), before), Reason6::kTakenBack);
  EXPECT_FALSE(lab_.effects.record.empty());  // the release
  EXPECT_TRUE(lab_.effects.reply.wait_durable);
  EXPECT_EQ(lab_.Exchange(DuidLl(kMac)), V6("2001:db8:77::abcd"));
}

TEST_F(Engine6Test, HostNamesAreFilteredAndAnsweredWithTheDomain) {
  const auto fqdn = Bytes({1, 6, 'N', 'o', 'd', 'e', '-', '7', 3, 'l', 'a', 'n', 0});
  ASSERT_EQ(lab_.Handle(Solicit().Option(Option6::kClientFqdn, fqdn).Build()),
            Reason6::kAdvertised);
  // N and O: the client's wish for an update of ours is overridden.
  EXPECT_EQ(Text(Option6::kClientFqdn), std::string("\6\6node-7\4rack\4test\0", 19));
  const auto hostile = Bytes({0, 3, '$', '(', 'x', 0});
  ASSERT_EQ(lab_.Handle(Solicit().Option(Option6::kClientFqdn, hostile).Build()),
            Reason6::kAdvertised);
  EXPECT_FALSE(lab_.Reply().Has(Option6::kClientFqdn));
}

// ---- boot ----

TEST_F(Engine6Test, FirmwareGetsUrls) {
  const auto ask = [&](std::uint8_t architecture, std::string_view vendor) {
    Request6 request = Solicit();
    request.Architecture(architecture)
        .Class(Option6::kVendorClass, vendor)
        .Asks({Option6::kBootFileUrl, Option6::kDnsServers});
    return lab_.Handle(request.Build());
  };
  ASSERT_EQ(ask(7, "PXEClient:Arch:00007:UNDI:003000"), Reason6::kAdvertised);
  EXPECT_EQ(Text(Option6::kBootFileUrl), "tftp://[2001:db8:77::1]/loaders/snponly.efi");
  EXPECT_FALSE(lab_.Reply().Has(Option6::kVendorClass));  // EDK2 would ask another server
  EXPECT_EQ(lab_.Reply().ias[0].valid_seconds, 120U);
  ASSERT_EQ(ask(16, "HTTPClient:Arch:00016:UNDI:003001"), Reason6::kAdvertised);
  EXPECT_EQ(Text(Option6::kBootFileUrl), "http://[2001:db8:77::1]:5248/files/loaders/snponly.efi");
  EXPECT_EQ(Text(Option6::kVendorClass), std::string("\0\0\1\x57\0\12HTTPClient", 16));
  ASSERT_EQ(lab_.effects.steps.size(), 2U);
  EXPECT_EQ(lab_.effects.steps[0].kind, boot::StepKind::kDhcpDiscover);
  EXPECT_EQ(lab_.effects.steps[1].kind, boot::StepKind::kDhcpOffer);
}

TEST_F(Engine6Test, StepsOfAFloodAreFew) {
  std::size_t steps = 0;
  for (std::uint32_t i = 0; i < 20'000; ++i) {
    lab_.Handle(Request6(MessageType6::kSolicit, i)
                    .Client(DuidLl(kMac))
                    .IaNa()
                    .Architecture(7)
                    .Class(Option6::kVendorClass, "PXEClient:Arch:00007:UNDI:003000")
                    .Build());
    steps += lab_.effects.steps.size();
    lab_.Pass(Duration::Millis(10));
  }
  EXPECT_LE(steps, 24U);  // of two kinds, in 200 s
}

TEST_F(Engine6Test, SilenceIsAStepWithItsReason) {
  BootLab lab;
  lab.vlan.unknown_policy = config::UnknownPolicy::kIgnore;
  Dhcp6Lab::AddNetworks(lab);
  lab_.Use(lab.Finish());
  Request6 request = Solicit();
  request.Architecture(7).Class(Option6::kVendorClass, "PXEClient:Arch:00007:UNDI:003000");
  ASSERT_EQ(lab_.Handle(request.Build()), Reason6::kPolicyIgnore);
  ASSERT_EQ(lab_.effects.steps.size(), 2U);
  EXPECT_EQ(lab_.effects.steps[1].kind, boot::StepKind::kDhcpSilent);
  EXPECT_EQ(lab_.effects.steps[1].name.view(), "policy-ignore");
}

// ---- a VLAN's relays outside its subnets ----

TEST_F(Engine6Test, ARelayThatAVlanListsSpeaksForIt) {
  const Ipv6Address loopback = V6("2001:db8:ffff::1");
  RelayHop hop{.link = loopback, .peer = test::LinkLocalOf(kMac)};
  const auto packet =
      Request6(MessageType6::kSolicit, 1, {hop}).Client(DuidLl(kMac)).IaNa().Build();
  EXPECT_EQ(lab_.Handle(packet), Reason6::kUnservedLink);
  BootLab lab;
  (void)lab.vlan.relays.push_back(loopback);
  Dhcp6Lab::AddNetworks(lab);
  lab_.Use(lab.Finish());
  ASSERT_EQ(lab_.Handle(packet), Reason6::kAdvertised);
  EXPECT_TRUE(lab.subnet6.prefix.Contains(lab_.ReplyAddress()));
}

// ---- neighbours that have the address already ----

const MacAddress kSquatter{{0x52, 0x54, 0, 0, 0, 9}};

TEST_F(Engine6Test, AConflictQuarantinesTheOffer) {
  ASSERT_EQ(lab_.Handle(Solicit().Build()), Reason6::kAdvertised);
  const IpAddress offered = lab_.ReplyAddress();
  ASSERT_EQ(lab_.effects.probe, offered);
  const std::uint32_t ifindex = lab_.context.ifindex;
  Effects6 effects;
  EXPECT_FALSE(lab_.engine.OnNeighbour(offered, kMac, ifindex, lab_.now, effects));  // itself
  EXPECT_FALSE(lab_.engine.OnNeighbour(offered, kSquatter, ifindex + 1, lab_.now, effects));
  ASSERT_TRUE(lab_.engine.OnNeighbour(offered, kSquatter, ifindex, lab_.now, effects));
  EXPECT_FALSE(effects.record.empty());
  EXPECT_EQ(lab_.table.ByAddress(offered)->state, lease::State::kDeclined);
  EXPECT_EQ(lab_.engine.counters().conflicts.value(), 1U);
  ASSERT_EQ(lab_.Handle(Solicit().Build()), Reason6::kAdvertised);
  EXPECT_NE(lab_.ReplyAddress(), offered);
}

TEST_F(Engine6Test, NeighboursAreAskedOnlyAboutFirstOffersOnOurWire) {
  const IpAddress address = lab_.Exchange(DuidLl(kMac));
  ASSERT_EQ(lab_.Handle(Solicit().Build()), Reason6::kAdvertised);
  ASSERT_EQ(lab_.ReplyAddress(), address);
  EXPECT_FALSE(lab_.effects.probe.is_set());  // its own already
  Effects6 effects;
  EXPECT_FALSE(
      lab_.engine.OnNeighbour(address, kSquatter, lab_.context.ifindex, lab_.now, effects));
  EXPECT_EQ(lab_.table.ByAddress(address)->state, lease::State::kBound);
  const RelayHop hop{.link = V6("2001:db8:88::1"),
                     .peer = test::LinkLocalOf(MacAddress{{0x52, 0x54, 0, 0, 0, 7}})};
  ASSERT_EQ(lab_.Handle(Request6(MessageType6::kSolicit, 1, {hop})
                            .Client(DuidLl(MacAddress{{0x52, 0x54, 0, 0, 0, 7}}))
                            .IaNa()
                            .Build()),
            Reason6::kAdvertised);
  EXPECT_FALSE(lab_.effects.probe.is_set());  // behind a relay
}

TEST_F(Engine6Test, IpxeGetsItsScript) {
  Request6 request = Solicit();
  request.Class(Option6::kUserClass, "iPXE").Asks({Option6::kBootFileUrl});
  ASSERT_EQ(lab_.Handle(request.Build()), Reason6::kAdvertised);
  EXPECT_EQ(Text(Option6::kBootFileUrl), "http://[2001:db8:77::1]:5248/boot/ipxe");
}

// A slip of others: no loader for a client that asks for one but names no architecture.
TEST_F(Engine6Test, ABootClientWithoutAnArchitectureGetsTheDefault) {
  ASSERT_EQ(lab_.Handle(Solicit().Asks({Option6::kBootFileUrl}).Build()), Reason6::kAdvertised);
  EXPECT_EQ(Text(Option6::kBootFileUrl), "tftp://[2001:db8:77::1]/loaders/snponly.efi");
}

TEST_F(Engine6Test, WithoutAGlobalAddressTheRackGivesLeasesButNoBootFile) {
  lab_.context.local_addresses = std::span(lab_.local).first(1);
  Request6 request = Solicit();
  request.Architecture(7).Asks({Option6::kBootFileUrl});
  ASSERT_EQ(lab_.Handle(request.Build()), Reason6::kAdvertised);
  EXPECT_TRUE(lab_.ReplyAddress().is_set());
  EXPECT_FALSE(lab_.Reply().Has(Option6::kBootFileUrl));
}

TEST_F(Engine6Test, ALoopOfLoadersIsBroken) {
  std::uint32_t xid = 0;
  const auto boot = [&] {
    const IpAddress held = lab_.ReplyAddress();
    const auto packet = Request6(MessageType6::kRequest, ++xid)
                            .Client(DuidLl(kMac))
                            .Server(Dhcp6Lab::ServerId())
                            .IaNa(1, {held.v6()})
                            .Architecture(7)
                            .Asks({Option6::kBootFileUrl})
                            .Build();
    (void)lab_.HandleDurably(packet);
    return lab_.Reply().Has(Option6::kBootFileUrl);
  };
  ASSERT_EQ(lab_.Handle(Solicit().Build()), Reason6::kAdvertised);
  int with_file = 0;
  for (int i = 0; i < 10; ++i) {
    with_file += boot() ? 1 : 0;
  }
  EXPECT_EQ(with_file, 5);
  EXPECT_EQ(lab_.engine.counters().loops_found.value(), 1U);
}

// ---- relays ----

TEST_F(Engine6Test, ARelaysLinkAddressSelectsTheSubnet) {
  FromRelay();
  const auto id = Bytes({'e', 't', 'h', '7'});
  auto relays = OneRelay();
  relays[0].has_interface_id = true;
  relays[0].interface_id = id;
  ASSERT_EQ(
      lab_.Handle(Request6(MessageType6::kSolicit, 1, relays).Client(DuidLl(kMac)).IaNa().Build()),
      Reason6::kAdvertised);
  EXPECT_TRUE(IpPrefix::Parse("2001:db8:88::/64")->Contains(lab_.ReplyAddress()));
  const Message6& reply = lab_.Reply();
  ASSERT_EQ(reply.relays.size(), 1U);
  EXPECT_FALSE(reply.relays[0].forward);
  EXPECT_EQ(reply.relays[0].link, V6("2001:db8:88::1"));
  EXPECT_EQ(reply.relays[0].peer, V6("fe80::c1:2"));
  EXPECT_TRUE(std::ranges::equal(reply.relays[0].interface_id, id));
  // From the address that the relay used, to its port 547.
  EXPECT_EQ(lab_.effects.reply.address, V6("2001:db8:88::1"));
  EXPECT_EQ(lab_.effects.reply.port, kServerPort6);
  EXPECT_EQ(lab_.effects.reply.source, test::kRack6);
}

TEST_F(Engine6Test, ChainsOfEightRelaysFindTheirWayBack) {
  FromRelay();
  std::vector<RelayHop> relays;
  for (std::uint8_t i = 0; i < 8; ++i) {
    relays.push_back({.hops = static_cast<std::uint8_t>(7 - i),
                      .link = V6("2001:db8:99::1"),
                      .peer = V6("2001:db8:99::2")});
  }
  relays.back().link = V6("2001:db8:88::1");  // the innermost knows the client's link
  ASSERT_EQ(
      lab_.Handle(Request6(MessageType6::kSolicit, 1, relays).Client(DuidLl(kMac)).IaNa().Build()),
      Reason6::kAdvertised);
  const Message6& reply = lab_.Reply();
  ASSERT_EQ(reply.relays.size(), 8U);
  for (std::size_t i = 0; i < 8; ++i) {
    EXPECT_EQ(reply.relays[i].hops, relays[i].hops);
    EXPECT_EQ(reply.relays[i].link, relays[i].link);
  }
}

// RFC 6221: a relay inside the link says nothing of it; the next one does, or the interface.
TEST_F(Engine6Test, RelaysInsideALinkLeaveItToTheNextOne) {
  auto relays = OneRelay({});
  ASSERT_EQ(
      lab_.Handle(Request6(MessageType6::kSolicit, 1, relays).Client(DuidLl(kMac)).IaNa().Build()),
      Reason6::kAdvertised);
  EXPECT_TRUE(IpPrefix::Parse("2001:db8:77::/64")->Contains(lab_.ReplyAddress()));
  FromRelay();
  relays.insert(relays.begin(), OneRelay()[0]);
  ASSERT_EQ(lab_.Handle(Request6(MessageType6::kSolicit, 1, relays)
                            .Client(DuidLl(Mac("52:54:00:00:00:02")))
                            .IaNa()
                            .Build()),
            Reason6::kAdvertised);
  EXPECT_TRUE(IpPrefix::Parse("2001:db8:88::/64")->Contains(lab_.ReplyAddress()));
}

// RFC 8357: the port that the relay sent from, and the option as it came.
TEST_F(Engine6Test, RelaysMayUseAnotherPort) {
  FromRelay();
  lab_.context.source_port = 40'000;
  auto relays = OneRelay();
  relays[0].has_port = true;
  relays[0].port = 1234;
  ASSERT_EQ(
      lab_.Handle(Request6(MessageType6::kSolicit, 1, relays).Client(DuidLl(kMac)).IaNa().Build()),
      Reason6::kAdvertised);
  EXPECT_EQ(lab_.effects.reply.port, 40'000);
  EXPECT_TRUE(lab_.Reply().relays[0].has_port);
  EXPECT_EQ(lab_.Reply().relays[0].port, 1234);
}

TEST_F(Engine6Test, LinksThatAreNotServedGetSilence) {
  EXPECT_EQ(lab_.Handle(Request6(MessageType6::kSolicit, 1, OneRelay(V6("2001:db8:dead::1")))
                            .Client(DuidLl(kMac))
                            .IaNa()
                            .Build()),
            Reason6::kUnservedLink);
  lab_.context.vlan = nullptr;
  EXPECT_EQ(lab_.Handle(Solicit().Build()), Reason6::kUnservedLink);
  EXPECT_EQ(lab_.effects.reply.bytes, 0U);
}

// ---- what is not answered ----

TEST_F(Engine6Test, MessagesThatBreakTheirRulesAreDropped) {
  const auto duid = DuidLl(kMac);
  const auto server = Dhcp6Lab::ServerId();
  Duid other = server;
  other[5] = std::byte{0xEE};
  EXPECT_EQ(lab_.Handle(Request6(MessageType6::kSolicit).IaNa().Build()), Reason6::kNoClientId);
  EXPECT_EQ(lab_.Handle(Solicit().Server(server).Build()), Reason6::kServerIdWrong);
  EXPECT_EQ(lab_.Handle(Request6(MessageType6::kRequest).Client(duid).IaNa().Build()),
            Reason6::kServerIdWrong);
  EXPECT_EQ(lab_.Handle(Request6(MessageType6::kRequest).Client(duid).Server(other).IaNa().Build()),
            Reason6::kOtherServer);
  EXPECT_EQ(lab_.Handle(Request6(MessageType6::kInformationRequest).IaNa().Build()),
            Reason6::kMalformed);
  EXPECT_EQ(lab_.Handle(Request6(MessageType6::kAdvertise).Client(duid).Build()),
            Reason6::kNotRequest);
  EXPECT_EQ(lab_.Handle(Request6(MessageType6::kReconfigure).Client(duid).Build()),
            Reason6::kNotRequest);
  EXPECT_EQ(lab_.Handle(Bytes({1, 0})), Reason6::kTruncated);
  EXPECT_EQ(lab_.Handle(Bytes({1, 0, 0, 1, 0, 1, 0, 9})), Reason6::kMalformed);
  EXPECT_EQ(lab_.effects.reply.bytes, 0U);
}

// RFC 8415 16: what goes to all may not come to one; what may is sent back to the group.
TEST_F(Engine6Test, UnicastIsNotOffered) {
  const IpAddress address = lab_.Exchange(DuidLl(kMac));
  lab_.context.destination = test::kRack6;
  EXPECT_EQ(lab_.Handle(Solicit().Build()), Reason6::kNotByUnicast);
  EXPECT_EQ(lab_.effects.reply.bytes, 0U);
  EXPECT_EQ(lab_.Renew(DuidLl(kMac), address), Reason6::kUseMulticast);
  EXPECT_EQ(lab_.Reply().status(), Status6::kUseMulticast);
  EXPECT_TRUE(lab_.Reply().ias.empty());
}

TEST_F(Engine6Test, UnknownMachinesAreIgnoredWhereThePolicySaysSo) {
  BootLab lab;
  Dhcp6Lab::AddNetworks(lab);
  lab.vlan.unknown_policy = config::UnknownPolicy::kIgnore;
  lab_.Use(lab.Put(lab.vlan).Finish());
  EXPECT_EQ(lab_.Handle(Solicit().Build()), Reason6::kPolicyIgnore);
}

TEST_F(Engine6Test, VlansWithoutIpv6AreLeftToOthers) {
  lab_.Use(BootLab::Standard());
  EXPECT_EQ(lab_.Handle(Solicit().Build()), Reason6::kNoSubnet);
}

TEST_F(Engine6Test, RepliesFitTheirBufferOrAreNotSent) {
  const auto packet = Solicit().Build();
  for (std::size_t size = 0; size < 200; ++size) {
    lab_.engine.Handle(packet, lab_.context, *lab_.snapshot, lab_.now,
                       std::span(lab_.out).first(size), lab_.effects);
    ASSERT_LE(lab_.effects.reply.bytes, size);
    ASSERT_EQ(lab_.effects.reply.bytes == 0, lab_.effects.reason == Reason6::kReplyTooLarge);
  }
}

TEST_F(Engine6Test, EveryReasonHasAName) {
  std::set<std::string_view> names;
  for (std::uint8_t i = 0; i < static_cast<std::uint8_t>(Reason6::kCount); ++i) {
    names.insert(ToString(static_cast<Reason6>(i)));
  }
  EXPECT_EQ(names.size(), static_cast<std::size_t>(Reason6::kCount));
  EXPECT_FALSE(names.contains(""));
}

}  // namespace
}  // namespace slipway::dhcp
