// Replaces operator new of the program it is linked into, so that the seal sees allocations. In
// sanitizer builds operator new belongs to the sanitizer, which calls a hook of ours instead.
#include <cstddef>
#include <cstdlib>
#include <new>

#include "dataplane/shard/seal.h"

#if defined(SLIPWAY_SANITIZED)
// As in <sanitizer/allocator_interface.h>, which not every compiler package has.
// NOLINTNEXTLINE(bugprone-reserved-identifier): the name is not ours.
extern "C" int __sanitizer_install_malloc_and_free_hooks(void (*malloc_hook)(const volatile void*,
                                                                             std::size_t),
                                                         void (*free_hook)(const volatile void*));
#endif

namespace {

#if defined(SLIPWAY_SANITIZED)

void OnMalloc(const volatile void* /*memory*/, std::size_t /*bytes*/) {
  slipway::shard::seal_internal::OnAllocation();
}

void OnFree(const volatile void* /*memory*/) {}

#else

void* AllocateCounted(std::size_t bytes, std::size_t alignment) noexcept {
  slipway::shard::seal_internal::OnAllocation();
  void* memory = nullptr;
  if (alignment <= __STDCPP_DEFAULT_NEW_ALIGNMENT__) {
    memory = std::malloc(bytes == 0 ? 1 : bytes);
  } else {
    memory = std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  }
  return memory;
}

#endif

struct Installer {
  Installer() noexcept {
#if defined(SLIPWAY_SANITIZED)
    if (__sanitizer_install_malloc_and_free_hooks(OnMalloc, OnFree) != 0) {
      slipway::shard::seal_internal::SetHooked();
    }
#else
    slipway::shard::seal_internal::SetHooked();
#endif
  }
};

const Installer installer;

}  // namespace

#if !defined(SLIPWAY_SANITIZED)

// The array and nothrow forms of the library call these two. Out of memory ends the process: no
// caller of ours goes on without what it asked for.
void* operator new(std::size_t bytes) {
  void* const memory = AllocateCounted(bytes, 0);
  if (memory == nullptr) {
    std::abort();
  }
  return memory;
}

void* operator new(std::size_t bytes, std::align_val_t alignment) {
  void* const memory = AllocateCounted(bytes, static_cast<std::size_t>(alignment));
  if (memory == nullptr) {
    std::abort();
  }
  return memory;
}

void operator delete(void* memory) noexcept { std::free(memory); }

void operator delete(void* memory, std::size_t /*bytes*/) noexcept { std::free(memory); }

void operator delete(void* memory, std::align_val_t /*alignment*/) noexcept { std::free(memory); }

void operator delete(void* memory, std::size_t /*bytes*/, std::align_val_t /*alignment*/) noexcept {
  std::free(memory);
}

#endif
