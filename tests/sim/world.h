// Virtual time, one generator and one event log: what every simulated run is made of. The same seed
// gives the same log, and so the same hash.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dataplane/base/random.h"
#include "dataplane/base/seams.h"
#include "dataplane/base/time.h"

namespace slipway::sim {

// One thread. Everything that happens in a run happens inside an event.
class World {
 public:
  using Event = std::move_only_function<void()>;

  explicit World(std::uint64_t seed) : random_(seed) {}

  World(const World&) = delete;
  World& operator=(const World&) = delete;

  [[nodiscard]] Instant now() const noexcept { return now_; }

  [[nodiscard]] Random& random() noexcept { return random_; }

  // True once in `n` calls, on average.
  [[nodiscard]] bool OneIn(std::uint64_t n) { return n > 0 && random_.Below(n) == 0; }

  // Runs `event` after `delay` (at least 1 ns, so that events cannot starve the clock). Events of
  // the same time run in the order in which they were put in.
  void After(Duration delay, Event event);

  // Runs events until `span` has gone by.
  void RunFor(Duration span);

  // Puts a line into the event log.
  void Log(std::string_view line);

  [[nodiscard]] std::uint64_t log_hash() const noexcept { return hash_; }

  [[nodiscard]] std::uint64_t log_lines() const noexcept { return lines_; }

  // The last lines, for the message of a failed check.
  [[nodiscard]] std::string Tail() const;

 private:
  static constexpr std::size_t kTailLines = 40;

  SeededRandom random_;
  Instant now_{1'000'000'000};
  std::uint64_t next_order_ = 0;
  std::map<std::pair<std::int64_t, std::uint64_t>, Event> events_;
  std::uint64_t hash_ = 0;
  std::uint64_t lines_ = 0;
  std::vector<std::string> tail_;
};

// A node's view of time: CLOCK_BOOTTIME starts anew with each boot of the host, CLOCK_REALTIME may
// be wrong.
class SimClock final : public Clock {
 public:
  explicit SimClock(World* world) : world_(world) {}

  Instant Now() noexcept override { return world_->now() - boot_offset_; }

  WallTime WallNow() noexcept override {
    return {kWallStart.ns + world_->now().ns + wall_error_.ns};
  }

  bool WallIsSynchronised() noexcept override { return synchronised_; }

  std::uint64_t BootId() noexcept override { return boot_id_; }

  // The host reboots (not just the process).
  void Reboot() {
    ++boot_id_;
    boot_offset_ = Duration{world_->now().ns - 1};
  }

  void SetWall(Duration error, bool synchronised) {
    wall_error_ = error;
    synchronised_ = synchronised;
  }

 private:
  static constexpr WallTime kWallStart{1'700'000'000'000'000'000};
  World* world_;
  std::uint64_t boot_id_ = 1;
  Duration boot_offset_{};
  Duration wall_error_{};
  bool synchronised_ = true;
};

}  // namespace slipway::sim
