#include "dataplane/base/bounded.h"

#include <gtest/gtest.h>

#include <string>

namespace slipway {
namespace {

TEST(FixedVectorTest, FullVectorRefuses) {
  FixedVector<int, 2> vector;
  EXPECT_TRUE(vector.push_back(1));
  EXPECT_TRUE(vector.push_back(2));
  EXPECT_FALSE(vector.push_back(3));
  EXPECT_TRUE(vector.full());
  vector.SwapRemove(0);
  ASSERT_EQ(vector.size(), 1U);
  EXPECT_EQ(vector[0], 2);
  vector.clear();
  EXPECT_TRUE(vector.empty());
}

TEST(FixedStringTest, AssignRefusesWhatDoesNotFit) {
  FixedString<4> text;
  EXPECT_TRUE(text.Assign("abcd"));
  EXPECT_FALSE(text.Assign("abcde"));
  EXPECT_EQ(text, "abcd");
  EXPECT_FALSE(text.push_back('e'));
  EXPECT_EQ(FixedString<2>(std::string_view("abc")), "ab");
}

TEST(FixedStringTest, ClearedTailLeavesNoOldBytes) {
  FixedString<8> text(std::string_view("password"));
  EXPECT_TRUE(text.Assign("a"));
  EXPECT_EQ(std::string(text.data(), 8), std::string("a\0\0\0\0\0\0\0", 8));
}

TEST(FixedRingTest, FirstInFirstOutOverTheEdge) {
  FixedRing<int, 4> ring;
  for (int round = 0; round < 10; ++round) {
    EXPECT_TRUE(ring.Push(round));
    EXPECT_TRUE(ring.Push(round + 100));
    EXPECT_EQ(ring.Pop(), round);
    EXPECT_EQ(ring.front(), round + 100);
    EXPECT_EQ(ring.Pop(), round + 100);
  }
  for (int i = 0; i < 4; ++i) {
    EXPECT_TRUE(ring.Push(i));
  }
  EXPECT_FALSE(ring.Push(5));
}

}  // namespace
}  // namespace slipway
