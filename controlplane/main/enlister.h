// Turns the inventories that racks report into machines: reads the facts store's log from a cursor
// that is committed together with each change, so that every inventory is applied exactly once.
//
// Runs on the executor's thread; one inventory at a time, in order.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>

#include "controlplane/api/http.h"
#include "controlplane/api/metrics.h"
#include "controlplane/model/enlist.h"
#include "controlplane/model/live_model.h"
#include "controlplane/store/facts_store.h"
#include "dataplane/base/log.h"
#include "dataplane/base/seams.h"

namespace slipway::region {

class Enlister final : public api::MetricsSource {
 public:
  struct Parts {
    model::LiveModel* model = nullptr;
    store::StateStore* store = nullptr;
    store::FactsStore* facts = nullptr;
    api::Executor* executor = nullptr;
    Clock* clock = nullptr;
    LogSink* log = nullptr;
  };

  // All parts outlive it, but the executor, which may end before.
  explicit Enlister(Parts parts);
  ~Enlister() override;
  Enlister(const Enlister&) = delete;
  Enlister& operator=(const Enlister&) = delete;

  // Reads the cursor and begins. kCorrupt, or the stores' errors.
  [[nodiscard]] Result<void> Start();
  void Collect(api::MetricsWriter& out) override;

 private:
  struct Waker;
  struct Attempt;

  void Pump();
  void Apply(store::InventoryRow row);
  // `result` is what the model said; on the executor's thread.
  void Finish(const std::shared_ptr<Attempt>& attempt,
              std::expected<model::MutateResult, model::Refusal> result);
  void Announce(const store::InventoryRow& row, const model::EnlistEvent& event);
  void RetryLater();

  Parts parts_;
  std::shared_ptr<Waker> waker_;
  std::deque<store::InventoryRow> rows_;
  std::uint64_t applied_position_ = 0;
  bool busy_ = false;
  std::atomic<std::uint64_t> applied_{0};
  std::atomic<std::uint64_t> created_{0};
  std::atomic<std::uint64_t> refused_{0};
};

}  // namespace slipway::region
