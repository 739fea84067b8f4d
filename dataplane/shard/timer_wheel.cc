#include "dataplane/shard/timer_wheel.h"

#include <algorithm>
#include <bit>

#include "dataplane/base/check.h"

namespace slipway::shard {

namespace {

constexpr std::uint64_t kTickMax = UINT64_MAX >> (TimerWheel::kTickShift + 1);

// The last tick that has begun at `now`.
std::uint64_t FloorTick(Instant now) noexcept {
  return now.ns < 0 ? 0 : static_cast<std::uint64_t>(now.ns) >> TimerWheel::kTickShift;
}

// The first tick that begins at or after `deadline`.
std::uint64_t CeilTick(Instant deadline) noexcept {
  constexpr std::int64_t kTickNs = std::int64_t{1} << TimerWheel::kTickShift;
  if (deadline.ns > INT64_MAX - kTickNs) {
    return kTickMax;
  }
  return FloorTick({deadline.ns + kTickNs - 1});
}

}  // namespace

TimerWheel::TimerWheel(std::uint32_t timers_max, Instant now)
    : nodes_(std::make_unique<Node[]>(timers_max)),
      current_(FloorTick(now)),
      target_(current_),
      capacity_(timers_max) {
  SLIP_CHECK(timers_max < kNone);
  heads_.fill(kNone);
  for (std::uint32_t i = timers_max; i > 0; --i) {
    nodes_[i - 1].next = free_;
    free_ = i - 1;
  }
}

Result<TimerHandle> TimerWheel::Add(Instant deadline, TimerHandler* handler,
                                    std::uint64_t cookie) noexcept {
  SLIP_CHECK(handler != nullptr);
  if (free_ == kNone) {
    return Fail(ErrorCode::kFull, capacity_);
  }
  const std::uint32_t index = free_;
  Node& node = nodes_[index];
  SLIP_CHECK(node.list == kFree);
  free_ = node.next;
  node.handler = handler;
  node.cookie = cookie;
  // After the tick that Advance works towards: a handler that adds a timer for "now" cannot keep it
  // busy.
  node.tick = std::max(CeilTick(deadline), target_ + 1);
  ++node.generation;
  ++size_;
  Place(index);
  return TimerHandle{.index = index, .generation = node.generation};
}

bool TimerWheel::Cancel(TimerHandle handle) noexcept {
  if (handle.index >= capacity_) {
    return false;
  }
  const Node& node = nodes_[handle.index];
  if (node.generation != handle.generation || node.list == kFree) {
    return false;
  }
  Unlink(handle.index);
  Free(handle.index);
  return true;
}

std::size_t TimerWheel::Advance(Instant now, std::size_t steps_max) noexcept {
  // Time that went back is time that stood still.
  target_ = std::max(target_, FloorTick(now));
  std::size_t fired = 0;
  std::size_t steps = 0;
  while (true) {
    while (heads_[kPending] != kNone) {
      if (steps == steps_max) {
        return fired;
      }
      ++steps;
      const std::uint32_t index = heads_[kPending];
      Unlink(index);
      const Node& node = nodes_[index];
      if (node.tick > current_) {
        Place(index);
        continue;
      }
      TimerHandler* const handler = node.handler;
      const std::uint64_t cookie = node.cookie;
      Free(index);
      ++fired;
      handler->OnTimer(cookie, now);
    }
    std::uint64_t next = 0;
    if (!NextTick(next) || next > target_) {
      // No occupied slot is passed over: they all lie after the target.
      current_ = target_;
      return fired;
    }
    SLIP_CHECK(next > current_);
    current_ = next;
    TakeSlots();
  }
}

Instant TimerWheel::next_deadline() const noexcept {
  std::uint64_t tick = current_;
  if (heads_[kPending] == kNone && !NextTick(tick)) {
    return Instant::Never();
  }
  return {static_cast<std::int64_t>(tick << kTickShift)};
}

void TimerWheel::Link(std::uint32_t index, std::uint32_t list) noexcept {
  Node& node = nodes_[index];
  node.list = list;
  node.next = kNone;
  node.previous = kNone;
  if (list == kPending) {
    // In order: the tail is known.
    node.previous = pending_tail_;
    if (pending_tail_ == kNone) {
      heads_[kPending] = index;
    } else {
      nodes_[pending_tail_].next = index;
    }
    pending_tail_ = index;
    return;
  }
  node.next = heads_[list];
  if (node.next != kNone) {
    nodes_[node.next].previous = index;
  }
  heads_[list] = index;
  occupied_[list / kSlots] |= std::uint64_t{1} << (list % kSlots);
}

void TimerWheel::Unlink(std::uint32_t index) noexcept {
  const Node& node = nodes_[index];
  SLIP_CHECK(node.list != kFree);
  if (node.previous == kNone) {
    SLIP_DCHECK(heads_[node.list] == index);
    heads_[node.list] = node.next;
  } else {
    nodes_[node.previous].next = node.next;
  }
  if (node.next != kNone) {
    nodes_[node.next].previous = node.previous;
  } else if (node.list == kPending) {
    pending_tail_ = node.previous;
  }
  if (node.list != kPending && heads_[node.list] == kNone) {
    occupied_[node.list / kSlots] &= ~(std::uint64_t{1} << (node.list % kSlots));
  }
}

void TimerWheel::Place(std::uint32_t index) noexcept {
  const std::uint64_t tick = nodes_[index].tick;
  SLIP_CHECK(tick > current_);
  const auto top_bit = static_cast<std::uint32_t>(63 - std::countl_zero(tick ^ current_));
  const std::uint32_t level = top_bit / 6;
  SLIP_CHECK(level < kLevels);
  Link(index, level * kSlots + static_cast<std::uint32_t>((tick >> (6 * level)) & (kSlots - 1)));
}

void TimerWheel::Free(std::uint32_t index) noexcept {
  Node& node = nodes_[index];
  SLIP_CHECK(size_ > 0);
  --size_;
  node.handler = nullptr;
  node.list = kFree;
  node.next = free_;
  free_ = index;
}

// Moves what is in the slots at the current position to the pending list: at level 0 it is due, at
// the levels above it goes down. Only the slot that NextTick found can be occupied, and those above
// it at whose boundary the tick lies.
void TimerWheel::TakeSlots() noexcept {
  SLIP_CHECK(heads_[kPending] == kNone);
  for (std::uint32_t level = 0; level < kLevels; ++level) {
    const auto slot = static_cast<std::uint32_t>((current_ >> (6 * level)) & (kSlots - 1));
    const std::uint32_t list = level * kSlots + slot;
    std::uint32_t index = heads_[list];
    heads_[list] = kNone;
    occupied_[level] &= ~(std::uint64_t{1} << slot);
    while (index != kNone) {
      const std::uint32_t next = nodes_[index].next;
      Link(index, kPending);
      index = next;
    }
  }
}

bool TimerWheel::NextTick(std::uint64_t& tick) const noexcept {
  for (std::uint32_t level = 0; level < kLevels; ++level) {
    if (occupied_[level] == 0) {
      continue;
    }
    const auto slot = static_cast<std::uint64_t>(std::countr_zero(occupied_[level]));
    const std::uint64_t upper = current_ >> (6 * (level + 1)) << (6 * (level + 1));
    tick = upper | (slot << (6 * level));
    return true;
  }
  return false;
}

}  // namespace slipway::shard
