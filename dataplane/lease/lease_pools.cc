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

// A range, cut to its subnet; empty if nothing is left.
struct Bounds {
  AddressNumber first{.high = 0, .low = 1};
  AddressNumber last;

  [[nodiscard]] bool is_empty() const { return last < first; }
};

Bounds BoundsOf(const config::RangeRecord& range, const config::SubnetRecord& subnet) {
  const bool v4 = subnet.prefix.address.is_v4();
  if (range.first.is_v4() != v4 || range.last.is_v4() != v4) {
    return {};
  }
  const NetworkBounds network = NetworkBounds::Of(subnet.prefix);
  return {.first = std::max(network.first, AddressNumber::Of(range.first)),
          .last = std::min(network.last, AddressNumber::Of(range.last))};
}

// RFC 4291 2.6.1 and RFC 2526 2: the subnet's anycast addresses.
bool IsAnycast6(const IpPrefix& prefix, AddressNumber address) {
  constexpr std::uint64_t kReservedLast = 0x7F;
  const NetworkBounds network = NetworkBounds::Of(prefix);
  if (address == network.first) {
    return true;
  }
  if (prefix.bits == 64) {
    constexpr std::uint64_t kEui64Last = 0xFDFF'FFFF'FFFF'FFFF;
    return address.low <= kEui64Last && kEui64Last - address.low <= kReservedLast;
  }
  return prefix.bits <= 120 && network.last.Minus(address) <= kReservedLast;
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
      hash = Mix64(hash ^ range.id ^ (static_cast<std::uint64_t>(range.kind) << 56) ^
                   (static_cast<std::uint64_t>(range.state) << 48));
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

void LeaseTable::BuildPool(const config::SubnetRecord& subnet, const config::Snapshot& snapshot,
                           RebuildResult& result) noexcept {
  Pool& pool = pools_[pool_count_++];
  pool = Pool{};
  pool.subnet = subnet.id;
  pool.prefix = subnet.prefix;
  pool.gateway = subnet.gateway;
  pool.segment_first = segment_count_;
  AddSegments(pool, subnet, snapshot, result);
  NumberShares(pool);
  const std::uint64_t left = options_.pool_addresses_max - result.addresses;
  const bool large = pool.size > left || pool.size > kSparseFactor * options_.leases_max;
  if (large && !pool.prefix.address.is_v4()) {
    pool.dense = false;
    ++result.sparse_pools;
    return;
  }
  if (pool.size > left) {
    result.addresses_cut += pool.size - left;
    CutPool(pool, left);
    NumberShares(pool);
  }
  const auto size = static_cast<std::uint32_t>(pool.size);
  const std::size_t words = FreeMap::WordsFor(size);
  pool.map = FreeMap(std::span(words_).subspan(words_used_, words), size);
  words_used_ += words;
  result.addresses += size;
}

// Dynamic ranges without the reserved ones, whichever way they overlap.
void LeaseTable::AddSegments(Pool& pool, const config::SubnetRecord& subnet,
                             const config::Snapshot& snapshot, RebuildResult& result) noexcept {
  AddressNumber at;
  do {
    // The run that begins at the next dynamic address at or after `at` ...
    Bounds run;
    for (const config::RangeRecord& range : snapshot.RangesOf(subnet.id)) {
      Bounds bounds = BoundsOf(range, subnet);
      bounds.first = std::max(bounds.first, at);
      if (range.kind != config::RangeKind::kDynamic || range.state != config::RangeState::kActive ||
          bounds.is_empty()) {
        continue;
      }
      if (run.is_empty() || bounds.first < run.first ||
          (bounds.first == run.first && bounds.last > run.last)) {
        run = bounds;
      }
    }
    if (run.is_empty()) {
      return;
    }
    // ... up to the next reserved one.
    bool reserved = false;
    for (const config::RangeRecord& range : snapshot.RangesOf(subnet.id)) {
      const Bounds bounds = BoundsOf(range, subnet);
      if (range.kind != config::RangeKind::kReserved || bounds.is_empty()) {
        continue;
      }
      if (bounds.first <= run.first && run.first <= bounds.last) {
        at = reserved ? std::max(at, bounds.last.Plus(1)) : bounds.last.Plus(1);
        reserved = true;
      } else if (bounds.first > run.first && bounds.first <= run.last) {
        run.last = bounds.first.Before();
      }
    }
    if (!reserved) {
      AddSegment(pool, run.first, run.last, result);
      at = run.last.Plus(1);
    }
  } while (!at.is_zero());  // Past the last address of all.
}

void LeaseTable::AddSegment(Pool& pool, AddressNumber first, AddressNumber last,
                            RebuildResult& result) noexcept {
  const std::uint64_t distance = last.Minus(first);
  const std::uint64_t wanted = distance == UINT64_MAX ? UINT64_MAX : distance + 1;
  if (segment_count_ == segments_.size()) {
    result.addresses_cut += wanted;
    return;
  }
  const std::uint64_t count = std::min(wanted, kPoolAddressesMax - pool.size);
  if (count == 0) {
    return;
  }
  segments_[segment_count_++] = Segment{.first = first, .count = count, .before = pool.size};
  ++pool.segment_count;
  pool.size += count;
}

// Leaves the first `size` addresses.
void LeaseTable::CutPool(Pool& pool, std::uint64_t size) noexcept {
  while (pool.size > size) {
    Segment& segment = segments_[pool.segment_first + pool.segment_count - 1];
    if (segment.before < size) {
      segment.count = size - segment.before;
      pool.size = size;
      return;
    }
    pool.size = segment.before;
    --pool.segment_count;
    --segment_count_;
  }
}

// Even addresses have the first positions and odd ones the others, so that the free ones of either
// share (docs/adr/0009-pair-of-racks.md) are found as fast as any.
void LeaseTable::NumberShares(Pool& pool) noexcept {
  std::array<std::uint64_t, 2> counted{};
  for (std::uint32_t i = 0; i < pool.segment_count; ++i) {
    Segment& segment = segments_[pool.segment_first + i];
    segment.before_in_share = counted;
    counted[0] += segment.CountOf(0);
    counted[1] += segment.CountOf(1);
  }
  pool.evens = counted[0];
  SLIP_CHECK(counted[0] + counted[1] == pool.size);
}

// Those for the lists oldest first, as they want it; the others are in none.
void LeaseTable::AttachAll() noexcept {
  strays_ = {};
  std::uint32_t count = 0;
  for (std::uint32_t slot = 0; slot < entries_.size(); ++slot) {
    Lease& lease = entries_[slot];
    lease.list_next = kNone;
    lease.list_previous = kNone;
    if (lease.state == State::kOffered || IsReusable(lease.state)) {
      scratch_[count++] = slot;
    } else if (lease.state != State::kFree) {
      Attach(lease);
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

std::uint64_t LeaseTable::PositionOf(const Pool& pool, IpAddress address) const noexcept {
  const AddressNumber number = AddressNumber::Of(address);
  const std::span segments = std::span(segments_).subspan(pool.segment_first, pool.segment_count);
  const auto after = std::upper_bound(
      segments.begin(), segments.end(), number,
      [](const AddressNumber& value, const Segment& s) { return value < s.first; });
  if (after == segments.begin()) {
    return kNoPosition;
  }
  const Segment& segment = *(after - 1);
  const std::uint64_t offset = number.Minus(segment.first);
  if (offset >= segment.count) {
    return kNoPosition;
  }
  const unsigned share = number.low & 1;
  return (share == 0 ? 0 : pool.evens) + segment.before_in_share[share] +
         (offset - segment.StepsTo(share)) / 2;
}

IpAddress LeaseTable::AddressAt(const Pool& pool, std::uint64_t position) const noexcept {
  const std::span segments = std::span(segments_).subspan(pool.segment_first, pool.segment_count);
  const unsigned share = position < pool.evens ? 0 : 1;
  const std::uint64_t at = share == 0 ? position : position - pool.evens;
  const auto after = std::upper_bound(
      segments.begin(), segments.end(), at,
      [share](std::uint64_t value, const Segment& s) { return value < s.before_in_share[share]; });
  SLIP_CHECK(after != segments.begin());
  const Segment& segment = *(after - 1);
  const std::uint64_t steps = segment.StepsTo(share) + 2 * (at - segment.before_in_share[share]);
  return segment.first.Plus(steps).ToAddress();
}

bool LeaseTable::IsFree(const Pool& pool, std::uint64_t position,
                        IpAddress address) const noexcept {
  return pool.dense ? !pool.map.IsTaken(static_cast<std::uint32_t>(position))
                    : FindSlot(address) == kNone;
}

void LeaseTable::FreePosition(Pool& pool, IpAddress address) noexcept {
  if (pool.dense) {
    pool.map.Free(static_cast<std::uint32_t>(PositionOf(pool, address)));
  }
}

PoolCounts LeaseTable::CountsOf(RecordId subnet) const noexcept {
  const std::uint16_t index = PoolOf(subnet);
  if (index == kNoPool) {
    return {};
  }
  const Pool& pool = pools_[index];
  const auto count = [&](State state) { return pool.counts[static_cast<std::size_t>(state)]; };
  PoolCounts counts{.size = pool.size,
                    .free = pool.map.free_count(),
                    .offered = count(State::kOffered),
                    .bound = count(State::kBound),
                    .reusable = count(State::kReleased) + count(State::kExpired),
                    .declined = count(State::kDeclined)};
  if (!pool.dense) {
    counts.free = pool.size - counts.offered - counts.bound - counts.reusable - counts.declined;
  }
  return counts;
}

// ---- allocation ----

// Neither network nor broadcast address (of subnets that have them) nor gateway nor anycast.
bool LeaseTable::IsHostAddress(const Pool& pool, IpAddress address) noexcept {
  if (address == pool.gateway) {
    return false;
  }
  const bool v4 = pool.prefix.address.is_v4();
  if (pool.prefix.bits >= (v4 ? 31 : 127)) {
    return true;  // RFC 3021, RFC 6164: no such addresses.
  }
  const AddressNumber number = AddressNumber::Of(address);
  if (!v4) {
    return !IsAnycast6(pool.prefix, number);
  }
  const NetworkBounds network = NetworkBounds::Of(pool.prefix);
  return number != network.first && number != network.last;
}

bool LeaseTable::IsExcluded(const Pool& pool, IpAddress address,
                            std::span<const IpAddress> excluded,
                            const config::Snapshot& snapshot) noexcept {
  return !IsHostAddress(pool, address) ||
         std::find(excluded.begin(), excluded.end(), address) != excluded.end() ||
         snapshot.InterfaceByAddress(address) != nullptr;
}

bool LeaseTable::MayKeep(const Lease& own, const OfferRequest& request,
                         const config::Snapshot& snapshot) const noexcept {
  return MayKeepBinding(own) && own.subnet == request.subnet && own.pool != kNoPool &&
         own.state != State::kDeclined &&
         !IsExcluded(pools_[own.pool], own.address, request.excluded, snapshot);
}

Result<const Lease*> LeaseTable::Offer(const OfferRequest& request,
                                       const config::Snapshot& snapshot, Instant now) {
  const std::uint32_t own = FindSlot(request.client.key, request.client.vlan);
  const Choice choice = ChooseFor(request, own == kNone ? nullptr : &entries_[own], snapshot, now);
  if (choice.skipped > 0) {
    TakeSkipped(pools_[PoolOf(request.subnet)], request.client, choice.skipped);
  }
  if (choice.refused != ErrorCode::kNone) {
    return Fail(choice.refused);
  }
  const bool fresh = choice.rule == OfferRule::kRequested || choice.rule == OfferRule::kHash;
  return HoldFor(request, choice.address, own, fresh ? kNone : FindSlot(choice.address), now);
}

// Excluded addresses inside a dense pool: not looked at again until Maintain finds them free.
void LeaseTable::TakeSkipped(Pool& pool, const Client& client, std::uint32_t skipped) noexcept {
  const Run run = RunsOf(pool)[0];
  std::uint32_t from = FirstProbe(run, client);
  for (std::uint32_t i = 0; i < skipped; ++i) {
    const std::uint32_t position = *NextFreeIn(pool, run, from);
    pool.map.Take(position);
    from = position + 1;
  }
}

// Holds the address, chosen before, for the client, which leaves what it had.
Result<const Lease*> LeaseTable::HoldFor(const OfferRequest& request, IpAddress address,
                                         std::uint32_t own, std::uint32_t there,
                                         Instant now) noexcept {
  if (own != kNone && own != there) {
    MoveAway(entries_[own], now);
  }
  if (there == kNone) {
    Lease* lease = Insert(address, request.subnet, MayFillUp(request), now);
    if (lease == nullptr) {
      return Fail(ErrorCode::kFull);
    }
    (void)Hold(*lease, request.client, now);
    lease->before = State::kFree;
    return lease;
  }
  Lease& lease = entries_[there];
  if (lease.client != request.client.key || lease.vlan != request.client.vlan) {
    return TakeOver(lease, request, now);
  }
  SetSubnet(lease, request.subnet);
  return Hold(lease, request.client, now);
}

Result<const Lease*> LeaseTable::Claim(const OfferRequest& request, IpAddress address,
                                       const config::Snapshot& snapshot, Instant now) {
  SLIP_TRY(CheckClaim(request, address, snapshot, now));
  return HoldFor(request, address, FindSlot(request.client.key, request.client.vlan),
                 FindSlot(address), now);
}

// ---- upkeep ----

void LeaseTable::Maintain(const config::Snapshot& snapshot, std::span<const IpAddress> excluded,
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
    const IpAddress address = AddressAt(pool, position);
    if (FindSlot(address) == kNone && !IsExcluded(pool, address, excluded, snapshot)) {
      pool.map.Free(position);
    }
  }
}

}  // namespace slipway::lease
