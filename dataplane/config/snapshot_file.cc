#include "dataplane/config/snapshot_file.h"

#include <algorithm>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "dataplane/base/check.h"
#include "dataplane/base/random.h"
#include "dataplane/config/frames.h"
#include "dataplane/config/limits.h"

namespace slipway::config {
namespace {

inline constexpr std::string_view kSnapshotName = "snapshot";
inline constexpr std::string_view kSnapshotTempName = "snapshot.tmp";
inline constexpr std::string_view kRewriteTempName = "rewrite.tmp";
inline constexpr std::string_view kDeltasName = "deltas";
inline constexpr std::string_view kDeltasTempName = "deltas.tmp";
inline constexpr std::size_t kFrameBytesTarget = std::size_t{256} << 10;
inline constexpr std::uint64_t kSyncBytes = std::uint64_t{2} << 20;

// A file that is written from front to back in frames and synced in pieces.
class FrameWriter {
 public:
  [[nodiscard]] static Result<FrameWriter> Create(Disk& disk, std::string_view name,
                                                  std::uint64_t magic, Generation generation) {
    FrameWriter writer(disk, SLIP_TRY(disk.Open(name, OpenMode::kCreate)));
    AppendFileHeader(writer.buffer_, magic, generation);
    return writer;
  }

  FrameWriter(FrameWriter&& other) noexcept
      : disk_(other.disk_),
        file_(std::exchange(other.file_, -1)),
        offset_(other.offset_),
        synced_(other.synced_),
        frame_(other.frame_),
        buffer_(std::move(other.buffer_)) {}

  FrameWriter& operator=(FrameWriter&&) = delete;

  ~FrameWriter() {
    if (file_ >= 0) {
      disk_->Close(file_);
    }
  }

  [[nodiscard]] Result<void> AddRecord(const RecordChange& record) {
    if (frame_ == kNoFrame) {
      frame_ = OpenFrame(buffer_);
    }
    AppendRecord(buffer_, record);
    ++records_;
    return buffer_.size() >= kFrameBytesTarget ? Write() : Result<void>{};
  }

  [[nodiscard]] Result<void> Add(FrameKind kind, ByteSpan payload) {
    CloseRecords();
    const std::size_t begin = OpenFrame(buffer_);
    buffer_.insert(buffer_.end(), payload.begin(), payload.end());
    CloseFrame(buffer_, begin, kind, offset_ + begin);
    return buffer_.size() >= kFrameBytesTarget ? Write() : Result<void>{};
  }

  // Everything is on disk on return; the offset of the end.
  [[nodiscard]] Result<std::uint64_t> Finish() {
    SLIP_TRY(Write());
    SLIP_TRY(disk_->Sync(file_));
    return offset_;
  }

  [[nodiscard]] FileId Release() { return std::exchange(file_, -1); }

  [[nodiscard]] std::uint64_t records() const noexcept { return records_; }

 private:
  static constexpr std::size_t kNoFrame = SIZE_MAX;

  FrameWriter(Disk& disk, FileId file) : disk_(&disk), file_(file) {}

  void CloseRecords() {
    if (frame_ != kNoFrame) {
      CloseFrame(buffer_, frame_, FrameKind::kRecords, offset_ + frame_);
      frame_ = kNoFrame;
    }
  }

  [[nodiscard]] Result<void> Write() {
    CloseRecords();
    SLIP_TRY(disk_->WriteAt(file_, offset_, buffer_));
    offset_ += buffer_.size();
    buffer_.clear();
    if (offset_ - synced_ >= kSyncBytes) {
      SLIP_TRY(disk_->Sync(file_));
      synced_ = offset_;
    }
    return {};
  }

  Disk* disk_;
  FileId file_;
  std::uint64_t offset_ = 0;
  std::uint64_t synced_ = 0;
  std::uint64_t records_ = 0;
  std::size_t frame_ = kNoFrame;
  std::vector<std::byte> buffer_;
};

[[nodiscard]] Result<void> AddEnd(FrameWriter& writer, ContentHash hash) {
  std::vector<std::byte> end;
  AppendU64(end, hash.low);
  AppendU64(end, hash.high);
  AppendU64(end, writer.records());
  return writer.Add(FrameKind::kEnd, end);
}

// A file that is read from front to back, a frame at a time.
class FrameReader {
 public:
  FrameReader(Disk& disk, FileId file) : disk_(&disk), file_(file) {}

