// Deadlines of one shard: a hierarchical wheel over a fixed pool of timers.
//
// Eight levels of 64 slots, 2^20 ns (about 1 ms) per tick. A timer sits at the level of the highest
// 6-bit digit in which its tick differs from the current one, so every occupied slot lies ahead of
// the current position, and the lowest level that is not empty holds the next thing to do.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "dataplane/base/result.h"
#include "dataplane/base/time.h"

namespace slipway::shard {

// Names one timer. A stale handle (fired, cancelled, its place reused) is recognised.
struct TimerHandle {
  std::uint32_t index = UINT32_MAX;
  std::uint32_t generation = 0;

  [[nodiscard]] constexpr bool is_set() const noexcept { return index != UINT32_MAX; }

  friend constexpr bool operator==(const TimerHandle&, const TimerHandle&) = default;
};

class TimerHandler {
 public:
  virtual ~TimerHandler() = default;
  // The timer is gone already: its handle is stale, and a new one may be added here.
  virtual void OnTimer(std::uint64_t cookie, Instant now) = 0;
};

// Thread: the shard's. Memory: taken in the constructor, 40 bytes a timer.
class TimerWheel {
 public:
  static constexpr int kTickShift = 20;

  TimerWheel(std::uint32_t timers_max, Instant now);

  // Fires once, in the first Advance whose `now` is at or after `deadline`, up to one tick late and
  // never early. A deadline that has passed fires with the next tick. `handler` must live until
  // then. kFull if all timers are in use. O(1).
  [[nodiscard]] Result<TimerHandle> Add(Instant deadline, TimerHandler* handler,
                                        std::uint64_t cookie) noexcept;

  // False if it has fired or was cancelled. O(1).
  bool Cancel(TimerHandle handle) noexcept;

  // Fires what is due, in the order of ticks. At most `steps_max` timers are fired or moved to a
  // lower level; the rest is done by the next call. Returns the number fired.
  std::size_t Advance(Instant now, std::size_t steps_max) noexcept;

  // When Advance has something to do next: never later than the earliest deadline plus one tick,
  // but maybe earlier, to move timers down a level. Instant::Never() if there is no timer.
  [[nodiscard]] Instant next_deadline() const noexcept;

  [[nodiscard]] std::uint32_t size() const noexcept { return size_; }

  [[nodiscard]] std::uint32_t capacity() const noexcept { return capacity_; }

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;
  static constexpr std::uint32_t kLevels = 8;
  static constexpr std::uint32_t kSlots = 64;
  // One list more than the slots: what Advance has taken out of them and not yet worked off.
  static constexpr std::uint32_t kPending = kLevels * kSlots;
  static constexpr std::uint32_t kFree = kPending + 1;

  struct Node {
    TimerHandler* handler = nullptr;
    std::uint64_t cookie = 0;
    std::uint64_t tick = 0;
    std::uint32_t next = kNone;
    std::uint32_t previous = kNone;
    std::uint32_t generation = 0;
    std::uint32_t list = kFree;
  };

  void Link(std::uint32_t index, std::uint32_t list) noexcept;
  void Unlink(std::uint32_t index) noexcept;
  void Place(std::uint32_t index) noexcept;
  void Free(std::uint32_t index) noexcept;
  void TakeSlots() noexcept;
  [[nodiscard]] bool NextTick(std::uint64_t& tick) const noexcept;

  std::unique_ptr<Node[]> nodes_;
  std::array<std::uint32_t, kPending + 1> heads_;
  std::uint32_t pending_tail_ = kNone;
  std::array<std::uint64_t, kLevels> occupied_{};
  std::uint64_t current_ = 0;  // the tick that the slots are relative to
  std::uint64_t target_ = 0;   // the latest tick that Advance was called for; never behind current_
  std::uint32_t free_ = kNone;
  std::uint32_t size_ = 0;
  std::uint32_t capacity_ = 0;
};

}  // namespace slipway::shard
