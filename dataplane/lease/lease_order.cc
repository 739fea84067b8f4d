// Lists of reusable entries and offers, the heaps by end, and the checks of the table's invariants.
#include "dataplane/base/check.h"
#include "dataplane/lease/lease_table.h"
#include "dataplane/lease/pair_rules.h"

namespace slipway::lease {

// Puts an entry under its pool, if the pool's ranges have the address.
void LeaseTable::Attach(Lease& lease) noexcept {
  const std::uint16_t index = PoolOf(lease.subnet);
  lease.pool = kNoPool;
  if (index != kNoPool) {
    Pool& pool = pools_[index];
    const std::uint64_t position = PositionOf(pool, lease.address);
    if (position != kNoPosition) {
      lease.pool = index;
      if (pool.dense) {
        pool.map.Take(static_cast<std::uint32_t>(position));
      }
      ++pool.counts[static_cast<std::size_t>(lease.state)];
    }
  }
  ListAppend(lease);
}

void LeaseTable::Detach(Lease& lease) noexcept {
  ListRemove(lease);
  if (lease.pool != kNoPool) {
    --pools_[lease.pool].counts[static_cast<std::size_t>(lease.state)];
    lease.pool = kNoPool;
  }
}

LeaseTable::ListEnds& LeaseTable::EndsOf(const Lease& lease) noexcept {
  const unsigned share = PairRules::ShareOf(lease.address);
  const List list = lease.state == State::kOffered ? kOffers
                    : share == 0                   ? kReusable
                                                   : kReusableOdd;
  return lease.pool == kNoPool ? strays_[list] : pools_[lease.pool].lists[list];
}

void LeaseTable::ListAppend(Lease& lease) noexcept {
  SLIP_DCHECK(lease.list_next == kNone);
  SLIP_DCHECK(lease.list_previous == kNone);
  if (lease.state != State::kOffered && !IsReusable(lease.state)) {
    return;
  }
  ListEnds& ends = EndsOf(lease);
  const std::uint32_t slot = SlotOf(lease);
  lease.list_previous = ends.tail;
  if (ends.tail != kNone) {
    entries_[ends.tail].list_next = slot;
  } else {
    ends.head = slot;
  }
  ends.tail = slot;
}

void LeaseTable::ListRemove(Lease& lease) noexcept {
  if (lease.state != State::kOffered && !IsReusable(lease.state)) {
    return;
  }
  ListEnds& ends = EndsOf(lease);
  if (lease.list_previous != kNone) {
    entries_[lease.list_previous].list_next = lease.list_next;
  } else {
    SLIP_DCHECK(ends.head == SlotOf(lease));
    ends.head = lease.list_next;
  }
  if (lease.list_next != kNone) {
    entries_[lease.list_next].list_previous = lease.list_previous;
  } else {
    SLIP_DCHECK(ends.tail == SlotOf(lease));
    ends.tail = lease.list_previous;
  }
  lease.list_next = kNone;
  lease.list_previous = kNone;
}

void LeaseTable::HeapPlace(Heap heap, std::uint32_t at, std::uint32_t slot) noexcept {
  heap_[CellOf(heap, at)] = slot;
  entries_[slot].heap_at = at;
}

void LeaseTable::HeapPush(Lease& lease) noexcept {
  SLIP_CHECK(lease.heap_at == kNone);
  SLIP_CHECK(std::size_t{heap_sizes_[kLong]} + heap_sizes_[kShort] < heap_.size());
  const Heap heap = HeapOf(lease);
  const std::uint32_t at = heap_sizes_[heap]++;
  HeapPlace(heap, at, SlotOf(lease));
  HeapUp(heap, at);
}

// REQUIRES: its state is the one with which it was pushed.
void LeaseTable::HeapRemove(Lease& lease) noexcept {
  if (lease.heap_at == kNone) {
    return;
  }
  const Heap heap = HeapOf(lease);
  const std::uint32_t at = lease.heap_at;
  lease.heap_at = kNone;
  const std::uint32_t size = --heap_sizes_[heap];
  if (at != size) {
    const std::uint32_t last = HeapSlot(heap, size);
    HeapPlace(heap, at, last);
    HeapMove(entries_[last]);
  }
}

void LeaseTable::HeapMove(Lease& lease) noexcept {
  const Heap heap = HeapOf(lease);
  HeapUp(heap, lease.heap_at);
  HeapDown(heap, lease.heap_at);
}

void LeaseTable::HeapUp(Heap heap, std::uint32_t at) noexcept {
  const std::uint32_t slot = HeapSlot(heap, at);
  while (at > 0) {
    const std::uint32_t parent = (at - 1) / 2;
    if (entries_[HeapSlot(heap, parent)].ends <= entries_[slot].ends) {
      break;
    }
    HeapPlace(heap, at, HeapSlot(heap, parent));
    at = parent;
  }
  HeapPlace(heap, at, slot);
}

void LeaseTable::HeapDown(Heap heap, std::uint32_t at) noexcept {
  const std::uint32_t slot = HeapSlot(heap, at);
  const std::uint32_t size = heap_sizes_[heap];
  for (std::uint32_t child = 2 * at + 1; child < size; child = 2 * at + 1) {
    if (child + 1 < size &&
        entries_[HeapSlot(heap, child + 1)].ends < entries_[HeapSlot(heap, child)].ends) {
      ++child;
    }
    if (entries_[slot].ends <= entries_[HeapSlot(heap, child)].ends) {
      break;
    }
    HeapPlace(heap, at, HeapSlot(heap, child));
    at = child;
  }
  HeapPlace(heap, at, slot);
}

const Lease* LeaseTable::FirstToEnd() const noexcept {
  const Lease* first = nullptr;
  for (const Heap heap : {kLong, kShort}) {
    if (heap_sizes_[heap] > 0) {
      const Lease& top = entries_[HeapSlot(heap, 0)];
      first = first == nullptr || top.ends < first->ends ? &top : first;
    }
  }
  return first;
}

void LeaseTable::CheckEntry(const Lease& lease) const {
  SLIP_CHECK(LookUp(lease.address) == SlotOf(lease));
  SLIP_CHECK((lease.heap_at == kNone) == IsReusable(lease.state));
  SLIP_CHECK(lease.heap_at == kNone || HeapSlot(HeapOf(lease), lease.heap_at) == SlotOf(lease));
  if (lease.indexed) {
    SLIP_CHECK(LookUp(lease.client, lease.vlan) == SlotOf(lease));
  }
  if (lease.pool != kNoPool) {
    const Pool& pool = pools_[lease.pool];
    SLIP_CHECK(pool.subnet == lease.subnet);
    SLIP_CHECK(pool.prefix.Contains(lease.address));
    const std::uint64_t position = PositionOf(pool, lease.address);
    SLIP_CHECK(position < pool.size);
    SLIP_CHECK(AddressAt(pool, position) == lease.address);
    SLIP_CHECK(!IsFree(pool, position, lease.address));
  }
}

void LeaseTable::CheckInvariants() const {
  std::uint32_t used = 0;
  std::uint32_t in_heap = 0;
  std::vector<std::uint32_t> in_pool(pool_count_);
  for (const Lease& lease : entries_) {
    if (lease.state == State::kFree) {
      continue;
    }
    ++used;
    in_heap += lease.heap_at == kNone ? 0 : 1;
    if (lease.pool != kNoPool) {
      ++in_pool[lease.pool];
    }
    CheckEntry(lease);
  }
  SLIP_CHECK(used == used_);
  SLIP_CHECK(in_heap == heap_sizes_[kLong] + heap_sizes_[kShort]);
  SLIP_CHECK(used_ + free_slots_.size() == entries_.size());
  for (const Heap heap : {kLong, kShort}) {
    for (std::uint32_t i = 1; i < heap_sizes_[heap]; ++i) {
      SLIP_CHECK(entries_[HeapSlot(heap, (i - 1) / 2)].ends <= entries_[HeapSlot(heap, i)].ends);
    }
  }
  for (std::uint32_t i = 0; i < pool_count_; ++i) {
    const Pool& pool = pools_[i];
    std::uint32_t counted = 0;
    for (const std::uint32_t count : pool.counts) {
      counted += count;
    }
    SLIP_CHECK(counted == in_pool[i]);
    // The rest of the taken positions are reservations and the like, found on the way.
    SLIP_CHECK(!pool.dense || pool.map.size() - pool.map.free_count() >= counted);
    SLIP_CHECK(counted <= pool.size);
  }
}

}  // namespace slipway::lease
