#include "dataplane/dhcp/conflict_probes.h"

#include "dataplane/base/random.h"
#include "dataplane/lease/lease.h"

namespace slipway::dhcp {
namespace {

// Four times what the budget lets live, so that few meet in a slot.
constexpr std::uint32_t kSlots = 2048;
static_assert(kSlots >= 4 * kProbesPerSecondMax * 2);
static_assert((kSlots & (kSlots - 1)) == 0);

}  // namespace

ConflictProbes::ConflictProbes() : probes_(kSlots) {}

ConflictProbes::Probe& ConflictProbes::SlotOf(const IpAddress& address) noexcept {
  return probes_[Mix64(lease::JournalKey(address)) & (kSlots - 1)];
}

bool ConflictProbes::Begin(const IpAddress& address, MacAddress client, std::uint32_t ifindex,
                           Instant now) noexcept {
  Probe& probe = SlotOf(address);
  if (probe.address == address && now - probe.asked < kProbeLife) {
    return false;
  }
  if (now - second_ >= Duration::Seconds(1)) {
    second_ = now;
    used_ = 0;
  }
  if (used_ == kProbesPerSecondMax) {
    return false;
  }
  ++used_;
  probe = {address, ifindex, client, now};
  return true;
}

MacAddress ConflictProbes::Answered(const IpAddress& address, MacAddress by, std::uint32_t ifindex,
                                    Instant now) noexcept {
  Probe& probe = SlotOf(address);
  if (!address.is_set() || probe.address != address || probe.ifindex != ifindex ||
      probe.client == by || now - probe.asked >= kProbeLife) {
    return {};
  }
  probe.address = {};
  return probe.client;
}

}  // namespace slipway::dhcp
