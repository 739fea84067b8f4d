#include "dataplane/dhcp/options.h"

#include <algorithm>
#include <array>

namespace slipway::dhcp {
namespace {

constexpr std::uint8_t kClient = kFromClient;
constexpr std::uint8_t kServer = kFromServer;
constexpr std::uint8_t kBoth = kFromClient | kFromServer;

// The longest value that is kept: dataplane/base/limits.h.
constexpr std::uint16_t kLong = limits::kDhcpOptionBytesMax;

// Options with other options inside.
constexpr std::uint16_t kNested = 2'048;

// Why an operator may not set it.
constexpr std::string_view kByProtocol = "the protocol itself says it";
constexpr std::string_view kByClient = "only clients send it";
constexpr std::string_view kByRelay = "it belongs to relays, and goes back as it came";
constexpr std::string_view kBySubnet = "it follows from the subnet's network";
constexpr std::string_view kByLease = "set lease_seconds or boot_lease_seconds of the subnet";

using enum OptionType;

constexpr std::uint16_t Code(Option option) { return static_cast<std::uint16_t>(option); }

constexpr std::uint16_t Code(Option6 option) { return static_cast<std::uint16_t>(option); }

// Each kind of row in its own shape, so that the tables read well.
constexpr OptionRow Own(Option code, std::string_view name, OptionType type, std::uint16_t min,
                        std::uint16_t max, std::uint8_t use, std::string_view reference,
                        std::string_view refusal = {}, std::uint32_t value_min = 0) {
  return {Code(code), name, type, min, max, use, reference, refusal, value_min};
}

constexpr OptionRow Own(Option6 code, std::string_view name, OptionType type, std::uint16_t min,
                        std::uint16_t max, std::uint8_t use, std::string_view reference,
                        std::string_view refusal = {}, std::uint32_t value_min = 0) {
  return {Code(code), name, type, min, max, use, reference, refusal, value_min};
}

constexpr OptionRow Ip(std::uint16_t code, std::string_view name, std::string_view reference) {
  return {code, name, kAddress, 4, 4, 0, reference};
}

constexpr OptionRow Ips(std::uint16_t code, std::string_view name, std::string_view reference) {
  return {code, name, kAddresses, 4, kLong, 0, reference};
}

constexpr OptionRow Ips6(std::uint16_t code, std::string_view name, std::string_view reference) {
  return {code, name, kAddresses, 16, kLong, 0, reference};
}

constexpr OptionRow Pairs(std::uint16_t code, std::string_view name, std::string_view reference) {
  return {code, name, kAddressPairs, 8, kLong, 0, reference};
}

constexpr OptionRow Number(std::uint16_t code, std::string_view name, OptionType type,
                           std::string_view reference, std::uint32_t value_min = 0,
                           std::uint32_t value_max = UINT32_MAX) {
  const std::uint16_t bytes = type == kU8 ? 1 : type == kU16 ? 2 : 4;
  return {code, name, type, bytes, bytes, 0, reference, {}, value_min, value_max};
}

constexpr OptionRow Flag(std::uint16_t code, std::string_view name, std::string_view reference) {
  return {code, name, kBool, 1, 1, 0, reference};
}

constexpr OptionRow Text(std::uint16_t code, std::string_view name, std::string_view reference,
                         OptionType type = kText) {
  return {code, name, type, 1, kLong, 0, reference};
}

constexpr OptionRow Other(std::uint16_t code, std::string_view name, OptionType type,
                          std::uint16_t min, std::uint16_t max, std::string_view reference) {
  return {code, name, type, min, max, 0, reference};
}

// Never set by operators, and not used by us either.
constexpr OptionRow Foreign(std::uint16_t code, std::string_view name, std::string_view reference,
                            std::string_view refusal) {
  return {code, name, kBytes, 0, kLong, 0, reference, refusal};
}

constexpr std::array kTable4 = std::to_array<OptionRow>({
    Own(Option::kSubnetMask, "subnet-mask", kAddress, 4, 4, kServer, "RFC 2132 3.3", kBySubnet),
    Number(2, "time-offset", kI32, "RFC 2132 3.4"),
    Own(Option::kRouter, "routers", kAddresses, 4, kLong, kServer, "RFC 2132 3.5"),
    Ips(4, "time-servers", "RFC 2132 3.6"),
    Ips(5, "name-servers", "RFC 2132 3.7"),
    Own(Option::kDomainNameServer, "domain-name-servers", kAddresses, 4, kLong, kServer,
        "RFC 2132 3.8"),
    Ips(7, "log-servers", "RFC 2132 3.9"),
    Ips(8, "cookie-servers", "RFC 2132 3.10"),
    Ips(9, "lpr-servers", "RFC 2132 3.11"),
    Ips(10, "impress-servers", "RFC 2132 3.12"),
    Ips(11, "resource-location-servers", "RFC 2132 3.13"),
    Own(Option::kHostName, "host-name", kDomainText, 1, 255, kBoth, "RFC 2132 3.14"),
    Number(13, "boot-size", kU16, "RFC 2132 3.15"),
    Text(14, "merit-dump", "RFC 2132 3.16"),
    Own(Option::kDomainName, "domain-name", kDomainText, 1, 255, kServer, "RFC 2132 3.17"),
    Ip(16, "swap-server", "RFC 2132 3.18"),
    Text(17, "root-path", "RFC 2132 3.19"),
    Text(18, "extensions-path", "RFC 2132 3.20"),
    Flag(19, "ip-forwarding", "RFC 2132 4.1"),
    Flag(20, "non-local-source-routing", "RFC 2132 4.2"),
    Pairs(21, "policy-filter", "RFC 2132 4.3"),
    Number(22, "max-dgram-reassembly", kU16, "RFC 2132 4.4", 576),
    Number(23, "default-ip-ttl", kU8, "RFC 2132 4.5", 1),
    Number(24, "path-mtu-aging-timeout", kU32, "RFC 2132 4.6"),
    Other(25, "path-mtu-plateau-table", kU16s, 2, kLong, "RFC 2132 4.7"),
    Own(Option::kInterfaceMtu, "interface-mtu", kU16, 2, 2, kServer, "RFC 2132 5.1", {}, 68),
    Flag(27, "all-subnets-local", "RFC 2132 5.2"),
    Own(Option::kBroadcastAddress, "broadcast-address", kAddress, 4, 4, kServer, "RFC 2132 5.3"),
    Flag(29, "perform-mask-discovery", "RFC 2132 5.4"),
    Flag(30, "mask-supplier", "RFC 2132 5.5"),
    Flag(31, "perform-router-discovery", "RFC 2132 5.6"),
    Ip(32, "router-solicitation-address", "RFC 2132 5.7"),
    Pairs(33, "static-routes", "RFC 2132 5.8"),
    Flag(34, "trailer-encapsulation", "RFC 2132 6.1"),
    Number(35, "arp-cache-timeout", kU32, "RFC 2132 6.2"),
    Flag(36, "ieee802-3-encapsulation", "RFC 2132 6.3"),
    Number(37, "default-tcp-ttl", kU8, "RFC 2132 7.1", 1),
    Number(38, "tcp-keepalive-interval", kU32, "RFC 2132 7.2"),
    Flag(39, "tcp-keepalive-garbage", "RFC 2132 7.3"),
    Text(40, "nis-domain", "RFC 2132 8.1"),
    Ips(41, "nis-servers", "RFC 2132 8.2"),
    Own(Option::kNtpServers, "ntp-servers", kAddresses, 4, kLong, kServer, "RFC 2132 8.3"),
    Own(Option::kVendorSpecific, "vendor-encapsulated-options", kSubOptions, 1, kLong, kBoth,
        "RFC 2132 8.4"),
    Ips(44, "netbios-name-servers", "RFC 2132 8.5"),
    Ips(45, "netbios-dd-servers", "RFC 2132 8.6"),
    Number(46, "netbios-node-type", kU8, "RFC 2132 8.7", 1, 8),
    Text(47, "netbios-scope", "RFC 2132 8.8"),
    Ips(48, "font-servers", "RFC 2132 8.9"),
    Ips(49, "x-display-managers", "RFC 2132 8.10"),
    Own(Option::kRequestedAddress, "requested-address", kAddress, 4, 4, kClient | kStrict,
        "RFC 2132 9.1", kByClient),
    Own(Option::kLeaseTime, "lease-time", kU32, 4, 4, kBoth, "RFC 2132 9.2", kByLease),
    Own(Option::kOverload, "option-overload", kU8, 1, 1, kBoth | kStrict, "RFC 2132 9.3",
        kByProtocol),
    Own(Option::kMessageType, "message-type", kU8, 1, 1, kBoth | kStrict, "RFC 2132 9.6",
        kByProtocol),
    Own(Option::kServerIdentifier, "server-identifier", kAddress, 4, 4, kBoth | kStrict,
        "RFC 2132 9.7", kByProtocol),
    Own(Option::kParameterRequestList, "parameter-request-list", kBytes, 1, kLong, kClient,
        "RFC 2132 9.8", kByClient),
    Own(Option::kMessage, "message", kText, 1, 255, kBoth, "RFC 2132 9.9", kByProtocol),
    Own(Option::kMaxMessageSize, "maximum-message-size", kU16, 2, 2, kClient, "RFC 2132 9.10",
        kByClient),
    Own(Option::kRenewalTime, "renewal-time", kU32, 4, 4, kServer, "RFC 2132 9.11", kByLease),
    Own(Option::kRebindingTime, "rebinding-time", kU32, 4, 4, kServer, "RFC 2132 9.12", kByLease),
    Own(Option::kVendorClass, "vendor-class", kText, 1, 255, kBoth, "RFC 2132 9.13"),
    Own(Option::kClientIdentifier, "client-identifier", kBytes, 2, 255, kClient, "RFC 2132 9.14",
        kByClient),
    Text(64, "nisplus-domain", "RFC 2132 8.11"),
    Ips(65, "nisplus-servers", "RFC 2132 8.12"),
    Own(Option::kTftpServerName, "tftp-server-name", kText, 1, 255, kServer, "RFC 2132 9.4"),
    Own(Option::kBootFileName, "boot-file-name", kText, 1, 255, kServer, "RFC 2132 9.5"),
    Ips(68, "mobile-ip-home-agents", "RFC 2132 8.13"),
    Ips(69, "smtp-servers", "RFC 2132 8.14"),
    Ips(70, "pop3-servers", "RFC 2132 8.15"),
    Ips(71, "nntp-servers", "RFC 2132 8.16"),
    Ips(72, "www-servers", "RFC 2132 8.17"),
    Ips(73, "finger-servers", "RFC 2132 8.18"),
    Ips(74, "irc-servers", "RFC 2132 8.19"),
    Ips(75, "streettalk-servers", "RFC 2132 8.20"),
    Ips(76, "streettalk-directory-servers", "RFC 2132 8.21"),
    Own(Option::kUserClass, "user-class", kBytes, 1, 255, kClient, "RFC 3004", kByClient),
    Foreign(80, "rapid-commit", "RFC 4039", kByProtocol),
    Own(Option::kClientFqdn, "client-fqdn", kBytes, 3, 255, kBoth, "RFC 4702", kByProtocol),
    Own(Option::kRelayAgentInformation, "relay-agent-information", kRelayEcho, 2, kLong, kBoth,
        "RFC 3046", kByRelay),
    Ips(85, "nds-servers", "RFC 2241 2"),
    Text(86, "nds-tree-name", "RFC 2241 3"),
    Text(87, "nds-context", "RFC 2241 4"),
    Other(88, "bcmcs-domains", kDomains, 3, kLong, "RFC 4280 4.1"),
    Ips(89, "bcmcs-servers", "RFC 4280 4.3"),
    Foreign(90, "authentication", "RFC 3118", kByProtocol),
    Foreign(91, "client-last-transaction-time", "RFC 4388 6.1", kByProtocol),
    Foreign(92, "associated-ip", "RFC 4388 6.1", kByProtocol),
    Own(Option::kClientArchitecture, "client-architecture", kU16s, 2, 255, kClient, "RFC 4578 2.1",
        kByClient),
    Foreign(94, "client-interface", "RFC 4578 2.2", kByClient),
    Own(Option::kClientUuid, "client-uuid", kBytes, 17, 17, kBoth, "RFC 4578 2.3", kByClient),
    Text(98, "user-authentication-servers", "RFC 2485"),
    Other(99, "civic-location", kBytes, 3, kLong, "RFC 4776"),
    Text(100, "posix-timezone", "RFC 4833 2"),
    Text(101, "timezone-name", "RFC 4833 2"),
    Number(108, "ipv6-only-preferred", kU32, "RFC 8925 3.1"),
    Text(114, "captive-portal", "RFC 8910 2.1"),
    Number(116, "auto-configure", kU8, "RFC 2563", 0, 1),
    Other(117, "name-service-search", kU16s, 2, kLong, "RFC 2937"),
    Foreign(118, "subnet-selection", "RFC 3011", kByClient),
    Other(119, "domain-search", kDomainSearch, 3, kLong, "RFC 3397"),
    Other(121, "classless-static-routes", kRoutes, 5, kLong, "RFC 3442"),
    Own(Option::kVendorIdentifyingClass, "vendor-identifying-class", kVendorClass, 5, kLong,
        kClient, "RFC 3925 3"),
    Own(Option::kVendorIdentifyingInfo, "vendor-identifying-options", kVendorOptions, 5, kLong,
        kBoth, "RFC 3925 4"),
    Ips(136, "pana-agents", "RFC 5192 3"),
    Other(137, "lost-server", kDomain, 3, 255, "RFC 5223 3"),
    Ips(138, "capwap-controllers", "RFC 5417 3"),
    Other(141, "sip-ua-domains", kDomains, 3, kLong, "RFC 6011 4.1"),
    Other(143, "sztp-redirect", kTexts, 3, kLong, "RFC 8572 8.1"),
    Other(144, "geographic-location", kBytes, 16, 16, "RFC 6225 2.2"),
    Foreign(145, "forcerenew-nonce-capable", "RFC 6704", kByProtocol),
    Ips(150, "tftp-server-addresses", "RFC 5859"),
    Foreign(151, "leasequery-status", "RFC 6926 6.2.2", kByProtocol),
    Foreign(152, "leasequery-base-time", "RFC 6926 6.2.3", kByProtocol),
    Foreign(153, "leasequery-start-time-of-state", "RFC 6926 6.2.4", kByProtocol),
    Foreign(154, "leasequery-start-time", "RFC 6926 6.2.5", kByProtocol),
    Foreign(155, "leasequery-end-time", "RFC 6926 6.2.6", kByProtocol),
    Foreign(156, "leasequery-state", "RFC 6926 6.2.7", kByProtocol),
    Foreign(157, "leasequery-data-source", "RFC 6926 6.2.8", kByProtocol),
    Own(Option::kIpxe, "ipxe-encapsulated-options", kSubOptions, 1, kLong, kBoth,
        "ipxe.org/howto/dhcpd"),
    Other(208, "pxelinux-magic", kBytes, 4, 4, "RFC 5071 3"),
    Own(Option::kConfigurationFile, "pxelinux-config-file", kText, 1, kLong, kServer, "RFC 5071 4"),
    Own(Option::kPathPrefix, "pxelinux-path-prefix", kText, 1, kLong, kServer, "RFC 5071 5"),
    Number(211, "pxelinux-reboot-time", kU32, "RFC 5071 6"),
    Other(212, "6rd", kBytes, 22, kLong, "RFC 5969 7.1.1"),
    Other(249, "ms-classless-static-routes", kRoutes, 5, kLong, "MS-DHCPE 2.2.8"),
    Text(252, "web-proxy-autodiscovery", "draft-ietf-wrec-wpad-01"),
});

constexpr std::array kTable6 = std::to_array<OptionRow>({
    Own(Option6::kClientId, "client-identifier", kBytes, 3, 130, kBoth | kStrict, "RFC 8415 21.2",
        kByProtocol),
    Own(Option6::kServerId, "server-identifier", kBytes, 3, 130, kBoth | kStrict, "RFC 8415 21.3",
        kByProtocol),
    Own(Option6::kIaNa, "ia-na", kBytes, 12, kNested, kBoth | kStrict, "RFC 8415 21.4",
        kByProtocol),
    Own(Option6::kIaTa, "ia-ta", kBytes, 4, kNested, kBoth | kStrict, "RFC 8415 21.5", kByProtocol),
    Own(Option6::kIaAddress, "ia-address", kBytes, 24, kNested, kBoth | kStrict, "RFC 8415 21.6",
        kByProtocol),
    Own(Option6::kOptionRequest, "option-request", kU16s, 2, kLong, kClient, "RFC 8415 21.7",
        kByClient),
    Own(Option6::kPreference, "preference", kU8, 1, 1, kServer, "RFC 8415 21.8", kByProtocol),
    Own(Option6::kElapsedTime, "elapsed-time", kU16, 2, 2, kClient, "RFC 8415 21.9", kByClient),
    Own(Option6::kRelayMessage, "relay-message", kBytes, 4, kNested, kBoth | kStrict,
        "RFC 8415 21.10", kByRelay),
    Own(Option6::kAuthentication, "authentication", kBytes, 11, kLong, kBoth, "RFC 8415 21.11",
        kByProtocol),
    Own(Option6::kServerUnicast, "server-unicast", kAddress, 16, 16, kServer, "RFC 8415 21.12",
        kByProtocol),
    Own(Option6::kStatusCode, "status-code", kBytes, 2, kLong, kServer, "RFC 8415 21.13",
        kByProtocol),
    Own(Option6::kRapidCommit, "rapid-commit", kNone, 0, 0, kBoth, "RFC 8415 21.14", kByProtocol),
    Own(Option6::kUserClass, "user-class", kTexts, 2, kLong, kClient, "RFC 8415 21.15", kByClient),
    Own(Option6::kVendorClass, "vendor-class", kVendorClass, 4, kLong, kBoth, "RFC 8415 21.16"),
    Other(Code(Option6::kVendorOptions), "vendor-options", kVendorOptions, 4, kLong,
          "RFC 8415 21.17"),
    Own(Option6::kInterfaceId, "interface-id", kRelayEcho, 1, kLong, kBoth, "RFC 8415 21.18",
        kByRelay),
    Own(Option6::kReconfigureMessage, "reconfigure-message", kU8, 1, 1, kServer, "RFC 8415 21.19",
        kByProtocol),
    Own(Option6::kReconfigureAccept, "reconfigure-accept", kNone, 0, 0, kBoth, "RFC 8415 21.20",
        kByProtocol),
    Other(21, "sip-domains", kDomains, 3, kLong, "RFC 3319 3.1"),
    Ips6(22, "sip-servers", "RFC 3319 3.2"),
    Own(Option6::kDnsServers, "dns-servers", kAddresses, 16, kLong, kServer, "RFC 3646 3"),
    Own(Option6::kDomainList, "domain-search", kDomains, 3, kLong, kServer, "RFC 3646 4"),
    Own(Option6::kIaPd, "ia-pd", kBytes, 12, kNested, kBoth | kStrict, "RFC 8415 21.21",
        kByProtocol),
    Own(Option6::kIaPrefix, "ia-prefix", kBytes, 25, kNested, kBoth | kStrict, "RFC 8415 21.22",
        kByProtocol),
    Ips6(27, "nis-servers", "RFC 3898 3"),
    Ips6(28, "nisplus-servers", "RFC 3898 4"),
    Other(29, "nis-domain", kDomain, 3, 255, "RFC 3898 5"),
    Other(30, "nisplus-domain", kDomain, 3, 255, "RFC 3898 6"),
    Own(Option6::kSntpServers, "sntp-servers", kAddresses, 16, kLong, kServer, "RFC 4075 4"),
    Own(Option6::kInformationRefreshTime, "information-refresh-time", kU32, 4, 4, kServer,
        "RFC 8415 21.23", {}, 600),
    Other(33, "bcmcs-domains", kDomains, 3, kLong, "RFC 4280 4.2"),
    Ips6(34, "bcmcs-servers", "RFC 4280 4.4"),
    Other(36, "civic-location", kBytes, 3, kLong, "RFC 4776"),
    Own(Option6::kRemoteId, "remote-id", kRelayEcho, 5, kLong, kClient, "RFC 4649", kByRelay),
    Own(Option6::kSubscriberId, "subscriber-id", kRelayEcho, 0, kLong, kClient, "RFC 4580",
        kByRelay),
    Own(Option6::kClientFqdn, "client-fqdn", kBytes, 1, 257, kBoth, "RFC 4704 4", kByProtocol),
    Ips6(40, "pana-agents", "RFC 5192 4"),
    Text(41, "posix-timezone", "RFC 4833 3"),
    Text(42, "timezone-name", "RFC 4833 3"),
    Foreign(43, "echo-request", "RFC 4994", kByRelay),
    Foreign(44, "leasequery-query", "RFC 5007 4.1.2.1", kByProtocol),
    Foreign(45, "client-data", "RFC 5007 4.1.2.2", kByProtocol),
    Foreign(46, "client-last-transaction-time", "RFC 5007 4.1.2.3", kByProtocol),
    Foreign(47, "leasequery-relay-data", "RFC 5007 4.1.2.4", kByProtocol),
    Foreign(48, "leasequery-client-link", "RFC 5007 4.1.2.5", kByProtocol),
    Other(51, "lost-server", kDomain, 3, 255, "RFC 5223 4"),
    Ips6(52, "capwap-controllers", "RFC 5417 4"),
    Foreign(53, "relay-id", "RFC 5460 5.4.1", kByRelay),
    Own(Option6::kNtpServer, "ntp-servers", kNtp, 6, kLong, kServer, "RFC 5908 4"),
    Other(58, "sip-ua-domains", kDomains, 3, kLong, "RFC 6011 4.2"),
    Own(Option6::kBootFileUrl, "boot-file-url", kText, 1, kLong, kServer, "RFC 5970 3.1"),
    Own(Option6::kBootFileParameters, "boot-file-parameters", kTexts, 2, kLong, kServer,
        "RFC 5970 3.2"),
    Own(Option6::kClientArchitecture, "client-architecture", kU16s, 2, kLong, kClient,
        "RFC 5970 3.3", kByClient),
    Own(Option6::kClientNetworkInterface, "client-interface", kBytes, 3, 3, kClient, "RFC 5970 3.4",
        kByClient),
    Other(64, "aftr-name", kDomain, 3, 255, "RFC 6334 3"),
    Foreign(66, "relay-supplied-options", "RFC 6422 4", kByRelay),
    Own(Option6::kClientLinkLayerAddress, "client-link-layer-address", kBytes, 3, 64, kClient,
        "RFC 6939 4", kByRelay),
    Number(Code(Option6::kSolMaxRt), "solicit-max-rt", kU32, "RFC 8415 21.24", 60, 86'400),
    Number(Code(Option6::kInfMaxRt), "information-max-rt", kU32, "RFC 8415 21.25", 60, 86'400),
    Text(103, "captive-portal", "RFC 8910 2.2"),
    Own(Option6::kRelayPort, "relay-source-port", kU16, 2, 2, kBoth, "RFC 8357 4.2", kByRelay),
    Other(136, "sztp-redirect", kTexts, 3, kLong, "RFC 8572 8.2"),
});

static_assert(std::ranges::is_sorted(kTable4, {}, &OptionRow::code));
static_assert(std::ranges::is_sorted(kTable6, {}, &OptionRow::code));
static_assert(std::ranges::all_of(kTable4, [](const OptionRow& row) { return row.code < 255; }));

// Decoders look codes up for every option of every packet.
template <std::size_t kSlots>
struct Slots {
  std::array<std::uint8_t, 256> by_code{};
  std::array<std::uint8_t, kSlots> rows{};
};

template <std::size_t kSlots>
consteval Slots<kSlots> MakeSlots(std::span<const OptionRow> table) {
  Slots<kSlots> slots;
  slots.by_code.fill(kNoSlot);
  std::uint8_t slot = 0;
  for (std::size_t row = 0; row < table.size(); ++row) {
    if (table[row].use != 0) {
      slots.rows[slot] = static_cast<std::uint8_t>(row);
      slots.by_code[table[row].code] = slot++;
    }
  }
  return slots;
}

constexpr bool IsUsed(const OptionRow& row) { return row.use != 0; }

static_assert(std::ranges::count_if(kTable4, IsUsed) == std::ptrdiff_t{kOptionSlots});
static_assert(std::ranges::count_if(kTable6, IsUsed) == std::ptrdiff_t{kOptionSlots6});
static_assert(kTable6.back().code < 256);

constexpr auto kSlots4 = MakeSlots<kOptionSlots>(kTable4);
constexpr auto kSlots6 = MakeSlots<kOptionSlots6>(kTable6);

}  // namespace

std::string_view ToString(OptionType type) noexcept {
  constexpr std::array<std::string_view, 23> kNames = {
      "none",        "address",      "addresses",      "address pairs", "u8",     "u16",
      "u32",         "i32",          "u16 list",       "boolean",       "text",   "texts",
      "domain text", "domain",       "domains",        "domain search", "routes", "NTP servers",
      "sub-options", "vendor class", "vendor options", "relay echo",    "bytes"};
  static_assert(kNames.size() == static_cast<std::size_t>(kBytes) + 1);
  return kNames[static_cast<std::size_t>(type)];
}

std::span<const OptionRow> OptionTable(Family family) noexcept {
  return family == Family::kV4 ? std::span<const OptionRow>(kTable4)
                               : std::span<const OptionRow>(kTable6);
}

const OptionRow* FindOption(Family family, std::uint16_t code) noexcept {
  const std::span<const OptionRow> table = OptionTable(family);
  const auto found = std::ranges::lower_bound(table, code, {}, &OptionRow::code);
  return found == table.end() || found->code != code ? nullptr : &*found;
}

const OptionRow* FindOption(Family family, std::string_view name) noexcept {
  const std::span<const OptionRow> table = OptionTable(family);
  const auto found = std::ranges::find(table, name, &OptionRow::name);
  return found == table.end() ? nullptr : &*found;
}

std::uint8_t SlotOf(std::uint8_t code) noexcept { return kSlots4.by_code[code]; }

std::uint8_t SlotOf6(std::uint16_t code) noexcept {
  return code < kSlots6.by_code.size() ? kSlots6.by_code[code] : kNoSlot;
}

const OptionRow& RowOfSlot(std::size_t slot) noexcept { return kTable4[kSlots4.rows[slot]]; }

const OptionRow& RowOfSlot6(std::size_t slot) noexcept { return kTable6[kSlots6.rows[slot]]; }

}  // namespace slipway::dhcp
