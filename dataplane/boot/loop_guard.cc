#include "dataplane/boot/loop_guard.h"

#include <algorithm>
#include <bit>

#include "dataplane/base/random.h"

namespace slipway::boot {

LoopGuard::LoopGuard(const LoopOptions& options)
    : options_(options), entries_(std::bit_ceil(std::max(options.clients_max, kWays))) {}

std::size_t LoopGuard::BucketOf(std::uint64_t mac) const noexcept {
  const std::size_t buckets = entries_.size() / kWays;
  return (Mix64(mac) & (buckets - 1)) * kWays;
}

const LoopGuard::Entry* LoopGuard::Find(std::uint64_t mac) const noexcept {
  const Entry* const bucket = &entries_[BucketOf(mac)];
  const Entry* const found =
      std::find_if(bucket, bucket + kWays, [&](const Entry& entry) { return entry.mac == mac; });
  return found == bucket + kWays ? nullptr : found;
}

LoopGuard::Entry& LoopGuard::FindOrTake(std::uint64_t mac) noexcept {
  if (const Entry* const found = Find(mac); found != nullptr) {
    return entries_[static_cast<std::size_t>(found - entries_.data())];
  }
  Entry* const bucket = &entries_[BucketOf(mac)];
  Entry& stalest = *std::min_element(
      bucket, bucket + kWays, [](const Entry& a, const Entry& b) { return a.last < b.last; });
  stalest = Entry{};
  stalest.mac = mac;
  return stalest;
}

bool LoopGuard::IsBlocked(MacAddress mac, Instant now) const noexcept {
  const Entry* entry = Find(mac.ToU64());
  return entry != nullptr && now < entry->blocked_until;
}

LoopVerdict LoopGuard::Observe(MacAddress mac, std::uint64_t stage_key, std::uint32_t attempt,
                               Instant now) noexcept {
  return Advance(FindOrTake(mac.ToU64()), stage_key, attempt, now);
}

LoopVerdict LoopGuard::Preview(MacAddress mac, std::uint64_t stage_key, std::uint32_t attempt,
                               Instant now) const noexcept {
  const Entry* const found = Find(mac.ToU64());
  Entry entry = found == nullptr ? Entry{} : *found;
  return Advance(entry, stage_key, attempt, now);
}

LoopVerdict LoopGuard::Advance(Entry& entry, std::uint64_t stage_key, std::uint32_t attempt,
                               Instant now) const noexcept {
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
  if (Find(mac.ToU64()) != nullptr) {
    FindOrTake(mac.ToU64()) = Entry{};
  }
}

}  // namespace slipway::boot
