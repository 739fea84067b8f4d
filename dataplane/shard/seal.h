// The allocation seal: a shard that has started takes no memory any more.
//
// The counting half is here; the replaced operator new (in sanitizer builds a malloc hook) is the
// object library slipway_shard_seal, which programs and tests link themselves. Without it the seal
// sees nothing. Memory taken by C libraries with malloc is seen in sanitizer builds only.
#pragma once

#include <cstddef>
#include <cstdint>

namespace slipway::shard {

// From here on an allocation on this thread aborts (SLIPWAY_SEAL_ABORTS: dev and test builds) or is
// counted.
void Seal() noexcept;

// Ends the seal of this thread, for tear-down only.
void Unseal() noexcept;

[[nodiscard]] bool IsSealed() noexcept;

// Allocations made on sealed threads since the start of the process. Any thread.
[[nodiscard]] std::uint64_t AllocationsOnSealedShards() noexcept;

// Allocations of the calling thread, sealed or not, since it began: for benches and tests.
[[nodiscard]] std::uint64_t AllocationsOnThisThread() noexcept;

// True if the hook is linked into this program.
[[nodiscard]] bool SealIsHooked() noexcept;

namespace seal_internal {

// Called by the hook for each allocation, before it is made.
void OnAllocation() noexcept;
void SetHooked() noexcept;

}  // namespace seal_internal
}  // namespace slipway::shard
