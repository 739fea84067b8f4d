#include "dataplane/journal/journal.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "dataplane/base/random.h"
#include "tests/support/memory_disk.h"

namespace slipway::journal {
namespace {

class Texts final : public RecoveryVisitor {
 public:
  void OnRecord(FactClass, std::uint64_t sequence, ByteSpan payload) override {
    records.emplace_back(sequence, std::string(AsText(payload)));
  }

  void OnCheckpointLease(ByteSpan payload) override { checkpoint.emplace_back(AsText(payload)); }

  std::vector<std::pair<std::uint64_t, std::string>> records;
  std::vector<std::string> checkpoint;
};

class JournalTest : public testing::Test {
 protected:
  [[nodiscard]] static JournalOptions Options() {
    JournalOptions options;
    options.segment_bytes = 32 << 10;
    options.segments_max = 8;
    options.buffer_bytes = 8 << 10;
    options.record_bytes_max = 2000;
    return options;
  }

  [[nodiscard]] std::unique_ptr<Journal> Open() {
    auto journal = Journal::Open(disk_, random_, Options(), report_);
    return journal ? std::move(*journal) : nullptr;
  }

  // What the outbox has, from sequence `from`.
  [[nodiscard]] static std::vector<std::string> Outbox(Journal& journal, FactClass fact_class,
                                                       std::uint64_t from = 0) {
    Texts texts;
    EXPECT_TRUE(journal.ReadCommitted(fact_class, from, SIZE_MAX, texts));
    std::vector<std::string> payloads;
    for (const auto& [sequence, payload] : texts.records) {
      payloads.push_back(payload);
    }
    return payloads;
  }

