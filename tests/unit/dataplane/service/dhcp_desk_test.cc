#include "dataplane/service/dhcp_desk.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "dataplane/dhcp/question.h"
#include "dataplane/lease/record.h"
#include "tests/support/dhcp6_lab.h"
#include "tests/support/dhcp_lab.h"
#include "tests/support/fake_fact_port.h"

namespace slipway::service {
namespace {

using test::BootLab;
using test::kRack;
using test::kSubnet;
using test::kVlan;
using test::Request;
using test::V4;

const MacAddress kMac{{0x52, 0x54, 0, 0, 0, 1}};

class FixedClock final : public Clock {
 public:
  Instant Now() noexcept override { return {1'000'000'000}; }

  WallTime WallNow() noexcept override { return {1'700'000'000'000'000'000}; }

  bool WallIsSynchronised() noexcept override { return true; }

  std::uint64_t BootId() noexcept override { return 7; }
};

class DhcpDeskTest : public testing::Test {
 protected:
  DhcpDeskTest() : view_(ServingView::Create().value()) {
    desk_ = DhcpDesk::Create({.serving = view_.get(),
                              .engine = &lab_.engine,
                              .engine6 = &engine6_,
                              .leases = &lab_.table,
                              .packets = &packets_,
                              .packets6 = &packets6_,
                              .facts = &facts_,
                              .clock = &clock_})
                .value();
    serving_.snapshot = lab_.snapshot;
    ServedLink link{.ifindex = 2, .name = InterfaceName("eth1"), .vlan = kVlan};
    (void)link.addresses.push_back({.address = kRack, .bits = 24});
    (void)link.addresses.push_back({.address = test::V6("fe80::1"), .bits = 64});
    (void)link.addresses.push_back({.address = test::V6("2001:db8:77::1"), .bits = 64});
    SLIP_CHECK(serving_.links.Add(link));
  }

  void Serve() {
    SLIP_CHECK(view_->Publish(&serving_, 1));
    view_->OnReady(0, 0, kNow);
  }

  static DhcpAsk Explain(const dhcp::Question& question) {
    DhcpAsk ask{.id = 5, .session = 9, .kind = AskKind::kExplain, .mac = question.mac};
    ask.source = question.relay.is_any() ? question.ciaddr : question.relay;
    ask.relayed = !question.relay.is_any();
    ask.bytes = static_cast<std::uint16_t>(dhcp::EncodeQuestion(ask.packet, question).value());
    return ask;
  }

  DhcpAsk Explain6(dhcp::Question6 question) {
    question.server = desk_->server_id();
    DhcpAsk ask{.id = 6, .session = 9, .kind = AskKind::kExplain, .mac = question.mac};
    ask.family = config::Family::kV6;
    ask.source = dhcp::SourceOf(question);
    ask.relayed = !question.relay.is_any();
    ask.bytes = static_cast<std::uint16_t>(dhcp::EncodeQuestion6(ask.packet, question).value());
    return ask;
  }

  std::vector<DhcpAnswer> Answers(DhcpAsk ask) {
    EXPECT_TRUE(desk_->Ask(ask));
    desk_->OnReady(0, 0, kNow);
    return Taken();
  }

  std::vector<DhcpAnswer> Taken() {
    std::vector<DhcpAnswer> answers;
    desk_->TakeAnswers([&](const DhcpAnswer& answer) { answers.push_back(answer); });
    return answers;
  }

  static constexpr Instant kNow{1'000'000'000};
  FixedClock clock_;
  test::DhcpLab lab_{test::Dhcp6Lab::Standard(), test::DhcpLab::SmallTable()};
  dhcp::Dhcp6Engine engine6_{{.server_id = test::Dhcp6Lab::ServerId(), .loops = {}}, &lab_.table};
  PacketLog packets_{64};
  PacketLog packets6_{64};
  testing_support::FakeFactPort facts_;
  Serving serving_;
  std::unique_ptr<ServingView> view_;
  std::unique_ptr<DhcpDesk> desk_;
};

TEST_F(DhcpDeskTest, ExplainsTheOfferThatTheClientGetsNext) {
  Serve();
  const auto answers = Answers(Explain({.mac = kMac, .has_architecture = true, .architecture = 7}));
  ASSERT_EQ(answers.size(), 1U);
  const DhcpAnswer& answer = answers[0];
  EXPECT_EQ(answer.id, 5U);
  EXPECT_EQ(answer.session, 9U);
  EXPECT_TRUE(answer.problem.empty());
  EXPECT_EQ(answer.reason, dhcp::Reason::kOffered);
  EXPECT_EQ(answer.interface, "eth1");
  EXPECT_EQ(answer.trace.decision.file.view(), "loaders/snponly.efi");
  EXPECT_EQ(lab_.table.size(), 0U);
  lab_.now.instant = kNow;
  ASSERT_EQ(lab_.Handle(Request(dhcp::MessageType::kDiscover, kMac).Build()),
            dhcp::Reason::kOffered);
  EXPECT_EQ(IpAddress(lab_.Reply().yiaddr), answer.trace.decision.address);
}

TEST_F(DhcpDeskTest, ARelayedPacketGoesToTheRacksOwnAddress) {
  Serve();
  const auto answers = Answers(Explain({.mac = kMac, .relay = test::kRelay}));
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0].reason, dhcp::Reason::kOffered);
  EXPECT_EQ(answers[0].trace.decision.subnet, test::kRelaySubnet);
  EXPECT_EQ(answers[0].reply.address, test::kRelay);
  EXPECT_EQ(answers[0].reply.source, kRack);
}

TEST_F(DhcpDeskTest, AsksForTheInterfaceWhereThereAreSeveral) {
  ServedLink other{.ifindex = 3, .name = InterfaceName("eth2"), .vlan = test::kRelayVlan};
  ASSERT_TRUE(serving_.links.Add(other));
  Serve();
  DhcpAsk ask = Explain({.mac = kMac});
  EXPECT_EQ(Answers(ask).at(0).code, ErrorCode::kMalformed);
  ask.vlan = test::kRelayVlan;
  EXPECT_EQ(Answers(ask).at(0).interface, "eth2");
  ask.interface = InterfaceName("eth9");
  EXPECT_EQ(Answers(ask).at(0).code, ErrorCode::kMalformed);
  // Where it was seen last.
  SeenPacket& seen = packets_.Keep(kMac, Request(dhcp::MessageType::kDiscover, kMac).Build());
  seen.ifindex = 3;
  EXPECT_EQ(Answers(Explain({.mac = kMac})).at(0).interface, "eth2");
}

TEST_F(DhcpDeskTest, SaysSoWhileThereIsNoSnapshot) {
  EXPECT_EQ(Answers(Explain({.mac = kMac})).at(0).code, ErrorCode::kUnavailable);
}

TEST_F(DhcpDeskTest, ReplaysTheLastPacket) {
  Serve();
  EXPECT_EQ(Answers({.id = 1, .kind = AskKind::kExplainLast, .mac = kMac}).at(0).code,
            ErrorCode::kNotFound);
  const auto packet = Request(dhcp::MessageType::kDiscover, kMac).Build();
  SeenPacket& seen = packets_.Keep(kMac, packet);
  seen.ifindex = 2;
  seen.destination = Ipv4Address{0xFFFF'FFFF};
  seen.reason = dhcp::Reason::kPoolExhausted;
  seen.at = {77};
  const auto answers = Answers({.id = 1, .kind = AskKind::kExplainLast, .mac = kMac});
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0].reason, dhcp::Reason::kOffered);
  EXPECT_EQ(answers[0].packet.reason, dhcp::Reason::kPoolExhausted);
  EXPECT_EQ(answers[0].packet.at.ns, 77);
}

TEST_F(DhcpDeskTest, ExplainsDhcpv6) {
  Serve();
  dhcp::Question6 question{.mac = kMac, .has_architecture = true, .architecture = 7};
  const auto answers = Answers(Explain6(question));
  ASSERT_EQ(answers.size(), 1U);
  const DhcpAnswer& answer = answers[0];
  EXPECT_TRUE(answer.problem.empty()) << answer.problem;
  EXPECT_EQ(answer.family, config::Family::kV6);
  EXPECT_EQ(answer.reason6, dhcp::Reason6::kAdvertised);
  EXPECT_EQ(answer.mac, kMac);
  EXPECT_EQ(answer.interface, "eth1");
  EXPECT_EQ(answer.trace.decision.file.view(), "loaders/snponly.efi");
  EXPECT_EQ(lab_.table.size(), 0U);
  // A Request that names this rack is told to be answered with that address.
  question.type = dhcp::MessageType6::kRequest;
  question.address = answer.trace.decision.address.v6();
  const auto request = Answers(Explain6(question));
  EXPECT_EQ(request.at(0).reason6, dhcp::Reason6::kReplied);
  EXPECT_EQ(request[0].trace.decision.address, answer.trace.decision.address);
  EXPECT_TRUE(request[0].reply6.wait_durable);
  // Through a relay, to the rack's own address.
  question = {.mac = kMac, .relay = test::V6("2001:db8:88::1")};
  const auto relayed = Answers(Explain6(question));
  EXPECT_EQ(relayed.at(0).reason6, dhcp::Reason6::kAdvertised);
  EXPECT_EQ(relayed[0].trace.decision.subnet, test::kRelaySubnet6);
  EXPECT_EQ(relayed[0].reply6.source, test::V6("2001:db8:77::1"));
}

TEST_F(DhcpDeskTest, ReplaysTheLastPacketOfAClientThatShowsNoMac) {
  Serve();
  const auto duid = test::DuidEn(7);
  const auto packet = test::Request6(dhcp::MessageType6::kSolicit).Client(duid).IaNa().Build();
  SeenPacket& seen = packets6_.Keep(TagOf(duid), packet);
  seen.ifindex = 2;
  seen.source = test::V6("fe80::c1:1e");
  seen.destination = test::kAllDhcpServers;
  seen.reason6 = dhcp::Reason6::kNoAddress;
  const auto answers = Answers(
      {.id = 1, .kind = AskKind::kExplainLast, .family = config::Family::kV6, .mac = TagOf(duid)});
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0].reason6, dhcp::Reason6::kAdvertised);
  EXPECT_EQ(answers[0].packet.reason6, dhcp::Reason6::kNoAddress);
  EXPECT_EQ(Answers({.id = 1, .kind = AskKind::kExplainLast, .mac = TagOf(duid)}).at(0).code,
            ErrorCode::kNotFound);
}

