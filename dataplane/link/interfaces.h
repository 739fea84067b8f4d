// What the two ends of the control link ask of their owners. The cores (rack_core.h, region_core.h)
// call these on the thread that drives them: the link thread of an end, or the simulator.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/base/cursor.h"
#include "dataplane/base/result.h"
#include "dataplane/base/time.h"
#include "dataplane/config/snapshot.h"
#include "dataplane/link/keys.h"

namespace slipway::link {

using RackId = std::uint64_t;   // the region's entity id; 0: none
using TokenId = std::uint64_t;  // of a join token; 0: none

// As in schemas/facts.fbs.
enum class FactClass : std::uint8_t { kLease = 1, kInventory = 2, kBootStep = 3, kEvent = 4 };

inline constexpr std::array<FactClass, 4> kFactClasses = {FactClass::kLease, FactClass::kInventory,
                                                          FactClass::kBootStep, FactClass::kEvent};

// One record of a snapshot or delta. Views: valid during the call only. `body` may be unaligned.
struct RecordView {
  std::uint8_t table = 0;  // schemas/config.fbs RecordTable
  std::uint64_t id = 0;
  ByteSpan body;
  bool removed = false;  // deltas only; the body is empty then
};

struct GenerationState {
  config::Generation generation;  // (0,0): nothing
  config::ContentHash hash;

  friend bool operator==(const GenerationState&, const GenerationState&) = default;
};

// One network interface of a rack, as it reports it.
struct InterfaceInfo {
  std::string name;
  std::uint32_t index = 0;
  std::uint64_t mac = 0;
  std::uint16_t vlan_id = 0;  // 0: not a VLAN device
  std::string parent;         // of a VLAN device
  bool up = false;
  std::vector<std::string> addresses;  // prefixes as text

  friend bool operator==(const InterfaceInfo&, const InterfaceInfo&) = default;
};

// ---- rack ----

// Takes snapshots and deltas. After an error the sink forgets what was begun and keeps what it had;
// the link then asks for a whole snapshot.
class SnapshotSink {
 public:
  virtual ~SnapshotSink() = default;

  // Durable here and live on all shards.
  [[nodiscard]] virtual GenerationState Live() = 0;
  // The newest generation taken by End or ApplyDelta; it may not be durable or live yet.
  [[nodiscard]] virtual GenerationState Tip() = 0;

  // Begins a generation in chunks, forgetting any that was begun before. `base` (0,0): from
  // nothing; otherwise the chunks are a delta on Tip(): kConflict if `base` is not Tip()'s.
  [[nodiscard]] virtual Result<void> Begin(config::Generation base, config::Generation generation,
                                           std::uint64_t records) = 0;
  [[nodiscard]] virtual Result<void> Chunk(std::span<const RecordView> records) = 0;
  // Checks the content hash (kBadChecksum), makes it Tip(), and begins to make it durable and live.
  [[nodiscard]] virtual Result<void> End(config::Generation generation,
                                         config::ContentHash hash) = 0;
  // A delta in one message; errors as above.
  [[nodiscard]] virtual Result<void> ApplyDelta(config::Generation base,
                                                config::Generation generation,
                                                config::ContentHash hash,
                                                std::span<const RecordView> records) = 0;
  // The connection is gone or a resync begins: forget what was begun and not ended.
  virtual void Abandon() = 0;
};

struct FactCursor {
  std::uint64_t epoch = 0;  // 0: nothing was ever stored or written
  std::uint64_t next = 1;   // the sequence that comes next; sequences start at 1

