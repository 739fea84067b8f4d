// The table of one of two racks: what the rules allow, and leases that come from the partner.
#include <algorithm>

#include "dataplane/base/check.h"
#include "dataplane/lease/lease_table.h"
#include "dataplane/lease/pair_rules.h"

namespace slipway::lease {

void LeaseTable::SetPair(const PairRules* rules, std::uint64_t version_floor) noexcept {
  rules_ = rules;
  last_version_ = std::max(last_version_, version_floor);
  // What was restored may reach further here than what the partner has of it (a doubtful clock lets
  // leases grow), or be the partner's own word: the next renewal is a record, and told.
  for (Lease& lease : entries_) {
    if (lease.state != State::kFree) {
      lease.durable = false;
    }
  }
}

std::uint64_t LeaseTable::NextVersion() noexcept {
  ++last_version_;
  if (rules_ != nullptr && (last_version_ & 1) != rules_->side()) {
    ++last_version_;
  }
  return last_version_;
}

void LeaseTable::ObserveVersion(std::uint64_t version) noexcept {
  last_version_ = std::max(last_version_, version);
}

FixedVector<LeaseTable::Run, 2> LeaseTable::RunsOf(const Pool& pool) const noexcept {
  if (rules_ == nullptr || rules_->state() == PairState::kOff) {
    return {Run{.first = 0, .last = pool.size}};
  }
  const std::array<Run, 2> shares{Run{.first = 0, .last = pool.evens},
                                  Run{.first = pool.evens, .last = pool.size}};
  FixedVector<Run, 2> runs{shares[rules_->side()]};
  if (rules_->MayGiveAll()) {
    SLIP_CHECK(runs.push_back(shares[1 - rules_->side()]));
  }
  return runs;
}

bool LeaseTable::IsGivable(const IpAddress& address) const noexcept {
  return rules_ == nullptr || rules_->MayGive(address);
}

bool LeaseTable::MayReassign(const Lease& lease) const noexcept {
  return rules_ == nullptr || rules_->MayReassign(SlotOf(lease), lease);
}

// An end that the partner's address has come to says nothing that this rack would need.
bool LeaseTable::MayForget(const Lease& lease) const noexcept {
  return MayReassign(lease) || !rules_->IsOwn(lease.address);
}

bool LeaseTable::MayKeepBinding(const Lease& lease) const noexcept {
  return rules_ == nullptr || rules_->MayKeep(lease);
}

// Outside the ranges nobody gives the address to anybody else, so that either rack may give it to
// the machine; but what another client had there must be over for both.
bool LeaseTable::MayReserve(const OfferRequest& request, const Lease* there) const noexcept {
  if (rules_ == nullptr) {
    return true;
  }
  if (there != nullptr) {
    const bool mine = there->client == request.client.key && there->vlan == request.client.vlan;
    if (!mine && there->state != State::kOffered) {
      return MayReassign(*there);
    }
    if (there->state == State::kBound) {
      return true;
    }
  }
  const std::uint16_t pool = PoolOf(request.subnet);
  return pool == kNoPool || PositionOf(pools_[pool], request.reserved) == kNoPosition ||
         IsGivable(request.reserved);
}

// In state normal nothing is promised that the partner does not know.
bool LeaseTable::MustTell(const Lease& lease) const noexcept {
  return rules_ != nullptr && rules_->state() == PairState::kNormal &&
         !rules_->IsAgreed(SlotOf(lease), lease);
}

Result<const Lease*> LeaseTable::Adopt(const RestoredLease& from, const Now& now) {
  if (Lease* there = Find(from.lease.address); there != nullptr) {
    there->version = 0;  // It gives way.
  }
  RestoredLease adopted = from;
  adopted.stamp = now.stamp();
  adopted.durable = false;
  SLIP_TRY(Restore(adopted, now));
  Lease* lease = Find(from.lease.address);
  SLIP_CHECK(lease != nullptr);
  lease->foreign = true;
  return lease;
}

const Lease* LeaseTable::Reassert(IpAddress address, Instant until, Instant now) noexcept {
  Lease* lease = Find(address);
  SLIP_CHECK(lease != nullptr);
  lease->version = NextVersion();
  lease->foreign = false;
  lease->durable = false;
  lease->granted = now;
  if (lease->state == State::kBound) {
    SetState(*lease, State::kBound, std::max(lease->ends, until));
    lease->horizon = std::max(lease->horizon, lease->ends);
  }
  return lease;
}

}  // namespace slipway::lease
