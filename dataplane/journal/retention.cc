// What the journal keeps, and what it lets go.
#include <algorithm>
#include <unordered_set>

#include "dataplane/base/check.h"
#include "dataplane/journal/journal.h"

namespace slipway::journal {

void Journal::LetGo(Class& of, const Entry& entry) {
  Segment* const segment = FindSegment(entry.segment);
  SLIP_CHECK(segment != nullptr);
  segment->Forget(entry.payload_bytes);
  const std::uint64_t bytes = RecordBytes(entry.payload_bytes);
  SLIP_CHECK(of.bytes >= bytes);
  of.bytes -= bytes;
}

// Drops from the front what nobody needs any more.
void Journal::Trim(Class& of, FactClass fact_class) {
  const std::uint64_t needed = fact_class == FactClass::kLease
                                   ? std::min(of.state.acknowledged, of.state.checkpoint)
                                   : of.state.acknowledged;
  while (!of.entries.empty() && of.entries.front().sequence < needed) {
    LetGo(of, of.entries.front());
    of.entries.pop_front();
  }
}

void Journal::Retain(Class& of, FactClass fact_class) {
  Trim(of, fact_class);
  const ClassLimits& limits = options_.limits[Index(fact_class)];
  const auto above = [&of](std::uint64_t bytes, std::uint64_t records) {
    return of.bytes > bytes || of.entries.size() > records;
  };
  if (!above(limits.bytes_max, limits.records_max)) {
    return;
  }
  // Leases stay, so a pass that finds little must not come again with each commit.
  if (fact_class == FactClass::kLease && of.entries.size() < of.supersede_from) {
    return;
  }
  const std::size_t before = of.entries.size();
  Supersede(of);
  // The less it found the longer until it is worth another look.
  const std::size_t left = of.entries.size();
  of.supersede_from = left + (before - left > before / 8 ? left / 8 : left / 2);
  // An eighth of room, so that the next record does not bring us back here.
  if (fact_class != FactClass::kLease &&
      above(limits.bytes_max - limits.bytes_max / 8, limits.records_max - limits.records_max / 8)) {
    DropOldest(of, limits);
  }
}

// Keeps the newest record of each key.
void Journal::Supersede(Class& of) {
  std::unordered_set<std::uint64_t> seen;
  seen.reserve(of.entries.size());
  std::deque<Entry> kept;
  for (auto entry = of.entries.rbegin(); entry != of.entries.rend(); ++entry) {
    if (entry->key == 0 || seen.insert(entry->key).second) {
      kept.push_front(*entry);
    } else {
      LetGo(of, *entry);
      ++of.superseded;
    }
  }
  of.entries = std::move(kept);
}

void Journal::DropOldest(Class& of, const ClassLimits& limits) {
  const std::uint64_t bytes_max = limits.bytes_max - limits.bytes_max / 8;
  const std::uint64_t records_max = limits.records_max - limits.records_max / 8;
  while (!of.entries.empty() && (of.bytes > bytes_max || of.entries.size() > records_max)) {
    LetGo(of, of.entries.front());
    of.entries.pop_front();
    ++of.state.dropped;
    state_dirty_ = true;
  }
}

// The last segment stays even if it is empty: it is the one being written, or the newest header.
void Journal::FreeSegments() {
  std::deque<Segment> kept;
  for (std::size_t i = 0; i < segments_.size(); ++i) {
    if (segments_[i].live > 0 || i + 1 == segments_.size()) {
      kept.push_back(segments_[i]);
    } else {
      slots_[segments_[i].slot].used = false;
    }
  }
  segments_ = std::move(kept);
}

void Journal::Segment::Hold(std::size_t payload_bytes) noexcept {
  ++live;
  live_bytes += RecordBytes(payload_bytes);
}

void Journal::Segment::Forget(std::size_t payload_bytes) noexcept {
  SLIP_CHECK(live > 0);
  SLIP_CHECK(live_bytes >= RecordBytes(payload_bytes));
  --live;
  live_bytes -= RecordBytes(payload_bytes);
}

// Queues copies of what is left in the emptiest segment, a bounded piece per commit. The caps keep
// all classes together below half of the disk, so that one is below half full when many are used.
void Journal::QueueMoves() {
  if (segments_.size() <= options_.segments_tidy || buffer_used_ > buffer_.size() / 2) {
    return;
  }
  const bool under_way = std::any_of(pending_.begin(), pending_.end(),
                                     [](const Pending& pending) { return pending.moved; });
  if (under_way) {
    return;  // of a commit that failed
  }
  const auto emptiest = std::min_element(
      segments_.begin(), segments_.end() - 1,
      [](const Segment& a, const Segment& b) { return a.live_bytes < b.live_bytes; });
  if (2 * emptiest->live_bytes > options_.segment_bytes) {
    return;
  }
  Chunk chunk;
  for (const Pending& pending : ChooseMoves(emptiest->number)) {
    const auto payload = ReadRecord(pending.entry, chunk);
    if (!payload || payload->size() > room()) {
      return;  // Unreadable records stay where they are: reading them reports it.
    }
    AddPending(pending, *payload);
  }
}

std::vector<Journal::Pending> Journal::ChooseMoves(std::uint64_t from) const {
  std::vector<Pending> moves;
  std::size_t bytes = 0;
  for (std::size_t i = 1; i < kClasses; ++i) {
    for (const Entry& entry : classes_[i].entries) {
      if (entry.segment != from) {
        continue;
      }
      if (!moves.empty() &&
          bytes + RecordBytes(entry.payload_bytes) > options_.move_bytes_per_commit) {
        return moves;
      }
      bytes += RecordBytes(entry.payload_bytes);
      moves.push_back({.fact_class = static_cast<FactClass>(i), .moved = true, .entry = entry});
    }
  }
  return moves;
}

}  // namespace slipway::journal
