// The transport of the control link between one rack and the region: ordered bytes as TCP gives
// them, that stall in a partition, break, and now and then carry something else than was sent.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "dataplane/base/cursor.h"
#include "dataplane/link/interfaces.h"
#include "tests/sim/world.h"

namespace slipway::sim {

struct WireFaults {
  bool up_blocked = false;    // nothing from the rack arrives
  bool down_blocked = false;  // nothing from the region arrives
  std::uint64_t break_one_in = 0;
  std::uint64_t damage_one_in = 0;
  Duration delay_max = Duration::Millis(2);
};

using ConnectionId = std::uint64_t;

class WireEnd {
 public:
  virtual ~WireEnd() = default;
  virtual void OnWireMessage(ConnectionId connection, ByteSpan message) = 0;
  virtual void OnWireClosed(ConnectionId connection, std::string_view reason) = 0;
};

class RegionWireEnd : public WireEnd {
 public:
  // False: refused, for this reason.
  [[nodiscard]] virtual bool OnWireConnect(ConnectionId connection, const link::PublicKey& key) = 0;
};

class Wire {
 public:
  // `number` tells wires of one region apart, from 0.
  Wire(World* world, std::size_t number)
      : world_(world), last_(static_cast<ConnectionId>(number) << kNumberShift) {}

  [[nodiscard]] static std::size_t NumberOf(ConnectionId connection) {
    return static_cast<std::size_t>(connection >> kNumberShift);
  }

  void SetFaults(const WireFaults& faults) { faults_ = faults; }

  [[nodiscard]] const WireFaults& faults() const { return faults_; }

  // Null: nobody listens there now; all its connections are reset.
  void SetRack(WireEnd* rack);
  void SetRegion(RegionWireEnd* region);

  [[nodiscard]] ConnectionId Connect(const link::PublicKey& key);
  // False if the connection is closed or its queue is full.
  [[nodiscard]] bool Send(ConnectionId connection, bool up, ByteSpan message);
  // By one end: what it has queued is dropped, the other end hears of it if anything gets through.
  void Close(ConnectionId connection, bool by_rack);

 private:
  static constexpr std::size_t kQueueMax = 1000;
  static constexpr unsigned kNumberShift = 32;

  struct Direction {
    std::deque<std::vector<std::byte>> queue;
    bool pumping = false;
  };

  struct Connection {
    link::PublicKey key;
    bool accepted = false;
    bool rack_open = true;
    bool region_open = false;
    Direction up;
    Direction down;
  };

  void Shake(ConnectionId id);
  void Pump(ConnectionId id, bool up);
  void Deliver(ConnectionId id, bool up, std::vector<std::byte> message);
  void TellClosed(ConnectionId id, bool rack, std::string reason);
  [[nodiscard]] Connection* Find(ConnectionId id);

  [[nodiscard]] bool blocked() const { return faults_.up_blocked || faults_.down_blocked; }

  [[nodiscard]] Duration Delay();

  World* world_;
  WireFaults faults_;
  WireEnd* rack_ = nullptr;
  RegionWireEnd* region_ = nullptr;
  std::map<ConnectionId, std::unique_ptr<Connection>> connections_;
  ConnectionId last_;
};

}  // namespace slipway::sim
