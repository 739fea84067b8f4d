// The rules of applying facts, once for both facts stores: de-duplication by cursor, gaps, tables.
#pragma once

#include <map>
#include <utility>

#include "controlplane/store/facts_store.h"

namespace slipway::store {

// How far a table has come that is sent in parts. Not on disk: after a restart of the region the
// rack begins the table anew.
struct TableProgress {
  std::uint64_t epoch = 0;
  std::uint64_t as_of = 0;
  std::uint32_t parts = 0;
};

// Holds only tables that are on their way.
using TablesUnderWay = std::map<std::pair<std::uint64_t, FactClass>, TableProgress>;

// What a store gives to ApplyFacts: all calls belong to one transaction.
class FactsBackend {
 public:
  virtual ~FactsBackend() = default;
  [[nodiscard]] virtual Result<FactsCursor> LoadCursor(std::uint64_t rack,
                                                       FactClass fact_class) = 0;
  [[nodiscard]] virtual Result<void> StoreCursor(std::uint64_t rack, FactClass fact_class,
                                                 FactsCursor cursor) = 0;
  // Changes to it last only if the transaction does.
  [[nodiscard]] virtual TablesUnderWay& Tables() = 0;
  // Positions are set by the store.
  [[nodiscard]] virtual Result<void> PutLease(LeaseRow row) = 0;
  [[nodiscard]] virtual Result<void> PutInventory(InventoryRow row) = 0;
  [[nodiscard]] virtual Result<void> PutBootStep(BootStepRow row) = 0;
  [[nodiscard]] virtual Result<std::uint64_t> PutEvent(EventRow row) = 0;
};

// kTooLarge: more payloads than kFactsBatchMax. kConflict: see FactsStore::Apply. Other errors are
// the backend's. Abort after each.
[[nodiscard]] Result<FactsApplied> ApplyFacts(FactsBackend& backend, const FactsBatch& batch);

// Does `row` replace what is known of its address? The same rack's records come in order; between
// racks the later grant wins.
[[nodiscard]] bool Supersedes(const LeaseRow& row, const LeaseRow& known) noexcept;

// The `limit` newest grants, newest last.
[[nodiscard]] std::vector<LeaseRow> NewestGrants(std::vector<LeaseRow> rows, std::size_t limit);

}  // namespace slipway::store
