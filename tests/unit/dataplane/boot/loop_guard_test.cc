#include "dataplane/boot/loop_guard.h"

#include <gtest/gtest.h>

namespace slipway::boot {
namespace {

constexpr MacAddress kMac{{0x52, 0x54, 0, 0, 0, 1}};

constexpr LoopStage kStage{.key = 1, .window = kLoaderWindow};

Instant At(std::int64_t seconds) { return {Duration::Seconds(seconds).ns}; }

std::uint32_t Attempt(std::int64_t i) { return static_cast<std::uint32_t>(i); }

TEST(LoopGuardTest, RetransmissionsCountOnce) {
  LoopGuard guard({});
  for (std::int64_t i = 0; i < 50; ++i) {
    EXPECT_EQ(guard.Observe(kMac, kStage, 7, At(i)), LoopVerdict::kFine);
  }
  EXPECT_FALSE(guard.IsBlocked(kMac, At(50)));
}

TEST(LoopGuardTest, FindsTheSameStageAgainAndAgain) {
  LoopGuard guard({});
  for (std::int64_t i = 0; i < 5; ++i) {
    EXPECT_EQ(guard.Observe(kMac, kStage, Attempt(i), At(i * 20)), LoopVerdict::kFine);
  }
  EXPECT_EQ(guard.Observe(kMac, kStage, 100, At(100)), LoopVerdict::kLoopFound);
  EXPECT_TRUE(guard.IsBlocked(kMac, At(101)));
  EXPECT_EQ(guard.Observe(kMac, kStage, 101, At(159)), LoopVerdict::kLoop);
  EXPECT_EQ(guard.Observe(kMac, kStage, 102, At(160)), LoopVerdict::kFine);
}

TEST(LoopGuardTest, AnotherStageIsProgress) {
  LoopGuard guard({});
  for (std::int64_t i = 0; i < 50; ++i) {
    EXPECT_EQ(
        guard.Observe(kMac, {static_cast<std::uint64_t>(i % 2), kLoaderWindow}, Attempt(i), At(i)),
        LoopVerdict::kFine);
  }
}

TEST(LoopGuardTest, SlowRepeatsAreNoLoop) {
  LoopGuard guard({});
  for (std::int64_t i = 0; i < 50; ++i) {
    EXPECT_EQ(guard.Observe(kMac, kStage, Attempt(i), At(i * 100)), LoopVerdict::kFine);
  }
}

TEST(LoopGuardTest, SlowStageHasALongerWindow) {
  LoopGuard guard({});
  const LoopStage script{.key = 2, .window = kScriptWindow};
  for (std::int64_t i = 0; i < 5; ++i) {
    EXPECT_EQ(guard.Observe(kMac, script, Attempt(i), At(i * 200)), LoopVerdict::kFine);
  }
  EXPECT_EQ(guard.Observe(kMac, script, 9, At(1000)), LoopVerdict::kLoopFound);
}

TEST(LoopGuardTest, ProgressStartsOver) {
  LoopGuard guard({});
  for (std::int64_t i = 0; i < 50; ++i) {
    EXPECT_EQ(guard.Observe(kMac, kStage, Attempt(i), At(i)), LoopVerdict::kFine);
    if (i % 5 == 4) {
      guard.Progress(kMac);
    }
  }
}

TEST(LoopGuardTest, ManyClientsDoNotDisturbEachOtherMuch) {
  LoopGuard guard({.clients_max = 8});
  int loops = 0;
  for (std::int64_t i = 0; i < 1000; ++i) {
    const MacAddress mac = MacAddress::FromU64(static_cast<std::uint64_t>(i) + 1);
    loops += guard.Observe(mac, kStage, Attempt(i), At(i)) == LoopVerdict::kFine ? 0 : 1;
  }
  EXPECT_EQ(loops, 0);
}

}  // namespace
}  // namespace slipway::boot
