// Numbers of DHCPv6 besides its options, whose table is in options.h.
#pragma once

#include <cstddef>
#include <cstdint>

#include "dataplane/base/address.h"
#include "dataplane/dhcp/options.h"

namespace slipway::dhcp {

// RFC 8415 7.3.
enum class MessageType6 : std::uint8_t {
  kNone = 0,
  kSolicit = 1,
  kAdvertise = 2,
  kRequest = 3,
  kConfirm = 4,
  kRenew = 5,
  kRebind = 6,
  kReply = 7,
  kRelease = 8,
  kDecline = 9,
  kReconfigure = 10,
  kInformationRequest = 11,
  kRelayForward = 12,
  kRelayReply = 13,
};

// RFC 8415 21.13.
enum class Status6 : std::uint16_t {
  kSuccess = 0,
  kNoAddrsAvail = 2,
  kNoBinding = 3,
  kNotOnLink = 4,
  kUseMulticast = 5,
  kNoPrefixAvail = 6,
};

// RFC 8415 7.1: All_DHCP_Relay_Agents_and_Servers.
inline constexpr Ipv6Address kAllDhcpServers{{0xFF, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2}};

// RFC 8415 11.
inline constexpr std::size_t kDuidBytesMin = 3;
inline constexpr std::size_t kDuidBytesMax = 130;
inline constexpr std::uint16_t kDuidLinkLayerTime = 1;
inline constexpr std::uint16_t kDuidLinkLayer = 3;
inline constexpr std::uint16_t kDuidUuid = 4;

// RFC 5908 4.1; RFC 4704 4.1.
inline constexpr std::uint16_t kNtpServerAddress = 1;
inline constexpr std::uint8_t kFqdnServerUpdates = 1;   // S
inline constexpr std::uint8_t kFqdnOverridden = 2;      // O
inline constexpr std::uint8_t kFqdnNoServerUpdate = 4;  // N
// Of the vendor class that UEFI sends and wants back (UEFI 2.10 24.7.3.2).
inline constexpr std::uint32_t kEnterpriseIntel = 343;

}  // namespace slipway::dhcp
