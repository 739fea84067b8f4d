// Binds the DHCPv4 engine to a driver and the journal: batches in, replies out, an ACK only after
// its record is durable. Decides nothing about the protocol.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>

#include "dataplane/base/address.h"
#include "dataplane/base/counter.h"
#include "dataplane/base/limits.h"
#include "dataplane/base/seams.h"
#include "dataplane/dhcp/engine.h"
#include "dataplane/net/frame.h"
#include "dataplane/service/address_book.h"
#include "dataplane/service/dhcp_watch.h"
#include "dataplane/service/fact_port.h"
#include "dataplane/service/packet_log.h"
#include "dataplane/service/rack_event.h"
#include "dataplane/service/serving.h"
#include "dataplane/shard/shard.h"

namespace slipway::service {

// Replies that may wait for their record at one time: at 100,000 exchanges a second, 80 ms of disk.
inline constexpr std::uint32_t kRepliesWaitingMax = 8192;
// Packets that may wait for their turn, taken out of the socket's buffer meanwhile. When it is full
// the oldest is dropped: its client has waited longest, and will ask again soonest.
inline constexpr std::uint32_t kIntakeMax = 4096;
// Packets decided about in one turn; what comes on top of it waits.
inline constexpr std::uint32_t kPacketsPerTurnMax = 512;
inline constexpr std::uint32_t kExpiriesPerTickMax = 4096;
inline constexpr Duration kDhcpTick = Duration::Millis(500);
// Pool positions per tick that are looked at for reservations that are gone.
inline constexpr std::uint32_t kMaintainPerTick = 1024;
// Pools per tick that are looked at for how full they are.
inline constexpr std::size_t kPoolsPerTick = 64;

struct DhcpServiceCounters {
  Counter replies_sent;
  Counter replies_waiting;       // now
  Counter dropped_queue_full;    // the journal's queue is full
  Counter dropped_oldest;        // waited for their turn when kIntakeMax newer ones came
  Counter packets_waiting;       // now: for their turn
  Counter dropped_journal_down;  // the journal cannot write: nothing is promised
  Counter dropped_send;          // the driver took it not
  Counter dropped_stale;         // the binding moved on while its ACK waited
  Counter steps_dropped;
  Counter before_snapshot;  // packets before there was a snapshot
  Counter foreign_probes;
};

// Thread: the shard that owns the link groups.
class DhcpService final : public shard::PacketHandler,
                          public shard::TimerHandler,
                          public shard::TurnHook,
                          public FactListener {
 public:
  struct Parts {
    shard::Shard* shard = nullptr;
    shard::PortId raw_port = 0;
    const ServingView* serving = nullptr;
    dhcp::Dhcp4Engine* engine = nullptr;
    lease::LeaseTable* leases = nullptr;
    FactPort* facts = nullptr;
    PeerSink* peers = nullptr;
    EventSink* events = nullptr;
    Clock* clock = nullptr;
    PacketLog* packets = nullptr;
    DhcpWatch* watch = nullptr;
    Duration probe_interval{};  // for foreign servers; 0: never
  };

  // All parts outlive the service.
  explicit DhcpService(const Parts& parts);

  // What AddUdp gave for this handler.
  struct Ports {
    shard::PortId dhcp = 0;                    // 67
    shard::PortId boot_server = 0;             // 4011
    std::optional<shard::PortId> arp_replies;  // none: nobody hears the answers to probes
  };

  // Before the loop; hooks the service to the shard.
  [[nodiscard]] Result<void> Start(const Ports& ports, Instant now);

  void OnPackets(shard::PortId port, std::span<shard::Packet> packets, Instant now) override;
  void OnTimer(std::uint64_t cookie, Instant now) override;
  void OnTurn(Instant now) override;
  void OnDurable(std::uint64_t durable, Instant now) override;

  [[nodiscard]] const DhcpServiceCounters& counters() const noexcept { return counters_; }

 private:
  // A reply with room for frame headers in front. Only what is used of it is ever written.
  using ReplyBuffer = std::array<std::byte, net::kUdp4FrameHeaderBytes + dhcp::kMessageBytesMax>;

  // Where a reply goes.
  struct Envelope {
    dhcp::Reply reply;
    std::uint32_t ifindex = 0;
    shard::PortId port = 0;  // where the request came in
    MacAddress source_mac;
  };

  struct Held {
    std::uint64_t position;
    dhcp::Ticket ticket;
    Envelope envelope;
    ReplyBuffer bytes;
  };

  // A packet that waits for its turn.
  struct Kept {
    std::uint32_t size;
    shard::PortId port;
    std::uint32_t ifindex;
    IpAddress source;
    IpAddress destination;
    std::uint16_t source_port;
    std::array<std::byte, limits::kPacketBytesMax> bytes;
  };

  // The snapshot to answer from; null if there is none yet.
  [[nodiscard]] const Serving* Follow();
  // A packet can be decided about now: there is room for whatever comes of it.
  [[nodiscard]] bool HasRoom();
  void Keep(shard::PortId port, const shard::Packet& packet);
  void WorkOff(Instant now);
  // REQUIRES: HasRoom.
  void OnPacket(shard::PortId port, const shard::Packet& packet, const Serving& serving,
                const lease::Now& now);
  void Dispatch(shard::PortId port, const ServedLink& link);

  [[nodiscard]] std::uint32_t HeldUsed() const noexcept {
    return held_count_ + held_released_ + held_sending_;
  }

  void Hold(const Envelope& envelope, std::uint64_t position);
  enum class Sent : std::uint8_t { kQueued, kFull, kRefused };

  // `bytes` has the reply's message behind the room for headers, and is left alone until the
  // driver's next turn has ended.
  [[nodiscard]] Sent Transmit(const Envelope& envelope, MutableByteSpan bytes);
  void ReleaseDurable();
  void Expire(const lease::Now& now);
  void Maintain(const Serving& serving);
  void ProbeForeign(const Serving& serving, Instant now);
  void SendProbe(const ServedLink& link);
  void OnArpReplies(std::span<shard::Packet> packets, Instant now);
  void RecordSteps();
  void KeepPacket(shard::PortId port, const shard::Packet& packet, const lease::Now& now);
  void TellPeers(const ServedLink& link);
  [[nodiscard]] lease::Now ReadNow(Instant now) const;

  Parts parts_;
  Ports ports_;
  Instant probe_due_;
  bool wall_synchronised_ = false;  // as of the last tick: too dear to ask for each batch
  std::uint64_t generation_ = 0;    // of the hand-over that the lease table follows
  dhcp::Effects effects_;
  boot::StepEncoder step_encoder_;
  MutableByteSpan tx_;  // a transmit buffer of this turn that is not used yet
  std::uint32_t turn_packets_ = 0;
  std::unique_ptr<Kept[]> intake_;  // a ring of kIntakeMax, oldest at intake_head_
  std::uint32_t intake_head_ = 0;
  std::uint32_t intake_count_ = 0;
  std::unique_ptr<Held[]> held_;  // a ring of kRepliesWaitingMax, oldest at held_head_
  std::uint32_t held_head_ = 0;
  std::uint32_t held_count_ = 0;
  // Before held_head_: the driver may still read them.
  std::uint32_t held_released_ = 0;  // since the last turn's end
  std::uint32_t held_sending_ = 0;   // in the turn before that
  std::uint64_t durable_ = 0;        // what OnDurable said last
  DhcpServiceCounters counters_;
};

}  // namespace slipway::service
