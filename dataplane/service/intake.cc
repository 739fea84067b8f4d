#include "dataplane/service/intake.h"

#include <algorithm>

#include "dataplane/base/check.h"

namespace slipway::service {

static_assert((kIntakeMax & (kIntakeMax - 1)) == 0);

// Not cleared: memory that is never used is never touched.
Intake::Intake(shard::Shard* shard, std::size_t reply_bytes)
    : shard_(shard),
      reply_bytes_(reply_bytes),
      kept_(std::make_unique_for_overwrite<Kept[]>(kIntakeMax)) {}

shard::Packet Intake::Kept::View() noexcept {
  shard::Packet packet;
  packet.data = MutableByteSpan(bytes).first(size);
  packet.source = source;
  packet.destination = destination;
  packet.ifindex = ifindex;
  packet.source_port = source_port;
  return packet;
}

void Intake::Keep(shard::PortId port, const shard::Packet& packet) {
  if (count_ == kIntakeMax) {
    counters_.dropped_oldest.Add();
    ++head_;
    --count_;
  }
  Kept& kept = kept_[(head_ + count_) & (kIntakeMax - 1)];
  ++count_;
  SLIP_CHECK(packet.data.size() <= kept.bytes.size());
  std::copy(packet.data.begin(), packet.data.end(), kept.bytes.begin());
  kept.size = static_cast<std::uint32_t>(packet.data.size());
  kept.port = port;
  kept.ifindex = packet.ifindex;
  kept.source = packet.source;
  kept.destination = packet.destination;
  kept.source_port = packet.source_port;
}

}  // namespace slipway::service
