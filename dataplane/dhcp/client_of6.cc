// Who a DHCPv6 client is.
#include <algorithm>
#include <array>

#include "dataplane/boot/identity.h"
#include "dataplane/dhcp/exchange.h"
#include "dataplane/dhcp/exchange6.h"
#include "dataplane/dhcp/fqdn.h"

namespace slipway::dhcp {
namespace {

using Exchange = Dhcp6Engine::Exchange;

constexpr std::uint16_t kHardwareEthernet6 = 1;
constexpr std::size_t kIaidBytes = 4;

// Zero if it is none that names one machine.
MacAddress Usable(MacAddress mac) {
  return mac.is_multicast() || boot::IsSharedMac(mac) ? MacAddress{} : mac;
}

MacAddress MacOf(ByteSpan octets) {
  MacAddress mac;
  if (octets.size() == mac.octets.size()) {
    WireReader(octets).Copy(std::as_writable_bytes(std::span(mac.octets)));
  }
  return Usable(mac);
}

// RFC 6939 4: hardware type, address.
MacAddress MacOfRelay(ByteSpan value) {
  WireReader reader(value);
  return reader.U16() == kHardwareEthernet6 ? MacOf(reader.Rest()) : MacAddress{};
}

// The DUID with the IAID: what RFC 8415 knows a lease by.
struct Association {
  std::array<std::byte, kDuidBytesMax + kIaidBytes> bytes{};
  std::size_t size = 0;

  Association(ByteSpan duid, std::uint32_t iaid) {
    std::ranges::copy(duid, bytes.begin());
    StoreBig(bytes.data() + duid.size(), iaid);
    size = duid.size() + kIaidBytes;
  }

