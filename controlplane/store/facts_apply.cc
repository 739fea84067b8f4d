#include "controlplane/store/facts_apply.h"

#include <algorithm>
#include <utility>

#include "controlplane/store/fact_codec.h"

namespace slipway::store {

namespace {

struct RowPutter {
  FactsBackend& backend;
  std::uint64_t rack;

  Result<void> operator()(LeaseRow& row) const {
    row.rack = rack;
    return backend.PutLease(std::move(row));
  }

  Result<void> operator()(InventoryRow& row) const {
    row.rack = rack;
    return backend.PutInventory(std::move(row));
  }

  Result<void> operator()(BootStepRow& row) const {
    row.rack = rack;
    return backend.PutBootStep(std::move(row));
  }

  Result<void> operator()(EventRow& row) const {
    row.rack = rack;
    SLIP_TRY(backend.PutEvent(std::move(row)));
    return {};
  }
};

Result<void> PutPayload(FactsBackend& backend, const FactsBatch& batch, std::string_view payload,
                        FactsApplied& applied) {
  auto row = DecodeFact(batch.fact_class, payload);
  if (!row) {
    ++applied.malformed;  // bad input is counted; its sequence is used up
    return {};
  }
  ++applied.applied;
  return std::visit(RowPutter{.backend = backend, .rack = batch.rack}, *row);
}

// Parts count only in a row from the first: behind one that failed, the others are refused, so that
// the last cannot move the cursor past what is missing.
Result<void> TakePart(TablesUnderWay& tables, const FactsBatch& batch) {
  const std::pair key{batch.rack, batch.fact_class};
  if (batch.table_part != 1) {
    const auto before = tables.find(key);
    if (before == tables.end() || before->second.epoch != batch.epoch ||
        before->second.as_of != batch.table_as_of || before->second.parts + 1 != batch.table_part) {
      return Fail(ErrorCode::kConflict);
    }
  }
  if (batch.table_last) {
    tables.erase(key);
  } else {
    tables[key] = {.epoch = batch.epoch, .as_of = batch.table_as_of, .parts = batch.table_part};
  }
  return {};
}

Result<FactsApplied> ApplyPart(FactsBackend& backend, const FactsBatch& batch, FactsCursor cursor) {
  FactsApplied applied;
  SLIP_TRY(TakePart(backend.Tables(), batch));
  for (const std::string& payload : batch.payloads) {
    SLIP_TRY(PutPayload(backend, batch, payload, applied));
  }
  if (batch.table_last) {
    cursor.next = std::max(cursor.next, batch.table_as_of + 1);
    SLIP_TRY(backend.StoreCursor(batch.rack, batch.fact_class, cursor));
  }
  applied.cursor = cursor;
  return applied;
}

}  // namespace

Result<FactsApplied> ApplyFacts(FactsBackend& backend, const FactsBatch& batch) {
  if (batch.payloads.size() > kFactsBatchMax) {
    return Fail(ErrorCode::kTooLarge, static_cast<std::uint32_t>(batch.payloads.size()));
  }
  FactsApplied applied;
  FactsCursor cursor = SLIP_TRY(backend.LoadCursor(batch.rack, batch.fact_class));
  if (cursor.epoch != batch.epoch) {
    // The rack's journal began anew. Where it begins is where its first batch begins.
    cursor = {.epoch = batch.epoch, .next = 1};
  }
  if (batch.table_as_of != 0) {
    return ApplyPart(backend, batch, cursor);
  }
  if (batch.first > cursor.next) {
    // More is missing than the rack says it dropped: a batch before this one was not committed. Its
    // records come again, and this one after them.
    if (batch.first - cursor.next != batch.dropped) {
      return Fail(ErrorCode::kConflict);
    }
    applied.missing = batch.first - cursor.next;
    cursor.next = batch.first;
  }
  for (std::size_t i = 0; i < batch.payloads.size(); ++i) {
    if (batch.first + i < cursor.next) {
      ++applied.duplicates;
      continue;
    }
    SLIP_TRY(PutPayload(backend, batch, batch.payloads[i], applied));
    ++cursor.next;
  }
  SLIP_TRY(backend.StoreCursor(batch.rack, batch.fact_class, cursor));
  applied.cursor = cursor;
  return applied;
}

bool Supersedes(const LeaseRow& row, const LeaseRow& known) noexcept {
  return row.rack == known.rack || row.realtime_ns >= known.realtime_ns;
}

std::vector<LeaseRow> NewestGrants(std::vector<LeaseRow> rows, std::size_t limit) {
  std::ranges::stable_sort(rows, {}, &LeaseRow::realtime_ns);
  if (rows.size() > limit) {
    rows.erase(rows.begin(), rows.end() - static_cast<std::ptrdiff_t>(limit));
  }
  return rows;
}

}  // namespace slipway::store
