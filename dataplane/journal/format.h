// The bytes of journal segments and checkpoints (docs/formats.md). All numbers little-endian.
//
//   segment    0     header, 2048 bytes
//              4096  the same header again
//              8192  batches, one after the other; the first record of each is a batch record
//   record     0  checksum (8)   of bytes 8.. with the segment's salt as seed
//              8  payload bytes (4)
//              12 class (1), flags (1), zero (2)
//              16 sequence (8)
//              24 key (8)
//              32 payload, zero-filled to a multiple of 8
//
// Pure: bytes in, bytes out.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/base/bounded.h"
#include "dataplane/base/cursor.h"
#include "dataplane/base/result.h"

namespace slipway::journal {

// As FactClass in schemas/facts.fbs. kNone is the journal's own: batch records.
enum class FactClass : std::uint8_t {
  kNone = 0,
  kLease = 1,
  kInventory = 2,
  kBootStep = 3,
  kEvent = 4
};

inline constexpr std::size_t kClasses = 5;

[[nodiscard]] constexpr std::size_t Index(FactClass fact_class) noexcept {
  return static_cast<std::size_t>(fact_class);
}

inline constexpr std::uint32_t kFormatVersion = 1;
inline constexpr std::size_t kHeaderBytes = 2048;
inline constexpr std::uint32_t kSegmentsMax = 48;
inline constexpr std::uint64_t kSecondHeaderOffset = 4096;
inline constexpr std::uint64_t kDataOffset = 8192;
inline constexpr std::size_t kRecordHeaderBytes = 32;

// The record is a copy of one in an older segment, with its old sequence.
inline constexpr std::uint8_t kFlagMoved = 1;

// What is known of a class besides its records.
struct ClassState {
  std::uint64_t next = 0;          // the sequence of the next record
  std::uint64_t acknowledged = 0;  // the region has all below
  std::uint64_t checkpoint = 0;    // the checkpoint file has all below (leases)
  std::uint64_t dropped = 0;       // records lost to a cap, ever

  friend bool operator==(const ClassState&, const ClassState&) = default;
};

// A segment that still holds something, and where its records end.
struct SegmentEnd {
  std::uint64_t number = 0;
  std::uint64_t end = 0;

  friend bool operator==(const SegmentEnd&, const SegmentEnd&) = default;
};

// The header of the newest segment says which other segments count, and how far: whatever else is
// in the directory is left over.
struct SegmentHeader {
  std::uint64_t number = 0;
  std::uint64_t salt = 0;
  FixedVector<SegmentEnd, kSegmentsMax> others;
  std::array<std::uint64_t, kClasses> epochs{};
  std::array<ClassState, kClasses> classes{};
};

void EncodeHeader(const SegmentHeader& header, std::span<std::byte, kHeaderBytes> out) noexcept;
// kBadChecksum, kBadVersion.
[[nodiscard]] Result<SegmentHeader> DecodeHeader(std::span<const std::byte, kHeaderBytes> bytes);

// The first record of each batch: class kNone.
struct BatchRecord {
  std::uint64_t durable_end = 0;  // everything before was on disk when this batch was written
  std::array<ClassState, kClasses> classes{};
};

inline constexpr std::size_t kBatchPayloadBytes = 8 + kClasses * 32;
inline constexpr std::size_t kBatchRecordBytes = kRecordHeaderBytes + kBatchPayloadBytes;

struct RecordHeader {
  std::uint32_t payload_bytes = 0;
  FactClass fact_class = FactClass::kNone;
  std::uint8_t flags = 0;
  std::uint64_t sequence = 0;
  std::uint64_t key = 0;
};

struct RecordView {
  RecordHeader header;
  ByteSpan payload;
};

// Header, payload and filling.
[[nodiscard]] constexpr std::size_t RecordBytes(std::size_t payload_bytes) noexcept {
  return kRecordHeaderBytes + ((payload_bytes + 7) & ~std::size_t{7});
}

// Writes everything but the checksum. REQUIRES: out.size() == RecordBytes(payload.size()), and
// header.payload_bytes == payload.size().
void EncodeRecord(const RecordHeader& header, ByteSpan payload, MutableByteSpan out) noexcept;
// Writes the checksum. REQUIRES: `record` is a whole record.
void SealRecord(MutableByteSpan record, std::uint64_t salt) noexcept;
// Seals all records of a run of whole records.
void SealRecords(MutableByteSpan records, std::uint64_t salt) noexcept;
// The record at the start of `bytes`. kTruncated (also where zeros begin), kMalformed,
// kBadChecksum.
[[nodiscard]] Result<RecordView> DecodeRecord(ByteSpan bytes, std::uint64_t salt);

void EncodeBatch(const BatchRecord& batch, std::span<std::byte, kBatchPayloadBytes> out) noexcept;
[[nodiscard]] Result<BatchRecord> DecodeBatch(ByteSpan payload);

// Checkpoint file: header, then per lease a frame (checksum, payload bytes, payload), then a frame
// with kCheckpointEndSize as its size and the count as payload.
inline constexpr std::size_t kCheckpointHeaderBytes = 40;
inline constexpr std::size_t kFrameHeaderBytes = 16;
inline constexpr std::uint32_t kCheckpointEndSize = 0xFFFF'FFFF;

struct CheckpointHeader {
  std::uint64_t epoch = 0;     // of the lease class
  std::uint64_t sequence = 0;  // leases as of this next sequence
};

void EncodeCheckpointHeader(const CheckpointHeader& header,
                            std::span<std::byte, kCheckpointHeaderBytes> out) noexcept;
[[nodiscard]] Result<CheckpointHeader> DecodeCheckpointHeader(ByteSpan bytes);

// The checksum of everything in our files: 64 bits of XXH3.
[[nodiscard]] std::uint64_t Checksum(ByteSpan bytes, std::uint64_t seed) noexcept;

}  // namespace slipway::journal
