// Carries peers from the DHCP shard to the shard that serves files.
#pragma once

#include <memory>

#include "dataplane/service/address_book.h"
#include "dataplane/shard/driver.h"
#include "dataplane/shard/mailbox.h"

namespace slipway::service {

// Peers under way at one time; at 100,000 leases a second, 160 ms of the other shard's absence.
inline constexpr std::uint32_t kPeersUnderWayMax = 16'384;
inline constexpr std::size_t kPeersPerTurnMax = 1'024;

// OnPeer belongs to the DHCP shard, the rest to the file shard. Full: the peer is refused and
// counted; its machine is told 404 for its script until it renews.
class PeerBox final : public PeerSink, public shard::WatchHandler {
 public:
  // `target` outlives the box.
  [[nodiscard]] static Result<std::unique_ptr<PeerBox>> Create(PeerSink* target) {
    return std::unique_ptr<PeerBox>(
        new PeerBox(SLIP_TRY(shard::Mailbox<Peer>::Create(kPeersUnderWayMax)), target));
  }

  // Before the file shard is sealed.
  [[nodiscard]] Result<void> Attach(shard::Driver& driver) {
    SLIP_TRY(driver.AddWatch(box_->wake_fd(), shard::kReadable, this));
    return {};
  }

  void OnPeer(const Peer& peer) override {
    // A refusal is counted by the box.
    (void)box_->Push(Peer{peer});
    box_->Notify();
  }

  void OnReady(shard::WatchId /*watch*/, std::uint32_t /*events*/, Instant /*now*/) override {
    (void)box_->Drain(kPeersPerTurnMax, [this](Peer& peer) { target_->OnPeer(peer); });
  }

  [[nodiscard]] std::uint64_t refused() const noexcept { return box_->refused(); }

 private:
  PeerBox(std::unique_ptr<shard::Mailbox<Peer>> box, PeerSink* target) noexcept
      : box_(std::move(box)), target_(target) {}

  std::unique_ptr<shard::Mailbox<Peer>> box_;
  PeerSink* target_;
};

}  // namespace slipway::service
