#include "dataplane/service/ra_service.h"

#include "dataplane/net/icmpv6.h"

namespace slipway::service {
namespace {

// The socket's filter lets nothing else through (dataplane/shard/socket.h).
constexpr std::uint8_t kHopLimitOfLink = 255;

}  // namespace

void RaService::OnPackets(shard::PortId /*port*/, std::span<shard::Packet> packets, Instant now) {
  const Serving* const serving = serving_.current();
  if (serving == nullptr || !serving->snapshot) {
    return;
  }
  for (const shard::Packet& packet : packets) {
    if (packet.data.empty()) {
      counters_.malformed.Add();
    } else if (packet.data[0] == std::byte{net::kIcmp6RouterSolicitation}) {
      OnSolicitation(packet, *serving, now);
    } else if (packet.data[0] == std::byte{net::kIcmp6RouterAdvertisement}) {
      OnAdvertisement(packet, *serving, now);
    }
  }
}

void RaService::OnSolicitation(const shard::Packet& packet, const Serving& serving, Instant now) {
  counters_.solicitations.Add();
  const auto solicitation = net::ParseRouterSolicitation(packet.data, kHopLimitOfLink);
  if (!solicitation) {
    counters_.malformed.Add();
    return;
  }
  const ServedLink* const link = serving.links.ByIndex(packet.ifindex);
  const config::VlanRecord* const vlan =
      link != nullptr ? serving.snapshot->VlanById(link->vlan) : nullptr;
  if (vlan == nullptr || link->LinkLocal().is_any()) {
    counters_.silent_not_served.Add();
    return;
  }
  if (vlan->router_advertisement == config::RouterAdvertisement::kOff) {
    counters_.silent_by_policy.Add();
    return;
  }
  if (RouterSeen(packet.ifindex, now)) {
    counters_.silent_router_seen.Add();
    return;
  }
  // To the asker alone if it said where it is; a raw frame needs no neighbour discovery.
  const bool unicast = solicitation->source_mac.has_value() && packet.source.v6().is_link_local();
  const Ipv6Address destination = unicast ? packet.source.v6() : net::kAllNodes;
  const MacAddress mac = unicast ? *solicitation->source_mac : net::MulticastMac(net::kAllNodes);
  const MutableByteSpan frame = driver_.AllocateTx();
  const auto size = net::BuildNoRouterFrame(frame, link->mac, link->LinkLocal(), mac, destination);
  const bool sent =
      size && driver_.Send(raw_port_, {.data = frame.first(*size), .ifindex = packet.ifindex});
  if (!sent) {
    counters_.send_failed.Add();
    return;
  }
  counters_.advertised.Add();
  if (unicast) {
    steps_.Record({.kind = schema::BootStepKind::RouterAdvertised,
                   .mac = *solicitation->source_mac,
                   .name = "no router here"},
                  now);
  }
}

void RaService::OnAdvertisement(const shard::Packet& packet, const Serving& serving, Instant now) {
  const ServedLink* const link = serving.links.ByIndex(packet.ifindex);
  if (link == nullptr || packet.source.v6() == link->LinkLocal()) {
    return;
  }
  const auto advertisement = net::ParseRouterAdvertisement(packet.data, kHopLimitOfLink);
  if (!advertisement) {
    counters_.malformed.Add();
    return;
  }
  counters_.foreign_advertisements.Add();
  const Instant until = now + Duration::Seconds(advertisement->router_lifetime_s);
  // The row of this interface, else the one that runs out first.
  SeenRouter* row = routers_.data();
  for (SeenRouter& candidate : routers_) {
    if (candidate.ifindex == packet.ifindex) {
      row = &candidate;
      break;
    }
    if (candidate.until < row->until) {
      row = &candidate;
    }
  }
  *row = {.ifindex = packet.ifindex, .until = until};
}

bool RaService::RouterSeen(std::uint32_t ifindex, Instant now) const noexcept {
  for (const SeenRouter& row : routers_) {
    if (row.ifindex == ifindex && now < row.until) {
      return true;
    }
  }
  return false;
}

}  // namespace slipway::service