TEST_F(DhcpDeskTest, AReleaseIsAnsweredWhenItIsOnDisk) {
  Serve();
  const Ipv4Address address = lab_.Dora(kMac);
  const DhcpAsk ask{.id = 3, .kind = AskKind::kRelease, .address = address};
  EXPECT_TRUE(Answers(ask).empty());
  const auto facts = facts_.Of(schema::FactClass::Lease);
  ASSERT_EQ(facts.size(), 1U);
  const auto record = lease::DecodeLease(AsBytes(facts[0]));
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->lease.state, lease::State::kReleased);
  desk_->OnDurable(0, kNow);
  EXPECT_TRUE(Taken().empty());
  desk_->OnDurable(facts_.next_position(), kNow);
  const auto answers = Taken();
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0].lease.state, lease::State::kReleased);
  EXPECT_EQ(answers[0].lease.mac, kMac);
  EXPECT_EQ(Answers(ask).at(0).code, ErrorCode::kNotFound);
}

TEST_F(DhcpDeskTest, AReleaseIsRefusedWhileTheJournalFails) {
  Serve();
  const Ipv4Address address = lab_.Dora(kMac);
  facts_.SetFailing(true);
  EXPECT_EQ(Answers({.id = 3, .kind = AskKind::kRelease, .address = address}).at(0).code,
            ErrorCode::kFull);
  EXPECT_EQ(lab_.table.ByAddress(address)->state, lease::State::kBound);
}

