// An address of either family as a number, for ranges: order, distance, the n-th after it.
#pragma once

#include <compare>
#include <cstdint>

#include "dataplane/base/address.h"
#include "dataplane/base/cursor.h"

namespace slipway::lease {

// 128 bits; an IPv4 address counts in its mapped form, so that all of them share `high`.
struct AddressNumber {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  [[nodiscard]] static AddressNumber Of(const IpAddress& address) noexcept {
    return {.high = address.v6().high(), .low = address.v6().low()};
  }

  [[nodiscard]] IpAddress ToAddress() const noexcept {
    Ipv6Address address;
    const MutableByteSpan bytes = std::as_writable_bytes(std::span(address.octets));
    StoreBig(bytes.data(), high);
    StoreBig(bytes.data() + 8, low);
    return address;
  }

  // Wraps after the last address.
  [[nodiscard]] constexpr AddressNumber Plus(std::uint64_t count) const noexcept {
    return {.high = high + (low + count < low ? 1U : 0U), .low = low + count};
  }

  [[nodiscard]] constexpr AddressNumber Before() const noexcept {
    return {.high = high - (low == 0 ? 1U : 0U), .low = low - 1};
  }

  [[nodiscard]] constexpr bool is_zero() const noexcept { return high == 0 && low == 0; }

  // How far this is after `other`; 2^64-1 if it is farther. REQUIRES: *this >= other.
  [[nodiscard]] constexpr std::uint64_t Minus(const AddressNumber& other) const noexcept {
    const std::uint64_t upper = high - other.high - (low < other.low ? 1U : 0U);
    return upper == 0 ? low - other.low : UINT64_MAX;
  }

  friend constexpr auto operator<=>(const AddressNumber&, const AddressNumber&) = default;
};

// First and last address of a network. REQUIRES: no host bits are set.
struct NetworkBounds {
  AddressNumber first;
  AddressNumber last;

  [[nodiscard]] static NetworkBounds Of(const IpPrefix& network) noexcept {
    const unsigned host_bits = (network.address.is_v4() ? 32U : 128U) - network.bits;
    NetworkBounds bounds;
    bounds.first = AddressNumber::Of(network.address);
    bounds.last = bounds.first;
    bounds.last.low |= OnesBelow(host_bits);
    bounds.last.high |= host_bits > 64 ? OnesBelow(host_bits - 64) : 0;
    return bounds;
  }

 private:
  static constexpr std::uint64_t OnesBelow(unsigned bits) noexcept {
    return bits >= 64 ? UINT64_MAX : (std::uint64_t{1} << bits) - 1;
  }
};

}  // namespace slipway::lease