  FrameReader(const FrameReader&) = delete;
  FrameReader& operator=(const FrameReader&) = delete;

  ~FrameReader() { disk_->Close(file_); }

  [[nodiscard]] Result<Generation> Header(std::uint64_t magic) {
    SLIP_TRY(Fill(kFileHeaderBytes));
    const Generation generation = SLIP_TRY(ReadFileHeader(left(), magic));
    used_ += kFileHeaderBytes;
    return generation;
  }

  // kNotFound at the very end. The frame is valid until the next call.
  [[nodiscard]] Result<Frame> Next() {
    SLIP_TRY(Fill(kFrameHeaderBytes));
    if (left().empty()) {
      return Fail(ErrorCode::kNotFound);
    }
    if (left().size() >= kFrameHeaderBytes) {
      const std::size_t size = LoadLittle<std::uint32_t>(left().data() + 8);
      SLIP_TRY(Fill(kFrameHeaderBytes + std::min(size, kFrameBytesMax)));
    }
    const Frame frame = SLIP_TRY(ReadFrame(left(), offset()));
    used_ += frame.bytes;
    return frame;
  }

  [[nodiscard]] std::uint64_t offset() const noexcept { return file_offset_ + used_; }

  // True if a good frame follows anywhere after the next byte: then what is here was finished.
  [[nodiscard]] Result<bool> GoodFrameFollows() {
    SLIP_TRY(Fill(SIZE_MAX));
    for (std::size_t at = 8; at + kFrameHeaderBytes <= left().size(); at += 8) {
      const auto kind = LoadLittle<std::uint32_t>(left().data() + at + 12);
      if (kind == static_cast<std::uint32_t>(FrameKind::kDelta) &&
          ReadFrame(left().subspan(at), offset() + at)) {
        return true;
      }
    }
    return false;
  }

 private:
  [[nodiscard]] ByteSpan left() const noexcept { return ByteSpan(buffer_).subspan(used_); }

  // At least `size` bytes, unless the file ends.
  [[nodiscard]] Result<void> Fill(std::size_t size) {
    if (left().size() >= size) {
      return {};
    }
    buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(used_));
    file_offset_ += std::exchange(used_, 0U);
    const std::size_t have = buffer_.size();
    const std::uint64_t file_left = SLIP_TRY(disk_->SizeOf(file_)) - file_offset_;
    buffer_.resize(std::min<std::uint64_t>(file_left, std::max(size, kFrameBytesTarget)));
    if (buffer_.size() > have) {
      const std::size_t got = SLIP_TRY(
          disk_->ReadAt(file_, file_offset_ + have, MutableByteSpan(buffer_).subspan(have)));
      buffer_.resize(have + got);
    }
    return {};
  }

  Disk* disk_;
  FileId file_;
  std::uint64_t file_offset_ = 0;  // of buffer_[0]
  std::size_t used_ = 0;
  std::vector<std::byte> buffer_;
};

struct RecordKey {
  std::uint8_t table = 0;
  RecordId id = 0;

  friend bool operator==(const RecordKey&, const RecordKey&) = default;
};

struct RecordKeyHash {
  std::size_t operator()(const RecordKey& key) const noexcept {
    return Mix64(key.id ^ Mix64(key.table));
  }
};

struct Merged {
  bool removed = false;
  std::vector<std::byte> body;
};

// A merge of snapshot and deltas that is under way.
struct Rewrite {
  std::unordered_map<RecordKey, Merged, RecordKeyHash> newest;  // of the deltas merged
  std::uint64_t deltas_end = 0;                                 // merged up to here
  Generation generation;
  std::optional<ContentHash> hash;  // of the last delta merged; none: that of the snapshot
  std::unique_ptr<FrameReader> old;
  std::unique_ptr<FrameWriter> writer;
};

}  // namespace

struct SnapshotFile::State {
  explicit State(Disk& on) : disk(on) {}

  ~State() { CloseDeltas(); }

