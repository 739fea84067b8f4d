// The checkpoint: the lease table as of a sequence, in a plain file that is replaced whole.
#include <algorithm>

#include "dataplane/base/check.h"
#include "dataplane/journal/journal.h"
#include "dataplane/journal/slots.h"

namespace slipway::journal {
namespace {

// A size beyond it is damage: no payload is as large (JournalOptions::record_bytes_max).
constexpr std::size_t kFramePayloadBytesMax = std::size_t{16} << 20;

void AppendFrame(std::vector<std::byte>& to, std::uint32_t size, ByteSpan payload,
                 std::uint64_t seed) {
  std::array<std::byte, kFrameHeaderBytes> header{};
  StoreLittle(header.data() + 8, size);
  const std::size_t at = to.size();
  to.insert(to.end(), header.begin(), header.end());
  to.insert(to.end(), payload.begin(), payload.end());
  StoreLittle(to.data() + at, Checksum(ByteSpan(to).subspan(at + 8), seed));
}

// What comes next in a file, through one small piece of memory: a checkpoint is as large as the
// lease table.
class FileFront {
 public:
  FileFront(Disk& disk, FileId file) noexcept : disk_(disk), file_(file) {}

  // The next `bytes` of it, or fewer where it ends. Valid until the next call.
  [[nodiscard]] Result<ByteSpan> Peek(std::size_t bytes) {
    if (left_.size() < bytes && !ended_) {
      const std::size_t rest = left_.size();
      std::copy(left_.begin(), left_.end(), buffer_.begin());
      buffer_.resize(std::max({bytes, rest, kCheckpointBufferBytes}));
      const std::size_t got =
          SLIP_TRY(disk_.ReadAt(file_, offset_ + rest, MutableByteSpan(buffer_).subspan(rest)));
      ended_ = rest + got < buffer_.size();
      left_ = ByteSpan(buffer_).first(rest + got);
    }
    return left_.first(std::min(bytes, left_.size()));
  }

  // REQUIRES: that many were seen.
  void Pass(std::size_t bytes) {
    left_ = left_.subspan(bytes);
    offset_ += bytes;
  }

  [[nodiscard]] std::uint64_t offset() const noexcept { return offset_; }

