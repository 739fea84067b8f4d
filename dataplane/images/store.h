// The rack's store of image contents: a directory of objects named by their SHA-256,
//   <directory>/sha256/<first 2 hex digits>/<64 hex digits>
// Objects are opened beneath one directory descriptor by digest only; no name from a packet or a
// configuration ever becomes a path.
#pragma once

#include <string_view>

#include "dataplane/base/bounded.h"
#include "dataplane/base/result.h"
#include "dataplane/config/records.h"

namespace slipway::images {

// A digest as lower-case hexadecimal.
[[nodiscard]] FixedString<64> HexOf(const config::Sha256& sha256) noexcept;

// Blocking: control and start-up threads only.
class ImageStore {
 public:
  // kNotFound: there is no such directory. Otherwise errors of the system.
  [[nodiscard]] static Result<ImageStore> Create(std::string_view directory);
  ImageStore(ImageStore&& other) noexcept;
  ImageStore& operator=(ImageStore&&) = delete;
  ~ImageStore();

  // A descriptor for reading, which the caller closes. kNotFound; kCorrupt if the size is not
  // `bytes` or it is not a regular file.
  [[nodiscard]] Result<int> Open(const config::Sha256& sha256, std::uint64_t bytes) const;

  // Reads the whole object: kBadChecksum if its content is not what its name says.
  [[nodiscard]] Result<void> Verify(const config::Sha256& sha256, std::uint64_t bytes) const;

 private:
  explicit ImageStore(int directory_fd) noexcept : directory_fd_(directory_fd) {}

  int directory_fd_ = -1;
};

}  // namespace slipway::images
