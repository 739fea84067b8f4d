// The table of DHCP options, both families: the one place that knows their codes, names, types,
// lengths and who may set them. It serves the decoder and the writer of messages, the text form of
// values (option_value.h), the region's validation and docs/protocols/dhcp.md. A new option is a
// row in options.cc, a vector, and a line in the page.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "dataplane/config/records.h"

namespace slipway::dhcp {

using config::Family;

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

// The codes of DHCPv6 that the protocol itself has to do with (RFC 8415 21 and those in the table).
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
  kAuthentication = 11,
  kServerUnicast = 12,
  kStatusCode = 13,
  kRapidCommit = 14,
  kUserClass = 15,
  kVendorClass = 16,
  kVendorOptions = 17,
  kInterfaceId = 18,
  kReconfigureMessage = 19,
  kReconfigureAccept = 20,
  kDnsServers = 23,
  kDomainList = 24,
  kIaPd = 25,
  kIaPrefix = 26,
  kSntpServers = 31,
  kInformationRefreshTime = 32,
  kRemoteId = 37,
  kSubscriberId = 38,
  kClientFqdn = 39,
  kNtpServer = 56,
  kBootFileUrl = 59,
  kBootFileParameters = 60,
  kClientArchitecture = 61,
  kClientNetworkInterface = 62,
  kClientLinkLayerAddress = 79,
  kSolMaxRt = 82,
  kInfMaxRt = 83,
  kRelayPort = 135,
};

// How a value is laid out, and so how its text is read (docs/model.md has the text forms).
enum class OptionType : std::uint8_t {
  kNone,          // zero bytes
  kAddress,       // one address of the family
  kAddresses,     // one or more
  kAddressPairs,  // pairs of them: destination and router, or network and mask
  kU8,
  kU16,
  kU32,
  kI32,
  kU16s,
  kBool,           // one byte, 0 or 1
  kText,           // without a final NUL
  kTexts,          // each behind its length in two bytes
  kDomainText,     // a domain name as text
  kDomain,         // one name in wire form (RFC 1035 3.1)
  kDomains,        // several, never compressed (RFC 8415 10)
  kDomainSearch,   // several, compressed (RFC 3397 2)
  kRoutes,         // width of the prefix, its significant octets, router (RFC 3442)
  kNtp,            // sub-options: address, multicast address or name (RFC 5908)
  kSubOptions,     // code, length, value; one byte each (RFC 2132 8.4)
  kVendorClass,    // enterprise and opaque data (RFC 3925 3, RFC 8415 21.16)
  kVendorOptions,  // enterprise and sub-options (RFC 3925 4, RFC 8415 21.17)
  kRelayEcho,      // goes back as it came
  kBytes,
};

// "addresses", "u16", ...: for documentation and messages.
[[nodiscard]] std::string_view ToString(OptionType type) noexcept;

// Who puts it into messages by itself; rows without any are sent only because an operator says so.
// kStrict: a wrong length spoils the message; otherwise such an option counts as not there.
enum OptionUse : std::uint8_t { kFromClient = 1, kFromServer = 2, kStrict = 4 };

struct OptionRow {
  std::uint16_t code = 0;
  std::string_view name;  // what operators call it: unique in the family
  OptionType type = OptionType::kBytes;
  std::uint16_t length_min = 0;  // of a value on the wire, all pieces together
  std::uint16_t length_max = 0;
  std::uint8_t use = 0;
  std::string_view reference;
  std::string_view refusal = {};  // why operators may not set it; empty: they may
  std::uint32_t value_min = 0;    // of numbers
  std::uint32_t value_max = UINT32_MAX;

  [[nodiscard]] constexpr bool settable() const noexcept { return refusal.empty(); }
};

// Ordered by code.
[[nodiscard]] std::span<const OptionRow> OptionTable(Family family) noexcept;
// nullptr: not in the table.
[[nodiscard]] const OptionRow* FindOption(Family family, std::uint16_t code) noexcept;
[[nodiscard]] const OptionRow* FindOption(Family family, std::string_view name) noexcept;

// Codes outside have no meaning on the wire: 1..254 of DHCPv4, 1..65535 of DHCPv6.
[[nodiscard]] constexpr bool IsOptionCode(Family family, std::uint32_t code) noexcept {
  return code > 0 && code < (family == Family::kV4 ? 255U : 65536U);
}

// Each row with a use has a slot in a decoded message of its family.
inline constexpr std::size_t kOptionSlots = 33;
inline constexpr std::size_t kOptionSlots6 = 34;
inline constexpr std::uint8_t kNoSlot = 0xFF;
[[nodiscard]] std::uint8_t SlotOf(std::uint8_t code) noexcept;
[[nodiscard]] std::uint8_t SlotOf6(std::uint16_t code) noexcept;
// REQUIRES: slot < kOptionSlots, kOptionSlots6.
[[nodiscard]] const OptionRow& RowOfSlot(std::size_t slot) noexcept;
[[nodiscard]] const OptionRow& RowOfSlot6(std::size_t slot) noexcept;

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
inline constexpr std::uint8_t kRelayCircuitId = 1;
inline constexpr std::uint8_t kRelayRemoteId = 2;
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
