// The DHCP options of a snapshot, ordered by scope so that those of one place are together, in
// small pages which snapshots share: a change copies one page and the list of pages.
//
//   pages -> [Page: rows by (scope, of, family, code, id) | bytes of their values]
//
// Immutable once made: any thread. Bound: limits::kDhcpOptionsMax rows.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <tuple>
#include <vector>

#include "dataplane/base/cursor.h"
#include "dataplane/base/result.h"
#include "dataplane/config/records.h"
#include "dataplane/config/snapshot.h"

namespace slipway::config {

struct OptionRow {
  RecordId of = 0;
  RecordId id = 0;
  OptionScope scope = OptionScope::kGlobal;
  Family family = Family::kV4;
  std::uint16_t code = 0;
  bool always = false;
  bool suppress = false;
  std::uint16_t bytes = 0;
  std::uint32_t offset = 0;  // in the bytes of the page
  ContentHash hash;

  [[nodiscard]] auto place() const noexcept { return std::tuple(scope, of, family); }

  [[nodiscard]] auto key() const noexcept { return std::tuple(scope, of, family, code, id); }
};

struct OptionPage {
  std::vector<OptionRow> rows;  // never empty
  std::vector<std::byte> bytes;

  [[nodiscard]] ByteSpan ValueOf(const OptionRow& row) const noexcept {
    return ByteSpan(bytes).subspan(row.offset, row.bytes);
  }
};

class OptionTable {
 public:
  static constexpr std::size_t kPageRows = 64;

  [[nodiscard]] std::size_t size() const noexcept { return by_id_.size(); }

  // Whether any option of the scope is set anywhere.
  [[nodiscard]] bool Has(OptionScope scope) const noexcept {
    return counts_[static_cast<std::size_t>(scope)] != 0;
  }

  // Calls `each(row, value)` for the options of one place and family, by code.
  template <typename F>
  void ForEach(OptionScope scope, RecordId of, Family family, F&& each) const {
    const auto wanted = std::tuple(scope, of, family);
    auto page = std::ranges::partition_point(
        pages_, [&](const auto& other) { return other->rows.back().place() < wanted; });
    for (; page != pages_.end(); ++page) {
      const std::vector<OptionRow>& rows = (*page)->rows;
      auto row = std::ranges::partition_point(
          rows, [&](const OptionRow& other) { return other.place() < wanted; });
      for (; row != rows.end(); ++row) {
        if (row->place() != wanted) {
          return;
        }
        each(*row, (*page)->ValueOf(*row));
      }
    }
  }

  [[nodiscard]] std::uint64_t memory_bytes() const noexcept;
  // Pages that `other` does not share: what a change cost.
  [[nodiscard]] std::uint64_t PagesNotIn(const OptionTable& other) const;

 private:
  friend class OptionTableWork;
  using PageRef = std::shared_ptr<const OptionPage>;

  struct Place {
    RecordId id = 0;
    OptionScope scope = OptionScope::kGlobal;
    Family family = Family::kV4;
    std::uint16_t code = 0;
    RecordId of = 0;
  };

  std::vector<PageRef> pages_;
  std::vector<Place> by_id_;  // where each record is, by id
  std::array<std::uint32_t, kOptionScopes> counts_{};
};

// The table that is being changed: copied from the base at the first change. One thread.
class OptionTableWork {
 public:
  explicit OptionTableWork(std::shared_ptr<const OptionTable> base);

  // Puts or replaces, and keeps `sum` right. kFull at limits::kDhcpOptionsMax.
  [[nodiscard]] Result<void> Put(const DhcpOptionRecord& record, ContentHash hash,
                                 ContentHash& sum);
  // kNotFound.
  [[nodiscard]] Result<void> Remove(RecordId id, ContentHash& sum);
  [[nodiscard]] std::shared_ptr<const OptionTable> Finish() const;

 private:
  using Place = OptionTable::Place;

  void Touch();
  [[nodiscard]] std::vector<Place>::iterator Position(RecordId id);
  void Insert(const DhcpOptionRecord& record, ContentHash hash);
  void Erase(const Place& place, ContentHash& sum);

  std::shared_ptr<const OptionTable> base_;
  std::shared_ptr<OptionTable> own_;
};

}  // namespace slipway::config
