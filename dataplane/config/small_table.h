// The tables of a snapshot that hold few records: sorted arrays, shared between snapshots and
// copied whole when one record changes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <numeric>
#include <tuple>
#include <utility>
#include <vector>

#include "dataplane/base/check.h"
#include "dataplane/config/records.h"
#include "dataplane/config/snapshot.h"

namespace slipway::config {

// What a table is ordered by before the id.
[[nodiscard]] inline RecordId ParentOf(const SubnetRecord& subnet) noexcept { return subnet.vlan; }

[[nodiscard]] inline RecordId ParentOf(const RangeRecord& range) noexcept { return range.subnet; }

// The highest priority comes first.
[[nodiscard]] inline RecordId ParentOf(const DhcpClassRecord& dhcp_class) noexcept {
  return RecordId{UINT16_MAX} - dhcp_class.priority;
}

template <typename Record>
[[nodiscard]] RecordId ParentOf(const Record&) noexcept {
  return 0;
}

// Immutable once made.
template <typename Record>
struct SmallTable {
  std::vector<Record> records;       // by (parent, id)
  std::vector<ContentHash> hashes;   // of records, in the same order
  std::vector<std::uint32_t> by_id;  // indices into records

  [[nodiscard]] const Record* Find(RecordId id) const noexcept {
    const auto at = std::lower_bound(
        by_id.begin(), by_id.end(), id,
        [this](std::uint32_t index, RecordId wanted) { return records[index].id < wanted; });
    return at != by_id.end() && records[*at].id == id ? &records[*at] : nullptr;
  }

  [[nodiscard]] std::span<const Record> ChildrenOf(RecordId parent) const noexcept {
    const auto before = [](const Record& record, RecordId wanted) {
      return ParentOf(record) < wanted;
    };
    const auto after = [](RecordId wanted, const Record& record) {
      return wanted < ParentOf(record);
    };
    const auto first = std::lower_bound(records.begin(), records.end(), parent, before);
    const auto last = std::upper_bound(first, records.end(), parent, after);
    return {first, last};
  }

  [[nodiscard]] std::uint64_t memory_bytes() const noexcept {
    return records.capacity() * sizeof(Record) + hashes.capacity() * sizeof(ContentHash) +
           by_id.capacity() * sizeof(std::uint32_t);
  }
};

// A small table that is being changed: rows by id, copied from the base at the first change.
template <typename Record>
class SmallTableWork {
 public:
  explicit SmallTableWork(std::shared_ptr<const SmallTable<Record>> base) : base_(std::move(base)) {
    SLIP_CHECK(base_ != nullptr);
  }

  // The hash of the record that was replaced, or null for a new one. kFull at `records_max`.
  [[nodiscard]] Result<void> Put(const Record& record, ContentHash hash, std::size_t records_max,
                                 ContentHash& sum) {
    Touch();
    const auto at = Position(record.id);
    if (at != rows_.end() && at->record.id == record.id) {
      sum.Subtract(at->hash);
      *at = Row{record, hash};
    } else if (rows_.size() >= records_max) {
      return Fail(ErrorCode::kFull, static_cast<std::uint32_t>(records_max));
    } else {
      rows_.insert(at, Row{record, hash});
    }
    sum.Add(hash);
    return {};
  }

  [[nodiscard]] Result<void> Remove(RecordId id, ContentHash& sum) {
    Touch();
    const auto at = Position(id);
    if (at == rows_.end() || at->record.id != id) {
      return Fail(ErrorCode::kNotFound);
    }
    sum.Subtract(at->hash);
    rows_.erase(at);
    return {};
  }

  [[nodiscard]] std::shared_ptr<const SmallTable<Record>> Finish() {
    if (!touched_) {
      return base_;
    }
    // Rows are ordered by id: a stable sort by parent gives (parent, id).
    std::vector<std::uint32_t> order(rows_.size());
    std::iota(order.begin(), order.end(), 0U);
    std::stable_sort(order.begin(), order.end(), [this](std::uint32_t a, std::uint32_t b) {
      return ParentOf(rows_[a].record) < ParentOf(rows_[b].record);
    });
    auto table = std::make_shared<SmallTable<Record>>();
    table->records.reserve(rows_.size());
    table->hashes.reserve(rows_.size());
    table->by_id.resize(rows_.size());
    for (const std::uint32_t row : order) {
      table->by_id[row] = static_cast<std::uint32_t>(table->records.size());
      table->records.push_back(rows_[row].record);
      table->hashes.push_back(rows_[row].hash);
    }
    return table;
  }

 private:
  struct Row {
    Record record;
    ContentHash hash;
  };

  [[nodiscard]] typename std::vector<Row>::iterator Position(RecordId id) {
    // Whole snapshots come ordered by id: then this is the end at once.
    if (rows_.empty() || rows_.back().record.id < id) {
      return rows_.end();
    }
    return std::lower_bound(rows_.begin(), rows_.end(), id,
                            [](const Row& row, RecordId wanted) { return row.record.id < wanted; });
  }

  void Touch() {
    if (touched_) {
      return;
    }
    touched_ = true;
    rows_.reserve(base_->records.size() + 1);
    for (const std::uint32_t index : base_->by_id) {
      rows_.push_back(Row{base_->records[index], base_->hashes[index]});
    }
  }

  std::shared_ptr<const SmallTable<Record>> base_;
  std::vector<Row> rows_;
  bool touched_ = false;
};

}  // namespace slipway::config
