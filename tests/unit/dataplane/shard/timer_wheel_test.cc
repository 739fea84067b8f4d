#include "dataplane/shard/timer_wheel.h"

#include <gtest/gtest.h>

#include <vector>

namespace slipway::shard {

namespace {

constexpr Instant kStart{1'000'000'000'000};

class Recorder final : public TimerHandler {
 public:
  void OnTimer(std::uint64_t cookie, Instant /*now*/) override { fired.push_back(cookie); }

  std::vector<std::uint64_t> fired;
};

TEST(TimerWheelTest, FiresOnceNeverEarly) {
  TimerWheel wheel(4, kStart);
  Recorder recorder;
  ASSERT_TRUE(wheel.Add(kStart + Duration::Millis(50), &recorder, 1));
  EXPECT_EQ(wheel.Advance(kStart + Duration::Millis(49), 100), 0U);
  EXPECT_EQ(wheel.Advance(kStart + Duration::Millis(52), 100), 1U);
  EXPECT_EQ(wheel.Advance(kStart + Duration::Seconds(52), 100), 0U);
  EXPECT_EQ(recorder.fired, std::vector<std::uint64_t>{1});
  EXPECT_EQ(wheel.size(), 0U);
}

TEST(TimerWheelTest, FiresInOrderOfDeadlines) {
  TimerWheel wheel(8, kStart);
  Recorder recorder;
  for (const std::int64_t seconds : {900, 5, 100'000, 1, 3600}) {
    ASSERT_TRUE(wheel.Add(kStart + Duration::Seconds(seconds), &recorder,
                          static_cast<std::uint64_t>(seconds)));
  }
  EXPECT_EQ(wheel.Advance(kStart + Duration::Seconds(1'000'000), 1000), 5U);
  EXPECT_EQ(recorder.fired, (std::vector<std::uint64_t>{1, 5, 900, 3600, 100'000}));
}

TEST(TimerWheelTest, CancelledTimerDoesNotFire) {
  TimerWheel wheel(2, kStart);
  Recorder recorder;
  const auto first = wheel.Add(kStart + Duration::Millis(5), &recorder, 1);
  const auto second = wheel.Add(kStart + Duration::Millis(5), &recorder, 2);
  ASSERT_TRUE(first && second);
  EXPECT_TRUE(wheel.Cancel(*first));
  EXPECT_FALSE(wheel.Cancel(*first));
  EXPECT_EQ(wheel.Advance(kStart + Duration::Millis(10), 100), 1U);
  EXPECT_EQ(recorder.fired, std::vector<std::uint64_t>{2});
  EXPECT_FALSE(wheel.Cancel(*second));
  EXPECT_EQ(wheel.next_deadline(), Instant::Never());
}

TEST(TimerWheelTest, StaleHandleDoesNotCancelItsSuccessor) {
  TimerWheel wheel(1, kStart);
  Recorder recorder;
  const auto first = wheel.Add(kStart + Duration::Millis(5), &recorder, 1);
  ASSERT_TRUE(first);
  ASSERT_TRUE(wheel.Cancel(*first));
  const auto second = wheel.Add(kStart + Duration::Millis(5), &recorder, 2);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->index, first->index);
  EXPECT_FALSE(wheel.Cancel(*first));
  EXPECT_FALSE(wheel.Cancel({}));
  EXPECT_EQ(wheel.size(), 1U);
}

TEST(TimerWheelTest, FullSaysSo) {
  TimerWheel wheel(1, kStart);
  Recorder recorder;
  ASSERT_TRUE(wheel.Add(kStart, &recorder, 1));
  const auto second = wheel.Add(kStart, &recorder, 2);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kFull);
}

TEST(TimerWheelTest, BoundedStepsLeaveTheRestDue) {
  TimerWheel wheel(100, kStart);
  Recorder recorder;
  for (std::uint64_t i = 0; i < 100; ++i) {
    ASSERT_TRUE(wheel.Add(kStart + Duration::Seconds(100), &recorder, i));
  }
  const Instant now = kStart + Duration::Seconds(101);
  std::size_t calls = 0;
  while (recorder.fired.size() < 100) {
    EXPECT_LE(wheel.next_deadline(), now);
    EXPECT_LE(wheel.Advance(now, 7), 7U);
    ASSERT_LT(++calls, 200U);
  }
  EXPECT_EQ(wheel.next_deadline(), Instant::Never());
}

TEST(TimerWheelTest, PendingTimerCanBeCancelled) {
  TimerWheel wheel(3, kStart);
  Recorder recorder;
  std::vector<TimerHandle> handles;
  for (std::uint64_t i = 0; i < 3; ++i) {
    handles.push_back(*wheel.Add(kStart + Duration::Millis(5), &recorder, i));
  }
  const Instant now = kStart + Duration::Millis(10);
  EXPECT_EQ(wheel.Advance(now, 1), 1U);
  for (const TimerHandle handle : handles) {
    (void)wheel.Cancel(handle);
  }
  EXPECT_EQ(wheel.size(), 0U);
  EXPECT_EQ(wheel.Advance(now, 100), 0U);
  EXPECT_EQ(recorder.fired.size(), 1U);
}

class Repeater final : public TimerHandler {
 public:
  explicit Repeater(TimerWheel& wheel) : wheel_(wheel) {}

  void OnTimer(std::uint64_t cookie, Instant now) override {
    ++fired;
    EXPECT_TRUE(wheel_.Add(now, this, cookie));
  }

  int fired = 0;

 private:
  TimerWheel& wheel_;
};

TEST(TimerWheelTest, TimerForNowDoesNotKeepAdvanceBusy) {
  TimerWheel wheel(1, kStart);
  Repeater repeater(wheel);
  ASSERT_TRUE(wheel.Add(kStart, &repeater, 1));
  const Instant now = kStart + Duration::Millis(2);
  (void)wheel.Advance(now, 1000);
  EXPECT_LE(repeater.fired, 3);
  EXPECT_GT(wheel.next_deadline(), now - Duration::Millis(2));
}

TEST(TimerWheelTest, TakesTheLargestDeadlines) {
  TimerWheel wheel(2, kStart);
  Recorder recorder;
  ASSERT_TRUE(wheel.Add(Instant::Never(), &recorder, 1));
  ASSERT_TRUE(wheel.Add({INT64_MAX - 1}, &recorder, 2));
  EXPECT_EQ(wheel.Advance(kStart + Duration::Seconds(1'000'000'000), 1000), 0U);
  EXPECT_LT(wheel.next_deadline(), Instant::Never());
}

}  // namespace
}  // namespace slipway::shard
