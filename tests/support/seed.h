// The seed of a property test: from SLIPWAY_SEED, or a fixed one; printed, so that a failure can be
// repeated.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace slipway::test {

inline std::uint64_t TestSeed(std::uint64_t fallback) {
  const char* text = std::getenv("SLIPWAY_SEED");
  const std::uint64_t seed = text == nullptr ? fallback : std::strtoull(text, nullptr, 0);
  (void)std::printf("SLIPWAY_SEED=%llu\n", static_cast<unsigned long long>(seed));
  return seed;
}

// How many seeds to run, from that one on: SLIPWAY_SEEDS, or the few that every run takes.
inline std::uint64_t TestSeeds(std::uint64_t fallback) {
  const char* text = std::getenv("SLIPWAY_SEEDS");
  return text == nullptr ? fallback : std::strtoull(text, nullptr, 0);
}

}  // namespace slipway::test
