// Every limit that spans folders, in one place; docs/limits.md lists them with their reasons.
// A limit used by one folder only lives in that folder's <folder>/limits.h, in the same style.
#pragma once

#include <cstddef>
#include <cstdint>

namespace slipway::limits {

// Wire.
inline constexpr std::size_t kPacketHeadroomBytes = 128;  // Ethernet + VLAN + IPv6 + UDP
inline constexpr std::size_t kPacketBytesMax = 2048;      // a received datagram, cut off beyond
inline constexpr std::size_t kPacketBatchMax = 64;        // packets per service and turn
inline constexpr std::size_t kCompletionsPerTurnMax = 512;

// Names.
inline constexpr std::size_t kHostnameBytesMax = 63;       // one DNS label, RFC 1035 2.3.4
inline constexpr std::size_t kInterfaceNameBytesMax = 15;  // IFNAMSIZ - 1
inline constexpr std::size_t kFileNameBytesMax = 127;      // a name in the boot file table
inline constexpr std::size_t kUrlBytesMax = 255;           // a boot-file URL in an option

// DHCP options that operators set: one value on the wire, in pieces where need be (RFC 3396).
inline constexpr std::size_t kDhcpOptionBytesMax = 1'024;

// Control link (design: section 4).
inline constexpr std::size_t kLinkMessageBytesMax = std::size_t{1} << 20;
inline constexpr std::size_t kLinkCreditBytes = std::size_t{4} << 20;

// Model sizes that the rack's memory is taken for.
inline constexpr std::uint32_t kHostsMax = 131'072;
inline constexpr std::uint32_t kLeasesMax = 131'072;
inline constexpr std::uint32_t kVlansMax = 1'024;
inline constexpr std::uint32_t kSubnetsMax = 1'024;
inline constexpr std::uint32_t kRangesMax = 4'096;
inline constexpr std::uint32_t kImagesMax = 1'024;
inline constexpr std::uint32_t kServedInterfacesMax = 64;  // per rack
inline constexpr std::uint32_t kServedVlansMax = 512;      // per rack, those by relay included
inline constexpr std::uint32_t kDhcpClassesMax = 256;
inline constexpr std::uint32_t kDhcpOptionsMax = 65'536;  // of all scopes together
inline constexpr std::uint32_t kDhcpOptionsPerScopeMax = 64;

// Machine-facing uploads.
inline constexpr std::size_t kInventoryBytesMax = std::size_t{256} << 10;

}  // namespace slipway::limits
