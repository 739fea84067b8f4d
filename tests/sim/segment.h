// One simulated Ethernet segment, and a packet driver on it. Frames are lost, doubled, delayed and
// reordered as the world's generator says.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "dataplane/net/frame.h"
#include "dataplane/shard/driver.h"
#include "tests/sim/world.h"

namespace slipway::sim {

using Frame = std::vector<std::byte>;

class Station {
 public:
  virtual ~Station() = default;
  virtual void OnFrame(const Frame& frame) = 0;
};

struct SegmentFaults {
  std::uint64_t lose_one_in = 0;  // 0: never
  std::uint64_t double_one_in = 0;
  Duration delay_max = Duration::Micros(200);
};

class Segment {
 public:
  explicit Segment(World* world) : world_(world) {}

  // A client is spared the broadcasts to servers: of ten thousand each would hear all others'.
  void Attach(MacAddress mac, Station* station, bool is_client = false) {
    stations_[mac] = station;
    if (!is_client) {
      servers_.insert(mac);
    }
  }

  void Detach(MacAddress mac) {
    stations_.erase(mac);
    servers_.erase(mac);
  }

  void SetFaults(const SegmentFaults& faults) { faults_ = faults; }

  // To one station, or to all but the sender.
  void Send(MacAddress from, Frame frame);

  // What a real segment learns by ARP.
  void SetAddress(Ipv4Address address, MacAddress mac) { addresses_[address] = mac; }

  // The way to addresses that are not on the segment.
  void SetRouter(MacAddress mac) { router_ = mac; }

  [[nodiscard]] MacAddress MacOf(Ipv4Address address) const;

 private:
  void Deliver(MacAddress to, const Frame& frame);

  World* world_;
  SegmentFaults faults_;
  std::map<MacAddress, Station*> stations_;
  std::set<MacAddress> servers_;
  std::map<Ipv4Address, MacAddress> addresses_;
  MacAddress router_;
};

// shard::Driver on a segment, for one host with one interface. Watches are polled for real: the
// eventfds behind mailboxes are deterministic in one thread.
class SimDriver final : public shard::Driver, public Station {
 public:
  SimDriver(World* world, Clock* clock, Segment* segment, MacAddress mac, Ipv4Address address,
            std::uint32_t ifindex);
  ~SimDriver() override;

  void OnFrame(const Frame& frame) override;

  // Called when a frame arrives for a driver that had none waiting.
  void SetWaker(std::function<void()> waker) { waker_ = std::move(waker); }

  // Sees each frame that leaves.
  void SetTap(std::function<void(const Frame&)> tap) { tap_ = std::move(tap); }

  // Something waits for a turn.
  [[nodiscard]] bool pending() const;

  // A UDP port of the host: in place of AddUdp, which takes a real socket.
  [[nodiscard]] shard::PortId BindUdp(std::uint16_t port, shard::PacketHandler* handler);
  // The raw port.
  [[nodiscard]] shard::PortId BindRaw();

  [[nodiscard]] std::string_view name() const noexcept override { return "sim"; }

  [[nodiscard]] Result<shard::PortId> AddUdp(int fd, shard::PacketHandler* handler) override;
  [[nodiscard]] Result<shard::PortId> AddRaw(int fd) override;
  [[nodiscard]] Result<shard::WatchId> AddWatch(int fd, std::uint32_t events,
                                                shard::WatchHandler* handler) override;
  [[nodiscard]] Result<void> ChangeWatch(shard::WatchId watch, std::uint32_t events) override;
  void RemoveWatch(shard::WatchId watch) override;
  [[nodiscard]] MutableByteSpan AllocateTx() override;
  [[nodiscard]] bool Send(shard::PortId port, const shard::Outgoing& out) override;
  [[nodiscard]] Result<Instant> Turn(Instant deadline) override;

  [[nodiscard]] const shard::DriverCounters& counters() const noexcept override {
    return counters_;
  }

 private:
  struct Port {
    std::uint16_t number = 0;  // 0: raw
    shard::PacketHandler* handler = nullptr;
  };

  struct Watch {
    int fd = -1;
    std::uint32_t events = 0;
    shard::WatchHandler* handler = nullptr;
  };

  void DeliverPackets(Instant now);

  void Emit(Frame frame);

  World* world_;
  Clock* clock_;
  Segment* segment_;
  std::function<void()> waker_;
  std::function<void(const Frame&)> tap_;
  MacAddress mac_;
  Ipv4Address address_;
  std::uint32_t ifindex_;
  std::vector<Port> ports_;
  std::map<shard::WatchId, Watch> watches_;
  shard::WatchId next_watch_ = 0;
  std::deque<Frame> received_;
  std::deque<std::vector<std::byte>> transmit_;
  shard::DriverCounters counters_;
};

}  // namespace slipway::sim
