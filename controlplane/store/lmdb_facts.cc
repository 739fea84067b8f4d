#include "controlplane/store/lmdb_facts.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <span>
#include <utility>

#include "controlplane/store/fact_codec.h"
#include "controlplane/store/facts_apply.h"
#include "controlplane/store/group_writer.h"
#include "controlplane/store/lmdb_env.h"

namespace slipway::store {

namespace {

constexpr std::uint32_t kFactsSchemaVersion = 1;
constexpr std::size_t kGroupWeightMax = 32'768;

// Either kind of work.
struct FactsJob {
  FactsBatch batch;
  FactsStore::ApplyCallback applied;
  EventRow event;
  FactsStore::DoneCallback appended;

  [[nodiscard]] std::size_t weight() const { return batch.payloads.size() + 1; }
};

std::string Key64(std::uint64_t value) {
  std::string key;
  AppendBig64(key, value);
  return key;
}

std::string Key64x2(std::uint64_t first, std::uint64_t second) {
  std::string key = Key64(first);
  AppendBig64(key, second);
  return key;
}

std::string LeaseDbKey(std::uint64_t subnet, const IpAddress& address) {
  std::string key = Key64(subnet);
  key.append(reinterpret_cast<const char*>(address.v6().octets.data()), 16);
  return key;
}

// The databases and the rows in them; used inside one transaction at a time. Layout: docs/model.md.
struct Databases {
  MDB_dbi cursors = 0;        // rack, class -> epoch, next
  MDB_dbi leases = 0;         // subnet, address -> LeaseRow
  MDB_dbi leases_by_mac = 0;  // mac, subnet, address -> ""
  MDB_dbi steps = 0;          // position -> BootStepRow
  MDB_dbi steps_by_mac = 0;   // mac, position -> ""
  MDB_dbi step_macs = 0;      // mac -> newest position, count
  MDB_dbi macs_by_step = 0;   // newest position -> mac
  MDB_dbi events = 0;         // position -> EventRow
  MDB_dbi inventories = 0;    // position -> InventoryRow
  MDB_dbi latest = 0;         // mac -> InventoryRow
};

// What survives between transactions, cached: counters of rows and positions.
struct Totals {
  FactsPositions positions;
  std::uint64_t events_oldest = 1;
  std::uint64_t inventories_oldest = 1;
  std::uint64_t step_macs = 0;
  TablesUnderWay tables;  // few and seldom: copied with the rest
};

// Writes of one group: a backend over one open transaction.
class Transaction final : public FactsBackend {
 public:
  Transaction(LmdbTxn& txn, const Databases& databases, const FactsLimits& limits, Totals totals)
      : txn_(txn), db_(databases), limits_(limits), totals_(std::move(totals)) {}

  [[nodiscard]] const Totals& totals() const noexcept { return totals_; }

  [[nodiscard]] Result<FactsCursor> LoadCursor(std::uint64_t rack, FactClass fact_class) override {
    const auto found =
        SLIP_TRY(txn_.Get(db_.cursors, Key64x2(rack, static_cast<std::uint64_t>(fact_class))));
    if (!found) {
      return FactsCursor{};
    }
    if (found->size() != 16) {
      return Fail(ErrorCode::kCorrupt);
    }
    return FactsCursor{.epoch = ReadBig64(*found), .next = ReadBig64(*found, 8)};
  }

  [[nodiscard]] Result<void> StoreCursor(std::uint64_t rack, FactClass fact_class,
                                         FactsCursor cursor) override {
    return txn_.Put(db_.cursors, Key64x2(rack, static_cast<std::uint64_t>(fact_class)),
                    Key64x2(cursor.epoch, cursor.next));
  }

  [[nodiscard]] TablesUnderWay& Tables() override { return totals_.tables; }

  [[nodiscard]] Result<void> PutLease(LeaseRow row) override;
  [[nodiscard]] Result<void> PutInventory(InventoryRow row) override;
  [[nodiscard]] Result<void> PutBootStep(BootStepRow row) override;
  [[nodiscard]] Result<std::uint64_t> PutEvent(EventRow row) override;

 private:
  [[nodiscard]] Result<void> DropOldestStepOf(std::uint64_t mac);
  [[nodiscard]] Result<void> DropQuietestMac();

