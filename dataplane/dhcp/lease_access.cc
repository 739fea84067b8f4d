#include "dataplane/dhcp/lease_access.h"

namespace slipway::dhcp {
namespace {

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

}  // namespace

void LeaseAccess::NoteChoice(const lease::OfferRequest& request,
                             const lease::Choice& choice) const {
  const bool found = choice.refused == ErrorCode::kNone;
  const IpAddress address = found ? choice.address : request.reserved;
  if (request.reserved.is_set()) {
    Note(found, "address-reserved", "the reserved address is free, or the client's own", address);
    return;
  }
  if (!Note(choice.refused != ErrorCode::kNotFound, "pool-there", "the subnet has a pool")) {
    return;
  }
  for (const RuleText& text : kPoolRules) {
    if (Note(found && choice.rule == text.rule, text.id, text.reason,
             found && choice.rule == text.rule ? address : IpAddress{})) {
      return;
    }
    if (text.rule == OfferRule::kOwn && Note(choice.kept_for_known, "pool-kept-for-known",
                                             "what is left of the pool is for known machines")) {
      return;
    }
  }
}

Result<IpAddress> LeaseAccess::Offer(const lease::OfferRequest& request) {
  if (trace_ != nullptr) [[unlikely]] {
    const lease::Choice choice = leases_->Choose(request, *snapshot_, now_);
    NoteChoice(request, choice);
    return choice.refused == ErrorCode::kNone ? Result<IpAddress>(choice.address)
                                              : Fail(choice.refused);
  }
  return SLIP_TRY(leases_->Offer(request, *snapshot_, now_))->address;
}

bool LeaseAccess::IsClients(const lease::Client& client, const IpAddress& address) {
  return Note(leases_->Check(client, address).has_value(), "lease-is-clients",
              "the address was offered or leased to this client", address);
}

bool LeaseAccess::Claim(const lease::OfferRequest& request, const IpAddress& address) {
  if (trace_ != nullptr) [[unlikely]] {
    return Note(leases_->CheckClaim(request, address, *snapshot_, now_).has_value(),
                "address-claimable", "nobody else has the address: the client may take it on",
                address);
  }
  return leases_->Claim(request, address, *snapshot_, now_).has_value();
}

Result<LeaseAccess::Bound> LeaseAccess::Bind(const lease::Client& client, const IpAddress& address,
                                             Duration lease, const lease::LeaseDetail& detail) {
  if (trace_ != nullptr) [[unlikely]] {
    return Bound{.needs_record =
                     Note(leases_->NeedsRecord(client, address, lease, now_, detail),
                          "lease-logged-first", "the ACK waits until the lease is on disk", lease)};
  }
  const lease::BindResult bound = SLIP_TRY(leases_->Bind(client, address, lease, now_, detail));
  return Bound{.needs_record = bound.needs_log, .lease = bound.lease};
}

Result<const lease::Lease*> LeaseAccess::End(const lease::Client& client,
                                             const IpAddress& address) {
  if (trace_ != nullptr) [[unlikely]] {
    const Result<void> may = leases_->CheckEnd(client, address);
    Note(may.has_value(), "lease-ends", "the client holds a lease of the address", address);
    return may ? Result<const lease::Lease*>(nullptr) : std::unexpected(may.error());
  }
  return leases_->Release(client, address, now_);
}

Result<const lease::Lease*> LeaseAccess::Decline(const lease::Client& client,
                                                 const IpAddress& address) {
  if (trace_ != nullptr) [[unlikely]] {
    const Result<void> may = leases_->CheckDecline(client, address);
    const bool full = !may && may.error().code == ErrorCode::kFull;
    Note(may.has_value() || full, "lease-ends", "the client holds a lease of the address", address);
    Note(may.has_value(), "quarantine-has-room", "less than a tenth of the pool is quarantined");
    return may ? Result<const lease::Lease*>(nullptr) : std::unexpected(may.error());
  }
  return leases_->Decline(client, address, now_);
}

bool LeaseAccess::MayProbe(const lease::Client& client, const IpAddress& address,
                           std::uint32_t ifindex, ConflictProbes& probes) const {
  if (trace_ != nullptr || client.mac.is_zero()) {
    return false;
  }
  const lease::Lease* const offer = leases_->ByAddress(address);
  return offer != nullptr && offer->state == lease::State::kOffered &&
         offer->before == lease::State::kFree && probes.Begin(address, client.mac, ifindex, now_);
}

Result<const lease::Lease*> TakeBackOffer(lease::LeaseTable& leases, ConflictProbes& probes,
                                          const IpAddress& address, MacAddress by,
                                          std::uint32_t ifindex, Instant now) {
  const MacAddress client = probes.Answered(address, by, ifindex, now);
  const lease::Lease* const lease = client.is_zero() ? nullptr : leases.ByAddress(address);
  if (lease == nullptr || lease->mac != client) {
    return nullptr;
  }
  return leases.DeclineOffer(
      {.key = lease->client, .mac = client, .vlan = lease->vlan, .machine = lease->machine},
      address, now);
}

}  // namespace slipway::dhcp
