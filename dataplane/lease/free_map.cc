#include "dataplane/lease/free_map.h"

#include <bit>

#include "dataplane/base/check.h"

namespace slipway::lease {
namespace {

constexpr std::uint32_t kWordBits = 64;
constexpr std::uint64_t kFullWord = ~std::uint64_t{0};

std::uint32_t WordCount(std::uint32_t bits) { return (bits + kWordBits - 1) / kWordBits; }

}  // namespace

std::size_t FreeMap::WordsFor(std::uint32_t size) noexcept {
  std::size_t words = 0;
  std::uint32_t bits = size;
  do {
    bits = WordCount(bits);
    words += bits;
  } while (bits > 1);
  return words;
}

FreeMap::FreeMap(std::span<std::uint64_t> words, std::uint32_t size) noexcept
    : size_(size), free_(size) {
  SLIP_CHECK(words.size() >= WordsFor(size));
  std::uint32_t bits = size;
  std::size_t used = 0;
  do {
    SLIP_CHECK(depth_ < kLevels);
    const std::uint32_t count = WordCount(bits);
    levels_[depth_] = words.subspan(used, count);
    for (std::uint64_t& word : levels_[depth_]) {
      word = 0;
    }
    // Positions past the end count as taken, so that no search finds them.
    if (count > 0 && bits % kWordBits != 0) {
      levels_[depth_].back() = kFullWord << (bits % kWordBits);
    }
    used += count;
    bits = count;
    ++depth_;
  } while (bits > 1);
}

bool FreeMap::IsTaken(std::uint32_t position) const noexcept {
  SLIP_CHECK(position < size_);
  return ((levels_[0][position / kWordBits] >> (position % kWordBits)) & 1) != 0;
}

bool FreeMap::Take(std::uint32_t position) noexcept {
  if (IsTaken(position)) {
    return false;
  }
  --free_;
  for (std::size_t level = 0; level < depth_; ++level) {
    std::uint64_t& word = levels_[level][position / kWordBits];
    word |= std::uint64_t{1} << (position % kWordBits);
    if (word != kFullWord) {
      break;
    }
    position /= kWordBits;
  }
  return true;
}

bool FreeMap::Free(std::uint32_t position) noexcept {
  if (!IsTaken(position)) {
    return false;
  }
  ++free_;
  for (std::size_t level = 0; level < depth_; ++level) {
    std::uint64_t& word = levels_[level][position / kWordBits];
    const bool was_full = word == kFullWord;
    word &= ~(std::uint64_t{1} << (position % kWordBits));
    if (!was_full) {
      break;
    }
    position /= kWordBits;
  }
  return true;
}

std::optional<std::uint32_t> FreeMap::NextFree(std::uint32_t from) const noexcept {
  if (free_ == 0) {
    return std::nullopt;
  }
  const std::optional<std::uint32_t> found = from < size_ ? NextFreeAfter(from) : std::nullopt;
  return found ? found : NextFreeAfter(0);
}

std::optional<std::uint32_t> FreeMap::NextFreeAfter(std::uint32_t from) const noexcept {
  // Up until a word has a free bit at or after the place, then down to the first free leaf.
  std::uint32_t at = from;
  std::size_t level = 0;
  for (; level < depth_; ++level) {
    const std::uint32_t index = at / kWordBits;
    if (index < levels_[level].size()) {
      const std::uint64_t free = ~levels_[level][index] & (kFullWord << (at % kWordBits));
      if (free != 0) {
        at = index * kWordBits + static_cast<std::uint32_t>(std::countr_zero(free));
        break;
      }
    }
    at = index + 1;
  }
  if (level == depth_) {
    return std::nullopt;
  }
  while (level > 0) {
    --level;
    const std::uint64_t free = ~levels_[level][at];
    SLIP_CHECK(free != 0);
    at = at * kWordBits + static_cast<std::uint32_t>(std::countr_zero(free));
  }
  return at;
}

}  // namespace slipway::lease
