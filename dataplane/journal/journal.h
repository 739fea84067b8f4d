// The append-only, group-committed log: leases and all other facts that a rack must not lose, and
// the outbox from which the link thread sends them to the region.
//
// Files in the state directory: `journal-00` .. `journal-2f` are segments, preallocated and used
// again; `checkpoint` is the lease table as of a sequence. Format: dataplane/journal/format.h,
// docs/formats.md.
//
// Guarantees, over any crash:
// - a record that Commit reported durable is there after Open, with its class, sequence and bytes,
//   until retention lets it go (below); nothing that was not appended is ever there;
// - a failed write or sync loses nothing that was durable. The segment it happened in is never
//   written again (after a failed fsync the kernel may have dropped the pages and forgotten the
//   error): what was not durable stays in memory and goes to a new segment at the next Commit. So
//   a full disk that has room again needs no restart;
// - what Open finds behind the last place that is known to have been synced (the last batch) may be
//   in the page cache only: it is recovered, but counts as appended until the first Commit has
//   written it again;
// - a torn tail is cut. A bad record before a place that is known to have been durable is damage:
//   Open fails with kCorrupt, and the report says where and what.
//
// Retention: leases stay until they are acknowledged by the region and in a checkpoint; the other
// classes until they are acknowledged. A class above its cap first loses records for whose key
// there is a newer one (nothing is lost: a fact of a key replaces the one before), then, but for
// leases, the oldest, counted in dropped(). A segment in which only a few records are left is freed
// by moving them to the current one.
//
// Single-threaded: JournalThread (journal_thread.h) owns it in production. Bounded: see
// JournalOptions.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "dataplane/base/bounded.h"
#include "dataplane/base/cursor.h"
#include "dataplane/base/limits.h"
#include "dataplane/base/result.h"
#include "dataplane/base/seams.h"
#include "dataplane/journal/format.h"

