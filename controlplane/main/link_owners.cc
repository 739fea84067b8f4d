#include "controlplane/main/link_owners.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "controlplane/model/enrol.h"
#include "dataplane/base/address.h"
#include "dataplane/base/posix_disk.h"

namespace slipway::region {
namespace {

using link::PeerKind;
using link::PeerStatus;
using model::Kind;

[[nodiscard]] PeerStatus RackStatus(const model::Row& row) {
  const bool revoked = row.as<model::Rack>().state == model::RackState::kRevoked;
  return {.kind = revoked ? PeerKind::kRevoked : PeerKind::kRack, .id = row.id.value};
}

[[nodiscard]] PeerStatus TokenStatus(const model::JoinTokenRow& token, WallTime now) {
  PeerKind kind = PeerKind::kToken;
  if (token.rack.is_set()) {
    kind = PeerKind::kTokenUsed;
  } else if (token.expires_ns <= now.ns) {
    kind = PeerKind::kTokenExpired;
  }
  return {.kind = kind, .id = token.id};
}

[[nodiscard]] Error ErrorOf(const model::Refusal& refusal) {
  if (refusal.error.code != ErrorCode::kNone) {
    return refusal.error;
  }
  switch (refusal.kind) {
    case model::RefusalKind::kNotFound:
      return {.code = ErrorCode::kNotFound, .detail = 0};
    case model::RefusalKind::kConflict:
      return {.code = ErrorCode::kConflict, .detail = 0};
    case model::RefusalKind::kTooMany:
      return {.code = ErrorCode::kFull, .detail = 0};
    default:
      return {.code = ErrorCode::kMalformed, .detail = 0};
  }
}

[[nodiscard]] link::RecordView ViewOf(const publish::PublishedRecord& record) {
  link::RecordView view;
  view.table = record.table;
  view.id = record.id;
  view.removed = !record.body.has_value();
  if (record.body) {
    view.body = AsBytes(*record.body);
  }
  return view;
}

class WholeStream final : public link::SnapshotStream {
 public:
  explicit WholeStream(std::unique_ptr<publish::SnapshotCursor> cursor)
      : cursor_(std::move(cursor)) {}

  [[nodiscard]] link::GenerationState target() const override {
    return {.generation = cursor_->generation(), .hash = cursor_->hash()};
  }

  [[nodiscard]] config::Generation base() const override { return {}; }

  [[nodiscard]] std::uint64_t records() const override { return cursor_->record_count(); }

  [[nodiscard]] std::uint64_t bytes() const override { return cursor_->bytes(); }

  [[nodiscard]] bool Next(link::RecordWriter& writer) override {
    const auto more = cursor_->Next(
        [&writer](const publish::PublishedRecord& record) { return writer.Add(ViewOf(record)); });
    // Too much has changed under it: the stream ends early, its hash does not fit, and the rack
    // asks again.
    return more && *more;
  }

 private:
  std::unique_ptr<publish::SnapshotCursor> cursor_;
};

class DeltaStream final : public link::SnapshotStream {
 public:
  explicit DeltaStream(publish::PublishedDelta delta) : delta_(std::move(delta)) {}

  [[nodiscard]] link::GenerationState target() const override {
    return {.generation = delta_.generation, .hash = delta_.hash};
  }

  [[nodiscard]] config::Generation base() const override { return delta_.base; }

  [[nodiscard]] std::uint64_t records() const override { return delta_.records.size(); }

  [[nodiscard]] std::uint64_t bytes() const override { return delta_.bytes; }

  [[nodiscard]] bool Next(link::RecordWriter& writer) override {
    while (next_ < delta_.records.size() && writer.Add(ViewOf(delta_.records[next_]))) {
      ++next_;
    }
    return next_ < delta_.records.size();
  }

