// One shard: a thread that owns a driver, a timer wheel and the services hooked to them.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "dataplane/base/bounded.h"
#include "dataplane/base/counter.h"
#include "dataplane/base/result.h"
#include "dataplane/base/time.h"
#include "dataplane/shard/driver.h"
#include "dataplane/shard/limits.h"
#include "dataplane/shard/timer_wheel.h"
#include "dataplane/shard/wake.h"

namespace slipway::shard {

// Called once in each turn, after packets, watches and timers.
class TurnHook {
 public:
  virtual ~TurnHook() = default;
  virtual void OnTurn(Instant now) = 0;
};

struct ShardOptions {
  std::uint32_t index = 0;
  std::uint32_t timers_max = 16'384;
  int cpu = -1;      // the core that Run pins its thread to; -1: none
  bool seal = true;  // Run seals its thread before the first turn
};

struct ShardCounters {
  Counter timers_fired;
  Counter timer_backlogs;  // turns that left timers that were due to the next turn
};

// Order of a turn: the driver sends what is queued, waits, calls packet and watch handlers; then
// timers; then hooks. What timers and hooks queue leaves at the start of the next turn.
// Thread: built and wired (services add ports, watches, hooks and first timers) on any one thread;
// then everything but Stop belongs to the thread that calls Run or RunTurn.
class Shard {
 public:
  // `now` starts the wheel. kSystem with errno if no eventfd can be made.
  [[nodiscard]] static Result<std::unique_ptr<Shard>> Create(const ShardOptions& options,
                                                             std::unique_ptr<Driver> driver,
                                                             Instant now);
  ~Shard();

  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  [[nodiscard]] Driver& driver() noexcept { return *driver_; }

  [[nodiscard]] TimerWheel& timers() noexcept { return timers_; }

  [[nodiscard]] std::uint32_t index() const noexcept { return options_.index; }

  // At most kTurnHooksMax, or kFull. REQUIRES: `hook` outlives the shard.
  [[nodiscard]] Result<void> AddHook(TurnHook* hook);

  // The next turn does not wait: for a hook that has work left.
  void RequestTurn() noexcept { turn_requested_ = true; }

  // Pins and seals the thread, then turns until Stop. Unseals before it returns. Fails only if the
  // driver cannot go on.
  [[nodiscard]] Result<void> Run();

  // One turn, for tests and the simulator. Returns the turn's time.
  [[nodiscard]] Result<Instant> RunTurn();

  // Any thread: Run returns after the turn under way.
  void Stop() noexcept;

  [[nodiscard]] bool stopping() const noexcept { return stop_.load(std::memory_order_relaxed); }

  [[nodiscard]] const ShardCounters& counters() const noexcept { return counters_; }

 private:
  class StopWatch;

  Shard(const ShardOptions& options, std::unique_ptr<Driver> driver, OwnedFd stop_event,
        Instant now);

  const ShardOptions options_;
  TimerWheel timers_;
  Wake stop_wake_;
  std::unique_ptr<WatchHandler> stop_watch_;
  std::unique_ptr<Driver> driver_;
  FixedVector<TurnHook*, kTurnHooksMax> hooks_;
  ShardCounters counters_;
  std::atomic<bool> stop_{false};
  bool turn_requested_ = false;
};

}  // namespace slipway::shard
