// What DHCPv4 and DHCPv6 decide alike: one place for each rule. Internal to dataplane/dhcp.
#pragma once

#include <cstdint>
#include <string_view>

#include "dataplane/boot/decide.h"
#include "dataplane/boot/loop_guard.h"
#include "dataplane/config/snapshot.h"
#include "dataplane/lease/lease_table.h"

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

// What is left of a plan whose client loops.
void GiveNoBootFile(boot::BootPlan& plan) noexcept;

}  // namespace slipway::dhcp
