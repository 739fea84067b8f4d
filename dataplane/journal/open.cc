// Opening a journal: find the segments, check them, index what they hold.
#include <algorithm>

#include "dataplane/base/check.h"
#include "dataplane/journal/journal.h"
#include "dataplane/journal/slots.h"

namespace slipway::journal {
namespace {

class Names final : public Disk::Visitor {
 public:
  void OnFile(std::string_view name, std::uint64_t /*bytes*/) override {
    for (std::uint32_t slot = 0; slot < kSegmentsMax; ++slot) {
      if (name == SlotName(slot).view()) {
        slots.push_back(slot);
      }
    }
  }

  std::vector<std::uint32_t> slots;
};

[[nodiscard]] std::unexpected<Error> Corrupt(OpenReport& report, std::string_view file,
                                             std::uint64_t offset, std::string_view reason) {
  report.file = FixedString<31>(file);
  report.offset = offset;
  report.reason = FixedString<95>(reason);
  return Fail(ErrorCode::kCorrupt, static_cast<std::uint32_t>(offset));
}

// True if something after `bad` proves that everything up to there was once durable: then it is
// damage and not a torn tail. Records start at multiples of eight.
[[nodiscard]] bool WasDurable(ByteSpan bytes, std::uint64_t bad, std::uint64_t salt) {
  for (std::uint64_t at = bad + 8; at + kBatchRecordBytes <= bytes.size(); at += 8) {
    const ByteSpan here = bytes.subspan(at);
    if (LoadLittle<std::uint32_t>(here.data() + 8) != kBatchPayloadBytes ||
        here[12] != std::byte{0}) {
      continue;
    }
    const auto record = DecodeRecord(here, salt);
    if (!record) {
      continue;
    }
    const auto batch = DecodeBatch(record->payload);
    if (batch && batch->durable_end > kDataOffset + bad) {
      return true;
    }
  }
  return false;
}

}  // namespace

Journal::Journal(Disk& disk, Random& random, const JournalOptions& options)
    : disk_(disk), random_(random), options_(options) {
  buffer_.resize(options.buffer_bytes);
  slots_.resize(options.segments_max);
}

Journal::~Journal() {
  AbortCheckpoint();
  DiscardSpare();
  for (const Slot& slot : slots_) {
    if (slot.exists) {
      disk_.Close(slot.file);
    }
  }
}

Result<std::unique_ptr<Journal>> Journal::Open(Disk& disk, Random& random,
                                               const JournalOptions& options, OpenReport& report) {
  const bool buffer_fits =
      options.buffer_bytes >= kBatchRecordBytes + RecordBytes(options.record_bytes_max) &&
      options.segment_bytes >= kDataOffset + options.buffer_bytes &&
      options.segment_bytes <= (std::uint64_t{1} << 31);
  if (!buffer_fits || options.segments_max < 4 || options.segments_max > kSegmentsMax) {
    return Fail(ErrorCode::kOutOfRange);
  }
  std::unique_ptr<Journal> journal(new Journal(disk, random, options));
  SLIP_TRY(journal->Load(report));
  return journal;
}

Result<void> Journal::Load(OpenReport& report) {
  SyncDirectory();
  SLIP_TRY(FindSlots());
  const std::vector<Found> found = SLIP_TRY(ReadHeaders());
  if (found.empty()) {
    report.created = true;
    for (Class& of : classes_) {
      of.epoch = random_.U64() | 1;
    }
  } else {
    SLIP_TRY(ScanAll(found, report));
  }
  SLIP_TRY(CheckCheckpoint(report));
  for (std::size_t i = 1; i < kClasses; ++i) {
    classes_[i].durable_next = classes_[i].state.next;
  }
  for (auto pending = pending_.rbegin(); pending != pending_.rend(); ++pending) {
    classes_[Index(pending->fact_class)].durable_next = pending->entry.sequence;
  }
  report.records = pending_.size();
  for (std::size_t i = 1; i < kClasses; ++i) {
    report.records += classes_[i].entries.size();
    Retain(classes_[i], static_cast<FactClass>(i));
  }
  FreeSegments();
  report.segments = static_cast<std::uint32_t>(segments_.size());
  return {};
}

// Renames of the life before may be in the page cache only: removing a file makes them durable.
// Errors are left to the first Commit: a directory that can not be written still has its leases.
void Journal::SyncDirectory() {
  const auto spare = disk_.Open(kSpareName, OpenMode::kCreate);
  if (spare) {
    disk_.Close(*spare);
  }
  (void)disk_.Remove(kSpareName);
  (void)disk_.Remove(kCheckpointTempName);
}

Result<void> Journal::FindSlots() {
  Names names;
  SLIP_TRY(disk_.List(names));
  for (const std::uint32_t at : names.slots) {
    if (at >= slots_.size()) {
      return Fail(ErrorCode::kOutOfRange, at);  // segments_max was larger once
    }
    Slot& slot = slots_[at];
    // A read-only directory must not hide the leases: they are served until their end.
    auto file = disk_.Open(SlotName(at), OpenMode::kReadWrite);
    if (!file) {
      file = disk_.Open(SlotName(at), OpenMode::kRead);
    }
    slot.file = SLIP_TRY(std::move(file));
    slot.exists = true;
  }
  return {};
}

Result<std::vector<Journal::Found>> Journal::ReadHeaders() {
  std::vector<Found> found;
  for (std::uint32_t i = 0; i < slots_.size(); ++i) {
    if (!slots_[i].exists) {
      continue;
    }
    // A crash may leave one copy of an older header: the newer one counts.
    std::optional<SegmentHeader> newest;
    for (const std::uint64_t offset : {std::uint64_t{0}, kSecondHeaderOffset}) {
      std::array<std::byte, kHeaderBytes> bytes{};
      (void)SLIP_TRY(disk_.ReadAt(slots_[i].file, offset, bytes));
      const auto header = DecodeHeader(bytes);
      if (!header && header.error().code == ErrorCode::kBadVersion) {
        return std::unexpected(header.error());
      }
      if (header && (!newest || header->number > newest->number)) {
        newest = *header;
      }
    }
    if (newest) {
      found.push_back({.header = *newest, .slot = i});
    }
  }
  std::sort(found.begin(), found.end(),
            [](const Found& a, const Found& b) { return a.header.number < b.header.number; });
  return found;
}

Result<void> Journal::ScanAll(const std::vector<Found>& found, OpenReport& report) {
  const SegmentHeader& newest = found.back().header;
  next_number_ = newest.number + 1;
  durable_header_ = newest.number;
  unproven_header_ = newest;
  for (std::size_t i = 0; i < kClasses; ++i) {
    classes_[i].epoch = newest.epochs[i];
  }
  RaiseState(newest.classes);
  // One for all of them: memory that is touched for the first time costs more than reading.
  std::uint64_t largest = kDataOffset;
  for (const Found& each : found) {
    largest = std::max(largest, SLIP_TRY(disk_.SizeOf(slots_[each.slot].file)));
  }
  const std::size_t room_bytes = largest - kDataOffset;
  const auto memory = std::make_unique_for_overwrite<std::byte[]>(room_bytes);
  const MutableByteSpan room(memory.get(), room_bytes);
  for (const SegmentEnd& other : newest.others) {
    const auto at = std::find_if(found.begin(), found.end(), [&other](const Found& segment) {
      return segment.header.number == other.number;
    });
    if (at == found.end()) {
      return Corrupt(report, SlotName(found.back().slot), other.number, "a segment is missing");
    }
    SLIP_TRY(ScanSegment(*at, other.end, room, report));
    slots_[at->slot].listed_in = newest.number;
  }
  SLIP_TRY(ScanSegment(found.back(), std::nullopt, room, report));
  // Nothing is written behind a tail that was cut: the next commit starts a segment.
  slots_[found.back().slot].listed_in = newest.number;
  SortEntries();
  return {};
}

Result<void> Journal::ScanSegment(const Found& found, std::optional<std::uint64_t> end,
                                  MutableByteSpan room, OpenReport& report) {
  Slot& slot = slots_[found.slot];
  const std::uint64_t size = SLIP_TRY(disk_.SizeOf(slot.file));
  const std::uint64_t stop = std::max(end.value_or(size), kDataOffset);
  if (stop > size && (end || size > kDataOffset)) {
    return Corrupt(report, SlotName(found.slot), size, "the file is shorter than its records");
  }
  const MutableByteSpan wanted =
      room.first(std::min(stop, std::max(size, kDataOffset)) - kDataOffset);
  const ByteSpan bytes = wanted.first(SLIP_TRY(disk_.ReadAt(slot.file, kDataOffset, wanted)));
  slot.used = true;
  segments_.push_back({.number = found.header.number,
                       .salt = found.header.salt,
                       .end = kDataOffset,
                       .slot = found.slot,
                       .file = slot.file});
  Segment& segment = segments_.back();
  proven_end_ = kDataOffset;
  std::uint64_t at = 0;
  while (at < bytes.size()) {
    const auto record = DecodeRecord(bytes.subspan(at), segment.salt);
    if (!record || !TakeRecord(*record, segment, kDataOffset + at)) {
      break;
    }
    at += RecordBytes(record->payload.size());
  }
  segment.end = kDataOffset + at;
  if (end && segment.end != *end) {
    return Corrupt(report, SlotName(found.slot), segment.end, "a record is damaged");
  }
  if (!end && WasDurable(bytes, at, segment.salt)) {
    return Corrupt(report, SlotName(found.slot), segment.end,
                   "a record is damaged, and good ones follow");
  }
  if (!end) {
    Unprove(segment, bytes.first(at));
  }
  return {};
}

// The records behind the last proven end go back to the buffer, as if just appended. Moved copies
// do not: their originals are still there, since the header that lists them is the newest.
void Journal::Unprove(Segment& segment, ByteSpan bytes) {
  const std::uint64_t proven = std::min(proven_end_, segment.end);
  const std::uint64_t from = proven - kDataOffset;
  // More than the buffer only if the buffer was larger once.
  buffer_.resize(std::max(buffer_.size(), buffer_used_ + bytes.size() - from));
  for (Class& of : classes_) {
    while (!of.entries.empty() && of.entries.back().segment == segment.number &&
           of.entries.back().offset >= proven) {
      LetGo(of, of.entries.back());
      of.entries.pop_back();
    }
  }
  segment.end = proven;
  for (ByteSpan left = bytes.subspan(from); !left.empty();) {
    const auto record = DecodeRecord(left, segment.salt);
    if (!record) {
      return;
    }
    const RecordHeader& header = record->header;
    if (header.fact_class != FactClass::kNone && (header.flags & kFlagMoved) == 0) {
      Pending pending{.fact_class = header.fact_class};
      pending.entry.sequence = header.sequence;
      pending.entry.key = header.key;
      AddPending(pending, record->payload);
    }
    left = left.subspan(RecordBytes(record->payload.size()));
  }
}

// False if the record can not be one of ours: it is treated like a bad checksum.
bool Journal::TakeRecord(const RecordView& record, Segment& segment, std::uint64_t offset) {
  const RecordHeader& header = record.header;
  if (header.fact_class == FactClass::kNone) {
    const auto batch = DecodeBatch(record.payload);
    if (batch) {
      RaiseState(batch->classes);
      proven_end_ = std::clamp(batch->durable_end, proven_end_, offset);
    }
    return batch.has_value();
  }
  Class& of = classes_[Index(header.fact_class)];
  of.entries.push_back({.sequence = header.sequence,
                        .key = header.key,
                        .segment = segment.number,
                        .offset = static_cast<std::uint32_t>(offset),
                        .payload_bytes = header.payload_bytes});
  of.bytes += RecordBytes(header.payload_bytes);
  of.state.next = std::max(of.state.next, header.sequence + 1);
  segment.Hold(header.payload_bytes);
  return true;
}

void Journal::RaiseState(const std::array<ClassState, kClasses>& seen) {
  for (std::size_t i = 0; i < kClasses; ++i) {
    ClassState& state = classes_[i].state;
    state.next = std::max(state.next, seen[i].next);
    state.acknowledged = std::max(state.acknowledged, seen[i].acknowledged);
    state.checkpoint = std::max(state.checkpoint, seen[i].checkpoint);
    state.dropped = std::max(state.dropped, seen[i].dropped);
  }
}

// By sequence; of a record and its moved copies the newest stays.
void Journal::SortEntries() {
  for (Class& of : classes_) {
    const auto before = [](const Entry& a, const Entry& b) {
      return a.sequence != b.sequence ? a.sequence < b.sequence : a.segment < b.segment;
    };
    if (!std::is_sorted(of.entries.begin(), of.entries.end(), before)) {
      std::sort(of.entries.begin(), of.entries.end(), before);
    }
    // In place: there may be millions.
    std::size_t kept = 0;
    for (const Entry& entry : of.entries) {
      if (kept > 0 && of.entries[kept - 1].sequence == entry.sequence) {
        LetGo(of, of.entries[--kept]);
      }
      of.entries[kept++] = entry;
    }
    of.entries.resize(kept);
  }
}

Result<void> Journal::CheckCheckpoint(OpenReport& report) {
  CheckpointHeader header;
  const Result<void> checked = ReplayCheckpoint(nullptr, header);
  Class& leases = classes_[Index(FactClass::kLease)];
  if (!checked && checked.error().code == ErrorCode::kNotFound) {
    if (leases.state.checkpoint > 0) {
      return Corrupt(report, kCheckpointName, 0, "the checkpoint is missing");
    }
    return {};
  }
  if (!checked) {
    const ErrorCode code = checked.error().code;
    if (code == ErrorCode::kBadChecksum || code == ErrorCode::kTruncated) {
      return Corrupt(report, kCheckpointName, checked.error().detail, "the checkpoint is damaged");
    }
    return checked;
  }
  if (header.epoch == leases.epoch) {
    if (header.sequence < leases.state.checkpoint) {
      return Corrupt(report, kCheckpointName, 0, "the checkpoint is older than the log");
    }
    leases.state.checkpoint = header.sequence;
    leases.state.next = std::max(leases.state.next, header.sequence);
  }
  return {};
}

}  // namespace slipway::journal
