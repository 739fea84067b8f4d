#include "dataplane/shard/seal.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

namespace slipway::shard {

namespace {

// Out of line, so that the compiler cannot drop the pair of new and delete.
[[gnu::noinline]] void Allocate(std::size_t bytes) {
  const auto memory = std::make_unique<char[]>(bytes);
  *const_cast<volatile char*>(memory.get()) = 1;
}

struct alignas(128) Aligned {
  char bytes[128];
};

TEST(SealTest, HookIsLinkedAndCounts) {
  ASSERT_TRUE(SealIsHooked());
  const std::uint64_t before = AllocationsOnThisThread();
  Allocate(10);
  EXPECT_EQ(AllocationsOnThisThread(), before + 1);
  const auto aligned = std::make_unique<Aligned>();
  EXPECT_EQ(AllocationsOnThisThread(), before + 2);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(aligned.get()) % 128, 0U);
}

TEST(SealTest, SealIsOfOneThread) {
  Seal();
  const bool here = IsSealed();
  bool there = true;
  Unseal();
  std::thread other([&] { there = IsSealed(); });
  other.join();
  EXPECT_TRUE(here);
  EXPECT_FALSE(there);
  EXPECT_FALSE(IsSealed());
}

TEST(SealTest, ZeroAllocationsAreZero) {
  const std::uint64_t before = AllocationsOnSealedShards();
  int sum = 0;
  Seal();
  for (int i = 0; i < 100; ++i) {
    sum += i;
  }
  Unseal();
  EXPECT_EQ(sum, 4950);
  EXPECT_EQ(AllocationsOnSealedShards(), before);
}

#if defined(SLIPWAY_SEAL_ABORTS)

TEST(SealDeathTest, AllocationOnASealedThreadAborts) {
  EXPECT_DEATH(
      {
        Seal();
        Allocate(10);
      },
      "sealed shard");
}

#else

TEST(SealTest, AllocationOnASealedThreadIsCounted) {
  const std::uint64_t before = AllocationsOnSealedShards();
  Seal();
  Allocate(10);
  Unseal();
  EXPECT_EQ(AllocationsOnSealedShards(), before + 1);
}

#endif

}  // namespace
}  // namespace slipway::shard
