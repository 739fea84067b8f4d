// Any bytes as a snapshot record: first the table, then the body. What is taken must be found, and
// removing it must bring the content hash back.
#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/base/check.h"
#include "dataplane/config/snapshot.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway;  // NOLINT(google-build-using-namespace): one function
  if (size == 0) {
    return 0;
  }
  const ByteSpan body = std::as_bytes(std::span(data, size)).subspan(1);
  config::SnapshotBuilder builder{config::SnapshotRef{}};
  const bool taken = builder.Put(data[0], 1, body).has_value();
  const config::SnapshotRef snapshot = builder.Finish({.epoch = 1, .number = 1});
  SLIP_CHECK(snapshot->record_count() == (taken ? 1U : 0U));
  for (const config::ImageRecord& image : snapshot->images()) {
    for (const config::ImageFile& file : image.files) {
      FixedString<130> name(image.name.view());
      (void)name.push_back('/');
      (void)name.Append(file.name);
      SLIP_CHECK(snapshot->FileByName(name).file != nullptr);
    }
  }
  config::SnapshotBuilder next(snapshot);
  SLIP_CHECK(next.Remove(data[0], 1).has_value() == taken);
  SLIP_CHECK(next.hash() == config::ContentHash{});
  return 0;
}
