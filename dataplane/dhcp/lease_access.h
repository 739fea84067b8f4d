// The lease table as both engines use it for one packet: for real, or as Explain does, which only
// looks and takes the rules down. No other file of this folder changes the table for a client.
// Internal to dataplane/dhcp.
#pragma once

#include "dataplane/config/snapshot.h"
#include "dataplane/dhcp/conflict_probes.h"
#include "dataplane/dhcp/trace.h"
#include "dataplane/lease/lease_table.h"

namespace slipway::dhcp {

class LeaseAccess {
 public:
  // All outlive this. `trace` nullptr: for real.
  LeaseAccess(lease::LeaseTable* leases, const config::Snapshot* snapshot, Instant now,
              DecisionTrace* trace) noexcept
      : leases_(leases), snapshot_(snapshot), now_(now), trace_(trace) {}

  // An address held for the client. Errors as LeaseTable::Offer.
  [[nodiscard]] Result<IpAddress> Offer(const lease::OfferRequest& request);
  // The address was offered or leased to this client.
  [[nodiscard]] bool IsClients(const lease::Client& client, const IpAddress& address);
  // Takes on an address that we lost track of, and that nobody else has.
  [[nodiscard]] bool Claim(const lease::OfferRequest& request, const IpAddress& address);

  struct Bound {
    bool needs_record = false;
    const lease::Lease* lease = nullptr;  // nullptr: only looked at
  };

  [[nodiscard]] Result<Bound> Bind(const lease::Client& client, const IpAddress& address,
                                   Duration lease, const lease::LeaseDetail& detail);
  // The lease that ended and is to be logged; nullptr: only looked at.
  [[nodiscard]] Result<const lease::Lease*> End(const lease::Client& client,
                                                const IpAddress& address);
  // Likewise. kFull: too much is quarantined; then the lease of the address just ended.
  [[nodiscard]] Result<const lease::Lease*> Decline(const lease::Client& client,
                                                    const IpAddress& address);

  // A first offer of this address to this client, whose wire is ours: ask whether somebody has it.
  // Beside the offer, never before it: waiting costs each boot seconds.
  [[nodiscard]] bool MayProbe(const lease::Client& client, const IpAddress& address,
                              std::uint32_t ifindex, ConflictProbes& probes) const;

 private:
  template <typename Value = NoTraceValue>
  bool Note(bool matched, std::string_view rule, std::string_view reason,
            const Value& value = {}) const noexcept {
    return dhcp::Note(trace_, matched, rule, reason, value);
  }

  void NoteChoice(const lease::OfferRequest& request, const lease::Choice& choice) const;

  lease::LeaseTable* leases_;
  const config::Snapshot* snapshot_;
  Instant now_;
  DecisionTrace* trace_;
};

// Somebody said on that interface that the address is theirs. The offer that it takes back, now in
// quarantine and to be logged; nullptr: nothing was asked, or kFull: it cannot be taken back.
[[nodiscard]] Result<const lease::Lease*> TakeBackOffer(lease::LeaseTable& leases,
                                                        ConflictProbes& probes,
                                                        const IpAddress& address, MacAddress by,
                                                        std::uint32_t ifindex, Instant now);

}  // namespace slipway::dhcp
