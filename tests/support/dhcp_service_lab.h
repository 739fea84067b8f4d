// What stands around a DHCP service in unit tests: a driver, a shard, a snapshot on one served
// link, a journal that is durable when the test says so, and nobody who listens.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "dataplane/service/dhcp_shared.h"
#include "dataplane/shard/shard.h"
#include "tests/support/fake_fact_port.h"

namespace slipway::test {

// Gives out a number of transmit buffers for each turn and keeps what is sent.
class FakeDriver final : public shard::Driver {
 public:
  struct Datagram {
    shard::PortId port = 0;
    std::vector<std::byte> bytes;
    IpAddress destination;
    std::uint16_t destination_port = 0;
    std::uint32_t ifindex = 0;
  };

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
    if (full) {
      counters_.send_dropped.Add();
      return false;
    }
    sent.push_back({.port = port,
                    .bytes = {out.data.begin(), out.data.end()},
                    .destination = out.destination,
                    .destination_port = out.destination_port,
                    .ifindex = out.ifindex});
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
  std::vector<Datagram> sent;
  bool full = false;  // takes nothing more to send
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

class KeptEvents final : public service::EventSink {
 public:
  void Report(service::EventCode code, std::string_view subject, std::string_view detail) override {
    told.push_back({code, std::string(subject), std::string(detail)});
  }

  struct Told {
    service::EventCode code;
    std::string subject;
    std::string detail;
  };

  std::vector<Told> told;
};

class KeptPeers final : public service::PeerSink {
 public:
  void OnPeer(const service::Peer& peer) override { told.push_back(peer); }

  std::vector<service::Peer> told;
};

inline constexpr std::uint32_t kServiceIfindex = 2;

class DhcpServiceLab {
 public:
  // `link` has the rack's addresses there; the snapshot and the table outlive this.
  DhcpServiceLab(config::SnapshotRef snapshot, lease::LeaseTable* table,
                 const service::ServedLink& link) {
    auto owned = std::make_unique<FakeDriver>();
    driver = owned.get();
    shard = *shard::Shard::Create({.timers_max = 8}, std::move(owned), driver->now);
    view = *service::ServingView::Create();
    serving.snapshot = std::move(snapshot);
    (void)serving.links.Add(link);
    (void)view->Publish(&serving, 1);
    view->OnReady(0, 0, driver->now);
    shared = std::make_unique<service::DhcpShared>(service::DhcpShared::Parts{.serving = view.get(),
                                                                              .leases = table,
                                                                              .facts = &facts,
                                                                              .peers = &peers,
                                                                              .events = &events,
                                                                              .clock = &clock});
  }

  testing_support::FakeFactPort facts;
  FakeClock clock;
  KeptPeers peers;
  KeptEvents events;
  FakeDriver* driver = nullptr;
  std::unique_ptr<shard::Shard> shard;
  service::Serving serving;
  std::unique_ptr<service::ServingView> view;
  std::unique_ptr<service::DhcpShared> shared;
};

}  // namespace slipway::test