TEST_F(DhcpDeskTest, CountsPools) {
  Serve();
  (void)lab_.Dora(kMac);
  const auto answers = Answers({.id = 4, .kind = AskKind::kPools});
  ASSERT_EQ(answers.size(), 1U);
  ASSERT_EQ(answers[0].pools.size(), 4U);
  for (const PoolRow& row : answers[0].pools) {
    if (row.subnet == test::kSubnet6) {
      EXPECT_EQ(row.counts.size, 256U);
    }
  }
  const auto one = Answers({.id = 4, .kind = AskKind::kPools, .subnet = kSubnet});
  ASSERT_EQ(one.at(0).pools.size(), 1U);
  EXPECT_EQ(one[0].pools[0].counts.bound, 1U);
  EXPECT_EQ(one[0].pools[0].counts.size, 100U);
}

TEST_F(DhcpDeskTest, RefusesMoreThanItsBoxHolds) {
  DhcpAsk ask = Explain({.mac = kMac});
  for (std::uint32_t i = 0; i < kAsksMax; ++i) {
    EXPECT_TRUE(desk_->Ask(ask));
  }
  EXPECT_FALSE(desk_->Ask(ask));
}

TEST(PacketLogTest, KnownMachinesOutlastAFlood) {
  PacketLog log(64);
  const std::vector<std::byte> packet(700, std::byte{7});
  SeenPacket& mine = log.Keep(kMac, packet);
  mine.known = true;
  mine.at = {1};
  for (std::uint64_t i = 0; i < 1000; ++i) {
    log.Keep(MacAddress::FromU64(0x0200'0000'0000 + i), packet).at = {2};
  }
  ASSERT_NE(log.Find(kMac), nullptr);
  EXPECT_TRUE(log.Find(kMac)->cut);
  EXPECT_EQ(log.Find(kMac)->bytes, kPacketBytesKept);
  EXPECT_EQ(log.Find(MacAddress{}), nullptr);
}

}  // namespace
}  // namespace slipway::service
