// The thread that owns the journal: takes records from shards, commits them in groups, tells the
// shards what is durable; the link thread reads the outbox and acknowledges through it.
//
//   shard --Submit--> mailbox --> [journal thread: Append.. Commit] --> completion mailbox -->
//   shard link thread --ReadCommitted, Acknowledge--> (under a lock that is free while the disk
//   works)
//
// Two batches are always under way: while one is being written and synced the next one fills in the
// mailboxes. A lonely record is committed at once; when records come thick, commits begin no closer
// than kPaceMicros, because each costs the machine as much as a dozen exchanges whatever is in it
// (docs/adr/0007-paced-commits.md). Policy when full: Submit refuses and counts; while the disk
// fails nothing is completed, the buffer and then the mailboxes fill up, and the thread tries again
// every kRetryMillis.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "dataplane/base/counter.h"
#include "dataplane/base/cursor.h"
#include "dataplane/base/result.h"
#include "dataplane/base/seams.h"
#include "dataplane/journal/journal.h"
#include "dataplane/shard/mailbox.h"
#include "dataplane/shard/wake.h"

namespace slipway::journal {

// A payload up to this size is copied into the mailbox.
inline constexpr std::size_t kInlineBytesMax = 768;
inline constexpr std::uint32_t kSubmissionsMax = 16'384;  // per shard: 13 MiB
inline constexpr std::uint32_t kCompletionsMax = 1'024;
inline constexpr std::size_t kColdRecordsMax = 1'024;
inline constexpr std::int64_t kRetryMillis = 100;
// From this many records in the span on, the next commit waits until the span is over.
inline constexpr std::int64_t kPaceMicros = 2'000;
inline constexpr std::uint64_t kPaceRecords = 4;
// A checkpoint is asked for after this many lease records, or twice the leases of the last one if
// that is more: writing the whole table must stay cheap beside the records themselves.
inline constexpr std::uint64_t kCheckpointAfterRecords = limits::kLeasesMax / 2;

enum class SubmissionKind : std::uint8_t {
  kRecord = 0,
  kCheckpointBegin = 1,
  kCheckpointLease = 2,
  kCheckpointEnd = 3
};

struct Submission {
  std::uint64_t ticket = 0;
  std::uint64_t key = 0;
  const std::byte* external = nullptr;  // instead of bytes: larger than kInlineBytesMax
  std::uint32_t size = 0;
  FactClass fact_class = FactClass::kNone;
  SubmissionKind kind = SubmissionKind::kRecord;
  std::array<std::byte, kInlineBytesMax> bytes;

  [[nodiscard]] ByteSpan payload() const noexcept {
    return external != nullptr ? ByteSpan(external, size) : ByteSpan(bytes).first(size);
  }
};

struct Completion {
  std::uint64_t ticket = 0;     // all submissions up to this one are durable
  bool failing = false;         // the last commit failed
  bool checkpoint_due = false;  // send the lease table: kCheckpointBegin, leases, kCheckpointEnd
};

// A shard's end. All calls on the shard's thread; none allocates.
class Submitter {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Submitter>> Create();

  // Returns the ticket, above 0 and growing by one; 0 if the mailbox is full (counted): nothing was
  // taken. A payload above kInlineBytesMax must stay as it is until its ticket is durable. One
  // above the journal's record_bytes_max counts as durable and is dropped (counted in too_large).
  // Call Notify after a batch.
  [[nodiscard]] std::uint64_t Submit(FactClass fact_class, std::uint64_t key,
                                     ByteSpan payload) noexcept;
  // The lease table, in pieces over many turns: the state of each lease at kCheckpointBegin or
  // later. Only the shard that owns the leases. As Submit.
  [[nodiscard]] std::uint64_t SubmitCheckpoint(SubmissionKind kind, ByteSpan lease) noexcept;

  void Notify() noexcept { down_->Notify(); }

  // For the driver: readable when there is something to Collect.
  [[nodiscard]] int wake_fd() const noexcept { return up_->wake_fd(); }

  // The newest completion; what it says holds until the next one.
  [[nodiscard]] const Completion& Collect() noexcept;

  [[nodiscard]] const Completion& completed() const noexcept { return completed_; }

  // Free places in the mailbox.
  [[nodiscard]] std::uint32_t room() noexcept { return down_->room(); }

  [[nodiscard]] std::uint64_t refused() const noexcept { return down_->refused(); }

 private:
  friend class JournalThread;
  Submitter(std::unique_ptr<shard::Mailbox<Submission>> down,
            std::unique_ptr<shard::Mailbox<Completion>> up) noexcept;
  [[nodiscard]] std::uint64_t Push(SubmissionKind kind, FactClass fact_class, std::uint64_t key,
                                   ByteSpan payload) noexcept;

