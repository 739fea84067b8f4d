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
    StoreBig(mac.octets.data(), static_cast<std::uint32_t>(value >> 16));
    StoreBig(mac.octets.data() + 4, static_cast<std::uint16_t>(value & 0xFFFF));
    return mac;
  }

  // The octets as a number below 2^48: the key in tables.
  [[nodiscard]] constexpr std::uint64_t ToU64() const noexcept {
    return (std::uint64_t{LoadBig<std::uint32_t>(octets.data())} << 16) |
           LoadBig<std::uint16_t>(octets.data() + 4);
  }

  [[nodiscard]] constexpr bool is_zero() const noexcept { return ToU64() == 0; }

  [[nodiscard]] constexpr bool is_multicast() const noexcept { return (octets[0] & 1) != 0; }

  // By number, which is the order of the octets: comparing those would call memcmp for six bytes.
  friend constexpr bool operator==(const MacAddress& a, const MacAddress& b) noexcept {
    return a.ToU64() == b.ToU64();
  }

  friend constexpr std::strong_ordering operator<=>(const MacAddress& a,
                                                    const MacAddress& b) noexcept {
    return a.ToU64() <=> b.ToU64();
  }
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

  // The halves as numbers.
  [[nodiscard]] constexpr std::uint64_t high() const noexcept {
    return LoadBig<std::uint64_t>(octets.data());
  }

  [[nodiscard]] constexpr std::uint64_t low() const noexcept {
    return LoadBig<std::uint64_t>(octets.data() + 8);
  }

  [[nodiscard]] constexpr bool is_any() const noexcept { return (high() | low()) == 0; }

  [[nodiscard]] constexpr bool is_link_local() const noexcept {
    return octets[0] == 0xFE && (octets[1] & 0xC0) == 0x80;
  }

  [[nodiscard]] constexpr bool is_multicast() const noexcept { return octets[0] == 0xFF; }

  friend constexpr bool operator==(const Ipv6Address& a, const Ipv6Address& b) noexcept {
    return a.high() == b.high() && a.low() == b.low();
  }

  friend constexpr std::strong_ordering operator<=>(const Ipv6Address& a,
                                                    const Ipv6Address& b) noexcept {
    const std::strong_ordering order = a.high() <=> b.high();
    return order != std::strong_ordering::equal ? order : a.low() <=> b.low();
  }
};

// Either family. An IPv4 address is kept in its v4-mapped form (RFC 4291 2.5.5.2).
class IpAddress {
 public:
  constexpr IpAddress() = default;

  constexpr IpAddress(Ipv4Address v4) noexcept {  // NOLINT(google-explicit-constructor): a value
    StoreBig(bytes_.octets.data() + 8, kMapped << 32 | v4.value);
  }

  constexpr IpAddress(Ipv6Address v6) noexcept  // NOLINT(google-explicit-constructor): a value
      : bytes_(v6) {}

  [[nodiscard]] static Result<IpAddress> Parse(std::string_view text) noexcept;

  [[nodiscard]] constexpr bool is_v4() const noexcept {
    return bytes_.high() == 0 && bytes_.low() >> 32 == kMapped;
  }

  // REQUIRES: is_v4(); zeros otherwise.
  [[nodiscard]] constexpr Ipv4Address v4() const noexcept {
    return {is_v4() ? static_cast<std::uint32_t>(bytes_.low()) : 0};
  }

  // The v4-mapped form for IPv4.
  [[nodiscard]] constexpr const Ipv6Address& v6() const noexcept { return bytes_; }

  // Neither 0.0.0.0 nor ::.
  [[nodiscard]] constexpr bool is_set() const noexcept {
    return bytes_.high() != 0 || (bytes_.low() != 0 && bytes_.low() != kMapped << 32);
  }

  friend constexpr auto operator<=>(const IpAddress&, const IpAddress&) = default;

 private:
  static constexpr std::uint64_t kMapped = 0xFFFF;  // octets 8 to 11 of a mapped address

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
