// The table of DHCPv6 options that Slipway reads or sends (RFC 8415 21 and those named in it): the
// one place that knows their codes and lengths. A new option is a row here, a vector, and a line in
// docs/protocols/dhcpv6.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "dataplane/dhcp/options.h"

namespace slipway::dhcp {

enum class Option6 : std::uint16_t {
  kClientId = 1,
  kServerId = 2,
  kIaNa = 3,
  kIaTa = 4,
  kIaAddress = 5,
  kOptionRequest = 6,
  kPreference = 7,
  kElapsedTime = 8,
  kRelayMessage = 9,
  kStatusCode = 13,
  kRapidCommit = 14,
  kUserClass = 15,
  kVendorClass = 16,
  kInterfaceId = 18,
  kDnsServers = 23,
  kDomainList = 24,
  kIaPd = 25,
  kSntpServers = 31,
  kInformationRefreshTime = 32,
  kRemoteId = 37,
  kClientFqdn = 39,
  kNtpServer = 56,
  kBootFileUrl = 59,
  kBootFileParameters = 60,
  kClientArchitecture = 61,
  kClientNetworkInterface = 62,
  kClientLinkLayerAddress = 79,
  kRelayPort = 135,
};

enum class OptionType6 : std::uint8_t {
  kFlag,
  kU8,
  kU16,
  kU32,
  kAddresses,
  kNames,  // RFC 1035 3.1, uncompressed
  kText,
  kBytes,
  kNested,  // other options inside
};

// `use` is a set of OptionUse, as in the table of DHCPv4.
struct OptionRow6 {
  Option6 code;
  std::string_view name;
  OptionType6 type;
  std::uint16_t length_min;  // of a received value
  std::uint16_t length_max;
  std::uint8_t use;
  std::string_view reference;
};

// Ordered by code.
[[nodiscard]] std::span<const OptionRow6> OptionTable6() noexcept;
// nullptr: not ours.
[[nodiscard]] const OptionRow6* FindOption6(std::uint16_t code) noexcept;

// Each row has a slot in a decoded message: its index in the table.
inline constexpr std::size_t kOptionRows6 = 28;
[[nodiscard]] std::uint8_t SlotOf6(std::uint16_t code) noexcept;

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
