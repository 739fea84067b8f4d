// The model of a running region: the index over a state store, behind a lock, with observers. All
// threads of the region share one.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <shared_mutex>
#include <span>
#include <vector>

#include "controlplane/model/mutations.h"

namespace slipway::model {

// Sees each committed change, in order, with the index just after it. Called with the model's lock
// held exclusively, on whichever thread synced: be quick, never call back into LiveModel.
class ModelObserver {
 public:
  virtual ~ModelObserver() = default;
  virtual void OnChange(const ModelIndex& index, const ModelChange& change) = 0;
  // All changes of one revision were seen: they are visible together or not at all.
  virtual void OnRevision(const ModelIndex& index, store::Revision revision) = 0;
};

struct MutateResult {
  store::Revision revision = 0;
  std::vector<EntityRef> touched;  // in the order of the plan
};

class LiveModel {
 public:
  // Fills a plan from the index. May run several times (lost races) and on another thread.
  using Planner = std::function<Outcome(Plan& plan)>;
  using MutateCallback = std::move_only_function<void(std::expected<MutateResult, Refusal> result)>;

  // The references must outlive the model. `random` is used under the lock.
  LiveModel(store::StateStore& store, Random& random);
  LiveModel(const LiveModel&) = delete;
  LiveModel& operator=(const LiveModel&) = delete;
  // Waits for callbacks that are running. Commits still on their way are answered with kClosed.
  ~LiveModel();

  // Loads the index and starts to watch. Call once, before anything else. kCorrupt, or the store's.
  [[nodiscard]] Result<void> Start();
  // Not owned, and must outlive the model; before Start or after. At most 8.
  void AddObserver(ModelObserver& observer);

  // Plans, commits, plans again if a race was lost (at most 8 times), then calls `done` on the
  // store's writer thread; the index holds the change by then. A refusal calls `done` at once on
  // the calling thread. An empty plan succeeds with the current revision.
  void Mutate(Planner planner, MutateCallback done);
  // Plans and validates only: nothing is committed (dry run).
  [[nodiscard]] std::expected<MutateResult, Refusal> DryRun(const Planner& planner);

  // Reads under the shared lock. `read` gets a const ModelIndex&; keep no pointers past it.
  template <typename F>
  auto Read(F&& read) const {
    const std::shared_lock lock(mutex_);
    return read(index_);
  }

  // Applies what the store has committed since; done by the watch too. kCorrupt, or the store's.
  [[nodiscard]] Result<void> Sync();

 private:
  struct Attempt;
  struct Tie;
  void Try(std::unique_ptr<Attempt> attempt);
  void Finish(std::unique_ptr<Attempt> attempt, const Result<store::CommitResult>& result);
  [[nodiscard]] std::expected<MutateResult, Refusal> PlanOnce(const Planner& planner,
                                                              store::Batch& batch);
  [[nodiscard]] Result<void> SyncLocked();

  store::StateStore& store_;
  Random& random_;
  mutable std::shared_mutex mutex_;
  ModelIndex index_;
  std::vector<ModelObserver*> observers_;
  std::shared_ptr<Tie> tie_;  // held by callbacks in the store, which may outlive the model
};

// ---- the usual planners ----
// `body` is kept by the planner.
[[nodiscard]] LiveModel::Planner PlanCreate(Kind kind, boost::json::object body);
[[nodiscard]] LiveModel::Planner PlanPatch(EntityRef ref, boost::json::object body,
                                           store::Revision if_modified);
[[nodiscard]] LiveModel::Planner PlanDelete(EntityRef ref, store::Revision if_modified);

}  // namespace slipway::model
