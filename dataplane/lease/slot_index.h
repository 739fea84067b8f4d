// Finds slots of a table by hash: open addressing, linear probing, no tombstones. At most half full
// by construction, so that probes stay short.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "dataplane/base/check.h"

namespace slipway::lease {

// One thread. All memory at construction.
class SlotIndex {
 public:
  static constexpr std::uint32_t kEmpty = 0xFFFF'FFFF;

  explicit SlotIndex(std::uint32_t slots_max)
      : cells_(BytesFor(slots_max) / sizeof(std::uint32_t), kEmpty), mask_(cells_.size() - 1) {}

  [[nodiscard]] static std::size_t BytesFor(std::uint32_t slots_max) noexcept {
    return std::bit_ceil(std::size_t{slots_max} * 2 + 2) * sizeof(std::uint32_t);
  }

  // kEmpty if no slot of that hash satisfies `equal(slot)`.
  template <typename Equal>
  [[nodiscard]] std::uint32_t Find(std::uint64_t hash, Equal equal) const noexcept {
    for (std::size_t at = hash & mask_; cells_[at] != kEmpty; at = (at + 1) & mask_) {
      if (equal(cells_[at])) {
        return cells_[at];
      }
    }
    return kEmpty;
  }

  void Insert(std::uint64_t hash, std::uint32_t slot) noexcept {
    std::size_t at = hash & mask_;
    while (cells_[at] != kEmpty) {
      SLIP_DCHECK(cells_[at] != slot);
      at = (at + 1) & mask_;
    }
    cells_[at] = slot;
  }

  // REQUIRES: the slot is in. `hash_of(slot)` gives the hash each slot was inserted with.
  template <typename HashOf>
  void Erase(std::uint32_t slot, HashOf hash_of) noexcept {
    std::size_t hole = hash_of(slot) & mask_;
    while (cells_[hole] != slot) {
      SLIP_CHECK(cells_[hole] != kEmpty);
      hole = (hole + 1) & mask_;
    }
    // Pull back what would not be found across the hole.
    for (std::size_t at = (hole + 1) & mask_; cells_[at] != kEmpty; at = (at + 1) & mask_) {
      const std::size_t home = hash_of(cells_[at]) & mask_;
      if (((at - home) & mask_) >= ((at - hole) & mask_)) {
        cells_[hole] = cells_[at];
        hole = at;
      }
    }
    cells_[hole] = kEmpty;
  }

 private:
  std::vector<std::uint32_t> cells_;
  std::size_t mask_;
};

}  // namespace slipway::lease
