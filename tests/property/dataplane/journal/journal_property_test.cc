// Random histories of appends, commits, acknowledgements, checkpoints, faults and crashes on a disk
// that loses and tears what is not synced. After each reopening: every committed record that
// retention may not drop is there, in order, with its bytes; nothing else is.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <vector>

#include "dataplane/base/random.h"
#include "dataplane/journal/journal.h"
#include "tests/support/memory_disk.h"

namespace slipway::journal {
namespace {

using Bytes = std::vector<std::byte>;

// Small, so that segments roll, move and run out of room within a short history.
[[nodiscard]] JournalOptions SmallOptions() {
  JournalOptions options;
  options.segment_bytes = 24 << 10;
  options.segments_max = 16;
  options.segments_tidy = 4;
  options.buffer_bytes = 8 << 10;
  options.record_bytes_max = 3000;
  options.limits[1] = {40 << 10, 400};
  options.limits[2] = {16 << 10, 40};
  options.limits[3] = {8 << 10, 60};
  options.limits[4] = {8 << 10, 60};
  options.move_bytes_per_commit = 2 << 10;
  return options;
}

struct Written {
  std::uint64_t key = 0;
  Bytes payload;
};

struct ClassModel {
  std::map<std::uint64_t, Written> appended;  // by sequence, since the epoch began
  // Appended, never reported durable, and gone after a reopening. A power cut may bring back the
  // older state of the medium in which such a record is there.
  std::multimap<std::uint64_t, Written> ghosts;
  std::uint64_t durable_next = 0;
  std::uint64_t acknowledged = 0;
};

class Reader final : public RecoveryVisitor {
 public:
  void OnRecord(FactClass, std::uint64_t sequence, ByteSpan payload) override {
    EXPECT_TRUE(records.empty() || records.back().first < sequence);
    records.emplace_back(sequence, Bytes(payload.begin(), payload.end()));
  }

  void OnCheckpointLease(ByteSpan payload) override {
    EXPECT_TRUE(records.empty());
    checkpoint.emplace_back(payload.begin(), payload.end());
  }

  std::vector<std::pair<std::uint64_t, Bytes>> records;
  std::vector<Bytes> checkpoint;
};

class History {
 public:
  explicit History(std::uint64_t seed) : random_(seed), disk_(Mix64(seed)), ids_(seed ^ 77) {
    Reopen();
  }

  void Run(int steps) {
    for (int i = 0; i < steps && !testing::Test::HasFatalFailure(); ++i) {
      Step();
    }
    if (testing::Test::HasFatalFailure()) {
      return;
    }
    disk_.FailWrites(0);
    disk_.FailSyncs(0);
    disk_.SetReadOnly(false);
    disk_.SetCapacity(UINT64_MAX);
    ASSERT_TRUE(journal_->Commit());
    Committed();
    journal_.reset();
    Reopen();
  }

 private:
  void Step() {
    const std::uint64_t dice = random_.Below(100);
    if (dice < 55) {
      Append();
    } else if (dice < 80) {
      if (journal_->Commit()) {
        Committed();
      }
      journal_->Maintain();
    } else if (dice < 88) {
      Acknowledge();
    } else if (dice < 91) {
      Checkpoint();
    } else if (dice < 95) {
      SetFaults();
    } else if (dice < 98) {
      ReadAll(false);
    } else {
      Crash();
    }
  }

  void Append() {
    const auto fact_class = static_cast<FactClass>(1 + random_.Below(4));
    const std::uint64_t size = random_.Below(8) == 0 ? random_.Below(3000) : random_.Below(200);
    Written written{.key = 1 + random_.Below(30), .payload = Bytes(8 + size)};
    StoreLittle(written.payload.data(), written.key);
    for (std::size_t i = 8; i < written.payload.size(); ++i) {
      written.payload[i] = static_cast<std::byte>(random_.U64());
    }
    const auto sequence = journal_->Append(fact_class, written.key, written.payload);
    if (written.payload.size() > SmallOptions().record_bytes_max) {
      ASSERT_EQ(sequence.error().code, ErrorCode::kTooLarge);
    } else if (sequence) {
      model_[Index(fact_class)].appended[*sequence] = std::move(written);
    } else {
      ASSERT_EQ(sequence.error().code, ErrorCode::kFull);
    }
  }

