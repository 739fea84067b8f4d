#include "dataplane/main/fact_source.h"

#include <gtest/gtest.h>

#include <string>

#include "dataplane/link/limits.h"
#include "tests/support/memory_disk.h"

namespace slipway::rack {
namespace {

// The journal itself, as the simulator uses it.
class DirectOutbox final : public OutboxJournal {
 public:
  explicit DirectOutbox(journal::Journal* journal) : journal_(journal) {}

  journal::ClassCursor Cursor(journal::FactClass fact_class) override {
    return journal_->cursor(fact_class);
  }

  Result<std::uint64_t> ReadCommitted(journal::FactClass fact_class, std::uint64_t from,
                                      std::size_t bytes_max,
                                      journal::RecordVisitor& visitor) override {
    return journal_->ReadCommitted(fact_class, from, bytes_max, visitor);
  }

  Result<void> Acknowledge(journal::FactClass fact_class, std::uint64_t epoch,
                           std::uint64_t next) override {
    return journal_->Acknowledge(fact_class, epoch, next);
  }

  Result<std::uint64_t> ReadLeaseTable(journal::RecoveryVisitor& visitor) override {
    const std::uint64_t next = journal_->cursor(journal::FactClass::kLease).durable_next;
    SLIP_TRY(journal_->Recover(visitor));
    return next;
  }

 private:
  journal::Journal* journal_;
};

class FactSourceTest : public testing::Test {
 protected:
  FactSourceTest() {
    journal::OpenReport report;
    journal_ = journal::Journal::Open(disk_, random_, {}, report).value();
    outbox_ = std::make_unique<DirectOutbox>(journal_.get());
    source_ = std::make_unique<JournalFactSource>(outbox_.get(), &disk_, &random_);
  }

  void Append(journal::FactClass fact_class, std::uint64_t key, const std::string& payload) {
    ASSERT_TRUE(journal_->Append(fact_class, key, AsBytes(payload)).has_value());
    ASSERT_TRUE(journal_->Commit().has_value());
  }

  [[nodiscard]] link::FactBatch Peek(link::FactClass fact_class, std::uint64_t from,
                                     std::uint64_t part = 0,
                                     std::size_t bytes = link::kFactsPayloadBytesMax) {
    link::FactBatch batch;
    source_->Peek(fact_class, from, part, bytes, batch);
    return batch;
  }

  [[nodiscard]] static std::vector<std::string> Texts(const link::FactBatch& batch) {
    std::vector<std::string> texts;
    for (const ByteSpan record : batch.records) {
      texts.emplace_back(AsText(record));
    }
    return texts;
  }

