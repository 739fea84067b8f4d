#include "dataplane/dhcp/options6.h"

#include <algorithm>
#include <array>

namespace slipway::dhcp {
namespace {

constexpr std::uint8_t kClient = kFromClient;
constexpr std::uint8_t kServer = kFromServer;
constexpr std::uint8_t kBoth = kFromClient | kFromServer;
constexpr std::uint16_t kAny = 2048;

using enum OptionType6;

constexpr std::array kTable = std::to_array<OptionRow6>({
    {Option6::kClientId, "client identifier", kBytes, kDuidBytesMin, kDuidBytesMax, kBoth | kStrict,
     "RFC 8415 21.2"},
    {Option6::kServerId, "server identifier", kBytes, kDuidBytesMin, kDuidBytesMax, kBoth | kStrict,
     "RFC 8415 21.3"},
    {Option6::kIaNa, "IA_NA", kNested, 12, kAny, kBoth | kStrict, "RFC 8415 21.4"},
    {Option6::kIaTa, "IA_TA", kNested, 4, kAny, kBoth | kStrict, "RFC 8415 21.5"},
    {Option6::kIaAddress, "IA address", kNested, 24, kAny, kBoth | kStrict, "RFC 8415 21.6"},
    {Option6::kOptionRequest, "option request", kBytes, 2, 1024, kClient, "RFC 8415 21.7"},
    {Option6::kPreference, "preference", kU8, 1, 1, kServer, "RFC 8415 21.8"},
    {Option6::kElapsedTime, "elapsed time", kU16, 2, 2, kClient, "RFC 8415 21.9"},
    {Option6::kRelayMessage, "relay message", kBytes, 4, kAny, kBoth | kStrict, "RFC 8415 21.10"},
    {Option6::kStatusCode, "status code", kBytes, 2, 1024, kBoth, "RFC 8415 21.13"},
    {Option6::kRapidCommit, "rapid commit", kFlag, 0, 0, kBoth, "RFC 8415 21.14"},
    {Option6::kUserClass, "user class", kBytes, 2, 1024, kClient, "RFC 8415 21.15"},
    {Option6::kVendorClass, "vendor class", kBytes, 4, 1024, kBoth, "RFC 8415 21.16"},
    {Option6::kInterfaceId, "interface id", kBytes, 1, 1024, kBoth, "RFC 8415 21.18"},
    {Option6::kDnsServers, "DNS servers", kAddresses, 16, 1024, kServer, "RFC 3646 3"},
    {Option6::kDomainList, "domain search list", kNames, 1, 1024, kServer, "RFC 3646 4"},
    {Option6::kIaPd, "IA_PD", kNested, 12, kAny, kBoth | kStrict, "RFC 8415 21.21"},
    {Option6::kSntpServers, "SNTP servers", kAddresses, 16, 1024, kServer, "RFC 4075 4"},
    {Option6::kInformationRefreshTime, "information refresh time", kU32, 4, 4, kServer,
     "RFC 8415 21.23"},
    {Option6::kRemoteId, "relay remote id", kBytes, 5, 1024, kClient, "RFC 4649 3"},
    {Option6::kClientFqdn, "client FQDN", kBytes, 1, 256, kBoth, "RFC 4704 4"},
    {Option6::kNtpServer, "NTP server", kNested, 4, 1024, kServer, "RFC 5908 4"},
    {Option6::kBootFileUrl, "boot file URL", kText, 1, 1024, kServer, "RFC 5970 3.1"},
    {Option6::kBootFileParameters, "boot file parameters", kBytes, 2, 1024, kServer,
     "RFC 5970 3.2"},
    {Option6::kClientArchitecture, "client architecture", kBytes, 2, 64, kClient, "RFC 5970 3.3"},
    {Option6::kClientNetworkInterface, "client network interface", kBytes, 3, 3, kClient,
     "RFC 5970 3.4"},
    {Option6::kClientLinkLayerAddress, "client link-layer address", kBytes, 3, 64, kClient,
     "RFC 6939 4"},
    {Option6::kRelayPort, "relay source port", kU16, 2, 2, kBoth, "RFC 8357 4.2"},
});

static_assert(kTable.size() == kOptionRows6);
static_assert(std::ranges::is_sorted(kTable, {}, &OptionRow6::code));

constexpr std::uint16_t kCodeMax = static_cast<std::uint16_t>(kTable.back().code);

constexpr auto MakeSlots() {
  std::array<std::uint8_t, kCodeMax + 1> slots{};
  slots.fill(kNoSlot);
  std::uint8_t slot = 0;
  for (const OptionRow6& row : kTable) {
    slots[static_cast<std::uint16_t>(row.code)] = slot++;
  }
  return slots;
}

constexpr auto kSlots = MakeSlots();

}  // namespace

std::span<const OptionRow6> OptionTable6() noexcept { return kTable; }

std::uint8_t SlotOf6(std::uint16_t code) noexcept {
  return code <= kCodeMax ? kSlots[code] : kNoSlot;
}

const OptionRow6* FindOption6(std::uint16_t code) noexcept {
  const std::uint8_t slot = SlotOf6(code);
  return slot == kNoSlot ? nullptr : &kTable[slot];
}

}  // namespace slipway::dhcp
