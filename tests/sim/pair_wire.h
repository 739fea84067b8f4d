// What is between the two racks of a pair: messages may be lost, doubled, delayed, reordered, and
// stopped in either direction.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "dataplane/base/cursor.h"
#include "tests/sim/world.h"

namespace slipway::sim {

struct PairWireFaults {
  std::array<bool, 2> blocked{};  // what the first, the second rack says does not arrive
  std::uint64_t lose_one_in = 0;
  std::uint64_t double_one_in = 0;
  Duration delay_max = Duration::Millis(1);
};

class PairWireEnd {
 public:
  virtual ~PairWireEnd() = default;
  virtual void OnPairMessage(ByteSpan message) = 0;
  // The transport has found that the other one is gone.
  virtual void OnPairDown() = 0;
};

class PairWire {
 public:
  explicit PairWire(World* world) : world_(world) {}

  void SetFaults(const PairWireFaults& faults) { faults_ = faults; }

  [[nodiscard]] const PairWireFaults& faults() const { return faults_; }

  // Null: its process is dead, which the other one hears of, or not.
  void SetEnd(std::size_t rack, PairWireEnd* end);
  void Send(std::size_t from, ByteSpan message);

 private:
  void Deliver(std::size_t to, const std::vector<std::byte>& message);

  World* world_;
  PairWireFaults faults_;
  std::array<PairWireEnd*, 2> ends_{};
};

}  // namespace slipway::sim