  LmdbTxn& txn_;
  const Databases& db_;
  const FactsLimits& limits_;
  Totals totals_;
};

Result<void> Transaction::PutLease(LeaseRow row) {
  const std::string key = LeaseDbKey(row.subnet, row.address);
  const auto found = SLIP_TRY(txn_.Get(db_.leases, key));
  if (found) {
    LeaseRow known;
    SLIP_TRY(DecodeRow(*found, known));
    if (!Supersedes(row, known)) {
      return {};
    }
    if (known.mac != row.mac) {
      SLIP_TRY(txn_.Delete(db_.leases_by_mac, Key64(known.mac.ToU64()) + key));
    }
  }
  SLIP_TRY(txn_.Put(db_.leases_by_mac, Key64(row.mac.ToU64()) + key, ""));
  return txn_.Put(db_.leases, key, EncodeRow(row));
}

Result<void> Transaction::PutInventory(InventoryRow row) {
  row.position = ++totals_.positions.inventories;
  const std::string bytes = EncodeRow(row);
  SLIP_TRY(txn_.Put(db_.latest, Key64(row.mac.ToU64()), bytes));
  SLIP_TRY(txn_.Put(db_.inventories, Key64(row.position), bytes, MDB_APPEND));
  while (row.position - totals_.inventories_oldest + 1 > limits_.inventories_max) {
    SLIP_TRY(txn_.Delete(db_.inventories, Key64(totals_.inventories_oldest++)));
  }
  return {};
}

Result<void> Transaction::DropOldestStepOf(std::uint64_t mac) {
  const std::string prefix = Key64(mac);
  std::string oldest;
  {
    LmdbCursor cursor = SLIP_TRY(LmdbCursor::Open(txn_, db_.steps_by_mac));
    const auto item = SLIP_TRY(cursor.SeekAtLeast(prefix));
    if (!item || !item->key.starts_with(prefix)) {
      return {};
    }
    oldest = item->key;
  }
  SLIP_TRY(txn_.Delete(db_.steps, std::string_view(oldest).substr(8)));
  SLIP_TRY(txn_.Delete(db_.steps_by_mac, oldest));
  return {};
}

Result<void> Transaction::DropQuietestMac() {
  std::string newest;
  std::string mac;
  {
    LmdbCursor cursor = SLIP_TRY(LmdbCursor::Open(txn_, db_.macs_by_step));
    const auto item = SLIP_TRY(cursor.First());
    if (!item) {
      return {};
    }
    newest = item->key;
    mac = item->value;
  }
  const auto known = SLIP_TRY(txn_.Get(db_.step_macs, mac));
  const std::uint64_t count = known && known->size() == 16 ? ReadBig64(*known, 8) : 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    SLIP_TRY(DropOldestStepOf(ReadBig64(mac)));
  }
  SLIP_TRY(txn_.Delete(db_.macs_by_step, newest));
  SLIP_TRY(txn_.Delete(db_.step_macs, mac));
  --totals_.step_macs;
  return {};
}

Result<void> Transaction::PutBootStep(BootStepRow row) {
  row.position = ++totals_.positions.boot_steps;
  const std::uint64_t mac = row.mac.ToU64();
  std::uint64_t count = 0;
  const auto known = SLIP_TRY(txn_.Get(db_.step_macs, Key64(mac)));
  if (known) {
    if (known->size() != 16) {
      return Fail(ErrorCode::kCorrupt);
    }
    count = ReadBig64(*known, 8);
    const std::string newest = Key64(ReadBig64(*known));
    SLIP_TRY(txn_.Delete(db_.macs_by_step, newest));
  } else {
    ++totals_.step_macs;
  }
  SLIP_TRY(txn_.Put(db_.steps, Key64(row.position), EncodeRow(row), MDB_APPEND));
  SLIP_TRY(txn_.Put(db_.steps_by_mac, Key64x2(mac, row.position), ""));
  if (++count > limits_.boot_steps_per_mac_max) {
    SLIP_TRY(DropOldestStepOf(mac));
    --count;
  }
  SLIP_TRY(txn_.Put(db_.step_macs, Key64(mac), Key64x2(row.position, count)));
  SLIP_TRY(txn_.Put(db_.macs_by_step, Key64(row.position), Key64(mac), MDB_APPEND));
  if (totals_.step_macs > limits_.boot_step_macs_max) {
    SLIP_TRY(DropQuietestMac());
  }
  return {};
}

Result<std::uint64_t> Transaction::PutEvent(EventRow row) {
  row.position = ++totals_.positions.events;
  SLIP_TRY(txn_.Put(db_.events, Key64(row.position), EncodeRow(row), MDB_APPEND));
  while (row.position - totals_.events_oldest + 1 > limits_.events_max) {
    SLIP_TRY(txn_.Delete(db_.events, Key64(totals_.events_oldest++)));
  }
  return row.position;
}

class LmdbFacts final : public FactsStore {
 public:
  LmdbFacts(LmdbEnv env, const FactsLimits& limits) : env_(std::move(env)), limits_(limits) {}