  Disk& disk;
  Generation generation;
  std::unique_ptr<FrameWriter> incoming;
  Generation incoming_generation;
  // The delta log: open, and good up to its end, unless `deltas` is negative.
  FileId deltas = -1;
  std::uint64_t deltas_end = 0;
  std::unique_ptr<Rewrite> rewrite;

  void CloseDeltas() {
    if (deltas >= 0) {
      disk.Close(std::exchange(deltas, -1));
    }
  }

  void Discard(std::string_view name) { (void)disk.Remove(name); }

  [[nodiscard]] Result<void> LoadSnapshot(SnapshotBuilder& builder, LoadReport& report);
  [[nodiscard]] Result<void> LoadDeltas(SnapshotBuilder& builder, LoadReport& report);
  [[nodiscard]] Result<void> ApplyDelta(SnapshotBuilder& builder, const Frame& frame,
                                        LoadReport& report);
  [[nodiscard]] Result<void> ReplaceDeltas(std::uint64_t keep_from);
  [[nodiscard]] Result<void> BeginRewrite();
  [[nodiscard]] Result<bool> CopyStep(std::size_t bytes_max);
  [[nodiscard]] Result<void> FinishRewrite();
};

namespace {

[[nodiscard]] std::unexpected<Error> Corrupt(LoadReport& report, std::string_view file,
                                             std::uint64_t offset, std::string_view reason) {
  report.file = FixedString<31>(file);
  report.offset = offset;
  report.reason = FixedString<95>(reason);
  return Fail(ErrorCode::kCorrupt, static_cast<std::uint32_t>(offset));
}

// kBadVersion and disk errors stay what they are; everything else is damage.
[[nodiscard]] bool IsDamage(const Error& error) noexcept {
  return error.code == ErrorCode::kBadChecksum || error.code == ErrorCode::kTruncated ||
         error.code == ErrorCode::kTooLarge || error.code == ErrorCode::kMalformed;
}

[[nodiscard]] Result<void> ApplyRecords(SnapshotBuilder& builder, ByteSpan left) {
  while (!left.empty()) {
    const RecordChange record = SLIP_TRY(TakeRecord(left));
    SLIP_TRY(record.removed ? builder.Remove(record.table, record.id)
                            : builder.Put(record.table, record.id, record.body));
  }
  return {};
}

}  // namespace

SnapshotFile::SnapshotFile(Disk& disk) : state_(std::make_unique<State>(disk)) {}

SnapshotFile::~SnapshotFile() = default;

Generation SnapshotFile::generation() const noexcept { return state_->generation; }

std::uint64_t SnapshotFile::delta_log_bytes() const noexcept { return state_->deltas_end; }

Result<SnapshotRef> SnapshotFile::Load(LoadReport& report) {
  State& state = *state_;
  // Makes the renames of the life before durable, and removes what a crash left.
  const auto probe = state.disk.Open(kSnapshotTempName, OpenMode::kCreate);
  if (probe) {
    state.disk.Close(*probe);
  }
  for (const std::string_view name : {kSnapshotTempName, kRewriteTempName, kDeltasTempName}) {
    state.Discard(name);
  }
  SnapshotBuilder builder{SnapshotRef{}};
  SLIP_TRY(state.LoadSnapshot(builder, report));
  const Result<void> deltas = state.LoadDeltas(builder, report);
  if (!deltas) {
    state.generation = {};
    return std::unexpected(deltas.error());
  }
  SnapshotRef snapshot = builder.Finish(state.generation);
  report.records = snapshot->record_count();
  return snapshot;
}

Result<void> SnapshotFile::Prove() {
  State& state = *state_;
  if (state.deltas >= 0 || state.generation == Generation{}) {
    return {};
  }
  return state.ReplaceDeltas(kFileHeaderBytes);
}

