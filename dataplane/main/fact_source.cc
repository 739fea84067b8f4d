#include "dataplane/main/fact_source.h"

#include <algorithm>

#include "dataplane/base/random.h"
#include "dataplane/link/limits.h"

namespace slipway::rack {
namespace {

// The journal numbers from 0, the link from 1.
constexpr std::uint64_t kFirstOfLink = 1;

constexpr std::string_view kFile = "outbox";
constexpr std::string_view kTemporary = "outbox.tmp";

[[nodiscard]] journal::FactClass JournalClass(link::FactClass fact_class) {
  return static_cast<journal::FactClass>(fact_class);
}

[[nodiscard]] std::size_t IndexOf(link::FactClass fact_class) {
  return static_cast<std::size_t>(fact_class) - 1;
}

// Copies consecutive records; stops at a gap, which the next batch reports.
class Collector final : public journal::RecordVisitor {
 public:
  explicit Collector(std::vector<std::byte>& bytes) : bytes_(bytes) {}

  void OnRecord(journal::FactClass /*fact_class*/, std::uint64_t sequence,
                ByteSpan payload) override {
    const bool follows = ends_.empty() || sequence == first_ + ends_.size();
    if (!follows || full_ || ends_.size() == link::kFactsPerMessageMax) {
      full_ = true;
      return;
    }
    if (ends_.empty()) {
      first_ = sequence;
    }
    bytes_.insert(bytes_.end(), payload.begin(), payload.end());
    ends_.push_back(bytes_.size());
  }

  [[nodiscard]] std::uint64_t first() const { return first_; }

  void Fill(std::vector<ByteSpan>& records) const {
    std::size_t begin = 0;
    for (const std::size_t end : ends_) {
      records.push_back(ByteSpan(bytes_).subspan(begin, end - begin));
      begin = end;
    }
  }

 private:
  std::vector<std::byte>& bytes_;
  std::vector<std::size_t> ends_;
  std::uint64_t first_ = 0;
  bool full_ = false;
};

class TableCollector final : public journal::RecoveryVisitor {
 public:
  explicit TableCollector(std::vector<std::vector<std::byte>>& table) : table_(table) {}

  void OnCheckpointLease(ByteSpan payload) override {
    table_.emplace_back(payload.begin(), payload.end());
  }

  // Records after the checkpoint follow in the order of their sequences: the region takes the last.
  void OnRecord(journal::FactClass /*fact_class*/, std::uint64_t /*sequence*/,
                ByteSpan payload) override {
    table_.emplace_back(payload.begin(), payload.end());
  }