  void Committed() {
    for (std::size_t i = 1; i < kClasses; ++i) {
      model_[i].durable_next = journal_->cursor(static_cast<FactClass>(i)).durable_next;
      ASSERT_EQ(model_[i].durable_next, journal_->cursor(static_cast<FactClass>(i)).next);
    }
  }

  void Acknowledge() {
    const auto fact_class = static_cast<FactClass>(1 + random_.Below(4));
    ClassModel& model = model_[Index(fact_class)];
    const std::uint64_t next = random_.Below(model.durable_next + 1);
    const ClassCursor cursor = journal_->cursor(fact_class);
    ASSERT_TRUE(journal_->Acknowledge(fact_class, cursor.epoch, next));
    model.acknowledged = std::max(model.acknowledged, next);
    ASSERT_FALSE(journal_->Acknowledge(fact_class, cursor.epoch + 1, next));
  }

  // The table of the leases as a shard would have it: the newest of each key.
  void Checkpoint() {
    if (!journal_->BeginCheckpoint()) {
      return;
    }
    std::map<std::uint64_t, const Bytes*> table;
    for (const auto& [sequence, written] : model_[1].appended) {
      table[written.key] = &written.payload;
    }
    for (const auto& [key, payload] : table) {
      if (!journal_->AddToCheckpoint(*payload)) {
        return;
      }
    }
    if (random_.Below(4) != 0) {
      // Its commit may have succeeded even if it failed.
      (void)journal_->EndCheckpoint();
      for (std::size_t i = 1; i < kClasses; ++i) {
        model_[i].durable_next = journal_->cursor(static_cast<FactClass>(i)).durable_next;
      }
    }
  }

