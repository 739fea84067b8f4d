// The rack's half of snapshots and deltas: each part is checked and handed to the sink as it comes.
#include <string>

#include "dataplane/link/convert.h"
#include "dataplane/link/rack_core.h"
#include "dataplane/link/rack_send.h"

namespace slipway::link {

// Fills records_ with views into the message. False: out of bounds.
bool RackLink::ReadRecords(
    const flatbuffers::Vector<flatbuffers::Offset<schema::LinkRecord>>* records) {
  records_.clear();
  if (records == nullptr) {
    return true;
  }
  if (records->size() > kRecordsPerMessageMax) {
    return false;
  }
  for (const schema::LinkRecord* record : *records) {
    const ByteSpan body = Bytes(record->body());
    if (body.size() > kRecordBytesMax || record->id() == 0) {
      return false;
    }
    records_.push_back({.table = record->table(),
                        .id = record->id(),
                        .body = body,
                        .removed = record->body() == nullptr});
  }
  return true;
}

void RackLink::OnSnapshotBegin(const schema::SnapshotBegin& begin, Instant now) {
  const config::Generation base = FromSchema(begin.base());
  const config::Generation generation = FromSchema(begin.generation());
  const bool whole = base == config::Generation{};
  incoming_ = false;
  if (awaiting_snapshot_ && !whole) {
    return;  // Sent before the region had our resync.
  }
  if (generation == config::Generation{}) {
    Resync("no generation", now);
    return;
  }
  const Result<void> begun = snapshots_.Begin(base, generation, begin.records());
  if (!begun) {
    Resync(ToString(begun.error().code), now);
    return;
  }
  awaiting_snapshot_ = false;
  resync_due_ = Instant::Never();
  incoming_ = true;
  incoming_generation_ = generation;
  incoming_chunks_ = 0;
}

void RackLink::OnSnapshotChunk(const schema::SnapshotChunk& chunk, Instant now) {
  if (!incoming_) {
    return;  // The rest of what was given up.
  }
  const bool in_order =
      FromSchema(chunk.generation()) == incoming_generation_ && chunk.index() == incoming_chunks_;
  if (!in_order || !ReadRecords(chunk.records())) {
    Resync("chunk out of place", now);
    return;
  }
  ++incoming_chunks_;
  const Result<void> applied = snapshots_.Chunk(records_);
  if (!applied) {
    Resync(ToString(applied.error().code), now);
  }
}

void RackLink::OnSnapshotEnd(const schema::SnapshotEnd& end, Instant now) {
  if (!incoming_) {
    return;
  }
  incoming_ = false;
  if (FromSchema(end.generation()) != incoming_generation_ || end.chunks() != incoming_chunks_) {
    Resync("end out of place", now);
    return;
  }
  const Result<void> ended = snapshots_.End(incoming_generation_, FromSchema(end.hash()));
  if (!ended) {
    Resync(ToString(ended.error().code), now);
    return;
  }
  SendLive(now);
}

void RackLink::OnDelta(const schema::Delta& delta, Instant now) {
  if (awaiting_snapshot_) {
    return;  // Sent before the region had our resync.
  }
  if (incoming_ || !ReadRecords(delta.records())) {
    Resync("delta out of place", now);
    return;
  }
  const Result<void> applied = snapshots_.ApplyDelta(
      FromSchema(delta.base()), FromSchema(delta.generation()), FromSchema(delta.hash()), records_);
  if (!applied) {
    Resync(ToString(applied.error().code), now);
    return;
  }
  SendLive(now);
}

void RackLink::Resync(std::string_view reason, Instant now) {
  snapshots_.Abandon();
  incoming_ = false;
  awaiting_snapshot_ = true;
  resync_reason_ = reason;
  // Paced: a sink that cannot take a snapshot must not draw one after the other.
  resync_due_ = std::max(now, resync_allowed_);
  if (now >= resync_due_) {
    SendResync(now);
  }
}

void RackLink::SendResync(Instant now) {
  resync_due_ = Instant::Never();
  resync_allowed_ = now + kResyncInterval;
  auto& builder = channel_.builder();
  (void)Send(schema::CreateResync(builder, AddText(builder, resync_reason_, kReasonBytesMax)), now);
}

void RackLink::SendLive(Instant now) {
  if (state_ != State::kUp) {
    return;
  }
  const GenerationState live = snapshots_.Live();
  if (live == told_live_) {
    return;
  }
  told_live_ = live;
  const auto generation = ToSchema(live.generation);
  const auto hash = ToSchema(live.hash);
  (void)Send(schema::CreateGenerationLive(channel_.builder(), &generation, &hash), now);
}

void RackLink::OnGenerationLive(Instant now) { SendLive(now); }

void RackLink::OnGenerationFailed(std::string_view reason, Instant now) {
  if (state_ == State::kUp) {
    Resync(reason, now);
  }
}

}  // namespace slipway::link
