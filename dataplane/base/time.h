// Time as values. No function here reads a clock: the shell reads it once per turn and passes it
// in.
#pragma once

#include <compare>
#include <cstdint>

namespace slipway {

// A span of time in nanoseconds. Signed, so that differences are safe.
struct Duration {
  std::int64_t ns = 0;

  [[nodiscard]] static constexpr Duration Nanos(std::int64_t n) { return {n}; }

  [[nodiscard]] static constexpr Duration Micros(std::int64_t n) { return {n * 1'000}; }

  [[nodiscard]] static constexpr Duration Millis(std::int64_t n) { return {n * 1'000'000}; }

  [[nodiscard]] static constexpr Duration Seconds(std::int64_t n) { return {n * 1'000'000'000}; }

  [[nodiscard]] constexpr std::int64_t millis() const { return ns / 1'000'000; }

  [[nodiscard]] constexpr std::int64_t seconds() const { return ns / 1'000'000'000; }

  friend constexpr auto operator<=>(const Duration&, const Duration&) = default;

  friend constexpr Duration operator+(Duration a, Duration b) { return {a.ns + b.ns}; }

  friend constexpr Duration operator-(Duration a, Duration b) { return {a.ns - b.ns}; }

  friend constexpr Duration operator*(Duration a, std::int64_t n) { return {a.ns * n}; }

  friend constexpr Duration operator/(Duration a, std::int64_t n) { return {a.ns / n}; }
};

// A point on CLOCK_BOOTTIME (also counts while suspended, never steps). Meaningless across reboots:
// see dataplane/lease/lease_clock.h for how stored times are carried over.
struct Instant {
  std::int64_t ns = 0;

  [[nodiscard]] static constexpr Instant Never() { return {INT64_MAX}; }

  friend constexpr auto operator<=>(const Instant&, const Instant&) = default;

  friend constexpr Instant operator+(Instant a, Duration d) {
    return a.ns == INT64_MAX ? a : Instant{a.ns + d.ns};
  }

  friend constexpr Instant operator-(Instant a, Duration d) { return {a.ns - d.ns}; }

  friend constexpr Duration operator-(Instant a, Instant b) { return {a.ns - b.ns}; }
};

// CLOCK_REALTIME in nanoseconds since 1970. For records that people read and for the reboot rule of
// the lease clock; never for deadlines.
struct WallTime {
  std::int64_t ns = 0;

  friend constexpr auto operator<=>(const WallTime&, const WallTime&) = default;

  friend constexpr Duration operator-(WallTime a, WallTime b) { return {a.ns - b.ns}; }
};

}  // namespace slipway
