#include "dataplane/boot/loop_guard.h"

#include <algorithm>
#include <bit>

#include "dataplane/base/random.h"

namespace slipway::boot {

LoopGuard::LoopGuard(const LoopOptions& options)
    : options_(options), entries_(std::bit_ceil(std::max(options.clients_max, kWays))) {}

LoopGuard::Entry* LoopGuard::Bucket(std::uint64_t mac) noexcept {
  const std::size_t buckets = entries_.size() / kWays;
  return &entries_[(Mix64(mac) & (buckets - 1)) * kWays];
}

LoopGuard::Entry* LoopGuard::Find(std::uint64_t mac) noexcept {
  Entry* const bucket = Bucket(mac);
  Entry* const found =
      std::find_if(bucket, bucket + kWays, [&](const Entry& entry) { return entry.mac == mac; });
  return found == bucket + kWays ? nullptr : found;
}

LoopGuard::Entry& LoopGuard::FindOrTake(std::uint64_t mac) noexcept {
  Entry* found = Find(mac);
  if (found == nullptr) {
    Entry* const bucket = Bucket(mac);
    found = std::min_element(bucket, bucket + kWays,
                             [](const Entry& a, const Entry& b) { return a.last < b.last; });
    *found = Entry{};
    found->mac = mac;
  }
  return *found;
}

bool LoopGuard::IsBlocked(MacAddress mac, Instant now) noexcept {
  const Entry* entry = Find(mac.ToU64());
  return entry != nullptr && now < entry->blocked_until;
}

LoopVerdict LoopGuard::Observe(MacAddress mac, std::uint64_t stage_key, std::uint32_t attempt,
                               Instant now) noexcept {
  Entry& entry = FindOrTake(mac.ToU64());
  if (now < entry.blocked_until) {
    return LoopVerdict::kLoop;
  }
  const bool repeat =
      entry.repeats > 0 && entry.stage_key == stage_key && now - entry.first <= options_.window;
  if (repeat && entry.attempt == attempt) {
    return LoopVerdict::kFine;
  }
  entry.attempt = attempt;
  if (!repeat) {
    entry.stage_key = stage_key;
    entry.first = now;
    entry.repeats = 0;
  }
  entry.last = now;
  ++entry.repeats;
  if (entry.repeats < options_.repeats_max) {
    return LoopVerdict::kFine;
  }
  entry.repeats = 0;
  entry.blocked_until = now + options_.cool_down;
  return LoopVerdict::kLoopFound;
}

void LoopGuard::Progress(MacAddress mac) noexcept {
  Entry* const entry = Find(mac.ToU64());
  if (entry != nullptr) {
    *entry = Entry{};
  }
}

}  // namespace slipway::boot