  test::MemoryDisk disk_{1};
  SeededRandom random_{2};
  std::unique_ptr<journal::Journal> journal_;
  std::unique_ptr<DirectOutbox> outbox_;
  std::unique_ptr<JournalFactSource> source_;
};

TEST_F(FactSourceTest, FirstRecordOfAClassIsSentWithSequenceOne) {
  Append(journal::FactClass::kInventory, 7, "first");
  EXPECT_EQ(source_->End(link::FactClass::kInventory).next, 2U);
  const link::FactBatch batch = Peek(link::FactClass::kInventory, 1);
  EXPECT_EQ(batch.first, 1U);
  EXPECT_EQ(batch.dropped, 0U);
  EXPECT_EQ(Texts(batch), std::vector<std::string>{"first"});
}

TEST_F(FactSourceTest, NothingIsThereBeforeACommitAndAfterTheEnd) {
  ASSERT_TRUE(
      journal_->Append(journal::FactClass::kBootStep, 0, AsBytes("uncommitted")).has_value());
  EXPECT_TRUE(Peek(link::FactClass::kBootStep, 1).records.empty());
  ASSERT_TRUE(journal_->Commit().has_value());
  EXPECT_EQ(Peek(link::FactClass::kBootStep, 1).records.size(), 1U);
  EXPECT_TRUE(Peek(link::FactClass::kBootStep, 2).records.empty());
}

// A rack was killed right after a region had taken its records, and comes up on a disk that it
// cannot write to: the region has more than is proven here, but nothing that was not written.
TEST_F(FactSourceTest, TheEndCountsATailThatIsNotProvenYet) {
  Append(journal::FactClass::kEvent, 0, "a");
  Append(journal::FactClass::kEvent, 0, "b");
  const link::FactCursor before = source_->End(link::FactClass::kEvent);
  journal_.reset();
  journal::OpenReport report;
  journal_ = journal::Journal::Open(disk_, random_, {}, report).value();
  outbox_ = std::make_unique<DirectOutbox>(journal_.get());
  source_ = std::make_unique<JournalFactSource>(outbox_.get(), &disk_, &random_);
  ASSERT_LT(journal_->cursor(journal::FactClass::kEvent).durable_next,
            journal_->cursor(journal::FactClass::kEvent).next);
  EXPECT_EQ(source_->End(link::FactClass::kEvent), before);
}

TEST_F(FactSourceTest, AcknowledgedRecordsAreLetGoAndTheRestFollows) {
  Append(journal::FactClass::kBootStep, 0, "a");
  Append(journal::FactClass::kBootStep, 0, "b");
  source_->Committed(link::FactClass::kBootStep,
                     {.epoch = source_->End(link::FactClass::kBootStep).epoch, .next = 2});
  EXPECT_EQ(journal_->cursor(journal::FactClass::kBootStep).acknowledged, 1U);
  EXPECT_EQ(Texts(Peek(link::FactClass::kBootStep, 2)), std::vector<std::string>{"b"});
}

TEST_F(FactSourceTest, WhatTheRackDroppedIsReported) {
  Append(journal::FactClass::kBootStep, 0, "a");
  Append(journal::FactClass::kBootStep, 0, "b");
  source_->Committed(link::FactClass::kBootStep,
                     {.epoch = source_->End(link::FactClass::kBootStep).epoch, .next = 2});
  // A region that has lost its store asks from the beginning: the first record is gone.
  const link::FactBatch batch = Peek(link::FactClass::kBootStep, 1);
  EXPECT_EQ(batch.first, 2U);
  EXPECT_EQ(batch.dropped, 1U);
}

TEST_F(FactSourceTest, RegionThatLostItsLeasesGetsTheTableInParts) {
  for (int i = 0; i < 5; ++i) {
    Append(journal::FactClass::kLease, static_cast<std::uint64_t>(i) + 1,
           "lease" + std::to_string(i));
  }
  ASSERT_TRUE(journal_->BeginCheckpoint().has_value());
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(journal_->AddToCheckpoint(AsBytes("lease" + std::to_string(i))).has_value());
  }
  ASSERT_TRUE(journal_->EndCheckpoint().has_value());
  const link::FactCursor end = source_->End(link::FactClass::kLease);
  source_->Committed(link::FactClass::kLease, end);
  ASSERT_TRUE(journal_->Commit().has_value());

  std::vector<std::string> seen;
  for (std::uint64_t part = 0; part < 10; ++part) {
    const link::FactBatch batch = Peek(link::FactClass::kLease, 1, part, 12);
    ASSERT_EQ(batch.table_as_of, end.next - 1);
    for (const std::string& text : Texts(batch)) {
      seen.push_back(text);
    }
    if (batch.table_last) {
      break;
    }
  }
  EXPECT_EQ(seen, (std::vector<std::string>{"lease0", "lease1", "lease2", "lease3", "lease4"}));
}

TEST_F(FactSourceTest, NewEpochOutlivesARestart) {
  Append(journal::FactClass::kEvent, 0, "the journal is on disk");
  const std::uint64_t before = source_->End(link::FactClass::kEvent).epoch;
  source_->StartNewEpoch(link::FactClass::kEvent);
  const std::uint64_t after = source_->End(link::FactClass::kEvent).epoch;
  EXPECT_NE(before, after);
  disk_.Crash();
  journal::OpenReport report;
  journal_ = journal::Journal::Open(disk_, random_, {}, report).value();
  outbox_ = std::make_unique<DirectOutbox>(journal_.get());
  source_ = std::make_unique<JournalFactSource>(outbox_.get(), &disk_, &random_);
  EXPECT_EQ(source_->End(link::FactClass::kEvent).epoch, after);
}

TEST_F(FactSourceTest, DamagedEpochFileMeansNewEpochsNotOldOnes) {
  source_->StartNewEpoch(link::FactClass::kEvent);
  const std::uint64_t before = source_->End(link::FactClass::kLease).epoch;
  ASSERT_TRUE(disk_.Damage("outbox", 3));
  source_ = std::make_unique<JournalFactSource>(outbox_.get(), &disk_, &random_);
  EXPECT_NE(source_->End(link::FactClass::kLease).epoch, before);
}

}  // namespace
}  // namespace slipway::rack
