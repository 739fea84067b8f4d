// The frames of the snapshot file and of the delta log (docs/formats.md). Little-endian.
//
//   file   0  magic (8), version (8), epoch (8), number (8), checksum (8)
//   frame  0  checksum (8) of the rest, seeded with the frame's offset in the file
//          8  payload bytes (4), kind (4)
//          16 payload, a multiple of 8
//   record 0  table (1), removed (1), zero (2), body bytes (4), id (8), body, filled to 8
//
// Pure: bytes in, bytes out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "dataplane/base/cursor.h"
#include "dataplane/base/result.h"
#include "dataplane/config/snapshot.h"
#include "dataplane/config/snapshot_file.h"

namespace slipway::config {

inline constexpr std::uint64_t kSnapshotMagic = 0x3150'4E53'5049'4C53;  // "SLIPSNP1"
inline constexpr std::uint64_t kDeltaMagic = 0x3154'4C44'5049'4C53;     // "SLIPDLT1"
inline constexpr std::uint64_t kFileVersion = 1;
inline constexpr std::size_t kFileHeaderBytes = 40;
inline constexpr std::size_t kFrameHeaderBytes = 16;
inline constexpr std::size_t kRecordHeaderBytes = 16;

enum class FrameKind : std::uint32_t { kRecords = 1, kEnd = 2, kDelta = 3 };

struct Frame {
  FrameKind kind = FrameKind::kRecords;
  ByteSpan payload;
  std::size_t bytes = 0;  // with header
};

struct DeltaHeader {
  Generation base;
  Generation generation;
  ContentHash hash;
};

inline constexpr std::size_t kDeltaHeaderBytes = 48;
inline constexpr std::size_t kEndBytes = 24;  // hash, record count

[[nodiscard]] std::uint64_t FileChecksum(ByteSpan bytes, std::uint64_t seed) noexcept;

void AppendU64(std::vector<std::byte>& to, std::uint64_t value);
void AppendFileHeader(std::vector<std::byte>& to, std::uint64_t magic, Generation generation);
// kTruncated, kBadChecksum, kBadVersion.
[[nodiscard]] Result<Generation> ReadFileHeader(ByteSpan bytes, std::uint64_t magic);
void AppendRecord(std::vector<std::byte>& to, const RecordChange& record);
// Takes one record off the front. kMalformed.
[[nodiscard]] Result<RecordChange> TakeRecord(ByteSpan& left);
// Opens a frame; CloseFrame fills in its header. Returns where it begins in `to`.
[[nodiscard]] std::size_t OpenFrame(std::vector<std::byte>& to);
void CloseFrame(std::vector<std::byte>& to, std::size_t begin, FrameKind kind,
                std::uint64_t file_offset);
// The frame at the start of `bytes`, which is at `file_offset`. kTruncated, kTooLarge,
// kBadChecksum.
[[nodiscard]] Result<Frame> ReadFrame(ByteSpan bytes, std::uint64_t file_offset);
void AppendDeltaHeader(std::vector<std::byte>& to, const DeltaHeader& header);
// Takes the header off the front. kMalformed.
[[nodiscard]] Result<DeltaHeader> TakeDeltaHeader(ByteSpan& left);

}  // namespace slipway::config
