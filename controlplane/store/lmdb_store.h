// The state store on LMDB: the embedded default. One writer thread group-commits queued batches in
// one transaction, each with its own revision and compare result; a commit is durable (fsync)
// before its callback runs.
//
// Layout (one environment, format in docs/model.md): database "kv" key -> created, modified, value;
// "log" (revision, index) -> key, value; "meta" schema version, epoch, revision.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "controlplane/store/state_store.h"

namespace slipway::store {

// Why a store did not open: for the one line that start-up prints.
struct OpenFailure {
  Error error;
  std::string reason;  // what failed, likely cause, what to do
};

struct LmdbOptions {
  std::string directory;                           // created with mode 0700
  std::size_t map_bytes = std::size_t{256} << 30;  // address space, not disk
  std::size_t change_log_revisions_max = kChangeLogRevisionsMax;
  std::size_t queue_batches_max = 4096;   // beyond: Commit fails with kFull
  std::size_t group_writes_max = 65'536;  // writes in one transaction, about
  // Given to a new store; 0: a random one.
  std::uint64_t epoch = 0;
};

class LmdbStore final : public StateStore {
 public:
  // Takes the directory's lock (one process), checks the schema version, starts the writer thread.
  // Codes: kBusy, kBadVersion, kCorrupt, kNoSpace, kReadOnly, kSystem.
  [[nodiscard]] static std::expected<std::unique_ptr<LmdbStore>, OpenFailure> Open(
      const LmdbOptions& options);
  // Commits what is queued, then stops. No call may be running.
  ~LmdbStore() override;
  LmdbStore(const LmdbStore&) = delete;
  LmdbStore& operator=(const LmdbStore&) = delete;

  void Commit(Batch batch, CommitCallback done) override;
  [[nodiscard]] Result<std::optional<Entry>> Get(std::string_view key) override;
  [[nodiscard]] Result<Page> List(std::string_view prefix, std::string_view after,
                                  std::size_t limit) override;
  [[nodiscard]] Result<std::vector<Change>> Changes(Revision after, std::size_t limit) override;
  [[nodiscard]] Revision revision() override;
  [[nodiscard]] std::uint64_t epoch() override;
  Result<void> Watch(WatchCallback callback) override;

 private:
  struct Impl;
  explicit LmdbStore(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace slipway::store