  ~LmdbFacts() override { writer_.reset(); }

  [[nodiscard]] Result<void> Prepare();

  void StartWriter(std::size_t queue_max) {
    writer_ = std::make_unique<GroupWriter<FactsJob>>(
        queue_max, kGroupWeightMax, [this](std::vector<FactsJob>& jobs) { RunGroup(jobs); });
  }

  void Apply(FactsBatch batch, ApplyCallback done) override;
  void AppendEvent(EventRow event, DoneCallback done) override;
  [[nodiscard]] FactsCursor Cursor(std::uint64_t rack, FactClass fact_class) override;
  [[nodiscard]] Result<FactsPage<LeaseRow>> Leases(std::optional<LeaseKey> after,
                                                   std::size_t limit) override;
  [[nodiscard]] Result<std::optional<LeaseRow>> LeaseByAddress(LeaseKey key) override;
  [[nodiscard]] Result<std::vector<LeaseRow>> LeasesByMac(MacAddress mac,
                                                          std::size_t limit) override;
  [[nodiscard]] Result<std::vector<BootStepRow>> BootSteps(MacAddress mac, std::uint64_t after,
                                                           std::size_t limit) override;

  [[nodiscard]] Result<FactsPage<BootStepRow>> BootStepsAfter(std::uint64_t after,
                                                              std::size_t limit) override {
    return PageOf<BootStepRow>(db_.steps, after, limit);
  }

  [[nodiscard]] Result<FactsPage<EventRow>> Events(std::uint64_t after,
                                                   std::size_t limit) override {
    return PageOf<EventRow>(db_.events, after, limit);
  }

  [[nodiscard]] Result<FactsPage<InventoryRow>> InventoriesAfter(std::uint64_t after,
                                                                 std::size_t limit) override {
    return PageOf<InventoryRow>(db_.inventories, after, limit);
  }

  [[nodiscard]] Result<std::uint64_t> OldestEvent() override;
  [[nodiscard]] Result<std::optional<InventoryRow>> LatestInventory(MacAddress mac) override;
  [[nodiscard]] Result<FactsPositions> Positions() override;
  Result<void> Watch(WatchCallback callback) override;

 private:
  using CursorKey = std::pair<std::uint64_t, FactClass>;

  template <typename Row>
  [[nodiscard]] Result<FactsPage<Row>> PageOf(MDB_dbi dbi, std::uint64_t after, std::size_t limit);
  [[nodiscard]] Result<void> LoadTotals(LmdbTxn& txn);
  [[nodiscard]] Result<std::vector<FactsApplied>> RunTogether(std::span<FactsJob> jobs);
  void RunGroup(std::vector<FactsJob>& jobs);
  void Finish(FactsJob& job, const FactsApplied& applied);
  void FailJob(FactsJob& job, Error error);

