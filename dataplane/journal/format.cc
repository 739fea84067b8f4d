#include "dataplane/journal/format.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>

#include "dataplane/base/check.h"

namespace slipway::journal {
namespace {

inline constexpr std::uint64_t kSegmentMagic = 0x314E'524A'5049'4C53;     // "SLIPJRN1"
inline constexpr std::uint64_t kCheckpointMagic = 0x3150'4B43'5049'4C53;  // "SLIPCKP1"
inline constexpr std::uint64_t kHeaderSeed = 0x6865'6164'6572;

// Little-endian writer and reader over memory that is known to be large enough.
class Put {
 public:
  explicit Put(std::byte* to) noexcept : to_(to) {}

  void U64(std::uint64_t value) noexcept {
    StoreLittle(to_, value);
    to_ += sizeof(value);
  }

  void U32(std::uint32_t value) noexcept {
    StoreLittle(to_, value);
    to_ += sizeof(value);
  }

  void State(const ClassState& state) noexcept {
    U64(state.next);
    U64(state.acknowledged);
    U64(state.checkpoint);
    U64(state.dropped);
  }

 private:
  std::byte* to_;
};

class Get {
 public:
  explicit Get(const std::byte* from) noexcept : from_(from) {}

  [[nodiscard]] std::uint64_t U64() noexcept {
    const auto value = LoadLittle<std::uint64_t>(from_);
    from_ += sizeof(value);
    return value;
  }

  [[nodiscard]] std::uint32_t U32() noexcept {
    const auto value = LoadLittle<std::uint32_t>(from_);
    from_ += sizeof(value);
    return value;
  }

  [[nodiscard]] ClassState State() noexcept {
    ClassState state;
    state.next = U64();
    state.acknowledged = U64();
    state.checkpoint = U64();
    state.dropped = U64();
    return state;
  }

