#include "dataplane/service/dhcp_service.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "tests/support/dhcp_lab.h"
#include "tests/support/fake_fact_port.h"

namespace slipway::service {
namespace {

using test::Request;

// Gives out a number of transmit buffers for each turn and keeps what is sent.
class FakeDriver final : public shard::Driver {
 public:
  [[nodiscard]] std::string_view name() const noexcept override { return "fake"; }

  [[nodiscard]] Result<shard::PortId> AddUdp(int /*fd*/, shard::PacketHandler* /*h*/) override {
    return shard::PortId{0};
  }

  [[nodiscard]] Result<shard::PortId> AddRaw(int /*fd*/) override { return shard::PortId{1}; }

  [[nodiscard]] Result<shard::WatchId> AddWatch(int /*fd*/, std::uint32_t /*events*/,
                                                shard::WatchHandler* /*handler*/) override {
    return shard::WatchId{0};
  }

  [[nodiscard]] Result<void> ChangeWatch(shard::WatchId /*w*/, std::uint32_t /*events*/) override {
    return {};
  }

  void RemoveWatch(shard::WatchId /*watch*/) override {}

  [[nodiscard]] MutableByteSpan AllocateTx() override {
    if (used == buffers.size()) {
      return {};
    }
    return buffers[used++];
  }

  [[nodiscard]] bool Send(shard::PortId port, const shard::Outgoing& out) override {
    const std::size_t skip = port == 1 ? net::kUdp4FrameHeaderBytes : 0;
    sent.emplace_back(out.data.begin() + static_cast<std::ptrdiff_t>(skip), out.data.end());
    return true;
  }

  [[nodiscard]] Result<Instant> Turn(Instant deadline) override {
    used = 0;
    asked_to_look = deadline == Instant{0};
    return now;
  }

  [[nodiscard]] const shard::DriverCounters& counters() const noexcept override {
    return counters_;
  }

