// The way of a lease's record: into the journal, and with a pair of racks to the partner as well
// (docs/adr/0009-pair-of-racks.md). All services that change leases log them here.
#pragma once

#include <cstdint>

#include "dataplane/dhcp/engine.h"
#include "dataplane/lease/lease_table.h"
#include "dataplane/lease/pair_core.h"
#include "dataplane/service/fact_port.h"

namespace slipway::service {

// One per service; the shard's thread.
class LeaseLog {
 public:
  using Leave = lease::PairCore::Leave;

  // All outlive the log. `pair` nullptr: this rack is alone.
  LeaseLog(FactPort* facts, const lease::LeaseTable* leases, lease::PairCore* pair) noexcept
      : facts_(facts), leases_(leases), pair_(pair) {}

  // False: there is no room, so that nothing is promised and no reply may leave. Otherwise the
  // record is durable once OnDurable has passed `position`.
  [[nodiscard]] bool Log(const IpAddress& address, ByteSpan record, std::uint64_t& position);

  // What becomes of a reply that waited for the record of `ticket`, which is durable here.
  [[nodiscard]] Leave MayLeave(const dhcp::Ticket& ticket, Instant now) const {
    // The client may have released the address, or asked again, while its record was on its way:
    // each change of a binding has a version of its own.
    const lease::Lease* const lease = leases_->ByAddress(ticket.address);
    if (lease == nullptr || lease->version != ticket.version) {
      return Leave::kDrop;
    }
    // An end waits for this rack's disk only.
    if (pair_ == nullptr || lease->state != lease::State::kBound) {
      return Leave::kSend;
    }
    return pair_->MayLeave(lease, ticket.version, now);
  }

 private:
  [[nodiscard]] bool IsPaired() const noexcept {
    return pair_ != nullptr && pair_->state() != lease::PairState::kOff;
  }

  FactPort* facts_;
  const lease::LeaseTable* leases_;
  lease::PairCore* pair_;
};

}  // namespace slipway::service