 private:
  std::vector<std::vector<std::byte>>& table_;
};

}  // namespace

JournalFactSource::JournalFactSource(OutboxJournal* journal, Disk* disk, Random* random)
    : journal_(journal), disk_(disk), random_(random) {
  LoadSalts();
}

std::uint64_t JournalFactSource::EpochOf(link::FactClass fact_class,
                                         const journal::ClassCursor& cursor) const noexcept {
  return Mix64(cursor.epoch ^ salts_[IndexOf(fact_class)]) | 1;
}

link::FactCursor JournalFactSource::End(link::FactClass fact_class) {
  const journal::ClassCursor cursor = journal_->Cursor(JournalClass(fact_class));
  // Not `durable_next`: what a region already has of a tail that this start found, but could not
  // yet prove to be on disk, was never lost, and is no reason for a new epoch.
  return {.epoch = EpochOf(fact_class, cursor), .next = cursor.next + kFirstOfLink};
}

void JournalFactSource::Peek(link::FactClass fact_class, std::uint64_t from,
                             std::uint64_t table_position, std::size_t bytes_max,
                             link::FactBatch& out) {
  out = {};
  out.fact_class = fact_class;
  const journal::ClassCursor cursor = journal_->Cursor(JournalClass(fact_class));
  out.epoch = EpochOf(fact_class, cursor);
  const std::uint64_t wanted = from - std::min(from, kFirstOfLink);
  const bool sending_table = table_position > 0 && !table_.empty();
  // Below `acknowledged` records may have been let go because a region had them; this one has not.
  const bool gone = wanted < cursor.acknowledged && wanted < cursor.first;
  if (fact_class == link::FactClass::kLease && (sending_table || gone)) {
    PeekTable(table_position, bytes_max, out);
    return;
  }
  bytes_.clear();
  Collector collector(bytes_);
  if (!journal_->ReadCommitted(JournalClass(fact_class), wanted, bytes_max, collector)) {
    ++read_failures_;
    return;
  }
  collector.Fill(out.records);
  if (!out.records.empty()) {
    out.first = collector.first() + kFirstOfLink;
    out.dropped = collector.first() - std::min(wanted, collector.first());
  }
}

void JournalFactSource::PeekTable(std::uint64_t table_position, std::size_t bytes_max,
                                  link::FactBatch& out) {
  if (table_position == 0) {
    table_.clear();
    parts_.assign(1, 0);
    TableCollector collector(table_);
    const Result<std::uint64_t> next = journal_->ReadLeaseTable(collector);
    if (!next) {
      ++read_failures_;
      table_.clear();
      return;
    }
    table_as_of_ = *next - 1 + kFirstOfLink;
  }
  if (table_position >= parts_.size()) {
    return;  // A part that was never reached: the link starts over with the next connection.
  }
  std::size_t bytes = 0;
  std::size_t at = parts_[table_position];
  while (at < table_.size() && out.records.size() < link::kFactsPerMessageMax &&
         (out.records.empty() || bytes + table_[at].size() <= bytes_max)) {
    bytes += table_[at].size();
    out.records.emplace_back(table_[at]);
    ++at;
  }
  if (table_position + 1 == parts_.size()) {
    parts_.push_back(at);
  }
  out.table_as_of = table_as_of_;
  out.table_last = at == table_.size();
}

void JournalFactSource::Committed(link::FactClass fact_class, link::FactCursor cursor) {
  const journal::ClassCursor own = journal_->Cursor(JournalClass(fact_class));
  if (cursor.epoch != EpochOf(fact_class, own)) {
    return;
  }
  // What cannot be acknowledged is sent again after a restart; nothing is lost by it.
  (void)journal_->Acknowledge(JournalClass(fact_class), own.epoch,
                              cursor.next - std::min(cursor.next, kFirstOfLink));
  if (fact_class == link::FactClass::kLease && cursor.next > table_as_of_) {
    table_.clear();
    table_.shrink_to_fit();
  }
}

void JournalFactSource::StartNewEpoch(link::FactClass fact_class) {
  salts_[IndexOf(fact_class)] = random_->U64() | 1;
  StoreSalts();
}

void JournalFactSource::LoadSalts() {
  std::array<std::byte, 8 * (kSalts + 1)> bytes{};
  const Result<FileId> file = disk_->Open(kFile, OpenMode::kRead);
  if (!file) {
    return;  // None was ever started anew.
  }
  const Result<std::size_t> got = disk_->ReadAt(*file, 0, bytes);
  disk_->Close(*file);
  std::uint64_t check = kSalts;
  for (std::size_t i = 0; i < kSalts; ++i) {
    salts_[i] = LoadLittle<std::uint64_t>(bytes.data() + 8 * i);
    check = Mix64(check ^ salts_[i]);
  }
  if (!got || *got != bytes.size() ||
      check != LoadLittle<std::uint64_t>(bytes.data() + 8 * kSalts)) {
    for (std::uint64_t& salt : salts_) {
      salt = random_->U64() | 1;
    }
    StoreSalts();
  }
}

void JournalFactSource::StoreSalts() {
  std::array<std::byte, 8 * (kSalts + 1)> bytes{};
  std::uint64_t check = kSalts;
  for (std::size_t i = 0; i < kSalts; ++i) {
    StoreLittle(bytes.data() + 8 * i, salts_[i]);
    check = Mix64(check ^ salts_[i]);
  }
  StoreLittle(bytes.data() + 8 * kSalts, check);
  const Result<FileId> file = disk_->Open(kTemporary, OpenMode::kCreate);
  if (!file) {
    ++read_failures_;
    return;  // In force until the next start; then the region's cursor asks for it again.
  }
  const bool written = disk_->WriteAt(*file, 0, bytes) && disk_->Sync(*file);
  disk_->Close(*file);
  if (!written || !disk_->Rename(kTemporary, kFile)) {
    ++read_failures_;
  }
}

}  // namespace slipway::rack