Result<void> SnapshotFile::State::LoadSnapshot(SnapshotBuilder& builder, LoadReport& report) {
  FrameReader reader(disk, SLIP_TRY(disk.Open(kSnapshotName, OpenMode::kRead)));
  const auto header = reader.Header(kSnapshotMagic);
  if (!header && !IsDamage(header.error())) {
    return std::unexpected(header.error());
  }
  if (!header) {
    return Corrupt(report, kSnapshotName, 0, "the header is damaged");
  }
  while (true) {
    const std::uint64_t at = reader.offset();
    const auto frame = reader.Next();
    if (!frame && !IsDamage(frame.error()) && frame.error().code != ErrorCode::kNotFound) {
      return std::unexpected(frame.error());
    }
    if (!frame) {
      return Corrupt(report, kSnapshotName, at, "a frame is damaged or missing");
    }
    if (frame->kind == FrameKind::kEnd) {
      const bool good = frame->payload.size() == kEndBytes &&
                        LoadLittle<std::uint64_t>(frame->payload.data()) == builder.hash().low &&
                        LoadLittle<std::uint64_t>(frame->payload.data() + 8) == builder.hash().high;
      if (!good) {
        return Corrupt(report, kSnapshotName, at, "the content hash does not match");
      }
      generation = *header;
      return {};
    }
    if (frame->kind != FrameKind::kRecords || !ApplyRecords(builder, frame->payload)) {
      return Corrupt(report, kSnapshotName, at, "a record is refused");
    }
  }
}

Result<void> SnapshotFile::State::LoadDeltas(SnapshotBuilder& builder, LoadReport& report) {
  const auto file = disk.Open(kDeltasName, OpenMode::kRead);
  if (!file && file.error().code == ErrorCode::kNotFound) {
    return {};
  }
  FrameReader reader(disk, SLIP_TRY(Result<FileId>(file)));
  const auto header = reader.Header(kDeltaMagic);
  if (!header) {
    // The log is renamed into place with its header: this is damage, if not another version.
    return IsDamage(header.error())
               ? Result<void>(Corrupt(report, kDeltasName, 0, "the header is damaged"))
               : Result<void>(std::unexpected(header.error()));
  }
  while (true) {
    deltas_end = reader.offset();
    const auto frame = reader.Next();
    if (!frame && frame.error().code == ErrorCode::kNotFound) {
      break;
    }
    if (!frame && !IsDamage(frame.error())) {
      return std::unexpected(frame.error());
    }
    if (!frame) {
      if (SLIP_TRY(reader.GoodFrameFollows())) {
        return Corrupt(report, kDeltasName, deltas_end, "a delta is damaged, and good ones follow");
      }
      report.torn = true;
      break;
    }
    report.offset = deltas_end;
    SLIP_TRY(ApplyDelta(builder, *frame, report));
  }
  report.offset = 0;
  // The tail may be in the page cache only. Trying now makes what was loaded durable; where the
  // disk cannot be written, Prove fails and the next append copies the log before it adds to it.
  (void)ReplaceDeltas(kFileHeaderBytes);
  return {};
}

Result<void> SnapshotFile::State::ApplyDelta(SnapshotBuilder& builder, const Frame& frame,
                                             LoadReport& report) {
  ByteSpan left = frame.payload;
  const auto header = TakeDeltaHeader(left);
  if (frame.kind != FrameKind::kDelta || !header) {
    return Corrupt(report, kDeltasName, report.offset, "not a delta");
  }
  // Deltas from before the snapshot are left over by a crash between a rewrite's two renames.
  if (header->base != generation) {
    return report.deltas == 0
               ? Result<void>{}
               : Result<void>(Corrupt(report, kDeltasName, report.offset, "a delta is missing"));
  }
  if (!ApplyRecords(builder, left)) {
    return Corrupt(report, kDeltasName, report.offset, "a record is refused");
  }
  if (builder.hash() != header->hash) {
    return Corrupt(report, kDeltasName, report.offset, "the content hash does not match");
  }
  generation = header->generation;
  ++report.deltas;
  return {};
}

