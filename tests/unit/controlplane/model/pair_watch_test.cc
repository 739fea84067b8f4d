#include "controlplane/model/pair_watch.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/controlplane/model/model_test.h"

namespace slipway::model {
namespace {

constexpr EntityId kPair{77};
constexpr EntityId kA{1};
constexpr EntityId kB{2};

class PairWatchTest : public testing::Test {
 protected:
  PairWatchTest() {
    pair_.rack_a = kA;
    pair_.rack_b = kB;
    pair_.auto_partner_down_seconds = 60;
  }

  static PairRackView Normal(Instant at, std::uint64_t term = 0) {
    return {.connected = true,
            .report = PairReport{.pair = kPair.value, .term = term, .normal = true, .at = at}};
  }

  static PairRackView Alone(Instant at) {
    return {.connected = true,
            .report = PairReport{.pair = kPair.value, .interrupted = true, .at = at}};
  }

  PairVerdict Step(const PairRackView& a, const PairRackView& b) {
    return watch_.Step(kPair, pair_, {a, b}, now_);
  }

  // rack_b alone and rack_a away, reported anew each second, for so long. The first verdict.
  PairVerdict AloneFor(int seconds) {
    for (int i = 0; i <= seconds; ++i) {
      const PairVerdict verdict = Step({}, Alone(now_));
      if (verdict != PairVerdict::kNothing) {
        return verdict;
      }
      now_ = now_ + Duration::Seconds(1);
    }
    return PairVerdict::kNothing;
  }

  RackPair pair_;
  PairWatch watch_;
  Instant now_{5'000'000'000};
};

TEST_F(PairWatchTest, BothNormalIsAMeetingOnce) {
  EXPECT_EQ(Step(Normal(now_), Normal(now_)), PairVerdict::kMet);
  pair_.formed = true;
  EXPECT_EQ(Step(Normal(now_), Normal(now_)), PairVerdict::kNothing);
}

TEST_F(PairWatchTest, OneNormalOldOrOtherReportIsNoMeeting) {
  EXPECT_EQ(Step(Normal(now_), Alone(now_)), PairVerdict::kNothing);
  EXPECT_EQ(Step(Normal(now_), {}), PairVerdict::kNothing);
  PairRackView other = Normal(now_);
  other.report->pair = 78;
  EXPECT_EQ(Step(Normal(now_), other), PairVerdict::kNothing);
  PairRackView away = Normal(now_);
  away.connected = false;
  EXPECT_EQ(Step(Normal(now_), away), PairVerdict::kNothing);
  const Instant old = now_;
  now_ = now_ + kPairReportFresh + Duration::Nanos(1);
  EXPECT_EQ(Step(Normal(now_), Normal(old)), PairVerdict::kNothing);
}

TEST_F(PairWatchTest, AWordThatARackHasNotHeardIsNotTakenBack) {
  pair_.formed = true;
  pair_.down = kA;
  pair_.term = 9;
  EXPECT_EQ(Step(Normal(now_, 0), Normal(now_, 9)), PairVerdict::kNothing);
  EXPECT_EQ(Step(Normal(now_, 9), Normal(now_, 9)), PairVerdict::kMet);
}

TEST_F(PairWatchTest, TheTimerDeclaresTheRackThatIsAway) {
  EXPECT_EQ(AloneFor(59), PairVerdict::kNothing);
  EXPECT_EQ(AloneFor(1), PairVerdict::kDownA);
}

TEST_F(PairWatchTest, TheTimerIsTheSameForTheOtherSide) {
  for (int i = 0; i < 60; ++i) {
    ASSERT_EQ(Step(Alone(now_), {}), PairVerdict::kNothing) << i;
    now_ = now_ + Duration::Seconds(1);
  }
  EXPECT_EQ(Step(Alone(now_), {}), PairVerdict::kDownB);
}

TEST_F(PairWatchTest, ABreakBeginsTheTimerAnew) {
  EXPECT_EQ(AloneFor(58), PairVerdict::kNothing);
  // The rack shows itself at the region: it is cut from its partner only.
  EXPECT_EQ(Step(Alone(now_), Alone(now_)), PairVerdict::kNothing);
  EXPECT_EQ(AloneFor(59), PairVerdict::kNothing);
}

TEST_F(PairWatchTest, WithoutATimerOrUnderAWordNothingIsDeclared) {
  pair_.auto_partner_down_seconds = 0;
  EXPECT_EQ(AloneFor(1000), PairVerdict::kNothing);
  pair_.auto_partner_down_seconds = 60;
  pair_.down = kB;
  pair_.term = 3;
  EXPECT_EQ(AloneFor(1000), PairVerdict::kNothing);
}

TEST_F(PairWatchTest, ASurvivorThatIsNotHeardDeclaresNothing) {
  const Instant old = now_;
  for (int i = 0; i < 200; ++i) {
    ASSERT_EQ(Step({}, Alone(old)), PairVerdict::kNothing);
    now_ = now_ + Duration::Seconds(1);
  }
}

class PairOrderTest : public ModelFixture {
 protected:
  PairOrderTest() {
    for (const char* name : {"r1", "r2", "r3"}) {
      EXPECT_TRUE(Mutate([&](Plan& plan) -> Outcome {
        Rack rack;
        rack.name = name;
        rack.public_key = std::string(38, 'k') + name;
        racks_.push_back(*plan.Create(Entity(rack)));
        return {};
      }));
    }
    pair_ = Make(Kind::kRackPair, R"({"name":"p","rack_a":"r1","rack_b":"r2",
                                      "address_a":"10.9.0.1","address_b":"10.9.0.2"})");
  }

