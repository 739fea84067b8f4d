#include "dataplane/lease/lease_clock.h"

#include <gtest/gtest.h>

namespace slipway::lease {
namespace {

constexpr Duration kDay = Duration::Seconds(24 * 3600);
constexpr Stamp kThen{.boot_id = 1,
                      .boottime = {Duration::Seconds(100).ns},
                      .realtime = {1'000},
                      .realtime_trusted = true};

Now After(Duration wall, std::uint64_t boot_id, bool synchronised = true) {
  return {.instant = {Duration::Seconds(5).ns},
          .wall = {kThen.realtime.ns + wall.ns},
          .boot_id = boot_id,
          .wall_synchronised = synchronised};
}

TEST(LeaseClockTest, CountsBoottimeWithinOneBoot) {
  Now now{.instant = {Duration::Seconds(160).ns}, .wall = {0}, .boot_id = 1};
  EXPECT_EQ(ElapsedSince(kThen, now), Duration::Seconds(60));
  now.instant = {Duration::Seconds(50).ns};
  EXPECT_EQ(ElapsedSince(kThen, now), Duration{});
}

TEST(LeaseClockTest, CountsRealtimeAcrossBootsIfTheClockIsKnownGood) {
  EXPECT_EQ(ElapsedSince(kThen, After(Duration::Seconds(90), 2)), Duration::Seconds(90));
  EXPECT_EQ(ElapsedSince(kThen, After(Duration::Seconds(90), 2, false)), Duration{});
}

TEST(LeaseClockTest, LeasesGrowWhenTheClockIsDoubtful) {
  EXPECT_EQ(ElapsedSince(kThen, After(Duration::Seconds(-1), 2)), Duration{});
  EXPECT_EQ(ElapsedSince(kThen, After(kDay * 30, 2)), kDay * 30);
  EXPECT_EQ(ElapsedSince(kThen, After(kDay * 30 + Duration::Nanos(1), 2)), Duration{});
}

// Found by the simulation, seeds 14 and 31: the clock was behind when the lease was recorded, and
// right after the next boot.
TEST(LeaseClockTest, TimeOfARecordMadeByADoubtfulClockCountsForNothing) {
  Stamp then = kThen;
  then.realtime_trusted = false;
  EXPECT_EQ(ElapsedSince(then, After(Duration::Seconds(90), 2)), Duration{});
  const Now same_boot{.instant = {Duration::Seconds(160).ns}, .boot_id = 1};
  EXPECT_EQ(ElapsedSince(then, same_boot), Duration::Seconds(60));
}

TEST(LeaseClockTest, ForgivenTimeIsNotFinalWhileTheClockMayBeSetLater) {
  EXPECT_TRUE(ElapsedIsFinal(kThen, After(Duration::Seconds(90), 1, false)));
  EXPECT_TRUE(ElapsedIsFinal(kThen, After(Duration::Seconds(90), 2)));
  EXPECT_FALSE(ElapsedIsFinal(kThen, After(Duration::Seconds(90), 2, false)));
  EXPECT_FALSE(ElapsedIsFinal(kThen, After(Duration::Seconds(-1), 2)));
  EXPECT_FALSE(ElapsedIsFinal(kThen, After(kDay * 31, 2)));
  Stamp doubtful = kThen;
  doubtful.realtime_trusted = false;
  EXPECT_TRUE(ElapsedIsFinal(doubtful, After(Duration::Seconds(90), 2, false)));
}

TEST(LeaseClockTest, EndsOnTheClockOfThisBoot) {
  const Now now = After(Duration::Seconds(90), 2);
  EXPECT_EQ(EndOf(kThen, Duration::Seconds(100), now), now.instant + Duration::Seconds(10));
  EXPECT_LT(EndOf(kThen, Duration::Seconds(80), now), now.instant);
}

}  // namespace
}  // namespace slipway::lease
