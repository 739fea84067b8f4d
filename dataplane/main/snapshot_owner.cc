#include "dataplane/main/snapshot_owner.h"

#include <string>
#include <utility>

namespace slipway::rack {

using service::EventCode;

namespace {

constexpr config::Generation kNone{};

[[nodiscard]] std::string Text(config::Generation generation) {
  return std::to_string(generation.epoch) + "." + std::to_string(generation.number);
}

}  // namespace

SnapshotOwner::SnapshotOwner(Disk& disk, Publish publish, service::EventSink* events, LogSink* log)
    : file_(disk), publish_(std::move(publish)), events_(events), log_(log) {}

bool SnapshotOwner::Load() {
  config::LoadReport report;
  Result<config::SnapshotRef> loaded = file_.Load(report);
  if (!loaded) {
    if (loaded.error().code == ErrorCode::kNotFound) {
      log_->Write(LogLevel::kInfo, "snapshot-none",
                  "no snapshot yet: nothing is served until the "
                  "region sends one");
    } else {
      events_->Report(EventCode::kSnapshotUnreadable, report.file.view(),
                      "at " + std::to_string(report.offset) + ": " +
                          std::string(report.reason.view()) +
                          "; nothing is served until the region sends a whole snapshot");
    }
    return false;
  }
  log_->Write(LogLevel::kInfo, "snapshot-loaded",
              "generation " + Text((*loaded)->generation()) + ", " +
                  std::to_string(report.records) + " records and " + std::to_string(report.deltas) +
                  " deltas" + (report.torn ? "; an unfinished delta was cut off" : ""));
  proven_ = file_.Prove().has_value();
  Adopt(std::move(*loaded));
  return true;
}

void SnapshotOwner::SetLive(config::Generation generation) {
  const std::scoped_lock lock(mutex_);
  while (!history_.empty() && history_.front().generation != generation) {
    // Older ones were passed over; a newer one than all means the history was cut.
    const bool is_last = history_.size() == 1;
    if (is_last) {
      return;
    }
    history_.pop_front();
  }
  if (!history_.empty()) {
    live_ = history_.front();
  }
}

link::GenerationState SnapshotOwner::Live() {
  // Served all the same, but acknowledged only when a power cut cannot take it back.
  if (!proven_ && !file_.Prove()) {
    return {};
  }
  proven_ = true;
  const std::scoped_lock lock(mutex_);
  return live_;
}

link::GenerationState SnapshotOwner::Tip() {
  if (!tip_) {
    return {};
  }
  return {.generation = tip_->generation(), .hash = tip_->hash()};
}

Result<void> SnapshotOwner::Begin(config::Generation base, config::Generation generation,
                                  std::uint64_t /*records*/) {
  Abandon();
  if (base != kNone && base != Tip().generation) {
    return Fail(ErrorCode::kConflict);
  }
  auto incoming = std::make_unique<Incoming>();
  incoming->base = base;
  incoming->generation = generation;
  incoming->builder =
      std::make_unique<config::SnapshotBuilder>(base == kNone ? config::SnapshotRef() : tip_);
  if (base == kNone) {
    SLIP_TRY(file_.BeginSnapshot(generation));
  }
  incoming_ = std::move(incoming);
  return {};
}

Result<void> SnapshotOwner::Build(std::span<const link::RecordView> records) {
  for (const link::RecordView& record : records) {
    if (record.removed) {
      SLIP_TRY(incoming_->builder->Remove(record.table, record.id));
    } else {
      SLIP_TRY(incoming_->builder->Put(record.table, record.id, record.body));
    }
  }
  return {};
}

Result<void> SnapshotOwner::Keep(std::span<const link::RecordView> records) {
  if (incoming_->base == kNone) {
    std::vector<config::RecordChange> changes;
    changes.reserve(records.size());
    for (const link::RecordView& record : records) {
      changes.push_back({record.table, record.id, record.body, record.removed});
    }
    return file_.AddChunk(changes);
  }
  for (const link::RecordView& record : records) {
    if (incoming_->bytes.size() + record.body.size() > config::kFrameBytesMax) {
      return Fail(ErrorCode::kTooLarge);
    }
    incoming_->bytes.insert(incoming_->bytes.end(), record.body.begin(), record.body.end());
    incoming_->ends.push_back(incoming_->bytes.size());
    incoming_->changes.push_back({record.table, record.id, {}, record.removed});
  }
  return {};
}

Result<void> SnapshotOwner::Chunk(std::span<const link::RecordView> records) {
  if (incoming_ == nullptr) {
    return Fail(ErrorCode::kClosed);
  }
  Result<void> taken = Build(records);
  if (taken) {
    taken = Keep(records);
  }
  if (!taken) {
    Reject(ToString(taken.error().code));
  }
  return taken;
}

Result<void> SnapshotOwner::Persist(config::ContentHash hash) {
  if (incoming_->base == kNone) {
    return file_.EndSnapshot(hash);
  }
  std::size_t begin = 0;
  for (std::size_t i = 0; i < incoming_->changes.size(); ++i) {
    const std::size_t end = incoming_->ends[i];
    incoming_->changes[i].body = ByteSpan(incoming_->bytes).subspan(begin, end - begin);
    begin = end;
  }
  return file_.AppendDelta(incoming_->base, incoming_->generation, hash, incoming_->changes);
}

Result<void> SnapshotOwner::End(config::Generation generation, config::ContentHash hash) {
  if (incoming_ == nullptr || incoming_->generation != generation) {
    Abandon();
    return Fail(ErrorCode::kClosed);
  }
  if (incoming_->builder->hash() != hash) {
    Reject("its content is not what the region announced");
    return Fail(ErrorCode::kBadChecksum);
  }
  const Result<void> kept = Persist(hash);
  if (!kept) {
    events_->Report(EventCode::kSnapshotNotWritten, "generation " + Text(generation),
                    "cannot be written: " + std::string(ToString(kept.error().code)) +
                        "; still serving " + Text(Tip().generation));
    Abandon();
    return kept;
  }
  const bool whole = incoming_->base == kNone;
  proven_ = true;
  Adopt(incoming_->builder->Finish(generation));
  incoming_.reset();
  if (whole) {
    took_whole_ = true;
  }
  Rewrite();
  return {};
}

Result<void> SnapshotOwner::ApplyDelta(config::Generation base, config::Generation generation,
                                       config::ContentHash hash,
                                       std::span<const link::RecordView> records) {
  SLIP_TRY(Begin(base, generation, records.size()));
  SLIP_TRY(Chunk(records));
  return End(generation, hash);
}

void SnapshotOwner::Abandon() {
  if (incoming_ != nullptr && incoming_->base == kNone) {
    file_.AbandonSnapshot();
  }
  incoming_.reset();
}

// The link asks for a whole snapshot afterwards. A chunk that the disk does not take ends here too.
void SnapshotOwner::Reject(std::string_view reason) {
  events_->Report(EventCode::kSnapshotRejected, "generation " + Text(incoming_->generation),
                  std::string(reason) + "; still serving " + Text(Tip().generation));
  Abandon();
}

void SnapshotOwner::Adopt(config::SnapshotRef snapshot) {
  tip_ = snapshot;
  {
    const std::scoped_lock lock(mutex_);
    history_.push_back({.generation = snapshot->generation(), .hash = snapshot->hash()});
    if (history_.size() > kHistory) {
      history_.pop_front();
    }
  }
  publish_(std::move(snapshot));
}

void SnapshotOwner::Rewrite() {
  if (file_.rewrite_due() && !file_.RewriteStep(kRewriteBytesPerStep)) {
    events_->Report(EventCode::kSnapshotRewriteFailed, "deltas",
                    "the delta log cannot be merged for now; it is tried again");
  }
}

}  // namespace slipway::rack