  test::MemoryDisk disk_{1};
  SeededRandom random_{2};
  OpenReport report_;
};

TEST_F(JournalTest, NewJournalHasEpochsAndNothingElse) {
  const auto journal = Open();
  ASSERT_NE(journal, nullptr);
  EXPECT_TRUE(report_.created);
  const ClassCursor cursor = journal->cursor(FactClass::kLease);
  EXPECT_NE(cursor.epoch, 0U);
  EXPECT_NE(cursor.epoch, journal->cursor(FactClass::kEvent).epoch);
  EXPECT_EQ(cursor.durable_next, 0U);
}

TEST_F(JournalTest, RecordIsDurableAfterCommitOnly) {
  auto journal = Open();
  EXPECT_EQ(*journal->Append(FactClass::kLease, 1, AsBytes("a")), 0U);
  EXPECT_EQ(journal->cursor(FactClass::kLease).durable_next, 0U);
  EXPECT_TRUE(Outbox(*journal, FactClass::kLease).empty());
  ASSERT_TRUE(journal->Commit());
  EXPECT_EQ(journal->cursor(FactClass::kLease).durable_next, 1U);
  EXPECT_EQ(Outbox(*journal, FactClass::kLease), std::vector<std::string>{"a"});
  EXPECT_EQ(*journal->Append(FactClass::kLease, 1, AsBytes("lost")), 1U);
  disk_.Crash();
  journal = Open();
  Texts texts;
  ASSERT_TRUE(journal->Recover(texts));
  ASSERT_EQ(texts.records.size(), 1U);
  EXPECT_EQ(texts.records[0].second, "a");
}

TEST_F(JournalTest, OneCommitIsOneSync) {
  const auto journal = Open();
  ASSERT_TRUE(journal->Append(FactClass::kEvent, 0, AsBytes("first")));
  ASSERT_TRUE(journal->Commit());
  const std::uint64_t before = disk_.syncs();
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(journal->Append(FactClass::kEvent, 0, AsBytes("x")));
  }
  ASSERT_TRUE(journal->Commit());
  EXPECT_EQ(disk_.syncs(), before + 1);
}

TEST_F(JournalTest, EpochsStayOverAReopening) {
  auto journal = Open();
  ASSERT_TRUE(journal->Append(FactClass::kEvent, 0, AsBytes("x")));
  ASSERT_TRUE(journal->Commit());
  const std::uint64_t epoch = journal->cursor(FactClass::kEvent).epoch;
  journal = Open();
  EXPECT_FALSE(report_.created && journal->cursor(FactClass::kEvent).epoch != epoch);
  EXPECT_EQ(journal->cursor(FactClass::kEvent).epoch, epoch);
}

TEST_F(JournalTest, LeaseStaysUntilAcknowledgedAndCheckpointed) {
  auto journal = Open();
  ASSERT_TRUE(journal->Append(FactClass::kLease, 7, AsBytes("lease")));
  ASSERT_TRUE(journal->Commit());
  const ClassCursor cursor = journal->cursor(FactClass::kLease);
  ASSERT_TRUE(journal->Acknowledge(FactClass::kLease, cursor.epoch, 1));
  EXPECT_EQ(journal->cursor(FactClass::kLease).first, 0U) << "no checkpoint has it yet";
  ASSERT_TRUE(journal->BeginCheckpoint());
  ASSERT_TRUE(journal->AddToCheckpoint(AsBytes("lease")));
  ASSERT_TRUE(journal->EndCheckpoint());
  EXPECT_EQ(journal->cursor(FactClass::kLease).first, 1U);
  journal = Open();
  Texts texts;
  ASSERT_TRUE(journal->Recover(texts));
  EXPECT_TRUE(texts.records.empty());
  EXPECT_EQ(texts.checkpoint, std::vector<std::string>{"lease"});
}

TEST_F(JournalTest, AcknowledgeChecksEpochAndRange) {
  const auto journal = Open();
  const std::uint64_t epoch = journal->cursor(FactClass::kEvent).epoch;
  EXPECT_EQ(journal->Acknowledge(FactClass::kEvent, epoch + 1, 0).error().code,
            ErrorCode::kConflict);
  EXPECT_EQ(journal->Acknowledge(FactClass::kEvent, epoch, 1).error().code, ErrorCode::kOutOfRange);
}

TEST_F(JournalTest, FullDiskKeepsEverythingAndRecoversWithoutRestart) {
  const auto journal = Open();
  ASSERT_TRUE(journal->Append(FactClass::kLease, 1, AsBytes("a")));
  ASSERT_TRUE(journal->Commit());
  disk_.SetReadOnly(true);
  ASSERT_TRUE(journal->Append(FactClass::kLease, 2, AsBytes("b")));
  EXPECT_EQ(journal->Commit().error().code, ErrorCode::kReadOnly);
  EXPECT_EQ(journal->failure().code, ErrorCode::kReadOnly);
  EXPECT_EQ(journal->cursor(FactClass::kLease).durable_next, 1U);
  disk_.SetReadOnly(false);
  disk_.SetCapacity(0);
  EXPECT_EQ(journal->Commit().error().code, ErrorCode::kNoSpace);
  disk_.SetCapacity(UINT64_MAX);
  ASSERT_TRUE(journal->Commit());
  EXPECT_EQ(journal->failure().code, ErrorCode::kNone);
  EXPECT_EQ(Outbox(*journal, FactClass::kLease), (std::vector<std::string>{"a", "b"}));
}

TEST_F(JournalTest, AppendRefusesWhatDoesNotFit) {
  const auto journal = Open();
  const std::vector<std::byte> large(2001);
  EXPECT_EQ(journal->Append(FactClass::kEvent, 0, large).error().code, ErrorCode::kTooLarge);
  const std::vector<std::byte> fits(2000);
  Result<std::uint64_t> last = std::uint64_t{0};
  for (int i = 0; i < 8 && last; ++i) {
    last = journal->Append(FactClass::kEvent, 0, fits);
  }
  ASSERT_FALSE(last);
  EXPECT_EQ(last.error().code, ErrorCode::kFull);
  ASSERT_TRUE(journal->Commit());
  EXPECT_TRUE(journal->Append(FactClass::kEvent, 0, fits));
}

TEST_F(JournalTest, DamageBeforeADurablePlaceStopsTheStart) {
  auto journal = Open();
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(journal->Append(FactClass::kLease, 1, AsBytes("lease")));
    ASSERT_TRUE(journal->Commit());
  }
  journal.reset();
  ASSERT_TRUE(disk_.Damage("journal-00", kDataOffset + kBatchRecordBytes + 20));
  EXPECT_EQ(Open(), nullptr);
  EXPECT_EQ(report_.file, "journal-00");
  EXPECT_EQ(report_.offset, kDataOffset + kBatchRecordBytes);
  EXPECT_FALSE(report_.reason.empty());
}

TEST_F(JournalTest, TornTailAtAnyByteKeepsWhatWasAcknowledgedBefore) {
  auto journal = Open();
  ASSERT_TRUE(journal->Append(FactClass::kLease, 1, AsBytes("acknowledged")));
  ASSERT_TRUE(journal->Commit());
  const std::size_t end = kDataOffset + kBatchRecordBytes + RecordBytes(12);
  ASSERT_TRUE(journal->Append(FactClass::kLease, 2, AsBytes("not acknowledged")));
  ASSERT_TRUE(journal->Commit());
  const std::vector<std::byte> whole = disk_.Contents("journal-00");
  journal.reset();
  for (std::size_t cut = end; cut < end + kBatchRecordBytes + RecordBytes(16); ++cut) {
    test::MemoryDisk disk(cut);
    std::vector<std::byte> torn = whole;
    std::fill(torn.begin() + static_cast<std::ptrdiff_t>(cut), torn.end(), std::byte{0});
    disk.SetContents("journal-00", torn);
    OpenReport report;
    const auto reopened = Journal::Open(disk, random_, Options(), report);
    ASSERT_TRUE(reopened) << cut;
    Texts texts;
    ASSERT_TRUE((*reopened)->Recover(texts));
    ASSERT_GE(texts.records.size(), 1U) << cut;
    EXPECT_EQ(texts.records[0].second, "acknowledged");
  }
}

