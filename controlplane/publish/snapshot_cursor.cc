#include <algorithm>
#include <utility>

#include "controlplane/publish/publisher.h"
#include "controlplane/publish/publisher_state.h"

namespace slipway::publish {

namespace {

// The next record of the live model after a key that the rack sees, by table and id.
class LiveWalk {
 public:
  LiveWalk(const model::ModelIndex& index, std::uint64_t rack_id, const RackState& rack,
           RecordKey after)
      : index_(index), rack_id_(rack_id), rack_(rack), table_(std::max<int>(after.first, 1)) {
    const auto& rows = Rows();
    it_ = after.first == 0 ? rows.begin() : rows.upper_bound(model::EntityId{after.second});
  }

  // nullptr: the end. Skips what the rack does not see, and what `skip` says.
  template <typename Sees>
  [[nodiscard]] const model::Row* Current(Sees&& sees) {
    while (table_ <= config::kTableMax) {
      for (; it_ != Rows().end(); ++it_) {
        if (sees(index_, rack_id_, rack_, it_->second)) {
          return &it_->second;
        }
      }
      ++table_;
      if (table_ <= config::kTableMax) {
        it_ = Rows().begin();
      }
    }
    return nullptr;
  }

  void Advance() { ++it_; }

 private:
  [[nodiscard]] const std::map<model::EntityId, model::Row>& Rows() const {
    return index_.All(KindOfTable(static_cast<config::Table>(table_)));
  }

  const model::ModelIndex& index_;
  const std::uint64_t rack_id_;
  const RackState& rack_;
  int table_;
  std::map<model::EntityId, model::Row>::const_iterator it_;
};

}  // namespace

SnapshotCursor::~SnapshotCursor() {
  if (publisher_ == nullptr) {
    return;
  }
  const std::lock_guard lock(publisher_->state_->mutex);
  const auto found = publisher_->state_->racks.find(rack_);
  if (found != publisher_->state_->racks.end()) {
    std::erase(found->second.cursors, this);
  }
}

// The walk merges the live model with what has changed since the generation: for a key in before_
// the old record counts, or its absence.
Result<bool> SnapshotCursor::Next(const std::function<bool(const PublishedRecord&)>& take) {
  if (publisher_ == nullptr || expired_) {
    return Fail(ErrorCode::kExpired);
  }
  Publisher::State& state = *publisher_->state_;
  Result<bool> left = false;
  const auto walk = [&] {
    const std::lock_guard lock(state.mutex);
    const auto found = state.racks.find(rack_);
    if (expired_ || found == state.racks.end()) {
      left = Fail(ErrorCode::kExpired);
      return;
    }
    LiveWalk live(*state.index, rack_, found->second, position_);
    while (true) {
      const model::Row* row = live.Current(&Publisher::State::Sees);
      const RecordKey live_key =
          row == nullptr
              ? RecordKey{UINT8_MAX, UINT64_MAX}
              : KeyOf(model::EntityRef{.kind = model::KindOf(row->entity), .id = row->id});
      const auto old = before_.begin();
      const bool take_old = old != before_.end() && old->first <= live_key;
      if (row == nullptr && !take_old) {
        return;
      }
      PublishedRecord record;
      const RecordKey key = take_old ? old->first : live_key;
      record.table = key.first;
      record.id = key.second;
      record.body = take_old ? old->second : state.BodyFor(*state.index, rack_, *row).bytes;
      if (record.body && !take(record)) {
        left = true;
        return;
      }
      if (row != nullptr && key == live_key) {
        live.Advance();
      }
      if (take_old) {
        before_.erase(old);
      }
      position_ = key;
    }
  };
  state.guard(walk);
  return left;
}

}  // namespace slipway::publish
