#include "dataplane/service/lease_book.h"

namespace slipway::service {
namespace {

using lease::State;

// Somebody was granted it: holds it still, or did so last. An offer alone is no grant.
bool IsHeld(const lease::Lease* lease) {
  return lease != nullptr && lease->state != State::kDeclined &&
         (lease->state != State::kOffered || lease->before != State::kFree);
}

}  // namespace

void LeaseBook::OnPeer(const Peer& peer) {
  if (!IsHeld(leases_->ByAddress(peer.address))) {
    others_.OnPeer(peer);
  }
}

const Peer* LeaseBook::Find(const IpAddress& address) const noexcept {
  const lease::Lease* const lease = leases_->ByAddress(address);
  if (!IsHeld(lease)) {
    return others_.Find(address);
  }
  found_ = {.address = address, .mac = lease->mac, .vlan = lease->vlan};
  return &found_;
}

}  // namespace slipway::service