// Writes a new delta log with the frames of the old one from `keep_from` up to deltas_end.
Result<void> SnapshotFile::State::ReplaceDeltas(std::uint64_t keep_from) {
  CloseDeltas();
  FrameWriter writer = SLIP_TRY(FrameWriter::Create(disk, kDeltasTempName, kDeltaMagic, {}));
  if (keep_from < deltas_end) {
    FrameReader reader(disk, SLIP_TRY(disk.Open(kDeltasName, OpenMode::kRead)));
    (void)SLIP_TRY(reader.Header(kDeltaMagic));
    while (reader.offset() < deltas_end) {
      const std::uint64_t at = reader.offset();
      const Frame frame = SLIP_TRY(reader.Next());
      if (at >= keep_from) {
        SLIP_TRY(writer.Add(frame.kind, frame.payload));
      }
    }
  }
  const std::uint64_t end = SLIP_TRY(writer.Finish());
  SLIP_TRY(disk.Rename(kDeltasTempName, kDeltasName));
  deltas = writer.Release();
  deltas_end = end;
  return {};
}

Result<void> SnapshotFile::BeginSnapshot(Generation generation) {
  AbandonSnapshot();
  state_->rewrite.reset();
  state_->Discard(kRewriteTempName);
  state_->incoming = std::make_unique<FrameWriter>(
      SLIP_TRY(FrameWriter::Create(state_->disk, kSnapshotTempName, kSnapshotMagic, generation)));
  state_->incoming_generation = generation;
  return {};
}

Result<void> SnapshotFile::AddChunk(std::span<const RecordChange> records) {
  if (state_->incoming == nullptr) {
    return Fail(ErrorCode::kClosed);
  }
  for (const RecordChange& record : records) {
    if (record.body.size() > kRecordBytesMax) {
      return Fail(ErrorCode::kTooLarge, static_cast<std::uint32_t>(record.body.size()));
    }
    const Result<void> added = state_->incoming->AddRecord(record);
    if (!added) {
      AbandonSnapshot();
      return added;
    }
  }
  return {};
}

void SnapshotFile::AbandonSnapshot() {
  if (state_->incoming != nullptr) {
    state_->incoming.reset();
    state_->Discard(kSnapshotTempName);
  }
}

Result<void> SnapshotFile::EndSnapshot(ContentHash hash) {
  State& state = *state_;
  if (state.incoming == nullptr) {
    return Fail(ErrorCode::kClosed);
  }
  Result<void> done = AddEnd(*state.incoming, hash);
  if (done) {
    const auto finished = state.incoming->Finish();
    done = finished ? state.disk.Rename(kSnapshotTempName, kSnapshotName)
                    : Result<void>(std::unexpected(finished.error()));
  }
  if (!done) {
    AbandonSnapshot();
    return done;
  }
  state.incoming.reset();
  state.generation = state.incoming_generation;
  // The old log belongs to the old snapshot: Load would pass over it, so a failure here waits for
  // the next append.
  state.CloseDeltas();
  state.deltas_end = kFileHeaderBytes;
  (void)state.ReplaceDeltas(state.deltas_end);
  return {};
}

Result<void> SnapshotFile::AppendDelta(Generation base, Generation generation, ContentHash hash,
                                       std::span<const RecordChange> records) {
  State& state = *state_;
  if (base != state.generation) {
    return Fail(ErrorCode::kConflict);
  }
  std::size_t size = kDeltaHeaderBytes;
  for (const RecordChange& record : records) {
    size += kRecordHeaderBytes + ((record.body.size() + 7) & ~std::size_t{7});
  }
  if (size > kFrameBytesMax) {
    return Fail(ErrorCode::kTooLarge,
                static_cast<std::uint32_t>(std::min<std::size_t>(size, UINT32_MAX)));
  }
  if (state.deltas < 0) {
    // After a failure, the log is copied up to its good end: a failed sync is never trusted.
    SLIP_TRY(state.ReplaceDeltas(kFileHeaderBytes));
  }
  std::vector<std::byte> bytes;
  const std::size_t begin = OpenFrame(bytes);
  AppendDeltaHeader(bytes, {.base = base, .generation = generation, .hash = hash});
  for (const RecordChange& record : records) {
    AppendRecord(bytes, record);
  }
  CloseFrame(bytes, begin, FrameKind::kDelta, state.deltas_end);
  Result<void> done = state.disk.WriteAt(state.deltas, state.deltas_end, bytes);
  if (done) {
    done = state.disk.Sync(state.deltas);
  }
  if (!done) {
    state.CloseDeltas();
    return done;
  }
  state.deltas_end += bytes.size();
  state.generation = generation;
  return {};
}

