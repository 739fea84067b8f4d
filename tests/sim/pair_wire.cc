#include "tests/sim/pair_wire.h"

namespace slipway::sim {

void PairWire::SetEnd(std::size_t rack, PairWireEnd* end) {
  ends_[rack] = end;
  if (end == nullptr && world_->OneIn(2)) {
    world_->After(Duration::Millis(1), [this, other = 1 - rack] {
      if (ends_[other] != nullptr) {
        ends_[other]->OnPairDown();
      }
    });
  }
}

void PairWire::Send(std::size_t from, ByteSpan message) {
  const int copies = world_->OneIn(faults_.double_one_in) ? 2 : 1;
  if (world_->OneIn(faults_.lose_one_in)) {
    return;
  }
  for (int i = 0; i < copies; ++i) {
    const auto delay = static_cast<std::int64_t>(
        world_->random().Below(static_cast<std::uint64_t>(faults_.delay_max.ns) + 1));
    world_->After(Duration::Micros(50) + Duration::Nanos(delay),
                  [this, from, bytes = std::vector<std::byte>(message.begin(), message.end())] {
                    if (!faults_.blocked[from]) {
                      Deliver(1 - from, bytes);
                    }
                  });
  }
}

void PairWire::Deliver(std::size_t to, const std::vector<std::byte>& message) {
  if (ends_[to] != nullptr) {
    ends_[to]->OnPairMessage(message);
  }
}

}  // namespace slipway::sim
