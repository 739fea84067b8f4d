#include "dataplane/dhcp/options.h"

#include <array>

namespace slipway::dhcp {
namespace {

constexpr std::uint8_t kClient = kFromClient;
constexpr std::uint8_t kServer = kFromServer;
constexpr std::uint8_t kBoth = kFromClient | kFromServer;

using enum OptionType;

constexpr std::array kTable = std::to_array<OptionRow>({
    {Option::kSubnetMask, "subnet mask", kAddress, 4, 4, kServer, "RFC 2132 3.3"},
    {Option::kRouter, "router", kAddresses, 4, 255, kServer, "RFC 2132 3.5"},
    {Option::kDomainNameServer, "DNS servers", kAddresses, 4, 255, kServer, "RFC 2132 3.8"},
    {Option::kHostName, "host name", kText, 1, 255, kBoth, "RFC 2132 3.14"},
    {Option::kDomainName, "domain name", kText, 1, 255, kServer, "RFC 2132 3.17"},
    {Option::kInterfaceMtu, "interface MTU", kU16, 2, 2, kServer, "RFC 2132 5.1"},
    {Option::kBroadcastAddress, "broadcast address", kAddress, 4, 4, kServer, "RFC 2132 5.3"},
    {Option::kNtpServers, "NTP servers", kAddresses, 4, 255, kServer, "RFC 2132 8.3"},
    {Option::kVendorSpecific, "vendor specific", kBytes, 1, 1024, kBoth, "RFC 2132 8.4"},
    {Option::kRequestedAddress, "requested address", kAddress, 4, 4, kClient | kStrict,
     "RFC 2132 9.1"},
    {Option::kLeaseTime, "lease time", kU32, 4, 4, kBoth, "RFC 2132 9.2"},
    {Option::kOverload, "option overload", kU8, 1, 1, kBoth | kStrict, "RFC 2132 9.3"},
    {Option::kMessageType, "message type", kU8, 1, 1, kBoth | kStrict, "RFC 2132 9.6"},
    {Option::kServerIdentifier, "server identifier", kAddress, 4, 4, kBoth | kStrict,
     "RFC 2132 9.7"},
    {Option::kParameterRequestList, "parameter request list", kBytes, 1, 1024, kClient,
     "RFC 2132 9.8"},
    {Option::kMessage, "message", kText, 1, 255, kBoth, "RFC 2132 9.9"},
    {Option::kMaxMessageSize, "maximum message size", kU16, 2, 2, kClient, "RFC 2132 9.10"},
    {Option::kRenewalTime, "renewal time", kU32, 4, 4, kServer, "RFC 2132 9.11"},
    {Option::kRebindingTime, "rebinding time", kU32, 4, 4, kServer, "RFC 2132 9.12"},
    {Option::kVendorClass, "vendor class", kBytes, 1, 255, kBoth, "RFC 2132 9.13"},
    {Option::kClientIdentifier, "client identifier", kBytes, 2, 255, kClient, "RFC 2132 9.14"},
    {Option::kTftpServerName, "TFTP server name", kText, 1, 255, kServer, "RFC 2132 9.4"},
    {Option::kBootFileName, "boot file name", kText, 1, 255, kServer, "RFC 2132 9.5"},
    {Option::kUserClass, "user class", kBytes, 1, 255, kClient, "RFC 3004"},
    {Option::kClientFqdn, "client FQDN", kBytes, 3, 255, kBoth, "RFC 4702"},
    {Option::kRelayAgentInformation, "relay agent information", kBytes, 2, 1024, kBoth, "RFC 3046"},
    {Option::kClientArchitecture, "client architecture", kBytes, 2, 255, kClient, "RFC 4578 2.1"},
    {Option::kClientUuid, "client UUID", kBytes, 17, 17, kBoth, "RFC 4578 2.3"},
    {Option::kVendorIdentifyingClass, "vendor-identifying class", kBytes, 5, 1024, kClient,
     "RFC 3925 3"},
    {Option::kVendorIdentifyingInfo, "vendor-identifying information", kBytes, 5, 1024, kBoth,
     "RFC 3925 4"},
    {Option::kIpxe, "iPXE encapsulated", kBytes, 1, 1024, kBoth, "ipxe.org/howto/dhcpd"},
    {Option::kConfigurationFile, "configuration file", kText, 1, 255, kServer, "RFC 5071 4"},
    {Option::kPathPrefix, "path prefix", kText, 1, 255, kServer, "RFC 5071 5"},
});

static_assert(kTable.size() == kOptionRows);

constexpr auto MakeSlots() {
  std::array<std::uint8_t, 256> slots{};
  slots.fill(kNoSlot);
  std::uint8_t slot = 0;
  for (const OptionRow& row : kTable) {
    slots[static_cast<std::uint8_t>(row.code)] = slot++;
  }
  return slots;
}

constexpr std::array<std::uint8_t, 256> kSlots = MakeSlots();

}  // namespace

std::span<const OptionRow> OptionTable() noexcept { return kTable; }

const OptionRow* FindOption(std::uint8_t code) noexcept {
  return kSlots[code] == kNoSlot ? nullptr : &kTable[kSlots[code]];
}

std::uint8_t SlotOf(std::uint8_t code) noexcept { return kSlots[code]; }

}  // namespace slipway::dhcp
