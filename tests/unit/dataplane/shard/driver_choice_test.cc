#include "dataplane/shard/driver_choice.h"

#include <gtest/gtest.h>

namespace slipway::shard {

namespace {

TEST(DriverChoiceTest, ParsesWhatItPrints) {
  for (const IoChoice choice : {IoChoice::kAuto, IoChoice::kRing, IoChoice::kEpoll}) {
    const auto parsed = ParseIoChoice(ToString(choice));
    ASSERT_TRUE(parsed);
    EXPECT_EQ(*parsed, choice);
  }
}

TEST(DriverChoiceTest, RefusesAnythingElse) {
  EXPECT_FALSE(ParseIoChoice(""));
  EXPECT_FALSE(ParseIoChoice("Ring"));
  EXPECT_FALSE(ParseIoChoice("uring"));
}

}  // namespace
}  // namespace slipway::shard
