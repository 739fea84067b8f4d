// Carries small messages from one shard to another: a mailbox that the receiving shard's driver
// watches.
#pragma once

#include <cstdint>
#include <memory>

#include "dataplane/service/address_book.h"
#include "dataplane/shard/driver.h"
#include "dataplane/shard/mailbox.h"

namespace slipway::service {

// Messages under way at one time; at 100,000 a second, 160 ms of the other shard's absence. Full:
// the message is refused and counted.
inline constexpr std::uint32_t kBoxMessagesMax = 16'384;
inline constexpr std::size_t kBoxMessagesPerTurnMax = 1'024;

// Send belongs to the sending shard, the rest to the receiving one.
template <typename T>
class ShardBox final : public shard::WatchHandler {
 public:
  // Called on the receiving shard.
  using Deliver = void (*)(void* target, const T& message);

  // `target` outlives the box.
  [[nodiscard]] static Result<std::unique_ptr<ShardBox>> Create(void* target, Deliver deliver) {
    return std::unique_ptr<ShardBox>(
        new ShardBox(SLIP_TRY(shard::Mailbox<T>::Create(kBoxMessagesMax)), target, deliver));
  }

  // Before the receiving shard is sealed.
  [[nodiscard]] Result<void> Attach(shard::Driver& driver) {
    SLIP_TRY(driver.AddWatch(box_->wake_fd(), shard::kReadable, this));
    return {};
  }

  void Send(const T& message) noexcept {
    // A refusal is counted by the box.
    (void)box_->Push(T{message});
    box_->Notify();
  }

  void OnReady(shard::WatchId /*watch*/, std::uint32_t /*events*/, Instant /*now*/) override {
    (void)box_->Drain(kBoxMessagesPerTurnMax, [this](T& message) { deliver_(target_, message); });
  }

  [[nodiscard]] std::uint64_t refused() const noexcept { return box_->refused(); }

 private:
  ShardBox(std::unique_ptr<shard::Mailbox<T>> box, void* target, Deliver deliver) noexcept
      : box_(std::move(box)), target_(target), deliver_(deliver) {}

  std::unique_ptr<shard::Mailbox<T>> box_;
  void* target_;
  Deliver deliver_;
};

// Peers from the DHCP shard to the shard that serves files. A peer that is refused is told 404 for
// its script until it renews.
class PeerBox final : public PeerSink {
 public:
  // `target` outlives the box.
  [[nodiscard]] static Result<std::unique_ptr<PeerBox>> Create(PeerSink* target) {
    const auto deliver = [](void* sink, const Peer& peer) {
      static_cast<PeerSink*>(sink)->OnPeer(peer);
    };
    return std::unique_ptr<PeerBox>(new PeerBox(SLIP_TRY(ShardBox<Peer>::Create(target, deliver))));
  }

  [[nodiscard]] Result<void> Attach(shard::Driver& driver) { return box_->Attach(driver); }

  void OnPeer(const Peer& peer) override { box_->Send(peer); }

 private:
  explicit PeerBox(std::unique_ptr<ShardBox<Peer>> box) noexcept : box_(std::move(box)) {}

  std::unique_ptr<ShardBox<Peer>> box_;
};

}  // namespace slipway::service
