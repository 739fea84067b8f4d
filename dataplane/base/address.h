// Link-layer and network addresses as values, with text forms into fixed buffers.
#pragma once

#include <algorithm>
#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "dataplane/base/bounded.h"
#include "dataplane/base/cursor.h"
#include "dataplane/base/result.h"

namespace slipway {

// EUI-48 in transmission order.
struct MacAddress {
  std::array<std::uint8_t, 6> octets{};

  // "aa:bb:cc:dd:ee:ff"; '-' is accepted as separator, upper case too. kMalformed otherwise.
  [[nodiscard]] static Result<MacAddress> Parse(std::string_view text) noexcept;

  [[nodiscard]] static constexpr MacAddress FromU64(std::uint64_t value) noexcept {
    MacAddress mac;
    for (std::size_t i = 0; i < 6; ++i) {
      mac.octets[i] = static_cast<std::uint8_t>(value >> (8 * (5 - i)));
    }
    return mac;
  }

  // The octets as a number below 2^48: the key in tables.
  [[nodiscard]] constexpr std::uint64_t ToU64() const noexcept {
    std::uint64_t value = 0;
    for (const std::uint8_t octet : octets) {
      value = (value << 8) | octet;
    }
    return value;
  }

  [[nodiscard]] constexpr bool is_zero() const noexcept { return ToU64() == 0; }

  [[nodiscard]] constexpr bool is_multicast() const noexcept { return (octets[0] & 1) != 0; }

  friend constexpr auto operator<=>(const MacAddress&, const MacAddress&) = default;
};

inline constexpr MacAddress kBroadcastMac{{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}};

// IPv4 address in host order: arithmetic and ordering work; the wire form comes from the cursor.
struct Ipv4Address {
  std::uint32_t value = 0;

  [[nodiscard]] static Result<Ipv4Address> Parse(std::string_view text) noexcept;

  [[nodiscard]] constexpr bool is_any() const noexcept { return value == 0; }

  [[nodiscard]] constexpr bool is_broadcast() const noexcept { return value == 0xFFFF'FFFF; }

  [[nodiscard]] constexpr bool is_multicast() const noexcept { return (value >> 28) == 0xE; }

  friend constexpr auto operator<=>(const Ipv4Address&, const Ipv4Address&) = default;
};

struct Ipv6Address {
  std::array<std::uint8_t, 16> octets{};

  [[nodiscard]] static Result<Ipv6Address> Parse(std::string_view text) noexcept;

  [[nodiscard]] constexpr bool is_any() const noexcept { return *this == Ipv6Address{}; }

  [[nodiscard]] constexpr bool is_link_local() const noexcept {
    return octets[0] == 0xFE && (octets[1] & 0xC0) == 0x80;
  }

  [[nodiscard]] constexpr bool is_multicast() const noexcept { return octets[0] == 0xFF; }

  friend constexpr auto operator<=>(const Ipv6Address&, const Ipv6Address&) = default;
};

// Either family. An IPv4 address is kept in its v4-mapped form (RFC 4291 2.5.5.2).
class IpAddress {
 public:
  constexpr IpAddress() = default;

  constexpr IpAddress(Ipv4Address v4) noexcept {  // NOLINT(google-explicit-constructor): a value
    bytes_.octets[10] = 0xFF;
    bytes_.octets[11] = 0xFF;
    for (std::size_t i = 0; i < 4; ++i) {
      bytes_.octets[12 + i] = static_cast<std::uint8_t>(v4.value >> (8 * (3 - i)));
    }
  }

  constexpr IpAddress(Ipv6Address v6) noexcept  // NOLINT(google-explicit-constructor): a value
      : bytes_(v6) {}

  [[nodiscard]] static Result<IpAddress> Parse(std::string_view text) noexcept;

  [[nodiscard]] constexpr bool is_v4() const noexcept {
    return std::all_of(bytes_.octets.begin(), bytes_.octets.begin() + 10,
                       [](std::uint8_t octet) { return octet == 0; }) &&
           bytes_.octets[10] == 0xFF && bytes_.octets[11] == 0xFF;
  }

  // REQUIRES: is_v4(); zeros otherwise.
  [[nodiscard]] constexpr Ipv4Address v4() const noexcept {
    if (!is_v4()) {
      return {};
    }
    std::uint32_t value = 0;
    for (std::size_t i = 12; i < 16; ++i) {
      value = (value << 8) | bytes_.octets[i];
    }
    return {value};
  }

  // The v4-mapped form for IPv4.
  [[nodiscard]] constexpr const Ipv6Address& v6() const noexcept { return bytes_; }

  // Neither 0.0.0.0 nor ::.
  [[nodiscard]] constexpr bool is_set() const noexcept {
    return !bytes_.is_any() && !(is_v4() && v4().is_any());
  }

  friend constexpr auto operator<=>(const IpAddress&, const IpAddress&) = default;

 private:
  Ipv6Address bytes_;
};

// An address and the number of leading bits that name the network. The address may have host bits.
struct IpPrefix {
  IpAddress address;
  std::uint8_t bits = 0;  // 0..32 for IPv4, 0..128 for IPv6

  // "10.0.0.0/24", "2001:db8::/64". kOutOfRange if the length does not fit the family.
  [[nodiscard]] static Result<IpPrefix> Parse(std::string_view text) noexcept;

  [[nodiscard]] bool Contains(IpAddress other) const noexcept;
  // The same prefix with the host bits cleared.
  [[nodiscard]] IpPrefix Network() const noexcept;
  [[nodiscard]] bool Overlaps(const IpPrefix& other) const noexcept;

  friend constexpr auto operator<=>(const IpPrefix&, const IpPrefix&) = default;
};

// IPv4 network mask of `bits` leading ones. REQUIRES: bits <= 32.
[[nodiscard]] constexpr Ipv4Address Ipv4Mask(std::uint8_t bits) noexcept {
  return {bits == 0 ? 0U : 0xFFFF'FFFFU << (32 - bits)};
}

using MacText = FixedString<17>;
using IpText = FixedString<45>;
using PrefixText = FixedString<49>;

// Lower case with colons.
[[nodiscard]] MacText ToText(MacAddress mac) noexcept;
[[nodiscard]] IpText ToText(Ipv4Address address) noexcept;
// RFC 5952.
[[nodiscard]] IpText ToText(const Ipv6Address& address) noexcept;
[[nodiscard]] IpText ToText(const IpAddress& address) noexcept;
[[nodiscard]] PrefixText ToText(const IpPrefix& prefix) noexcept;

}  // namespace slipway