  std::vector<std::array<std::byte, shard::kTxBufferBytes>> buffers{64};
  std::size_t used = 0;
  std::vector<std::vector<std::byte>> sent;
  Instant now{1'000'000'000};
  bool asked_to_look = false;

 private:
  shard::DriverCounters counters_;
};

class FakeClock final : public Clock {
 public:
  [[nodiscard]] Instant Now() noexcept override { return {1'000'000'000}; }

  [[nodiscard]] WallTime WallNow() noexcept override { return {1'700'000'000'000'000'000}; }

  [[nodiscard]] bool WallIsSynchronised() noexcept override { return true; }

  [[nodiscard]] std::uint64_t BootId() noexcept override { return 7; }
};

class NoEvents final : public EventSink {
 public:
  void Report(EventCode /*code*/, std::string_view /*subject*/,
              std::string_view /*detail*/) override {}
};

class NoPeers final : public PeerSink {
 public:
  void OnPeer(const Peer& /*peer*/) override {}
};

class DhcpServiceTest : public ::testing::Test {
 protected:
  DhcpServiceTest() {
    // The client was offered its address a moment ago: the question on the wire that goes with a
    // first offer is out already, and takes no buffer in what follows.
    EXPECT_EQ(lab_.Handle(Request(dhcp::MessageType::kDiscover, mac_, 0).Build()),
              dhcp::Reason::kOffered);
    auto owned = std::make_unique<FakeDriver>();
    driver_ = owned.get();
    shard_ = *shard::Shard::Create({.timers_max = 8}, std::move(owned), driver_->now);
    view_ = *ServingView::Create();
    serving_.snapshot = lab_.snapshot;
    ServedLink link{.ifindex = 2, .name = {}, .mac = {}, .vlan = test::kVlan, .addresses = {}};
    (void)link.addresses.push_back(*IpPrefix::Parse("10.77.0.1/24"));
    (void)serving_.links.Add(link);
    (void)view_->Publish(&serving_, 1);
    view_->OnReady(0, 0, driver_->now);
    service_ = std::make_unique<DhcpService>(DhcpService::Parts{.shard = shard_.get(),
                                                                .raw_port = 1,
                                                                .serving = view_.get(),
                                                                .engine = &lab_.engine,
                                                                .leases = &lab_.table,
                                                                .facts = &facts_,
                                                                .peers = &peers_,
                                                                .events = &events_,
                                                                .clock = &clock_,
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

  void Turn() { ASSERT_TRUE(shard_->RunTurn().has_value()); }

  [[nodiscard]] std::vector<std::uint32_t> SentXids() const {
    std::vector<std::uint32_t> xids;
    for (const auto& message : driver_->sent) {
      xids.push_back(LoadBig<std::uint32_t>(&message[4]));
    }
    return xids;
  }

  const MacAddress mac_ = MacAddress::FromU64(0x0200'0000'0001);
  test::DhcpLab lab_;
  testing_support::FakeFactPort facts_;
  FakeClock clock_;
  NoPeers peers_;
  NoEvents events_;
  PacketLog packets_;
  DhcpWatch watch_{&events_, &lab_.table};
  FakeDriver* driver_ = nullptr;
  std::unique_ptr<shard::Shard> shard_;
  std::unique_ptr<ServingView> view_;
  Serving serving_;
  std::unique_ptr<DhcpService> service_;
};

TEST_F(DhcpServiceTest, AckLeavesWhenItsRecordIsDurable) {
  Discover(1);
  Ask(2);
  Turn();
  EXPECT_EQ(SentXids(), std::vector<std::uint32_t>{1});
  EXPECT_EQ(service_->counters().replies_waiting.value(), 1U);
  service_->OnDurable(facts_.next_position(), driver_->now);
  EXPECT_EQ(SentXids(), (std::vector<std::uint32_t>{1, 2}));
  EXPECT_EQ(service_->counters().replies_waiting.value(), 0U);
}

TEST_F(DhcpServiceTest, PacketsBeyondTheTurnWaitAndKeepTheirOrder) {
  driver_->buffers.resize(2);
  for (std::uint32_t xid = 1; xid <= 5; ++xid) {
    Discover(xid);
  }
  EXPECT_EQ(SentXids(), (std::vector<std::uint32_t>{1, 2}));
  Turn();
  EXPECT_EQ(service_->counters().packets_waiting.value(), 1U);
  Turn();
  EXPECT_TRUE(driver_->asked_to_look);
  EXPECT_EQ(SentXids(), (std::vector<std::uint32_t>{1, 2, 3, 4, 5}));
  EXPECT_EQ(service_->counters().packets_waiting.value(), 0U);
}

TEST_F(DhcpServiceTest, FullIntakeDropsTheOldest) {
  driver_->buffers.clear();
  for (std::uint32_t xid = 1; xid <= kIntakeMax + 3; ++xid) {
    Discover(xid);
  }
  EXPECT_EQ(service_->counters().dropped_oldest.value(), 3U);
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
  EXPECT_EQ(service_->counters().replies_waiting.value(), kRepliesWaitingMax);
  EXPECT_EQ(service_->counters().packets_waiting.value(), kMore);
  EXPECT_EQ(facts_.next_position(), kRepliesWaitingMax);
  // Each record but the last has been overtaken; places are free again two turns later.
  service_->OnDurable(facts_.next_position(), driver_->now);
  EXPECT_EQ(service_->counters().dropped_stale.value(), kRepliesWaitingMax - 1);
  Turn();
  Turn();
  EXPECT_EQ(service_->counters().packets_waiting.value(), 0U);
  EXPECT_EQ(service_->counters().dropped_oldest.value(), 0U);
  // The offer, the ACK that stood, and what is durable by now is answered from memory.
  EXPECT_EQ(driver_->sent.size(), 2 + kMore);
}

}  // namespace
}  // namespace slipway::service
