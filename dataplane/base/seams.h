// The seams of the product: clock, random and disk as interfaces, so that the simulator (tests/sim)
// can stand in for the kernel. Production implementations: dataplane/base/posix_*.h. Shells hold
// these; pure cores take values (an Instant, a Random&) and never these interfaces, except Disk,
// which the journal and the snapshot file own.
#pragma once

#include <cstdint>
#include <string_view>

#include "dataplane/base/cursor.h"
#include "dataplane/base/result.h"
#include "dataplane/base/time.h"

namespace slipway {

class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual Instant Now() noexcept = 0;       // CLOCK_BOOTTIME
  [[nodiscard]] virtual WallTime WallNow() noexcept = 0;  // CLOCK_REALTIME
  // True if the kernel says that CLOCK_REALTIME is disciplined (adjtimex: no STA_UNSYNC).
  [[nodiscard]] virtual bool WallIsSynchronised() noexcept = 0;
  // An id that changes at each boot of the machine (/proc/sys/kernel/random/boot_id, hashed).
  [[nodiscard]] virtual std::uint64_t BootId() noexcept = 0;
};

// Not for keys: those come from libsodium in the shells.
class Random {
 public:
  virtual ~Random() = default;
  [[nodiscard]] virtual std::uint64_t U64() noexcept = 0;

  // Uniform in [0, bound). REQUIRES: bound > 0.
  [[nodiscard]] std::uint64_t Below(std::uint64_t bound) noexcept {
    // The bias is below bound / 2^64.
    return U64() % bound;
  }
};

using FileId = std::int32_t;

enum class OpenMode : std::uint8_t {
  kRead,       // must exist
  kReadWrite,  // must exist
  kCreate,     // read-write; created or truncated to empty
};

// One state directory. Names are flat file names inside it, never paths from outside. Blocking
// calls: not for shard threads. Errors: kNotFound, kNoSpace, kReadOnly, kSystem with errno.
class Disk {
 public:
  // Called by List for each regular file: name and size in bytes.
  class Visitor {
   public:
    virtual ~Visitor() = default;
    virtual void OnFile(std::string_view name, std::uint64_t bytes) = 0;
  };

  virtual ~Disk() = default;
  [[nodiscard]] virtual Result<FileId> Open(std::string_view name, OpenMode mode) = 0;
  virtual void Close(FileId file) noexcept = 0;
  [[nodiscard]] virtual Result<std::uint64_t> SizeOf(FileId file) = 0;
  // Bytes read; fewer than asked only at the end of the file.
  [[nodiscard]] virtual Result<std::size_t> ReadAt(FileId file, std::uint64_t offset,
                                                   MutableByteSpan out) = 0;
  // All or an error; after an error any part may have been written.
  [[nodiscard]] virtual Result<void> WriteAt(FileId file, std::uint64_t offset, ByteSpan data) = 0;
  // Allocates and writes zeros, so that later writes inside change no metadata.
  [[nodiscard]] virtual Result<void> Preallocate(FileId file, std::uint64_t bytes) = 0;
  [[nodiscard]] virtual Result<void> Truncate(FileId file, std::uint64_t bytes) = 0;
  // Data and size are on stable storage when this returns (fdatasync).
  [[nodiscard]] virtual Result<void> Sync(FileId file) = 0;
  // Atomic replace, durable on return (the directory is synced).
  [[nodiscard]] virtual Result<void> Rename(std::string_view from, std::string_view to) = 0;
  // Durable on return. kNotFound if there is no such file.
  [[nodiscard]] virtual Result<void> Remove(std::string_view name) = 0;
  // In no particular order.
  [[nodiscard]] virtual Result<void> List(Visitor& visitor) = 0;
};

}  // namespace slipway
