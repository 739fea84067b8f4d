// The region's half of snapshots and deltas: one stream at a time, as far as credit goes.
#include <algorithm>
#include <utility>

#include "dataplane/base/check.h"
#include "dataplane/link/convert.h"
#include "dataplane/link/region_core.h"
#include "dataplane/link/region_send.h"

namespace slipway::link {
namespace {

// Collects the records of one message.
class ChunkWriter final : public RecordWriter {
 public:
  explicit ChunkWriter(flatbuffers::FlatBufferBuilder& builder) noexcept : builder_(builder) {}

  [[nodiscard]] bool Add(const RecordView& record) override {
    SLIP_CHECK(record.body.size() <= kRecordBytesMax);
    const std::size_t cost = record.body.size() + kRecordOverheadBytes;
    if (records_.size() == kRecordsPerMessageMax || cost > kChunkBytesMax - bytes_) {
      return false;
    }
    bytes_ += cost;
    flatbuffers::Offset<flatbuffers::Vector<std::uint8_t>> body = 0;
    if (!record.removed) {
      body = AddBytes(builder_, record.body);
    }
    records_.push_back(schema::CreateLinkRecord(builder_, record.table, record.id, body));
    return true;
  }

  [[nodiscard]] bool empty() const noexcept { return records_.empty(); }

  [[nodiscard]] auto Finish() { return builder_.CreateVector(records_); }

 private:
  flatbuffers::FlatBufferBuilder& builder_;
  std::vector<flatbuffers::Offset<schema::LinkRecord>> records_;
  std::size_t bytes_ = 0;
};

bool FitsOneMessage(const SnapshotStream& stream) {
  return stream.records() <= kRecordsPerMessageMax && stream.bytes() <= kChunkBytesMax &&
         stream.bytes() + stream.records() * kRecordOverheadBytes <= kChunkBytesMax;
}

}  // namespace

void RegionSession::OnPublished(Instant now) { Pump(now); }

void RegionSession::OnResync(Instant now) {
  need_snapshot_ = true;
  stream_.reset();
  unconfirmed_.clear();
  tip_ = {};
  Pump(now);
}

void RegionSession::OnGenerationLive(const schema::GenerationLive& live, Instant now) {
  (void)now;
  const GenerationState state = FromSchema(live.generation(), live.hash());
  const auto found = std::find(unconfirmed_.begin(), unconfirmed_.end(), state);
  if (found == unconfirmed_.end()) {
    // Given up by a resync meanwhile.
    services_.counters->Reject(RejectReason::kUnexpected);
    return;
  }
  unconfirmed_.erase(unconfirmed_.begin(), found + 1);
  live_ = state;
  services_.observer->OnGenerationLive(peer_.id, live_);
}

void RegionSession::Pump(Instant now) {
  while (state_ == State::kUp && channel_.MaySendData()) {
    if (stream_ == nullptr) {
      OpenStream(now);
      if (stream_ == nullptr) {
        return;
      }
    }
    SendPart();
  }
}

// Chooses what to send next, if anything: a delta on what the rack has, or the whole.
void RegionSession::OpenStream(Instant now) {
  paced_ = false;
  stream_begun_ = false;
  if (!need_snapshot_) {
    if (services_.snapshots->Current(peer_.id) == tip_) {
      return;
    }
    // Changes come together here while the rack is behind.
    if (unconfirmed_.size() >= kGenerationsUnconfirmedMax) {
      return;
    }
    if (tip_.generation != config::Generation{}) {
      stream_ = services_.snapshots->OpenDelta(peer_.id, tip_);
    }
    need_snapshot_ = stream_ == nullptr;
  }
  if (stream_ != nullptr) {
    return;
  }
  if (now < snapshot_allowed_) {
    paced_ = true;
    return;
  }
  stream_ = services_.snapshots->OpenSnapshot(peer_.id);
  if (stream_ != nullptr) {
    SLIP_CHECK(stream_->base() == config::Generation{});
    snapshot_allowed_ = now + kResyncInterval;
    need_snapshot_ = false;
  }
}

// One data message. The end of the stream goes out with its last part.
void RegionSession::SendPart() {
  const schema::LinkGeneration generation = ToSchema(stream_->target().generation);
  const schema::LinkHash hash = ToSchema(stream_->target().hash);
  const schema::LinkGeneration base = ToSchema(stream_->base());
  const bool is_delta = stream_->base() != config::Generation{};
  if (!stream_begun_ && !(is_delta && FitsOneMessage(*stream_))) {
    stream_begun_ = true;
    chunks_ = 0;
    if (!Send(schema::CreateSnapshotBegin(channel_.builder(), &generation, stream_->records(),
                                          is_delta ? &base : nullptr))) {
      return;
    }
  }
  auto& builder = channel_.builder();
  ChunkWriter writer(builder);
  const bool more = stream_->Next(writer);
  const bool empty = writer.empty();
  const auto records = writer.Finish();
  if (!stream_begun_) {
    SLIP_CHECK(!more);
    if (Send(schema::CreateDelta(builder, &base, &generation, &hash, records))) {
      StreamSent();
    }
    return;
  }
  if (!empty && !Send(schema::CreateSnapshotChunk(builder, &generation, chunks_++, records))) {
    return;
  }
  SLIP_CHECK(!empty || !more);
  if (!more && Send(schema::CreateSnapshotEnd(channel_.builder(), &generation, &hash, chunks_))) {
    StreamSent();
  }
}

void RegionSession::StreamSent() {
  tip_ = stream_->target();
  unconfirmed_.push_back(tip_);
  stream_.reset();
}

}  // namespace slipway::link
