#include "dataplane/lease/free_map.h"

#include <gtest/gtest.h>

#include <vector>

namespace slipway::lease {
namespace {

struct Map {
  explicit Map(std::uint32_t size) : words(FreeMap::WordsFor(size)), map(words, size) {}

  std::vector<std::uint64_t> words;
  FreeMap map;
};

TEST(FreeMapTest, FindsTheNextFreeAndWrapsAround) {
  Map m(10);
  EXPECT_EQ(m.map.NextFree(4), 4U);
  EXPECT_TRUE(m.map.Take(4));
  EXPECT_FALSE(m.map.Take(4));
  EXPECT_EQ(m.map.NextFree(4), 5U);
  for (std::uint32_t i = 5; i < 10; ++i) {
    m.map.Take(i);
  }
  EXPECT_EQ(m.map.NextFree(4), 0U);
  EXPECT_TRUE(m.map.Free(7));
  EXPECT_FALSE(m.map.Free(7));
  EXPECT_EQ(m.map.NextFree(4), 7U);
}

TEST(FreeMapTest, IsEmptyWhenAllAreTaken) {
  for (const std::uint32_t size : {0U, 1U, 63U, 64U, 65U, 4096U, 4097U}) {
    Map m(size);
    EXPECT_EQ(m.map.free_count(), size);
    for (std::uint32_t i = 0; i < size; ++i) {
      EXPECT_TRUE(m.map.Take(i));
    }
    EXPECT_EQ(m.map.free_count(), 0U);
    EXPECT_FALSE(m.map.NextFree(0).has_value());
    EXPECT_FALSE(m.map.NextFree(size).has_value());
  }
}

TEST(FreeMapTest, FindsTheOneFreeAmongAMillion) {
  constexpr std::uint32_t kSize = 1'000'003;
  Map m(kSize);
  for (std::uint32_t i = 0; i < kSize; ++i) {
    m.map.Take(i);
  }
  for (const std::uint32_t free : {0U, 63U, 64U, 4095U, 262'144U, 700'001U, kSize - 1}) {
    m.map.Free(free);
    for (const std::uint32_t from : {0U, free, free + 1, kSize - 1}) {
      EXPECT_EQ(m.map.NextFree(from), free);
    }
    m.map.Take(free);
  }
}

}  // namespace
}  // namespace slipway::lease
