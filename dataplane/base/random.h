// Seeded generator for tests, simulation, jitter and transaction ids. Never for keys.
#pragma once

#include <cstdint>

#include "dataplane/base/seams.h"

namespace slipway {

// One step of SplitMix64: also a good mixer for hash keys.
[[nodiscard]] constexpr std::uint64_t Mix64(std::uint64_t value) noexcept {
  value += 0x9E37'79B9'7F4A'7C15;
  value = (value ^ (value >> 30)) * 0xBF58'476D'1CE4'E5B9;
  value = (value ^ (value >> 27)) * 0x94D0'49BB'1331'11EB;
  return value ^ (value >> 31);
}

// SplitMix64: the same seed gives the same sequence on every machine.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) noexcept : state_(seed) {}

  [[nodiscard]] std::uint64_t U64() noexcept override {
    const std::uint64_t value = Mix64(state_);
    state_ += 0x9E37'79B9'7F4A'7C15;
    return value;
  }

 private:
  std::uint64_t state_;
};

}  // namespace slipway
