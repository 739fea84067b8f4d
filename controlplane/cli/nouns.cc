#include "controlplane/cli/nouns.h"

namespace slipway::cli {
namespace {

using enum ValueKind;

constexpr FieldOption kDescription{"--description", "description", kText,
                                   false,           true,          "For people"};

constexpr Column kFabricColumns[] = {
    {"ID", "id"}, {"NAME", "name"}, {"DESCRIPTION", "description"}};
constexpr FieldOption kFabricOptions[] = {kDescription};

constexpr Column kVlanColumns[] = {{"ID", "id"},
                                   {"NAME", "name"},
                                   {"FABRIC", "fabric"},
                                   {"VID", "vid"},
                                   {"MTU", "mtu"},
                                   {"UNKNOWN", "unknown_policy"},
                                   {"RA", "router_advertisement"},
                                   {"DHCP", "dhcp"}};
constexpr FieldOption kVlanOptions[] = {
    {"--fabric", "fabric", kText, true, false, "Its fabric, id or name"},
    {"--vid", "vid", kNumber, false, false, "802.1Q id; 0: untagged"},
    {"--mtu", "mtu", kNumber, false, true, "Bytes"},
    {"--unknown-policy", "unknown_policy", kText, false, true,
     "Machines that are not known: ignore, local, wait or enlist"},
    {"--router-advertisement", "router_advertisement", kText, false, true,
     "off, no-router-here or full"},
    {"--router-lifetime", "router_lifetime_seconds", kNumber, false, true,
     "Of full advertisements; 0: no default router"},
    {"--dhcp", "dhcp", kText, false, true, "on, proxy (another server gives addresses) or off"},
    {"--relays", "relays", kList, false, true, "Relay addresses outside its subnets"},
    kDescription};

constexpr Column kSubnetColumns[] = {
    {"ID", "id"},           {"NAME", "name"},       {"CIDR", "cidr"},    {"VLAN", "vlan"},
    {"GATEWAY", "gateway"}, {"DNS", "dns_servers"}, {"DOMAIN", "domain"}};
constexpr FieldOption kSubnetOptions[] = {
    {"--vlan", "vlan", kText, true, false, "Its VLAN, id or name"},
    {"--cidr", "cidr", kText, true, false, "The network, as 10.0.0.0/24"},
    {"--gateway", "gateway", kText, false, true, "Router given to clients"},
    {"--dns", "dns_servers", kList, false, true, "DNS servers, one or more"},
    {"--ntp", "ntp_servers", kList, false, true, "NTP servers, one or more"},
    {"--domain", "domain", kText, false, true, "Domain given to clients"},
    {"--lease-seconds", "lease_seconds", kNumber, false, true, "Lease time"},
    {"--boot-lease-seconds", "boot_lease_seconds", kNumber, false, true,
     "Lease time of firmware and boot loaders"},
    kDescription};

constexpr Column kRangeColumns[] = {{"ID", "id"},       {"SUBNET", "subnet"}, {"KIND", "kind"},
                                    {"FIRST", "first"}, {"LAST", "last"},     {"STATE", "state"}};
constexpr FieldOption kRangeOptions[] = {
    {"--subnet", "subnet", kText, true, false, "Its subnet, id or name"},
    {"--first", "first", kText, true, true, "First address"},
    {"--last", "last", kText, true, true, "Last address, inclusive"},
    {"--kind", "kind", kText, false, true, "dynamic (the DHCP pool) or reserved"},
    {"--state", "state", kText, false, true, "active, draining or revoked"},
    kDescription};

constexpr Column kMachineColumns[] = {{"ID", "id"},
                                      {"NAME", "hostname"},
                                      {"BOOT", "boot_target"},
                                      {"ORIGIN", "origin"},
                                      {"CPUS", "inventory.cpu_count"},
                                      {"MEMORY", "inventory.memory_mib", Cell::kMebibytes},
                                      {"ARCH", "inventory.architecture"},
                                      {"FIRMWARE", "inventory.firmware"},
                                      {"PRODUCT", "inventory.product"},
                                      {"INVENTORY", "inventory_time", Cell::kTime}};
constexpr FieldOption kMachineOptions[] = {
    {"--boot-target", "boot_target", kText, false, true, "local, launcher, image or wait"},
    {"--image", "image", kText, false, true, "With boot target image: its id or name"},
    {"--kernel-options", "kernel_options", kText, false, true, "Added to the command line"},
    {"--uuid", "uuid", kText, false, true, "SMBIOS UUID"},
    kDescription};

constexpr Column kInterfaceColumns[] = {
    {"ID", "id"},     {"MAC", "mac"},       {"MACHINE", "machine"}, {"NAME", "name"},
    {"VLAN", "vlan"}, {"SUBNET", "subnet"}, {"ADDRESS", "address"}, {"ADDRESS6", "address6"}};
constexpr FieldOption kInterfaceOptions[] = {
    {"--machine", "machine", kText, true, false, "Whose it is, id or name"},
    {"--mac", "mac", kText, true, true, "Its MAC address"},
    {"--name", "name", kText, false, true, "As the machine calls it"},
    {"--vlan", "vlan", kText, false, true, "Where it is plugged in, id or name"},
    {"--subnet", "subnet", kText, false, true, "Of the address; found from it"},
    {"--address", "address", kText, false, true, "Reserved for it"},
    {"--subnet6", "subnet6", kText, false, true, "Of the IPv6 address; found from it"},
    {"--address6", "address6", kText, false, true, "IPv6, beside an IPv4 address"}};

constexpr Column kImageColumns[] = {{"ID", "id"},
                                    {"NAME", "name"},
                                    {"KIND", "kind"},
                                    {"ARCH", "architecture"},
                                    {"COMMAND LINE", "command_line"}};
constexpr FieldOption kImageOptions[] = {
    {"--kind", "kind", kText, false, false, "loader, launcher or kernel"},
    {"--architecture", "architecture", kText, false, true, "amd64, arm64, ..."},
    {"--command-line", "command_line", kText, false, true, "Of its kernel"},
    kDescription};

constexpr Column kRackColumns[] = {{"ID", "id"},
                                   {"NAME", "name"},
                                   {"STATE", "state"},
                                   {"CONNECTED", "link.connected"},
                                   {"SINCE", "link.since", Cell::kTime},
                                   {"LIVE", "link.live_generation"},
                                   {"CURRENT", "link.current"},
                                   {"SOFTWARE", "link.software"}};

constexpr Column kServedColumns[] = {
    {"ID", "id"}, {"RACK", "rack"}, {"NAME", "name"}, {"VLAN", "vlan"}};
constexpr FieldOption kServedOptions[] = {
    {"--rack", "rack", kText, true, false, "Whose it is, id or name"},
    {"--name", "name", kText, false, false,
     "As the rack's kernel calls it; left out: by relays only"},
    {"--vlan", "vlan", kText, true, true, "What it serves, id or name"}};

constexpr Column kClassColumns[] = {{"ID", "id"},
                                    {"NAME", "name"},
                                    {"PRIORITY", "priority"},
                                    {"ARCH", "architectures"},
                                    {"VENDOR CLASS", "vendor_class"},
                                    {"USER CLASS", "user_class"},
                                    {"MAC", "mac_prefix"},
                                    {"CIRCUIT", "circuit_id"},
                                    {"REMOTE", "remote_id"}};
constexpr FieldOption kClassOptions[] = {
    {"--priority", "priority", kNumber, false, true,
     "Of two classes that set one option the higher one wins"},
    {"--arch", "architectures", kNumberList, false, true, "Codes of option 93: any of these"},
    {"--vendor-class", "vendor_class", kText, false, true, "What option 60 begins with"},
    {"--user-class", "user_class", kText, false, true, "One of the items of option 77"},
    {"--mac-prefix", "mac_prefix", kText, false, true, "How the MAC begins: 52:54:00"},
    {"--circuit-id", "circuit_id", kText, false, true, "Option 82.1 of the relay: text or 0x..."},
    {"--remote-id", "remote_id", kText, false, true, "Option 82.2 of the relay: text or 0x..."},
    kDescription};

constexpr Column kDhcpOptionColumns[] = {{"ID", "id"},
                                         {"SCOPE", "scope"},
                                         {"VLAN", "vlan"},
                                         {"SUBNET", "subnet"},
                                         {"RANGE", "range"},
                                         {"CLASS", "class"},
                                         {"MACHINE", "machine"},
                                         {"FAMILY", "family"},
                                         {"OPTION", "option"},
                                         {"CODE", "code"},
                                         {"VALUE", "value"},
                                         {"ALWAYS", "always"},
                                         {"SUPPRESS", "suppress"}};
constexpr FieldOption kDhcpOptionOptions[] = {
    {"--option", "option", kText, true, false, "Its name, or its code"},
    {"--value", "value", kText, false, true, "In the form of its type; unknown codes: hexadecimal"},
    {"--vlan", "vlan", kText, false, false, "It holds on this VLAN, id or name"},
    {"--subnet", "subnet", kText, false, false, "It holds in this subnet, id or name"},
    {"--range", "range", kText, false, false, "It holds for addresses of this range, id"},
    {"--class", "class", kText, false, false, "It holds for clients of this class, id or name"},
    {"--machine", "machine", kText, false, false, "It holds for this machine, id or name"},
    {"--family", "family", kText, false, false, "v4 or v6"},
    {"--always", "always", kBool, false, true, "Also to clients that do not ask: true or false"},
    {"--suppress", "suppress", kBool, false, true,
     "Not sent here, whatever wider scopes say: true or false"},
    kDescription};

constexpr Column kPairColumns[] = {{"ID", "id"},
                                   {"NAME", "name"},
                                   {"RACK A", "rack_a"},
                                   {"RACK B", "rack_b"},
                                   {"STATE A", "status.a.state"},
                                   {"STATE B", "status.b.state"},
                                   {"DOWN", "down"},
                                   {"SINCE", "down_time", Cell::kTime}};
constexpr FieldOption kPairOptions[] = {
    {"--rack-a", "rack_a", kText, true, false, "The rack that served first, id or name"},
    {"--rack-b", "rack_b", kText, true, false, "The other one, id or name"},
    {"--address-a", "address_a", kText, true, true, "Where rack B reaches rack A: ADDRESS[:PORT]"},
    {"--address-b", "address_b", kText, true, true, "Where rack A reaches rack B: ADDRESS[:PORT]"},
    {"--mclt-seconds", "mclt_seconds", kNumber, false, false,
     "What either promises at most while it is alone"},
    {"--auto-partner-down-seconds", "auto_partner_down_seconds", kNumber, false, true,
     "Declare a rack down that is away for so long; 0: only a person does"},
    kDescription};

constexpr Noun kNouns[] = {
    {"machine", "machines", "hostname", "Machines", kMachineColumns, kMachineOptions, true,
     "mac origin boot_target"},
    {"interface", "interfaces", "", "Network interfaces of machines", kInterfaceColumns,
     kInterfaceOptions, true, "machine mac vlan subnet address address6"},
    {"fabric", "fabrics", "name", "Fabrics: sets of VLANs", kFabricColumns, kFabricOptions, true,
     ""},
    {"vlan", "vlans", "name", "VLANs, with what becomes of unknown machines", kVlanColumns,
     kVlanOptions, true, "fabric vid"},
    {"subnet", "subnets", "name", "Subnets", kSubnetColumns, kSubnetOptions, true, "vlan cidr"},
    {"range", "ranges", "", "Address ranges: pools and reservations", kRangeColumns, kRangeOptions,
     true, "subnet kind"},
    {"image", "images", "name", "Boot images", kImageColumns, kImageOptions, true,
     "kind architecture"},
    {"served-interface", "served-interfaces", "", "Which interface of a rack serves which VLAN",
     kServedColumns, kServedOptions, true, "rack vlan"},
    {"dhcp-class", "dhcp-classes", "name", "Classes of DHCP clients", kClassColumns, kClassOptions,
     true, "priority"},
    {"dhcp-option", "dhcp-options", "", "DHCP options: for all clients, or of one scope",
     kDhcpOptionColumns, kDhcpOptionOptions, true,
     "scope vlan subnet range class machine family option"},
    {"rack", "racks", "name", "Rack controllers", kRackColumns, {}, false, "state"},
    {"pair", "rack-pairs", "name", "Two racks that serve VLANs together", kPairColumns,
     kPairOptions, true, "rack_a rack_b down", "rack"},
};

}  // namespace

std::span<const Noun> Nouns() noexcept { return kNouns; }

}  // namespace slipway::cli
