#include "dataplane/service/dhcp_service.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "tests/support/dhcp_lab.h"
#include "tests/support/dhcp_service_lab.h"

namespace slipway::service {
namespace {

using test::Request;

ServedLink Link() {
  ServedLink link{.ifindex = test::kServiceIfindex,
                  .name = {},
                  .mac = {},
                  .vlan = test::kVlan,
                  .addresses = {}};
  (void)link.addresses.push_back(*IpPrefix::Parse("10.77.0.1/24"));
  return link;
}

class DhcpServiceTest : public ::testing::Test {
 protected:
  DhcpServiceTest() {
    // The client was offered its address a moment ago: the question on the wire that goes with a
    // first offer is out already, and takes no buffer in what follows.
    EXPECT_EQ(lab_.Handle(Request(dhcp::MessageType::kDiscover, mac_, 0).Build()),
              dhcp::Reason::kOffered);
    service_ = std::make_unique<DhcpService>(DhcpService::Parts{.shard = around_.shard.get(),
                                                                .raw_port = 1,
                                                                .shared = around_.shared.get(),
                                                                .engine = &lab_.engine,
                                                                .packets = &packets_,
                                                                .watch = &watch_});
    EXPECT_TRUE(service_->Start({.dhcp = 0, .boot_server = 2, .arp_replies = {}}, driver_->now)
                    .has_value());
  }

  void Receive(std::vector<std::byte> bytes) {
    shard::Packet packet;
    packet.data = bytes;
    packet.ifindex = 2;
    packet.source = Ipv4Address{};
    packet.destination = Ipv4Address{0xFFFF'FFFF};
    packet.source_port = 68;
    service_->OnPackets(0, std::span(&packet, 1), driver_->now);
  }

  void Discover(std::uint32_t xid) {
    Receive(Request(dhcp::MessageType::kDiscover, mac_, xid).Build());
  }

  void Ask(std::uint32_t xid) {
    Receive(Request(dhcp::MessageType::kRequest, mac_, xid)
                .Address(dhcp::Option::kRequestedAddress, test::kPoolFirst)
                .Address(dhcp::Option::kServerIdentifier, test::kRack)
                .Build());
  }

  void Turn() { ASSERT_TRUE(around_.shard->RunTurn().has_value()); }

  [[nodiscard]] std::vector<std::uint32_t> SentXids() const {
    std::vector<std::uint32_t> xids;
    for (const auto& datagram : driver_->sent) {
      const std::size_t skip = datagram.port == 1 ? net::kUdp4FrameHeaderBytes : 0;
      xids.push_back(LoadBig<std::uint32_t>(&datagram.bytes[skip + 4]));
    }
    return xids;
  }

  const MacAddress mac_ = MacAddress::FromU64(0x0200'0000'0001);
  test::DhcpLab lab_;
  test::DhcpServiceLab around_{lab_.snapshot, &lab_.table, Link()};
  testing_support::FakeFactPort& facts_ = around_.facts;
  test::FakeDriver* const driver_ = around_.driver;
  PacketLog packets_;
  DhcpWatch watch_{&around_.events, &lab_.table};
  std::unique_ptr<DhcpService> service_;
};

TEST_F(DhcpServiceTest, AckLeavesWhenItsRecordIsDurable) {
  Discover(1);
  Ask(2);
  Turn();
  EXPECT_EQ(SentXids(), std::vector<std::uint32_t>{1});
  EXPECT_EQ(service_->waiting().waiting.value(), 1U);
  service_->OnDurable(facts_.next_position(), driver_->now);
  EXPECT_EQ(SentXids(), (std::vector<std::uint32_t>{1, 2}));
  EXPECT_EQ(service_->waiting().waiting.value(), 0U);
}

TEST_F(DhcpServiceTest, PacketsBeyondTheTurnWaitAndKeepTheirOrder) {
  driver_->buffers.resize(2);
  for (std::uint32_t xid = 1; xid <= 5; ++xid) {
    Discover(xid);
  }
  EXPECT_EQ(SentXids(), (std::vector<std::uint32_t>{1, 2}));
  Turn();
  EXPECT_EQ(service_->intake().packets_waiting.value(), 1U);
  Turn();
  EXPECT_TRUE(driver_->asked_to_look);
  EXPECT_EQ(SentXids(), (std::vector<std::uint32_t>{1, 2, 3, 4, 5}));
  EXPECT_EQ(service_->intake().packets_waiting.value(), 0U);
}

TEST_F(DhcpServiceTest, FullIntakeDropsTheOldest) {
  driver_->buffers.clear();
  for (std::uint32_t xid = 1; xid <= kIntakeMax + 3; ++xid) {
    Discover(xid);
  }
  EXPECT_EQ(service_->intake().dropped_oldest.value(), 3U);
  driver_->buffers.resize(kPacketsPerTurnMax + 10);
  for (std::uint32_t i = 0; i < kIntakeMax / kPacketsPerTurnMax; ++i) {
    Turn();
  }
  ASSERT_EQ(driver_->sent.size(), kIntakeMax);
  EXPECT_EQ(SentXids().front(), 4U);
  EXPECT_EQ(SentXids().back(), kIntakeMax + 3);
}

// A disk that is slow, not broken: ACKs wait up to the bound, then packets do.
TEST_F(DhcpServiceTest, NoMoreRepliesWaitThanThereIsRoomFor) {
  driver_->buffers.resize(kPacketsPerTurnMax);
  Discover(0);
  constexpr std::uint32_t kMore = 5;
  for (std::uint32_t xid = 1; xid <= kRepliesWaitingMax + kMore; ++xid) {
    Ask(xid);
    if (xid % 500 == 0) {
      Turn();
    }
  }
  Turn();
  EXPECT_EQ(service_->waiting().waiting.value(), kRepliesWaitingMax);
  EXPECT_EQ(service_->intake().packets_waiting.value(), kMore);
  EXPECT_EQ(facts_.next_position(), kRepliesWaitingMax);
  // Each record but the last has been overtaken; places are free again two turns later.
  service_->OnDurable(facts_.next_position(), driver_->now);
  EXPECT_EQ(service_->waiting().dropped_stale.value(), kRepliesWaitingMax - 1);
  Turn();
  Turn();
  EXPECT_EQ(service_->intake().packets_waiting.value(), 0U);
  EXPECT_EQ(service_->intake().dropped_oldest.value(), 0U);
  // The offer, the ACK that stood, and what is durable by now is answered from memory.
  EXPECT_EQ(driver_->sent.size(), 2 + kMore);
}

}  // namespace
}  // namespace slipway::service
