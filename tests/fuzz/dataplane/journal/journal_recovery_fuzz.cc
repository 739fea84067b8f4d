// Any bytes as a journal segment. The first byte chooses: even, the rest is the file as it is; odd,
// the rest is what follows a good header, with the checksums of its records made right. Opening it
// either fails with a reason or gives a journal that works.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/base/check.h"
#include "dataplane/base/random.h"
#include "dataplane/journal/journal.h"
#include "tests/support/memory_disk.h"

namespace {

using namespace slipway;  // NOLINT(google-build-using-namespace): a fuzz target

constexpr std::uint64_t kSalt = 42;

[[nodiscard]] std::vector<std::byte> Segment(ByteSpan records) {
  std::vector<std::byte> file(journal::kDataOffset);
  journal::SegmentHeader header{.number = 1, .salt = kSalt, .others = {}};
  header.epochs = {0, 1, 2, 3, 4};
  const std::span<std::byte, journal::kHeaderBytes> place(file.data(), journal::kHeaderBytes);
  journal::EncodeHeader(header, place);
  file.insert(file.end(), records.begin(), records.end());
  file.resize((file.size() + 7) & ~std::size_t{7});
  MutableByteSpan left = MutableByteSpan(file).subspan(journal::kDataOffset);
  while (left.size() >= journal::kRecordHeaderBytes) {
    const auto size = LoadLittle<std::uint32_t>(left.data() + 8) % 4096;
    StoreLittle(left.data() + 8, size);
    if (journal::RecordBytes(size) > left.size()) {
      break;
    }
    journal::SealRecord(left.first(journal::RecordBytes(size)), kSalt);
    left = left.subspan(journal::RecordBytes(size));
  }
  return file;
}

class Nothing final : public journal::RecoveryVisitor {
 public:
  void OnRecord(journal::FactClass, std::uint64_t, ByteSpan) override {}

  void OnCheckpointLease(ByteSpan) override {}
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0 || size > 65536) {
    return 0;
  }
  const ByteSpan input = std::as_bytes(std::span(data, size)).subspan(1);
  test::MemoryDisk disk(1);
  SeededRandom random(2);
  disk.SetContents("journal-00", data[0] % 2 == 0
                                     ? std::vector<std::byte>(input.begin(), input.end())
                                     : Segment(input));
  journal::JournalOptions options;
  options.segment_bytes = 128 << 10;
  options.buffer_bytes = 64 << 10;
  options.record_bytes_max = 8 << 10;
  options.segments_max = 4;
  journal::OpenReport report;
  auto opened = journal::Journal::Open(disk, random, options, report);
  if (!opened) {
    SLIP_CHECK(opened.error().code == ErrorCode::kCorrupt ||
               opened.error().code == ErrorCode::kBadVersion ||
               opened.error().code == ErrorCode::kMalformed);
    return 0;
  }
  journal::Journal& log = **opened;
  Nothing nothing;
  (void)log.Recover(nothing);
  (void)log.Append(journal::FactClass::kLease, 1,
                   input.first(std::min<std::size_t>(8, input.size())));
  (void)log.Commit();
  (void)log.ReadCommitted(journal::FactClass::kLease, 0, SIZE_MAX, nothing);
  return 0;
}