bool SnapshotFile::rewrite_due() const noexcept {
  return state_->rewrite != nullptr || state_->deltas_end >= kDeltaLogBytesDue;
}

Result<bool> SnapshotFile::RewriteStep(std::size_t bytes_max) {
  State& state = *state_;
  Result<bool> done = false;
  if (state.rewrite == nullptr) {
    const Result<void> begun = state.BeginRewrite();
    if (!begun) {
      done = std::unexpected(begun.error());
    }
  } else {
    done = state.CopyStep(bytes_max);
  }
  if (!done || *done) {
    state.rewrite.reset();
  }
  if (!done) {
    state.Discard(kRewriteTempName);
  }
  return done;
}

// Reads the whole delta log: it is bounded, and read much faster than it was written.
Result<void> SnapshotFile::State::BeginRewrite() {
  auto begun = std::make_unique<Rewrite>();
  FrameReader deltas_reader(disk, SLIP_TRY(disk.Open(kDeltasName, OpenMode::kRead)));
  (void)SLIP_TRY(deltas_reader.Header(kDeltaMagic));
  begun->old =
      std::make_unique<FrameReader>(disk, SLIP_TRY(disk.Open(kSnapshotName, OpenMode::kRead)));
  begun->generation = SLIP_TRY(begun->old->Header(kSnapshotMagic));
  while (deltas_reader.offset() < deltas_end) {
    const Frame frame = SLIP_TRY(deltas_reader.Next());
    ByteSpan left = frame.payload;
    const DeltaHeader header = SLIP_TRY(TakeDeltaHeader(left));
    if (header.base != begun->generation) {
      continue;  // from before the snapshot
    }
    begun->generation = header.generation;
    begun->hash = header.hash;
    while (!left.empty()) {
      const RecordChange record = SLIP_TRY(TakeRecord(left));
      begun->newest[{record.table, record.id}] = {
          .removed = record.removed,
          .body = std::vector<std::byte>(record.body.begin(), record.body.end())};
    }
  }
  begun->deltas_end = deltas_end;
  if (begun->generation != generation) {
    return Fail(ErrorCode::kCorrupt);
  }
  begun->writer = std::make_unique<FrameWriter>(
      SLIP_TRY(FrameWriter::Create(disk, kRewriteTempName, kSnapshotMagic, begun->generation)));
  rewrite = std::move(begun);
  return {};
}

// Copies frames of the old snapshot, without the records that the deltas replaced.
Result<bool> SnapshotFile::State::CopyStep(std::size_t bytes_max) {
  Rewrite& work = *rewrite;
  std::size_t bytes = 0;
  while (bytes < bytes_max) {
    const Frame frame = SLIP_TRY(work.old->Next());
    if (frame.kind == FrameKind::kEnd) {
      if (frame.payload.size() != kEndBytes) {
        return Fail(ErrorCode::kCorrupt);
      }
      if (!work.hash) {
        work.hash = ContentHash{.low = LoadLittle<std::uint64_t>(frame.payload.data()),
                                .high = LoadLittle<std::uint64_t>(frame.payload.data() + 8)};
      }
      SLIP_TRY(FinishRewrite());
      return true;
    }
    ByteSpan left = frame.payload;
    while (!left.empty()) {
      const RecordChange record = SLIP_TRY(TakeRecord(left));
      if (!work.newest.contains({record.table, record.id})) {
        SLIP_TRY(work.writer->AddRecord(record));
      }
    }
    bytes += frame.bytes;
  }
  return false;
}

Result<void> SnapshotFile::State::FinishRewrite() {
  Rewrite& work = *rewrite;
  for (const auto& [key, merged] : work.newest) {
    if (!merged.removed) {
      SLIP_TRY(work.writer->AddRecord({.table = key.table, .id = key.id, .body = merged.body}));
    }
  }
  SLIP_TRY(AddEnd(*work.writer, *work.hash));
  (void)SLIP_TRY(work.writer->Finish());
  SLIP_TRY(disk.Rename(kRewriteTempName, kSnapshotName));
  // Deltas that came meanwhile stay. If this fails, Load passes over the merged ones.
  (void)ReplaceDeltas(work.deltas_end);
  return {};
}

}  // namespace slipway::config
