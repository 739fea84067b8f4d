// The table of DHCPv4 options that Slipway reads or sends (RFC 2132 and those named in it): the one
// place that knows their codes, lengths and order on the wire. A new option is a row here, a
// vector, and a line in docs/protocols/dhcp.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace slipway::dhcp {

enum class Option : std::uint8_t {
  kPad = 0,
  kSubnetMask = 1,
  kRouter = 3,
  kDomainNameServer = 6,
  kHostName = 12,
  kDomainName = 15,
  kInterfaceMtu = 26,
  kBroadcastAddress = 28,
  kNtpServers = 42,
  kVendorSpecific = 43,
  kRequestedAddress = 50,
  kLeaseTime = 51,
  kOverload = 52,
  kMessageType = 53,
  kServerIdentifier = 54,
  kParameterRequestList = 55,
  kMessage = 56,
  kMaxMessageSize = 57,
  kRenewalTime = 58,
  kRebindingTime = 59,
  kVendorClass = 60,
  kClientIdentifier = 61,
  kTftpServerName = 66,
  kBootFileName = 67,
  kUserClass = 77,
  kClientFqdn = 81,
  kRelayAgentInformation = 82,
  kClientArchitecture = 93,
  kClientUuid = 97,
  kVendorIdentifyingClass = 124,
  kVendorIdentifyingInfo = 125,
  kIpxe = 175,
  kConfigurationFile = 209,
  kPathPrefix = 210,
  kEnd = 255,
};

enum class OptionType : std::uint8_t { kAddress, kAddresses, kU8, kU16, kU32, kText, kBytes };

// Who puts it into messages. kStrict: a wrong length spoils the message; otherwise such an option
// counts as not there.
enum OptionUse : std::uint8_t { kFromClient = 1, kFromServer = 2, kStrict = 4 };

struct OptionRow {
  Option code;
  std::string_view name;
  OptionType type;
  std::uint16_t length_min;  // of a received value, all pieces together
  std::uint16_t length_max;
  std::uint8_t use;
  std::string_view reference;
};

// Ordered by code.
[[nodiscard]] std::span<const OptionRow> OptionTable() noexcept;
// nullptr: not ours.
[[nodiscard]] const OptionRow* FindOption(std::uint8_t code) noexcept;

// Each row has a slot in a decoded message: its index in the table.
inline constexpr std::size_t kOptionRows = 33;
inline constexpr std::uint8_t kNoSlot = 0xFF;
[[nodiscard]] std::uint8_t SlotOf(std::uint8_t code) noexcept;

// RFC 2132 9.6.
enum class MessageType : std::uint8_t {
  kNone = 0,  // BOOTP
  kDiscover = 1,
  kOffer = 2,
  kRequest = 3,
  kDecline = 4,
  kAck = 5,
  kNak = 6,
  kRelease = 7,
  kInform = 8,
};

// Option 82 (RFC 3046, RFC 3527, RFC 5107, RFC 8357) and 43 / 175 sub-options.
inline constexpr std::uint8_t kRelayLinkSelection = 5;
inline constexpr std::uint8_t kRelayServerOverride = 11;
inline constexpr std::uint8_t kRelaySourcePort = 19;  // RFC 8357, empty
inline constexpr std::uint8_t kPxeDiscoveryControl = 6;
inline constexpr std::uint8_t kPxeUseBootFile = 8;  // bit 3: no server list, take the file name
inline constexpr std::uint8_t kIpxeNoProxyDhcp = 176;

// Option 125 for ONIE: its enterprise, sub-option with the installer's URL.
inline constexpr std::uint32_t kOnieEnterprise = 42'623;
inline constexpr std::uint8_t kOnieInstallerUrl = 1;

}  // namespace slipway::dhcp