 private:
  const std::byte* from_;
};

inline constexpr std::size_t kHeaderFieldBytes =
    8 + 8 + 8 * 3 + kClasses * (8 + 32) + kSegmentsMax * 16;
static_assert(kHeaderFieldBytes + 8 <= kHeaderBytes);

}  // namespace

std::uint64_t Checksum(ByteSpan bytes, std::uint64_t seed) noexcept {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

void EncodeHeader(const SegmentHeader& header, std::span<std::byte, kHeaderBytes> out) noexcept {
  std::fill(out.begin(), out.end(), std::byte{0});
  Put put(out.data());
  put.U64(kSegmentMagic);
  put.U32(kFormatVersion);
  put.U32(kClasses);
  put.U64(header.number);
  put.U64(header.salt);
  for (std::size_t i = 0; i < kClasses; ++i) {
    put.U64(header.epochs[i]);
    put.State(header.classes[i]);
  }
  put.U64(header.others.size());
  for (const SegmentEnd& other : header.others) {
    put.U64(other.number);
    put.U64(other.end);
  }
  StoreLittle(out.data() + kHeaderBytes - 8, Checksum(out.first(kHeaderBytes - 8), kHeaderSeed));
}

Result<SegmentHeader> DecodeHeader(std::span<const std::byte, kHeaderBytes> bytes) {
  const auto checksum = LoadLittle<std::uint64_t>(bytes.data() + kHeaderBytes - 8);
  Get get(bytes.data());
  const bool magic = get.U64() == kSegmentMagic;
  if (!magic || checksum != Checksum(bytes.first(kHeaderBytes - 8), kHeaderSeed)) {
    return Fail(ErrorCode::kBadChecksum);
  }
  const std::uint32_t version = get.U32();
  if (version != kFormatVersion || get.U32() != kClasses) {
    return Fail(ErrorCode::kBadVersion, version);
  }
  SegmentHeader header;
  header.number = get.U64();
  header.salt = get.U64();
  for (std::size_t i = 0; i < kClasses; ++i) {
    header.epochs[i] = get.U64();
    header.classes[i] = get.State();
  }
  const std::uint64_t others = get.U64();
  if (others > kSegmentsMax) {
    return Fail(ErrorCode::kMalformed);
  }
  for (std::uint64_t i = 0; i < others; ++i) {
    SegmentEnd other;
    other.number = get.U64();
    other.end = get.U64();
    SLIP_CHECK(header.others.push_back(other));
  }
  return header;
}

void EncodeRecord(const RecordHeader& header, ByteSpan payload, MutableByteSpan out) noexcept {
  SLIP_CHECK(header.payload_bytes == payload.size());
  SLIP_CHECK(out.size() == RecordBytes(payload.size()));
  StoreLittle(out.data(), std::uint64_t{0});
  StoreLittle(out.data() + 8, header.payload_bytes);
  out[12] = static_cast<std::byte>(header.fact_class);
  out[13] = static_cast<std::byte>(header.flags);
  out[14] = std::byte{0};
  out[15] = std::byte{0};
  StoreLittle(out.data() + 16, header.sequence);
  StoreLittle(out.data() + 24, header.key);
  const auto end = std::copy(payload.begin(), payload.end(), out.begin() + kRecordHeaderBytes);
  std::fill(end, out.end(), std::byte{0});
}

void SealRecord(MutableByteSpan record, std::uint64_t salt) noexcept {
  SLIP_CHECK(record.size() >= kRecordHeaderBytes);
  StoreLittle(record.data(), Checksum(record.subspan(8), salt));
}

void SealRecords(MutableByteSpan records, std::uint64_t salt) noexcept {
  while (!records.empty()) {
    SLIP_CHECK(records.size() >= kRecordHeaderBytes);
    const std::size_t size = RecordBytes(LoadLittle<std::uint32_t>(records.data() + 8));
    SLIP_CHECK(size <= records.size());
    SealRecord(records.first(size), salt);
    records = records.subspan(size);
  }
}

Result<RecordView> DecodeRecord(ByteSpan bytes, std::uint64_t salt) {
  if (bytes.size() < kRecordHeaderBytes) {
    return Fail(ErrorCode::kTruncated);
  }
  const auto checksum = LoadLittle<std::uint64_t>(bytes.data());
  RecordView record;
  record.header.payload_bytes = LoadLittle<std::uint32_t>(bytes.data() + 8);
  const auto fact_class = std::to_integer<std::uint8_t>(bytes[12]);
  record.header.flags = std::to_integer<std::uint8_t>(bytes[13]);
  record.header.sequence = LoadLittle<std::uint64_t>(bytes.data() + 16);
  record.header.key = LoadLittle<std::uint64_t>(bytes.data() + 24);
  if (checksum == 0 && record.header.payload_bytes == 0) {
    return Fail(ErrorCode::kTruncated);
  }
  const std::size_t size = RecordBytes(record.header.payload_bytes);
  if (size > bytes.size()) {
    return Fail(ErrorCode::kMalformed);
  }
  if (checksum != Checksum(bytes.subspan(8, size - 8), salt)) {
    return Fail(ErrorCode::kBadChecksum);
  }
  if (fact_class >= kClasses) {
    return Fail(ErrorCode::kMalformed);
  }
  record.header.fact_class = static_cast<FactClass>(fact_class);
  record.payload = bytes.subspan(kRecordHeaderBytes, record.header.payload_bytes);
  return record;
}

void EncodeBatch(const BatchRecord& batch, std::span<std::byte, kBatchPayloadBytes> out) noexcept {
  Put put(out.data());
  put.U64(batch.durable_end);
  for (const ClassState& state : batch.classes) {
    put.State(state);
  }
}

Result<BatchRecord> DecodeBatch(ByteSpan payload) {
  if (payload.size() != kBatchPayloadBytes) {
    return Fail(ErrorCode::kMalformed, static_cast<std::uint32_t>(payload.size()));
  }
  Get get(payload.data());
  BatchRecord batch;
  batch.durable_end = get.U64();
  for (ClassState& state : batch.classes) {
    state = get.State();
  }
  return batch;
}

void EncodeCheckpointHeader(const CheckpointHeader& header,
                            std::span<std::byte, kCheckpointHeaderBytes> out) noexcept {
  Put put(out.data());
  put.U64(kCheckpointMagic);
  put.U64(kFormatVersion);
  put.U64(header.epoch);
  put.U64(header.sequence);
  put.U64(Checksum(out.first(kCheckpointHeaderBytes - 8), kHeaderSeed));
}

Result<CheckpointHeader> DecodeCheckpointHeader(ByteSpan bytes) {
  if (bytes.size() < kCheckpointHeaderBytes) {
    return Fail(ErrorCode::kTruncated);
  }
  Get get(bytes.data());
  const bool magic = get.U64() == kCheckpointMagic;
  const std::uint64_t version = get.U64();
  const CheckpointHeader header{.epoch = get.U64(), .sequence = get.U64()};
  if (!magic || get.U64() != Checksum(bytes.first(kCheckpointHeaderBytes - 8), kHeaderSeed)) {
    return Fail(ErrorCode::kBadChecksum);
  }
  if (version != kFormatVersion) {
    return Fail(ErrorCode::kBadVersion, static_cast<std::uint32_t>(version));
  }
  return header;
}

}  // namespace slipway::journal
