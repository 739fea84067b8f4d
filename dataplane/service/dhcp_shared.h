// What the DHCPv4 and DHCPv6 services of a shard share: the live snapshot, which the lease table
// follows, time as leases need it, and the ways of records, boot steps and peers out of the shard.
#pragma once

#include <cstdint>
#include <span>

#include "dataplane/base/address.h"
#include "dataplane/base/counter.h"
#include "dataplane/base/seams.h"
#include "dataplane/boot/step.h"
#include "dataplane/lease/lease_clock.h"
#include "dataplane/lease/lease_table.h"
#include "dataplane/service/address_book.h"
#include "dataplane/service/fact_port.h"
#include "dataplane/service/lease_log.h"
#include "dataplane/service/pair_service.h"
#include "dataplane/service/rack_event.h"
#include "dataplane/service/serving.h"

namespace slipway::service {

// Counted by each of the services for itself.
struct DhcpServiceCounters {
  Counter replies_sent;
  Counter dropped_queue_full;    // the journal's queue is full
  Counter dropped_journal_down;  // the journal cannot write: nothing is promised
  Counter dropped_send;          // the driver took it not
  Counter before_snapshot;       // packets before there was a snapshot
  Counter foreign_probes;        // questions by which foreign servers are found
};

// Thread: the shard that owns the link groups.
class DhcpShared {
 public:
  struct Parts {
    const ServingView* serving = nullptr;
    lease::LeaseTable* leases = nullptr;
    FactPort* facts = nullptr;
    PeerSink* peers = nullptr;
    EventSink* events = nullptr;
    Clock* clock = nullptr;
    PairService* pair = nullptr;  // nullptr: this rack is alone
  };

  // All parts outlive this.
  explicit DhcpShared(const Parts& parts)
      : parts_(parts),
        log_(parts.facts, parts.leases, parts.pair == nullptr ? nullptr : &parts.pair->core()) {}

  // The snapshot to answer from, with the lease table brought up to it; null if there is none yet.
  [[nodiscard]] const Serving* Follow() {
    const Serving* const serving = parts_.serving->current();
    if (serving == nullptr || !serving->snapshot) {
      return nullptr;
    }
    if (generation_ != parts_.serving->generation()) {
      generation_ = parts_.serving->generation();
      (void)parts_.leases->Rebuild(*serving->snapshot);
      if (parts_.pair != nullptr) {
        parts_.pair->Follow();
      }
    }
    return serving;
  }

  [[nodiscard]] lease::Now ReadNow(Instant now);

  // The way of a lease's record to the disk, and what becomes of a reply that waits for it.
  [[nodiscard]] LeaseLog& log() noexcept { return log_; }

  // The journal cannot write at present: promise nothing.
  [[nodiscard]] bool failing() const noexcept { return parts_.facts->failing(); }

  void Record(std::span<const boot::BootStep> steps);

  // The other services know the holder of a bound address by it.
  void TellHolder(const IpAddress& address, std::uint32_t ifindex);

  [[nodiscard]] lease::LeaseTable& leases() const noexcept { return *parts_.leases; }

  [[nodiscard]] PeerSink& peers() const noexcept { return *parts_.peers; }

  [[nodiscard]] EventSink& events() const noexcept { return *parts_.events; }

  // Boot steps that the journal's queue had no room for.
  [[nodiscard]] const Counter& steps_dropped() const noexcept { return steps_dropped_; }

 private:
  Parts parts_;
  LeaseLog log_;
  std::uint64_t generation_ = 0;  // of the hand-over that the lease table follows
  bool wall_asked_once_ = false;
  bool wall_synchronised_ = false;  // as of wall_asked_: too dear to ask for each batch
  Instant wall_asked_;
  boot::StepEncoder step_encoder_;
  Counter steps_dropped_;
};

}  // namespace slipway::service
