// Owners of both ends, as small as the contracts in dataplane/link/interfaces.h allow.
#pragma once

#include <algorithm>
#include <array>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "dataplane/base/random.h"
#include "dataplane/link/interfaces.h"
#include "dataplane/link/rack_core.h"

namespace slipway::link::test {

inline ByteSpan AsBytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

inline std::string AsText(ByteSpan bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

using RecordKey = std::pair<std::uint8_t, std::uint64_t>;
using Records = std::map<RecordKey, std::string>;

inline config::ContentHash HashOf(const Records& records) {
  config::ContentHash hash;
  for (const auto& [key, body] : records) {
    hash.Add(config::HashRecord(key.first, key.second, AsBytes(body)));
  }
  return hash;
}

// ---- rack ----

class FakeSnapshotSink final : public SnapshotSink {
 public:
  GenerationState Live() override { return live_; }

  GenerationState Tip() override { return tip_; }

  Result<void> Begin(config::Generation base, config::Generation generation,
                     std::uint64_t records) override {
    (void)records;
    building_.reset();
    if (base != config::Generation{} && base != tip_.generation) {
      return Fail(ErrorCode::kConflict);
    }
    building_ = base == config::Generation{} ? Records{} : records_;
    generation_ = generation;
    return {};
  }

  Result<void> Chunk(std::span<const RecordView> records) override {
    chunk_bytes_max = std::max(chunk_bytes_max, records.size());
    if (fail_chunks > 0) {
      --fail_chunks;
      building_.reset();
      return Fail(ErrorCode::kMalformed);
    }
    return building_ ? Apply(*building_, records) : Fail(ErrorCode::kConflict);
  }

  Result<void> End(config::Generation generation, config::ContentHash hash) override {
    if (!building_ || generation != generation_) {
      return Fail(ErrorCode::kConflict);
    }
    Records built = *std::exchange(building_, std::nullopt);
    return Take(std::move(built), generation, hash);
  }

  Result<void> ApplyDelta(config::Generation base, config::Generation generation,
                          config::ContentHash hash, std::span<const RecordView> records) override {
    if (base != tip_.generation) {
      return Fail(ErrorCode::kConflict);
    }
    ++deltas;
    Records built = records_;
    if (const Result<void> applied = Apply(built, records); !applied) {
      return applied;
    }
    return Take(std::move(built), generation, hash);
  }

  void Abandon() override { building_.reset(); }

  void MakeLive() { live_ = tip_; }

  [[nodiscard]] const Records& records() const { return records_; }

  bool auto_live = true;
  int fail_chunks = 0;
  int deltas = 0;
  std::size_t chunk_bytes_max = 0;

 private:
  static Result<void> Apply(Records& to, std::span<const RecordView> records) {
    for (const RecordView& record : records) {
      const RecordKey key{record.table, record.id};
      if (!record.removed) {
        to[key] = AsText(record.body);
      } else if (to.erase(key) == 0) {
        return Fail(ErrorCode::kNotFound);
      }
    }
    return {};
  }

  Result<void> Take(Records built, config::Generation generation, config::ContentHash hash) {
    if (HashOf(built) != hash) {
      return Fail(ErrorCode::kBadChecksum);
    }
    records_ = std::move(built);
    tip_ = {.generation = generation, .hash = hash};
    if (auto_live) {
      live_ = tip_;
    }
    return {};
  }

  Records records_;
  std::optional<Records> building_;
  config::Generation generation_;
  GenerationState tip_;
  GenerationState live_;
};

// A journal in memory: epoch 7, sequences from 1, and for leases a table.
class FakeFactSource final : public FactSource {
 public:
  FactCursor End(FactClass fact_class) override {
    Log& log = logs_[Index(fact_class)];
    return {.epoch = log.epoch, .next = log.first + log.records.size()};
  }

  void Peek(FactClass fact_class, std::uint64_t from, std::uint64_t table_position,
            std::size_t bytes_max, FactBatch& out) override {
    Log& log = logs_[Index(fact_class)];
    out = FactBatch{.fact_class = fact_class, .epoch = log.epoch, .records = {}};
    if (from < log.first && fact_class == FactClass::kLease) {
      PeekTable(log, table_position, out);
      return;
    }
    out.first = std::max(from, log.first);
    out.dropped = out.first - from;
    std::size_t bytes = 0;
    for (std::uint64_t i = out.first - log.first; i < log.records.size(); ++i) {
      const std::string& record = log.records[i];
      if (!out.records.empty() && bytes + record.size() > bytes_max) {
        break;
      }
      if (out.records.size() == records_per_batch) {
        break;
      }
      bytes += record.size();
      out.records.push_back(AsBytes(record));
    }
  }

  void Committed(FactClass fact_class, FactCursor cursor) override {
    Log& log = logs_[Index(fact_class)];
    if (cursor.epoch == log.epoch) {
      log.committed = std::max(log.committed, cursor.next);
    }
  }

  void StartNewEpoch(FactClass fact_class) override {
    Log& log = logs_[Index(fact_class)];
    ++log.epoch;
    log.first = 1;
    log.committed = 1;
  }

  void Append(FactClass fact_class, std::string record) {
    logs_[Index(fact_class)].records.push_back(std::move(record));
  }

  // Forgets the oldest records, as a bounded class or a checkpoint does.
  void DropOldest(FactClass fact_class, std::size_t count) {
    Log& log = logs_[Index(fact_class)];
    for (std::size_t i = 0; i < count && !log.records.empty(); ++i) {
      log.table.push_back(log.records.front());
      log.records.pop_front();
      ++log.first;
    }
  }

  [[nodiscard]] std::uint64_t committed(FactClass fact_class) const {
    return logs_[Index(fact_class)].committed;
  }

  std::size_t records_per_batch = 100;

 private:
  struct Log {
    std::uint64_t epoch = 7;
    std::uint64_t first = 1;
    std::uint64_t committed = 1;
    std::deque<std::string> records;
    std::vector<std::string> table;  // what was dropped from the log
  };

  static std::size_t Index(FactClass fact_class) {
    return static_cast<std::size_t>(fact_class) - 1;
  }

  void PeekTable(const Log& log, std::uint64_t position, FactBatch& out) const {
    constexpr std::size_t kPart = 3;
    out.table_as_of = log.first - 1;
    const std::size_t begin = position * kPart;
    for (std::size_t i = begin; i < log.table.size() && i < begin + kPart; ++i) {
      out.records.push_back(AsBytes(log.table[i]));
    }
    out.table_last = begin + kPart >= log.table.size();
  }

  std::array<Log, 4> logs_;
};

class FakeRackObserver : public RackLinkObserver {
 public:
  void OnEnrolled(RackId rack) override { enrolled = rack; }

  void OnUp(std::size_t endpoint) override {
    ++ups;
    up = true;
    at = endpoint;
  }

  void OnDown(std::string_view reason) override {
    up = false;
    reasons.emplace_back(reason);
  }

  void OnCurrent(Instant now) override { current_at = now; }

  void OnQuery(std::uint64_t id, std::string_view topic, std::string_view argument) override {
    queries.push_back({id, std::string(topic) + ":" + std::string(argument)});
  }

  RackId enrolled = 0;
  bool up = false;
  int ups = 0;
  std::size_t at = 0;
  Instant current_at = Instant::Never();
  std::vector<std::string> reasons;
  std::vector<std::pair<std::uint64_t, std::string>> queries;
};

// ---- region ----

// All racks get the same records. Keeps every generation ever published.
class FakeSnapshotSource final : public SnapshotSource {
 public:
  GenerationState Current(RackId rack) override {
    (void)rack;
    return history_.empty() ? GenerationState{} : StateOf(history_.rbegin()->first);
  }

  std::unique_ptr<SnapshotStream> OpenSnapshot(RackId rack) override {
    if (history_.empty()) {
      return nullptr;
    }
    ++snapshots;
    return std::make_unique<Stream>(Current(rack), config::Generation{}, Records{},
                                    history_.rbegin()->second);
  }

  std::unique_ptr<SnapshotStream> OpenDelta(RackId rack, const GenerationState& base) override {
    const auto found = history_.find(base.generation);
    if (found == history_.end() || StateOf(base.generation).hash != base.hash || forget_deltas) {
      return nullptr;
    }
    ++deltas;
    return std::make_unique<Stream>(Current(rack), base.generation, found->second,
                                    history_.rbegin()->second);
  }

  void Publish(Records records) {
    const std::uint64_t number = history_.empty() ? 1 : history_.rbegin()->first.number + 1;
    history_[{.epoch = 1, .number = number}] = std::move(records);
  }

  [[nodiscard]] const Records& newest() const { return history_.rbegin()->second; }

  bool forget_deltas = false;
  int snapshots = 0;
  int deltas = 0;

 private:
  class Stream final : public SnapshotStream {
   public:
    Stream(GenerationState target, config::Generation base, const Records& from, const Records& to)
        : target_(target), base_(base) {
      for (const auto& [key, body] : to) {
        const auto old = from.find(key);
        if (old == from.end() || old->second != body) {
          changes_.emplace_back(key, body);
          bytes_ += body.size();
        }
      }
      for (const auto& [key, body] : from) {
        if (!to.contains(key)) {
          changes_.emplace_back(key, std::nullopt);
        }
      }
    }

    GenerationState target() const override { return target_; }

    config::Generation base() const override { return base_; }

    std::uint64_t records() const override { return changes_.size(); }

    std::uint64_t bytes() const override { return bytes_; }

    bool Next(RecordWriter& writer) override {
      for (; at_ < changes_.size(); ++at_) {
        const auto& [key, body] = changes_[at_];
        if (!writer.Add({.table = key.first,
                         .id = key.second,
                         .body = body ? AsBytes(*body) : ByteSpan{},
                         .removed = !body})) {
          return true;
        }
      }
      return false;
    }

   private:
    GenerationState target_;
    config::Generation base_;
    std::vector<std::pair<RecordKey, std::optional<std::string>>> changes_;
    std::uint64_t bytes_ = 0;
    std::size_t at_ = 0;
  };

  [[nodiscard]] GenerationState StateOf(config::Generation generation) const {
    return {.generation = generation, .hash = HashOf(history_.at(generation))};
  }

  std::map<config::Generation, Records> history_;
};

class FakeFactSink final : public FactSink {
 public:
  FactCursor Cursor(RackId rack, FactClass fact_class) override {
    return cursors[{rack, fact_class}];
  }

  void Commit(RackId rack, const FactBatch& batch, CommitDone done) override {
    if (fail || (fail_part != 0 && batch.table_part == fail_part)) {
      fail_part = 0;
      done(Fail(ErrorCode::kNoSpace));
      return;
    }
    FactCursor& cursor = cursors[{rack, batch.fact_class}];
    auto& stored = records[{rack, batch.fact_class}];
    if (cursor.epoch != batch.epoch) {
      cursor = {.epoch = batch.epoch, .next = 1};
    }
    if (batch.table_as_of != 0) {
      TablePart& before = table_parts[{rack, batch.fact_class}];
      const TablePart part{batch.table_as_of, batch.table_part};
      if (part.second != 1 && part != TablePart{before.first, before.second + 1}) {
        ++conflicts;
        done(Fail(ErrorCode::kConflict));
        return;
      }
      before = part;
      for (const ByteSpan record : batch.records) {
        tables[{rack, batch.fact_class}].push_back(AsText(record));
      }
      if (batch.table_last) {
        cursor.next = std::max(cursor.next, batch.table_as_of + 1);
      }
    } else {
      const std::uint64_t gap = batch.first > cursor.next ? batch.first - cursor.next : 0;
      if (gap != 0 && gap != batch.dropped) {
        ++conflicts;
        done(Fail(ErrorCode::kConflict));
        return;
      }
      dropped += gap;
      for (std::size_t i = 0; i < batch.records.size(); ++i) {
        if (batch.first + i >= cursor.next) {
          stored.push_back(AsText(batch.records[i]));
          cursor.next = batch.first + i + 1;
        }
      }
    }
    done(cursor);
  }

  using Key = std::pair<RackId, FactClass>;
  std::map<Key, FactCursor> cursors;
  std::map<Key, std::vector<std::string>> records;
  std::map<Key, std::vector<std::string>> tables;
  using TablePart = std::pair<std::uint64_t, std::uint32_t>;  // as of, part
  std::map<Key, TablePart> table_parts;                       // taken last, as in ApplyFacts
  std::uint64_t dropped = 0;
  std::uint64_t conflicts = 0;
  std::uint32_t fail_part = 0;  // the next commit of this part of a table fails
  bool fail = false;
};

class FakeRackEvents final : public RackObserver {
 public:
  void OnRackUp(RackId rack, std::string_view software, std::uint64_t boot_id) override {
    (void)boot_id;
    ++ups;
    up[rack] = software;
  }

  void OnRackDown(RackId rack, std::string_view reason) override {
    up.erase(rack);
    reasons.emplace_back(reason);
  }

  void OnInterfaces(RackId rack, std::span<const InterfaceInfo> list) override {
    interfaces[rack] = {list.begin(), list.end()};
  }

  void OnGenerationLive(RackId rack, const GenerationState& state) override { live[rack] = state; }

  int ups = 0;
  std::map<RackId, std::string> up;
  std::map<RackId, std::vector<InterfaceInfo>> interfaces;
  std::map<RackId, GenerationState> live;
  std::vector<std::string> reasons;
};

}  // namespace slipway::link::test