  LmdbEnv env_;
  const FactsLimits limits_;
  Databases db_;
  Totals totals_;     // of the writer thread
  std::mutex mutex_;  // of what follows
  std::map<CursorKey, FactsCursor> cursors_;
  FactsPositions positions_;
  std::uint64_t events_oldest_ = 0;
  std::vector<WatchCallback> watchers_;
  std::unique_ptr<GroupWriter<FactsJob>> writer_;
};

// ---- start ----

// The first or last position in a database keyed by position; 0 if it is empty.
Result<std::uint64_t> EdgeOf(LmdbTxn& txn, MDB_dbi dbi, bool last) {
  LmdbCursor cursor = SLIP_TRY(LmdbCursor::Open(txn, dbi));
  const auto item = last ? SLIP_TRY(cursor.Last()) : SLIP_TRY(cursor.First());
  if (item && item->key.size() != 8) {
    return Fail(ErrorCode::kCorrupt);
  }
  return item ? ReadBig64(item->key) : 0;
}

Result<void> LmdbFacts::LoadTotals(LmdbTxn& txn) {
  totals_.positions.events = SLIP_TRY(EdgeOf(txn, db_.events, true));
  totals_.positions.boot_steps = SLIP_TRY(EdgeOf(txn, db_.steps, true));
  totals_.positions.inventories = SLIP_TRY(EdgeOf(txn, db_.inventories, true));
  totals_.events_oldest = std::max<std::uint64_t>(SLIP_TRY(EdgeOf(txn, db_.events, false)), 1);
  totals_.inventories_oldest =
      std::max<std::uint64_t>(SLIP_TRY(EdgeOf(txn, db_.inventories, false)), 1);
  MDB_stat stat{};
  if (const int code = mdb_stat(txn.get(), db_.step_macs, &stat); code != 0) {
    return FailLmdb(code);
  }
  totals_.step_macs = stat.ms_entries;
  LmdbCursor cursor = SLIP_TRY(LmdbCursor::Open(txn, db_.cursors));
  for (auto item = SLIP_TRY(cursor.First()); item; item = SLIP_TRY(cursor.Next())) {
    if (item->key.size() != 16 || item->value.size() != 16) {
      return Fail(ErrorCode::kCorrupt);
    }
    cursors_[{ReadBig64(item->key), static_cast<FactClass>(ReadBig64(item->key, 8))}] = {
        .epoch = ReadBig64(item->value), .next = ReadBig64(item->value, 8)};
  }
  positions_ = totals_.positions;
  events_oldest_ = totals_.events_oldest;
  return {};
}

Result<void> LmdbFacts::Prepare() {
  LmdbTxn txn = SLIP_TRY(LmdbTxn::Begin(env_.get(), true));
  const std::pair<MDB_dbi*, const char*> names[] = {{&db_.cursors, "cursors"},
                                                    {&db_.leases, "leases"},
                                                    {&db_.leases_by_mac, "leases_by_mac"},
                                                    {&db_.steps, "steps"},
                                                    {&db_.steps_by_mac, "steps_by_mac"},
                                                    {&db_.step_macs, "step_macs"},
                                                    {&db_.macs_by_step, "macs_by_step"},
                                                    {&db_.events, "events"},
                                                    {&db_.inventories, "inventories"},
                                                    {&db_.latest, "latest"}};
  for (const auto& [dbi, name] : names) {
    *dbi = SLIP_TRY(env_.OpenDatabase(txn, name));
  }
  SLIP_TRY(LoadTotals(txn));
  return txn.Commit();
}

// ---- writing ----

// One transaction for all jobs; nothing is written if any of it fails.
Result<std::vector<FactsApplied>> LmdbFacts::RunTogether(std::span<FactsJob> jobs) {
  LmdbTxn txn = SLIP_TRY(LmdbTxn::Begin(env_.get(), true));
  Transaction transaction(txn, db_, limits_, totals_);
  std::vector<FactsApplied> results;
  results.reserve(jobs.size());
  for (const FactsJob& job : jobs) {
    if (job.appended) {
      const std::uint64_t position = SLIP_TRY(transaction.PutEvent(job.event));
      results.push_back({.cursor = {.epoch = 0, .next = position}});
    } else {
      results.push_back(SLIP_TRY(ApplyFacts(transaction, job.batch)));
    }
  }
  SLIP_TRY(txn.Commit());
  totals_ = transaction.totals();
  const std::lock_guard lock(mutex_);
  positions_ = totals_.positions;
  events_oldest_ = totals_.events_oldest;
  return results;
}

void LmdbFacts::Finish(FactsJob& job, const FactsApplied& applied) {
  if (job.appended) {
    job.appended(applied.cursor.next);
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    // An unfinished table has not moved the stored cursor.
    if (job.batch.table_as_of == 0 || job.batch.table_last) {
      cursors_[{job.batch.rack, job.batch.fact_class}] = applied.cursor;
    }
  }
  job.applied(applied);
}

void LmdbFacts::FailJob(FactsJob& job, Error error) {
  if (job.appended) {
    job.appended(std::unexpected(error));
  } else {
    job.applied(std::unexpected(error));
  }
}

void LmdbFacts::RunGroup(std::vector<FactsJob>& jobs) {
  const auto together = RunTogether(jobs);
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    if (together) {
      Finish(jobs[i], (*together)[i]);
      continue;
    }
    // One of them may be to blame: each gets its own transaction.
    const auto alone = RunTogether(std::span<FactsJob>(&jobs[i], 1));
    if (alone) {
      Finish(jobs[i], alone->front());
    } else {
      FailJob(jobs[i], alone.error());
    }
  }
  std::vector<WatchCallback> callbacks;
  {
    const std::lock_guard lock(mutex_);
    callbacks = watchers_;
  }
  for (const WatchCallback& callback : callbacks) {
    callback(totals_.positions);
  }
}

