#include "dataplane/service/dhcp6_service.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "tests/support/dhcp6_lab.h"
#include "tests/support/dhcp_service_lab.h"

namespace slipway::service {
namespace {

using dhcp::MessageType6;
using test::Request6;

ServedLink Link() {
  ServedLink link{.ifindex = test::kServiceIfindex,
                  .name = {},
                  .mac = MacAddress{{0x52, 0x54, 0, 0, 0, 0xFE}},
                  .vlan = test::kVlan,
                  .addresses = {}};
  (void)link.addresses.push_back({.address = test::kRackLinkLocal, .bits = 64});
  (void)link.addresses.push_back({.address = test::kRack6, .bits = 64});
  return link;
}

class Dhcp6ServiceTest : public ::testing::Test {
 protected:
  Dhcp6ServiceTest() { EXPECT_TRUE(service_.Start(0, driver_->now).has_value()); }

  void Receive(std::vector<std::byte> bytes, bool truncated = false) {
    shard::Packet packet;
    packet.data = bytes;
    packet.ifindex = test::kServiceIfindex;
    packet.source = client_;
    packet.destination = test::kAllDhcpServers;
    packet.source_port = dhcp::kClientPort6;
    packet.truncated = truncated;
    service_.OnPackets(0, std::span(&packet, 1), driver_->now);
  }

  void Solicit(std::uint32_t xid) {
    Receive(Request6(MessageType6::kSolicit, xid).Client(duid_).IaNa().Build());
  }

  // Takes what the next Solicit would be offered.
  void Ask(std::uint32_t xid) {
    Receive(Request6(MessageType6::kRequest, xid)
                .Client(duid_)
                .Server(test::Dhcp6Lab::ServerId())
                .IaNa()
                .Build());
  }

  void Release(std::uint32_t xid, const Ipv6Address& address) {
    Receive(Request6(MessageType6::kRelease, xid)
                .Client(duid_)
                .Server(test::Dhcp6Lab::ServerId())
                .IaNa(1, {address})
                .Build());
  }

  void Turn() { ASSERT_TRUE(around_.shard->RunTurn().has_value()); }

  void AllDurable() { service_.OnDurable(facts_.next_position(), driver_->now); }

