// Where the details of leases are kept (client ids, host names): few are long, so they share memory
// in small chunks instead of each having room for the longest.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "dataplane/base/cursor.h"
#include "dataplane/base/table_memory.h"
#include "dataplane/lease/lease.h"

namespace slipway::lease {

// Owner: a lease table; its thread. All memory at construction. A detail that finds no room is not
// kept (and counted): it is for people and records, no promise depends on it.
class DetailArena {
 public:
  // Handles of no detail, and of one that found no room.
  static constexpr std::uint32_t kNothing = kNone;
  static constexpr std::uint32_t kNoRoom = kNone - 1;

  explicit DetailArena(std::uint32_t chunks_max);

  [[nodiscard]] static std::uint64_t BytesFor(std::uint32_t chunks_max) noexcept {
    return std::uint64_t{chunks_max} * sizeof(Chunk);
  }

  // Replaces what `handle` stands for.
  void Assign(std::uint32_t& handle, const LeaseDetail& detail) noexcept;
  void Release(std::uint32_t& handle) noexcept;
  // Empty fields for kNothing and kNoRoom.
  [[nodiscard]] LeaseDetail Read(std::uint32_t handle) const noexcept;
  // Also true of one that found no room: nothing is known that could differ.
  [[nodiscard]] bool Equals(std::uint32_t handle, const LeaseDetail& detail) const noexcept;

  [[nodiscard]] std::uint32_t chunks_free() const noexcept { return free_count_; }

  [[nodiscard]] std::uint64_t dropped() const noexcept { return dropped_; }

 private:
  static constexpr std::size_t kChunkBytes = 28;

  struct Chunk {
    std::uint32_t next = kNothing;
    std::array<std::byte, kChunkBytes> bytes;
  };

  // Both fields as they lie in the chunks: their sizes, then their bytes.
  struct Flat {
    std::array<std::byte, 2 + kClientIdBytesMax + limits::kHostnameBytesMax> bytes;
    std::size_t size = 0;

    explicit Flat(const LeaseDetail& detail) noexcept;
    Flat() noexcept = default;
  };

  std::vector<Chunk, TableAllocator<Chunk>> chunks_;
  std::uint32_t free_head_ = kNothing;
  std::uint32_t free_count_ = 0;
  std::uint64_t dropped_ = 0;
};

}  // namespace slipway::lease
