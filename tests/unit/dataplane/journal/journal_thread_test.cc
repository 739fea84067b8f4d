#include "dataplane/journal/journal_thread.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "dataplane/base/posix_disk.h"
#include "dataplane/base/random.h"
#include "tests/support/memory_disk.h"

namespace slipway::journal {
namespace {

// MemoryDisk for two threads.
class LockedDisk final : public Disk {
 public:
  [[nodiscard]] Result<FileId> Open(std::string_view name, OpenMode mode) override {
    const std::lock_guard lock(mutex);
    return disk.Open(name, mode);
  }

  void Close(FileId file) noexcept override {
    const std::lock_guard lock(mutex);
    disk.Close(file);
  }

  [[nodiscard]] Result<std::uint64_t> SizeOf(FileId file) override {
    const std::lock_guard lock(mutex);
    return disk.SizeOf(file);
  }

  [[nodiscard]] Result<std::size_t> ReadAt(FileId file, std::uint64_t offset,
                                           MutableByteSpan out) override {
    const std::lock_guard lock(mutex);
    return disk.ReadAt(file, offset, out);
  }

  [[nodiscard]] Result<void> WriteAt(FileId file, std::uint64_t offset, ByteSpan data) override {
    const std::lock_guard lock(mutex);
    return disk.WriteAt(file, offset, data);
  }

  [[nodiscard]] Result<void> Preallocate(FileId file, std::uint64_t bytes) override {
    const std::lock_guard lock(mutex);
    return disk.Preallocate(file, bytes);
  }

  [[nodiscard]] Result<void> Truncate(FileId file, std::uint64_t bytes) override {
    const std::lock_guard lock(mutex);
    return disk.Truncate(file, bytes);
  }

  [[nodiscard]] Result<void> Sync(FileId file) override {
    const std::lock_guard lock(mutex);
    return disk.Sync(file);
  }

  [[nodiscard]] Result<void> Rename(std::string_view from, std::string_view to) override {
    const std::lock_guard lock(mutex);
    return disk.Rename(from, to);
  }

  [[nodiscard]] Result<void> Remove(std::string_view name) override {
    const std::lock_guard lock(mutex);
    return disk.Remove(name);
  }

  [[nodiscard]] Result<void> List(Visitor& visitor) override {
    const std::lock_guard lock(mutex);
    return disk.List(visitor);
  }

  void SetReadOnly(bool on) {
    const std::lock_guard lock(mutex);
    disk.SetReadOnly(on);
  }

  std::mutex mutex;
  test::MemoryDisk disk{1};
};

class Payloads final : public RecordVisitor {
 public:
  void OnRecord(FactClass, std::uint64_t, ByteSpan payload) override {
    texts.emplace_back(AsText(payload));
  }

  std::vector<std::string> texts;
};

class Table final : public RecoveryVisitor {
 public:
  void OnCheckpointLease(ByteSpan /*payload*/) override { ++checkpointed; }

  void OnRecord(FactClass, std::uint64_t, ByteSpan) override { ++records; }

  std::uint64_t checkpointed = 0;
  std::uint64_t records = 0;
};

class JournalThreadTest : public testing::Test {
 protected:
  void SetUp() override {
    OpenReport report;
    auto journal = Journal::Open(disk_, random_, {}, report);
    ASSERT_TRUE(journal);
    thread_ = std::make_unique<JournalThread>(std::move(*journal), clock_);
    shard_ = *thread_->AddSubmitter();
    ASSERT_TRUE(thread_->Start());
  }

  // Waits on the wake-up, as a driver does; false after ten seconds.
  [[nodiscard]] bool AwaitTicket(std::uint64_t ticket) {
    for (int i = 0; i < 100 && shard_->Collect().ticket < ticket; ++i) {
      pollfd polled{.fd = shard_->wake_fd(), .events = POLLIN, .revents = 0};
      (void)poll(&polled, 1, 100);
    }
    return shard_->completed().ticket >= ticket;
  }

