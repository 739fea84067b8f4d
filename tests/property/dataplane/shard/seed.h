// The seed of a property test: SLIPWAY_SEED, or a fixed one. Printed, so that a failure can be made
// again.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace slipway::shard {

[[nodiscard]] inline std::uint64_t Seed() {
  const char* const text = std::getenv("SLIPWAY_SEED");
  const std::uint64_t seed = text == nullptr ? 20'240'601 : std::strtoull(text, nullptr, 0);
  ::testing::Test::RecordProperty("seed", std::to_string(seed));
  std::printf("seed %llu (SLIPWAY_SEED)\n", static_cast<unsigned long long>(seed));
  return seed;
}

}  // namespace slipway::shard
