// The region's side of the content-addressed image store: `<directory>/sha256/<2 hex>/<64 hex>`,
// the format that racks read (dataplane/images). An object is complete under its name or not there.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "dataplane/base/result.h"

namespace slipway::images {

inline constexpr std::uint64_t kObjectBytesMax = std::uint64_t{64} << 30;

struct StoredObject {
  std::array<std::byte, 32> sha256{};
  std::uint64_t bytes = 0;
};

// Why a file was not taken: one line for people, with what to do.
struct ImportFailure {
  Error error;
  std::string reason;
};

// Copies the file at the absolute `path` into the store: hashed while it is copied to a temporary
// file, fsync, rename, fsync of the directory. A file that is there already is not written again.
// Refused: what is not a regular file, what not everybody may read (its contents will be served to
// any machine), empty files, and files that change while they are read. Blocking: not for an event
// loop. Thread-safe.
[[nodiscard]] std::expected<StoredObject, ImportFailure> ImportFile(const std::string& directory,
                                                                    const std::string& path);

// Lower-case hex.
[[nodiscard]] std::string HexOf(const std::array<std::byte, 32>& digest);
// "<directory>/sha256/ab/abcd..."
[[nodiscard]] std::string ObjectPath(std::string_view directory,
                                     const std::array<std::byte, 32>& digest);

}  // namespace slipway::images