  [[nodiscard]] std::vector<std::uint32_t> SentXids() const {
    std::vector<std::uint32_t> xids;
    for (const auto& datagram : driver_->sent) {
      xids.push_back(LoadBig<std::uint32_t>(datagram.bytes.data()) & 0xFF'FFFF);
    }
    return xids;
  }

  const std::vector<std::byte> duid_ = test::DuidEn(1);
  const Ipv6Address client_ = test::V6("fe80::c1:1e");
  test::Dhcp6Lab lab_;
  test::DhcpServiceLab around_{lab_.snapshot, &lab_.table, Link()};
  testing_support::FakeFactPort& facts_ = around_.facts;
  test::FakeDriver* const driver_ = around_.driver;
  PacketLog packets_{64};
  DhcpWatch watch_{&around_.events, &lab_.table};
  static constexpr shard::PortId kRawPort = 1;
  Dhcp6Service service_{{.shard = around_.shard.get(),
                         .raw_port = kRawPort,
                         .shared = around_.shared.get(),
                         .engine = &lab_.engine,
                         .packets = &packets_,
                         .watch = &watch_,
                         .probe_interval = Duration::Seconds(60)}};
};

TEST_F(Dhcp6ServiceTest, ReplyLeavesWhenItsRecordIsDurable) {
  Solicit(1);
  Ask(2);
  Turn();
  EXPECT_EQ(SentXids(), std::vector<std::uint32_t>{1});
  EXPECT_EQ(service_.waiting().waiting.value(), 1U);
  AllDurable();
  EXPECT_EQ(SentXids(), (std::vector<std::uint32_t>{1, 2}));
  EXPECT_EQ(service_.waiting().waiting.value(), 0U);
  // To the client's link-local address, on the interface it is on.
  EXPECT_EQ(driver_->sent[1].destination, IpAddress(client_));
  EXPECT_EQ(driver_->sent[1].destination_port, dhcp::kClientPort6);
  EXPECT_EQ(driver_->sent[1].ifindex, test::kServiceIfindex);
}

TEST_F(Dhcp6ServiceTest, OtherServicesHearWhoGotTheAddress) {
  Ask(1);
  ASSERT_EQ(around_.peers.told.size(), 1U);
  EXPECT_EQ(around_.peers.told[0].vlan, test::kVlan);
  EXPECT_EQ(around_.peers.told[0].ifindex, test::kServiceIfindex);
}

TEST_F(Dhcp6ServiceTest, NeighboursAreAskedBesideTheFirstOffer) {
  const MacAddress mac{{0x52, 0x54, 0, 0, 0, 1}};
  Receive(Request6(MessageType6::kSolicit, 1).Client(test::DuidLl(mac)).IaNa().Build());
  ASSERT_EQ(driver_->sent.size(), 2U);  // the question leaves first; the offer does not wait
  EXPECT_EQ(driver_->sent[0].port, kRawPort);
  EXPECT_EQ(driver_->sent[0].ifindex, test::kServiceIfindex);
  dhcp::Message6 reply;
  ASSERT_TRUE(dhcp::Decode6(driver_->sent[1].bytes, reply).has_value());
  ASSERT_EQ(reply.ias.size(), 1U);
  const Ipv6Address offered = reply.ias[0].addresses[0];
  const MacAddress squatter{{0x52, 0x54, 0, 0, 0, 9}};
  service_.OnNeighbour(offered, squatter, test::kServiceIfindex, driver_->now);
  EXPECT_EQ(lab_.table.ByAddress(offered)->state, lease::State::kDeclined);
  EXPECT_EQ(facts_.Of(schema::FactClass::Lease).size(), 1U);
  ASSERT_EQ(around_.events.told.size(), 1U);
  EXPECT_EQ(around_.events.told[0].code, service::EventCode::kAddressConflict);
  EXPECT_EQ(around_.events.told[0].detail, "52:54:00:00:00:09");
}

TEST_F(Dhcp6ServiceTest, TheLastPacketOfEachClientIsKept) {
  const MacAddress mac{{0x52, 0x54, 0, 0, 0, 1}};
  const auto packet = Request6(MessageType6::kSolicit, 1).Client(test::DuidLl(mac)).IaNa().Build();
  Receive(packet);
  const SeenPacket* const seen = packets_.Find(mac);
  ASSERT_NE(seen, nullptr);
  EXPECT_EQ(seen->reason6, dhcp::Reason6::kAdvertised);
  EXPECT_EQ(seen->bytes, packet.size());
  EXPECT_EQ(seen->source, IpAddress(client_));
  EXPECT_TRUE(seen->address.is_set());
  Solicit(2);  // shows no MAC
  ASSERT_NE(packets_.Find(TagOf(duid_)), nullptr);
}

// Each minute the rack asks as a relay does; who answers is told, with its MAC.
TEST_F(Dhcp6ServiceTest, AForeignServerIsFoundByAsking) {
  driver_->now = driver_->now + Duration::Seconds(61);
  Turn();
  ASSERT_EQ(driver_->sent.size(), 1U);
  EXPECT_EQ(driver_->sent[0].destination, IpAddress(test::kAllDhcpServers));
  EXPECT_EQ(driver_->sent[0].destination_port, dhcp::kServerPort6);
  dhcp::Message6 question;
  ASSERT_TRUE(dhcp::Decode6(driver_->sent[0].bytes, question).has_value());
  EXPECT_EQ(question.type, MessageType6::kSolicit);
  ASSERT_EQ(question.relays.size(), 1U);
  EXPECT_EQ(question.relays[0].link, test::kRack6);
  EXPECT_EQ(service_.counters().foreign_probes.value(), 1U);

  const MacAddress mac{{0x52, 0x54, 0, 0, 0, 0x66}};
  std::array<std::byte, 512> bytes{};
  dhcp::Writer6 writer(bytes, bytes.size());
  writer.RelayReply(question.relays[0]);
  writer.Header(MessageType6::kAdvertise, question.xid);
  writer.Bytes(dhcp::Option6::kClientId, question.Get(dhcp::Option6::kClientId));
  writer.Bytes(dhcp::Option6::kServerId, test::DuidLl(mac));
  const std::size_t size = writer.Finish().value_or(0);
  Receive({bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size)});
  ASSERT_EQ(around_.events.told.size(), 1U);
  EXPECT_EQ(around_.events.told[0].code, service::EventCode::kForeignDhcpServer);
  EXPECT_NE(around_.events.told[0].detail.find("MAC 52:54:00:00:00:66"), std::string::npos);
  EXPECT_EQ(driver_->sent.size(), 1U);  // no answer to an answer
}

TEST_F(Dhcp6ServiceTest, PacketsBeyondTheTurnWaitAndKeepTheirOrder) {
  driver_->buffers.resize(2);
  for (std::uint32_t xid = 1; xid <= 5; ++xid) {
    Solicit(xid);
  }
  EXPECT_EQ(SentXids(), (std::vector<std::uint32_t>{1, 2}));
  Turn();
  EXPECT_EQ(service_.intake().packets_waiting.value(), 1U);
  Turn();
  EXPECT_TRUE(driver_->asked_to_look);
  EXPECT_EQ(SentXids(), (std::vector<std::uint32_t>{1, 2, 3, 4, 5}));
}

TEST_F(Dhcp6ServiceTest, FullIntakeDropsTheOldest) {
  driver_->buffers.clear();
  for (std::uint32_t xid = 1; xid <= kIntakeMax + 3; ++xid) {
    Solicit(xid);
  }
  EXPECT_EQ(service_.intake().dropped_oldest.value(), 3U);
  driver_->buffers.resize(kPacketsPerTurnMax + 10);
  for (std::uint32_t i = 0; i < kIntakeMax / kPacketsPerTurnMax; ++i) {
    Turn();
  }
  ASSERT_EQ(driver_->sent.size(), kIntakeMax);
  EXPECT_EQ(SentXids().front(), 4U);
  EXPECT_EQ(SentXids().back(), kIntakeMax + 3);
}

// A disk that is slow, not broken: Replies wait up to the bound, then packets do.
TEST_F(Dhcp6ServiceTest, NoMoreRepliesWaitThanThereIsRoomFor) {
  driver_->buffers.resize(kPacketsPerTurnMax);
  constexpr std::uint32_t kMore = 5;
  for (std::uint32_t xid = 1; xid <= kRepliesWaitingMax + kMore; ++xid) {
    Ask(xid);
    if (xid % 500 == 0) {
      Turn();
    }
  }
  Turn();
  EXPECT_EQ(service_.waiting().waiting.value(), kRepliesWaitingMax);
  EXPECT_EQ(service_.intake().packets_waiting.value(), kMore);
  AllDurable();
  // Each record but the last has been overtaken; places are free again two turns later.
  EXPECT_EQ(service_.waiting().dropped_stale.value(), kRepliesWaitingMax - 1);
  Turn();
  Turn();
  EXPECT_EQ(service_.intake().packets_waiting.value(), 0U);
  EXPECT_EQ(service_.intake().dropped_oldest.value(), 0U);
}

// A disk that is broken: nothing is promised, and nothing offered; all is well again without a
// restart.
TEST_F(Dhcp6ServiceTest, FailingJournalGetsNoAnswer) {
  facts_.SetFailing(true);
  Solicit(1);
  Ask(2);
  AllDurable();
  Turn();
  EXPECT_TRUE(driver_->sent.empty());
  EXPECT_EQ(service_.counters().dropped_journal_down.value(), 2U);
  facts_.SetFailing(false);
  Solicit(3);
  EXPECT_EQ(SentXids(), std::vector<std::uint32_t>{3});
}

TEST_F(Dhcp6ServiceTest, FullJournalQueueGetsNoReply) {
  facts_.SetFull(true);
  Ask(1);
  facts_.SetFull(false);
  Turn();
  AllDurable();
  EXPECT_TRUE(driver_->sent.empty());
  EXPECT_EQ(service_.counters().dropped_queue_full.value(), 1U);
}

TEST_F(Dhcp6ServiceTest, ReplyOfABindingThatMovedOnIsDropped) {
  Ask(1);
  const lease::Lease* const lease = lab_.table.ByAddress(around_.peers.told.at(0).address);
  ASSERT_NE(lease, nullptr);
  Release(2, lease->address.v6());
  AllDurable();
  EXPECT_EQ(SentXids(), std::vector<std::uint32_t>{2});
  EXPECT_EQ(service_.waiting().dropped_stale.value(), 1U);
}

TEST_F(Dhcp6ServiceTest, ReplyWaitsForRoomInTheDriver) {
  Ask(1);
  driver_->full = true;
  AllDurable();
  EXPECT_TRUE(driver_->sent.empty());
  EXPECT_EQ(service_.waiting().waiting.value(), 1U);
  driver_->full = false;
  Turn();
  EXPECT_TRUE(driver_->asked_to_look);
  EXPECT_EQ(SentXids(), std::vector<std::uint32_t>{1});
  EXPECT_EQ(service_.counters().dropped_send.value(), 0U);
}

TEST_F(Dhcp6ServiceTest, WhatIsLongerThanOurBuffersIsDropped) {
  Receive(Request6(MessageType6::kSolicit, 1).Client(duid_).IaNa().Build(), true);
  EXPECT_TRUE(driver_->sent.empty());
  EXPECT_EQ(service_.intake().dropped_truncated.value(), 1U);
}

}  // namespace
}  // namespace slipway::service
