#include "dataplane/config/frames.h"

#include <array>

#include "dataplane/base/check.h"
#include "dataplane/config/limits.h"

namespace slipway::config {

void AppendU64(std::vector<std::byte>& to, std::uint64_t value) {
  std::array<std::byte, 8> bytes{};
  StoreLittle(bytes.data(), value);
  to.insert(to.end(), bytes.begin(), bytes.end());
}

void AppendFileHeader(std::vector<std::byte>& to, std::uint64_t magic, Generation generation) {
  SLIP_CHECK(to.empty());
  AppendU64(to, magic);
  AppendU64(to, kFileVersion);
  AppendU64(to, generation.epoch);
  AppendU64(to, generation.number);
  AppendU64(to, FileChecksum(to, magic));
}

Result<Generation> ReadFileHeader(ByteSpan bytes, std::uint64_t magic) {
  if (bytes.size() < kFileHeaderBytes) {
    return Fail(ErrorCode::kTruncated);
  }
  const auto field = [&bytes](std::size_t i) {
    return LoadLittle<std::uint64_t>(bytes.data() + 8 * i);
  };
  if (field(0) != magic || field(4) != FileChecksum(bytes.first(32), magic)) {
    return Fail(ErrorCode::kBadChecksum);
  }
  if (field(1) != kFileVersion) {
    return Fail(ErrorCode::kBadVersion, static_cast<std::uint32_t>(field(1)));
  }
  return Generation{.epoch = field(2), .number = field(3)};
}

void AppendRecord(std::vector<std::byte>& to, const RecordChange& record) {
  std::array<std::byte, kRecordHeaderBytes> header{};
  header[0] = static_cast<std::byte>(record.table);
  header[1] = static_cast<std::byte>(record.removed ? 1 : 0);
  StoreLittle(header.data() + 4, static_cast<std::uint32_t>(record.body.size()));
  StoreLittle(header.data() + 8, record.id);
  to.insert(to.end(), header.begin(), header.end());
  to.insert(to.end(), record.body.begin(), record.body.end());
  to.resize((to.size() + 7) & ~std::size_t{7});
}

Result<RecordChange> TakeRecord(ByteSpan& left) {
  if (left.size() < kRecordHeaderBytes) {
    return Fail(ErrorCode::kMalformed);
  }
  RecordChange record;
  record.table = std::to_integer<std::uint8_t>(left[0]);
  record.removed = left[1] != std::byte{0};
  record.id = LoadLittle<std::uint64_t>(left.data() + 8);
  const std::size_t size = LoadLittle<std::uint32_t>(left.data() + 4);
  const std::size_t filled = (size + 7) & ~std::size_t{7};
  if (filled > left.size() - kRecordHeaderBytes) {
    return Fail(ErrorCode::kMalformed);
  }
  record.body = left.subspan(kRecordHeaderBytes, size);
  left = left.subspan(kRecordHeaderBytes + filled);
  return record;
}

std::size_t OpenFrame(std::vector<std::byte>& to) {
  const std::size_t begin = to.size();
  SLIP_CHECK(begin % 8 == 0);
  to.resize(begin + kFrameHeaderBytes);
  return begin;
}

void CloseFrame(std::vector<std::byte>& to, std::size_t begin, FrameKind kind,
                std::uint64_t file_offset) {
  SLIP_CHECK(to.size() >= begin + kFrameHeaderBytes);
  const std::size_t size = to.size() - begin - kFrameHeaderBytes;
  SLIP_CHECK(size % 8 == 0 && size <= kFrameBytesMax);
  StoreLittle(to.data() + begin + 8, static_cast<std::uint32_t>(size));
  StoreLittle(to.data() + begin + 12, static_cast<std::uint32_t>(kind));
  StoreLittle(to.data() + begin, FileChecksum(ByteSpan(to).subspan(begin + 8), file_offset));
}

Result<Frame> ReadFrame(ByteSpan bytes, std::uint64_t file_offset) {
  if (bytes.size() < kFrameHeaderBytes) {
    return Fail(ErrorCode::kTruncated);
  }
  const std::size_t size = LoadLittle<std::uint32_t>(bytes.data() + 8);
  if (size > kFrameBytesMax || size % 8 != 0) {
    return Fail(ErrorCode::kTooLarge);
  }
  if (size > bytes.size() - kFrameHeaderBytes) {
    return Fail(ErrorCode::kTruncated);
  }
  const ByteSpan checked = bytes.subspan(8, 8 + size);
  if (LoadLittle<std::uint64_t>(bytes.data()) != FileChecksum(checked, file_offset)) {
    return Fail(ErrorCode::kBadChecksum);
  }
  return Frame{.kind = static_cast<FrameKind>(LoadLittle<std::uint32_t>(bytes.data() + 12)),
               .payload = bytes.subspan(kFrameHeaderBytes, size),
               .bytes = kFrameHeaderBytes + size};
}

void AppendDeltaHeader(std::vector<std::byte>& to, const DeltaHeader& header) {
  AppendU64(to, header.base.epoch);
  AppendU64(to, header.base.number);
  AppendU64(to, header.generation.epoch);
  AppendU64(to, header.generation.number);
  AppendU64(to, header.hash.low);
  AppendU64(to, header.hash.high);
}

Result<DeltaHeader> TakeDeltaHeader(ByteSpan& left) {
  if (left.size() < kDeltaHeaderBytes) {
    return Fail(ErrorCode::kMalformed);
  }
  const auto field = [&left](std::size_t i) {
    return LoadLittle<std::uint64_t>(left.data() + 8 * i);
  };
  const DeltaHeader header{.base = {.epoch = field(0), .number = field(1)},
                           .generation = {.epoch = field(2), .number = field(3)},
                           .hash = {.low = field(4), .high = field(5)}};
  left = left.subspan(kDeltaHeaderBytes);
  return header;
}

}  // namespace slipway::config
