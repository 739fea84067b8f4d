// Memory of tables that are made once and looked up at random: in huge pages where the kernel has
// them. With small ones a table of a hundred MiB costs a fault per 4 KiB at start and a walk of the
// page table per look-up after it.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdlib>
#include <new>

namespace slipway {

// For std::vector. Small tables are as with std::allocator.
template <typename T>
struct TableAllocator {
  using value_type = T;

  static constexpr std::size_t kHugePageBytes = std::size_t{2} << 20;

  TableAllocator() = default;

  template <typename U>
  TableAllocator(const TableAllocator<U>& /*other*/) noexcept {}  // NOLINT: as allocators must

  [[nodiscard]] T* allocate(std::size_t count) {
    const std::size_t bytes = count * sizeof(T);
    if (bytes < kHugePageBytes) {
      return static_cast<T*>(::operator new(bytes));
    }
    const std::size_t rounded = (bytes + kHugePageBytes - 1) / kHugePageBytes * kHugePageBytes;
    void* const memory = ::operator new (rounded, std::align_val_t{kHugePageBytes});
    (void)::madvise(memory, rounded, MADV_HUGEPAGE);
    return static_cast<T*>(memory);
  }

  void deallocate(T* memory, std::size_t count) noexcept {
    if (count * sizeof(T) < kHugePageBytes) {
      ::operator delete(memory);
    } else {
      ::operator delete (memory, std::align_val_t{kHugePageBytes});
    }
  }

  friend bool operator==(const TableAllocator&, const TableAllocator&) { return true; }
};

}  // namespace slipway
