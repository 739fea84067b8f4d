// Desired state, in the shape of etcd's model: keys and values, one increasing revision stamped by
// the store (never inside a value), commits as compare-then-write batches, watch from a revision.
// Backends: LMDB (lmdb_store.h), a model for simulation (memory_store.h), later etcd. All pass the
// same contract tests (tests/unit/controlplane/store/state_store_contract.h).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/base/result.h"

namespace slipway::store {

using Revision = std::uint64_t;  // 0: never; the first commit makes 1

struct Entry {
  std::string key;
  std::string value;
  Revision created = 0;
  Revision modified = 0;
};

struct Compare {
  std::string key;
  // 0: the key must not exist. Otherwise: its `modified` must be this.
  Revision modified = 0;
  // True: only existence is asked (modified is ignored).
  bool any_revision = false;
};

struct Write {
  std::string key;
  std::optional<std::string> value;  // absent: delete (deleting what is not there is no error)
};

// All compares hold, then all writes happen at one new revision; or nothing happens.
struct Batch {
  std::vector<Compare> compares;
  std::vector<Write> writes;
};

struct CommitResult {
  bool committed = false;
  Revision revision = 0;           // of this batch if committed, else the store's
  std::size_t failed_compare = 0;  // index, if not committed
};

struct Change {
  Revision revision = 0;
  std::string key;
  std::optional<std::string> value;  // absent: deleted
};

struct Page {
  std::vector<Entry> entries;
  bool more = false;
  Revision revision = 0;  // at which the page was read
};

class StateStore {
 public:
  using CommitCallback = std::move_only_function<void(Result<CommitResult>)>;
  using WatchCallback = std::function<void(Revision)>;

  virtual ~StateStore() = default;

  // Durable before the callback runs. Called from any thread; the callback runs on the store's
  // writer thread (LMDB) or inside Commit (memory). Errors: kTooLarge (limits below), kNoSpace,
  // kReadOnly, kSystem, kClosed; nothing was written then.
  virtual void Commit(Batch batch, CommitCallback done) = 0;

  [[nodiscard]] virtual Result<std::optional<Entry>> Get(std::string_view key) = 0;
  // In key order, keys > `after` with the prefix, at most `limit` (<= kPageMax): one short read.
  [[nodiscard]] virtual Result<Page> List(std::string_view prefix, std::string_view after,
                                          std::size_t limit) = 0;
  // Changes with revision > `after`, whole revisions, oldest first, about `limit` of them. kExpired
  // if the log no longer reaches back that far: list again.
  [[nodiscard]] virtual Result<std::vector<Change>> Changes(Revision after, std::size_t limit) = 0;
  [[nodiscard]] virtual Revision revision() = 0;
  // Changes when a backup is restored (design: section 8, epochs).
  [[nodiscard]] virtual std::uint64_t epoch() = 0;
  // Called after each group of commits with the newest revision; at most kWatchersMax watchers.
  virtual Result<void> Watch(WatchCallback callback) = 0;
};

inline constexpr std::size_t kPageMax = 1000;
inline constexpr std::size_t kWatchersMax = 16;
inline constexpr std::size_t kKeyBytesMax = 400;  // below LMDB's 511
inline constexpr std::size_t kValueBytesMax = std::size_t{1} << 20;
inline constexpr std::size_t kBatchWritesMax = 262'144;  // a bulk is one batch
inline constexpr std::size_t kChangeLogRevisionsMax = 1'000'000;

}  // namespace slipway::store
