// Takes the inventories that machines post: checks the token, makes a fact of the document, and
// answers when it is durable in the journal. The document is not read here: the region does that.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "dataplane/base/bounded.h"
#include "dataplane/base/counter.h"
#include "dataplane/base/seams.h"
#include "dataplane/boot/loop_guard.h"
#include "dataplane/boot/step.h"
#include "dataplane/config/fixed_builder.h"
#include "dataplane/service/address_book.h"
#include "dataplane/service/fact_port.h"
#include "dataplane/service/inventory_sink.h"
#include "dataplane/service/machine_token.h"
#include "dataplane/service/serving.h"
#include "dataplane/service/shard_box.h"
#include "dataplane/shard/shard.h"

namespace slipway::service {

// Inventories between the peer and the disk at one time; more are told to come again.
inline constexpr std::uint32_t kInventoriesWaitingMax = 16;
inline constexpr std::size_t kInventoryFactBytesMax = limits::kInventoryBytesMax + 512;

struct InventoryCounters {
  Counter accepted;
  Counter repeated;   // a token that was used: answered as before, nothing logged
  Counter denied;     // no token, or one that is not worth anything
  Counter malformed;  // not a JSON object, or empty
  Counter busy;
  Counter durable;
};

// Tells the HTTP service that a post is durable (or that it is not to be).
class InventoryCompletion {
 public:
  virtual ~InventoryCompletion() = default;
  virtual void OnInventoryDone(std::uint64_t handle, bool durable, Instant now) = 0;
};

// Thread: the shard that serves HTTP.
class InventoryService final : public InventorySink, public FactListener, public shard::TurnHook {
 public:
  struct Parts {
    const ServingView* serving = nullptr;
    MachineTokens* tokens = nullptr;
    const PeerBook* peers = nullptr;
    FactPort* facts = nullptr;
    boot::LoopGuard* loops = nullptr;  // of this shard's scripts
    Clock* clock = nullptr;
  };

  explicit InventoryService(const Parts& parts);

  // Once, before the loop.
  void SetCompletion(InventoryCompletion* completion) noexcept { completion_ = completion; }

  // Once, before the loop: where else to say that a machine got as far as its inventory, so that
  // its boot is no loop. None: nobody is told.
  void SetProgress(ShardBox<MacAddress>* progress) noexcept { progress_ = progress; }

  [[nodiscard]] InventoryVerdict Submit(const InventoryPost& post, Instant now) override;
  void OnDurable(std::uint64_t durable, Instant now) override;
  void OnTurn(Instant now) override;

  [[nodiscard]] const InventoryCounters& counters() const noexcept { return counters_; }

 private:
  using Builder = config::FixedBuilder<kInventoryFactBytesMax>;

  struct Waiting {
    bool used = false;
    std::uint64_t position = 0;
    std::uint64_t handle = 0;
    TokenClaims claims;
    std::unique_ptr<Builder> builder;
  };

  [[nodiscard]] Waiting* Free() noexcept;
  [[nodiscard]] ByteSpan Encode(Waiting& slot, const InventoryPost& post,
                                const TokenClaims& claims) const;
  void RecordStep(const TokenClaims& claims, std::size_t bytes);

  Parts parts_;
  InventoryCompletion* completion_ = nullptr;
  ShardBox<MacAddress>* progress_ = nullptr;
  std::array<Waiting, kInventoriesWaitingMax> waiting_;
  // Handles of repeated posts: Submit may not answer, the end of the turn does.
  FixedRing<std::uint64_t, 64> repeated_;
  boot::StepEncoder step_encoder_;
  InventoryCounters counters_;
};

}  // namespace slipway::service
