// The snapshot and the deltas after it, on disk: what a rack starts from when its region is away.
//
// Files in the state directory (docs/formats.md): `snapshot`, written whole and renamed; `deltas`,
// a log of checksummed frames, one per delta, each synced before it is acknowledged. A rewrite
// merges the two in the background, in bounded steps. Records are kept as the bytes that came, so
// that fields and tables of a newer region survive.
//
// Single-threaded: the link thread owns it. Errors of writing functions: those of the disk; what
// was durable before stays so, and the call may be made again. Bounded: a frame is at most
// kFrameBytesMax, a rewrite keeps the keys of the delta log in memory, and the log asks for a
// rewrite at kDeltaLogBytesDue.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "dataplane/base/bounded.h"
#include "dataplane/base/seams.h"
#include "dataplane/config/snapshot.h"

namespace slipway::config {

inline constexpr std::size_t kFrameBytesMax = std::size_t{2} << 20;
inline constexpr std::uint64_t kDeltaLogBytesDue = std::uint64_t{8} << 20;

// A record put, or removed.
struct RecordChange {
  std::uint8_t table = 0;
  RecordId id = 0;
  ByteSpan body;
  bool removed = false;
};

struct LoadReport {
  std::uint64_t records = 0;
  std::uint64_t deltas = 0;
  bool torn = false;  // an unfinished delta was cut off the end of the log
  FixedString<31> file;
  std::uint64_t offset = 0;
  FixedString<95> reason;
};

class SnapshotFile {
 public:
  // `disk` outlives this. Reads nothing.
  explicit SnapshotFile(Disk& disk);
  SnapshotFile(const SnapshotFile&) = delete;
  SnapshotFile& operator=(const SnapshotFile&) = delete;
  ~SnapshotFile();

  // The newest durable state. kNotFound: there is none. kCorrupt (with a report), kBadVersion: the
  // caller asks its region for a whole snapshot. REQUIRES: before anything else, once.
  [[nodiscard]] Result<SnapshotRef> Load(LoadReport& report);

  // What Load found may have been in the page cache only (a write whose sync failed, before the
  // process died). Writes it anew until it surely is on disk: until this succeeds, promise nothing
  // about it. Cheap when there is nothing to do.
  [[nodiscard]] Result<void> Prove();

  // A whole snapshot as it comes in: nothing replaces the old one before EndSnapshot, which is
  // durable on return. BeginSnapshot gives up one that was not ended. kClosed without
  // BeginSnapshot; kTooLarge.
  [[nodiscard]] Result<void> BeginSnapshot(Generation generation);
  [[nodiscard]] Result<void> AddChunk(std::span<const RecordChange> records);
  [[nodiscard]] Result<void> EndSnapshot(ContentHash hash);
  void AbandonSnapshot();

  // Durable on return. kConflict if `base` is not what is on disk; kTooLarge above kFrameBytesMax.
  [[nodiscard]] Result<void> AppendDelta(Generation base, Generation generation, ContentHash hash,
                                         std::span<const RecordChange> records);

  // What is on disk; (0, 0) is nothing.
  [[nodiscard]] Generation generation() const noexcept;

  // True if the delta log has grown enough to be merged, or a rewrite is under way.
  [[nodiscard]] bool rewrite_due() const noexcept;
  // About `bytes_max` of the merge; true when it is done. Deltas may be appended between steps. An
  // error ends the attempt and loses nothing.
  [[nodiscard]] Result<bool> RewriteStep(std::size_t bytes_max);

  [[nodiscard]] std::uint64_t delta_log_bytes() const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace slipway::config