  friend bool operator==(const FactCursor&, const FactCursor&) = default;
};

// Consecutive records of one class, or a part of the class's table.
struct FactBatch {
  FactClass fact_class = FactClass::kLease;
  std::uint64_t epoch = 0;
  std::uint64_t first = 0;    // sequence of records[0]
  std::uint64_t dropped = 0;  // records directly before `first` that the rack had to drop
  // Not 0: the records are the class's state as of this sequence (log position), in parts; `first`
  // and `dropped` mean nothing. After the last part the cursor is table_as_of + 1.
  std::uint64_t table_as_of = 0;
  std::uint32_t table_part = 0;  // from 1; the source leaves it to the link
  bool table_last = false;
  std::vector<ByteSpan> records;  // views: valid during the call (region) or until the next Peek
};

// The rack's outbox: what the journal has committed.
class FactSource {
 public:
  virtual ~FactSource() = default;
  // The journal's own epoch and the sequence that its next record of the class will get.
  [[nodiscard]] virtual FactCursor End(FactClass fact_class) = 0;
  // Fills `out` (cleared before) with records from `from` on, about `bytes_max` bytes of payload
  // and at most kFactsPerMessageMax; at least one record if there is any, of at most
  // kFactBytesMax. Leaves it empty if there is none. If `from` is gone: for bounded classes starts
  // at the oldest record left, with `dropped`; for leases gives a part of the table, beginning
  // after the `table_position` parts given before. The views live until the next call.
  virtual void Peek(FactClass fact_class, std::uint64_t from, std::uint64_t table_position,
                    std::size_t bytes_max, FactBatch& out) = 0;
  // The region has committed all below `next`: they may be dropped.
  virtual void Committed(FactClass fact_class, FactCursor cursor) = 0;
  // The region has more of this epoch than the journal ever wrote (the journal lost its tail):
  // start a new epoch, so that nothing new is taken for a duplicate. End() tells it afterwards.
  virtual void StartNewEpoch(FactClass fact_class) = 0;
};

// ---- region ----

// Takes records of a chunk. False: it does not fit; the same record comes first in the next chunk.
class RecordWriter {
 public:
  virtual ~RecordWriter() = default;
  [[nodiscard]] virtual bool Add(const RecordView& record) = 0;
};

// One generation on its way to one rack: it never changes while it is read, whatever is published
// meanwhile. Read once, from front to back.
class SnapshotStream {
 public:
  virtual ~SnapshotStream() = default;
  [[nodiscard]] virtual GenerationState target() const = 0;
  // (0,0): the whole.
  [[nodiscard]] virtual config::Generation base() const = 0;
  [[nodiscard]] virtual std::uint64_t records() const = 0;
  // Sum of the bodies' sizes: decides between one Delta and chunks.
  [[nodiscard]] virtual std::uint64_t bytes() const = 0;
  // Adds records until the writer is full or all are given. False: nothing is left.
  [[nodiscard]] virtual bool Next(RecordWriter& writer) = 0;
};

// What each rack is to serve. Called on the link thread; must not block on a disk.
class SnapshotSource {
 public:
  virtual ~SnapshotSource() = default;
  [[nodiscard]] virtual GenerationState Current(RackId rack) = 0;
  // Null while there is nothing to send yet.
  [[nodiscard]] virtual std::unique_ptr<SnapshotStream> OpenSnapshot(RackId rack) = 0;
  // Null if `base` is unknown or too old, or its hash differs: a whole snapshot follows.
  [[nodiscard]] virtual std::unique_ptr<SnapshotStream> OpenDelta(RackId rack,
                                                                  const GenerationState& base) = 0;
};

// The result is the cursor after the commit. Callable once, from any thread.
using CommitDone = std::move_only_function<void(Result<FactCursor>)>;

class FactSink {
 public:
  virtual ~FactSink() = default;
  // What is committed for the rack.
  [[nodiscard]] virtual FactCursor Cursor(RackId rack, FactClass fact_class) = 0;
  // Stores records and cursor in one transaction, durable before `done` runs. Batches of a rack and
  // class are applied in the order of the calls. kConflict: a batch before this one, or a part of
  // the table before this one, failed; the rack sends them all again. Records below the stored
  // cursor of the same epoch are skipped (a connection may have been replaced while a commit was
  // under way); another epoch replaces the cursor. The batch's views are copied before Commit
  // returns.
  virtual void Commit(RackId rack, const FactBatch& batch, CommitDone done) = 0;
};

enum class PeerKind : std::uint8_t {
  kUnknown,
  kRack,
  kRevoked,  // a rack that was removed or revoked
  kToken,    // unused and unexpired
  kTokenUsed,
  kTokenExpired,
};

struct PeerStatus {
  PeerKind kind = PeerKind::kUnknown;
  std::uint64_t id = 0;  // RackId or TokenId
};

struct TokenRecord {
  TokenId id = 0;
  PublicKey key;  // of the one-time pair: the secret half is in the token only
  WallTime expires;
  bool used = false;
  RackId rack = 0;  // that used it
};

using EnrolDone = std::move_only_function<void(Result<RackId>)>;
using StoreDone = std::move_only_function<void(Result<void>)>;

// Who may connect. The look-ups run on the link thread, for each handshake and each message: from
// memory, without blocking. The changes are durable before `done` runs (any thread).
class RackDirectory {
 public:
  virtual ~RackDirectory() = default;
  [[nodiscard]] virtual PeerStatus StatusOfKey(const PublicKey& key, WallTime now) = 0;
  [[nodiscard]] virtual PeerStatus StatusOfRack(RackId rack) = 0;
  [[nodiscard]] virtual PeerStatus StatusOfToken(TokenId token, WallTime now) = 0;
  // Registers the rack's own key and marks the token used, in one commit. The same token with the
  // same key again gives the same rack (the answer was lost). Errors: kExpired, kConflict (token
  // used by another key), kExists (the name or key belongs to another rack), kNotFound.
  virtual void EnrolRack(TokenId token, std::string_view name, const PublicKey& key, WallTime now,
                         EnrolDone done) = 0;
  virtual void AddToken(const TokenRecord& token, StoreDone done) = 0;
};

// What the region learns about its racks. Called on the link thread; must not block.
class RackObserver {
 public:
  virtual ~RackObserver() = default;
  virtual void OnRackUp(RackId rack, std::string_view software, std::uint64_t boot_id) = 0;
  virtual void OnRackDown(RackId rack, std::string_view reason) = 0;
  virtual void OnInterfaces(RackId rack, std::span<const InterfaceInfo> interfaces) = 0;
  // Durable on the rack and live on all its shards.
  virtual void OnGenerationLive(RackId rack, const GenerationState& live) = 0;
};

}  // namespace slipway::link
