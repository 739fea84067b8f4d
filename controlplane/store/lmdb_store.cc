#include "controlplane/store/lmdb_store.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <utility>

#include "controlplane/store/group_writer.h"
#include "controlplane/store/lmdb_env.h"
#include "controlplane/store/memory_store.h"
#include "dataplane/base/check.h"

namespace slipway::store {

namespace {

constexpr std::uint32_t kStateSchemaVersion = 1;
constexpr std::size_t kEntryHeaderBytes = 16;  // created, modified
constexpr std::size_t kLogKeyBytes = 12;       // revision, index
constexpr char kLogPut = 'p';
constexpr char kLogDelete = 'd';
// Rows of the change log that one transaction removes beyond those it adds.
constexpr std::size_t kTrimSlack = 64;

struct CommitJob {
  Batch batch;
  StateStore::CommitCallback done;

  [[nodiscard]] std::size_t weight() const { return batch.writes.size() + 1; }
};

std::string LogKey(Revision revision, std::uint32_t index) {
  std::string key;
  AppendBig64(key, revision);
  AppendBig32(key, index);
  return key;
}

// "p" or "d", key length (4), key, value.
std::string LogValue(const Write& write) {
  std::string value;
  value.reserve(5 + write.key.size() + (write.value ? write.value->size() : 0));
  value.push_back(write.value ? kLogPut : kLogDelete);
  AppendBig32(value, static_cast<std::uint32_t>(write.key.size()));
  value += write.key;
  if (write.value) {
    value += *write.value;
  }
  return value;
}

Result<Change> ParseLog(const LmdbCursor::Item& item) {
  if (item.key.size() != kLogKeyBytes || item.value.size() < 5) {
    return Fail(ErrorCode::kCorrupt);
  }
  const std::uint32_t key_bytes = ReadBig32(item.value, 1);
  if (item.value.size() - 5 < key_bytes) {
    return Fail(ErrorCode::kCorrupt);
  }
  Change change{.revision = ReadBig64(item.key),
                .key = std::string(item.value.substr(5, key_bytes)),
                .value = {}};
  if (item.value[0] == kLogPut) {
    change.value = std::string(item.value.substr(5 + key_bytes));
  }
  return change;
}

Result<Entry> ParseEntry(std::string_view key, std::string_view value) {
  if (value.size() < kEntryHeaderBytes) {
    return Fail(ErrorCode::kCorrupt);
  }
  return Entry{.key = std::string(key),
               .value = std::string(value.substr(kEntryHeaderBytes)),
               .created = ReadBig64(value),
               .modified = ReadBig64(value, 8)};
}

Result<std::uint64_t> ReadMeta(LmdbTxn& txn, MDB_dbi meta, std::string_view key) {
  const auto found = SLIP_TRY(txn.Get(meta, key));
  if (!found) {
    return 0U;
  }
  if (found->size() != 8) {
    return Fail(ErrorCode::kCorrupt);
  }
  return ReadBig64(*found);
}

Result<void> WriteMeta(LmdbTxn& txn, MDB_dbi meta, std::string_view key, std::uint64_t value) {
  std::string bytes;
  AppendBig64(bytes, value);
  return txn.Put(meta, key, bytes);
}

}  // namespace

struct LmdbStore::Impl {
  Impl(LmdbEnv opened, LmdbOptions given) : env(std::move(opened)), options(std::move(given)) {}

  [[nodiscard]] Result<void> Prepare();
  [[nodiscard]] Result<CommitResult> Apply(LmdbTxn& txn, const Batch& batch, Revision at);
  [[nodiscard]] Result<bool> Holds(LmdbTxn& txn, const Compare& compare);
  [[nodiscard]] Result<void> ApplyWrite(LmdbTxn& txn, const Write& write, Revision at,
                                        std::uint32_t index);
  [[nodiscard]] Result<void> Trim(LmdbTxn& txn, Revision newest, std::size_t rows_max);
  [[nodiscard]] Result<std::vector<CommitResult>> RunTogether(std::span<CommitJob> jobs);
  void RunGroup(std::vector<CommitJob>& jobs);
  void Notify();

