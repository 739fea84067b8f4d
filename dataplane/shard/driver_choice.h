// The value of --io.
#pragma once

#include <cstdint>
#include <string_view>

#include "dataplane/base/result.h"

namespace slipway::shard {

enum class IoChoice : std::uint8_t {
  kAuto,  // ring if the probe passes, else epoll
  kRing,  // ring, or the program does not start
  kEpoll,
};

// kMalformed for anything but "auto", "ring" and "epoll".
[[nodiscard]] constexpr Result<IoChoice> ParseIoChoice(std::string_view text) noexcept {
  if (text == "auto") {
    return IoChoice::kAuto;
  }
  if (text == "ring") {
    return IoChoice::kRing;
  }
  if (text == "epoll") {
    return IoChoice::kEpoll;
  }
  return Fail(ErrorCode::kMalformed);
}

[[nodiscard]] constexpr std::string_view ToString(IoChoice choice) noexcept {
  switch (choice) {
    case IoChoice::kAuto:
      return "auto";
    case IoChoice::kRing:
      return "ring";
    case IoChoice::kEpoll:
      return "epoll";
  }
  return "unknown";
}

}  // namespace slipway::shard
