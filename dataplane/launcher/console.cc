#include "dataplane/launcher/console.h"

#include <unistd.h>

#include <array>
#include <cstdio>
#include <ctime>

namespace slipway::launcher {

std::int64_t UptimeMs() noexcept {
  timespec now{};
  (void)clock_gettime(CLOCK_BOOTTIME, &now);
  return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

void Say(std::string_view text) noexcept {
  const std::int64_t now_ms = UptimeMs();
  std::array<char, 256> line{};
  const std::string_view cut = text.substr(0, 200);
  const int size =
      std::snprintf(line.data(), line.size(), "slipway: [%3lld.%03lld] %.*s\n",
                    static_cast<long long>(now_ms / 1000), static_cast<long long>(now_ms % 1000),
                    static_cast<int>(cut.size()), cut.data());
  // One write a line, so that the kernel's own messages do not break it up.
  if (size > 0 && write(STDOUT_FILENO, line.data(), static_cast<std::size_t>(size)) < 0) {
    return;
  }
}

}  // namespace slipway::launcher
