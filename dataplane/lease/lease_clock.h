// How stored lease times are carried into a process (design: section 5, lease clock). Leases may
// grow, never shrink: without proof that time went by, none went by.
#pragma once

#include <cstdint>

#include "dataplane/base/time.h"

namespace slipway::lease {

// When something was recorded, on both clocks of the machine that recorded it.
struct Stamp {
  std::uint64_t boot_id = 0;  // Clock::BootId
  Instant boottime;           // CLOCK_BOOTTIME of that boot
  WallTime realtime;
  bool realtime_trusted = false;  // the clock was known to be synchronised then

  friend constexpr bool operator==(const Stamp&, const Stamp&) = default;
};

// The present, read once per turn by the shell.
struct Now {
  Instant instant;
  WallTime wall;
  std::uint64_t boot_id = 0;
  bool wall_synchronised = false;  // Clock::WallIsSynchronised

  [[nodiscard]] constexpr Stamp stamp() const noexcept {
    return {boot_id, instant, wall, wall_synchronised};
  }
};

// After a reboot a longer absence counts as none: the clock is more likely wrong than right.
inline constexpr Duration kAbsenceMax = Duration::Seconds(30LL * 24 * 3600);

// True if no later start can find that more time went by since `then`, until `now`, than
// ElapsedSince says now. Not so across boots while the clock is doubtful: a restart of the process
// after it is set counts what was forgiven.
[[nodiscard]] constexpr bool ElapsedIsFinal(const Stamp& then, const Now& now) noexcept {
  const Duration absence = now.wall - then.realtime;
  return then.boot_id == now.boot_id || !then.realtime_trusted ||
         (now.wall_synchronised && absence >= Duration{} && absence <= kAbsenceMax);
}

// Time that surely went by since `then`: never negative. Within one boot by CLOCK_BOOTTIME. Across
// boots the difference of realtime, but only if the clock was known to be synchronised at both ends
// (a clock that was behind then and is right now shows time that never went by) and the difference
// is between 0 and kAbsenceMax; otherwise 0.
[[nodiscard]] constexpr Duration ElapsedSince(const Stamp& then, const Now& now) noexcept {
  if (then.boot_id == now.boot_id) {
    return now.instant > then.boottime ? now.instant - then.boottime : Duration{};
  }
  return then.realtime_trusted && ElapsedIsFinal(then, now) ? now.wall - then.realtime : Duration{};
}

// Where on this boot's clock a span that began at `then` ends; in the past if it is over.
[[nodiscard]] constexpr Instant EndOf(const Stamp& then, Duration span, const Now& now) noexcept {
  return now.instant + (span - ElapsedSince(then, now));
}

}  // namespace slipway::lease
