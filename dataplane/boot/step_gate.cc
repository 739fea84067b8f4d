#include "dataplane/boot/step_gate.h"

#include <algorithm>
#include <charconv>

#include "dataplane/base/random.h"

namespace slipway::boot {
namespace {

std::uint32_t KeyOf(const BootStep& step) noexcept {
  std::uint64_t key = Mix64((static_cast<std::uint64_t>(step.kind) << 1) | (step.ok ? 1 : 0));
  for (const char c : step.name.view()) {
    key = Mix64(key ^ static_cast<std::uint8_t>(c));
  }
  return static_cast<std::uint32_t>(key) | 1;  // 0 says free
}

void SayRepeats(BootStep& step, std::uint16_t repeats) noexcept {
  std::array<char, 8> number{};
  const auto [end, error] = std::to_chars(number.data(), number.data() + number.size(), repeats);
  (void)error;
  FixedString<32> text(step.name.empty() ? "(+" : " (+");
  (void)text.Append({number.data(), static_cast<std::size_t>(end - number.data())});
  (void)text.Append(")");
  (void)step.name.Append(text);
}

}  // namespace

StepGate::StepGate(const StepLimits& limits) : limits_(limits), clients_(limits.clients_max) {}

// Its own place, or the one that was told longest ago.
StepGate::Told& StepGate::FindTold(Entry& entry, std::uint32_t key) const noexcept {
  const auto found = std::ranges::find(entry.told, key, &Told::key);
  if (found != entry.told.end()) {
    return *found;
  }
  Told& oldest = *std::ranges::min_element(entry.told, {}, &Told::at);
  oldest = {.key = key, .at = Instant{} - limits_.quiet};
  return oldest;
}

// Also moves the step's pace on.
bool StepGate::IsTooSoon(Told& told, Instant now) const noexcept {
  const Duration since = now - told.at;
  if (since >= limits_.quiet) {
    told.doublings = 0;
    return false;
  }
  const Duration wait =
      std::min(limits_.repeat_min * (std::int64_t{1} << told.doublings), limits_.repeat_max);
  if (since < wait) {
    return true;
  }
  told.doublings = static_cast<std::uint8_t>(told.doublings + (wait < limits_.repeat_max ? 1 : 0));
  return false;
}

bool StepGate::Admit(BootStep& step, Instant now) noexcept {
  Entry& entry = clients_.FindOrTake(step.mac);
  entry.last = now;
  Told& told = FindTold(entry, KeyOf(step));
  const bool too_many = entry.theoretical - now > limits_.interval * (limits_.burst - 1);
  if (too_many || IsTooSoon(told, now)) {
    told.held = static_cast<std::uint16_t>(told.held + (told.held < UINT16_MAX ? 1 : 0));
    return false;
  }
  entry.theoretical = std::max(entry.theoretical, now) + limits_.interval;
  if (told.held > 0) {
    SayRepeats(step, told.held);
  }
  told.held = 0;
  told.at = now;
  return true;
}

Duration StepGate::SinceFirst(MacAddress mac, std::uint32_t xid, Instant now) noexcept {
  Entry& entry = clients_.FindOrTake(mac);
  const bool same = entry.last != Instant{} && entry.xid == xid && now - entry.last < limits_.quiet;
  entry.last = now;
  if (!same) {
    entry.xid = xid;
    entry.first = now;
  }
  return now - entry.first;
}

}  // namespace slipway::boot
