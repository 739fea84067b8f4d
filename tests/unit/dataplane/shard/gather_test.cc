#include "dataplane/shard/gather.h"

#include <gtest/gtest.h>

namespace slipway::shard {
namespace {

constexpr Instant kBegin{1'000'000'000};
constexpr Duration kTurn = Duration::Micros(10);

class GatherTest : public testing::Test {
 protected:
  // Turns of one packet each, for `span`.
  void Turns(Duration span, bool gathers) {
    for (const Instant end = now_ + span; now_ < end;) {
      now_ = now_ + kTurn;
      gather_.OnPackets(1, gathers);
      gather_.OnTurn(now_);
    }
  }

  Instant now_ = kBegin;
  Gather gather_;
};

TEST_F(GatherTest, WaitsForNobodyAtFirst) {
  gather_.OnTurn(now_);
  EXPECT_EQ(gather_.Left(now_), Duration{});
  gather_.OnPackets(1, true);
  gather_.OnTurn(now_ + kGatherSpan);
  EXPECT_EQ(gather_.Left(now_ + kGatherSpan), Duration{});
}

TEST_F(GatherTest, WaitsOutTheSpanWhilePacketsComeThick) {
  gather_.OnTurn(now_);
  Turns(kGatherSpan, true);
  EXPECT_EQ(gather_.Left(now_), kGatherSpan);
  EXPECT_EQ(gather_.Left(now_ + kTurn), kGatherSpan - kTurn);
  // A turn that took longer is not followed by a wait.
  EXPECT_EQ(gather_.Left(now_ + kGatherSpan + kTurn), Duration{});
}

TEST_F(GatherTest, StopsWhenPacketsGetFew) {
  gather_.OnTurn(now_);
  Turns(kGatherSpan, true);
  gather_.OnPackets(kGatherPackets - 1, true);
  gather_.OnTurn(now_ + kGatherSpan);
  EXPECT_EQ(gather_.Left(now_ + kGatherSpan), Duration{});
}

TEST_F(GatherTest, ALongTurnNeedsMorePacketsToBeThick) {
  gather_.OnTurn(now_);
  gather_.OnPackets(2 * kGatherPackets - 1, true);
  gather_.OnTurn(now_ + kGatherSpan * 2);
  EXPECT_EQ(gather_.Left(now_ + kGatherSpan * 2), Duration{});
}

TEST_F(GatherTest, PacketsThatMayNotWaitKeepTheOthersFromIt) {
  gather_.OnTurn(now_);
  Turns(kGatherSpan / 2, true);
  gather_.OnPackets(1, false);
  Turns(kGatherSpan / 2, true);
  EXPECT_EQ(gather_.Left(now_), Duration{});
  Turns(kGatherSpan, true);
  EXPECT_EQ(gather_.Left(now_), kGatherSpan);
}

}  // namespace
}  // namespace slipway::shard
