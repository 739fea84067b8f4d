// Pools: which addresses a subnet gives out, and which one a client gets.
#include <algorithm>

#include "dataplane/base/check.h"
#include "dataplane/base/random.h"
#include "dataplane/lease/lease_table.h"

namespace slipway::lease {
namespace {

std::uint64_t MixAddress(std::uint64_t hash, const IpAddress& address) {
  const ByteSpan bytes = std::as_bytes(std::span(address.v6().octets));
  hash = Mix64(hash ^ LoadBig<std::uint64_t>(bytes.data()));
  return Mix64(hash ^ LoadBig<std::uint64_t>(bytes.data() + 8));
}

// First and last value of a range, cut to its subnet; first > last if nothing is left.
struct Bounds {
  std::uint64_t first = 1;
  std::uint64_t last = 0;
};

Bounds BoundsOf(const config::RangeRecord& range, const config::SubnetRecord& subnet) {
  if (!range.first.is_v4() || !range.last.is_v4()) {
    return {};
  }
  const std::uint64_t network = subnet.prefix.address.v4().value;
  const std::uint64_t size = std::uint64_t{1} << (32 - subnet.prefix.bits);
  return {.first = std::max<std::uint64_t>(network, range.first.v4().value),
          .last = std::min<std::uint64_t>(network + size - 1, range.last.v4().value)};
}

}  // namespace

// ---- layout ----

std::uint64_t LeaseTable::HashLayout(const config::Snapshot& snapshot) noexcept {
  std::uint64_t hash = 1;
  for (const config::SubnetRecord& subnet : snapshot.subnets()) {
    hash = Mix64(hash ^ subnet.id);
    hash = Mix64(hash ^ subnet.vlan ^ (std::uint64_t{subnet.prefix.bits} << 56));
    hash = MixAddress(MixAddress(hash, subnet.prefix.address), subnet.gateway);
    for (const config::RangeRecord& range : snapshot.RangesOf(subnet.id)) {
      hash = Mix64(hash ^ range.id ^ (static_cast<std::uint64_t>(range.kind) << 56));
      hash = MixAddress(MixAddress(hash, range.first), range.last);
    }
  }
  return hash | 1;
}

RebuildResult LeaseTable::Rebuild(const config::Snapshot& snapshot) {
  RebuildResult result;
  const std::uint64_t hash = HashLayout(snapshot);
  if (hash == layout_hash_) {
    result.pools = pool_count_;
    return result;
  }
  layout_hash_ = hash;
  result.changed = true;
  pool_count_ = 0;
  segment_count_ = 0;
  words_used_ = 0;
  maintain_pool_ = 0;
  maintain_position_ = 0;
  for (const config::SubnetRecord& subnet : snapshot.subnets()) {
    if (!subnet.prefix.address.is_v4()) {
      continue;
    }
    if (pool_count_ == pools_.size()) {
      ++result.pools_cut;
      continue;
    }
    BuildPool(subnet, snapshot, result);
  }
  std::sort(pools_.begin(), pools_.begin() + pool_count_,
            [](const Pool& a, const Pool& b) { return a.subnet < b.subnet; });
  result.pools = pool_count_;
  AttachAll();
  return result;
}

// Dynamic ranges without the reserved ones, whichever way they overlap.
void LeaseTable::BuildPool(const config::SubnetRecord& subnet, const config::Snapshot& snapshot,
                           RebuildResult& result) noexcept {
  Pool& pool = pools_[pool_count_++];
  pool = Pool{};
  pool.subnet = subnet.id;
  pool.prefix = subnet.prefix;
  pool.gateway = subnet.gateway.is_v4() ? subnet.gateway.v4() : Ipv4Address{};
  pool.segment_first = segment_count_;
  std::uint64_t at = 0;
  while (true) {
    // The run that begins at the next dynamic address at or after `at` ...
    std::uint64_t start = UINT64_MAX;
    std::uint64_t end = 0;
    for (const config::RangeRecord& range : snapshot.RangesOf(subnet.id)) {
      const Bounds bounds = BoundsOf(range, subnet);
      if (range.kind != config::RangeKind::kDynamic || bounds.first > bounds.last ||
          bounds.last < at) {
        continue;
      }
      const std::uint64_t first = std::max(bounds.first, at);
      if (first < start || (first == start && bounds.last > end)) {
        start = first;
        end = bounds.last;
      }
    }
    if (start == UINT64_MAX) {
      break;
    }
    // ... up to the next reserved one.
    std::uint64_t skip_to = 0;
    for (const config::RangeRecord& range : snapshot.RangesOf(subnet.id)) {
      const Bounds bounds = BoundsOf(range, subnet);
      if (range.kind != config::RangeKind::kReserved || bounds.first > bounds.last) {
        continue;
      }
      if (bounds.first <= start && start <= bounds.last) {
        skip_to = std::max(skip_to, bounds.last + 1);
      } else if (bounds.first > start && bounds.first <= end) {
        end = bounds.first - 1;
      }
    }
    if (skip_to != 0) {
      at = skip_to;
      continue;
    }
    AddSegment(pool, static_cast<std::uint32_t>(start), static_cast<std::uint32_t>(end), result);
    at = end + 1;
  }
  std::uint32_t size = 0;
  for (std::uint32_t i = 0; i < pool.segment_count; ++i) {
    size += segments_[pool.segment_first + i].count;
  }
  const std::size_t words = FreeMap::WordsFor(size);
  pool.map = FreeMap(std::span(words_).subspan(words_used_, words), size);
  words_used_ += words;
  result.addresses += size;
}

void LeaseTable::AddSegment(Pool& pool, std::uint32_t first, std::uint32_t last,
                            RebuildResult& result) noexcept {
  std::uint32_t position = 0;
  if (pool.segment_count > 0) {
    const Segment& before = segments_[segment_count_ - 1];
    position = before.position + before.count;
  }
  const std::uint64_t wanted = std::uint64_t{last} - first + 1;
  const std::uint64_t taken = std::uint64_t{result.addresses} + position;
  const std::uint64_t left =
      options_.pool_addresses_max > taken ? options_.pool_addresses_max - taken : 0;
  const std::uint64_t count =
      segment_count_ == segments_.size() ? 0 : std::min<std::uint64_t>(wanted, left);
  result.addresses_cut += static_cast<std::uint32_t>(wanted - count);
  if (count == 0) {
    return;
  }
  segments_[segment_count_++] =
      Segment{.first = first, .count = static_cast<std::uint32_t>(count), .position = position};
  ++pool.segment_count;
}

// Oldest first, as the lists want it.
void LeaseTable::AttachAll() noexcept {
  strays_ = {};
  std::uint32_t count = 0;
  for (std::uint32_t slot = 0; slot < entries_.size(); ++slot) {
    Lease& lease = entries_[slot];
    lease.list_next = kNone;
    lease.list_previous = kNone;
    if (lease.state != State::kFree) {
      scratch_[count++] = slot;
    }
  }
  std::sort(scratch_.begin(), scratch_.begin() + count,
            [&](std::uint32_t a, std::uint32_t b) { return entries_[a].ends < entries_[b].ends; });
  for (std::uint32_t i = 0; i < count; ++i) {
    Attach(entries_[scratch_[i]]);
  }
}

// ---- positions ----

std::uint16_t LeaseTable::PoolOf(RecordId subnet) const noexcept {
  const auto end = pools_.begin() + pool_count_;
  const auto found = std::lower_bound(
      pools_.begin(), end, subnet, [](const Pool& pool, RecordId id) { return pool.subnet < id; });
  return found == end || found->subnet != subnet
             ? kNoPool
             : static_cast<std::uint16_t>(found - pools_.begin());
}

std::uint32_t LeaseTable::PositionOf(const Pool& pool, Ipv4Address address) const noexcept {
  const std::span segments = std::span(segments_).subspan(pool.segment_first, pool.segment_count);
  const auto after =
      std::upper_bound(segments.begin(), segments.end(), address.value,
                       [](std::uint32_t value, const Segment& s) { return value < s.first; });
  if (after == segments.begin()) {
    return kNone;
  }
  const Segment& segment = *(after - 1);
  const std::uint32_t offset = address.value - segment.first;
  return offset < segment.count ? segment.position + offset : kNone;
}

Ipv4Address LeaseTable::AddressAt(const Pool& pool, std::uint32_t position) const noexcept {
  const std::span segments = std::span(segments_).subspan(pool.segment_first, pool.segment_count);
  const auto after =
      std::upper_bound(segments.begin(), segments.end(), position,
                       [](std::uint32_t value, const Segment& s) { return value < s.position; });
  SLIP_CHECK(after != segments.begin());
  const Segment& segment = *(after - 1);
  return {segment.first + (position - segment.position)};
}

PoolCounts LeaseTable::CountsOf(RecordId subnet) const noexcept {
  const std::uint16_t index = PoolOf(subnet);
  if (index == kNoPool) {
    return {};
  }
  const Pool& pool = pools_[index];
  const auto count = [&](State state) { return pool.counts[static_cast<std::size_t>(state)]; };
  return {.size = pool.map.size(),
          .free = pool.map.free_count(),
          .offered = count(State::kOffered),
          .bound = count(State::kBound),
          .reusable = count(State::kReleased) + count(State::kExpired),
          .declined = count(State::kDeclined)};
}

// ---- allocation ----

// Neither network nor broadcast address (of subnets that have them) nor gateway.
bool LeaseTable::IsHostAddress(const Pool& pool, Ipv4Address address) noexcept {
  if (address == pool.gateway) {
    return false;
  }
  if (pool.prefix.bits >= 31) {
    return true;  // RFC 3021: no such addresses.
  }
  const std::uint32_t host = address.value & ~Ipv4Mask(pool.prefix.bits).value;
  return host != 0 && host != ~Ipv4Mask(pool.prefix.bits).value;
}

bool LeaseTable::IsExcluded(const Pool& pool, Ipv4Address address,
                            std::span<const Ipv4Address> excluded,
                            const config::Snapshot& snapshot) noexcept {
  return !IsHostAddress(pool, address) ||
         std::find(excluded.begin(), excluded.end(), address) != excluded.end() ||
         snapshot.InterfaceByAddress(address) != nullptr;
}

bool LeaseTable::MayKeep(const Lease& own, const OfferRequest& request,
                         const config::Snapshot& snapshot) const noexcept {
  return own.subnet == request.subnet && own.pool != kNoPool && own.state != State::kDeclined &&
         !IsExcluded(pools_[own.pool], own.address, request.excluded, snapshot);
}

Result<Lease*> LeaseTable::OfferReserved(const OfferRequest& request, Lease* own,
                                         Instant now) noexcept {
  if (own != nullptr && own->address == request.reserved) {
    return own->state == State::kDeclined ? Result<Lease*>(Fail(ErrorCode::kConflict))
                                          : Result<Lease*>(Hold(*own, request.client, now));
  }
  Lease* there = Find(request.reserved);
  if (there != nullptr && (there->state == State::kBound || there->state == State::kDeclined)) {
    if (there->state == State::kDeclined || there->client != request.client.key ||
        there->vlan != request.client.vlan) {
      return Fail(ErrorCode::kConflict);
    }
  }
  if (own != nullptr) {
    MoveAway(*own, now);
    there = Find(request.reserved);
  }
  if (there == nullptr) {
    there = Insert(request.reserved, request.subnet, now);
    if (there == nullptr) {
      return Fail(ErrorCode::kFull);
    }
  }
  return there->state == State::kBound ? Hold(*there, request.client, now)
                                       : TakeOver(*there, request, now);
}

Result<const Lease*> LeaseTable::Offer(const OfferRequest& request,
                                       const config::Snapshot& snapshot, Instant now) {
  const std::uint32_t slot = FindSlot(request.client.key, request.client.vlan);
  Lease* own = slot == kNone ? nullptr : &entries_[slot];
  if (!request.reserved.is_any()) {
    return OfferReserved(request, own, now);
  }
  const std::uint16_t pool = PoolOf(request.subnet);
  if (pool == kNoPool) {
    return Fail(ErrorCode::kNotFound);
  }
  if (own != nullptr && MayKeep(*own, request, snapshot)) {
    return Hold(*own, request.client, now);
  }
  Lease* lease = Allocate(request, pool, snapshot, now);
  if (lease == nullptr) {
    return Fail(ErrorCode::kFull);
  }
  return lease;
}

Lease* LeaseTable::Allocate(const OfferRequest& request, std::uint16_t index,
                            const config::Snapshot& snapshot, Instant now) noexcept {
  Pool& pool = pools_[index];
  const PoolCounts counts = CountsOf(pool.subnet);
  if (request.client.machine == 0 && counts.free + counts.reusable <= counts.size / kKnownShare) {
    return nullptr;
  }
  const auto take = [&](Ipv4Address address) -> Lease* {
    const std::uint32_t slot = FindSlot(request.client.key, request.client.vlan);
    if (slot != kNone) {
      MoveAway(entries_[slot], now);
    }
    Lease* lease = Insert(address, request.subnet, now);
    if (lease != nullptr) {
      (void)Hold(*lease, request.client, now);
      lease->before = State::kFree;
    }
    return lease;
  };
  const std::uint32_t wanted = PositionOf(pool, request.requested);
  if (wanted != kNone && !pool.map.IsTaken(wanted) &&
      !IsExcluded(pool, request.requested, request.excluded, snapshot)) {
    return take(request.requested);
  }
  if (pool.map.size() == 0) {
    return nullptr;
  }
  const std::uint64_t hash = HashClient(request.client.key, request.client.vlan) >> 32;
  auto from = static_cast<std::uint32_t>(hash * pool.map.size() >> 32);
  for (int probe = 0; probe < kProbesMax; ++probe) {
    const std::optional<std::uint32_t> position = pool.map.NextFree(from);
    if (!position) {
      break;
    }
    const Ipv4Address address = AddressAt(pool, *position);
    if (!IsExcluded(pool, address, request.excluded, snapshot)) {
      return take(address);
    }
    // Reserved inside the range: not looked at again until Maintain finds it free.
    pool.map.Take(*position);
    from = *position;
  }
  return Reuse(request, pool, snapshot, now);
}

// The address that is over for the longest time, or else an offer that nobody took.
Lease* LeaseTable::Reuse(const OfferRequest& request, Pool& pool, const config::Snapshot& snapshot,
                         Instant now) noexcept {
  std::uint32_t found = pool.lists[kReusable].head;
  for (int probe = 0; found != kNone && probe < kProbesMax; ++probe) {
    if (!IsExcluded(pool, entries_[found].address, request.excluded, snapshot)) {
      break;
    }
    found = entries_[found].list_next;
  }
  if (found == kNone) {
    found = pool.lists[kOffers].head;
    if (found == kNone || now - entries_[found].granted < kOfferHoldMin ||
        IsExcluded(pool, entries_[found].address, request.excluded, snapshot)) {
      return nullptr;
    }
  }
  const Ipv4Address address = entries_[found].address;
  const std::uint32_t slot = FindSlot(request.client.key, request.client.vlan);
  if (slot != kNone && slot != found) {
    MoveAway(entries_[slot], now);
  }
  Lease* lease = Find(address);
  return lease == nullptr ? nullptr : TakeOver(*lease, request, now);
}

Result<const Lease*> LeaseTable::Claim(const OfferRequest& request, Ipv4Address address,
                                       const config::Snapshot& snapshot, Instant now) {
  if (address == request.reserved && !address.is_any()) {
    return Offer(request, snapshot, now);
  }
  const std::uint16_t index = PoolOf(request.subnet);
  if (index == kNoPool || !request.reserved.is_any() ||
      PositionOf(pools_[index], address) == kNone ||
      IsExcluded(pools_[index], address, request.excluded, snapshot)) {
    return Fail(ErrorCode::kNotFound);
  }
  const Lease* there = ByAddress(address);
  const bool mine = there != nullptr && there->client == request.client.key &&
                    there->vlan == request.client.vlan && there->state != State::kDeclined;
  if (there != nullptr && !mine && !IsReusable(there->state)) {
    return Fail(ErrorCode::kConflict);
  }
  const std::uint32_t slot = FindSlot(request.client.key, request.client.vlan);
  if (slot != kNone && entries_[slot].address != address) {
    MoveAway(entries_[slot], now);
  }
  Lease* lease = Find(address);
  if (lease == nullptr) {
    lease = Insert(address, request.subnet, now);
    if (lease == nullptr) {
      return Fail(ErrorCode::kFull);
    }
    (void)Hold(*lease, request.client, now);
    lease->before = State::kFree;
    return lease;
  }
  return mine ? Hold(*lease, request.client, now) : TakeOver(*lease, request, now);
}

// ---- upkeep ----

void LeaseTable::Maintain(const config::Snapshot& snapshot, std::span<const Ipv4Address> excluded,
                          std::uint32_t budget) noexcept {
  if (pool_count_ == 0) {
    return;
  }
  for (std::uint32_t i = 0; i < budget; ++i) {
    Pool& pool = pools_[maintain_pool_];
    if (maintain_position_ >= pool.map.size()) {
      maintain_position_ = 0;
      maintain_pool_ = (maintain_pool_ + 1) % pool_count_;
      continue;
    }
    const std::uint32_t position = maintain_position_++;
    if (!pool.map.IsTaken(position)) {
      continue;
    }
    const Ipv4Address address = AddressAt(pool, position);
    if (FindSlot(address) == kNone && !IsExcluded(pool, address, excluded, snapshot)) {
      pool.map.Free(position);
    }
  }
}

}  // namespace slipway::lease
