#include "dataplane/shard/shard.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace slipway::shard {

namespace {

// A driver in virtual time: a turn takes the clock to its deadline.
class FakeDriver final : public Driver {
 public:
  [[nodiscard]] std::string_view name() const noexcept override { return "fake"; }

  [[nodiscard]] Result<PortId> AddUdp(int /*fd*/, PacketHandler* /*handler*/) override {
    return PortId{0};
  }

  [[nodiscard]] Result<PortId> AddRaw(int /*fd*/) override { return PortId{0}; }

  [[nodiscard]] Result<WatchId> AddWatch(int /*fd*/, std::uint32_t /*events*/,
                                         WatchHandler* /*handler*/) override {
    return WatchId{0};
  }

  [[nodiscard]] Result<void> ChangeWatch(WatchId /*watch*/, std::uint32_t /*events*/) override {
    return {};
  }

  void RemoveWatch(WatchId /*watch*/) override {}

  [[nodiscard]] MutableByteSpan AllocateTx() override { return {}; }

  [[nodiscard]] bool Send(PortId /*port*/, const Outgoing& /*out*/) override { return false; }

  [[nodiscard]] Result<Instant> Turn(Instant deadline) override {
    if (fails) {
      return Fail(ErrorCode::kSystem, 5);
    }
    deadlines.push_back(deadline);
    if (deadline != Instant::Never() && now < deadline) {
      now = deadline;
    }
    return now;
  }

  [[nodiscard]] const DriverCounters& counters() const noexcept override { return counters_; }

  std::vector<Instant> deadlines;
  Instant now{1'000'000'000};
  bool fails = false;

 private:
  DriverCounters counters_;
};

class Log final : public TimerHandler, public TurnHook {
 public:
  void OnTimer(std::uint64_t cookie, Instant /*now*/) override {
    text += "timer" + std::to_string(cookie) + " ";
  }

  void OnTurn(Instant /*now*/) override { text += "turn "; }

  std::string text;
};

struct Rig {
  Rig() {
    auto owned = std::make_unique<FakeDriver>();
    driver = owned.get();
    shard = *Shard::Create({.timers_max = 8}, std::move(owned), driver->now);
  }

  FakeDriver* driver = nullptr;
  std::unique_ptr<Shard> shard;
};

TEST(ShardTest, TurnWaitsForTheNextTimerThenRunsTimersBeforeHooks) {
  Rig rig;
  Log log;
  ASSERT_TRUE(rig.shard->AddHook(&log));
  const Instant deadline = rig.driver->now + Duration::Millis(20);
  ASSERT_TRUE(rig.shard->timers().Add(deadline, &log, 1));
  while (log.text.find("timer1") == std::string::npos) {
    ASSERT_TRUE(rig.shard->RunTurn());
    ASSERT_LT(rig.driver->deadlines.size(), 5U);
  }
  EXPECT_GE(rig.driver->now, deadline);
  EXPECT_TRUE(log.text.ends_with("timer1 turn "));
  EXPECT_EQ(rig.shard->counters().timers_fired.value(), 1U);
  ASSERT_TRUE(rig.shard->RunTurn());
  EXPECT_EQ(rig.driver->deadlines.back(), Instant::Never());
}

TEST(ShardTest, RequestedTurnDoesNotWait) {
  Rig rig;
  rig.shard->RequestTurn();
  ASSERT_TRUE(rig.shard->RunTurn());
  EXPECT_LT(rig.driver->deadlines.back(), rig.driver->now);
  ASSERT_TRUE(rig.shard->RunTurn());
  EXPECT_EQ(rig.driver->deadlines.back(), Instant::Never());
}

TEST(ShardTest, HooksAreBounded) {
  Rig rig;
  Log log;
  for (std::size_t i = 0; i < kTurnHooksMax; ++i) {
    EXPECT_TRUE(rig.shard->AddHook(&log));
  }
  EXPECT_FALSE(rig.shard->AddHook(&log));
}

TEST(ShardTest, RunEndsWithTheErrorOfItsDriver) {
  Rig rig;
  rig.driver->fails = true;
  const auto result = rig.shard->Run();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().detail, 5U);
}

TEST(ShardTest, StoppedBeforeItRunsDoesNotTurn) {
  Rig rig;
  rig.shard->Stop();
  EXPECT_TRUE(rig.shard->Run());
  EXPECT_TRUE(rig.driver->deadlines.empty());
}

}  // namespace
}  // namespace slipway::shard
