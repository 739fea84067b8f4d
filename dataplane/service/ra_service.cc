#include "dataplane/service/ra_service.h"

#include <algorithm>

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
    } else if (packet.data[0] == std::byte{net::kIcmp6NeighbourAdvertisement}) {
      OnNeighbour(packet, now);
    }
  }
}

void RaService::OnNeighbour(const shard::Packet& packet, Instant now) {
  const auto advertisement = net::ParseNeighbourAdvertisement(packet.data, kHopLimitOfLink);
  if (!advertisement) {
    counters_.malformed.Add();
  } else if (advertisement->target_mac.has_value()) {
    neighbours_.OnNeighbour(advertisement->target, *advertisement->target_mac, packet.ifindex, now);
  }
}

Result<void> RaService::Start(shard::TimerWheel& timers, Instant now) {
  timers_ = &timers;
  SLIP_TRY(timers.Add(now + kAdvertiseTick, this, 0));
  return {};
}

// The row of a link; a link that is new takes the row that is longest out of use.
RaService::Periodic& RaService::PeriodicOf(std::uint32_t ifindex, Instant now) noexcept {
  Periodic* row = periodic_.data();
  for (Periodic& candidate : periodic_) {
    if (candidate.ifindex == ifindex) {
      return candidate;
    }
    if (candidate.next < row->next) {
      row = &candidate;
    }
  }
  *row = {.ifindex = ifindex, .first_left = kFirstAdvertisements, .next = now};
  return *row;
}

// RFC 4861 6.2.4: three soon after the start, then at random intervals.
void RaService::OnTimer(std::uint64_t /*cookie*/, Instant now) {
  const Serving* const serving = serving_.current();
  if (serving != nullptr && serving->snapshot) {
    for (const ServedLink& link : serving->links.links()) {
      const config::VlanRecord* const vlan = serving->snapshot->VlanById(link.vlan);
      if (vlan == nullptr || link.LinkLocal().is_any() ||
          vlan->router_advertisement != config::RouterAdvertisement::kFull) {
        continue;
      }
      Periodic& periodic = PeriodicOf(link.ifindex, now);
      if (now < periodic.next) {
        continue;
      }
      const Duration spread = kAdvertiseIntervalMax - kAdvertiseIntervalMin;
      Duration pause =
          kAdvertiseIntervalMin + Duration::Nanos(static_cast<std::int64_t>(
                                      random_.Below(static_cast<std::uint64_t>(spread.ns))));
      if (periodic.first_left > 0) {
        --periodic.first_left;
        pause = std::min(pause, kFirstAdvertisementsApart);
      }
      periodic.next = now + pause;
      periodic.last = now;
      const bool sent = SendFull(link, *vlan, *serving->snapshot, net::MulticastMac(net::kAllNodes),
                                 net::kAllNodes);
      (sent ? counters_.unsolicited : counters_.send_failed).Add();
    }
  }
  // The timer that just fired has left its place free.
  SLIP_CHECK(timers_->Add(now + kAdvertiseTick, this, 0).has_value());
}

bool RaService::SendFull(const ServedLink& link, const config::VlanRecord& vlan,
                         const config::Snapshot& snapshot, MacAddress mac,
                         const Ipv6Address& destination) {
  FixedVector<IpPrefix, kAdvertisedPrefixesMax> prefixes;
  FixedVector<IpAddress, kAdvertisedDnsServersMax> dns_servers;
  for (const config::SubnetRecord& subnet : snapshot.SubnetsOf(vlan.id)) {
    if (subnet.prefix.address.is_v4()) {
      continue;
    }
    (void)prefixes.push_back(subnet.prefix);
    for (const IpAddress& server : subnet.dns_servers) {
      const bool known = std::ranges::find(dns_servers, server) != dns_servers.end();
      (void)(server.is_v4() || known || dns_servers.push_back(server));
    }
  }
  const net::FullAdvertisement advertisement{
      .source_mac = link.mac,
      .router_lifetime_s = vlan.router_lifetime_s,
      .mtu = vlan.mtu,
      .prefixes = {prefixes.data(), prefixes.size()},
      .dns_servers = {dns_servers.data(), dns_servers.size()}};
  const MutableByteSpan frame = driver_.AllocateTx();
  const auto size = net::BuildFullFrame(frame, advertisement, link.LinkLocal(), mac, destination);
  return size && driver_.Send(raw_port_, {.data = frame.first(*size), .ifindex = link.ifindex});
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
  const bool full = vlan->router_advertisement == config::RouterAdvertisement::kFull;
  if (!full && RouterSeen(packet.ifindex, now)) {
    counters_.silent_router_seen.Add();
    return;
  }
  // To the asker alone if it said where it is; a raw frame needs no neighbour discovery.
  const bool unicast = solicitation->source_mac.has_value() && packet.source.v6().is_link_local();
  const Ipv6Address destination = unicast ? packet.source.v6() : net::kAllNodes;
  const MacAddress mac = unicast ? *solicitation->source_mac : net::MulticastMac(net::kAllNodes);
  if (full && !unicast) {
    // RFC 4861 6.2.6: those to all are paced.
    Periodic& periodic = PeriodicOf(packet.ifindex, now);
    if (now - periodic.last < kAdvertisementsApartMin) {
      counters_.silent_paced.Add();
      return;
    }
    periodic.last = now;
  }
  const bool sent = full ? SendFull(*link, *vlan, *serving.snapshot, mac, destination)
                         : SendNoRouter(*link, mac, destination);
  if (!sent) {
    counters_.send_failed.Add();
    return;
  }
  counters_.advertised.Add();
  if (unicast) {
    steps_.Record({.kind = schema::BootStepKind::RouterAdvertised,
                   .mac = *solicitation->source_mac,
                   .name = full ? "full" : "no router here"},
                  now);
  }
}

bool RaService::SendNoRouter(const ServedLink& link, MacAddress mac,
                             const Ipv6Address& destination) {
  const MutableByteSpan frame = driver_.AllocateTx();
  const auto size = net::BuildNoRouterFrame(frame, link.mac, link.LinkLocal(), mac, destination);
  return size && driver_.Send(raw_port_, {.data = frame.first(*size), .ifindex = link.ifindex});
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