  const std::unique_ptr<shard::Mailbox<Submission>> down_;
  const std::unique_ptr<shard::Mailbox<Completion>> up_;
  std::uint64_t last_ticket_ = 0;  // shard's
  Completion completed_;           // shard's

  // The journal thread's.
  std::deque<Submission> held_;     // taken from the mailbox, no room in the buffer yet
  std::uint64_t taken_ticket_ = 0;  // appended
  Completion owed_;                 // newest, perhaps not posted yet
  Completion posted_;
};

// Written by the journal thread, read by any.
struct JournalCounters {
  Counter records;
  Counter bytes;
  Counter commits;
  Counter commit_failures;
  Counter commit_ns;      // sum, begin to end
  Counter commit_ns_max;  // longest
  Counter checkpoints;
  Counter checkpoint_failures;
  Counter too_large;
  Counter retained;  // now: records kept for the region or the next checkpoint
  Counter failing;   // 1 while the disk fails
};

class JournalThread {
 public:
  // `clock` outlives the thread. REQUIRES: the journal's disk allows Open, SizeOf, ReadAt and Close
  // beside WriteAt and Sync from another thread (PosixDisk does: it keeps nothing of files).
  JournalThread(std::unique_ptr<Journal> journal, Clock& clock);
  JournalThread(const JournalThread&) = delete;
  JournalThread& operator=(const JournalThread&) = delete;
  ~JournalThread();

  // One per shard. REQUIRES: before Start. Lives as long as the thread object.
  [[nodiscard]] Result<Submitter*> AddSubmitter();
  [[nodiscard]] Result<void> Start();
  // Takes what is in the mailboxes, commits once more, ends the thread. Idempotent.
  void Stop();

  // ---- any thread ----

  // For threads without a submitter; kFull at kColdRecordsMax, kTooLarge. Durable soon (after
  // Start), unreported.
  [[nodiscard]] Result<void> Append(FactClass fact_class, std::uint64_t key, ByteSpan payload);

  // ---- any thread, after Start ----

  // As in Journal.
  [[nodiscard]] Result<std::uint64_t> ReadCommitted(FactClass fact_class, std::uint64_t from,
                                                    std::size_t bytes_max, RecordVisitor& visitor);
  [[nodiscard]] Result<void> Acknowledge(FactClass fact_class, std::uint64_t epoch,
                                         std::uint64_t next);
  [[nodiscard]] ClassCursor cursor(FactClass fact_class);
  // The lease table on disk (Journal::Recover), for a region that has lost its own. Returns the
  // lease sequence below which everything is in it; nothing that is not durable is. Runs beside a
  // Flush, but holds up what comes after it: rare.
  [[nodiscard]] Result<std::uint64_t> ReadLeaseTable(RecoveryVisitor& visitor);

  // Readable when something was committed since ClearCommitted: for the link thread's poll.
  [[nodiscard]] int committed_fd() const noexcept { return committed_->fd(); }

  void ClearCommitted() noexcept { committed_->Clear(); }

  // The last commit's error, or kNone.
  [[nodiscard]] Error failure();

  [[nodiscard]] const JournalCounters& counters() const noexcept { return counters_; }

 private:
  struct ColdRecord {
    FactClass fact_class = FactClass::kNone;
    std::uint64_t key = 0;
    std::vector<std::byte> payload;
  };

  void Run();
  void Take();
  void TakeFrom(Submitter& from);
  [[nodiscard]] bool TakeOne(Submitter& from, const Submission& submission);
  void TakeCheckpoint(const Submission& submission);
  void TakeCold();
  [[nodiscard]] bool CommitOnce();
  void Post();
  void Wait();
  void Pace();
  [[nodiscard]] bool CheckpointIsDue() const;

  const std::unique_ptr<Journal> journal_;
  Clock& clock_;
  std::vector<std::unique_ptr<Submitter>> submitters_;
  std::unique_ptr<shard::Wake> wake_;       // Stop and Append
  std::unique_ptr<shard::Wake> committed_;  // for the link thread
  std::thread thread_;
  std::atomic<bool> stop_{false};
  // Guards the journal, but for its Flush, and cold_.
  std::mutex mutex_;
  std::deque<ColdRecord> cold_;
  std::size_t record_bytes_max_ = 0;
  bool checkpoint_under_way_ = false;
  std::uint64_t checkpoint_leases_ = 0;       // of the one under way
  std::uint64_t last_checkpoint_leases_ = 0;  // of the last one that was made
  bool more_ = false;                         // something was left in a mailbox
  Instant commit_begun_;                      // of the last commit
  std::uint64_t commit_records_ = 0;          // appended before that
  bool thick_ = false;                        // records come thick: pace the next commit
  JournalCounters counters_;
};

}  // namespace slipway::journal