 private:
  publish::PublishedDelta delta_;
  std::size_t next_ = 0;
};

}  // namespace

// ---- racks and tokens ----

PeerStatus ModelDirectory::StatusOfKey(const link::PublicKey& key, WallTime now) {
  const std::string text = key.Text();
  return model_.Read([&](const model::ModelIndex& index) -> PeerStatus {
    if (const model::Row* row = index.RackByKey(text); row != nullptr) {
      return RackStatus(*row);
    }
    if (const model::JoinTokenRow* token = index.TokenByKey(text); token != nullptr) {
      return TokenStatus(*token, now);
    }
    return {};
  });
}

PeerStatus ModelDirectory::StatusOfRack(link::RackId rack) {
  return model_.Read([&](const model::ModelIndex& index) -> PeerStatus {
    const model::Row* row = index.Find(Kind::kRack, {rack});
    // A rack that was deleted is as revoked as one that was revoked.
    return row == nullptr ? PeerStatus{.kind = PeerKind::kRevoked, .id = rack} : RackStatus(*row);
  });
}

PeerStatus ModelDirectory::StatusOfToken(link::TokenId token, WallTime now) {
  return model_.Read([&](const model::ModelIndex& index) -> PeerStatus {
    const model::JoinTokenRow* row = index.FindToken(token);
    return row == nullptr ? PeerStatus{} : TokenStatus(*row, now);
  });
}

void ModelDirectory::EnrolRack(link::TokenId token, std::string_view name,
                               const link::PublicKey& key, WallTime now, link::EnrolDone done) {
  auto rack = std::make_shared<std::uint64_t>(0);
  model_.Mutate(
      [token, rack, now, rack_name = std::string(name),
       key_text = key.Text()](model::Plan& plan) -> model::Outcome {
        const auto id = model::EnrolRack(plan, token, rack_name, key_text, now);
        if (!id) {
          return std::unexpected(id.error());
        }
        *rack = id->value;
        return {};
      },
      [rack, answer = std::move(done)](
          std::expected<model::MutateResult, model::Refusal> result) mutable {
        if (result) {
          answer(*rack);
        } else {
          answer(std::unexpected(ErrorOf(result.error())));
        }
      });
}

void ModelDirectory::AddToken(const link::TokenRecord& token, link::StoreDone done) {
  model::JoinTokenRow row;
  row.id = token.id;
  row.public_key = token.key.Text();
  row.expires_ns = token.expires.ns;
  PosixClock clock;
  const WallTime now = clock.WallNow();
  model_.Mutate([row, now](model::Plan& plan) { return model::AddToken(plan, row, now); },
                [answer = std::move(done)](
                    std::expected<model::MutateResult, model::Refusal> result) mutable {
                  if (result) {
                    answer({});
                  } else {
                    answer(std::unexpected(ErrorOf(result.error())));
                  }
                });
}

// ---- snapshots ----

link::GenerationState PublishedSnapshots::Current(link::RackId rack) {
  const auto status = publisher_.StatusOf(rack);
  if (!status) {
    return {};
  }
  return {.generation = status->generation, .hash = status->hash};
}

std::unique_ptr<link::SnapshotStream> PublishedSnapshots::OpenSnapshot(link::RackId rack) {
  auto cursor = publisher_.StartSnapshot(rack);
  return cursor ? std::make_unique<WholeStream>(*std::move(cursor)) : nullptr;
}

std::unique_ptr<link::SnapshotStream> PublishedSnapshots::OpenDelta(
    link::RackId rack, const link::GenerationState& base) {
  auto delta = publisher_.DeltaSince(rack, base.generation, base.hash);
  return delta ? std::make_unique<DeltaStream>(*std::move(delta)) : nullptr;
}

// ---- facts ----

link::FactCursor StoredFacts::Cursor(link::RackId rack, link::FactClass fact_class) {
  const store::FactsCursor cursor =
      facts_.Cursor(rack, static_cast<store::FactClass>(std::to_underlying(fact_class)));
  return {.epoch = cursor.epoch, .next = cursor.next};
}

store::FactsBatch ToStore(link::RackId rack, const link::FactBatch& batch) {
  store::FactsBatch copy;
  copy.rack = rack;
  copy.fact_class = static_cast<store::FactClass>(std::to_underlying(batch.fact_class));
  copy.epoch = batch.epoch;
  copy.first = batch.first;
  copy.dropped = batch.dropped;
  copy.table_as_of = batch.table_as_of;
  copy.table_part = batch.table_part;
  copy.table_last = batch.table_last;
  copy.payloads.reserve(batch.records.size());
  for (const ByteSpan record : batch.records) {
    copy.payloads.emplace_back(AsText(record));
  }
  return copy;
}

void StoredFacts::Commit(link::RackId rack, const link::FactBatch& batch, link::CommitDone done) {
  facts_.Apply(ToStore(rack, batch), [answer = std::move(done)](
                                         Result<store::FactsApplied> applied) mutable {
    if (applied) {
      answer(link::FactCursor{.epoch = applied->cursor.epoch, .next = applied->cursor.next});
    } else {
      answer(std::unexpected(applied.error()));
    }
  });
}

// ---- the board ----

void RackBoard::Announce(link::RackId rack, std::string_view code, std::string detail) {
  const std::string subject = model::FormatId(Kind::kRack, {rack & model::kEntityIdMax});
  store::EventRow event;
  event.rack = rack;
  event.realtime_ns = clock_.WallNow().ns;
  event.code = code;
  event.subject = subject;
  event.detail = std::move(detail);
  // A lost event of this kind is no harm: the status is in the board.
  facts_.AppendEvent(std::move(event), [](Result<std::uint64_t>) {});
}

void RackBoard::OnRackUp(link::RackId rack, std::string_view software, std::uint64_t boot_id) {
  {
    const std::lock_guard lock(mutex_);
    api::RackLinkStatus& status = entries_[rack].status;
    status.connected = true;
    status.software = software;
    status.down_reason.clear();
    status.changed_ns = clock_.WallNow().ns;
  }
  Announce(rack, "rack-up", fmt::format("software={} boot={:016x}", software, boot_id));
}

void RackBoard::OnRackDown(link::RackId rack, std::string_view reason) {
  {
    const std::lock_guard lock(mutex_);
    api::RackLinkStatus& status = entries_[rack].status;
    status.connected = false;
    status.down_reason = reason;
    status.changed_ns = clock_.WallNow().ns;
  }
  Announce(rack, "rack-down", fmt::format("reason={}", reason));
}

void RackBoard::OnInterfaces(link::RackId rack, std::span<const link::InterfaceInfo> interfaces) {
  const std::lock_guard lock(mutex_);
  auto& rows = entries_[rack].status.interfaces;
  rows.clear();
  for (const link::InterfaceInfo& info : interfaces) {
    rows.push_back({.name = info.name,
                    .mac = std::string(ToText(MacAddress::FromU64(info.mac)).view()),
                    .up = info.up,
                    .addresses = info.addresses});
  }
}

void RackBoard::OnGenerationLive(link::RackId rack, const link::GenerationState& live) {
  const std::lock_guard lock(mutex_);
  entries_[rack].live = live;
}

api::RackLinkStatus RackBoard::StatusOf(std::uint64_t rack) {
  Entry entry;
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = entries_.find(rack); found != entries_.end()) {
      entry = found->second;
    }
  }
  api::RackLinkStatus& status = entry.status;
  status.live_epoch = entry.live.generation.epoch;
  status.live_number = entry.live.generation.number;
  if (const auto wanted = publisher_.StatusOf(rack); wanted) {
    status.wanted_epoch = wanted->generation.epoch;
    status.wanted_number = wanted->generation.number;
    status.is_current = entry.live.hash == wanted->hash && entry.live.generation.number != 0;
  }
  return status;
}

std::size_t RackBoard::connected() {
  const std::lock_guard lock(mutex_);
  std::size_t count = 0;
  for (const auto& [rack, entry] : entries_) {
    count += entry.status.connected ? 1 : 0;
  }
  return count;
}

}  // namespace slipway::region
