#include "dataplane/shard/pool.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

namespace slipway::shard {

namespace {

struct Session {
  int value = 7;
  std::shared_ptr<int> witness;
};

TEST(PoolTest, GivesOutEachPlaceOnce) {
  Pool<Session> pool(3);
  const PoolHandle a = pool.Acquire();
  const PoolHandle b = pool.Acquire();
  const PoolHandle c = pool.Acquire();
  EXPECT_TRUE(a.is_set() && b.is_set() && c.is_set());
  EXPECT_NE(pool.Get(a), pool.Get(b));
  EXPECT_NE(pool.Get(b), pool.Get(c));
  EXPECT_FALSE(pool.Acquire().is_set());
  EXPECT_EQ(pool.in_use(), 3U);
  pool.CheckBalance();
}

TEST(PoolTest, StaleHandleFindsNothing) {
  Pool<Session> pool(1);
  const PoolHandle first = pool.Acquire();
  EXPECT_TRUE(pool.Release(first));
  EXPECT_EQ(pool.Get(first), nullptr);
  const PoolHandle second = pool.Acquire();
  EXPECT_EQ(second.index, first.index);
  EXPECT_EQ(pool.Get(first), nullptr);
  EXPECT_FALSE(pool.Release(first));
  EXPECT_NE(pool.Get(second), nullptr);
  EXPECT_EQ(pool.in_use(), 1U);
}

TEST(PoolTest, UnsetAndForgedHandlesFindNothing) {
  Pool<Session> pool(2);
  EXPECT_EQ(pool.Get({}), nullptr);
  EXPECT_FALSE(pool.Release({}));
  EXPECT_EQ(pool.Get({.index = 5, .generation = 1}), nullptr);
}

TEST(PoolTest, ConstructsAndDestroysTenants) {
  const auto witness = std::make_shared<int>(1);
  {
    Pool<Session> pool(2);
    const PoolHandle a = pool.Acquire(1, witness);
    EXPECT_EQ(pool.Get(a)->value, 1);
    EXPECT_EQ(witness.use_count(), 2);
    EXPECT_TRUE(pool.Release(a));
    EXPECT_EQ(witness.use_count(), 1);
    EXPECT_EQ(pool.Get(pool.Acquire())->value, 7) << "nothing of the former tenant is left";
    (void)pool.Acquire(2, witness);
  }
  EXPECT_EQ(witness.use_count(), 1);
}

TEST(PoolTest, VisitsTheLiveAndMayReleaseThem) {
  Pool<Session> pool(4);
  std::vector<PoolHandle> handles;
  for (int i = 0; i < 4; ++i) {
    handles.push_back(pool.Acquire(i));
  }
  EXPECT_TRUE(pool.Release(handles[1]));
  int sum = 0;
  pool.ForEach([&](PoolHandle handle, Session& session) {
    sum += session.value;
    EXPECT_TRUE(pool.Release(handle));
  });
  EXPECT_EQ(sum, 0 + 2 + 3);
  EXPECT_EQ(pool.in_use(), 0U);
  pool.CheckBalance();
}

}  // namespace
}  // namespace slipway::shard