  auto Down(std::size_t rack, std::string_view reason = "power is off") {
    return Mutate([&](Plan& plan) {
      return DeclareDown(plan, pair_, racks_[rack], reason, WallTime{1'000'000'000});
    });
  }

  RackPair Pair() { return Get<RackPair>(Kind::kRackPair, pair_); }

  std::vector<EntityId> racks_;
  EntityId pair_;
};

TEST_F(PairOrderTest, TheWordNamesARackTheTimeAndTheReason) {
  ASSERT_TRUE(Down(1));
  EXPECT_EQ(Pair().down, racks_[1]);
  EXPECT_EQ(Pair().term, 1U);
  EXPECT_FALSE(Pair().survivor_stale);
  EXPECT_EQ(Pair().down_reason, "power is off");
  EXPECT_EQ(Pair().down_time, "1970-01-01T00:00:01Z");
}

TEST_F(PairOrderTest, SaidAgainItChangesNothing) {
  ASSERT_TRUE(Down(1));
  const store::Revision revision = store_.revision();
  ASSERT_TRUE(Down(1, "really"));
  EXPECT_EQ(store_.revision(), revision);
}

TEST_F(PairOrderTest, TheOtherOneIsStaleUntilTheyMeet) {
  ASSERT_TRUE(Down(1));
  ASSERT_TRUE(Down(0));
  EXPECT_EQ(Pair().down, racks_[0]);
  EXPECT_EQ(Pair().term, 2U);
  EXPECT_TRUE(Pair().survivor_stale);
  ASSERT_TRUE(Mutate([&](Plan& plan) { return MarkMet(plan, pair_); }));
  EXPECT_TRUE(Pair().formed);
  EXPECT_FALSE(Pair().down.is_set());
  EXPECT_FALSE(Pair().survivor_stale);
  EXPECT_EQ(Pair().term, 2U) << "a term is never used again";
  ASSERT_TRUE(Down(0));
  EXPECT_EQ(Pair().term, 3U);
  EXPECT_FALSE(Pair().survivor_stale);
}

TEST_F(PairOrderTest, ItNeedsAReasonAndARackOfThePair) {
  ExpectRefusal(Down(1, ""), RefusalKind::kInvalid, "reason");
  ExpectRefusal(Down(2), RefusalKind::kInvalid, "one of the two");
  EXPECT_FALSE(Pair().down.is_set());
}

TEST_F(PairOrderTest, ATermIsNotUsedAgainAfterARestore) {
  const WallTime now{1'700'000'000'000'000'000};
  ASSERT_TRUE(Mutate([&](Plan& plan) { return DeclareDown(plan, pair_, racks_[0], "fire", now); }));
  EXPECT_EQ(Pair().term, 1'700'000'000U);
}

}  // namespace
}  // namespace slipway::model