  LmdbEnv env;
  LmdbOptions options;
  MDB_dbi kv = 0;
  MDB_dbi log = 0;
  std::uint64_t epoch = 0;
  std::atomic<Revision> revision = 0;
  std::mutex watchers_mutex;
  std::vector<WatchCallback> watchers;
  std::unique_ptr<GroupWriter<CommitJob>> writer;  // last: stops first
};

Result<void> LmdbStore::Impl::Prepare() {
  LmdbTxn txn = SLIP_TRY(LmdbTxn::Begin(env.get(), true));
  kv = SLIP_TRY(env.OpenDatabase(txn, "kv"));
  log = SLIP_TRY(env.OpenDatabase(txn, "log"));
  revision = SLIP_TRY(ReadMeta(txn, env.meta(), "revision"));
  epoch = SLIP_TRY(ReadMeta(txn, env.meta(), "epoch"));
  if (epoch == 0) {
    epoch = options.epoch != 0 ? options.epoch : (PosixRandom().U64() | 1);
    SLIP_TRY(WriteMeta(txn, env.meta(), "epoch", epoch));
  }
  return txn.Commit();
}

Result<bool> LmdbStore::Impl::Holds(LmdbTxn& txn, const Compare& compare) {
  const auto found = SLIP_TRY(txn.Get(kv, compare.key));
  if (found && found->size() < kEntryHeaderBytes) {
    return Fail(ErrorCode::kCorrupt);
  }
  const Revision modified = found ? ReadBig64(*found, 8) : 0;
  return compare.any_revision ? modified != 0 : modified == compare.modified;
}

Result<void> LmdbStore::Impl::ApplyWrite(LmdbTxn& txn, const Write& write, Revision at,
                                         std::uint32_t index) {
  SLIP_TRY(txn.Put(log, LogKey(at, index), LogValue(write), MDB_APPEND));
  if (!write.value) {
    SLIP_TRY(txn.Delete(kv, write.key));
    return {};
  }
  const auto found = SLIP_TRY(txn.Get(kv, write.key));
  if (found && found->size() < kEntryHeaderBytes) {
    return Fail(ErrorCode::kCorrupt);
  }
  std::string value;
  value.reserve(kEntryHeaderBytes + write.value->size());
  AppendBig64(value, found ? ReadBig64(*found) : at);
  AppendBig64(value, at);
  value += *write.value;
  return txn.Put(kv, write.key, value);
}

// Applies one batch at revision `at` inside the group's transaction.
Result<CommitResult> LmdbStore::Impl::Apply(LmdbTxn& txn, const Batch& batch, Revision at) {
  for (std::size_t i = 0; i < batch.compares.size(); ++i) {
    if (!SLIP_TRY(Holds(txn, batch.compares[i]))) {
      return CommitResult{.committed = false, .revision = at - 1, .failed_compare = i};
    }
  }
  if (batch.writes.empty()) {
    return CommitResult{.committed = true, .revision = at - 1};
  }
  std::uint32_t index = 0;
  for (const Write& write : batch.writes) {
    SLIP_TRY(ApplyWrite(txn, write, at, index++));
  }
  return CommitResult{.committed = true, .revision = at};
}

Result<void> LmdbStore::Impl::Trim(LmdbTxn& txn, Revision newest, std::size_t rows_max) {
  LmdbCursor cursor = SLIP_TRY(LmdbCursor::Open(txn, log));
  auto item = SLIP_TRY(cursor.First());
  for (std::size_t i = 0; i < rows_max && item; ++i) {
    if (ReadBig64(item->key) + options.change_log_revisions_max > newest) {
      break;
    }
    SLIP_TRY(cursor.Delete());
    item = SLIP_TRY(cursor.First());
  }
  return {};
}

// One transaction for all jobs; nothing is written if any of it fails.
Result<std::vector<CommitResult>> LmdbStore::Impl::RunTogether(std::span<CommitJob> jobs) {
  LmdbTxn txn = SLIP_TRY(LmdbTxn::Begin(env.get(), true));
  const Revision before = revision.load();
  Revision newest = before;
  std::size_t rows = 0;
  std::vector<CommitResult> results;
  results.reserve(jobs.size());
  for (const CommitJob& job : jobs) {
    const CommitResult result = SLIP_TRY(Apply(txn, job.batch, newest + 1));
    newest = result.committed ? result.revision : newest;
    rows += job.batch.writes.size();
    results.push_back(result);
  }
  if (newest != before) {
    SLIP_TRY(WriteMeta(txn, env.meta(), "revision", newest));
    SLIP_TRY(Trim(txn, newest, rows + kTrimSlack));
    SLIP_TRY(txn.Commit());
    revision = newest;
  }
  return results;
}

void LmdbStore::Impl::RunGroup(std::vector<CommitJob>& jobs) {
  const Revision before = revision.load();
  const auto together = RunTogether(jobs);
  if (together) {
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      jobs[i].done((*together)[i]);
    }
  } else {
    // One batch may be to blame (a full map, a huge bulk): each gets its own transaction.
    for (CommitJob& job : jobs) {
      const auto alone = RunTogether(std::span<CommitJob>(&job, 1));
      if (alone) {
        job.done(alone->front());
      } else {
        job.done(std::unexpected(alone.error()));
      }
    }
  }
  if (revision.load() != before) {
    Notify();
  }
}

