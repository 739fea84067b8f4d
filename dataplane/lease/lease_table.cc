#include "dataplane/lease/lease_table.h"

#include <algorithm>

#include "dataplane/base/check.h"
#include "dataplane/base/random.h"

namespace slipway::lease {
namespace {

// Entries that end without a report (offers, quarantines) are bounded per call of Expire too.
constexpr std::size_t kSilentEndsMax = 256;

// Words of all pools' maps: rounding costs each pool at most one word per level.
std::size_t MapWords(const TableOptions& options) {
  return FreeMap::WordsFor(options.pool_addresses_max) +
         std::size_t{options.pools_max} * FreeMap::kLevels;
}

}  // namespace

LeaseTable::LeaseTable(const TableOptions& options)
    : options_(options),
      entries_(options.leases_max),
      details_(DetailChunksFor(options.leases_max)),
      by_address_(options.leases_max),
      by_client_(options.leases_max),
      heap_(options.leases_max),
      pools_(options.pools_max),
      segments_(options.ranges_max),
      words_(MapWords(options)),
      scratch_(options.leases_max) {
  SLIP_CHECK(options.leases_max > 0 && options.leases_max < kNone);
  SLIP_CHECK(options.pools_max < kNoPool);
  free_slots_.reserve(options.leases_max);
  for (std::uint32_t slot = options.leases_max; slot > 0; --slot) {
    free_slots_.push_back(slot - 1);
  }
}

std::uint64_t LeaseTable::MemoryBytes(const TableOptions& options) noexcept {
  const std::uint64_t leases = options.leases_max;
  return leases * (sizeof(Lease) + 3 * sizeof(std::uint32_t)) +
         DetailArena::BytesFor(DetailChunksFor(options.leases_max)) +
         2 * SlotIndex::BytesFor(options.leases_max) + options.pools_max * sizeof(Pool) +
         options.ranges_max * sizeof(Segment) + MapWords(options) * sizeof(std::uint64_t);
}

// ---- entries ----

std::uint64_t LeaseTable::HashAddress(IpAddress address) const noexcept {
  const AddressNumber number = AddressNumber::Of(address);
  return Mix64(Mix64(number.high ^ options_.hash_seed) ^ number.low);
}

std::uint64_t LeaseTable::HashClient(const ClientKey& key, RecordId vlan) const noexcept {
  return Mix64(Mix64(Mix64(key.low ^ options_.hash_seed) ^ key.high) ^ vlan);
}

std::uint32_t LeaseTable::SlotOf(const Lease& lease) const noexcept {
  const auto slot = static_cast<std::size_t>(&lease - entries_.data());
  SLIP_DCHECK(slot < entries_.size());
  return static_cast<std::uint32_t>(slot);
}

std::uint32_t LeaseTable::LookUp(IpAddress address) const noexcept {
  return by_address_.Find(HashAddress(address),
                          [&](std::uint32_t slot) { return entries_[slot].address == address; });
}

std::uint32_t LeaseTable::LookUp(const ClientKey& key, RecordId vlan) const noexcept {
  return by_client_.Find(HashClient(key, vlan), [&](std::uint32_t slot) {
    return entries_[slot].client == key && entries_[slot].vlan == vlan;
  });
}

// A packet's decision looks for the same entry again and again. An address, and a client in the
// index, has one entry at most: if the one found last fits, it is the one.
std::uint32_t LeaseTable::FindSlot(IpAddress address) const noexcept {
  const Lease& last = entries_[last_found_];
  if (last.state == State::kFree || last.address != address) {
    const std::uint32_t slot = LookUp(address);
    if (slot == kNone) {
      return kNone;
    }
    last_found_ = slot;
  }
  return last_found_;
}

std::uint32_t LeaseTable::FindSlot(const ClientKey& key, RecordId vlan) const noexcept {
  const Lease& last = entries_[last_found_];
  if (!last.indexed || last.client != key || last.vlan != vlan) {
    const std::uint32_t slot = LookUp(key, vlan);
    if (slot == kNone) {
      return kNone;
    }
    last_found_ = slot;
  }
  return last_found_;
}

Lease* LeaseTable::Find(IpAddress address) noexcept {
  const std::uint32_t slot = FindSlot(address);
  return slot == kNone ? nullptr : &entries_[slot];
}

bool LeaseTable::IsReusable(State state) noexcept {
  return state == State::kReleased || state == State::kExpired;
}

Lease* LeaseTable::Insert(IpAddress address, RecordId subnet, bool known, Instant now) noexcept {
  SLIP_DCHECK(FindSlot(address) == kNone);
  if (free_slots_.size() <= SlotsKept(known)) {
    const std::uint32_t oldest = OldestOver(now);
    if (oldest == kNone) {
      return nullptr;
    }
    Forget(entries_[oldest]);
  }
  const std::uint32_t slot = free_slots_.back();
  free_slots_.pop_back();
  ++used_;
  Lease& lease = entries_[slot];
  lease = Lease{};
  lease.address = address;
  lease.subnet = subnet;
  lease.state = State::kReleased;
  lease.granted = now;
  lease.ends = now;
  by_address_.Insert(HashAddress(address), slot);
  Attach(lease);
  last_found_ = slot;
  return &lease;
}

// The entry that is longest over, of all pools, or else the oldest offer that had its chance: only
// when the table itself is full.
std::uint32_t LeaseTable::OldestOver(Instant now) const noexcept {
  for (const List list : {kReusable, kReusableOdd, kOffers}) {
    std::uint32_t oldest = kNone;
    const auto look = [&](std::uint32_t slot) {
      if (slot != kNone && (oldest == kNone || entries_[slot].ends < entries_[oldest].ends) &&
          (list == kOffers || MayForget(entries_[slot]))) {
        oldest = slot;
      }
    };
    look(strays_[list].head);
    for (std::uint32_t i = 0; i < pool_count_; ++i) {
      look(pools_[i].lists[list].head);
    }
    if (oldest != kNone && (list != kOffers || now - entries_[oldest].granted >= kOfferHoldMin)) {
      return oldest;
    }
  }
  return kNone;
}

void LeaseTable::SetSubnet(Lease& lease, RecordId subnet) noexcept {
  if (lease.subnet == subnet) {
    return;
  }
  if (lease.pool != kNoPool) {
    FreePosition(pools_[lease.pool], lease.address);
  }
  Detach(lease);
  lease.subnet = subnet;
  Attach(lease);
}

void LeaseTable::Forget(Lease& lease) noexcept {
  const std::uint32_t slot = SlotOf(lease);
  Unindex(lease);
  HeapRemove(lease);
  if (lease.pool != kNoPool) {
    FreePosition(pools_[lease.pool], lease.address);
  }
  Detach(lease);
  by_address_.Erase(HashAddress(lease.address), slot);
  details_.Release(lease.detail);
  lease = Lease{};
  free_slots_.push_back(slot);
  --used_;
}

void LeaseTable::SetState(Lease& lease, State state, Instant ends) noexcept {
  if (state == lease.state && state == State::kBound) {
    lease.ends = ends;
    HeapMove(lease);
    return;
  }
  HeapRemove(lease);
  const std::uint16_t pool = lease.pool;
  ListRemove(lease);
  if (pool != kNoPool) {
    auto& counts = pools_[pool].counts;
    --counts[static_cast<std::size_t>(lease.state)];
    ++counts[static_cast<std::size_t>(state)];
  }
  lease.state = state;
  lease.ends = ends;
  ListAppend(lease);
  if (!IsReusable(state)) {
    HeapPush(lease);
  }
}

void LeaseTable::Index(Lease& lease) noexcept {
  SLIP_DCHECK(!lease.indexed);
  lease.indexed = true;
  by_client_.Insert(HashClient(lease.client, lease.vlan), SlotOf(lease));
}

void LeaseTable::Unindex(Lease& lease) noexcept {
  if (!lease.indexed) {
    return;
  }
  by_client_.Erase(HashClient(lease.client, lease.vlan), SlotOf(lease));
  lease.indexed = false;
}

// Makes the entry the one by which the client is found. REQUIRES: the client has no other.
void LeaseTable::AssignClient(Lease& lease, const Client& client) noexcept {
  if (!lease.indexed || lease.client != client.key || lease.vlan != client.vlan) {
    Unindex(lease);
    lease.client = client.key;
    lease.vlan = client.vlan;
    Index(lease);
  }
  lease.mac = client.mac;
  lease.machine = client.machine;
}

// The client goes to another address: what it had stays its promise, but it is not found by it.
void LeaseTable::MoveAway(Lease& lease, Instant now) noexcept {
  Unindex(lease);
  if (lease.state == State::kOffered) {
    EndHold(lease, now);
  }
}

// An offer that was not taken: back to what it was.
void LeaseTable::EndHold(Lease& lease, Instant now) noexcept {
  if (IsReusable(lease.before)) {
    SetState(lease, lease.before, now);
  } else {
    Forget(lease);
  }
}

Lease* LeaseTable::Hold(Lease& lease, const Client& client, Instant now) noexcept {
  AssignClient(lease, client);
  if (lease.state == State::kBound) {
    return &lease;
  }
  if (lease.state != State::kOffered) {
    lease.before = lease.state;
  }
  lease.granted = now;
  SetState(lease, State::kOffered, now + kOfferHold);
  return &lease;
}

// Another client gets the address. What the first one had is over.
Lease* LeaseTable::TakeOver(Lease& lease, const OfferRequest& request, Instant now) noexcept {
  SLIP_CHECK(lease.state != State::kBound);
  SLIP_CHECK(lease.state != State::kDeclined);
  Unindex(lease);
  details_.Release(lease.detail);
  SetSubnet(lease, request.subnet);
  lease.durable = false;
  SetState(lease, State::kReleased, now);
  (void)Hold(lease, request.client, now);
  lease.before = State::kFree;
  return &lease;
}

// ---- the client's side ----

Result<Lease*> LeaseTable::CheckOwn(const Client& client, IpAddress address) noexcept {
  Lease* lease = Find(address);
  if (lease == nullptr) {
    return Fail(ErrorCode::kNotFound);
  }
  if (lease->state == State::kDeclined || lease->client != client.key ||
      lease->vlan != client.vlan) {
    return Fail(ErrorCode::kConflict);
  }
  return lease;
}

Result<const Lease*> LeaseTable::Check(const Client& client, IpAddress address) const {
  const std::uint32_t slot = FindSlot(address);
  if (slot == kNone) {
    return Fail(ErrorCode::kNotFound);
  }
  const Lease& lease = entries_[slot];
  if (lease.state == State::kDeclined || lease.client != client.key || lease.vlan != client.vlan) {
    return Fail(ErrorCode::kConflict);
  }
  if (!MayKeepBinding(lease)) {
    return Fail(ErrorCode::kBusy);
  }
  return &lease;
}

Result<BindResult> LeaseTable::Bind(const Client& client, IpAddress address, Duration lease,
                                    Instant now, const LeaseDetail& detail) {
  Lease* bound = SLIP_TRY(CheckOwn(client, address));
  const bool needs_log = NeedsRecord(client, address, lease, now, detail);
  const bool renewal = bound->state == State::kBound;
  const Instant promised = now + lease;
  // A promise never shrinks: an answer that gets lost leaves the client with the older one.
  const Instant ends = renewal ? std::max(bound->ends, promised) : promised;
  if (!bound->indexed) {
    const std::uint32_t other = FindSlot(client.key, client.vlan);
    if (other != kNone) {
      MoveAway(entries_[other], now);
    }
  }
  AssignClient(*bound, client);
  SetState(*bound, State::kBound, ends);
  bound->lease = lease;
  bound->before = State::kFree;
  if (needs_log) {
    details_.Assign(bound->detail, detail);
    bound->granted = now;
    bound->horizon = std::max(renewal ? bound->horizon : now, now + lease * 2);
    bound->version = NextVersion();
    bound->foreign = false;
    bound->durable = false;
  }
  return BindResult{.lease = bound, .needs_log = needs_log};
}

Result<const Lease*> LeaseTable::Release(const Client& client, IpAddress address, Instant now) {
  SLIP_TRY(CheckEnd(client, address));
  Lease* lease = Find(address);
  lease->version = NextVersion();
  lease->foreign = false;
  lease->durable = false;
  lease->granted = now;
  lease->horizon = now;
  SetState(*lease, State::kReleased, now);
  return lease;
}

Result<const Lease*> LeaseTable::Decline(const Client& client, IpAddress address, Instant now) {
  if (const Result<void> may = CheckDecline(client, address); !may) {
    if (may.error().code == ErrorCode::kFull) {
      (void)Release(client, address, now);
    }
    return std::unexpected(may.error());
  }
  return Quarantine(*Find(address), now);
}

Result<const Lease*> LeaseTable::DeclineOffer(const Client& client, IpAddress address,
                                              Instant now) {
  Lease* lease = SLIP_TRY(CheckOwn(client, address));
  if (lease->state != State::kOffered) {
    return Fail(ErrorCode::kNotFound);
  }
  return HasQuarantineRoom(*lease) ? Result<const Lease*>(Quarantine(*lease, now))
                                   : Fail(ErrorCode::kFull);
}

const Lease* LeaseTable::Quarantine(Lease& lease, Instant now) noexcept {
  Unindex(lease);
  lease.version = NextVersion();
  lease.foreign = false;
  lease.durable = false;
  lease.granted = now;
  lease.lease = kQuarantine;
  lease.horizon = now + kQuarantine;
  SetState(lease, State::kDeclined, now + kQuarantine);
  return &lease;
}

// ---- time and durability ----

std::size_t LeaseTable::Expire(Instant now, std::span<const Lease*> out) {
  std::size_t ended = 0;
  std::size_t silent = 0;
  while (ended < out.size() && silent < kSilentEndsMax) {
    const Lease* const first = FirstToEnd();
    if (first == nullptr || first->ends > now) {
      break;
    }
    Lease& lease = entries_[SlotOf(*first)];
    if (lease.state == State::kBound) {
      lease.version = NextVersion();
      lease.foreign = false;
      lease.durable = false;
      lease.granted = now;
      lease.horizon = now;
      SetState(lease, State::kExpired, lease.ends);
      out[ended++] = &lease;
      continue;
    }
    ++silent;
    if (lease.state == State::kOffered) {
      EndHold(lease, now);
    } else {
      Forget(lease);
    }
  }
  return ended;
}

Instant LeaseTable::next_deadline() const noexcept {
  const Lease* const first = FirstToEnd();
  return first == nullptr ? Instant::Never() : first->ends;
}

void LeaseTable::MarkDurable(IpAddress address, std::uint64_t version) noexcept {
  Lease* lease = Find(address);
  if (lease != nullptr && lease->version == version) {
    lease->durable = true;
  }
}

// ---- looking ----

const Lease* LeaseTable::ByAddress(IpAddress address) const noexcept {
  const std::uint32_t slot = FindSlot(address);
  return slot == kNone ? nullptr : &entries_[slot];
}

const Lease* LeaseTable::ByClient(const ClientKey& key, RecordId vlan) const noexcept {
  const std::uint32_t slot = FindSlot(key, vlan);
  return slot == kNone ? nullptr : &entries_[slot];
}

LeaseDetail LeaseTable::DetailOf(const Lease& lease) const noexcept {
  return details_.Read(lease.detail);
}

const Lease* LeaseTable::At(std::uint32_t slot) const noexcept {
  SLIP_CHECK(slot < entries_.size());
  return entries_[slot].state == State::kFree ? nullptr : &entries_[slot];
}

// ---- restart ----

Result<void> LeaseTable::Restore(const RestoredLease& restored, const Now& now) {
  const Lease& from = restored.lease;
  last_version_ = std::max(last_version_, from.version);
  Lease* lease = Find(from.address);
  if (lease != nullptr && lease->version > from.version) {
    return {};
  }
  if (lease == nullptr) {
    lease = Insert(from.address, from.subnet, true, now.instant);
    if (lease == nullptr) {
      return Fail(ErrorCode::kFull);
    }
  }
  Unindex(*lease);
  const std::uint32_t other = FindSlot(from.client, from.vlan);
  const bool newest = other == kNone || entries_[other].version < from.version;
  if (newest && other != kNone) {
    MoveAway(entries_[other], now.instant);
  }
  lease->client = from.client;
  lease->vlan = from.vlan;
  SetSubnet(*lease, from.subnet);
  lease->mac = from.mac;
  lease->machine = from.machine;
  lease->version = from.version;
  lease->foreign = false;
  lease->lease = from.lease;
  // The horizon below may be longer than what the record will be found to cover next time.
  lease->durable = restored.durable && ElapsedIsFinal(restored.stamp, now);
  lease->before = State::kFree;
  details_.Assign(lease->detail, restored.detail);
  lease->granted = EndOf(restored.stamp, Duration{}, now);
  lease->horizon = EndOf(restored.stamp, restored.horizon, now);
  // The end of a quarantine makes no record: what is over by now holds no address.
  const bool free_again = from.state == State::kDeclined && lease->horizon <= now.instant;
  const State state = free_again ? State::kExpired : from.state;
  SetState(*lease, state, IsReusable(from.state) ? lease->granted : lease->horizon);
  if (newest && from.state != State::kDeclined) {
    Index(*lease);
  }
  return {};
}

}  // namespace slipway::lease
