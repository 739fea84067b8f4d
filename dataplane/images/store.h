// Boot files by content: objects named by the SHA-256 of their bytes below one directory, and the
// table by which shards serve them without ever opening a file.
//
//   <directory>/sha256/<first 2 hex digits>/<all 64 hex digits>
//
// Nothing that a machine sends names a file: objects are opened by digests of the snapshot only,
// beneath one directory descriptor, never through a symbolic link.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "dataplane/base/bounded.h"
#include "dataplane/base/cursor.h"
#include "dataplane/base/result.h"
#include "dataplane/config/records.h"

namespace slipway::images {

using Digest = config::Sha256;
using DigestText = FixedString<64>;

// Lower case hex.
[[nodiscard]] DigestText ToText(const Digest& digest) noexcept;
// kMalformed unless 64 hex digits.
[[nodiscard]] Result<Digest> ParseDigest(std::string_view text) noexcept;

// A descriptor that is closed with its owner.
class OwnedObject {
 public:
  OwnedObject() = default;

  OwnedObject(int fd, std::uint64_t bytes) noexcept : fd_(fd), bytes_(bytes) {}

  OwnedObject(OwnedObject&& other) noexcept;
  OwnedObject& operator=(OwnedObject&& other) noexcept;
  ~OwnedObject();

  [[nodiscard]] int fd() const noexcept { return fd_; }

  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }

 private:
  int fd_ = -1;
  std::uint64_t bytes_ = 0;
};

struct Imported {
  Digest digest{};
  std::uint64_t bytes = 0;
};

// Blocking; not for shards. Any thread: holds nothing but the directory descriptor.
class Store {
 public:
  // Opens the directory, creating it and its `sha256` with mode 0755 if missing (the parent must
  // exist). kNotFound, kReadOnly, kSystem.
  [[nodiscard]] static Result<Store> Open(std::string_view directory);
  // For a rack that only reads: kNotFound if it is not there.
  [[nodiscard]] static Result<Store> OpenReadOnly(std::string_view directory);
  Store(Store&& other) noexcept;
  Store& operator=(Store&&) = delete;
  ~Store();

  // Read-only. kNotFound; kDenied for anything that is not a regular file in its place. The
  // contents are not read: see Verify.
  [[nodiscard]] Result<OwnedObject> OpenObject(const Digest& digest) const;
  // Reads the object whole. kNotFound, kCorrupt if the contents have another digest.
  [[nodiscard]] Result<void> Verify(const Digest& digest) const;
  // Copies from the descriptor's position to its end: hashed while it is copied to a temporary
  // file, synced, then renamed to its name. An object that is there already is kept. kNoSpace,
  // kReadOnly, kSystem; nothing is left behind.
  [[nodiscard]] Result<Imported> Import(int source_fd) const;

 private:
  explicit Store(int directory_fd) noexcept : directory_fd_(directory_fd) {}

  int directory_fd_ = -1;
};

}  // namespace slipway::images
