#include "dataplane/lease/slot_index.h"

#include <gtest/gtest.h>

#include <map>

#include "dataplane/base/random.h"

namespace slipway::lease {
namespace {

// Hashes that all fall onto the same few cells, the last ones included, so that probes wrap.
TEST(SlotIndexTest, FindsWhatIsInThroughCollisionsAndErasure) {
  constexpr std::uint32_t kSlots = 24;
  SlotIndex index(kSlots);
  std::map<std::uint32_t, std::uint64_t> in;
  SeededRandom random(1);
  for (int step = 0; step < 20'000; ++step) {
    const auto slot = static_cast<std::uint32_t>(random.Below(kSlots));
    const auto at = in.find(slot);
    if (at == in.end()) {
      const std::uint64_t hash = (0xFFFF'FFF0 + random.Below(16)) << 32;
      index.Insert(hash, slot);
      in.emplace(slot, hash);
    } else {
      index.Erase(at->second, slot);
      in.erase(at);
    }
    for (std::uint32_t each = 0; each < kSlots; ++each) {
      const auto held = in.find(each);
      const std::uint64_t hash = held == in.end() ? 0xFFFF'FFF0'0000'0000 : held->second;
      const std::uint32_t found = index.Find(hash, [&](std::uint32_t s) { return s == each; });
      ASSERT_EQ(found, held == in.end() ? SlotIndex::kEmpty : each) << step;
    }
  }
}

TEST(SlotIndexTest, TakesTheBytesItSays) {
  EXPECT_EQ(SlotIndex::BytesFor(1'000'000), 16'000'000U);
  EXPECT_EQ(SlotIndex::BytesFor(1), 16U);
}

}  // namespace
}  // namespace slipway::lease
