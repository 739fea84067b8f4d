#include "dataplane/journal/journal.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "dataplane/base/check.h"
#include "dataplane/journal/slots.h"

namespace slipway::journal {

JournalOptions OptionsFor(std::uint32_t leases_max) noexcept {
  JournalOptions options;
  const std::uint32_t scale = std::max(
      1U, leases_max / limits::kLeasesMax + (leases_max % limits::kLeasesMax != 0 ? 1 : 0));
  ClassLimits& leases = options.limits[Index(FactClass::kLease)];
  options.segment_bytes *= scale;
  leases.bytes_max *= scale;
  leases.records_max *= scale;
  return options;
}

std::size_t Journal::room() const noexcept {
  const std::size_t left = buffer_.size() - buffer_used_;
  return left <= kRecordHeaderBytes ? 0 : ((left - kRecordHeaderBytes) & ~std::size_t{7});
}

Result<std::uint64_t> Journal::Append(FactClass fact_class, std::uint64_t key, ByteSpan payload) {
  SLIP_CHECK(fact_class != FactClass::kNone);
  if (payload.size() > options_.record_bytes_max) {
    return Fail(ErrorCode::kTooLarge, static_cast<std::uint32_t>(payload.size()));
  }
  if (payload.size() > room()) {
    return Fail(ErrorCode::kFull, static_cast<std::uint32_t>(buffer_.size()));
  }
  Class& of = classes_[Index(fact_class)];
  Pending pending{.fact_class = fact_class};
  pending.entry.sequence = of.state.next++;
  pending.entry.key = key;
  AddPending(pending, payload);
  return pending.entry.sequence;
}

void Journal::AddPending(const Pending& pending, ByteSpan payload) {
  const std::size_t size = RecordBytes(payload.size());
  SLIP_CHECK(size <= buffer_.size() - buffer_used_);
  const RecordHeader header{.payload_bytes = static_cast<std::uint32_t>(payload.size()),
                            .fact_class = pending.fact_class,
                            .flags = pending.moved ? kFlagMoved : std::uint8_t{0},
                            .sequence = pending.entry.sequence,
                            .key = pending.entry.key};
  EncodeRecord(header, payload, MutableByteSpan(buffer_).subspan(buffer_used_, size));
  pending_.push_back(pending);
  pending_.back().entry.offset = static_cast<std::uint32_t>(buffer_used_);
  pending_.back().entry.payload_bytes = header.payload_bytes;
  buffer_used_ += size;
}

Result<void> Journal::Commit() {
  const auto begun = BeginCommit();
  if (!begun) {
    FinishCommit(std::unexpected(begun.error()));
    return std::unexpected(begun.error());
  }
  if (!*begun) {
    return {};
  }
  const Result<void> flushed = Flush();
  FinishCommit(flushed);
  return flushed;
}

Result<bool> Journal::BeginCommit() {
  if (!has_changes()) {
    return false;
  }
  QueueMoves();
  if (!active_ || segments_.back().end + buffer_used_ > options_.segment_bytes) {
    SLIP_TRY(StartSegment());
  }
  const Segment& segment = segments_.back();
  std::array<std::byte, kBatchPayloadBytes> payload{};
  EncodeBatch({.durable_end = segment.end, .classes = DurableState()}, payload);
  state_dirty_ = false;
  EncodeRecord({.payload_bytes = kBatchPayloadBytes}, payload,
               MutableByteSpan(buffer_).first(kBatchRecordBytes));
  SealRecords(MutableByteSpan(buffer_).first(buffer_used_), segment.salt);
  flight_ = {.file = segment.file, .offset = segment.end, .bytes = buffer_used_};
  return true;
}

Result<void> Journal::Flush() {
  SLIP_CHECK(flight_.bytes > 0);
  SLIP_TRY(disk_.WriteAt(flight_.file, flight_.offset, ByteSpan(buffer_).first(flight_.bytes)));
  return disk_.Sync(flight_.file);
}

void Journal::FinishCommit(const Result<void>& flushed) {
  if (!flushed) {
    // The file may hold any part of the batch, and a later sync of it proves nothing.
    failure_ = flushed.error();
    active_ = false;
    state_dirty_ = true;
    return;
  }
  failure_ = {};
  Segment& segment = segments_.back();
  for (const Pending& pending : pending_) {
    Placed(pending, segment, segment.end);
  }
  segment.end += buffer_used_;
  pending_.clear();
  buffer_used_ = kBatchRecordBytes;
  for (std::size_t i = 1; i < kClasses; ++i) {
    Retain(classes_[i], static_cast<FactClass>(i));
  }
  FreeSegments();
}

// A pending record is on disk now, `base` being where the buffer begins in the segment.
void Journal::Placed(const Pending& pending, Segment& segment, std::uint64_t base) {
  Class& of = classes_[Index(pending.fact_class)];
  Entry entry = pending.entry;
  entry.segment = segment.number;
  entry.offset = static_cast<std::uint32_t>(base + pending.entry.offset);
  if (!pending.moved) {
    of.durable_next = entry.sequence + 1;
    of.entries.push_back(entry);
    of.bytes += RecordBytes(entry.payload_bytes);
    segment.Hold(entry.payload_bytes);
    return;
  }
  const auto at = std::lower_bound(
      of.entries.begin(), of.entries.end(), entry.sequence,
      [](const Entry& a, std::uint64_t sequence) { return a.sequence < sequence; });
  // It may have been let go meanwhile.
  if (at != of.entries.end() && at->sequence == entry.sequence &&
      at->segment == pending.entry.segment) {
    Segment* const old = FindSegment(at->segment);
    SLIP_CHECK(old != nullptr);
    old->Forget(entry.payload_bytes);
    *at = entry;
    segment.Hold(entry.payload_bytes);
  }
}

std::array<ClassState, kClasses> Journal::DurableState() const noexcept {
  std::array<ClassState, kClasses> states{};
  for (std::size_t i = 0; i < kClasses; ++i) {
    states[i] = classes_[i].state;
    states[i].next = classes_[i].durable_next;
  }
  return states;
}

std::size_t Journal::retained() const noexcept {
  std::size_t records = 0;
  for (const Class& of : classes_) {
    records += of.entries.size();
  }
  return records;
}

Journal::Segment* Journal::FindSegment(std::uint64_t number) noexcept {
  const auto at = std::lower_bound(
      segments_.begin(), segments_.end(), number,
      [](const Segment& segment, std::uint64_t wanted) { return segment.number < wanted; });
  return at != segments_.end() && at->number == number ? &*at : nullptr;
}

std::optional<std::uint32_t> Journal::FreeSlot() const noexcept {
  for (std::uint32_t i = 0; i < slots_.size(); ++i) {
    const Slot& slot = slots_[i];
    if (slot.exists && !slot.used && slot.listed_in < durable_header_) {
      return i;
    }
  }
  return std::nullopt;
}

std::optional<std::uint32_t> Journal::MissingSlot() const noexcept {
  for (std::uint32_t i = 0; i < slots_.size(); ++i) {
    if (!slots_[i].exists) {
      return i;
    }
  }
  return std::nullopt;
}

Result<std::uint32_t> Journal::TakeSlot() {
  if (const auto free = FreeSlot()) {
    return *free;
  }
  const auto missing = MissingSlot();
  if (!missing) {
    return Fail(ErrorCode::kFull, options_.segments_max);
  }
  SLIP_TRY(GrowSpare(options_.segment_bytes));
  const Result<void> renamed = disk_.Rename(kSpareName, SlotName(*missing));
  if (!renamed) {
    DiscardSpare();
    return std::unexpected(renamed.error());
  }
  Slot& slot = slots_[*missing];
  slot.exists = true;
  slot.file = std::exchange(spare_, -1);
  return *missing;
}

Result<void> Journal::GrowSpare(std::uint64_t bytes_max) {
  static constexpr std::array<std::byte, 65536> kZeros{};
  if (spare_ < 0) {
    spare_ = SLIP_TRY(disk_.Open(kSpareName, OpenMode::kCreate));
    spare_bytes_ = 0;
  }
  const std::uint64_t end = std::min(options_.segment_bytes, spare_bytes_ + bytes_max);
  Result<void> done;
  while (done && spare_bytes_ < end) {
    const std::uint64_t size = std::min<std::uint64_t>(kZeros.size(), end - spare_bytes_);
    done = disk_.WriteAt(spare_, spare_bytes_, ByteSpan(kZeros).first(size));
    spare_bytes_ += size;
  }
  if (done) {
    done = disk_.Sync(spare_);
  }
  if (!done) {
    DiscardSpare();
  }
  return done;
}

void Journal::DiscardSpare() {
  if (spare_ >= 0) {
    disk_.Close(std::exchange(spare_, -1));
    // What can not be removed is truncated by the next attempt.
    (void)disk_.Remove(kSpareName);
  }
}

void Journal::Maintain() {
  if (failure_.code == ErrorCode::kNone && !FreeSlot() && MissingSlot() &&
      spare_bytes_ < options_.segment_bytes) {
    (void)GrowSpare(kSpareStepBytes);
  } else if (spare_ < 0) {
    spare_bytes_ = 0;
  }
}

Result<void> Journal::WriteHeader(FileId file, const SegmentHeader& header) {
  std::array<std::byte, kHeaderBytes> bytes;
  EncodeHeader(header, bytes);
  SLIP_TRY(disk_.WriteAt(file, 0, bytes));
  SLIP_TRY(disk_.WriteAt(file, kSecondHeaderOffset, bytes));
  return disk_.Sync(file);
}

Result<void> Journal::StartSegment() {
  active_ = false;
  if (unproven_header_) {
    SLIP_TRY(WriteHeader(segments_.back().file, *unproven_header_));
    unproven_header_.reset();
  }
  const std::uint32_t at = SLIP_TRY(TakeSlot());
  Slot& slot = slots_[at];
  // A number is used once, even if this attempt fails: its header may be on disk all the same.
  SegmentHeader header{.number = next_number_++, .salt = random_.U64(), .others = {}};
  header.classes = DurableState();
  for (std::size_t i = 0; i < kClasses; ++i) {
    header.epochs[i] = classes_[i].epoch;
  }
  for (const Segment& segment : segments_) {
    if (segment.live > 0) {
      SLIP_CHECK(header.others.push_back({.number = segment.number, .end = segment.end}));
      slots_[segment.slot].listed_in = header.number;
    }
  }
  SLIP_TRY(WriteHeader(slot.file, header));
  durable_header_ = header.number;
  slot.used = true;
  slot.listed_in = header.number;
  segments_.push_back({.number = header.number,
                       .salt = header.salt,
                       .end = kDataOffset,
                       .slot = at,
                       .file = slot.file});
  active_ = true;
  FreeSegments();
  return {};
}

Result<ByteSpan> Journal::ReadRecord(const Entry& entry, Chunk& chunk) {
  const Segment* const segment = FindSegment(entry.segment);
  SLIP_CHECK(segment != nullptr);
  const std::size_t size = RecordBytes(entry.payload_bytes);
  const bool inside = chunk.segment == entry.segment && entry.offset >= chunk.offset &&
                      entry.offset - chunk.offset + size <= chunk.bytes.size();
  if (!inside) {
    chunk.bytes.resize(std::max(size, kReadChunkBytes));
    chunk.segment = entry.segment;
    chunk.offset = entry.offset;
    const std::size_t got = SLIP_TRY(disk_.ReadAt(segment->file, entry.offset, chunk.bytes));
    chunk.bytes.resize(got);
  }
  const auto record =
      DecodeRecord(ByteSpan(chunk.bytes).subspan(entry.offset - chunk.offset), segment->salt);
  if (!record || record->header.sequence != entry.sequence) {
    return Fail(ErrorCode::kCorrupt, entry.offset);
  }
  return record->payload;
}

Result<std::uint64_t> Journal::ReadCommitted(FactClass fact_class, std::uint64_t from,
                                             std::size_t bytes_max, RecordVisitor& visitor) {
  const Class& of = classes_[Index(fact_class)];
  auto at = std::lower_bound(
      of.entries.begin(), of.entries.end(), from,
      [](const Entry& entry, std::uint64_t sequence) { return entry.sequence < sequence; });
  Chunk chunk;
  std::size_t bytes = 0;
  std::uint64_t next = from;
  for (; at != of.entries.end() && (bytes == 0 || bytes + at->payload_bytes <= bytes_max); ++at) {
    visitor.OnRecord(fact_class, at->sequence, SLIP_TRY(ReadRecord(*at, chunk)));
    bytes += std::max<std::size_t>(at->payload_bytes, 1);
    next = at->sequence + 1;
  }
  return next;
}

Result<void> Journal::Acknowledge(FactClass fact_class, std::uint64_t epoch, std::uint64_t next) {
  Class& of = classes_[Index(fact_class)];
  if (epoch != of.epoch) {
    return Fail(ErrorCode::kConflict);
  }
  if (next > of.durable_next) {
    return Fail(ErrorCode::kOutOfRange);
  }
  if (next > of.state.acknowledged) {
    of.state.acknowledged = next;
    state_dirty_ = true;
    Trim(of, fact_class);
    FreeSegments();
  }
  return {};
}

ClassCursor Journal::cursor(FactClass fact_class) const noexcept {
  const Class& of = classes_[Index(fact_class)];
  return {.epoch = of.epoch,
          .first = of.entries.empty() ? of.durable_next : of.entries.front().sequence,
          .durable_next = of.durable_next,
          .next = of.state.next,
          .acknowledged = of.state.acknowledged,
          .dropped = of.state.dropped,
          .superseded = of.superseded};
}

}  // namespace slipway::journal
