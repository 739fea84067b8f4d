// The lease table as the engine uses it: for real, or as Explain does, which only looks. No other
// file of this folder changes the table.
#include "dataplane/dhcp/exchange.h"

namespace slipway::dhcp {
namespace {

using Exchange = Dhcp4Engine::Exchange;
using lease::OfferRule;

struct RuleText {
  OfferRule rule;
  std::string_view id;
  std::string_view reason;
};

// In the order in which the table tries them.
constexpr RuleText kPoolRules[] = {
    {OfferRule::kOwn, "address-kept", "the address that the client has or had in this subnet"},
    {OfferRule::kRequested, "address-asked-for", "the address that it asks for is free"},
    {OfferRule::kHash, "address-by-hash", "the next free address after the hash of its identity"},
    {OfferRule::kLongestOver, "address-longest-over",
     "nothing is free: the address that is over for the longest time"},
    {OfferRule::kOldOffer, "address-of-old-offer",
     "nothing is over: an offer that nobody took for 5 s"},
};

void NoteChoice(const Exchange& exchange, const lease::OfferRequest& request,
                const lease::Choice& choice) {
  const bool found = choice.refused == ErrorCode::kNone;
  const IpAddress address = found ? choice.address : request.reserved;
  if (request.reserved.is_set()) {
    exchange.Note(found, "address-reserved", "the reserved address is free, or the client's own",
                  address);
    return;
  }
  if (!exchange.Note(choice.refused != ErrorCode::kNotFound, "pool-there",
                     "the subnet has a pool")) {
    return;
  }
  for (const RuleText& text : kPoolRules) {
    if (exchange.Note(found && choice.rule == text.rule, text.id, text.reason,
                      found && choice.rule == text.rule ? address : IpAddress{})) {
      return;
    }
    if (text.rule == OfferRule::kOwn &&
        exchange.Note(choice.kept_for_known, "pool-kept-for-known",
                      "what is left of the pool is for known machines")) {
      return;
    }
  }
}

}  // namespace

Result<Ipv4Address> Dhcp4Engine::Offer(Exchange& exchange, const config::SubnetRecord& subnet,
                                       Ipv4Address requested) {
  const lease::OfferRequest request = exchange.OfferRequestFor(subnet, requested);
  const Instant now = exchange.now.instant;
  if (exchange.explaining()) [[unlikely]] {
    const lease::Choice choice = leases_->Choose(request, exchange.snapshot, now);
    NoteChoice(exchange, request, choice);
    return choice.refused == ErrorCode::kNone ? Result<Ipv4Address>(choice.address.v4())
                                              : Fail(choice.refused);
  }
  return SLIP_TRY(leases_->Offer(request, exchange.snapshot, now))->address.v4();
}

// Beside the offer, never before it: waiting costs each boot seconds. Only where the wire is ours,
// and only for an address that this client has not had before.
void Dhcp4Engine::ProbeOffer(const Exchange& exchange, Ipv4Address address) {
  const MacAddress mac = exchange.client.mac;
  if (exchange.explaining() || exchange.relayed() || exchange.context.vlan != exchange.vlan ||
      mac.is_zero()) {
    return;
  }
  const lease::Lease* offer = leases_->ByAddress(address);
  if (offer != nullptr && offer->state == lease::State::kOffered &&
      offer->before == lease::State::kFree &&
      probes_.Begin(address, mac, exchange.context.ifindex, exchange.now.instant)) {
    counters_.probes.Add();
    exchange.effects.probe = address;
  }
}

bool Dhcp4Engine::OnArpReply(Ipv4Address address, MacAddress by, std::uint32_t ifindex,
                             const lease::Now& now, Effects& effects) {
  effects.Clear();
  const MacAddress client = probes_.Answered(address, by, ifindex, now.instant);
  const lease::Lease* lease = client.is_zero() ? nullptr : leases_->ByAddress(address);
  if (lease == nullptr || lease->mac != client) {
    return false;
  }
  const Result<const lease::Lease*> ended = leases_->DeclineOffer(
      {.key = lease->client, .mac = client, .vlan = lease->vlan, .machine = lease->machine},
      address, now.instant);
  if (!ended) {
    counters_.conflicts_late.Add();
    return false;
  }
  counters_.conflicts.Add();
  Log(**ended, now, effects);
  return true;
}

bool Dhcp4Engine::IsClients(const Exchange& exchange, Ipv4Address address) const {
  return exchange.Note(leases_->Check(exchange.client, address).has_value(), "lease-is-clients",
                       "the address was offered or leased to this client", address);
}

bool Dhcp4Engine::Claim(Exchange& exchange, const config::SubnetRecord& subnet,
                        Ipv4Address address) {
  const lease::OfferRequest request = exchange.OfferRequestFor(subnet, address);
  const Instant now = exchange.now.instant;
  if (exchange.explaining()) [[unlikely]] {
    return exchange.Note(leases_->CheckClaim(request, address, exchange.snapshot, now).has_value(),
                         "address-claimable",
                         "nobody else has the address: the client may take it on", address);
  }
  return leases_->Claim(request, address, exchange.snapshot, now).has_value();
}

Result<bool> Dhcp4Engine::Bind(Exchange& exchange, Ipv4Address address, Duration lease) {
  const Instant now = exchange.now.instant;
  if (exchange.explaining()) [[unlikely]] {
    exchange.effects.ticket = {address, 0};
    return exchange.Note(
        leases_->NeedsRecord(exchange.client, address, lease, now, exchange.detail),
        "lease-logged-first", "the ACK waits until the lease is on disk", lease);
  }
  const lease::BindResult bound =
      SLIP_TRY(leases_->Bind(exchange.client, address, lease, now, exchange.detail));
  exchange.effects.ticket = {address, bound.lease->version};
  if (bound.needs_log) {
    Log(*bound.lease, exchange.now, exchange.effects);
  }
  return bound.needs_log;
}

Result<void> Dhcp4Engine::End(Exchange& exchange, Ipv4Address address) {
  if (exchange.explaining()) [[unlikely]] {
    const Result<void> may = leases_->CheckEnd(exchange.client, address);
    exchange.Note(may.has_value(), "lease-ends", "the client holds a lease of the address",
                  address);
    return may;
  }
  const lease::Lease* ended =
      SLIP_TRY(leases_->Release(exchange.client, address, exchange.now.instant));
  Log(*ended, exchange.now, exchange.effects);
  return {};
}

Result<void> Dhcp4Engine::Decline(Exchange& exchange, Ipv4Address address) {
  if (exchange.explaining()) [[unlikely]] {
    const Result<void> may = leases_->CheckDecline(exchange.client, address);
    const bool full = !may && may.error().code == ErrorCode::kFull;
    exchange.Note(may.has_value() || full, "lease-ends", "the client holds a lease of the address",
                  address);
    exchange.Note(may.has_value(), "quarantine-has-room",
                  "less than a tenth of the pool is quarantined");
    return may;
  }
  const Result<const lease::Lease*> declined =
      leases_->Decline(exchange.client, address, exchange.now.instant);
  if (declined) {
    Log(**declined, exchange.now, exchange.effects);
    return {};
  }
  // Too much is quarantined: then the lease just ended.
  const lease::Lease* ended = leases_->ByAddress(address);
  if (declined.error().code == ErrorCode::kFull && ended != nullptr) {
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

// What the explanation says beside the rules.
void Dhcp4Engine::Summarise(const Exchange& exchange) {
  DecisionTrace& trace = *exchange.trace;
  trace.boot_rules = exchange.plan.rules;
  Decision& decision = trace.decision;
  decision.vlan = exchange.vlan == nullptr ? 0 : exchange.vlan->id;
  decision.subnet = exchange.subnet == nullptr ? 0 : exchange.subnet->id;
  decision.machine = exchange.client.machine;
  decision.server = exchange.server;
  decision.plan = exchange.plan.kind;
  decision.plan_reason = exchange.plan.reason;
  decision.file = exchange.plan.file;
}

}  // namespace slipway::dhcp