  void SetFaults() {
    const std::uint64_t kind = random_.Below(6);
    disk_.FailWrites(kind == 0 ? 300'000 : 0);
    disk_.FailSyncs(kind == 1 ? 300'000 : 0);
    disk_.SetReadOnly(kind == 2);
    disk_.SetCapacity(kind == 3 ? 100 << 10 : UINT64_MAX);
  }

  void Crash() {
    disk_.FailWrites(0);
    disk_.FailSyncs(0);
    disk_.SetReadOnly(false);
    disk_.SetCapacity(UINT64_MAX);
    const std::uint64_t kind = random_.Below(3);
    if (kind == 0) {
      disk_.Crash();  // power is cut
      journal_.reset();
    } else {
      journal_.reset();  // the process ends: what it wrote is in the page cache
      if (kind == 1) {
        disk_.Crash();
      }
    }
    Reopen();
  }

  void Reopen() {
    OpenReport report;
    auto opened = Journal::Open(disk_, ids_, SmallOptions(), report);
    ASSERT_TRUE(opened) << static_cast<int>(opened.error().code) << " " << report.reason.view()
                        << " in " << report.file.view() << " at " << report.offset;
    journal_ = std::move(*opened);
    for (std::size_t i = 1; i < kClasses; ++i) {
      ASSERT_GE(journal_->cursor(static_cast<FactClass>(i)).next, model_[i].durable_next)
          << "a committed record is gone";
    }
    Reader recovered;
    ASSERT_TRUE(journal_->Recover(recovered));
    Adopt(FactClass::kLease, recovered);
    CheckRecovery();
    // What may be in the page cache only is written again.
    ASSERT_TRUE(journal_->Commit());
    for (std::size_t i = 1; i < kClasses; ++i) {
      const auto fact_class = static_cast<FactClass>(i);
      const ClassCursor cursor = journal_->cursor(fact_class);
      ASSERT_EQ(cursor.durable_next, cursor.next);
      Reader reader;
      ASSERT_TRUE(journal_->ReadCommitted(fact_class, 0, SIZE_MAX, reader));
      Adopt(fact_class, reader);
      // What was appended but not committed may have survived, from the front on.
      ClassModel& model = model_[i];
      const auto lost = model.appended.lower_bound(cursor.durable_next);
      model.ghosts.insert(lost, model.appended.end());
      model.appended.erase(lost, model.appended.end());
      model.durable_next = cursor.durable_next;
      // An acknowledgement that was not committed is forgotten.
      ASSERT_LE(cursor.acknowledged, model.acknowledged);
      model.acknowledged = cursor.acknowledged;
    }
    ReadAll(true);
    CheckRecovery();
  }

  void Adopt(FactClass fact_class, const Reader& reader) {
    ClassModel& model = model_[Index(fact_class)];
    for (const auto& [sequence, payload] : reader.records) {
      const auto [first, last] = model.ghosts.equal_range(sequence);
      const auto ghost = std::find_if(
          first, last, [&payload](const auto& item) { return item.second.payload == payload; });
      if (sequence >= model.durable_next && ghost != last) {
        model.appended[sequence] = ghost->second;
      }
    }
  }

  void ReadAll(bool after_open) {
    for (std::size_t i = 1; i < kClasses; ++i) {
      const auto fact_class = static_cast<FactClass>(i);
      Reader reader;
      std::uint64_t from = model_[i].acknowledged;
      while (true) {
        const auto next = journal_->ReadCommitted(fact_class, from, 1500, reader);
        ASSERT_TRUE(next);
        if (*next == from) {
          break;
        }
        from = *next;
      }
      ASSERT_NO_FATAL_FAILURE(Compare(fact_class, reader, after_open));
    }
  }

  void Compare(FactClass fact_class, const Reader& reader, bool after_open) {
    const ClassModel& model = model_[Index(fact_class)];
    const ClassCursor cursor = journal_->cursor(fact_class);
    std::map<std::uint64_t, std::uint64_t> newest;  // of each key
    for (const auto& [sequence, written] : model.appended) {
      if (sequence < model.durable_next) {
        newest[written.key] = sequence;
      }
    }
    std::map<std::uint64_t, bool> seen;
    for (const auto& [sequence, payload] : reader.records) {
      const auto at = model.appended.find(sequence);
      ASSERT_NE(at, model.appended.end()) << "invented";
      ASSERT_LT(sequence, model.durable_next);
      ASSERT_EQ(at->second.payload, payload);
      seen[sequence] = true;
    }
    std::uint64_t missing = 0;
    for (std::uint64_t sequence = model.acknowledged; sequence < model.durable_next; ++sequence) {
      missing += seen.contains(sequence) ? 0U : 1U;
      if (fact_class == FactClass::kLease && !seen.contains(sequence)) {
        ASSERT_NE(newest.at(model.appended.at(sequence).key), sequence) << "a lease is lost";
      }
    }
    // After an opening the counts of one life do not add up: what was superseded may be back.
    if (!after_open && missing > 0) {
      ASSERT_GT(cursor.dropped + cursor.superseded + reopened_missing_, 0U);
    }
    reopened_missing_ += missing;
  }

  // Checkpoint and tail give the newest record of each key.
  void CheckRecovery() {
    Reader reader;
    ASSERT_TRUE(journal_->Recover(reader));
    std::map<std::uint64_t, Bytes> table;
    for (const Bytes& payload : reader.checkpoint) {
      table[LoadLittle<std::uint64_t>(payload.data())] = payload;
    }
    for (const auto& [sequence, payload] : reader.records) {
      table[LoadLittle<std::uint64_t>(payload.data())] = payload;
    }
    std::map<std::uint64_t, Bytes> expected;
    const std::uint64_t next = journal_->cursor(FactClass::kLease).next;
    for (const auto& [sequence, written] : model_[1].appended) {
      if (sequence < next) {
        expected[written.key] = written.payload;
      }
    }
    ASSERT_EQ(table, expected);
  }

  SeededRandom random_;
  test::MemoryDisk disk_;
  SeededRandom ids_;
  std::unique_ptr<Journal> journal_;
  std::array<ClassModel, kClasses> model_;
  std::uint64_t reopened_missing_ = 0;
};

TEST(JournalPropertyTest, CommittedRecordsSurviveAnyHistory) {
  const char* const text = std::getenv("SLIPWAY_SEED");
  const char* const runs_text = std::getenv("SLIPWAY_RUNS");
  const std::uint64_t first = text == nullptr ? 1 : std::strtoull(text, nullptr, 0);
  const std::uint64_t runs = runs_text == nullptr ? 400 : std::strtoull(runs_text, nullptr, 0);
  for (std::uint64_t seed = first; seed < first + runs; ++seed) {
    History history(seed);
    if (!HasFatalFailure()) {
      history.Run(400);
    }
    if (HasFatalFailure() || HasNonfatalFailure()) {
      (void)std::printf("SLIPWAY_SEED=%llu SLIPWAY_RUNS=1\n",
                        static_cast<unsigned long long>(seed));
      return;
    }
  }
}

}  // namespace
}  // namespace slipway::journal