void LmdbFacts::Apply(FactsBatch batch, ApplyCallback done) {
  FactsJob job{.batch = std::move(batch), .applied = std::move(done), .event = {}, .appended = {}};
  if (!writer_->Push(job)) {
    job.applied(Fail(ErrorCode::kFull));
  }
}

void LmdbFacts::AppendEvent(EventRow event, DoneCallback done) {
  FactsJob job{.batch = {}, .applied = {}, .event = std::move(event), .appended = std::move(done)};
  if (!writer_->Push(job)) {
    job.appended(Fail(ErrorCode::kFull));
  }
}

// ---- reading ----

FactsCursor LmdbFacts::Cursor(std::uint64_t rack, FactClass fact_class) {
  const std::lock_guard lock(mutex_);
  const auto found = cursors_.find({rack, fact_class});
  return found == cursors_.end() ? FactsCursor{} : found->second;
}

template <typename Row>
Result<FactsPage<Row>> LmdbFacts::PageOf(MDB_dbi dbi, std::uint64_t after, std::size_t limit) {
  limit = std::clamp<std::size_t>(limit, 1, kFactsPageMax);
  LmdbTxn txn = SLIP_TRY(LmdbTxn::Begin(env_.get(), false));
  LmdbCursor cursor = SLIP_TRY(LmdbCursor::Open(txn, dbi));
  FactsPage<Row> page;
  for (auto item = SLIP_TRY(cursor.SeekAtLeast(Key64(after + 1))); item;
       item = SLIP_TRY(cursor.Next())) {
    if (page.rows.size() == limit) {
      page.more = true;
      break;
    }
    SLIP_TRY(DecodeRow(item->value, page.rows.emplace_back()));
  }
  return page;
}

Result<FactsPage<LeaseRow>> LmdbFacts::Leases(std::optional<LeaseKey> after, std::size_t limit) {
  limit = std::clamp<std::size_t>(limit, 1, kFactsPageMax);
  LmdbTxn txn = SLIP_TRY(LmdbTxn::Begin(env_.get(), false));
  LmdbCursor cursor = SLIP_TRY(LmdbCursor::Open(txn, db_.leases));
  FactsPage<LeaseRow> page;
  const std::string start = after ? LeaseDbKey(after->subnet, after->address) : std::string();
  auto item = after ? SLIP_TRY(cursor.SeekAtLeast(start)) : SLIP_TRY(cursor.First());
  if (item && after && item->key == start) {
    item = SLIP_TRY(cursor.Next());
  }
  for (; item; item = SLIP_TRY(cursor.Next())) {
    if (page.rows.size() == limit) {
      page.more = true;
      break;
    }
    SLIP_TRY(DecodeRow(item->value, page.rows.emplace_back()));
  }
  return page;
}

Result<std::optional<LeaseRow>> LmdbFacts::LeaseByAddress(LeaseKey key) {
  LmdbTxn txn = SLIP_TRY(LmdbTxn::Begin(env_.get(), false));
  const auto found = SLIP_TRY(txn.Get(db_.leases, LeaseDbKey(key.subnet, key.address)));
  if (!found) {
    return std::optional<LeaseRow>();
  }
  LeaseRow row;
  SLIP_TRY(DecodeRow(*found, row));
  return row;
}

