// Binds one rack of a pair (dataplane/lease/pair_core.h) to the shard that owns the leases: follows
// the configuration, carries messages to and from the pair link's thread, logs what the partner
// tells, keeps the timer. Decides nothing.
#pragma once

#include <cstdint>
#include <optional>

#include "dataplane/base/bounded.h"
#include "dataplane/base/counter.h"
#include "dataplane/base/seams.h"
#include "dataplane/lease/pair_core.h"
#include "dataplane/lease/record.h"
#include "dataplane/service/address_book.h"
#include "dataplane/service/fact_port.h"
#include "dataplane/service/pair_box.h"
#include "dataplane/service/rack_event.h"
#include "dataplane/service/serving.h"
#include "dataplane/shard/shard.h"

namespace slipway::service {

// Messages of the partner that are taken in one turn: packets come in between.
inline constexpr std::size_t kPairParcelsPerTurnMax = 16;
// A word of the region that is older says nothing about the present.
inline constexpr Duration kRegionWordFresh = Duration::Seconds(2);
// How often it is kept on disk that the rack serves in its own right.
inline constexpr Duration kRightEvery = Duration::Seconds(10);

// What outlives the process, as it was found at start (dataplane/main/pair_store.h).
struct PairMemory {
  std::uint64_t store = 0;  // of the state directory
  std::uint64_t pair = 0;   // whose the following is; 0: none
  std::uint64_t partner_store = 0;
  lease::Stamp right;  // when the rack last served in its own right; boot id 0: never
};

// What the configuration says of the pair that this rack is one of.
struct PairSetting {
  lease::PairOptions options;  // pair 0: this rack is alone
  lease::PairOrder order;
  FixedString<63> partner;  // name
};

[[nodiscard]] PairSetting PairSettingOf(const config::Snapshot& snapshot);

struct PairServiceCounters {
  Counter state;          // lease::PairState, now
  Counter partner_state;  // likewise, as it said last; off: not in a session
  Counter log_refused;    // the journal had no room for what the partner told
  Counter send_refused;   // the mailbox had no room
};

// Thread: the shard's. Memory: in the constructor.
class PairService final : public lease::PairPort,
                          public shard::TimerHandler,
                          public shard::TurnHook,
                          public shard::WatchHandler,
                          public FactListener {
 public:
  struct Parts {
    shard::Shard* shard = nullptr;
    const ServingView* serving = nullptr;
    lease::LeaseTable* leases = nullptr;
    lease::PairRules* rules = nullptr;
    FactPort* facts = nullptr;
    PeerSink* peers = nullptr;
    EventSink* events = nullptr;
    Clock* clock = nullptr;
    Random* random = nullptr;
    PairBox* box = nullptr;
    PairMemory memory;
  };

  // All parts outlive the service.
  explicit PairService(const Parts& parts);

  // Before the shard is sealed. Its hook comes before the journal's.
  [[nodiscard]] Result<void> Start();

  // Before a packet is decided about: the configuration may have changed. Cheap if not.
  void Follow() {
    if (generation_ != parts_.serving->generation()) [[unlikely]] {
      OnGeneration();
    }
  }

  [[nodiscard]] lease::PairCore& core() noexcept { return core_; }

  [[nodiscard]] const lease::PairCore& core() const noexcept { return core_; }

  [[nodiscard]] const PairServiceCounters& counters() const noexcept { return counters_; }

  // For people.
  struct Report {
    PairSetting setting;
    lease::PairReport pair;
  };

  [[nodiscard]] Report Describe(Instant now) const;

  // ---- the shard's and the journal's calls ----
  void OnReady(shard::WatchId watch, std::uint32_t events, Instant now) override;
  void OnTimer(std::uint64_t cookie, Instant now) override;
  void OnTurn(Instant now) override;
  void OnDurable(std::uint64_t durable, Instant now) override;

  // ---- lease::PairPort ----
  void SendToPartner(ByteSpan message) override;
  [[nodiscard]] bool Log(const lease::Lease& lease, std::uint64_t& position) override;
  void RememberPartner(std::uint64_t store) override;
  void OnPairState(lease::PairState from, lease::PairState to) override;
  void OnPairConflict(const lease::Lease& kept) override;

 private:
  void OnGeneration();
  void Begin(const PairSetting& setting, Instant now);
  void OnParcel(const PairParcel& parcel, Instant now);
  void OnRemembered(const PairWord& word, Instant now);
  void TellRight(Instant now);
  void Arm();
  [[nodiscard]] lease::Now ReadNow(Instant now);

  Parts parts_;
  lease::PairCore core_;
  lease::LeaseEncoder encoder_;
  PairSetting setting_;
  std::uint64_t incarnation_;
  std::uint64_t generation_ = 0;  // of the hand-over that setting_ is of
  bool served_alone_ = false;     // a configuration without a pair was served
  bool sent_ = false;             // something was put into the box in this turn
  Instant right_told_;
  bool wall_synchronised_ = false;
  Instant wall_asked_;
  Instant now_;  // of the call under way
  shard::TimerHandle timer_;
  Instant armed_ = Instant::Never();
  PairServiceCounters counters_;
};

}  // namespace slipway::service
