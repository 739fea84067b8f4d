// Any bytes as the delta log behind a good snapshot. The first byte chooses: even, the rest is the
// file as it is; odd, the rest is the payload of one well-sealed delta frame.
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/base/check.h"
#include "dataplane/config/frames.h"
#include "dataplane/config/snapshot_file.h"
#include "tests/support/memory_disk.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway;  // NOLINT(google-build-using-namespace): one function
  if (size == 0 || size > 65536) {
    return 0;
  }
  test::MemoryDisk disk(1);
  config::SnapshotFile writer(disk);
  const config::Generation generation{.epoch = 1, .number = 1};
  SLIP_CHECK(writer.BeginSnapshot(generation).has_value());
  SLIP_CHECK(writer.EndSnapshot({}).has_value());
  const ByteSpan input = std::as_bytes(std::span(data, size)).subspan(1);
  std::vector<std::byte> log;
  if (data[0] % 2 == 0) {
    log.assign(input.begin(), input.end());
  } else {
    config::AppendFileHeader(log, config::kDeltaMagic, {});
    const std::size_t begin = config::OpenFrame(log);
    config::AppendU64(log, generation.epoch);
    config::AppendU64(log, generation.number);
    log.insert(log.end(), input.begin(), input.end());
    log.resize((log.size() + 7) & ~std::size_t{7});
    config::CloseFrame(log, begin, config::FrameKind::kDelta, begin);
  }
  disk.SetContents("deltas", log);
  config::SnapshotFile file(disk);
  config::LoadReport report;
  const auto loaded = file.Load(report);
  if (loaded) {
    SLIP_CHECK((*loaded)->generation() == file.generation());
    SLIP_CHECK(file.AppendDelta(file.generation(), {.epoch = 1, .number = 9}, (*loaded)->hash(), {})
                   .has_value());
    config::SnapshotFile again(disk);
    config::LoadReport second;
    SLIP_CHECK(again.Load(second).has_value());
  } else {
    SLIP_CHECK(loaded.error().code == ErrorCode::kCorrupt ||
               loaded.error().code == ErrorCode::kBadVersion);
  }
  return 0;
}
