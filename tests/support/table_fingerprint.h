// All of a lease table that a mere look must leave alone, as one number.
#pragma once

#include <cstdint>

#include "dataplane/base/random.h"
#include "dataplane/config/snapshot.h"
#include "dataplane/lease/lease_table.h"

namespace slipway::test {

inline std::uint64_t Fingerprint(const lease::LeaseTable& table, const config::Snapshot& snapshot) {
  std::uint64_t hash = table.size();
  const auto mix = [&hash](std::uint64_t value) { hash = Mix64(hash ^ value); };
  for (std::uint32_t slot = 0; slot < table.capacity(); ++slot) {
    const lease::Lease* lease = table.At(slot);
    if (lease == nullptr) {
      continue;
    }
    mix(lease::JournalKey(lease->address));
    mix(static_cast<std::uint64_t>(lease->state) << 8 | static_cast<std::uint64_t>(lease->before));
    mix(lease->mac.ToU64());
    mix(lease->client.low);
    mix(lease->version << 2 | (lease->durable ? 2U : 0U) | (lease->indexed ? 1U : 0U));
    mix(static_cast<std::uint64_t>(lease->granted.ns));
    mix(static_cast<std::uint64_t>(lease->ends.ns));
    mix(static_cast<std::uint64_t>(lease->horizon.ns));
    mix(static_cast<std::uint64_t>(lease->lease.ns));
  }
  for (const config::SubnetRecord& subnet : snapshot.subnets()) {
    const lease::PoolCounts counts = table.CountsOf(subnet.id);
    mix(counts.free);
    mix(std::uint64_t{counts.offered} << 32 | counts.bound);
    mix(std::uint64_t{counts.reusable} << 32 | counts.declined);
  }
  return hash;
}

}  // namespace slipway::test
