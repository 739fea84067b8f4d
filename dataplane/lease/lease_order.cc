// Lists of reusable entries and offers, the heap by end, and the checks of the table's invariants.
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

void LeaseTable::HeapPlace(std::uint32_t at, std::uint32_t slot) noexcept {
  heap_[at] = slot;
  entries_[slot].heap_at = at;
}

void LeaseTable::HeapPush(Lease& lease) noexcept {
  SLIP_CHECK(lease.heap_at == kNone);
  SLIP_CHECK(heap_size_ < heap_.size());
  HeapPlace(heap_size_, SlotOf(lease));
  HeapUp(heap_size_++);
}

void LeaseTable::HeapRemove(Lease& lease) noexcept {
  if (lease.heap_at == kNone) {
    return;
  }
  const std::uint32_t at = lease.heap_at;
  lease.heap_at = kNone;
  const std::uint32_t last = heap_[--heap_size_];
  if (at != heap_size_) {
    HeapPlace(at, last);
    HeapUp(at);
    HeapDown(entries_[last].heap_at);
  }
}

void LeaseTable::HeapUp(std::uint32_t at) noexcept {
  const std::uint32_t slot = heap_[at];
  while (at > 0) {
    const std::uint32_t parent = (at - 1) / 2;
    if (entries_[heap_[parent]].ends <= entries_[slot].ends) {
      break;
    }
    HeapPlace(at, heap_[parent]);
    at = parent;
  }
  HeapPlace(at, slot);
}

void LeaseTable::HeapDown(std::uint32_t at) noexcept {
  const std::uint32_t slot = heap_[at];
  for (std::uint32_t child = 2 * at + 1; child < heap_size_; child = 2 * at + 1) {
    if (child + 1 < heap_size_ && entries_[heap_[child + 1]].ends < entries_[heap_[child]].ends) {
      ++child;
    }
    if (entries_[slot].ends <= entries_[heap_[child]].ends) {
      break;
    }
    HeapPlace(at, heap_[child]);
    at = child;
  }
  HeapPlace(at, slot);
}

void LeaseTable::CheckEntry(const Lease& lease) const {
  SLIP_CHECK(FindSlot(lease.address) == SlotOf(lease));
  SLIP_CHECK((lease.heap_at == kNone) == IsReusable(lease.state));
  SLIP_CHECK(lease.heap_at == kNone || heap_[lease.heap_at] == SlotOf(lease));
  if (lease.indexed) {
    SLIP_CHECK(FindSlot(lease.client, lease.vlan) == SlotOf(lease));
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
  SLIP_CHECK(in_heap == heap_size_);
  SLIP_CHECK(used_ + free_slots_.size() == entries_.size());
  for (std::uint32_t i = 1; i < heap_size_; ++i) {
    SLIP_CHECK(entries_[heap_[(i - 1) / 2]].ends <= entries_[heap_[i]].ends);
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
