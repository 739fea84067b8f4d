// What racks report: leases, inventories, boot steps, events. A store of its own beside the desired
// state: facts never move the revision and make no deltas. De-duplicated by cursor (rack, class,
// epoch, sequence). Backends: LMDB (lmdb_facts.h) and a model in memory (memory_facts.h).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/base/address.h"
#include "dataplane/base/result.h"

namespace slipway::store {

// As schemas/facts.fbs FactClass.
enum class FactClass : std::uint8_t { kLease = 1, kInventory = 2, kBootStep = 3, kEvent = 4 };

inline constexpr std::size_t kFactClassCount = 4;

// Consecutive records of one class of one rack, as they came up the link: payload i is a schema
// Fact (verified here) with the sequence first + i. Sequences start at 1.
struct FactsBatch {
  std::uint64_t rack = 0;
  FactClass fact_class = FactClass::kLease;
  std::uint64_t epoch = 0;  // of the rack's journal; another one than the cursor's replaces it
  std::uint64_t first = 0;
  std::uint64_t dropped = 0;  // how many before `first` the rack had to drop
  // Not 0: the payloads are a part of the class's table as of this sequence; `first` means nothing.
  // The cursor moves to table_as_of + 1 with the last part, if all parts before it were applied.
  std::uint64_t table_as_of = 0;
  std::uint32_t table_part = 0;  // from 1
  bool table_last = false;
  std::vector<std::string> payloads;
};

struct FactsCursor {
  std::uint64_t epoch = 0;  // 0: nothing was ever stored
  std::uint64_t next = 1;   // all sequences below are committed

  friend bool operator==(const FactsCursor&, const FactsCursor&) = default;
};

struct FactsApplied {
  FactsCursor cursor;            // after the commit: what FactsCommitted says
  std::uint64_t applied = 0;     // records that were new
  std::uint64_t duplicates = 0;  // known already
  std::uint64_t malformed = 0;   // did not verify: counted, their sequence is used up
  std::uint64_t missing = 0;     // sequences that will never come
};

// As schemas/facts.fbs LeaseState.
enum class LeaseState : std::uint8_t { kBound = 0, kReleased = 1, kExpired = 2, kDeclined = 3 };

struct LeaseRow {
  IpAddress address;
  std::uint64_t subnet = 0;  // with address: the key
  std::uint64_t vlan = 0;
  std::uint64_t machine = 0;  // 0: unknown
  std::uint64_t rack = 0;
  MacAddress mac;
  std::uint64_t version = 0;
  std::int64_t realtime_ns = 0;  // of the grant
  std::int64_t lease_ns = 0;     // promised
  LeaseState state = LeaseState::kBound;
  std::string hostname;
  std::string client_id;  // bytes
};

struct BootStepRow {
  std::uint64_t position = 0;
  std::uint64_t rack = 0;
  MacAddress mac;
  std::uint64_t machine = 0;
  std::uint64_t vlan = 0;
  IpAddress address;
  std::int64_t realtime_ns = 0;
  std::string_view kind;  // "DhcpDiscover", as in schemas/facts.fbs BootStepKind
  std::string name;
  std::uint64_t bytes = 0;
  std::int64_t duration_ns = 0;
  bool ok = true;
};

struct EventRow {
  std::uint64_t position = 0;  // increasing over all events: where SSE resumes
  std::uint64_t rack = 0;      // 0: the region
  std::int64_t realtime_ns = 0;
  std::string code;
  std::string subject;
  std::string detail;
};

struct InventoryRow {
  std::uint64_t position = 0;
  std::uint64_t rack = 0;
  MacAddress mac;
  std::uint64_t machine = 0;  // as the rack saw it; 0: unknown
  std::uint64_t vlan = 0;
  IpAddress address;
  std::int64_t realtime_ns = 0;
  std::string document;  // JSON
};

struct LeaseKey {
  std::uint64_t subnet = 0;
  IpAddress address;
};

template <typename T>
struct FactsPage {
  std::vector<T> rows;
  bool more = false;
};

// Where each log ends: given to watchers after a group commit.
struct FactsPositions {
  std::uint64_t events = 0;
  std::uint64_t boot_steps = 0;
  std::uint64_t inventories = 0;
};

inline constexpr std::size_t kFactsPageMax = 1000;
inline constexpr std::size_t kFactsBatchMax = 16'384;
inline constexpr std::size_t kFactsWatchersMax = 16;

// Rings: the oldest go.
struct FactsLimits {
  std::size_t events_max = 200'000;
  std::size_t boot_steps_per_mac_max = 256;
  std::size_t boot_step_macs_max = 200'000;  // the MAC without a step for longest goes
  std::size_t inventories_max = 4'096;       // of the log; the latest per MAC stays beside it
};

class FactsStore {
 public:
  using ApplyCallback = std::move_only_function<void(Result<FactsApplied>)>;
  using DoneCallback = std::move_only_function<void(Result<std::uint64_t>)>;
  using WatchCallback = std::function<void(const FactsPositions&)>;

