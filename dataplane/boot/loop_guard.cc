#include "dataplane/boot/loop_guard.h"

#include "dataplane/base/random.h"

namespace slipway::boot {

std::uint64_t StageKey(std::string_view what) noexcept {
  std::uint64_t key = 0;
  for (const char c : what) {
    key = Mix64(key ^ static_cast<std::uint64_t>(c));
  }
  return key;
}

LoopGuard::LoopGuard(const LoopOptions& options)
    : options_(options), clients_(options.clients_max) {}

bool LoopGuard::IsBlocked(MacAddress mac, Instant now) const noexcept {
  const Entry* const entry = clients_.Find(mac);
  return entry != nullptr && now < entry->blocked_until;
}

LoopVerdict LoopGuard::Observe(MacAddress mac, const LoopStage& stage, std::uint32_t attempt,
                               Instant now) noexcept {
  return Advance(clients_.FindOrTake(mac), stage, attempt, now);
}

LoopVerdict LoopGuard::Preview(MacAddress mac, const LoopStage& stage, std::uint32_t attempt,
                               Instant now) const noexcept {
  const Entry* const found = clients_.Find(mac);
  Entry entry = found == nullptr ? Entry{} : *found;
  return Advance(entry, stage, attempt, now);
}

LoopVerdict LoopGuard::Advance(Entry& entry, const LoopStage& stage, std::uint32_t attempt,
                               Instant now) const noexcept {
  if (now < entry.blocked_until) {
    return LoopVerdict::kLoop;
  }
  const bool repeat =
      entry.repeats > 0 && entry.stage_key == stage.key && now - entry.first <= stage.window;
  if (repeat && entry.attempt == attempt) {
    return LoopVerdict::kFine;
  }
  entry.attempt = attempt;
  if (!repeat) {
    entry.stage_key = stage.key;
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
  if (clients_.Find(mac) != nullptr) {
    clients_.FindOrTake(mac) = Entry{};
  }
}

}  // namespace slipway::boot