void LmdbStore::Impl::Notify() {
  std::vector<WatchCallback> callbacks;
  {
    const std::lock_guard lock(watchers_mutex);
    callbacks = watchers;
  }
  for (const WatchCallback& callback : callbacks) {
    callback(revision.load());
  }
}

std::expected<std::unique_ptr<LmdbStore>, OpenFailure> LmdbStore::Open(const LmdbOptions& options) {
  auto env =
      LmdbEnv::Open(options.directory, options.map_bytes, "slipway-state", kStateSchemaVersion);
  if (!env) {
    return std::unexpected(env.error());
  }
  auto impl = std::make_unique<Impl>(*std::move(env), options);
  if (const auto prepared = impl->Prepare(); !prepared) {
    return std::unexpected(OpenFailure{
        .error = prepared.error(),
        .reason = "store directory " + options.directory + ": cannot be prepared (" +
                  std::string(ToString(prepared.error().code)) + "): check space and owner"});
  }
  Impl* raw = impl.get();
  impl->writer = std::make_unique<GroupWriter<CommitJob>>(
      options.queue_batches_max, options.group_writes_max,
      [raw](std::vector<CommitJob>& jobs) { raw->RunGroup(jobs); });
  return std::unique_ptr<LmdbStore>(new LmdbStore(std::move(impl)));
}

LmdbStore::LmdbStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

LmdbStore::~LmdbStore() { impl_->writer.reset(); }

void LmdbStore::Commit(Batch batch, CommitCallback done) {
  if (const auto checked = CheckBatch(batch); !checked) {
    done(std::unexpected(checked.error()));
    return;
  }
  CommitJob job{.batch = std::move(batch), .done = std::move(done)};
  if (!impl_->writer->Push(job)) {
    job.done(Fail(ErrorCode::kFull));
  }
}

Result<std::optional<Entry>> LmdbStore::Get(std::string_view key) {
  LmdbTxn txn = SLIP_TRY(LmdbTxn::Begin(impl_->env.get(), false));
  const auto found = SLIP_TRY(txn.Get(impl_->kv, key));
  if (!found) {
    return std::optional<Entry>();
  }
  return SLIP_TRY(ParseEntry(key, *found));
}

Result<Page> LmdbStore::List(std::string_view prefix, std::string_view after, std::size_t limit) {
  limit = std::clamp<std::size_t>(limit, 1, kPageMax);
  LmdbTxn txn = SLIP_TRY(LmdbTxn::Begin(impl_->env.get(), false));
  Page page;
  page.revision = SLIP_TRY(ReadMeta(txn, impl_->env.meta(), "revision"));
  LmdbCursor cursor = SLIP_TRY(LmdbCursor::Open(txn, impl_->kv));
  const std::string_view start = !after.empty() && after >= prefix ? after : prefix;
  // LMDB knows no empty key: an empty prefix starts at the first one.
  auto item = start.empty() ? SLIP_TRY(cursor.First()) : SLIP_TRY(cursor.SeekAtLeast(start));
  if (item && !after.empty() && item->key == after) {
    item = SLIP_TRY(cursor.Next());
  }
  while (item && item->key.starts_with(prefix)) {
    if (page.entries.size() == limit) {
      page.more = true;
      break;
    }
    page.entries.push_back(SLIP_TRY(ParseEntry(item->key, item->value)));
    item = SLIP_TRY(cursor.Next());
  }
  return page;
}

Result<std::vector<Change>> LmdbStore::Changes(Revision after, std::size_t limit) {
  std::vector<Change> changes;
  if (after >= impl_->revision.load()) {
    return changes;
  }
  LmdbTxn txn = SLIP_TRY(LmdbTxn::Begin(impl_->env.get(), false));
  LmdbCursor cursor = SLIP_TRY(LmdbCursor::Open(txn, impl_->log));
  auto item = SLIP_TRY(cursor.SeekAtLeast(LogKey(after + 1, 0)));
  // The first row of the next revision must still be there: revisions are trimmed from the front.
  if (!item || item->key != LogKey(after + 1, 0)) {
    return Fail(ErrorCode::kExpired);
  }
  while (item) {
    if (changes.size() >= limit && ReadBig64(item->key) != changes.back().revision) {
      break;
    }
    changes.push_back(SLIP_TRY(ParseLog(*item)));
    item = SLIP_TRY(cursor.Next());
  }
  return changes;
}

Revision LmdbStore::revision() { return impl_->revision.load(); }

std::uint64_t LmdbStore::epoch() { return impl_->epoch; }

Result<void> LmdbStore::Watch(WatchCallback callback) {
  const std::lock_guard lock(impl_->watchers_mutex);
  if (impl_->watchers.size() == kWatchersMax) {
    return Fail(ErrorCode::kFull);
  }
  impl_->watchers.push_back(std::move(callback));
  return {};
}

}  // namespace slipway::store
