#include "controlplane/model/live_model.h"

#include <boost/json.hpp>

#include <condition_variable>
#include <mutex>
#include <utility>

#include "dataplane/base/check.h"

namespace slipway::model {

namespace {

constexpr int kTriesMax = 8;
constexpr std::size_t kChangesPerRead = 4'096;
constexpr std::size_t kObserversMax = 8;

Refusal StoreRefusal(Error error) {
  return Refusal{
      .kind = RefusalKind::kStore,
      .problems = {{.field = "",
                    .problem = "the change was not stored: " + std::string(ToString(error.code)),
                    .cure = "see /readyz?verbose and the region's log; then try again"}},
      .item = 0,
      .error = error};
}

}  // namespace

struct LiveModel::Attempt {
  Planner planner;
  MutateCallback done;
  std::vector<EntityRef> touched;
  int tries = 0;
};

// Lets callbacks of the store find the model, or find that it is gone. Entering may nest: a memory
// store calls back inside Commit.
struct LiveModel::Tie {
  // Null once the model is going; otherwise the caller must Leave.
  LiveModel* Enter() {
    const std::lock_guard lock(mutex);
    running += model != nullptr ? 1 : 0;
    return model;
  }

  void Leave() {
    const std::lock_guard lock(mutex);
    if (--running == 0) {
      idle.notify_all();
    }
  }

  std::mutex mutex;
  std::condition_variable idle;
  LiveModel* model = nullptr;
  int running = 0;
};

LiveModel::LiveModel(store::StateStore& store, Random& random)
    : store_(store), random_(random), tie_(std::make_shared<Tie>()) {
  tie_->model = this;
}

LiveModel::~LiveModel() {
  std::unique_lock lock(tie_->mutex);
  tie_->model = nullptr;
  tie_->idle.wait(lock, [this] { return tie_->running == 0; });
}

Result<void> LiveModel::Start() {
  {
    const std::unique_lock lock(mutex_);
    SLIP_TRY(index_.Load(store_));
    SLIP_TRY(SyncLocked());
  }
  // The watch runs on the committing thread, before the next group is committed: the index is never
  // far behind. A failure here is found again by the next Mutate, which syncs too.
  return store_.Watch([tie = tie_](store::Revision) {
    if (LiveModel* model = tie->Enter()) {
      (void)model->Sync();
      tie->Leave();
    }
  });
}

void LiveModel::AddObserver(ModelObserver& observer) {
  const std::unique_lock lock(mutex_);
  SLIP_CHECK(observers_.size() < kObserversMax);
  observers_.push_back(&observer);
}

Result<void> LiveModel::Sync() {
  const std::unique_lock lock(mutex_);
  return SyncLocked();
}

Result<void> LiveModel::SyncLocked() {
  while (index_.revision() < store_.revision()) {
    const auto changes = SLIP_TRY(store_.Changes(index_.revision(), kChangesPerRead));
    if (changes.empty()) {
      return {};
    }
    for (std::size_t i = 0; i < changes.size(); ++i) {
      const auto change = SLIP_TRY(index_.Apply(changes[i]));
      for (ModelObserver* observer : observers_) {
        if (change) {
          observer->OnChange(index_, *change);
        }
        if (i + 1 == changes.size() || changes[i + 1].revision != changes[i].revision) {
          observer->OnRevision(index_, changes[i].revision);
        }
      }
    }
  }
  return {};
}

void LiveModel::Mutate(Planner planner, MutateCallback done) {
  auto attempt = std::make_unique<Attempt>();
  attempt->planner = std::move(planner);
  attempt->done = std::move(done);
  Try(std::move(attempt));
}

// Plans under the lock. On success `batch` may be empty: nothing to commit.
std::expected<MutateResult, Refusal> LiveModel::PlanOnce(const Planner& planner,
                                                         store::Batch& batch) {
  const std::unique_lock lock(mutex_);
  if (const auto synced = SyncLocked(); !synced) {
    return std::unexpected(StoreRefusal(synced.error()));
  }
  Plan plan(index_, random_);
  if (auto outcome = planner(plan); !outcome) {
    return std::unexpected(std::move(outcome.error()));
  }
  MutateResult result{.revision = index_.revision(), .touched = plan.touched()};
  batch = plan.Take();
  return result;
}

// Callbacks run without the lock: they may read the model.
void LiveModel::Try(std::unique_ptr<Attempt> attempt) {
  store::Batch batch;
  auto planned = PlanOnce(attempt->planner, batch);
  if (!planned || batch.writes.empty()) {
    attempt->done(std::move(planned));
    return;
  }
  attempt->touched = std::move(planned->touched);
  store_.Commit(std::move(batch), [tie = tie_, attempt = std::move(attempt)](
                                      Result<store::CommitResult> result) mutable {
    if (LiveModel* model = tie->Enter()) {
      model->Finish(std::move(attempt), result);
      tie->Leave();
    } else {
      attempt->done(std::unexpected(StoreRefusal({.code = ErrorCode::kClosed})));
    }
  });
}

void LiveModel::Finish(std::unique_ptr<Attempt> attempt,
                       const Result<store::CommitResult>& result) {
  if (!result) {
    attempt->done(std::unexpected(StoreRefusal(result.error())));
    return;
  }
  if (!result->committed) {
    if (++attempt->tries < kTriesMax) {
      Try(std::move(attempt));
    } else {
      attempt->done(std::unexpected(StoreRefusal(Error{.code = ErrorCode::kConflict})));
    }
    return;
  }
  if (const auto synced = Sync(); !synced) {
    attempt->done(std::unexpected(StoreRefusal(synced.error())));
    return;
  }
  attempt->done(MutateResult{.revision = result->revision, .touched = std::move(attempt->touched)});
}

std::expected<MutateResult, Refusal> LiveModel::DryRun(const Planner& planner) {
  store::Batch dropped;
  return PlanOnce(planner, dropped);
}

LiveModel::Planner PlanCreate(Kind kind, boost::json::object body) {
  return [kind, body = std::move(body)](Plan& plan) -> Outcome {
    Operation operation{.verb = Operation::Verb::kCreate, .kind = kind, .id = {}, .body = &body};
    const auto id = plan.Run(operation);
    return id ? Outcome() : std::unexpected(id.error());
  };
}

LiveModel::Planner PlanPatch(EntityRef ref, boost::json::object body, store::Revision if_modified) {
  return [ref, body = std::move(body), if_modified](Plan& plan) -> Outcome {
    const auto id = plan.Run({.verb = Operation::Verb::kPatch,
                              .kind = ref.kind,
                              .id = ref.id,
                              .body = &body,
                              .if_modified = if_modified});
    return id ? Outcome() : std::unexpected(id.error());
  };
}

LiveModel::Planner PlanDelete(EntityRef ref, store::Revision if_modified) {
  return [ref, if_modified](Plan& plan) { return plan.Delete(ref, if_modified); };
}

}  // namespace slipway::model
