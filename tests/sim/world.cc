#include "tests/sim/world.h"

#include <algorithm>

namespace slipway::sim {

void World::After(Duration delay, Event event) {
  const Instant at = now_ + std::max(delay, Duration::Nanos(1));
  events_.emplace(std::pair(at.ns, next_order_++), std::move(event));
}

void World::RunFor(Duration span) {
  const Instant end = now_ + span;
  while (!events_.empty() && events_.begin()->first.first <= end.ns) {
    auto first = events_.extract(events_.begin());
    now_ = Instant{first.key().first};
    first.mapped()();
  }
  now_ = end;
}

void World::Log(std::string_view line) {
  hash_ = Mix64(hash_ ^ static_cast<std::uint64_t>(now_.ns));
  for (const char c : line) {
    hash_ = Mix64(hash_ ^ static_cast<unsigned char>(c));
  }
  ++lines_;
  if (tail_.size() == kTailLines) {
    tail_.erase(tail_.begin());
  }
  tail_.push_back(std::to_string(now_.ns / 1'000'000) + " ms: " + std::string(line));
}

std::string World::Tail() const {
  std::string text;
  for (const std::string& line : tail_) {
    text += line + "\n";
  }
  return text;
}

}  // namespace slipway::sim