namespace slipway::journal {

struct ClassLimits {
  std::uint64_t bytes_max = 0;  // payloads and record headers
  std::uint64_t records_max = 0;
};

struct JournalOptions {
  std::uint64_t segment_bytes = std::uint64_t{8} << 20;
  std::uint32_t segments_max = kSegmentsMax;  // disk: 384 MiB at the utmost, 16 MiB at first
  // Above this many the emptiest segment is freed by moving what is left in it.
  std::uint32_t segments_tidy = 12;
  std::size_t buffer_bytes = std::size_t{4} << 20;
  std::size_t record_bytes_max = limits::kInventoryBytesMax + 4096;
  // By FactClass. Their sum must stay below half of the disk, so that moving always finds room.
  std::array<ClassLimits, kClasses> limits{{{},
                                            {std::uint64_t{96} << 20, 4 * limits::kLeasesMax},
                                            {std::uint64_t{48} << 20, 65'536},
                                            {std::uint64_t{16} << 20, 65'536},
                                            {std::uint64_t{16} << 20, 65'536}}};
  std::size_t move_bytes_per_commit = std::size_t{256} << 10;
};

// For a rack with a lease table of that size: at the default for kLeasesMax, and the disk and the
// limits of the leases grow with it.
[[nodiscard]] JournalOptions OptionsFor(std::uint32_t leases_max) noexcept;

// What Open found; after kCorrupt: what is wrong, and where.
struct OpenReport {
  std::uint32_t segments = 0;
  std::uint64_t records = 0;
  bool created = false;  // no journal was there: new epochs
  FixedString<31> file;
  std::uint64_t offset = 0;
  FixedString<95> reason;
};

struct ClassCursor {
  std::uint64_t epoch = 0;         // random, new if the journal was lost; never 0
  std::uint64_t first = 0;         // the lowest sequence that is still here
  std::uint64_t durable_next = 0;  // committed: all below
  std::uint64_t next = 0;          // appended: all below
  std::uint64_t acknowledged = 0;
  std::uint64_t dropped = 0;     // lost to the cap, ever
  std::uint64_t superseded = 0;  // replaced by a newer record of their key, since the start
};

class RecordVisitor {
 public:
  virtual ~RecordVisitor() = default;
  // `payload` is valid during the call.
  virtual void OnRecord(FactClass fact_class, std::uint64_t sequence, ByteSpan payload) = 0;
};

class RecoveryVisitor : public RecordVisitor {
 public:
  // A lease of the checkpoint. All of them come before the first OnRecord.
  virtual void OnCheckpointLease(ByteSpan payload) = 0;
};

class Journal {
 public:
  // Scans what is there, or starts anew. `disk` and `random` outlive the journal. Errors: kCorrupt
  // and kBadVersion (the report says where and why; the start must stop), kOutOfRange (options),
  // and those of the disk.
  [[nodiscard]] static Result<std::unique_ptr<Journal>> Open(Disk& disk, Random& random,
                                                             const JournalOptions& options,
                                                             OpenReport& report);
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;
  ~Journal();

  // The leases of the checkpoint, then lease records after it in the order of their sequences: a
  // table that takes the last record of each key is the table at the crash. Also records that only
  // a Commit makes durable: those of a torn tail (a second crash could still take them), and those
  // appended since. Only reads. kCorrupt, disk errors.
  [[nodiscard]] Result<void> Recover(RecoveryVisitor& visitor);

  // Adds to the next batch; durable after a Commit only. `key` says what a newer record of the same
  // class replaces: 0, nothing. Returns the sequence. kTooLarge, or kFull: commit first.
  [[nodiscard]] Result<std::uint64_t> Append(FactClass fact_class, std::uint64_t key,
                                             ByteSpan payload);

  [[nodiscard]] std::size_t record_bytes_max() const noexcept { return options_.record_bytes_max; }

  // Payload bytes of a record that Append would surely take now.
  [[nodiscard]] std::size_t room() const noexcept;

  // One write and one sync for everything appended. On failure everything is kept, failure() says
  // why, and the next Commit tries again in a new segment. Does the same as BeginCommit, Flush and
  // FinishCommit in a row.
  [[nodiscard]] Result<void> Commit();

  // Commit in three steps, so that a lock need not be held while the disk works. Between
  // BeginCommit and FinishCommit nothing may be called but Flush, ReadCommitted, Recover,
  // Acknowledge and cursor. ReadCommitted and Recover may run beside Flush, which changes nothing
  // that they read, if the disk allows Open, SizeOf, ReadAt and Close beside WriteAt and Sync.
  // False if there is nothing to write.
  [[nodiscard]] Result<bool> BeginCommit();
  [[nodiscard]] Result<void> Flush();
  void FinishCommit(const Result<void>& flushed);

  // True if something waits for a Commit; acknowledgements alone do not hurry.
  [[nodiscard]] bool has_records() const noexcept { return !pending_.empty(); }

  [[nodiscard]] bool has_changes() const noexcept { return has_records() || state_dirty_; }

  // The error of the last Commit, or kNone.
  [[nodiscard]] Error failure() const noexcept { return failure_; }

  // Committed records of a class with sequences from `from` on, in order (there may be gaps), until
  // `bytes_max` payload bytes are exceeded; at least one if there is one. Returns the sequence to
  // go on from. kCorrupt and disk errors.
  [[nodiscard]] Result<std::uint64_t> ReadCommitted(FactClass fact_class, std::uint64_t from,
                                                    std::size_t bytes_max, RecordVisitor& visitor);
  // The region has everything below `next`. Durable with a later Commit: to forget it in a crash
  // means to send again. kConflict if the epoch is not this journal's, kOutOfRange if `next` is
  // not durable yet. A lower value than before is ignored.
  [[nodiscard]] Result<void> Acknowledge(FactClass fact_class, std::uint64_t epoch,
                                         std::uint64_t next);
  [[nodiscard]] ClassCursor cursor(FactClass fact_class) const noexcept;

  // The checkpoint of the lease table, as of the lease sequence at BeginCheckpoint: every lease as
  // it is then or later. EndCheckpoint commits, syncs and renames; records before it are then let
  // go. An error ends the attempt; the checkpoint before stays.
  [[nodiscard]] Result<void> BeginCheckpoint();
  [[nodiscard]] Result<void> AddToCheckpoint(ByteSpan payload);
  [[nodiscard]] Result<void> EndCheckpoint();
  void AbortCheckpoint();
  // Lease records since the last checkpoint: above kLeasesMax / 2 one is due.
  [[nodiscard]] std::uint64_t records_since_checkpoint() const noexcept;

  // One bounded piece of background work: prepares the next segment file. Call after commits.
  void Maintain();

  // Records that are kept for the region or the next checkpoint.
  [[nodiscard]] std::size_t retained() const noexcept;

  [[nodiscard]] std::size_t segment_count() const noexcept { return segments_.size(); }

 private:
  // Where a retained record is.
  struct Entry {
    std::uint64_t sequence = 0;
    std::uint64_t key = 0;
    std::uint64_t segment = 0;  // number
    std::uint32_t offset = 0;   // of the record in the segment
    std::uint32_t payload_bytes = 0;
  };

  // A record in the buffer.
  struct Pending {
    FactClass fact_class = FactClass::kNone;
    bool moved = false;
    Entry entry;  // offset: in the buffer until it is written
  };

  struct Class {
    std::uint64_t epoch = 0;
    ClassState state;                // .next: appended
    std::uint64_t durable_next = 0;  // committed
    std::uint64_t superseded = 0;
    std::uint64_t supersede_from = 0;  // entries at which a pass is worth its cost again
    std::uint64_t bytes = 0;
    std::deque<Entry> entries;  // committed and retained, by sequence
  };

  struct Segment {
    std::uint64_t number = 0;
    std::uint64_t salt = 0;
    std::uint64_t end = 0;   // durable
    std::uint64_t live = 0;  // entries in it
    std::uint64_t live_bytes = 0;
    std::uint32_t slot = 0;
    FileId file = -1;

    void Hold(std::size_t payload_bytes) noexcept;
    void Forget(std::size_t payload_bytes) noexcept;
  };

  // A segment file. It is used again only when a header that does not list it is durable: until
  // then a crash may bring back an older header, which does.
  struct Slot {
    bool exists = false;
    bool used = false;
    std::uint64_t listed_in = 0;  // the newest header (attempted) that lists its segment
    FileId file = -1;
  };

  // A segment seen by Open.
  struct Found {
    SegmentHeader header;
    std::uint32_t slot = 0;
  };

  Journal(Disk& disk, Random& random, const JournalOptions& options);

  // open.cc
  [[nodiscard]] Result<void> Load(OpenReport& report);
  [[nodiscard]] Result<void> FindSlots();
  [[nodiscard]] Result<std::vector<Found>> ReadHeaders();
  [[nodiscard]] Result<void> ScanAll(const std::vector<Found>& found, OpenReport& report);
  // `room` takes the segment's bytes.
  [[nodiscard]] Result<void> ScanSegment(const Found& found, std::optional<std::uint64_t> end,
                                         MutableByteSpan room, OpenReport& report);
  [[nodiscard]] bool TakeRecord(const RecordView& record, Segment& segment, std::uint64_t offset);
  void Unprove(Segment& segment, ByteSpan bytes);
  void SyncDirectory();
  void RaiseState(const std::array<ClassState, kClasses>& seen);
  void SortEntries();
  [[nodiscard]] Result<void> CheckCheckpoint(OpenReport& report);
  [[nodiscard]] Result<void> ReplayCheckpoint(RecoveryVisitor* visitor, CheckpointHeader& header);

  // retention.cc
  void Retain(Class& of, FactClass fact_class);
  void Supersede(Class& of);
  void DropOldest(Class& of, const ClassLimits& limits);
  void Trim(Class& of, FactClass fact_class);
  void LetGo(Class& of, const Entry& entry);
  void FreeSegments();
  void QueueMoves();
  [[nodiscard]] std::vector<Pending> ChooseMoves(std::uint64_t from) const;

  // A piece of a segment that records are read from.
  struct Chunk {
    std::uint64_t segment = 0;
    std::uint64_t offset = 0;
    std::vector<std::byte> bytes;
  };

  [[nodiscard]] Segment* FindSegment(std::uint64_t number) noexcept;
  [[nodiscard]] Result<void> StartSegment();
  [[nodiscard]] Result<void> WriteHeader(FileId file, const SegmentHeader& header);
  [[nodiscard]] std::optional<std::uint32_t> FreeSlot() const noexcept;
  [[nodiscard]] std::optional<std::uint32_t> MissingSlot() const noexcept;
  [[nodiscard]] Result<std::uint32_t> TakeSlot();
  [[nodiscard]] Result<void> GrowSpare(std::uint64_t bytes_max);
  void DiscardSpare();
  void AddPending(const Pending& pending, ByteSpan payload);
  void Placed(const Pending& pending, Segment& segment, std::uint64_t base);
  [[nodiscard]] std::array<ClassState, kClasses> DurableState() const noexcept;
  [[nodiscard]] Result<ByteSpan> ReadRecord(const Entry& entry, Chunk& chunk);
  [[nodiscard]] Result<void> WriteCheckpointBuffer();

  Disk& disk_;
  Random& random_;
  const JournalOptions options_;
  std::array<Class, kClasses> classes_;
  std::deque<Segment> segments_;      // by number; the last may be the active one
  bool active_ = false;               // the last segment may be written to
  std::uint64_t durable_header_ = 0;  // the newest segment whose header is on disk
  // The header found by Open: it may be in the page cache only, so it is written again before the
  // first segment that relies on it.
  std::optional<SegmentHeader> unproven_header_;
  std::uint64_t proven_end_ = 0;  // of the segment being scanned: the last batch's durable_end
  std::uint64_t next_number_ = 1;
  std::vector<Slot> slots_;
  FileId spare_ = -1;  // "journal.tmp", filled up to spare_bytes_
  std::uint64_t spare_bytes_ = 0;

  // What Flush writes: it touches nothing else but the buffer.
  struct Flight {
    FileId file = -1;
    std::uint64_t offset = 0;
    std::size_t bytes = 0;
  };

  Flight flight_;
  std::vector<std::byte> buffer_;  // a batch record, then the pending records
  std::size_t buffer_used_ = kBatchRecordBytes;
  std::vector<Pending> pending_;
  bool state_dirty_ = false;
  Error failure_;

  struct Checkpoint {
    FileId file = -1;
    std::uint64_t sequence = 0;
    std::uint64_t offset = 0;  // written
    std::uint64_t synced = 0;
    std::uint64_t count = 0;
    std::vector<std::byte> buffer;
  };

  std::optional<Checkpoint> checkpoint_;
};

}  // namespace slipway::journal
