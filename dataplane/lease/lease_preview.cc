// What the table would do: the choices that Offer, Claim, Bind, Release and Decline carry out, and
// that an explanation shows. Nothing here changes anything.
#include <algorithm>

#include "dataplane/base/random.h"
#include "dataplane/lease/lease_table.h"

namespace slipway::lease {

Choice LeaseTable::Choose(const OfferRequest& request, const config::Snapshot& snapshot,
                          Instant now) const noexcept {
  return ChooseFor(request, ByClient(request.client.key, request.client.vlan), snapshot, now);
}

Choice LeaseTable::ChooseFor(const OfferRequest& request, const Lease* own,
                             const config::Snapshot& snapshot, Instant now) const noexcept {
  if (request.reserved.is_set()) {
    return ChooseReserved(request, own, now);
  }
  const std::uint16_t pool = PoolOf(request.subnet);
  if (pool == kNoPool) {
    return {.refused = ErrorCode::kNotFound};
  }
  if (own != nullptr && MayKeep(*own, request, snapshot)) {
    return {.rule = OfferRule::kOwn, .address = own->address};
  }
  return ChooseFromPool(request, pools_[pool], own, snapshot, now);
}

Choice LeaseTable::ChooseReserved(const OfferRequest& request, const Lease* own,
                                  Instant now) const noexcept {
  Choice choice{.rule = OfferRule::kReservation, .address = request.reserved};
  const Lease* there = ByAddress(request.reserved);
  if (!MayReserve(request, there)) {
    choice.refused = ErrorCode::kConflict;
    return choice;
  }
  if (there == nullptr) {
    choice.refused = HasRoom(request, own, now) ? ErrorCode::kNone : ErrorCode::kFull;
    return choice;
  }
  const bool mine = there->client == request.client.key && there->vlan == request.client.vlan;
  if (there->state == State::kDeclined || (there->state == State::kBound && !mine)) {
    choice.refused = ErrorCode::kConflict;
  }
  return choice;
}

Choice LeaseTable::ChooseFromPool(const OfferRequest& request, const Pool& pool, const Lease* own,
                                  const config::Snapshot& snapshot, Instant now) const noexcept {
  Choice choice{.refused = ErrorCode::kFull};
  const PoolCounts counts = CountsOf(pool.subnet);
  choice.kept_for_known =
      request.client.machine == 0 && counts.free + counts.reusable <= counts.size / kKnownShare;
  // A table without room has nothing to use again either.
  if (choice.kept_for_known || !HasRoom(request, own, now)) {
    return choice;
  }
  const std::uint64_t wanted =
      request.requested.is_set() ? PositionOf(pool, request.requested) : kNoPosition;
  if (wanted != kNoPosition && IsFree(pool, wanted, request.requested) &&
      MayGive(request, pool, request.requested, snapshot)) {
    return {.rule = OfferRule::kRequested, .address = request.requested};
  }
  ChooseFree(request, pool, snapshot, choice);
  if (choice.refused != ErrorCode::kNone) {
    ChooseUsed(request, pool, snapshot, now, choice);
  }
  return choice;
}

std::optional<std::uint32_t> LeaseTable::NextFreeIn(const Pool& pool, Run run,
                                                    std::uint32_t from) noexcept {
  std::optional<std::uint32_t> position = pool.map.NextFree(from);
  if (position && (*position < from || *position >= run.last)) {
    position = pool.map.NextFree(static_cast<std::uint32_t>(run.first));
  }
  const bool inside = position && *position >= run.first && *position < run.last;
  return inside ? position : std::nullopt;
}

// The next free address after the client's hash.
IpAddress LeaseTable::ProbeRun(const OfferRequest& request, const Pool& pool, Run run,
                               const config::Snapshot& snapshot,
                               std::uint32_t& skipped) const noexcept {
  std::optional<std::uint32_t> first;
  std::uint32_t from = FirstProbe(run, request.client);
  for (; skipped < kProbesMax; ++skipped) {
    const std::optional<std::uint32_t> position = NextFreeIn(pool, run, from);
    if (!position || position == first) {
      break;  // None, or once round.
    }
    first = first ? first : position;
    const IpAddress address = AddressAt(pool, *position);
    if (MayGive(request, pool, address, snapshot)) {
      return address;
    }
    from = *position + 1;
  }
  return {};
}

// The first of the client's hashes that nobody has.
IpAddress LeaseTable::ProbeSparse(const OfferRequest& request, const Pool& pool, Run run,
                                  const config::Snapshot& snapshot) const noexcept {
  std::uint64_t hash = HashClient(request.client.key, request.client.vlan);
  for (int probe = 0; probe < kSparseProbesMax; ++probe) {
    const IpAddress address = AddressAt(pool, run.first + hash % (run.last - run.first));
    if (MayGive(request, pool, address, snapshot)) {
      return address;
    }
    hash = Mix64(hash);
  }
  return {};
}

void LeaseTable::ChooseFree(const OfferRequest& request, const Pool& pool,
                            const config::Snapshot& snapshot, Choice& choice) const noexcept {
  bool preferred = true;
  for (const Run run : RunsOf(pool)) {
    if (run.first == run.last) {
      preferred = false;
      continue;
    }
    std::uint32_t skipped = 0;
    const IpAddress address = pool.dense ? ProbeRun(request, pool, run, snapshot, skipped)
                                         : ProbeSparse(request, pool, run, snapshot);
    choice.skipped = preferred ? skipped : choice.skipped;
    preferred = false;
    if (address.is_set()) {
      choice.refused = ErrorCode::kNone;
      choice.rule = OfferRule::kHash;
      choice.address = address;
      return;
    }
  }
}

// The entry of a list that is over for the longest time and may go to another client.
std::uint32_t LeaseTable::FindReusable(const OfferRequest& request, const Pool& pool, List list,
                                       const config::Snapshot& snapshot) const noexcept {
  std::uint32_t found = pool.lists[list].head;
  int unsettled = 0;
  for (int probe = 0; found != kNone && probe < kProbesMax; ++probe) {
    const Lease& lease = entries_[found];
    const bool may = MayReassign(lease);
    if (may && !IsExcluded(pool, lease.address, request.excluded, snapshot)) {
      return found;
    }
    // What is over for longer is settled with the partner sooner.
    unsettled += may ? 0 : 1;
    if (unsettled == kUnsettledProbesMax) {
      break;
    }
    found = lease.list_next;
  }
  return kNone;
}

// The address that is over for the longest time, or else an offer that nobody took.
void LeaseTable::ChooseUsed(const OfferRequest& request, const Pool& pool,
                            const config::Snapshot& snapshot, Instant now,
                            Choice& choice) const noexcept {
  std::uint32_t found = kNone;
  for (const List list : {kReusable, kReusableOdd}) {
    const std::uint32_t oldest = FindReusable(request, pool, list, snapshot);
    if (oldest != kNone && (found == kNone || entries_[oldest].ends < entries_[found].ends)) {
      found = oldest;
    }
  }
  choice.rule = OfferRule::kLongestOver;
  if (found == kNone) {
    choice.rule = OfferRule::kOldOffer;
    found = pool.lists[kOffers].head;
    if (found == kNone || now - entries_[found].granted < kOfferHoldMin ||
        !IsGivable(entries_[found].address) ||
        IsExcluded(pool, entries_[found].address, request.excluded, snapshot)) {
      return;
    }
  }
  choice.refused = ErrorCode::kNone;
  choice.address = entries_[found].address;
}

// An entry outside the map, of a subnet that is gone, keeps its address from others too.
bool LeaseTable::MayGive(const OfferRequest& request, const Pool& pool, IpAddress address,
                         const config::Snapshot& snapshot) const noexcept {
  return FindSlot(address) == kNone && IsGivable(address) &&
         !IsExcluded(pool, address, request.excluded, snapshot);
}

// Whether a new entry can be made once the client has left `own`.
bool LeaseTable::HasRoom(const OfferRequest& request, const Lease* own,
                         Instant now) const noexcept {
  const bool leaves = own != nullptr && own->state == State::kOffered;
  const bool leaves_slot = leaves && !IsReusable(own->before);
  return free_slots_.size() + (leaves_slot ? 1U : 0U) > SlotsKept(MayFillUp(request)) ||
         (leaves && !leaves_slot) || OldestOver(now) != kNone;
}

std::uint32_t LeaseTable::FirstProbe(Run run, const Client& client) const noexcept {
  const std::uint64_t hash = HashClient(client.key, client.vlan) >> 32;
  return static_cast<std::uint32_t>(run.first + (hash * (run.last - run.first) >> 32));
}

Result<void> LeaseTable::CheckClaim(const OfferRequest& request, IpAddress address,
                                    const config::Snapshot& snapshot, Instant now) const noexcept {
  if (address == request.reserved && address.is_set()) {
    const Choice choice = Choose(request, snapshot, now);
    return choice.refused == ErrorCode::kNone ? Result<void>() : Fail(choice.refused);
  }
  const std::uint16_t index = PoolOf(request.subnet);
  if (index == kNoPool || request.reserved.is_set() ||
      PositionOf(pools_[index], address) == kNoPosition ||
      IsExcluded(pools_[index], address, request.excluded, snapshot)) {
    return Fail(ErrorCode::kNotFound);
  }
  const Lease* there = ByAddress(address);
  if (there == nullptr && !IsGivable(address)) {
    return Fail(ErrorCode::kBusy);
  }
  if (there == nullptr) {
    return HasRoom(request, ByClient(request.client.key, request.client.vlan), now)
               ? Result<void>()
               : Fail(ErrorCode::kFull);
  }
  const bool mine = there->client == request.client.key && there->vlan == request.client.vlan &&
                    there->state != State::kDeclined;
  if (!mine && !IsReusable(there->state)) {
    return Fail(ErrorCode::kConflict);
  }
  return (mine ? MayKeepBinding(*there) : MayReassign(*there)) ? Result<void>()
                                                               : Fail(ErrorCode::kBusy);
}

bool LeaseTable::NeedsRecord(const Client& client, IpAddress address, Duration lease, Instant now,
                             const LeaseDetail& detail) const noexcept {
  const Lease* bound = ByAddress(address);
  if (bound == nullptr || bound->state != State::kBound) {
    return true;
  }
  const bool same = bound->mac == client.mac && bound->machine == client.machine &&
                    details_.Equals(bound->detail, detail);
  return !bound->durable || !same || now + lease > bound->horizon || MustTell(*bound);
}

Result<void> LeaseTable::CheckEnd(const Client& client, IpAddress address) const noexcept {
  const Lease* lease = SLIP_TRY(Check(client, address));
  return lease->state == State::kBound ? Result<void>() : Fail(ErrorCode::kNotFound);
}

Result<void> LeaseTable::CheckDecline(const Client& client, IpAddress address) const noexcept {
  SLIP_TRY(CheckEnd(client, address));
  return HasQuarantineRoom(*ByAddress(address)) ? Result<void>() : Fail(ErrorCode::kFull);
}

bool LeaseTable::HasQuarantineRoom(const Lease& lease) const noexcept {
  if (lease.pool == kNoPool) {
    return true;
  }
  const Pool& pool = pools_[lease.pool];
  const std::uint32_t declined = pool.counts[static_cast<std::size_t>(State::kDeclined)];
  // A sparse pool is as large as the table.
  const std::uint64_t size = std::min<std::uint64_t>(pool.size, entries_.size());
  return declined < std::max<std::uint64_t>(1, size / kQuarantineShare);
}

}  // namespace slipway::lease
