#include "dataplane/service/dhcp_shared.h"

namespace slipway::service {
namespace {

constexpr Duration kWallAskedEach = Duration::Millis(500);

}  // namespace

lease::Now DhcpShared::ReadNow(Instant now) {
  if (!wall_asked_once_ || now - wall_asked_ >= kWallAskedEach) {
    wall_asked_once_ = true;
    wall_asked_ = now;
    wall_synchronised_ = parts_.clock->WallIsSynchronised();
  }
  return {.instant = now,
          .wall = parts_.clock->WallNow(),
          .boot_id = parts_.clock->BootId(),
          .wall_synchronised = wall_synchronised_};
}

void DhcpShared::Record(std::span<const boot::BootStep> steps) {
  for (const boot::BootStep& step : steps) {
    std::uint64_t ignored = 0;
    if (!parts_.facts->Submit(schema::FactClass::BootStep, 0, step_encoder_.Encode(step),
                              ignored)) {
      steps_dropped_.Add();
    }
    if (step.kind == boot::StepKind::kLoop) {
      parts_.events->Report(EventCode::kBootLoop, ToText(step.mac), step.name);
    }
  }
}

void DhcpShared::TellHolder(const IpAddress& address, std::uint32_t ifindex) {
  const lease::Lease* const lease = parts_.leases->ByAddress(address);
  if (lease != nullptr && lease->state == lease::State::kBound) {
    parts_.peers->OnPeer(
        {.address = lease->address, .mac = lease->mac, .vlan = lease->vlan, .ifindex = ifindex});
  }
}

}  // namespace slipway::service
