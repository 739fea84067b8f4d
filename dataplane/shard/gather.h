// When a turn may wait for more packets. A turn costs a driver about as much for ten packets as for
// one: a shard that turns for each of them is busy to the brim with a third of what it can do, and
// has nothing left when more come.
#pragma once

#include <algorithm>
#include <cstdint>

#include "dataplane/base/time.h"

namespace slipway::shard {

// Turns begin no closer than this while packets come thick.
inline constexpr Duration kGatherSpan = Duration::Micros(200);
// Packets in a span from which on they come thick.
inline constexpr std::uint64_t kGatherPackets = 8;

// Only packets of handlers that gather wait; where others come too (a transfer that goes block by
// block waits for each answer), nothing does. One per driver; its thread.
class Gather {
 public:
  void OnPackets(std::uint64_t count, bool gathers) noexcept {
    packets_ += gathers ? count : 0;
    others_ = others_ || !gathers;
  }

  // At the end of each turn.
  void OnTurn(Instant now) noexcept {
    const Duration span = now - begun_;
    if (span < kGatherSpan) {
      return;
    }
    const auto spans = static_cast<std::uint64_t>(span.ns / kGatherSpan.ns);
    thick_ = !others_ && packets_ >= kGatherPackets * spans;
    begun_ = now;
    packets_ = 0;
    others_ = false;
  }

  // How long the next turn may wait; zero: it takes the first packet that comes.
  [[nodiscard]] Duration Left(Instant now) const noexcept {
    return thick_ ? std::max(Duration{}, begun_ + kGatherSpan - now) : Duration{};
  }

 private:
  Instant begun_;
  std::uint64_t packets_ = 0;
  bool others_ = false;
  bool thick_ = false;
};

}  // namespace slipway::shard
