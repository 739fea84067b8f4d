#include "dataplane/dhcp/engine.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "dataplane/lease/record.h"
#include "tests/support/dhcp_lab.h"

namespace slipway::dhcp {
namespace {

using test::BootLab;
using test::DhcpLab;
using test::kPoolFirst;
using test::kPoolLast;
using test::kRack;
using test::Request;
using test::V4;

const MacAddress kMac{{0x52, 0x54, 0, 0, 0, 1}};
const MacAddress kOther{{0x52, 0x54, 0, 0, 0, 2}};
constexpr std::string_view kMacText = "52:54:00:00:00:01";

std::vector<std::byte> Capture(const std::string& name) {
  return test::ReadHex(SLIPWAY_SOURCE_DIR "/tests/vectors/dhcp/" + name + ".hex");
}

std::vector<std::byte> Selecting(MacAddress mac, Ipv4Address address, Ipv4Address server = kRack) {
  return Request(MessageType::kRequest, mac)
      .Address(Option::kRequestedAddress, address)
      .Address(Option::kServerIdentifier, server)
      .Build();
}

config::SnapshotRef WithPolicy(config::UnknownPolicy policy) {
  BootLab lab;
  lab.vlan.unknown_policy = policy;
  return lab.AddNetwork().AddImages().Finish();
}

// ---- firmware ----

TEST(EngineTest, AnswersTheDiscoverOfIpxe) {
  DhcpLab lab;
  ASSERT_EQ(lab.Handle(Capture("ipxe-bios-discover")), Reason::kOffered);
  const Message& reply = lab.Reply();
  EXPECT_EQ(reply.op, kBootReply);
  EXPECT_EQ(reply.type, MessageType::kOffer);
  EXPECT_EQ(reply.xid, 0xFD03'2B24U);
  EXPECT_GE(reply.yiaddr, kPoolFirst);
  EXPECT_LE(reply.yiaddr, kPoolLast);
  EXPECT_EQ(reply.siaddr, kRack);
  EXPECT_EQ(reply.GetAddress(Option::kServerIdentifier), kRack);
  EXPECT_EQ(reply.GetNumber(Option::kLeaseTime), 120U);
  EXPECT_EQ(AsText(reply.file), "http://10.77.0.1:5248/boot/ipxe");
  const ByteSpan no_proxy = FindSubOption(reply.Get(Option::kIpxe), 176);
  ASSERT_EQ(no_proxy.size(), 1U);
  EXPECT_EQ(no_proxy[0], std::byte{1});
  EXPECT_EQ(lab.effects.reply.delivery, Delivery::kFrame);
  EXPECT_EQ(lab.effects.reply.mac, test::Mac("52:54:00:e2:01:01"));
  EXPECT_EQ(lab.effects.reply.address, reply.yiaddr);
  EXPECT_FALSE(lab.effects.reply.wait_durable);
  EXPECT_TRUE(lab.effects.record.empty());
  EXPECT_GE(lab.effects.reply.bytes, 300U);
}

TEST(EngineTest, GivesOneAddressFromFirmwareToOs) {
  DhcpLab lab;
  ASSERT_EQ(lab.Handle(Capture("uefi-pxe-discover")), Reason::kOffered);
  EXPECT_EQ(AsText(lab.Reply().file), "loaders/snponly.efi");
  EXPECT_EQ(AsText(lab.Reply().Get(Option::kVendorClass)), "PXEClient");
  EXPECT_EQ(FindSubOption(lab.Reply().Get(Option::kVendorSpecific), 6).size(), 1U);
  EXPECT_EQ(lab.effects.reply.mac, kBroadcastMac);  // asked for by OVMF
  const Ipv4Address address = lab.Reply().yiaddr;
  const MacAddress mac = test::Mac("52:54:00:e2:03:01");
  ASSERT_EQ(lab.HandleDurably(Selecting(mac, address)), Reason::kAcked);
  ASSERT_EQ(lab.Handle(Capture("ipxe-efi-discover")), Reason::kOffered);
  EXPECT_EQ(lab.Reply().yiaddr, address);
  EXPECT_EQ(AsText(lab.Reply().file), "http://10.77.0.1:5248/boot/ipxe");
  ASSERT_EQ(lab.Handle(Request(MessageType::kDiscover, mac).Build()), Reason::kOffered);
  EXPECT_EQ(lab.Reply().yiaddr, address);
  EXPECT_EQ(lab.Reply().GetNumber(Option::kLeaseTime), 600U);
  EXPECT_TRUE(lab.Reply().file.empty());
}

TEST(EngineTest, EchoesHttpClientWithAUrl) {
  DhcpLab lab;
  ASSERT_EQ(lab.Handle(Capture("uefi-http-discover")), Reason::kOffered);
  EXPECT_EQ(AsText(lab.Reply().Get(Option::kVendorClass)), "HTTPClient");
  constexpr std::string_view kUrl = "http://10.77.0.1:5248/files/loaders/snponly.efi";
  EXPECT_EQ(AsText(lab.Reply().file), kUrl);
  EXPECT_EQ(AsText(lab.Reply().Get(Option::kBootFileName)), std::string(kUrl) + '\0');
}

TEST(EngineTest, GivesPlainClientsNoBootOptions) {
  DhcpLab lab;
  ASSERT_EQ(lab.Handle(Capture("udhcp-discover")), Reason::kOffered);
  const Message& reply = lab.Reply();
  EXPECT_TRUE(reply.file.empty());
  EXPECT_TRUE(reply.siaddr.is_any());
  for (const Option option : {Option::kVendorClass, Option::kVendorSpecific, Option::kBootFileName,
                              Option::kTftpServerName, Option::kIpxe}) {
    EXPECT_FALSE(reply.Has(option));
  }
  EXPECT_TRUE(lab.effects.steps.empty());
}

TEST(EngineTest, ChainsAnIpxeThatLacksHttp) {
  DhcpLab lab;
  const auto packet = Request(MessageType::kDiscover, kMac)
                          .Text(Option::kUserClass, "iPXE")
                          .Text(Option::kVendorClass, "PXEClient:Arch:00000:UNDI:002001")
                          .Bytes(Option::kClientArchitecture, {0, 0})
                          .Bytes(Option::kIpxe, {24, 1, 1})
                          .Build();
  ASSERT_EQ(lab.Handle(packet), Reason::kOffered);
  EXPECT_EQ(AsText(lab.Reply().file), "loaders/undionly.kpxe");
}

TEST(EngineTest, TracesTheStepsOfABoot) {
  DhcpLab lab;
  lab.Handle(Capture("uefi-pxe-discover"));
  ASSERT_EQ(lab.effects.steps.size(), 2U);
  const boot::BootStep& asked = lab.effects.steps[0];
  EXPECT_EQ(asked.kind, boot::StepKind::kDhcpDiscover);
  EXPECT_EQ(asked.name.view(), "PXE x64 UEFI");
  EXPECT_EQ(asked.bytes, Capture("uefi-pxe-discover").size());
  const boot::BootStep& step = lab.effects.steps[1];
  EXPECT_EQ(step.kind, boot::StepKind::kDhcpOffer);
  EXPECT_EQ(step.name.view(), "loaders/snponly.efi");
  EXPECT_EQ(step.mac, test::Mac("52:54:00:e2:03:01"));
  EXPECT_EQ(step.address.v4(), lab.Reply().yiaddr);
  EXPECT_TRUE(step.ok);
}

TEST(EngineTest, SilenceTowardsAMachineThatBootsIsAStepWithItsReason) {
  test::BootLab ignoring;
  ignoring.vlan.unknown_policy = config::UnknownPolicy::kIgnore;
  DhcpLab lab(ignoring.AddNetwork().AddImages().Finish());
  lab.Handle(Capture("uefi-pxe-discover"));
  ASSERT_EQ(lab.effects.steps.size(), 2U);
  EXPECT_EQ(lab.effects.steps[0].kind, boot::StepKind::kDhcpDiscover);
  EXPECT_EQ(lab.effects.steps[1].kind, boot::StepKind::kDhcpSilent);
  EXPECT_EQ(lab.effects.steps[1].name.view(), "policy-ignore");
  EXPECT_FALSE(lab.effects.steps[1].ok);
  // The firmware asks again with the same xid: how long it has asked is told.
  lab.Pass(Duration::Seconds(4));
  lab.Handle(Capture("uefi-pxe-discover"));
  ASSERT_EQ(lab.effects.steps.size(), 2U);
  EXPECT_EQ(lab.effects.steps[1].duration, Duration::Seconds(4));
  lab.Handle(Capture("udhcp-discover"));
  EXPECT_TRUE(lab.effects.steps.empty());
}

TEST(EngineTest, FloodOfDiscoversMakesFewSteps) {
  DhcpLab lab;
  std::size_t steps = 0;
  bool counted = false;
  for (std::uint32_t i = 0; i < 20'000; ++i) {
    lab.Handle(Request(MessageType::kDiscover, kMac, i)
                   .Text(Option::kVendorClass, "PXEClient:Arch:00007")
                   .Bytes(Option::kClientArchitecture, {0, 7})
                   .Build());
    for (const boot::BootStep& step : lab.effects.steps) {
      ++steps;
      counted = counted || step.name.view().find(" (+") != std::string_view::npos;
    }
    lab.Pass(Duration::Millis(10));
  }
  EXPECT_LE(steps, 24U);  // of two kinds, in 200 s
  EXPECT_TRUE(counted);
}

TEST(EngineTest, BreaksALoopOfLoaders) {
  DhcpLab lab;
  std::uint32_t xid = 1;
  const auto request = [&] {
    lab.Handle(Capture("uefi-pxe-discover"));
    return Request(MessageType::kRequest, test::Mac("52:54:00:e2:03:01"), ++xid)
        .Address(Option::kRequestedAddress, lab.Reply().yiaddr)
        .Address(Option::kServerIdentifier, kRack)
        .Text(Option::kVendorClass, "PXEClient:Arch:00007")
        .Bytes(Option::kClientArchitecture, {0, 7})
        .Build();
  };
  for (int i = 0; i < 5; ++i) {
    lab.HandleDurably(request());
    EXPECT_FALSE(lab.Reply().file.empty()) << i;
    lab.Pass(Duration::Seconds(20));
  }
  lab.HandleDurably(request());
  EXPECT_TRUE(lab.Reply().file.empty());
  EXPECT_EQ(lab.engine.counters().loops_found.value(), 1U);
  ASSERT_EQ(lab.effects.steps.size(), 3U);
  EXPECT_EQ(lab.effects.steps[0].kind, boot::StepKind::kDhcpRequest);
  EXPECT_EQ(lab.effects.steps[1].kind, boot::StepKind::kLoop);
  EXPECT_EQ(lab.effects.steps[2].kind, boot::StepKind::kDhcpAck);
  lab.Handle(Capture("uefi-pxe-discover"));
  EXPECT_TRUE(lab.Reply().file.empty());
  lab.Pass(Duration::Seconds(61));
  lab.HandleDurably(request());
  EXPECT_FALSE(lab.Reply().file.empty());
}

// ---- DISCOVER ----

TEST(EngineTest, OffersTheSameAddressThroughAStorm) {
  DhcpLab lab;
  lab.Handle(Request(MessageType::kDiscover, kMac).Build());
  const Ipv4Address address = lab.Reply().yiaddr;
  for (std::uint64_t i = 0; i < 20; ++i) {
    lab.Handle(Request(MessageType::kDiscover, kMac).Build());
    EXPECT_EQ(lab.Reply().yiaddr, address);
    lab.Handle(Request(MessageType::kDiscover, MacAddress::FromU64(0x0200'0000'0000 + i)).Build());
    EXPECT_NE(lab.Reply().yiaddr, address);
    lab.Pass(Duration::Seconds(2));
  }
}

TEST(EngineTest, GivesTheReservedAddressToItsMachineOnly) {
  BootLab lab_config;
  lab_config.AddNetwork().AddImages().AddMachine(5, kMacText, config::BootTarget::kLauncher,
                                                 "10.77.0.120", "web-1");
  DhcpLab lab(lab_config.Finish());
  lab.Handle(Request(MessageType::kDiscover, kMac).Build());
  EXPECT_EQ(lab.Reply().yiaddr, V4("10.77.0.120"));
  EXPECT_EQ(AsText(lab.Reply().Get(Option::kHostName)), "web-1");
  // The pool has 100 addresses; nobody else gets .120.
  std::set<std::uint32_t> seen;
  for (std::uint64_t i = 0; i < 99; ++i) {
    const Ipv4Address address = lab.Dora(MacAddress::FromU64(0x0200'0000'0000 + i));
    seen.insert(address.value);
  }
  EXPECT_FALSE(seen.contains(V4("10.77.0.120").value));
}

TEST(EngineTest, ReservationOutsideThePoolIsServed) {
  BootLab config;
  config.AddNetwork().AddMachine(5, kMacText, config::BootTarget::kLocal, "10.77.0.20");
  DhcpLab lab(config.Finish());
  EXPECT_EQ(lab.Dora(kMac), V4("10.77.0.20"));
  EXPECT_EQ(lab.Renew(kMac, V4("10.77.0.20")), Reason::kAckedFromMemory);
}

TEST(EngineTest, MovesAClientToItsNewReservation) {
  BootLab config;
  DhcpLab lab(config.AddNetwork().Finish());
  const Ipv4Address before = lab.Dora(kMac);
  ASSERT_FALSE(before.is_any());
  lab.Use(config.AddMachine(5, kMacText, config::BootTarget::kLocal, "10.77.0.20").Finish());
  EXPECT_EQ(lab.Renew(kMac, before), Reason::kNaked);
  EXPECT_EQ(lab.table.ByAddress(before)->state, lease::State::kReleased);
  EXPECT_FALSE(lab.effects.record.empty());
  EXPECT_EQ(lab.Dora(kMac), V4("10.77.0.20"));
  lab.table.CheckInvariants();
}

TEST(EngineTest, ReservedAddressInUseGivesThePoolMeanwhile) {
  BootLab config;
  DhcpLab lab(config.AddNetwork().Finish());
  const Ipv4Address taken = lab.Dora(kOther);
  lab.Use(
      config.AddMachine(5, kMacText, config::BootTarget::kLocal, ToText(taken).view()).Finish());
  const Ipv4Address meanwhile = lab.Dora(kMac);
  EXPECT_FALSE(meanwhile.is_any());
  EXPECT_NE(meanwhile, taken);
  // The holder must go at its next renewal; then the machine gets its own.
  EXPECT_EQ(lab.Renew(kOther, taken), Reason::kNaked);
  EXPECT_EQ(lab.Renew(kMac, meanwhile), Reason::kNaked);
  EXPECT_EQ(lab.Dora(kMac), taken);
}

TEST(EngineTest, IsSilentToUnknownMachinesUnderPolicyIgnore) {
  DhcpLab lab(WithPolicy(config::UnknownPolicy::kIgnore));
  EXPECT_EQ(lab.Handle(Request(MessageType::kDiscover, kMac).Build()), Reason::kPolicyIgnore);
  EXPECT_EQ(lab.effects.reply.delivery, Delivery::kNone);
  const auto reason = static_cast<std::size_t>(Reason::kPolicyIgnore);
  EXPECT_EQ(lab.engine.counters().by_reason[reason].value(), 1U);
}

TEST(EngineTest, PolicyLocalAndWaitStillServeTheLoader) {
  for (const auto policy : {config::UnknownPolicy::kLocal, config::UnknownPolicy::kWait}) {
    DhcpLab lab(WithPolicy(policy));
    EXPECT_EQ(lab.Handle(Capture("uefi-pxe-discover")), Reason::kOffered);
    EXPECT_EQ(AsText(lab.Reply().file), "loaders/snponly.efi");
  }
}

TEST(EngineTest, SaysWhenThePoolIsExhausted) {
  BootLab config;
  config.range.last = V4("10.77.0.103");
  DhcpLab lab(config.AddNetwork().Finish());
  for (std::uint64_t i = 0; i < 4; ++i) {
    EXPECT_FALSE(lab.Dora(MacAddress::FromU64(0x0200'0000'0000 + i)).is_any());
  }
  EXPECT_EQ(lab.Handle(Request(MessageType::kDiscover, kMac).Build()), Reason::kPoolExhausted);
  lab.Pass(Duration::Seconds(700));
  while (lab.engine.ExpireOne(lab.now, lab.effects)) {
  }
  EXPECT_FALSE(lab.Dora(kMac).is_any());
}

TEST(EngineTest, IsSilentOnLinksThatAreNotServed) {
  DhcpLab lab;
  lab.context.vlan = nullptr;
  EXPECT_EQ(lab.Handle(Request(MessageType::kDiscover, kMac).Build()), Reason::kUnservedLink);
  lab.context.vlan = lab.snapshot->VlanById(test::kVlan);
  lab.context.local_addresses = {};
  EXPECT_EQ(lab.Handle(Request(MessageType::kDiscover, kMac).Build()), Reason::kNoServerAddress);
}

TEST(EngineTest, NeedsSomethingToKnowTheClientBy) {
  DhcpLab lab;
  const MacAddress none;
  EXPECT_EQ(lab.Handle(Request(MessageType::kDiscover, none).Build()), Reason::kNoClientAddress);
  const auto with_id = Request(MessageType::kDiscover, none)
                           .Bytes(Option::kClientIdentifier, {255, 1, 2, 3})
                           .Build();
  EXPECT_EQ(lab.Handle(with_id), Reason::kOffered);
  EXPECT_EQ(lab.effects.reply.mac, kBroadcastMac);
}

TEST(EngineTest, DropsWhatIsNoRequest) {
  DhcpLab lab;
  auto packet = Request(MessageType::kDiscover, kMac).Build();
  packet[0] = std::byte{2};
  EXPECT_EQ(lab.Handle(packet), Reason::kNotRequest);
  packet = Request(MessageType::kOffer, kMac).Build();
  packet[0] = std::byte{2};
  EXPECT_EQ(lab.Handle(packet), Reason::kForeignServer);
  EXPECT_EQ(lab.Handle(Request(MessageType::kOffer, kMac).Build()), Reason::kUnknownType);
  EXPECT_EQ(lab.Handle(Request(MessageType::kDiscover, kMac).Hops(17).Build()),
            Reason::kTooManyHops);
  EXPECT_EQ(lab.Handle({std::byte{1}}), Reason::kTruncated);
  EXPECT_EQ(lab.effects.reply.delivery, Delivery::kNone);
}

// ---- REQUEST ----

TEST(EngineTest, AcksOnlyAfterTheRecordIsDurable) {
  DhcpLab lab;
  lab.Handle(Request(MessageType::kDiscover, kMac).Build());
  const Ipv4Address address = lab.Reply().yiaddr;
  ASSERT_EQ(lab.Handle(Selecting(kMac, address)), Reason::kAcked);
  EXPECT_TRUE(lab.effects.reply.wait_durable);
  const Result<lease::RestoredLease> record = lease::DecodeLease(lab.effects.record);
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->lease.address, address);
  EXPECT_EQ(record->lease.state, lease::State::kBound);
  EXPECT_EQ(record->lease.mac, kMac);
  EXPECT_EQ(record->lease.version, lab.effects.ticket.version);
  EXPECT_EQ(record->horizon, Duration::Seconds(1200));
  // The same question before the commit: still nothing that may leave now.
  lab.Handle(Selecting(kMac, address));
  EXPECT_TRUE(lab.effects.reply.wait_durable);
  lab.engine.OnDurable(lab.effects.ticket);
  EXPECT_EQ(lab.Handle(Selecting(kMac, address)), Reason::kAckedFromMemory);
  EXPECT_FALSE(lab.effects.reply.wait_durable);
}

TEST(EngineTest, RenewsFromMemoryInsideTheHorizon) {
  DhcpLab lab;
  const Ipv4Address address = lab.Dora(kMac);
  lab.Pass(Duration::Seconds(300));
  EXPECT_EQ(lab.Renew(kMac, address), Reason::kAckedFromMemory);
  EXPECT_EQ(lab.effects.reply.delivery, Delivery::kUdp);
  EXPECT_EQ(lab.effects.reply.address, address);
  EXPECT_EQ(lab.effects.reply.port, kClientPort);
  lab.Pass(Duration::Seconds(300));
  EXPECT_EQ(lab.Renew(kMac, address), Reason::kAckedFromMemory);
  lab.Pass(Duration::Seconds(300));
  EXPECT_EQ(lab.Renew(kMac, address), Reason::kAcked);
}

TEST(EngineTest, LeavesRequestsForOtherServersAlone) {
  DhcpLab lab;
  lab.Handle(Request(MessageType::kDiscover, kMac).Build());
  EXPECT_EQ(lab.Handle(Selecting(kMac, lab.Reply().yiaddr, V4("10.77.0.9"))), Reason::kOtherServer);
}

TEST(EngineTest, HonoursItsOfferAfterARestart) {
  DhcpLab before;
  before.Handle(Request(MessageType::kDiscover, kMac).Build());
  const Ipv4Address address = before.Reply().yiaddr;
  DhcpLab after;
  EXPECT_EQ(after.Handle(Selecting(kMac, address)), Reason::kAcked);
  EXPECT_EQ(after.Reply().yiaddr, address);
}

TEST(EngineTest, NaksAnAddressThatIsAnothers) {
  DhcpLab lab;
  const Ipv4Address address = lab.Dora(kOther);
  EXPECT_EQ(lab.Handle(Selecting(kMac, address)), Reason::kNaked);
  EXPECT_EQ(lab.Reply().type, MessageType::kNak);
  EXPECT_TRUE(lab.Reply().yiaddr.is_any());
  EXPECT_EQ(lab.effects.reply.mac, kBroadcastMac);
  EXPECT_EQ(
      lab.Handle(
          Request(MessageType::kRequest, kMac).Address(Option::kRequestedAddress, address).Build()),
      Reason::kNaked);
}

TEST(EngineTest, InitRebootKeepsTheAddress) {
  DhcpLab lab;
  const Ipv4Address address = lab.Dora(kMac);
  const auto reboot =
      Request(MessageType::kRequest, kMac).Address(Option::kRequestedAddress, address).Build();
  EXPECT_EQ(lab.Handle(reboot), Reason::kAckedFromMemory);
  EXPECT_EQ(lab.Reply().yiaddr, address);
}

TEST(EngineTest, NaksOnlyForItsOwnSubnets) {
  DhcpLab lab;
  const auto reboot = [&](std::string_view address) {
    return lab.Handle(Request(MessageType::kRequest, kMac)
                          .Address(Option::kRequestedAddress, V4(address))
                          .Build());
  };
  EXPECT_EQ(reboot("192.168.9.9"), Reason::kUnknownLease);
  EXPECT_EQ(reboot("10.77.0.150"), Reason::kUnknownLease);  // ours, but no record of the client
  EXPECT_EQ(reboot("10.88.0.150"), Reason::kNaked);         // ours, on another link
}

TEST(EngineTest, RenewalAfterLostStateIsKept) {
  DhcpLab lab;
  EXPECT_EQ(lab.Renew(kMac, V4("10.77.0.150")), Reason::kAcked);
  EXPECT_EQ(lab.Renew(kMac, V4("10.77.0.20")), Reason::kNaked);
  EXPECT_EQ(lab.Renew(kMac, V4("192.168.0.20")), Reason::kUnknownLease);
}

TEST(EngineTest, RebindingOnAnotherLinkIsNaked) {
  DhcpLab lab;
  lab.context.source = V4("10.88.0.150");  // broadcast: the client is on this link
  EXPECT_EQ(lab.Handle(Request(MessageType::kRequest, kMac).Ciaddr(V4("10.88.0.150")).Build()),
            Reason::kNaked);
  lab.context.destination = kRack;  // unicast: routed from the other link
  EXPECT_EQ(lab.Handle(Request(MessageType::kRequest, kMac).Ciaddr(V4("10.88.0.150")).Build()),
            Reason::kAcked);
}

TEST(EngineTest, RequestWithoutAnyAddressIsMalformed) {
  DhcpLab lab;
  EXPECT_EQ(lab.Handle(Request(MessageType::kRequest, kMac).Build()), Reason::kMalformed);
}

// ---- RELEASE, DECLINE, INFORM, BOOTP ----

TEST(EngineTest, ReleaseKeepsTheBindingForTheSameClient) {
  DhcpLab lab;
  const Ipv4Address address = lab.Dora(kMac);
  const auto release = [&](MacAddress mac, Ipv4Address server) {
    return Request(MessageType::kRelease, mac)
        .Ciaddr(address)
        .Address(Option::kServerIdentifier, server)
        .Build();
  };
  EXPECT_EQ(lab.Handle(release(kOther, kRack)), Reason::kNotHolder);
  EXPECT_EQ(lab.Handle(release(kMac, V4("10.77.0.9"))), Reason::kNotHolder);
  EXPECT_EQ(lab.table.ByAddress(address)->state, lease::State::kBound);
  EXPECT_EQ(lab.Handle(release(kMac, kRack)), Reason::kReleased);
  EXPECT_EQ(lab.effects.reply.delivery, Delivery::kNone);
  EXPECT_EQ(lease::DecodeLease(lab.effects.record)->lease.state, lease::State::kReleased);
  EXPECT_EQ(lab.Handle(release(kMac, kRack)), Reason::kNotHolder);
  EXPECT_EQ(lab.Dora(kMac), address);
}

TEST(EngineTest, DeclineQuarantinesButNeverTheWholePool) {
  DhcpLab lab;
  std::set<std::uint32_t> declined;
  int full = 0;
  for (int i = 0; i < 40; ++i) {
    const Ipv4Address address = lab.Dora(kMac);
    ASSERT_FALSE(address.is_any());
    const auto packet = Request(MessageType::kDecline, kMac)
                            .Address(Option::kRequestedAddress, address)
                            .Address(Option::kServerIdentifier, kRack)
                            .Build();
    const Reason reason = lab.HandleDurably(packet);
    if (reason == Reason::kDeclined) {
      EXPECT_TRUE(declined.insert(address.value).second);
    } else {
      EXPECT_EQ(reason, Reason::kQuarantineFull);
      ++full;
    }
  }
  EXPECT_EQ(declined.size(), 10U);
  EXPECT_EQ(full, 30);
  lab.Pass(lease::kQuarantine);
  while (lab.engine.ExpireOne(lab.now, lab.effects)) {
  }
  EXPECT_EQ(lab.table.CountsOf(test::kSubnet).declined, 0U);
  lab.table.CheckInvariants();
}

TEST(EngineTest, ForgedDeclineChangesNothing) {
  DhcpLab lab;
  const Ipv4Address address = lab.Dora(kMac);
  EXPECT_EQ(lab.Handle(Request(MessageType::kDecline, kOther)
                           .Address(Option::kRequestedAddress, address)
                           .Address(Option::kServerIdentifier, kRack)
                           .Build()),
            Reason::kNotHolder);
  EXPECT_EQ(
      lab.Handle(
          Request(MessageType::kDecline, kMac).Address(Option::kRequestedAddress, address).Build()),
      Reason::kNotHolder);
  EXPECT_EQ(lab.table.ByAddress(address)->state, lease::State::kBound);
}

TEST(EngineTest, InformGivesOptionsWithoutALease) {
  DhcpLab lab;
  ASSERT_EQ(lab.Handle(Request(MessageType::kInform, kMac).Ciaddr(V4("10.77.0.7")).Build()),
            Reason::kInformed);
  EXPECT_TRUE(lab.Reply().yiaddr.is_any());
  EXPECT_FALSE(lab.Reply().Has(Option::kLeaseTime));
  EXPECT_TRUE(lab.Reply().Has(Option::kRouter));
  EXPECT_EQ(lab.effects.reply.address, V4("10.77.0.7"));
  EXPECT_EQ(lab.table.size(), 0U);
}

TEST(EngineTest, BootpIsForReservations) {
  BootLab config;
  config.AddNetwork().AddImages().AddMachine(5, kMacText, config::BootTarget::kLauncher,
                                             "10.77.0.20");
  DhcpLab lab(config.Finish());
  EXPECT_EQ(lab.Handle(Request(MessageType::kNone, kOther).Build()), Reason::kBootpUnknown);
  ASSERT_EQ(lab.Handle(Request(MessageType::kNone, kMac).Build()), Reason::kBootpAnswered);
  EXPECT_EQ(lab.Reply().yiaddr, V4("10.77.0.20"));
  EXPECT_FALSE(lab.Reply().Has(Option::kMessageType));
  EXPECT_FALSE(lab.Reply().Has(Option::kLeaseTime));
}

// ---- relays and encoding ----

TEST(EngineTest, AnswersRelaysFromTheirSubnet) {
  DhcpLab lab;
  lab.context.vlan = nullptr;
  lab.context.destination = kRack;
  const std::vector<std::uint8_t> circuit = {1, 4, 'e', 't', 'h', '0'};
  const auto packet = Request(MessageType::kDiscover, kMac)
                          .Giaddr(test::kRelay)
                          .Bytes(Option::kRelayAgentInformation, circuit)
                          .Text(Option::kHostName, "after")
                          .Build();
  ASSERT_EQ(lab.Handle(packet), Reason::kOffered);
  EXPECT_EQ(lab.Reply().yiaddr.value & 0xFFFF'FF00, V4("10.88.0.0").value);
  EXPECT_EQ(lab.Reply().giaddr, test::kRelay);
  EXPECT_EQ(lab.effects.reply.delivery, Delivery::kUdp);
  EXPECT_EQ(lab.effects.reply.address, test::kRelay);
  EXPECT_EQ(lab.effects.reply.port, kServerPort);
  EXPECT_EQ(lab.effects.reply.source, kRack);
  EXPECT_EQ(lab.Reply().Get(Option::kRelayAgentInformation).size(), circuit.size());
  // Option 82 stands last, right before the end option.
  const auto bytes = lab.ReplyBytes();
  std::size_t end = bytes.size();
  while (end > 0 && bytes[end - 1] == std::byte{0}) {
    --end;
  }
  EXPECT_EQ(bytes[end - 1], std::byte{255});
  EXPECT_EQ(bytes[end - 1 - circuit.size() - 2], std::byte{82});
}

TEST(EngineTest, RelaysOfUnknownSubnetsGetNoAnswer) {
  DhcpLab lab;
  EXPECT_EQ(lab.Handle(Request(MessageType::kDiscover, kMac).Giaddr(V4("172.16.0.1")).Build()),
            Reason::kUnservedLink);
}

TEST(EngineTest, LinkSelectionAndServerOverrideCount) {
  DhcpLab lab;
  const auto packet =
      Request(MessageType::kDiscover, kMac)
          .Giaddr(V4("172.16.0.1"))
          .Bytes(Option::kRelayAgentInformation, {5, 4, 10, 88, 0, 0, 11, 4, 10, 88, 0, 1})
          .Build();
  ASSERT_EQ(lab.Handle(packet), Reason::kOffered);
  EXPECT_EQ(lab.Reply().yiaddr.value & 0xFFFF'FF00, V4("10.88.0.0").value);
  EXPECT_EQ(lab.Reply().GetAddress(Option::kServerIdentifier), V4("10.88.0.1"));
  EXPECT_EQ(lab.effects.reply.address, V4("172.16.0.1"));
}

TEST(EngineTest, RelayedNakIsBroadcastByTheRelay) {
  DhcpLab lab;
  const auto packet = Request(MessageType::kRequest, kMac)
                          .Giaddr(test::kRelay)
                          .Address(Option::kRequestedAddress, V4("10.77.0.150"))
                          .Build();
  ASSERT_EQ(lab.Handle(packet), Reason::kNaked);
  EXPECT_TRUE(lab.Reply().broadcast());
  EXPECT_EQ(lab.effects.reply.address, test::kRelay);
}

TEST(EngineTest, NeverAnswersLongerThanTheClientTakes) {
  DhcpLab lab;
  for (const std::uint16_t size : std::array<std::uint16_t, 5>{0, 576, 600, 1472, 65280}) {
    auto packet = Capture("uefi-http-discover");
    const std::array<std::byte, 2> code = {std::byte{57}, std::byte{2}};
    const auto at = std::search(packet.begin() + 240, packet.end(), code.begin(), code.end());
    ASSERT_NE(at, packet.end());
    StoreBig(&*(at + 2), size);
    ASSERT_EQ(lab.Handle(packet), Reason::kOffered);
    EXPECT_LE(lab.effects.reply.bytes, std::max<std::size_t>(548, size) - (size > 576 ? 28 : 0));
  }
}

TEST(EngineTest, SendsOnlyWhatIsAskedFor) {
  DhcpLab lab;
  lab.Handle(
      Request(MessageType::kDiscover, kMac).Bytes(Option::kParameterRequestList, {3}).Build());
  EXPECT_TRUE(lab.Reply().Has(Option::kSubnetMask));
  EXPECT_TRUE(lab.Reply().Has(Option::kRouter));
  EXPECT_FALSE(lab.Reply().Has(Option::kDomainNameServer));
  EXPECT_FALSE(lab.Reply().Has(Option::kNtpServers));
}

TEST(EngineTest, HostNamesAreFilteredBeforeTheyAreRecorded) {
  DhcpLab lab;
  const auto recorded = [&](std::string_view name) {
    const auto packet = Request(MessageType::kRequest, kMac)
                            .Text(Option::kHostName, name)
                            .Address(Option::kRequestedAddress, V4("10.77.0.150"))
                            .Address(Option::kServerIdentifier, kRack)
                            .Build();
    EXPECT_EQ(lab.Handle(packet), Reason::kAcked);
    return std::string(lease::DecodeLease(lab.effects.record)->detail.hostname.view());
  };
  EXPECT_EQ(recorded("Node-1"), "node-1");
  EXPECT_EQ(recorded("a;reboot"), "");
  EXPECT_EQ(recorded("-x"), "");
  EXPECT_EQ(recorded("x-"), "");
  EXPECT_EQ(recorded(std::string(64, 'a')), "");
}

TEST(EngineTest, ExpiryIsLogged) {
  DhcpLab lab;
  const Ipv4Address address = lab.Dora(kMac);
  EXPECT_FALSE(lab.engine.ExpireOne(lab.now, lab.effects));
  lab.Pass(Duration::Seconds(600));
  ASSERT_TRUE(lab.engine.ExpireOne(lab.now, lab.effects));
  EXPECT_EQ(lease::DecodeLease(lab.effects.record)->lease.state, lease::State::kExpired);
  EXPECT_EQ(lab.effects.ticket.address, address);
  EXPECT_FALSE(lab.engine.ExpireOne(lab.now, lab.effects));
  EXPECT_EQ(lab.Dora(kMac), address);
}

TEST(EngineTest, EveryReasonHasAName) {
  std::set<std::string_view> names;
  for (std::uint8_t i = 0; i < static_cast<std::uint8_t>(Reason::kCount); ++i) {
    EXPECT_TRUE(names.insert(ToString(static_cast<Reason>(i))).second);
  }
  EXPECT_EQ(ToString(Reason::kForeignServer), "foreign-server");
  EXPECT_EQ(ToString(Reason::kPolicyIgnore), "policy-ignore");
  EXPECT_EQ(ToString(Reason::kPoolExhausted), "pool-exhausted");
}

}  // namespace
}  // namespace slipway::dhcp
