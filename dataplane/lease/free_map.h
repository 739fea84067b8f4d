// A set of small numbers that finds the next free one in a few steps, however full it is: a tree of
// 64-bit words in which a set bit means "all below are taken".
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace slipway::lease {

// Lives in memory that the owner gives it. One thread.
class FreeMap {
 public:
  static constexpr std::size_t kLevels = 5;  // 2^30 positions

  // Words needed for `size` positions.
  [[nodiscard]] static std::size_t WordsFor(std::uint32_t size) noexcept;

  FreeMap() = default;
  // All positions free. REQUIRES: words.size() >= WordsFor(size); words outlive the map.
  FreeMap(std::span<std::uint64_t> words, std::uint32_t size) noexcept;

  [[nodiscard]] std::uint32_t size() const noexcept { return size_; }

  [[nodiscard]] std::uint32_t free_count() const noexcept { return free_; }

  // REQUIRES: position < size().
  [[nodiscard]] bool IsTaken(std::uint32_t position) const noexcept;
  // Each returns false, and changes nothing, if it is so already.
  bool Take(std::uint32_t position) noexcept;
  bool Free(std::uint32_t position) noexcept;

  // The first free position at or after `from`, then from 0 on. Empty if all are taken.
  [[nodiscard]] std::optional<std::uint32_t> NextFree(std::uint32_t from) const noexcept;

 private:
  [[nodiscard]] std::optional<std::uint32_t> NextFreeAfter(std::uint32_t from) const noexcept;

  std::array<std::span<std::uint64_t>, kLevels> levels_{};
  std::size_t depth_ = 0;  // levels in use; the topmost has one word
  std::uint32_t size_ = 0;
  std::uint32_t free_ = 0;
};

}  // namespace slipway::lease
