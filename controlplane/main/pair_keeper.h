// Keeps what the region knows of pairs of racks: asks both racks of each pair what state they are
// in, records in the pair that they have met, declares a rack down where the pair's timer says so,
// and makes events of both. What is decided is in controlplane/model/pair_watch.h.
//
// Runs on the executor's thread. Bounded by the pairs of the model.
#pragma once

#include <boost/json/object.hpp>

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "controlplane/api/api.h"
#include "controlplane/api/metrics.h"
#include "controlplane/model/live_model.h"
#include "controlplane/model/pair_watch.h"
#include "controlplane/store/facts_store.h"
#include "dataplane/base/log.h"
#include "dataplane/base/seams.h"

namespace slipway::region {

class PairKeeper final : public api::PairBoard, public api::MetricsSource {
 public:
  struct Parts {
    model::LiveModel* model = nullptr;
    store::FactsStore* facts = nullptr;
    api::RackControl* racks = nullptr;
    api::Executor* executor = nullptr;
    Clock* clock = nullptr;
    LogSink* log = nullptr;
  };

  // All parts outlive it, but the executor, which may end before.
  explicit PairKeeper(Parts parts);
  ~PairKeeper() override;
  PairKeeper(const PairKeeper&) = delete;
  PairKeeper& operator=(const PairKeeper&) = delete;

  void Start();

  [[nodiscard]] api::PairStatus StatusOf(std::uint64_t pair) override;
  void Collect(api::MetricsWriter& out) override;

 private:
  struct Waker;

  struct Side {
    model::PairReport report;
    boost::json::object said;
    bool heard = false;
    bool asking = false;
    Instant next_ask;
  };

  struct Entry {
    model::RackPair pair;
    model::PairWatch watch;
    std::array<Side, 2> sides;
    Instant since;  // when the word that holds, or its absence, was first seen
    bool deciding = false;
    Instant next_note;  // of addresses
  };

  void Tick();
  void Refresh();
  void Noticed(model::EntityId id, const model::RackPair& before, Entry& entry);
  void Look(model::EntityId id, Entry& entry);
  void Ask(model::EntityId id, Entry& entry, std::size_t side);
  void OnAnswer(model::EntityId id, std::size_t side, const Result<api::RackAnswer>& answer);
  // Keeps the addresses of the interfaces that both serve as they last reported them: clients are
  // told of both.
  void NoteAddresses(model::EntityId id, Entry& entry);
  void Decide(model::EntityId id, Entry& entry, model::LiveModel::Planner planner);
  [[nodiscard]] std::array<model::PairRackView, 2> ViewsOf(const Entry& entry);
  void Announce(std::uint64_t rack, model::EntityId pair, std::string_view code,
                std::string detail);
  void Later();

  Parts parts_;
  std::shared_ptr<Waker> waker_;
  std::map<model::EntityId, Entry> entries_;
  std::atomic<std::uint64_t> pairs_{0};
  std::atomic<std::uint64_t> pairs_normal_{0};
  std::atomic<std::uint64_t> pairs_down_{0};
  std::atomic<std::uint64_t> declared_{0};
};

}  // namespace slipway::region
