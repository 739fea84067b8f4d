// Finds slots of a table by hash: open addressing, linear probing, no tombstones. At most half full
// by construction, so that probes stay short. A cell holds half of its slot's hash: strangers are
// passed over without a look at the table, and cells move without asking it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "dataplane/base/check.h"
#include "dataplane/base/table_memory.h"

namespace slipway::lease {

// One thread. All memory at construction.
class SlotIndex {
 public:
  static constexpr std::uint32_t kEmpty = 0xFFFF'FFFF;

  explicit SlotIndex(std::uint32_t slots_max) : cells_(CellsFor(slots_max)) {}

  [[nodiscard]] static std::size_t BytesFor(std::uint32_t slots_max) noexcept {
    return CellsFor(slots_max) * sizeof(Cell);
  }

  // kEmpty if no slot of that hash satisfies `equal(slot)`.
  template <typename Equal>
  [[nodiscard]] std::uint32_t Find(std::uint64_t hash, Equal equal) const noexcept {
    const std::uint32_t tag = TagOf(hash);
    for (std::size_t at = HomeOf(tag); cells_[at].slot != kEmpty; at = Next(at)) {
      if (cells_[at].tag == tag && equal(cells_[at].slot)) {
        return cells_[at].slot;
      }
    }
    return kEmpty;
  }

  void Insert(std::uint64_t hash, std::uint32_t slot) noexcept {
    const std::uint32_t tag = TagOf(hash);
    std::size_t at = HomeOf(tag);
    while (cells_[at].slot != kEmpty) {
      SLIP_DCHECK(cells_[at].slot != slot);
      at = Next(at);
    }
    cells_[at] = {.tag = tag, .slot = slot};
  }

  // REQUIRES: the slot is in, under this hash.
  void Erase(std::uint64_t hash, std::uint32_t slot) noexcept {
    std::size_t hole = HomeOf(TagOf(hash));
    while (cells_[hole].slot != slot) {
      SLIP_CHECK(cells_[hole].slot != kEmpty);
      hole = Next(hole);
    }
    // Pull back what would not be found across the hole.
    for (std::size_t at = Next(hole); cells_[at].slot != kEmpty; at = Next(at)) {
      if (Distance(HomeOf(cells_[at].tag), at) >= Distance(hole, at)) {
        cells_[hole] = cells_[at];
        hole = at;
      }
    }
    cells_[hole] = {};
  }

 private:
  struct Cell {
    std::uint32_t tag = 0;
    std::uint32_t slot = kEmpty;
  };

  static std::size_t CellsFor(std::uint32_t slots_max) noexcept {
    return std::max<std::size_t>(2, std::size_t{slots_max} * 2);
  }

  static std::uint32_t TagOf(std::uint64_t hash) noexcept {
    return static_cast<std::uint32_t>(hash >> 32);
  }

  // The tag as a fraction of the table: no power of two needed.
  [[nodiscard]] std::size_t HomeOf(std::uint32_t tag) const noexcept {
    return tag * cells_.size() >> 32;
  }

  [[nodiscard]] std::size_t Next(std::size_t at) const noexcept {
    return at + 1 == cells_.size() ? 0 : at + 1;
  }

  [[nodiscard]] std::size_t Distance(std::size_t from, std::size_t to) const noexcept {
    return to >= from ? to - from : to + cells_.size() - from;
  }

  std::vector<Cell, TableAllocator<Cell>> cells_;
};

}  // namespace slipway::lease
