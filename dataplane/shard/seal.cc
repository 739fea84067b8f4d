#include "dataplane/shard/seal.h"

#include <atomic>

#include "dataplane/base/check.h"

namespace slipway::shard {

namespace {

// The one mutable state of the process that is no object's: operator new has no other way to know
// on whose behalf it is called.
constinit thread_local bool this_thread_is_sealed = false;
constinit thread_local std::uint64_t this_thread_allocations = 0;
constinit std::atomic<std::uint64_t> sealed_allocations{0};
constinit std::atomic<bool> hooked{false};

}  // namespace

void Seal() noexcept { this_thread_is_sealed = true; }

void Unseal() noexcept { this_thread_is_sealed = false; }

bool IsSealed() noexcept { return this_thread_is_sealed; }

std::uint64_t AllocationsOnSealedShards() noexcept {
  return sealed_allocations.load(std::memory_order_relaxed);
}

std::uint64_t AllocationsOnThisThread() noexcept { return this_thread_allocations; }

bool SealIsHooked() noexcept { return hooked.load(std::memory_order_relaxed); }

namespace seal_internal {

void OnAllocation() noexcept {
  ++this_thread_allocations;
  if (!this_thread_is_sealed) [[likely]] {
    return;
  }
  sealed_allocations.fetch_add(1, std::memory_order_relaxed);
#if defined(SLIPWAY_SEAL_ABORTS)
  // Lowered first: what prints the message may allocate too.
  this_thread_is_sealed = false;
  CheckFailed(__FILE__, __LINE__, "no allocation on a sealed shard");
#endif
}

void SetHooked() noexcept { hooked.store(true, std::memory_order_relaxed); }

}  // namespace seal_internal
}  // namespace slipway::shard
