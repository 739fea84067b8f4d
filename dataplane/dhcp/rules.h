// What DHCPv4 and DHCPv6 decide alike: one place for each rule. Internal to dataplane/dhcp.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "dataplane/boot/decide.h"
#include "dataplane/boot/loop_guard.h"
#include "dataplane/config/snapshot.h"
#include "dataplane/lease/lease_table.h"
#include "dataplane/lease/pair_rules.h"

namespace slipway::dhcp {

// Shorter leases would renew more often than anybody can want.
inline constexpr std::uint32_t kLeaseSecondsMin = 30;

// How long an address is promised: firmware and loaders get short leases.
[[nodiscard]] Duration LeaseFor(const config::SubnetRecord& subnet,
                                const boot::Firmware& firmware) noexcept;

// T1: half the lease, less by up to a twentieth of it that the client's key picks, so that a fleet
// that came up at once does not come back at once.
[[nodiscard]] std::uint32_t RenewalSeconds(const lease::ClientKey& key,
                                           std::uint32_t lease_seconds) noexcept;

// The VLAN that lists the relay, whose address is in no subnet; nullptr if none does.
[[nodiscard]] const config::VlanRecord* FindListedVlan(const config::Snapshot& snapshot,
                                                       const IpAddress& relay) noexcept;

// The address is reserved for another interface by now.
[[nodiscard]] bool IsAnothers(const config::Snapshot& snapshot, const IpAddress& address,
                              MacAddress mac) noexcept;

// The client has a reservation by now (`reserved`, if set), which nobody else holds, and this
// address is not it.
[[nodiscard]] bool MustMove(const lease::LeaseTable& leases, const lease::ClientKey& client,
                            const IpAddress& reserved, const IpAddress& address) noexcept;

// In no pool any more and not the client's by reservation: its range was removed, is drained or
// revoked, or the reservation is gone.
[[nodiscard]] bool IsLeaving(const lease::Lease* lease, const IpAddress& reserved) noexcept;

// The address is in a revoked range.
[[nodiscard]] bool IsRevoked(const config::Snapshot& snapshot, config::RecordId subnet,
                             const IpAddress& address) noexcept;

// A grant tells the guard: the same loader again and again, and never iPXE's own question, is a
// loop (kLoopFound once, then kLoop): no boot file for a while, so that the firmware goes on. With
// `preview` the guard is asked, and learns nothing.
[[nodiscard]] boot::LoopVerdict GuardLoop(boot::LoopGuard& loops, MacAddress mac,
                                          const boot::Firmware& firmware,
                                          const boot::BootPlan& plan, std::uint32_t xid,
                                          Instant now, bool preview) noexcept;

// ---- a pair of racks (docs/adr/0009-pair-of-racks.md); `pair` nullptr: none ----

[[nodiscard]] inline bool IsPaired(const lease::PairRules* pair) noexcept {
  return pair != nullptr && pair->state() != lease::PairState::kOff;
}

// How the partner serves that VLAN; nullptr: it does not, and hears nothing of it.
[[nodiscard]] const config::PartnerVlan* FindPartner(const config::Snapshot& snapshot,
                                                     config::RecordId vlan) noexcept;

enum class PairSays : std::uint8_t {
  kAnswer,
  kRecovering,    // this rack answers nobody until it has caught up
  kPartnersTurn,  // the other rack answers this client
};

struct PairQuestion {
  const config::Snapshot& snapshot;
  const lease::LeaseTable& leases;
  const lease::Client& client;
  bool to_both = false;  // the message reaches both racks, and needs one answer
  Instant now;
  bool preview = false;  // nothing is remembered
};

// REQUIRES: IsPaired.
[[nodiscard]] PairSays AskPair(lease::PairRules& pair, const PairQuestion& question) noexcept;

// The longest that may be promised of `lease`.
[[nodiscard]] inline Duration PairLease(const lease::PairRules* pair, Duration lease,
                                        Instant now) noexcept {
  return pair == nullptr ? lease : std::min(lease, pair->LeaseMax(now));
}

// Whether this rack may tell a client that an address is not its own.
[[nodiscard]] bool MayRefuse(const lease::PairRules* pair, const lease::LeaseTable& leases,
                             const IpAddress& address, const lease::ClientKey& client) noexcept;

// What is left of a plan whose client loops.
void GiveNoBootFile(boot::BootPlan& plan) noexcept;

}  // namespace slipway::dhcp