 private:
  Disk& disk_;
  FileId file_;
  std::vector<std::byte> buffer_;
  ByteSpan left_;
  std::uint64_t offset_ = 0;  // of left_
  bool ended_ = false;
};

Result<void> ReplayFrames(FileFront& front, RecoveryVisitor* visitor, CheckpointHeader& header) {
  const ByteSpan begin = SLIP_TRY(front.Peek(kCheckpointHeaderBytes));
  header = SLIP_TRY(DecodeCheckpointHeader(begin));
  front.Pass(kCheckpointHeaderBytes);
  for (std::uint64_t count = 0;; ++count) {
    const auto at = static_cast<std::uint32_t>(front.offset());
    const ByteSpan head = SLIP_TRY(front.Peek(kFrameHeaderBytes));
    if (head.size() < kFrameHeaderBytes) {
      return Fail(ErrorCode::kTruncated, at);
    }
    const auto frame_size = LoadLittle<std::uint32_t>(head.data() + 8);
    const bool end = frame_size == kCheckpointEndSize;
    const std::size_t payload_size = end ? 8 : frame_size;
    if (payload_size > kFramePayloadBytesMax) {
      return Fail(ErrorCode::kBadChecksum, at);
    }
    const ByteSpan frame = SLIP_TRY(front.Peek(kFrameHeaderBytes + payload_size));
    if (frame.size() < kFrameHeaderBytes + payload_size) {
      return Fail(ErrorCode::kTruncated, at);
    }
    if (LoadLittle<std::uint64_t>(frame.data()) != Checksum(frame.subspan(8), count)) {
      return Fail(ErrorCode::kBadChecksum, at);
    }
    if (end) {
      return {};
    }
    if (visitor != nullptr) {
      visitor->OnCheckpointLease(frame.subspan(kFrameHeaderBytes));
    }
    front.Pass(frame.size());
  }
}

}  // namespace

std::uint64_t Journal::records_since_checkpoint() const noexcept {
  const ClassState& state = classes_[Index(FactClass::kLease)].state;
  return state.next - std::min(state.next, state.checkpoint);
}

Result<void> Journal::BeginCheckpoint() {
  AbortCheckpoint();
  const Class& leases = classes_[Index(FactClass::kLease)];
  Checkpoint begun;
  begun.file = SLIP_TRY(disk_.Open(kCheckpointTempName, OpenMode::kCreate));
  begun.sequence = leases.state.next;
  begun.buffer.resize(kCheckpointHeaderBytes);
  EncodeCheckpointHeader(
      {.epoch = leases.epoch, .sequence = begun.sequence},
      std::span<std::byte, kCheckpointHeaderBytes>(begun.buffer.data(), kCheckpointHeaderBytes));
  checkpoint_ = std::move(begun);
  return {};
}

Result<void> Journal::AddToCheckpoint(ByteSpan payload) {
  if (!checkpoint_) {
    return Fail(ErrorCode::kClosed);
  }
  if (payload.size() > options_.record_bytes_max) {
    return Fail(ErrorCode::kTooLarge, static_cast<std::uint32_t>(payload.size()));
  }
  AppendFrame(checkpoint_->buffer, static_cast<std::uint32_t>(payload.size()), payload,
              checkpoint_->count);
  ++checkpoint_->count;
  if (checkpoint_->buffer.size() >= kCheckpointBufferBytes) {
    return WriteCheckpointBuffer();
  }
  return {};
}

Result<void> Journal::WriteCheckpointBuffer() {
  Checkpoint& to = *checkpoint_;
  Result<void> done = disk_.WriteAt(to.file, to.offset, to.buffer);
  to.offset += to.buffer.size();
  to.buffer.clear();
  // In pieces, so that no sync takes long: a commit may be waiting behind it.
  if (done && to.offset - to.synced >= kCheckpointSyncBytes) {
    done = disk_.Sync(to.file);
    to.synced = to.offset;
  }
  if (!done) {
    AbortCheckpoint();
  }
  return done;
}

Result<void> Journal::EndCheckpoint() {
  if (!checkpoint_) {
    return Fail(ErrorCode::kClosed);
  }
  // The checkpoint may hold what is not durable in the log yet; its sequence must be.
  const Result<void> committed = Commit();
  if (!committed) {
    AbortCheckpoint();
    return committed;
  }
  std::array<std::byte, 8> count{};
  StoreLittle(count.data(), checkpoint_->count);
  AppendFrame(checkpoint_->buffer, kCheckpointEndSize, count, checkpoint_->count);
  SLIP_TRY(WriteCheckpointBuffer());
  Result<void> done = disk_.Sync(checkpoint_->file);
  if (done) {
    done = disk_.Rename(kCheckpointTempName, kCheckpointName);
  }
  const std::uint64_t sequence = checkpoint_->sequence;
  disk_.Close(checkpoint_->file);
  checkpoint_.reset();
  if (done) {
    Class& leases = classes_[Index(FactClass::kLease)];
    leases.state.checkpoint = std::max(leases.state.checkpoint, sequence);
    state_dirty_ = true;
    Trim(leases, FactClass::kLease);
    FreeSegments();
  }
  return done;
}

void Journal::AbortCheckpoint() {
  if (checkpoint_) {
    disk_.Close(checkpoint_->file);
    checkpoint_.reset();
    (void)disk_.Remove(kCheckpointTempName);
  }
}

// Reads the checkpoint file from front to back; without a visitor it is only checked. kNotFound if
// there is none.
Result<void> Journal::ReplayCheckpoint(RecoveryVisitor* visitor, CheckpointHeader& header) {
  const FileId file = SLIP_TRY(disk_.Open(kCheckpointName, OpenMode::kRead));
  FileFront front(disk_, file);
  const Result<void> replayed = ReplayFrames(front, visitor, header);
  disk_.Close(file);
  return replayed;
}

Result<void> Journal::Recover(RecoveryVisitor& visitor) {
  CheckpointHeader header;
  const Result<void> replayed = ReplayCheckpoint(&visitor, header);
  if (!replayed && replayed.error().code != ErrorCode::kNotFound) {
    return replayed;
  }
  const Class& leases = classes_[Index(FactClass::kLease)];
  Chunk chunk;
  for (const Entry& entry : leases.entries) {
    if (entry.sequence >= leases.state.checkpoint) {
      visitor.OnRecord(FactClass::kLease, entry.sequence, SLIP_TRY(ReadRecord(entry, chunk)));
    }
  }
  for (const Pending& pending : pending_) {
    if (pending.fact_class == FactClass::kLease && !pending.moved &&
        pending.entry.sequence >= leases.state.checkpoint) {
      visitor.OnRecord(FactClass::kLease, pending.entry.sequence,
                       ByteSpan(buffer_).subspan(pending.entry.offset + kRecordHeaderBytes,
                                                 pending.entry.payload_bytes));
    }
  }
  return {};
}

}  // namespace slipway::journal
