// What a guard remembers of each client, by MAC: fixed memory, a few places per bucket, and the
// client of a full bucket that was seen longest ago gives way.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "dataplane/base/address.h"
#include "dataplane/base/random.h"
#include "dataplane/base/time.h"

namespace slipway::boot {

// `Entry` has `std::uint64_t mac` (0: free) and `Instant last` (when it was seen). One thread. All
// memory at construction.
template <typename Entry>
class ClientTable {
 public:
  explicit ClientTable(std::size_t clients_max)
      : entries_(std::bit_ceil(std::max(clients_max, kWays))) {}

  // nullptr: not known.
  [[nodiscard]] const Entry* Find(MacAddress mac) const noexcept {
    const Entry* const bucket = &entries_[BucketOf(mac.ToU64())];
    const Entry* const found =
        std::find_if(bucket, bucket + kWays,
                     [key = mac.ToU64()](const Entry& entry) { return entry.mac == key; });
    return found == bucket + kWays ? nullptr : found;
  }

  [[nodiscard]] Entry& FindOrTake(MacAddress mac) noexcept {
    if (const Entry* const found = Find(mac); found != nullptr) {
      return entries_[static_cast<std::size_t>(found - entries_.data())];
    }
    Entry* const bucket = &entries_[BucketOf(mac.ToU64())];
    Entry& stalest = *std::min_element(
        bucket, bucket + kWays, [](const Entry& a, const Entry& b) { return a.last < b.last; });
    stalest = Entry{};
    stalest.mac = mac.ToU64();
    return stalest;
  }

 private:
  static constexpr std::size_t kWays = 4;

  [[nodiscard]] std::size_t BucketOf(std::uint64_t mac) const noexcept {
    const std::size_t buckets = entries_.size() / kWays;
    return (Mix64(mac) & (buckets - 1)) * kWays;
  }

  std::vector<Entry> entries_;
};

}  // namespace slipway::boot