  virtual ~FactsStore() = default;

  // Durable before the callback runs (on the writer thread with LMDB, inside the call in memory).
  // Batches of one (rack, class) must come in order. A gap of `dropped` records is accepted and
  // counted in `missing`: the rack has dropped those. Any other gap, and a part of a table that
  // does not follow the part applied before, is kConflict: a batch before it failed, and this one
  // was on its way already. Errors: kTooLarge, kFull, kNoSpace, kReadOnly, kSystem, kClosed;
  // nothing was written then, and the rack keeps its records.
  virtual void Apply(FactsBatch batch, ApplyCallback done) = 0;
  // An event of the region itself; `position` is set by the store and given to `done`.
  virtual void AppendEvent(EventRow event, DoneCallback done) = 0;

  // What is committed of the class of a rack. From memory, never blocks on a disk.
  [[nodiscard]] virtual FactsCursor Cursor(std::uint64_t rack, FactClass fact_class) = 0;

  // Current bindings of all states, by (subnet, address), after the key; at most kFactsPageMax.
  [[nodiscard]] virtual Result<FactsPage<LeaseRow>> Leases(std::optional<LeaseKey> after,
                                                           std::size_t limit) = 0;
  [[nodiscard]] virtual Result<std::optional<LeaseRow>> LeaseByAddress(LeaseKey key) = 0;
  // At most `limit`, newest grant last.
  [[nodiscard]] virtual Result<std::vector<LeaseRow>> LeasesByMac(MacAddress mac,
                                                                  std::size_t limit) = 0;

  // The newest `limit` steps of the MAC with position > `after`, oldest first.
  [[nodiscard]] virtual Result<std::vector<BootStepRow>> BootSteps(MacAddress mac,
                                                                   std::uint64_t after,
                                                                   std::size_t limit) = 0;
  // Of all machines, position > `after`, oldest first: to follow boots live.
  [[nodiscard]] virtual Result<FactsPage<BootStepRow>> BootStepsAfter(std::uint64_t after,
                                                                      std::size_t limit) = 0;

  // Position > `after`, oldest first. If the ring has lost some, they are simply missing: compare
  // with oldest_event().
  [[nodiscard]] virtual Result<FactsPage<EventRow>> Events(std::uint64_t after,
                                                           std::size_t limit) = 0;
  [[nodiscard]] virtual Result<std::uint64_t> OldestEvent() = 0;

  // The latest of a MAC.
  [[nodiscard]] virtual Result<std::optional<InventoryRow>> LatestInventory(MacAddress mac) = 0;
  // The log, for who applies them to the model.
  [[nodiscard]] virtual Result<FactsPage<InventoryRow>> InventoriesAfter(std::uint64_t after,
                                                                         std::size_t limit) = 0;

  [[nodiscard]] virtual Result<FactsPositions> Positions() = 0;
  // Called after each group commit on the committing thread: be quick.
  virtual Result<void> Watch(WatchCallback callback) = 0;
};

}  // namespace slipway::store
