// DHCP messages as bytes (RFC 2131 2), for nodes of the simulation that are not Slipway: they share
// no code with what is tested.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "dataplane/base/address.h"
#include "dataplane/base/check.h"
#include "dataplane/base/cursor.h"

namespace slipway::sim {

inline constexpr std::uint16_t kServerPort = 67;
inline constexpr std::uint16_t kClientPort = 68;

inline constexpr std::size_t kOpAt = 0;
inline constexpr std::size_t kHopsAt = 3;
inline constexpr std::size_t kCiaddrAt = 12;
inline constexpr std::size_t kYiaddrAt = 16;
inline constexpr std::size_t kGiaddrAt = 24;
inline constexpr std::size_t kChaddrAt = 28;
inline constexpr std::size_t kOptionsAt = 240;  // behind the magic cookie

inline void PutAddress(std::vector<std::byte>& message, std::size_t at, Ipv4Address address) {
  for (std::size_t i = 0; i < 4; ++i) {
    message[at + i] = static_cast<std::byte>(address.value >> (24 - 8 * i));
  }
}

[[nodiscard]] inline Ipv4Address AddressIn(ByteSpan message, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    value = value << 8 | std::to_integer<std::uint32_t>(message[at + i]);
  }
  return {value};
}

// Where the end option, or the end of the message, is.
[[nodiscard]] inline std::size_t EndOfOptions(ByteSpan message) {
  std::size_t at = kOptionsAt;
  while (at + 1 < message.size() && message[at] != std::byte{255}) {
    at += message[at] == std::byte{0} ? 1 : 2 + std::to_integer<std::size_t>(message[at + 1]);
  }
  return std::min(at, message.size());
}

// Puts an option before the end, and the end behind it.
inline void AddOption(std::vector<std::byte>& message, std::uint8_t code,
                      const std::vector<std::byte>& value) {
  std::size_t at = EndOfOptions(message);
  message.resize(std::max(message.size(), at + value.size() + 3));
  message[at++] = static_cast<std::byte>(code);
  message[at++] = static_cast<std::byte>(value.size());
  std::copy(value.begin(), value.end(), message.begin() + static_cast<std::ptrdiff_t>(at));
  message[at + value.size()] = std::byte{255};
}

// The first of this code; empty if there is none.
[[nodiscard]] inline std::vector<std::byte> OptionOf(ByteSpan message, std::uint8_t code) {
  std::size_t at = kOptionsAt;
  while (at + 1 < message.size() && message[at] != std::byte{255}) {
    if (message[at] == std::byte{0}) {
      ++at;
      continue;
    }
    const auto size = std::to_integer<std::size_t>(message[at + 1]);
    if (message[at] == static_cast<std::byte>(code) && at + 2 + size <= message.size()) {
      const ByteSpan value = message.subspan(at + 2, size);
      return {value.begin(), value.end()};
    }
    at += 2 + size;
  }
  return {};
}

}  // namespace slipway::sim
