// What DHCPv4 does with the lease table.
#include "dataplane/dhcp/exchange.h"
#include "dataplane/dhcp/lease_access.h"

namespace slipway::dhcp {
namespace {

using Exchange = Dhcp4Engine::Exchange;

LeaseAccess Access(const Exchange& exchange, lease::LeaseTable* leases) {
  return {leases, &exchange.snapshot, exchange.now.instant, exchange.trace};
}

}  // namespace

Result<Ipv4Address> Dhcp4Engine::Offer(Exchange& exchange, const config::SubnetRecord& subnet,
                                       Ipv4Address requested) {
  return SLIP_TRY(Access(exchange, leases_).Offer(exchange.OfferRequestFor(subnet, requested)))
      .v4();
}

// Only where the wire is ours.
void Dhcp4Engine::ProbeOffer(const Exchange& exchange, Ipv4Address address) {
  if (!exchange.relayed() && exchange.context.vlan == exchange.vlan &&
      Access(exchange, leases_)
          .MayProbe(exchange.client, address, exchange.context.ifindex, probes_)) {
    counters_.probes.Add();
    exchange.effects.probe = address;
  }
}

bool Dhcp4Engine::OnArpReply(Ipv4Address address, MacAddress by, std::uint32_t ifindex,
                             const lease::Now& now, Effects& effects) {
  effects.Clear();
  const Result<const lease::Lease*> ended =
      TakeBackOffer(*leases_, probes_, address, by, ifindex, now.instant);
  if (!ended) {
    counters_.conflicts_late.Add();
    return false;
  }
  if (*ended == nullptr) {
    return false;
  }
  counters_.conflicts.Add();
  Log(**ended, now, effects);
  return true;
}

bool Dhcp4Engine::IsClients(const Exchange& exchange, Ipv4Address address) const {
  return Access(exchange, leases_).IsClients(exchange.client, address);
}

bool Dhcp4Engine::Claim(Exchange& exchange, const config::SubnetRecord& subnet,
                        Ipv4Address address) {
  return Access(exchange, leases_).Claim(exchange.OfferRequestFor(subnet, address), address);
}

Result<bool> Dhcp4Engine::Bind(Exchange& exchange, Ipv4Address address, Duration lease) {
  const LeaseAccess::Bound bound =
      SLIP_TRY(Access(exchange, leases_).Bind(exchange.client, address, lease, exchange.detail));
  exchange.effects.ticket = {address, bound.lease == nullptr ? 0 : bound.lease->version};
  if (bound.needs_record && bound.lease != nullptr) {
    Log(*bound.lease, exchange.now, exchange.effects);
  }
  return bound.needs_record;
}

Result<void> Dhcp4Engine::End(Exchange& exchange, Ipv4Address address) {
  const lease::Lease* const ended =
      SLIP_TRY(Access(exchange, leases_).End(exchange.client, address));
  if (ended != nullptr) {
    Log(*ended, exchange.now, exchange.effects);
  }
  return {};
}

Result<void> Dhcp4Engine::Decline(Exchange& exchange, Ipv4Address address) {
  const Result<const lease::Lease*> declined =
      Access(exchange, leases_).Decline(exchange.client, address);
  if (declined) {
    if (*declined != nullptr) {
      Log(**declined, exchange.now, exchange.effects);
    }
    return {};
  }
  // Too much is quarantined: then the lease just ended.
  const lease::Lease* ended = leases_->ByAddress(address);
  if (declined.error().code == ErrorCode::kFull && ended != nullptr && !exchange.explaining()) {
    Log(*ended, exchange.now, exchange.effects);
  }
  return std::unexpected(declined.error());
}

void Dhcp4Engine::Log(const lease::Lease& lease, const lease::Now& now, Effects& effects) {
  effects.record = encoder_.Encode(lease, leases_->DetailOf(lease), now);
  effects.ticket = {lease.address, lease.version};
}

void Dhcp4Engine::OnDurable(const Ticket& ticket) noexcept {
  leases_->MarkDurable(ticket.address, ticket.version);
}

bool Dhcp4Engine::ExpireOne(const lease::Now& now, Effects& effects) {
  effects.Clear();
  const lease::Lease* ended = nullptr;
  if (leases_->Expire(now.instant, std::span(&ended, 1)) == 0) {
    return false;
  }
  counters_.expired.Add();
  Log(*ended, now, effects);
  return true;
}

Result<void> Dhcp4Engine::EndLease(IpAddress address, const lease::Now& now, Effects& effects) {
  effects.Clear();
  const lease::Lease* held = leases_->ByAddress(address);
  if (held == nullptr) {
    return Fail(ErrorCode::kNotFound);
  }
  const lease::Client holder{
      .key = held->client, .mac = held->mac, .vlan = held->vlan, .machine = held->machine};
  const lease::Lease* ended = SLIP_TRY(leases_->Release(holder, address, now.instant));
  Log(*ended, now, effects);
  return {};
}

}  // namespace slipway::dhcp