TEST_F(JournalTest, MissingCheckpointStopsTheStart) {
  auto journal = Open();
  ASSERT_TRUE(journal->Append(FactClass::kLease, 1, AsBytes("lease")));
  ASSERT_TRUE(journal->BeginCheckpoint());
  ASSERT_TRUE(journal->EndCheckpoint());
  ASSERT_TRUE(journal->Commit());
  journal.reset();
  ASSERT_TRUE(disk_.Remove("checkpoint"));
  EXPECT_EQ(Open(), nullptr);
  EXPECT_EQ(report_.file, "checkpoint");
}

TEST_F(JournalTest, OldestEventsAreDroppedAndCounted) {
  JournalOptions options = Options();
  options.limits[Index(FactClass::kEvent)] = {64 << 10, 8};
  auto journal = std::move(*Journal::Open(disk_, random_, options, report_));
  for (int i = 0; i < 9; ++i) {
    ASSERT_TRUE(journal->Append(FactClass::kEvent, 0, AsBytes("x")));
  }
  ASSERT_TRUE(journal->Commit());
  EXPECT_EQ(journal->cursor(FactClass::kEvent).dropped, 2U);
  EXPECT_EQ(journal->cursor(FactClass::kEvent).first, 2U);
}

TEST_F(JournalTest, NewerRecordOfAKeyReplacesTheOlderAboveTheCap) {
  JournalOptions options = Options();
  options.limits[Index(FactClass::kInventory)] = {64 << 10, 4};
  auto journal = std::move(*Journal::Open(disk_, random_, options, report_));
  for (const char* const text : {"a1", "b1", "a2", "b2", "a3"}) {
    const auto key = static_cast<std::uint64_t>(text[0]);
    ASSERT_TRUE(journal->Append(FactClass::kInventory, key, AsBytes(text)));
  }
  ASSERT_TRUE(journal->Commit());
  EXPECT_EQ(Outbox(*journal, FactClass::kInventory), (std::vector<std::string>{"b2", "a3"}));
  EXPECT_EQ(journal->cursor(FactClass::kInventory).dropped, 0U);
  EXPECT_EQ(journal->cursor(FactClass::kInventory).superseded, 3U);
}

TEST_F(JournalTest, ALargerLeaseTableGetsMoreRoom) {
  const auto leases = static_cast<std::size_t>(FactClass::kLease);
  const JournalOptions usual = OptionsFor(limits::kLeasesMax);
  EXPECT_EQ(usual.segment_bytes, JournalOptions{}.segment_bytes);
  EXPECT_EQ(OptionsFor(16).limits[leases].records_max, usual.limits[leases].records_max);
  const JournalOptions larger = OptionsFor(7 * limits::kLeasesMax + 1);
  EXPECT_EQ(larger.segment_bytes, 8 * usual.segment_bytes);
  EXPECT_EQ(larger.limits[leases].records_max, 8 * usual.limits[leases].records_max);
  for (const std::uint32_t leases_max : {16U, limits::kLeasesMax, 4'194'304U}) {
    // Moving records always finds room: what is kept is less than half of the disk.
    const JournalOptions options = OptionsFor(leases_max);
    std::uint64_t kept = 0;
    for (const ClassLimits& each : options.limits) {
      kept += each.bytes_max;
    }
    EXPECT_LT(kept, options.segment_bytes * options.segments_max / 2) << leases_max;
    EXPECT_LE(options.segment_bytes, std::uint64_t{1} << 31) << leases_max;
  }
}

TEST_F(JournalTest, SegmentsAreUsedAgain) {
  const auto journal = Open();
  const std::vector<std::byte> payload(1000);
  for (int i = 0; i < 500; ++i) {
    ASSERT_TRUE(journal->Append(FactClass::kEvent, 0, payload));
    ASSERT_TRUE(journal->Commit());
    const ClassCursor cursor = journal->cursor(FactClass::kEvent);
    ASSERT_TRUE(journal->Acknowledge(FactClass::kEvent, cursor.epoch, cursor.durable_next));
  }
  EXPECT_FALSE(disk_.Exists("journal-04"));
  EXPECT_LE(journal->segment_count(), 2U);
}

}  // namespace
}  // namespace slipway::journal
