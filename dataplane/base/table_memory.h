// Memory of tables that are made once and looked up at random: in huge pages where the kernel has
// them. With small ones a table of a hundred MiB costs a fault per 4 KiB at start and a walk of the
// page table per look-up after it.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdlib>
#include <new>
#include <type_traits>

#include "dataplane/base/check.h"

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

// A table that is perhaps never used, whose entries begin as zero bytes: what is not touched takes
// no memory. The size is fixed at construction, which ends the process if there is no address
// space.
template <typename T>
class UntouchedTable {
 public:
  static_assert(std::is_aggregate_v<T> || std::is_arithmetic_v<T>);
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

  explicit UntouchedTable(std::size_t size) : size_(size) {
    void* const memory = ::mmap(nullptr, Bytes(), PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    SLIP_CHECK(memory != MAP_FAILED);
    entries_ = static_cast<T*>(memory);
  }

  ~UntouchedTable() { (void)::munmap(entries_, Bytes()); }

  UntouchedTable(const UntouchedTable&) = delete;
  UntouchedTable& operator=(const UntouchedTable&) = delete;

  [[nodiscard]] std::size_t size() const noexcept { return size_; }

  // REQUIRES: index < size().
  [[nodiscard]] T& operator[](std::size_t index) noexcept { return entries_[index]; }

  [[nodiscard]] const T& operator[](std::size_t index) const noexcept { return entries_[index]; }

  [[nodiscard]] T* begin() noexcept { return entries_; }

  [[nodiscard]] T* end() noexcept { return entries_ + size_; }

 private:
  [[nodiscard]] std::size_t Bytes() const noexcept { return (size_ + 1) * sizeof(T); }

  std::size_t size_;
  T* entries_ = nullptr;
};

}  // namespace slipway
