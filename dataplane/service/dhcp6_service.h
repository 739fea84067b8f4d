// Binds the DHCPv6 engine to a driver and the journal: batches in, replies out, a Reply only after
// its record is durable. Decides nothing about the protocol. Runs beside DhcpService, on the same
// lease table; that one ends what is due for both.
#pragma once

#include <array>
#include <cstdint>

#include "dataplane/base/counter.h"
#include "dataplane/base/seams.h"
#include "dataplane/dhcp/engine6.h"
#include "dataplane/service/address_book.h"
#include "dataplane/service/fact_port.h"
#include "dataplane/service/serving.h"
#include "dataplane/service/waiting_replies.h"
#include "dataplane/shard/shard.h"

namespace slipway::service {

struct Dhcp6ServiceCounters {
  Counter replies_sent;
  Counter replies_waiting;       // now
  Counter dropped_queue_full;    // no room to wait, or the journal's queue is full
  Counter dropped_journal_down;  // the journal cannot write: nothing is promised
  Counter dropped_send;          // no transmit buffer
  Counter dropped_stale;         // the binding moved on while its Reply waited
  Counter dropped_truncated;     // longer than our buffers
  Counter steps_dropped;
  Counter before_snapshot;  // packets before there was a snapshot
};

// Thread: the shard that owns the link groups.
class Dhcp6Service final : public shard::PacketHandler,
                           public shard::TurnHook,
                           public FactListener {
 public:
  struct Parts {
    shard::Shard* shard = nullptr;
    const ServingView* serving = nullptr;
    dhcp::Dhcp6Engine* engine = nullptr;
    lease::LeaseTable* leases = nullptr;
    FactPort* facts = nullptr;
    PeerSink* peers = nullptr;
    Clock* clock = nullptr;
  };

  // All parts outlive the service.
  explicit Dhcp6Service(const Parts& parts) : parts_(parts) {}

  // Before the loop: the port that AddUdp gave for this handler; hooks the service to the shard.
  [[nodiscard]] Result<void> Start(shard::PortId udp_port);

  void OnPackets(shard::PortId port, std::span<shard::Packet> packets, Instant now) override;
  void OnTurn(Instant now) override;
  void OnDurable(std::uint64_t durable, Instant now) override;

  [[nodiscard]] const Dhcp6ServiceCounters& counters() const noexcept { return counters_; }

 private:
  struct Held {
    std::uint64_t position = 0;
    dhcp::Ticket ticket;
    dhcp::Reply6 reply;
    std::uint32_t ifindex = 0;
    std::array<std::byte, dhcp::kMessage6BytesMax> bytes;
  };

  void OnPacket(const shard::Packet& packet, const Serving& serving, const lease::Now& now);
  void Dispatch(Held& held);
  // False: no transmit buffer was free.
  [[nodiscard]] bool Transmit(const Held& held);
  [[nodiscard]] lease::Now ReadNow(Instant now);
  void RecordSteps();
  void TellPeers(const Held& held);
  void ReleaseDurable();

  Parts parts_;
  shard::PortId udp_port_ = 0;
  dhcp::Effects6 effects_;
  boot::StepEncoder step_encoder_;
  WaitingReplies<Held> waiting_;
  std::uint64_t generation_ = 0;    // of the hand-over that the lease table follows
  bool wall_synchronised_ = false;  // as of wall_asked_: too dear to ask for each batch
  Instant wall_asked_;
  std::uint64_t durable_ = 0;  // what OnDurable said last
  Dhcp6ServiceCounters counters_;
};

}  // namespace slipway::service
