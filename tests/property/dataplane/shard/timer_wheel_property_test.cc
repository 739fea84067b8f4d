// The wheel against a plain container that sorts by tick.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <vector>

#include "dataplane/base/random.h"
#include "dataplane/shard/timer_wheel.h"
#include "tests/property/dataplane/shard/seed.h"

namespace slipway::shard {

namespace {

constexpr std::int64_t kTickNs = std::int64_t{1} << TimerWheel::kTickShift;

struct Model final : public TimerHandler {
  explicit Model(std::uint64_t seed) : random(seed) {}

  struct Entry {
    Instant deadline;
    Instant added;
    TimerHandle handle;
  };

  void OnTimer(std::uint64_t cookie, Instant at) override {
    const auto found = live.find(cookie);
    ASSERT_NE(found, live.end()) << "fired twice, or after its cancellation";
    EXPECT_LE(found->second.deadline, at) << "early";
    fired_ticks.push_back(std::max((found->second.deadline.ns + kTickNs - 1) / kTickNs,
                                   found->second.added.ns / kTickNs + 1));
    live.erase(found);
    if (random.Below(4) == 0) {
      Add(at);
    }
  }

  void Add(Instant at) {
    // From now to years, evenly over the orders of magnitude; some in the past.
    const std::uint64_t span = std::uint64_t{1} << random.Below(56);
    auto offset = static_cast<std::int64_t>(random.Below(span));
    if (random.Below(16) == 0) {
      offset = -std::min(offset, at.ns);
    }
    const Instant deadline = at + Duration::Nanos(offset);
    const auto handle = wheel->Add(deadline, this, next_cookie);
    if (live.size() == wheel->capacity()) {
      EXPECT_FALSE(handle);
      return;
    }
    ASSERT_TRUE(handle);
    live[next_cookie++] = {.deadline = deadline, .added = at, .handle = *handle};
  }

  void CancelOne() {
    if (live.empty()) {
      return;
    }
    auto chosen = live.begin();
    std::advance(chosen, static_cast<std::ptrdiff_t>(random.Below(live.size())));
    EXPECT_TRUE(wheel->Cancel(chosen->second.handle));
    EXPECT_FALSE(wheel->Cancel(chosen->second.handle));
    live.erase(chosen);
  }

  SeededRandom random;
  TimerWheel* wheel = nullptr;
  std::map<std::uint64_t, Entry> live;
  std::vector<std::int64_t> fired_ticks;
  std::uint64_t next_cookie = 0;
};

void AdvanceFully(TimerWheel& wheel, Model& model, Instant now) {
  const std::size_t steps = 1 + model.random.Below(50);
  model.fired_ticks.clear();
  std::size_t calls = 0;
  do {
    (void)wheel.Advance(now, steps);
    ASSERT_LT(++calls, 100'000U);
  } while (wheel.next_deadline() <= now);
  EXPECT_TRUE(std::is_sorted(model.fired_ticks.begin(), model.fired_ticks.end()));
}

void CheckAgainstModel(const TimerWheel& wheel, const Model& model, Instant now) {
  ASSERT_EQ(wheel.size(), model.live.size());
  Instant earliest = Instant::Never();
  for (const auto& [cookie, entry] : model.live) {
    // Not yet due: its tick lies ahead, by its deadline or by when it was added.
    const std::int64_t tick =
        std::max((entry.deadline.ns + kTickNs - 1) / kTickNs, entry.added.ns / kTickNs + 1);
    ASSERT_GT(tick, now.ns / kTickNs) << "late";
    earliest = std::min(earliest, Instant{tick * kTickNs});
  }
  ASSERT_LE(wheel.next_deadline(), earliest) << "it would be overslept";
}

TEST(TimerWheelPropertyTest, AgreesWithASortedList) {
  const std::uint64_t seed = Seed();
  for (std::uint64_t round = 0; round < 20; ++round) {
    Model model(seed + round);
    Instant now{static_cast<std::int64_t>(model.random.Below(std::uint64_t{1} << 60))};
    TimerWheel wheel(64, now);
    model.wheel = &wheel;
    for (int step = 0; step < 2000 && !::testing::Test::HasFatalFailure(); ++step) {
      switch (model.random.Below(4)) {
        case 0:
        case 1:
          model.Add(now);
          break;
        case 2:
          model.CancelOne();
          break;
        default: {
          Instant next = now + Duration::Nanos(static_cast<std::int64_t>(
                                   model.random.Below(std::uint64_t{1} << model.random.Below(50))));
          // Often just to where the wheel says that there is something to do.
          if (model.random.Below(2) == 0 && wheel.next_deadline() != Instant::Never()) {
            next = std::max(now, wheel.next_deadline());
          }
          now = next;
          AdvanceFully(wheel, model, now);
        }
      }
      CheckAgainstModel(wheel, model, now);
    }
  }
}

}  // namespace
}  // namespace slipway::shard
