// The pool against a list of who is in.
#include <gtest/gtest.h>

#include <vector>

#include "dataplane/base/random.h"
#include "dataplane/shard/pool.h"
#include "tests/property/dataplane/shard/seed.h"

namespace slipway::shard {

namespace {

TEST(PoolPropertyTest, AgreesWithAList) {
  SeededRandom random(Seed());
  Pool<std::uint64_t> pool(17);
  std::vector<std::pair<PoolHandle, std::uint64_t>> live;
  std::vector<PoolHandle> stale;
  for (int step = 0; step < 100'000; ++step) {
    if (random.Below(2) == 0) {
      const std::uint64_t value = random.U64();
      const PoolHandle handle = pool.Acquire(value);
      ASSERT_EQ(handle.is_set(), live.size() < 17);
      if (handle.is_set()) {
        live.emplace_back(handle, value);
      }
    } else if (!live.empty()) {
      const std::size_t at = random.Below(live.size());
      ASSERT_TRUE(pool.Release(live[at].first));
      stale.push_back(live[at].first);
      live[at] = live.back();
      live.pop_back();
    }
    ASSERT_EQ(pool.in_use(), live.size());
    for (const auto& [handle, value] : live) {
      ASSERT_NE(pool.Get(handle), nullptr);
      ASSERT_EQ(*pool.Get(handle), value);
    }
    if (!stale.empty()) {
      ASSERT_EQ(pool.Get(stale[random.Below(stale.size())]), nullptr);
    }
    if (step % 1000 == 0) {
      pool.CheckBalance();
    }
  }
}

}  // namespace
}  // namespace slipway::shard
