#include <atomic>
#include <cstdlib>
#include <thread>

#include "dataplane/ring/ring_driver.h"
#include "dataplane/shard/hand_over.h"
#include "dataplane/shard/mailbox.h"
#include "dataplane/shard/seal.h"
#include "dataplane/shard/shard.h"
#include "tests/netns/dataplane/shard/driver_fixture.h"

namespace slipway::shard {

namespace {

TEST_P(DriverTest, TurnWaitsUntilItsDeadline) {
  const auto driver = MakeDriver();
  Turns(*driver, 1);
  const Instant start = clock.Now();
  const Instant deadline = start + Duration::Millis(30);
  Instant now = start;
  while (now < deadline) {
    const auto turn = driver->Turn(deadline);
    ASSERT_TRUE(turn);
    now = *turn;
  }
  EXPECT_LT(now - start, Duration::Seconds(1));
  EXPECT_LT(driver->counters().turns.value(), 6U);
}

class MailboxWatch final : public WatchHandler {
 public:
  explicit MailboxWatch(Mailbox<std::uint64_t>& mailbox) : mailbox_(mailbox) {}

  void OnReady(WatchId /*watch*/, std::uint32_t /*events*/, Instant /*now*/) override {
    (void)mailbox_.Drain(64, [this](std::uint64_t& value) {
      in_order = in_order && value == count;
      ++count;
    });
  }

  std::uint64_t count = 0;
  bool in_order = true;

 private:
  Mailbox<std::uint64_t>& mailbox_;
};

TEST_P(DriverTest, MailboxWakesAWaitingDriver) {
  const auto driver = MakeDriver();
  const auto mailbox = Mailbox<std::uint64_t>::Create(256);
  ASSERT_TRUE(mailbox);
  MailboxWatch handler(**mailbox);
  ASSERT_TRUE(driver->AddWatch((*mailbox)->wake_fd(), kReadable, &handler));
  constexpr std::uint64_t kMessages = 100'000;
  std::thread producer([&] {
    for (std::uint64_t i = 0; i < kMessages;) {
      if ((*mailbox)->Push(i)) {
        ++i;
      } else {
        std::this_thread::yield();
      }
      if (i % 7 == 0 || i == kMessages) {
        (*mailbox)->Notify();
      }
    }
  });
  // Without a deadline: only the wake-up gets it out of its wait.
  while (handler.count < kMessages) {
    const auto turn = driver->Turn(Instant::Never());
    ASSERT_TRUE(turn);
  }
  producer.join();
  EXPECT_TRUE(handler.in_order);
}

class CountingTimer final : public TimerHandler {
 public:
  explicit CountingTimer(Shard& shard) : shard_(shard) {}

  void OnTimer(std::uint64_t cookie, Instant now) override {
    EXPECT_GE(now, due);
    fired = cookie;
    if (cookie < 5) {
      due = now + Duration::Millis(2);
      EXPECT_TRUE(shard_.timers().Add(due, this, cookie + 1));
    } else {
      shard_.Stop();
    }
  }

  std::uint64_t fired = 0;
  Instant due;

 private:
  Shard& shard_;
};

class CountingHook final : public TurnHook {
 public:
  void OnTurn(Instant now) override {
    EXPECT_GE(now, last);
    last = now;
    ++turns;
    sealed = sealed || IsSealed();
  }

  Instant last;
  int turns = 0;
  bool sealed = false;
};

TEST_P(DriverTest, ShardRunsTimersAndHooksSealed) {
  auto shard = Shard::Create({.timers_max = 16}, MakeDriver(), clock.Now());
  ASSERT_TRUE(shard);
  CountingTimer timer(**shard);
  CountingHook hook;
  ASSERT_TRUE((*shard)->AddHook(&hook));
  ASSERT_TRUE((*shard)->timers().Add(clock.Now(), &timer, 1));
  ASSERT_TRUE((*shard)->Run());
  EXPECT_EQ(timer.fired, 5U);
  EXPECT_GE(hook.turns, 5);
  EXPECT_TRUE(hook.sealed);
  EXPECT_FALSE(IsSealed());
}

TEST_P(DriverTest, ShardStopsFromAnotherThread) {
  auto shard = Shard::Create({}, MakeDriver(), clock.Now());
  ASSERT_TRUE(shard);
  std::atomic<bool> ended{false};
  std::thread runner([&] {
    EXPECT_TRUE((*shard)->Run());
    ended = true;
  });
  EXPECT_FALSE(ended);
  (*shard)->Stop();
  runner.join();
  EXPECT_TRUE(ended);
}

TEST_P(DriverTest, SnapshotsAreHandedOverBetweenTurns) {
  const auto driver = MakeDriver();
  auto created = HandOver<int>::Create();
  ASSERT_TRUE(created);
  HandOver<int>& hand_over = **created;
  ASSERT_TRUE(hand_over.Attach(*driver));
  const int first = 1;
  const int second = 2;
  EXPECT_EQ(hand_over.current(), nullptr);
  ASSERT_TRUE(hand_over.Publish(&first, 10));
  EXPECT_EQ(hand_over.current(), nullptr);
  ASSERT_TRUE(TurnUntil(*driver, [&] { return hand_over.current() == &first; }));
  EXPECT_EQ(hand_over.generation(), 10U);
  ASSERT_TRUE(hand_over.Publish(&second, 11));
  ASSERT_TRUE(TurnUntil(*driver, [&] { return hand_over.current() == &second; }));
  std::vector<std::pair<const int*, std::uint64_t>> released;
  hand_over.Collect(
      [&](HandOver<int>::Released& swap) { released.emplace_back(swap.value, swap.generation); });
  ASSERT_EQ(released.size(), 2U);
  EXPECT_EQ(released[0], std::make_pair(static_cast<const int*>(nullptr), std::uint64_t{10}));
  EXPECT_EQ(released[1], std::make_pair(&first, std::uint64_t{11}));
}

TEST_P(DriverTest, TooManySnapshotsUnderWayAreRefused) {
  auto created = HandOver<int>::Create();
  ASSERT_TRUE(created);
  const int value = 1;
  for (std::uint32_t i = 0; i < HandOver<int>::kUnderWayMax; ++i) {
    EXPECT_TRUE((*created)->Publish(&value, i));
  }
  EXPECT_FALSE((*created)->Publish(&value, 99));
}

TEST(RingDriverTest, RefusesOddBufferCounts) {
  PosixClock clock;
  for (const std::uint32_t count : {0U, 1U, 63U, 65U, 1000U, 8192U}) {
    const auto driver = ring::CreateRingDriver(clock, {.rx_buffers = count});
    ASSERT_FALSE(driver);
    EXPECT_EQ(driver.error().code, ErrorCode::kOutOfRange);
  }
}

}  // namespace
}  // namespace slipway::shard