  LockedDisk disk_;
  SeededRandom random_{3};
  PosixClock clock_;
  std::unique_ptr<JournalThread> thread_;
  Submitter* shard_ = nullptr;
};

TEST_F(JournalThreadTest, TicketsComeBackWhenDurable) {
  std::uint64_t ticket = 0;
  for (int i = 0; i < 1000; ++i) {
    ticket = shard_->Submit(FactClass::kLease, 1, AsBytes("lease"));
    ASSERT_NE(ticket, 0U);
  }
  shard_->Notify();
  ASSERT_TRUE(AwaitTicket(ticket));
  EXPECT_EQ(thread_->cursor(FactClass::kLease).durable_next, 1000U);
  EXPECT_FALSE(shard_->completed().failing);
}

TEST_F(JournalThreadTest, LargePayloadsGoByReference) {
  const std::string large(limits::kInventoryBytesMax, 'i');
  std::uint64_t ticket = 0;
  for (int i = 0; i < 40; ++i) {  // more than the buffer takes at once
    ticket = shard_->Submit(FactClass::kInventory, static_cast<std::uint64_t>(i), AsBytes(large));
  }
  shard_->Notify();
  ASSERT_TRUE(AwaitTicket(ticket));
  Payloads payloads;
  ASSERT_TRUE(thread_->ReadCommitted(FactClass::kInventory, 0, SIZE_MAX, payloads));
  ASSERT_EQ(payloads.texts.size(), 40U);
  EXPECT_EQ(payloads.texts[39], large);
}

TEST_F(JournalThreadTest, FailingDiskCompletesNothingUntilItWorksAgain) {
  disk_.SetReadOnly(true);
  const std::uint64_t ticket = shard_->Submit(FactClass::kLease, 1, AsBytes("lease"));
  shard_->Notify();
  for (int i = 0; i < 100 && !shard_->Collect().failing; ++i) {
    pollfd polled{.fd = shard_->wake_fd(), .events = POLLIN, .revents = 0};
    (void)poll(&polled, 1, 100);
  }
  EXPECT_TRUE(shard_->completed().failing);
  EXPECT_LT(shard_->completed().ticket, ticket);
  EXPECT_EQ(thread_->failure().code, ErrorCode::kReadOnly);
  disk_.SetReadOnly(false);
  ASSERT_TRUE(AwaitTicket(ticket));
  EXPECT_EQ(thread_->cursor(FactClass::kLease).durable_next, 1U);
}

TEST_F(JournalThreadTest, ColdThreadsAppendAndTheOutboxWakesTheLink) {
  ASSERT_TRUE(thread_->Append(FactClass::kEvent, 0, AsBytes("event")));
  pollfd polled{.fd = thread_->committed_fd(), .events = POLLIN, .revents = 0};
  ASSERT_EQ(poll(&polled, 1, 10'000), 1);
  thread_->ClearCommitted();
  Payloads payloads;
  ASSERT_TRUE(thread_->ReadCommitted(FactClass::kEvent, 0, SIZE_MAX, payloads));
  EXPECT_EQ(payloads.texts, std::vector<std::string>{"event"});
  const ClassCursor cursor = thread_->cursor(FactClass::kEvent);
  ASSERT_TRUE(thread_->Acknowledge(FactClass::kEvent, cursor.epoch, 1));
  EXPECT_EQ(thread_->cursor(FactClass::kEvent).first, 1U);
}

TEST_F(JournalThreadTest, CheckpointGoesThroughTheMailbox) {
  ASSERT_NE(shard_->Submit(FactClass::kLease, 1, AsBytes("lease")), 0U);
  ASSERT_NE(shard_->SubmitCheckpoint(SubmissionKind::kCheckpointBegin, {}), 0U);
  ASSERT_NE(shard_->SubmitCheckpoint(SubmissionKind::kCheckpointLease, AsBytes("lease")), 0U);
  const std::uint64_t ticket = shard_->SubmitCheckpoint(SubmissionKind::kCheckpointEnd, {});
  shard_->Notify();
  ASSERT_TRUE(AwaitTicket(ticket));
  EXPECT_EQ(thread_->counters().checkpoints.value(), 1U);
}

// Beside the commits of another thread, and without what they have not made durable yet.
TEST_F(JournalThreadTest, TheLeaseTableIsReadBesideCommits) {
  constexpr int kRecords = 3000;
  std::uint64_t ticket = 0;
  for (int i = 0; i < kRecords; ++i) {
    ticket = shard_->Submit(FactClass::kLease, 0, AsBytes("lease"));
    ASSERT_NE(ticket, 0U);
    if (i % 100 == 0) {
      shard_->Notify();
      Table table;
      const auto next = thread_->ReadLeaseTable(table);
      ASSERT_TRUE(next);
      EXPECT_EQ(table.records, *next) << "sequences start at 0 and nothing was let go";
    }
  }
  shard_->Notify();
  ASSERT_TRUE(AwaitTicket(ticket));
  Table table;
  EXPECT_EQ(*thread_->ReadLeaseTable(table), kRecords);
  EXPECT_EQ(table.records, kRecords);
}

TEST_F(JournalThreadTest, TheLeaseTableHasNothingThatIsNotDurable) {
  disk_.SetReadOnly(true);
  ASSERT_NE(shard_->Submit(FactClass::kLease, 0, AsBytes("lease")), 0U);
  shard_->Notify();
  for (int i = 0; i < 100 && !shard_->Collect().failing; ++i) {
    pollfd polled{.fd = shard_->wake_fd(), .events = POLLIN, .revents = 0};
    (void)poll(&polled, 1, 100);
  }
  ASSERT_TRUE(shard_->completed().failing);
  Table table;
  EXPECT_EQ(*thread_->ReadLeaseTable(table), 0U);
  EXPECT_EQ(table.records, 0U);
}

TEST_F(JournalThreadTest, StopCommitsWhatWasSubmitted) {
  for (int i = 0; i < 3000; ++i) {
    ASSERT_NE(shard_->Submit(FactClass::kLease, 1, AsBytes("lease")), 0U);
  }
  thread_->Stop();
  EXPECT_EQ(thread_->cursor(FactClass::kLease).durable_next, 3000U);
}

}  // namespace
}  // namespace slipway::journal
