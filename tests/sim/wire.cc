#include "tests/sim/wire.h"

#include <string>
#include <utility>

namespace slipway::sim {
namespace {

constexpr Duration kStalled = Duration::Millis(200);  // until TCP tries again

}  // namespace

Duration Wire::Delay() {
  const auto span = static_cast<std::uint64_t>(faults_.delay_max.ns);
  return Duration::Micros(50) +
         Duration::Nanos(static_cast<std::int64_t>(world_->random().Below(span + 1)));
}

Wire::Connection* Wire::Find(ConnectionId id) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) {
    return nullptr;
  }
  if (!found->second->rack_open && !found->second->region_open) {
    connections_.erase(found);
    return nullptr;
  }
  return found->second.get();
}

void Wire::SetRack(WireEnd* rack) {
  rack_ = rack;
  for (auto& [id, connection] : connections_) {
    if (std::exchange(connection->rack_open, false)) {
      connection->up.queue.clear();
      TellClosed(id, false, "reset by the rack");
    }
  }
}

void Wire::SetRegion(RegionWireEnd* region) {
  region_ = region;
  for (auto& [id, connection] : connections_) {
    if (std::exchange(connection->region_open, false)) {
      connection->down.queue.clear();
      TellClosed(id, true, "reset by the region");
    }
  }
}

ConnectionId Wire::Connect(const link::PublicKey& key) {
  const ConnectionId id = ++last_;
  auto connection = std::make_unique<Connection>();
  connection->key = key;
  connections_[id] = std::move(connection);
  world_->After(Delay() * 2, [this, id] { Shake(id); });
  return id;
}

void Wire::Shake(ConnectionId id) {
  Connection* const connection = Find(id);
  if (connection == nullptr || !connection->rack_open) {
    return;
  }
  if (blocked()) {
    world_->After(kStalled, [this, id] { Shake(id); });
    return;
  }
  if (region_ == nullptr) {
    TellClosed(id, true, "refused");
    return;
  }
  connection->accepted = true;
  connection->region_open = true;
  if (!region_->OnWireConnect(id, connection->key)) {
    Close(id, false);
  }
}

bool Wire::Send(ConnectionId id, bool up, ByteSpan message) {
  Connection* const connection = Find(id);
  if (connection == nullptr || !(up ? connection->rack_open : connection->region_open)) {
    return false;
  }
  Direction& direction = up ? connection->up : connection->down;
  if (direction.queue.size() >= kQueueMax) {
    return false;
  }
  direction.queue.emplace_back(message.begin(), message.end());
  if (!std::exchange(direction.pumping, true)) {
    world_->After(Delay(), [this, id, up] { Pump(id, up); });
  }
  return true;
}

void Wire::Pump(ConnectionId id, bool up) {
  Connection* const connection = Find(id);
  if (connection == nullptr) {
    return;
  }
  Direction& direction = up ? connection->up : connection->down;
  if (direction.queue.empty()) {
    direction.pumping = false;
    return;
  }
  if (!connection->accepted || (up ? faults_.up_blocked : faults_.down_blocked)) {
    world_->After(connection->accepted ? kStalled : Duration::Millis(5),
                  [this, id, up] { Pump(id, up); });
    return;
  }
  std::vector<std::byte> message = std::move(direction.queue.front());
  direction.queue.pop_front();
  world_->After(Delay(), [this, id, up] { Pump(id, up); });
  if (world_->OneIn(faults_.break_one_in)) {
    world_->Log("wire breaks");
    connection->up.queue.clear();
    connection->down.queue.clear();
    TellClosed(id, true, "broken");
    TellClosed(id, false, "broken");
    return;
  }
  Deliver(id, up, std::move(message));
}

// Damaged messages are those that a broken peer would send: TCP itself loses none.
void Wire::Deliver(ConnectionId id, bool up, std::vector<std::byte> message) {
  int copies = 1;
  if (world_->OneIn(faults_.damage_one_in) && !message.empty()) {
    switch (world_->random().Below(3)) {
      case 0:
        message.resize(world_->random().Below(message.size()));
        break;
      case 1:
        message[world_->random().Below(message.size())] ^= std::byte{0x10};
        break;
      default:
        copies = 2;
        break;
    }
    world_->Log("wire damages a message");
  }
  for (int i = 0; i < copies; ++i) {
    const Connection* const connection = Find(id);
    if (connection == nullptr) {
      return;
    }
    if (up && region_ != nullptr && connection->region_open) {
      region_->OnWireMessage(id, message);
    } else if (!up && rack_ != nullptr && connection->rack_open) {
      rack_->OnWireMessage(id, message);
    }
  }
}

void Wire::TellClosed(ConnectionId id, bool rack, std::string reason) {
  world_->After(Delay(), [this, id, rack, reason = std::move(reason)] {
    Connection* const connection = Find(id);
    if (connection == nullptr || !(rack ? connection->rack_open : connection->region_open)) {
      return;
    }
    if (rack ? faults_.down_blocked : faults_.up_blocked) {
      world_->After(kStalled, [this, id, rack, reason] { TellClosed(id, rack, reason); });
      return;
    }
    (rack ? connection->rack_open : connection->region_open) = false;
    WireEnd* const end = rack ? rack_ : region_;
    if (end != nullptr) {
      end->OnWireClosed(id, reason);
    }
  });
}

void Wire::Close(ConnectionId id, bool by_rack) {
  Connection* const connection = Find(id);
  if (connection == nullptr) {
    return;
  }
  (by_rack ? connection->rack_open : connection->region_open) = false;
  (by_rack ? connection->up : connection->down).queue.clear();
  TellClosed(id, !by_rack, by_rack ? "closed by the rack" : "closed by the region");
}

}  // namespace slipway::sim