  [[nodiscard]] ByteSpan view() const { return ByteSpan(bytes).first(size); }
};

// A DUID names a machine, not an interface: the MAC in it may be that of another interface, which
// may have its own lease on this link, under the same DUID and another IAID.
bool IsOtherInterface(const lease::LeaseTable& leases, const lease::Client& client,
                      const lease::ClientKey& by_id, ByteSpan association) {
  if (leases.ByClient(by_id, client.vlan) != nullptr) {
    return true;
  }
  const lease::Lease* const lease = leases.ByClient(client.key, client.vlan);
  if (lease == nullptr || lease->state != lease::State::kBound) {
    return false;
  }
  const lease::LeaseDetail kept = leases.DetailOf(*lease);
  const ByteSpan id = kept.client_id.view();
  return id.size() == association.size() && !std::ranges::equal(id, association) &&
         std::ranges::equal(id.first(id.size() - kIaidBytes),
                            association.first(id.size() - kIaidBytes));
}

// The MAC, so that firmware, loader and OS keep one address, whatever DUID and IAID each makes up:
// as the relay saw it, as the client's own address has it, as its DUID has it; without any, DUID
// and IAID.
void FindKey(Exchange& exchange, const lease::LeaseTable& leases) {
  const Message6& message = exchange.message;
  const ByteSpan duid = message.Get(Option6::kClientId);
  const Association association(duid, exchange.ia == nullptr ? 0 : exchange.ia->iaid);
  const lease::ClientKey by_id =
      lease::ClientKey::FromClientId(association.view(), lease::Family::kV6);
  lease::Client& client = exchange.client;
  client.vlan = exchange.vlan->id;
  (void)exchange.detail.client_id.Assign(association.view());
  const ShownMac shown = FindShownMac(message, exchange.context.source);
  client.mac = shown.mac;
  client.key =
      client.mac.is_zero() ? by_id : lease::ClientKey::FromMac(client.mac, lease::Family::kV6);
  if (shown.by_duid && IsOtherInterface(leases, client, by_id, association.view())) {
    client.key = by_id;
    client.mac = {};
  }
}

boot::Firmware ReadFirmware(const Message6& message) {
  // RFC 8415 21.16: the enterprise number, then items.
  const ByteSpan vendor = message.Get(Option6::kVendorClass);
  const ByteSpan vendor_class =
      vendor.size() < 4 ? ByteSpan{} : FindClassItem(vendor.subspan(4), [](std::string_view item) {
        return item.starts_with("PXEClient") || item.starts_with("HTTPClient");
      });
  const ByteSpan user_class =
      FindClassItem(message.Get(Option6::kUserClass),
                    [](std::string_view item) { return item == boot::kIpxeUserClass; });
  const ByteSpan duid = message.Get(Option6::kClientId);
  boot::Firmware firmware =
      boot::FirmwareFromOptions({.vendor_class = vendor_class,
                                 .user_class = user_class,
                                 .architecture = message.Get(Option6::kClientArchitecture),
                                 .uuid = {},
                                 .ipxe = {}});
  firmware.asks_boot_file = message.Asks(Option6::kBootFileUrl);
  // RFC 6355 4: the UUID in network order, which firmware takes from SMBIOS as it is.
  if (duid.size() == 2 + firmware.uuid.size() && LoadBig<std::uint16_t>(duid.data()) == kDuidUuid) {
    firmware.has_uuid = true;
    WireReader(duid.subspan(2)).Copy(std::as_writable_bytes(std::span(firmware.uuid)));
  }
  return firmware;
}

// RFC 4704 4: flags, then the name.
config::HostName ReadHostName(const Message6& message) {
  WireReader reader(message.Get(Option6::kClientFqdn));
  reader.Skip(1);
  return HostNameOfWireName(reader.Rest());
}

}  // namespace

MacAddress MacOfEui64(const Ipv6Address& address) noexcept {
  const auto& octets = address.octets;
  if (!address.is_link_local() || octets[11] != 0xFF || octets[12] != 0xFE) {
    return {};
  }
  return Usable({{static_cast<std::uint8_t>(octets[8] ^ 2), octets[9], octets[10], octets[13],
                  octets[14], octets[15]}});
}

MacAddress MacOfDuid(ByteSpan duid) noexcept {
  WireReader reader(duid);
  const std::uint16_t type = reader.U16();
  if ((type != kDuidLinkLayer && type != kDuidLinkLayerTime) ||
      reader.U16() != kHardwareEthernet6) {
    return {};
  }
  reader.Skip(type == kDuidLinkLayerTime ? 4 : 0);
  return MacOf(reader.Rest());
}

ShownMac FindShownMac(const Message6& message, const Ipv6Address& source) noexcept {
  MacAddress mac;
  if (message.relayed()) {
    const RelayHop& nearest = message.relays[message.relays.size() - 1];
    mac = MacOfRelay(nearest.client_address);
    mac = mac.is_zero() ? MacOfEui64(nearest.peer) : mac;
  } else {
    mac = MacOfEui64(source);
  }
  if (!mac.is_zero()) {
    return {.mac = mac};
  }
  mac = MacOfDuid(message.Get(Option6::kClientId));
  return {.mac = mac, .by_duid = !mac.is_zero()};
}

void FindClient6(Exchange& exchange, const lease::LeaseTable& leases) noexcept {
  const Message6& message = exchange.message;
  for (const Ia& ia : message.ias) {
    if (ia.type == Option6::kIaNa) {
      exchange.ia = &ia;
      break;
    }
  }
  FindKey(exchange, leases);
  boot::BootRequest& boot = exchange.boot;
  boot.mac = exchange.client.mac;
  boot.vlan = exchange.vlan;
  boot.firmware = ReadFirmware(message);
  boot.transport = boot::Transport::kDhcp;
  boot.stage = boot.firmware.ipxe ? boot::Stage::kIpxe : boot::Stage::kFirmware;
  boot::FindMachine(exchange.snapshot, boot);
  if (!exchange.Note(!boot.mac.is_zero(), "client-by-mac",
                     "the client is known by its MAC (chaddr, relay, address or DUID)", boot.mac)) {
    exchange.Note(true, "client-by-id", "the client is known by its client identifier");
  }
  exchange.Note(boot.machine != nullptr, "machine-by-mac",
                "the MAC belongs to an interface of a machine, on this VLAN", boot.machine);
  exchange.client.machine = boot.machine == nullptr ? 0 : boot.machine->id;
  exchange.effects.machine = exchange.client.machine;
  exchange.detail.hostname =
      boot.machine == nullptr ? ReadHostName(message) : boot.machine->hostname;
  if (boot.interface != nullptr && boot.interface->address6.is_set()) {
    exchange.reserved_subnet =
        FindSubnet6(exchange.snapshot, exchange.vlan->id, boot.interface->address6.v6());
    exchange.reserved =
        exchange.reserved_subnet == nullptr ? IpAddress() : boot.interface->address6;
    exchange.Note(exchange.reserved.is_set(), "reservation-on-link",
                  "the address reserved for it is on this link", boot.interface->address6);
  }
}

}  // namespace slipway::dhcp
