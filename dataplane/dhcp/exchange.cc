#include "dataplane/dhcp/exchange.h"

#include <algorithm>

namespace slipway::dhcp {
namespace {

bool HasAddress(const config::SubnetRecord& subnet, Ipv4Address address) {
  if (!subnet.prefix.address.is_v4()) {
    return false;
  }
  const std::uint32_t mask = Ipv4Mask(subnet.prefix.bits).value;
  return ((address.value ^ subnet.prefix.address.v4().value) & mask) == 0;
}

const config::SubnetRecord* FindIn(std::span<const config::SubnetRecord> subnets,
                                   Ipv4Address address) {
  if (address.is_any()) {
    return nullptr;
  }
  const auto found = std::ranges::find_if(
      subnets, [&](const config::SubnetRecord& subnet) { return HasAddress(subnet, address); });
  return found == subnets.end() ? nullptr : &*found;
}

// Neither a group nor the broadcast address of a subnet, by which a relay may send as well.
bool IsUnicast(const config::Snapshot& snapshot, Ipv4Address address) {
  if (address.is_any() || address.is_broadcast() || address.is_multicast()) {
    return false;
  }
  const config::SubnetRecord* subnet = FindSubnet(snapshot, address);
  return subnet == nullptr || subnet->prefix.bits >= 31 ||
         (address.value | Ipv4Mask(subnet->prefix.bits).value) != 0xFFFF'FFFF;
}

}  // namespace

const config::SubnetRecord* FindSubnet(const config::Snapshot& snapshot,
                                       Ipv4Address address) noexcept {
  return FindIn(snapshot.subnets(), address);
}

const config::SubnetRecord* FindSubnet(const config::Snapshot& snapshot, config::RecordId vlan,
                                       Ipv4Address address) noexcept {
  return FindIn(snapshot.SubnetsOf(vlan), address);
}

bool Dhcp4Engine::Exchange::IsOurs(Ipv4Address address) const noexcept {
  const bool ours =
      !address.is_any() && (address == server || address == source ||
                            std::ranges::find(context.local_addresses, IpAddress(address)) !=
                                context.local_addresses.end());
  return Note(ours, "server-is-us", "the server that it names is this rack", address);
}

void Dhcp4Engine::Exchange::ChooseSubnet(const config::SubnetRecord* chosen) noexcept {
  subnet = chosen;
  source = {};
  const bool routed = relayed() || relay_subnet != nullptr || context.boot_server_port;
  if (routed && IsUnicast(snapshot, context.destination)) {
    // The address that the relay or client used, a virtual one included.
    source = context.destination;
  } else {
    for (const IpAddress& each : context.local_addresses) {
      const Ipv4Address local = each.v4();
      if (source.is_any() ||
          (chosen != nullptr && HasAddress(*chosen, local) && !HasAddress(*chosen, source))) {
        source = local;
      }
    }
  }
  const ByteSpan override =
      relayed() ? FindSubOption(message.Get(Option::kRelayAgentInformation), kRelayServerOverride)
                : ByteSpan{};
  // RFC 5107 4: clients are to renew through the relay, whose address this is.
  server = override.size() == 4 ? Ipv4Address{LoadBig<std::uint32_t>(override.data())} : source;
  // Files come from us, whatever the relay calls us.
  if (source != boot.server || plan.reason.empty()) {
    boot.server = source;
    boot::Decide(boot, snapshot, plan);
  }
}

lease::OfferRequest Dhcp4Engine::Exchange::OfferRequestFor(const config::SubnetRecord& wanted,
                                                           Ipv4Address requested) const noexcept {
  return {.client = client,
          .subnet = wanted.id,
          .reserved = reserved_subnet == &wanted ? reserved : Ipv4Address{},
          .requested = requested,
          .excluded = context.local_addresses};
}

Ipv4Address WantedAddress(const Message& message) noexcept {
  const Ipv4Address requested = message.GetAddress(Option::kRequestedAddress);
  return requested.is_any() ? message.ciaddr : requested;
}

config::HostName FilterHostName(ByteSpan text) noexcept {
  config::HostName name;
  for (const std::byte byte : text) {
    const auto c = std::to_integer<char>(byte);
    const bool upper = c >= 'A' && c <= 'Z';
    const bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || upper;
    const bool hyphen = c == '-' && !name.empty();
    if (!(letter || hyphen) || !name.push_back(upper ? static_cast<char>(c + 32) : c)) {
      return {};
    }
  }
  return !name.empty() && name.view().back() == '-' ? config::HostName{} : name;
}

}  // namespace slipway::dhcp
