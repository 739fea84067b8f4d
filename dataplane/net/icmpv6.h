// The ICMPv6 messages that a rack needs (RFC 4861 4.1 to 4.4): router solicitations are answered,
// where no router is, with an advertisement that says so, and foreign advertisements tell that one
// is there. iPXE waits 16 s for an answer each time it starts. Neighbours are asked whether an
// address that is being offered is in use.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "dataplane/base/address.h"
#include "dataplane/base/cursor.h"
#include "dataplane/base/result.h"

namespace slipway::net {

inline constexpr std::uint8_t kIcmp6RouterSolicitation = 133;
inline constexpr std::uint8_t kIcmp6RouterAdvertisement = 134;
inline constexpr std::uint8_t kIcmp6NeighbourSolicitation = 135;
inline constexpr std::uint8_t kIcmp6NeighbourAdvertisement = 136;
inline constexpr std::size_t kIpv6HeaderBytes = 40;
// Nothing but the header and our link-layer address.
inline constexpr std::size_t kNoRouterBytes = 16 + 8;
inline constexpr std::size_t kNoRouterFrameBytes = 14 + kIpv6HeaderBytes + kNoRouterBytes;

inline constexpr Ipv6Address kAllNodes{{0xFF, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};
inline constexpr Ipv6Address kAllRouters{{0xFF, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2}};

struct RouterSolicitation {
  std::optional<MacAddress> source_mac;  // its source link-layer address option
};

struct RouterAdvertisement {
  std::uint8_t hop_limit = 0;
  bool managed = false;                 // M: addresses by DHCPv6
  bool other = false;                   // O: other configuration by DHCPv6
  std::uint16_t router_lifetime_s = 0;  // 0: not a default router
  bool has_prefix = false;
};

struct NeighbourAdvertisement {
  Ipv6Address target;
  std::optional<MacAddress> target_mac;  // its target link-layer address option
};

// `message` is the ICMPv6 message; the IPv6 hop limit it came with must be 255 (RFC 4861 6.1),
// which `hop_limit` tells. The checksum is the kernel's affair. Errors: kTruncated, kMalformed,
// kUnsupported (another type; detail = type).
[[nodiscard]] Result<RouterSolicitation> ParseRouterSolicitation(ByteSpan message,
                                                                 std::uint8_t hop_limit) noexcept;
[[nodiscard]] Result<RouterAdvertisement> ParseRouterAdvertisement(ByteSpan message,
                                                                   std::uint8_t hop_limit) noexcept;

[[nodiscard]] Result<NeighbourAdvertisement> ParseNeighbourAdvertisement(
    ByteSpan message, std::uint8_t hop_limit) noexcept;

// Asks by multicast who has `target` (RFC 4861 7.2.2), as a whole Ethernet frame, checksum
// included. From an address of ours: a question from none would tell its rightful holder that the
// address is taken (RFC 4862 5.4.3). Returns its length; kTooLarge if `out` is too small.
[[nodiscard]] Result<std::size_t> BuildNeighbourSolicitation(MutableByteSpan out,
                                                             MacAddress source_mac,
                                                             const Ipv6Address& source,
                                                             const Ipv6Address& target) noexcept;

// An advertisement with router lifetime 0, no prefix, M = O = 0 and our link-layer address; for a
// raw ICMPv6 socket, which fills in the checksum. Returns kNoRouterBytes; kTooLarge if `out` is
// smaller.
[[nodiscard]] Result<std::size_t> BuildNoRouter(MutableByteSpan out,
                                                MacAddress source_mac) noexcept;

// The same as a whole Ethernet frame, checksum included: to one host or to all nodes.
[[nodiscard]] Result<std::size_t> BuildNoRouterFrame(MutableByteSpan out, MacAddress source_mac,
                                                     const Ipv6Address& source,
                                                     MacAddress destination_mac,
                                                     const Ipv6Address& destination) noexcept;

// What a rack advertises where it is to do so in full. A rack routes nothing: the lifetime is 0
// unless an operator says otherwise.
struct FullAdvertisement {
  MacAddress source_mac;
  bool managed = true;  // M: addresses by DHCPv6
  bool other = true;    // O: other configuration by DHCPv6
  std::uint16_t router_lifetime_s = 0;
  std::uint32_t mtu = 0;                   // 0: not said
  std::span<const IpPrefix> prefixes;      // on the link; IPv6. No address is made of them (A = 0)
  std::span<const IpAddress> dns_servers;  // RFC 8106; IPv4 ones are passed over
};

// RFC 4861 6.2.1: how long hosts may believe that a prefix is on the link.
inline constexpr std::uint32_t kPrefixValidSeconds = 2'592'000;
inline constexpr std::uint32_t kPrefixPreferredSeconds = 604'800;
// RFC 8106 5.1: three times the longest interval between advertisements.
inline constexpr std::uint32_t kDnsLifetimeSeconds = 1'800;

// A whole Ethernet frame, checksum included: to one host or to all nodes. Returns its length;
// kTooLarge if `out` is too small.
[[nodiscard]] Result<std::size_t> BuildFullFrame(MutableByteSpan out,
                                                 const FullAdvertisement& advertisement,
                                                 const Ipv6Address& source,
                                                 MacAddress destination_mac,
                                                 const Ipv6Address& destination) noexcept;

// The Ethernet address of a multicast group (RFC 2464 7).
[[nodiscard]] MacAddress MulticastMac(const Ipv6Address& group) noexcept;

}  // namespace slipway::net
