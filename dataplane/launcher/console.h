// Progress lines on the machine's console: what it does and when, for people at a serial line.
//   slipway: [  3.214] network eth0 52:54:00:12:34:56 10.77.0.100/24
#pragma once

#include <cstdint>
#include <string_view>

namespace slipway::launcher {

// Milliseconds since the kernel started (CLOCK_BOOTTIME).
[[nodiscard]] std::int64_t UptimeMs() noexcept;

// Writes one line to standard output; text beyond 200 bytes is cut off. Any thread.
void Say(std::string_view text) noexcept;

}  // namespace slipway::launcher
