// The state store as a model in memory: for simulation and tests. Passes the same contract tests as
// LMDB.
#pragma once

#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "controlplane/store/state_store.h"

namespace slipway::store {

// Thread-safe. Commit calls back before it returns; watchers run after that, on the same thread and
// without the store's lock.
class MemoryStore final : public StateStore {
 public:
  explicit MemoryStore(std::uint64_t epoch = 1,
                       std::size_t change_log_revisions_max = kChangeLogRevisionsMax);

  void Commit(Batch batch, CommitCallback done) override;
  [[nodiscard]] Result<std::optional<Entry>> Get(std::string_view key) override;
  [[nodiscard]] Result<Page> List(std::string_view prefix, std::string_view after,
                                  std::size_t limit) override;
  [[nodiscard]] Result<std::vector<Change>> Changes(Revision after, std::size_t limit) override;
  [[nodiscard]] Revision revision() override;
  [[nodiscard]] std::uint64_t epoch() override;
  Result<void> Watch(WatchCallback callback) override;

  // For simulation: further commits fail with this error (kNone: work again).
  void FailCommits(Error error);

 private:
  struct Stored {
    std::string value;
    Revision created = 0;
    Revision modified = 0;
  };

  [[nodiscard]] Result<CommitResult> CommitLocked(Batch& batch);

  std::mutex mutex_;
  const std::uint64_t epoch_;
  const std::size_t log_revisions_max_;
  std::map<std::string, Stored, std::less<>> entries_;
  std::deque<std::vector<Change>> log_;  // one element per revision, the last is revision_
  std::vector<WatchCallback> watchers_;
  Revision revision_ = 0;
  Error fail_;
};

// kTooLarge if the batch breaks a limit of state_store.h, kMalformed for an empty key.
[[nodiscard]] Result<void> CheckBatch(const Batch& batch);

}  // namespace slipway::store
