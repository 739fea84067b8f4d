// The pair link of a rack put together: the thread that speaks to the partner, its mailboxes to the
// DHCP shard, and the configuration that says who the partner is.
#pragma once

#include <optional>

#include "dataplane/config/snapshot.h"
#include "dataplane/link/pair_end.h"
#include "dataplane/service/pair_box.h"

namespace slipway::rack {

// What the configuration says; nullopt: the rack is in no pair.
[[nodiscard]] std::optional<link::PairPeer> PairPeerOf(const config::Snapshot& snapshot);

// Pair link's thread.
class PairMail final : public link::PairTraffic {
 public:
  // Outlives this.
  explicit PairMail(service::PairBox* box) noexcept : box_(box) {}

  [[nodiscard]] int outgoing_fd() const override { return box_->to_partner->wake_fd(); }

  void TakeOutgoing(link::MessageOutput& out) override;
  [[nodiscard]] bool OnMessage(ByteSpan message) override;
  void OnDown() override;

 private:
  service::PairBox* box_;
};

}  // namespace slipway::rack
