#include "dataplane/config/option_table.h"

#include <set>
#include <utility>

#include "dataplane/base/check.h"
#include "dataplane/base/limits.h"

namespace slipway::config {

std::uint64_t OptionTable::memory_bytes() const noexcept {
  std::uint64_t sum =
      pages_.capacity() * sizeof(PageRef) + by_id_.capacity() * sizeof(Place) + sizeof(*this);
  for (const PageRef& page : pages_) {
    sum += sizeof(OptionPage) + page->rows.capacity() * sizeof(OptionRow) + page->bytes.capacity();
  }
  return sum;
}

std::uint64_t OptionTable::PagesNotIn(const OptionTable& other) const {
  const std::set<PageRef> theirs(other.pages_.begin(), other.pages_.end());
  return static_cast<std::uint64_t>(
      std::ranges::count_if(pages_, [&](const PageRef& page) { return !theirs.contains(page); }));
}

OptionTableWork::OptionTableWork(std::shared_ptr<const OptionTable> base) : base_(std::move(base)) {
  SLIP_CHECK(base_ != nullptr);
}

void OptionTableWork::Touch() {
  if (own_ == nullptr) {
    own_ = std::make_shared<OptionTable>(*base_);
  }
}

std::shared_ptr<const OptionTable> OptionTableWork::Finish() const {
  return own_ == nullptr ? base_ : own_;
}

std::vector<OptionTable::Place>::iterator OptionTableWork::Position(RecordId id) {
  std::vector<Place>& all = own_->by_id_;
  // Whole snapshots come ordered by id: then this is the end at once.
  if (all.empty() || all.back().id < id) {
    return all.end();
  }
  return std::lower_bound(all.begin(), all.end(), id,
                          [](const Place& place, RecordId wanted) { return place.id < wanted; });
}

namespace {

// A page with some rows of another one and the values that belong to them.
class PageWriter {
 public:
  void Append(OptionRow row, ByteSpan value) {
    row.offset = static_cast<std::uint32_t>(page_->bytes.size());
    row.bytes = static_cast<std::uint16_t>(value.size());
    page_->bytes.insert(page_->bytes.end(), value.begin(), value.end());
    page_->rows.push_back(row);
  }

  [[nodiscard]] std::size_t size() const noexcept { return page_->rows.size(); }

  [[nodiscard]] std::shared_ptr<const OptionPage> Take() { return std::move(page_); }

 private:
  std::shared_ptr<OptionPage> page_ = std::make_shared<OptionPage>();
};

}  // namespace

void OptionTableWork::Insert(const DhcpOptionRecord& record, ContentHash hash) {
  const OptionRow added{.of = record.of,
                        .id = record.id,
                        .scope = record.scope,
                        .family = record.family,
                        .code = record.code,
                        .always = record.always,
                        .suppress = record.suppress,
                        .hash = hash};
  ++own_->counts_[static_cast<std::size_t>(record.scope)];
  auto& pages = own_->pages_;
  auto at = std::ranges::partition_point(
      pages, [&](const auto& page) { return page->rows.back().key() < added.key(); });
  if (at == pages.end()) {
    PageWriter writer;
    if (!pages.empty() && pages.back()->rows.size() < OptionTable::kPageRows) {
      const OptionPage& old = *pages.back();
      for (const OptionRow& row : old.rows) {
        writer.Append(row, old.ValueOf(row));
      }
      pages.pop_back();
    }
    writer.Append(added, record.value);
    pages.push_back(writer.Take());
    return;
  }
  const auto old = *at;
  const std::size_t half =
      old->rows.size() < OptionTable::kPageRows ? SIZE_MAX : old->rows.size() / 2;
  PageWriter low;
  PageWriter high;
  bool done = false;
  const auto append = [&](const OptionRow& row, ByteSpan value) {
    (low.size() < half ? low : high).Append(row, value);
  };
  for (const OptionRow& row : old->rows) {
    if (!done && added.key() < row.key()) {
      append(added, record.value);
      done = true;
    }
    append(row, old->ValueOf(row));
  }
  SLIP_CHECK(done);
  *at = low.Take();
  if (high.size() > 0) {
    pages.insert(at + 1, high.Take());
  }
}

void OptionTableWork::Erase(const Place& place, ContentHash& sum) {
  const auto key = std::tuple(place.scope, place.of, place.family, place.code, place.id);
  auto& pages = own_->pages_;
  const auto at = std::ranges::partition_point(
      pages, [&](const auto& page) { return page->rows.back().key() < key; });
  SLIP_CHECK(at != pages.end());
  const auto old = *at;
  PageWriter writer;
  for (const OptionRow& row : old->rows) {
    if (row.key() == key) {
      sum.Subtract(row.hash);
    } else {
      writer.Append(row, old->ValueOf(row));
    }
  }
  SLIP_CHECK(writer.size() + 1 == old->rows.size());
  --own_->counts_[static_cast<std::size_t>(place.scope)];
  if (writer.size() == 0) {
    pages.erase(at);
  } else {
    *at = writer.Take();
  }
}

Result<void> OptionTableWork::Put(const DhcpOptionRecord& record, ContentHash hash,
                                  ContentHash& sum) {
  Touch();
  const auto at = Position(record.id);
  const Place place{.id = record.id,
                    .scope = record.scope,
                    .family = record.family,
                    .code = record.code,
                    .of = record.of};
  if (at != own_->by_id_.end() && at->id == record.id) {
    Erase(*at, sum);
    *at = place;
  } else if (own_->by_id_.size() >= limits::kDhcpOptionsMax) {
    return Fail(ErrorCode::kFull, limits::kDhcpOptionsMax);
  } else {
    own_->by_id_.insert(at, place);
  }
  Insert(record, hash);
  sum.Add(hash);
  return {};
}

Result<void> OptionTableWork::Remove(RecordId id, ContentHash& sum) {
  Touch();
  const auto at = Position(id);
  if (at == own_->by_id_.end() || at->id != id) {
    return Fail(ErrorCode::kNotFound);
  }
  Erase(*at, sum);
  own_->by_id_.erase(at);
  return {};
}

}  // namespace slipway::config
