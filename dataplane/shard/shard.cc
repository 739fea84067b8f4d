#include "dataplane/shard/shard.h"

#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "dataplane/base/check.h"
#include "dataplane/shard/seal.h"

namespace slipway::shard {

namespace {

Result<void> PinThread(int cpu) noexcept {
  if (cpu < 0) {
    return {};
  }
  if (cpu >= CPU_SETSIZE) {
    return Fail(ErrorCode::kOutOfRange, static_cast<std::uint32_t>(cpu));
  }
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<std::size_t>(cpu), &set);
  if (::sched_setaffinity(0, sizeof(set), &set) != 0) {
    return FailErrno(errno);
  }
  return {};
}

}  // namespace

// Being woken is all it is for: Run looks at the flag.
class Shard::StopWatch final : public WatchHandler {
 public:
  explicit StopWatch(Wake& wake) noexcept : wake_(wake) {}

  void OnReady(WatchId /*watch*/, std::uint32_t /*events*/, Instant /*now*/) override {
    wake_.Clear();
  }

 private:
  Wake& wake_;
};

Result<std::unique_ptr<Shard>> Shard::Create(const ShardOptions& options,
                                             std::unique_ptr<Driver> driver, Instant now) {
  SLIP_CHECK(driver != nullptr);
  auto event = SLIP_TRY(Wake::OpenEvent());
  std::unique_ptr<Shard> shard(new Shard(options, std::move(driver), std::move(event), now));
  (void)SLIP_TRY(
      shard->driver_->AddWatch(shard->stop_wake_.fd(), kReadable, shard->stop_watch_.get()));
  return shard;
}

Shard::Shard(const ShardOptions& options, std::unique_ptr<Driver> driver, OwnedFd stop_event,
             Instant now)
    : options_(options),
      timers_(options.timers_max, now),
      stop_wake_(std::move(stop_event)),
      stop_watch_(std::make_unique<StopWatch>(stop_wake_)),
      driver_(std::move(driver)) {}

Shard::~Shard() = default;

Result<void> Shard::AddHook(TurnHook* hook) {
  SLIP_CHECK(hook != nullptr);
  if (!hooks_.push_back(hook)) {
    return Fail(ErrorCode::kFull, kTurnHooksMax);
  }
  return {};
}

Result<void> Shard::Run() {
  SLIP_TRY(PinThread(options_.cpu));
  if (options_.seal) {
    Seal();
  }
  Result<void> result;
  while (!stop_.load(std::memory_order_acquire)) {
    const Result<Instant> turn = RunTurn();
    if (!turn) {
      result = std::unexpected(turn.error());
      break;
    }
  }
  Unseal();
  return result;
}

Result<Instant> Shard::RunTurn() {
  // An instant long past makes the driver look without waiting.
  const Instant deadline =
      std::exchange(turn_requested_, false) ? Instant{0} : timers_.next_deadline();
  const Instant now = SLIP_TRY(driver_->Turn(deadline));
  counters_.timers_fired.Add(timers_.Advance(now, kTimerStepsPerTurnMax));
  if (timers_.next_deadline() <= now) {
    counters_.timer_backlogs.Add();
  }
  for (TurnHook* const hook : hooks_) {
    hook->OnTurn(now);
  }
  return now;
}

void Shard::Stop() noexcept {
  stop_.store(true, std::memory_order_release);
  stop_wake_.Notify();
}

}  // namespace slipway::shard
