// A rack: its host (disk, clock, the wire's end) and the process on it, which may die at any time.
// The process is the real one but for its threads and sockets.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "dataplane/base/log.h"
#include "dataplane/lease/pair_rules.h"
#include "dataplane/link/rack_core.h"
#include "dataplane/service/inventory_sink.h"
#include "tests/sim/judge.h"
#include "tests/sim/pair_wire.h"
#include "tests/sim/segment.h"
#include "tests/sim/wire.h"
#include "tests/support/memory_disk.h"

namespace slipway::sim {

inline constexpr std::string_view kServedName = "lan0";
inline constexpr std::uint32_t kServedIndex = 2;
inline constexpr int kMcltSeconds = 30;  // of a pair

// Lines of the nodes' logs, in the world's.
class WorldLog final : public LogSink {
 public:
  WorldLog(World* world, std::string_view node) : world_(world), node_(node) {}

  void Write(LogLevel /*level*/, std::string_view id, std::string_view text) override {
    world_->Log(node_ + " " + std::string(id) + ": " + std::string(text));
  }

 private:
  World* world_;
  std::string node_;
};

class RackNode final : public WireEnd, public PairWireEnd {
 public:
  struct Parts {
    World* world = nullptr;
    Segment* segment = nullptr;
    Judge* judge = nullptr;
    Wire* wire = nullptr;
    PairWire* pair_wire = nullptr;  // null: it has no partner
  };

  struct Place {
    RackIndex index = 0;
    std::string name;
    MacAddress mac;
    IpPrefix address;  // on its segment
    link::PublicKey own_key;
    link::PublicKey token_key;
    std::uint32_t leases_max = 1024;
  };

  RackNode(const Parts& parts, const Place& place, std::uint64_t seed);
  ~RackNode() override;

  // Until the disk lets it start, once a second.
  void Start();
  // kill -9; with `power`, what was not synced is lost or torn.
  void Kill(bool power);
  // Kill with power, and another boot of the host. The clock may be wrong until it is set.
  void Reboot(Duration wall_error, bool synchronised);

  [[nodiscard]] bool is_up() const { return process_ != nullptr; }

  [[nodiscard]] const std::string& name() const { return place_.name; }

  [[nodiscard]] Ipv4Address address() const { return place_.address.address.v4(); }

  // What iPXE gets at the address: the boot script. Empty if the rack has none for it now.
  [[nodiscard]] std::string FetchScript(Ipv4Address address);
  // As a launcher posts it. `done` says what the rack says; kAccepted when it is durable. Never
  // called if the rack dies.
  using PostDone = std::function<void(service::InventoryVerdict)>;
  void PostInventory(Ipv4Address address, std::string_view token, std::string document,
                     PostDone done);

  void OnWireMessage(ConnectionId connection, ByteSpan message) override;
  void OnWireClosed(ConnectionId connection, std::string_view reason) override;
  void OnPairMessage(ByteSpan message) override;
  void OnPairDown() override;

  // It sleeps: nothing is done, what arrives waits.
  void Pause(Duration span);
  // As it answers the region's pair.show; empty: it does not.
  [[nodiscard]] std::string PairJson() const;
  [[nodiscard]] lease::PairState pair_state() const;

  [[nodiscard]] test::MemoryDisk& disk() { return disk_; }

  [[nodiscard]] SimClock& clock() { return clock_; }

  // ---- looking, while it is up ----
  [[nodiscard]] link::GenerationState live();
  [[nodiscard]] bool link_up() const;
  // All committed facts are acknowledged, nothing waits.
  [[nodiscard]] bool outbox_empty();
  [[nodiscard]] bool journal_failing() const;
  // Replies that wait for a disk, this rack's or its partner's.
  [[nodiscard]] std::uint64_t replies_waiting() const;
  [[nodiscard]] std::uint32_t leases_bound() const;
  [[nodiscard]] std::uint64_t checkpoints() const;
  // Everything that was taken is given back: timers, held replies, inventories, and what the lease
  // table says of itself.
  void CheckAtRest();
  // All promises are in the table.
  void CheckLeases();

 private:
  struct Process;

  [[nodiscard]] bool TryStart();
  void Tick();
  // For the process that lives now.
  void Later(Duration delay, World::Event event);

  Parts parts_;
  Place place_;
  SeededRandom random_;
  test::MemoryDisk disk_;
  SimClock clock_;
  WorldLog log_;
  bool enrolled_ = false;
  std::uint64_t life_ = 0;
  Instant asleep_until_;  // the world's time
  std::unique_ptr<Process> process_;
};

}  // namespace slipway::sim