Result<std::vector<LeaseRow>> LmdbFacts::LeasesByMac(MacAddress mac, std::size_t limit) {
  LmdbTxn txn = SLIP_TRY(LmdbTxn::Begin(env_.get(), false));
  LmdbCursor cursor = SLIP_TRY(LmdbCursor::Open(txn, db_.leases_by_mac));
  const std::string prefix = Key64(mac.ToU64());
  std::vector<LeaseRow> rows;
  for (auto item = SLIP_TRY(cursor.SeekAtLeast(prefix)); item && item->key.starts_with(prefix);
       item = SLIP_TRY(cursor.Next())) {
    const auto found = SLIP_TRY(txn.Get(db_.leases, item->key.substr(8)));
    if (!found) {
      return Fail(ErrorCode::kCorrupt);
    }
    SLIP_TRY(DecodeRow(*found, rows.emplace_back()));
  }
  return NewestGrants(std::move(rows), limit);
}

Result<std::vector<BootStepRow>> LmdbFacts::BootSteps(MacAddress mac, std::uint64_t after,
                                                      std::size_t limit) {
  LmdbTxn txn = SLIP_TRY(LmdbTxn::Begin(env_.get(), false));
  LmdbCursor cursor = SLIP_TRY(LmdbCursor::Open(txn, db_.steps_by_mac));
  const std::string prefix = Key64(mac.ToU64());
  std::vector<std::string> positions;
  for (auto item = SLIP_TRY(cursor.SeekAtLeast(Key64x2(mac.ToU64(), after + 1)));
       item && item->key.starts_with(prefix); item = SLIP_TRY(cursor.Next())) {
    positions.emplace_back(item->key.substr(8));
  }
  std::vector<BootStepRow> rows;
  for (std::size_t i = positions.size() > limit ? positions.size() - limit : 0;
       i < positions.size(); ++i) {
    const auto found = SLIP_TRY(txn.Get(db_.steps, positions[i]));
    if (!found) {
      return Fail(ErrorCode::kCorrupt);
    }
    SLIP_TRY(DecodeRow(*found, rows.emplace_back()));
  }
  return rows;
}

Result<std::uint64_t> LmdbFacts::OldestEvent() {
  const std::lock_guard lock(mutex_);
  return positions_.events == 0 ? 0 : events_oldest_;
}

Result<std::optional<InventoryRow>> LmdbFacts::LatestInventory(MacAddress mac) {
  LmdbTxn txn = SLIP_TRY(LmdbTxn::Begin(env_.get(), false));
  const auto found = SLIP_TRY(txn.Get(db_.latest, Key64(mac.ToU64())));
  if (!found) {
    return std::optional<InventoryRow>();
  }
  InventoryRow row;
  SLIP_TRY(DecodeRow(*found, row));
  return row;
}

Result<FactsPositions> LmdbFacts::Positions() {
  const std::lock_guard lock(mutex_);
  return positions_;
}

Result<void> LmdbFacts::Watch(WatchCallback callback) {
  const std::lock_guard lock(mutex_);
  if (watchers_.size() == kFactsWatchersMax) {
    return Fail(ErrorCode::kFull);
  }
  watchers_.push_back(std::move(callback));
  return {};
}

}  // namespace

std::expected<std::unique_ptr<FactsStore>, OpenFailure> OpenLmdbFacts(const LmdbOptions& options,
                                                                      const FactsLimits& limits) {
  auto env =
      LmdbEnv::Open(options.directory, options.map_bytes, "slipway-facts", kFactsSchemaVersion);
  if (!env) {
    return std::unexpected(env.error());
  }
  auto facts = std::make_unique<LmdbFacts>(*std::move(env), limits);
  if (const auto prepared = facts->Prepare(); !prepared) {
    return std::unexpected(OpenFailure{
        .error = prepared.error(),
        .reason = "store directory " + options.directory + ": cannot be prepared (" +
                  std::string(ToString(prepared.error().code)) + "): check space and owner"});
  }
  facts->StartWriter(options.queue_batches_max);
  return facts;
}

}  // namespace slipway::store
