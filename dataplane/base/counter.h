// A counter with one writer (its shard or thread) and any number of readers.
#pragma once

#include <atomic>
#include <cstdint>

namespace slipway {

// Add() is a plain load and store: no locked instruction on the packet path. REQUIRES: one writing
// thread. Readers may see a value that is a moment old.
class Counter {
 public:
  void Add(std::uint64_t amount = 1) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }

  void Set(std::uint64_t value) noexcept { value_.store(value, std::memory_order_relaxed); }

  [[nodiscard]] std::uint64_t value() const noexcept {
    return value_.load(std::memory_order_relaxed);
  }

 private:
  std::atomic<std::uint64_t> value_{0};
};

}  // namespace slipway
