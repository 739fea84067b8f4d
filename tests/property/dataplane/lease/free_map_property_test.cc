#include <gtest/gtest.h>

#include <optional>
#include <vector>

#include "dataplane/base/random.h"
#include "dataplane/lease/free_map.h"
#include "tests/support/seed.h"

namespace slipway::lease {
namespace {

std::optional<std::uint32_t> SlowNext(const std::vector<bool>& taken, std::uint32_t from) {
  for (std::size_t i = 0; i < taken.size(); ++i) {
    const std::size_t at = from < taken.size() ? (from + i) % taken.size() : i;
    if (!taken[at]) {
      return static_cast<std::uint32_t>(at);
    }
  }
  return std::nullopt;
}

TEST(FreeMapPropertyTest, AgreesWithAPlainVector) {
  SeededRandom random(test::TestSeed(1));
  for (const std::uint32_t size : {1U, 64U, 100U, 4096U, 5000U}) {
    std::vector<std::uint64_t> words(FreeMap::WordsFor(size));
    FreeMap map(words, size);
    std::vector<bool> taken(size);
    std::uint32_t free = size;
    for (int step = 0; step < 20'000; ++step) {
      const auto at = static_cast<std::uint32_t>(random.Below(size));
      // Mostly full, mostly empty, in turns.
      const bool take = random.Below(10) < ((step / 5000) % 2 == 0 ? 8U : 2U);
      if (take) {
        EXPECT_EQ(map.Take(at), !taken[at]);
        free -= taken[at] ? 0U : 1U;
      } else {
        EXPECT_EQ(map.Free(at), bool{taken[at]});
        free += taken[at] ? 1U : 0U;
      }
      taken[at] = take;
      ASSERT_EQ(map.free_count(), free);
      if (step % 16 == 0) {
        const auto from = static_cast<std::uint32_t>(random.Below(size + 2));
        ASSERT_EQ(map.NextFree(from), SlowNext(taken, from));
      }
    }
  }
}

}  // namespace
}  // namespace slipway::lease
