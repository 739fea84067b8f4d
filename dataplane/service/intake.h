// Packets on their way to a DHCP engine: decided about at once while there is room for whatever
// comes of them, else taken out of the socket's buffer and kept until their turn comes, oldest
// first.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "dataplane/base/counter.h"
#include "dataplane/base/limits.h"
#include "dataplane/shard/shard.h"

namespace slipway::service {

// Packets that may wait for their turn. When it is full the oldest is dropped: its client has
// waited longest, and will ask again soonest.
inline constexpr std::uint32_t kIntakeMax = 4096;
// Packets decided about in one turn; what comes on top of it waits.
inline constexpr std::uint32_t kPacketsPerTurnMax = 512;

struct IntakeCounters {
  Counter packets_waiting;    // now: for their turn
  Counter dropped_oldest;     // waited for their turn when kIntakeMax newer ones came
  Counter dropped_truncated;  // longer than our buffers
};

// One per service; the shard's thread. Memory: all in the constructor.
class Intake {
 public:
  // `shard` outlives this. A reply takes `reply_bytes` of a transmit buffer at most.
  Intake(shard::Shard* shard, std::size_t reply_bytes);

  // Calls `decide(port, packet)` for packets while `room()` says that a reply could wait; keeps the
  // others.
  template <typename Room, typename Decide>
  void Receive(shard::PortId port, std::span<const shard::Packet> packets, const Room& room,
               const Decide& decide) {
    for (const shard::Packet& packet : packets) {
      if (packet.truncated) {
        counters_.dropped_truncated.Add();
      } else if (count_ == 0 && HasRoom(room)) {
        decide(port, packet);
      } else {
        Keep(port, packet);
      }
    }
  }

  // Packets that waited, oldest first. Call once in each turn, then EndTurn.
  template <typename Room, typename Decide>
  void WorkOff(const Room& room, const Decide& decide) {
    while (count_ > 0 && HasRoom(room)) {
      Kept& kept = kept_[head_ & (kIntakeMax - 1)];
      decide(kept.port, kept.View());
      ++head_;
      --count_;
    }
  }

  // The next turn brings new transmit buffers; it does not wait if a packet has room to go on.
  template <typename Room>
  void EndTurn(const Room& room) {
    tx_ = {};
    turn_packets_ = 0;
    counters_.packets_waiting.Set(count_);
    if (count_ > 0 && room()) {
      shard_->RequestTurn();
    }
  }

  // For the packet being decided about: where its reply is built. Used again for the next packet,
  // unless the driver got it.
  [[nodiscard]] MutableByteSpan tx() const noexcept { return tx_; }

  void TxGiven() noexcept { tx_ = {}; }

  [[nodiscard]] bool empty() const noexcept { return count_ == 0; }

  [[nodiscard]] const IntakeCounters& counters() const noexcept { return counters_; }

 private:
  struct Kept {
    std::uint32_t size;
    shard::PortId port;
    std::uint32_t ifindex;
    IpAddress source;
    IpAddress destination;
    std::uint16_t source_port;
    std::array<std::byte, limits::kPacketBytesMax> bytes;

    [[nodiscard]] shard::Packet View() noexcept;
  };

  template <typename Room>
  [[nodiscard]] bool HasRoom(const Room& room) {
    if (turn_packets_ == kPacketsPerTurnMax || !room() || !HasTx()) {
      return false;
    }
    ++turn_packets_;
    return true;
  }

  [[nodiscard]] bool HasTx() {
    if (tx_.empty()) [[unlikely]] {
      tx_ = shard_->driver().AllocateTx();
    }
    return tx_.size() >= reply_bytes_;
  }

  void Keep(shard::PortId port, const shard::Packet& packet);

  shard::Shard* shard_;
  std::size_t reply_bytes_;
  MutableByteSpan tx_;  // a transmit buffer of this turn that is not used yet
  std::uint32_t turn_packets_ = 0;
  std::unique_ptr<Kept[]> kept_;  // a ring of kIntakeMax, oldest at head_
  std::uint32_t head_ = 0;
  std::uint32_t count_ = 0;
  IntakeCounters counters_;
};

}  // namespace slipway::service
