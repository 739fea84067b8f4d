// The kernel's disk, clock and random behind the seams.
#pragma once

#include <string_view>

#include "dataplane/base/bounded.h"
#include "dataplane/base/seams.h"

namespace slipway {

// One open state directory. Blocking: journal, link and start-up threads only. Not thread-safe;
// each thread opens its own.
class PosixDisk final : public Disk {
 public:
  // Opens the directory, creating it with mode 0700 if it is missing (its parent must exist).
  [[nodiscard]] static Result<PosixDisk> Create(std::string_view directory);
  PosixDisk(PosixDisk&& other) noexcept;
  PosixDisk& operator=(PosixDisk&&) = delete;
  ~PosixDisk() override;

  // Takes the exclusive lock of the directory until destruction. kBusy if another process has it.
  [[nodiscard]] Result<void> Lock();

  [[nodiscard]] Result<FileId> Open(std::string_view name, OpenMode mode) override;
  void Close(FileId file) noexcept override;
  [[nodiscard]] Result<std::uint64_t> SizeOf(FileId file) override;
  [[nodiscard]] Result<std::size_t> ReadAt(FileId file, std::uint64_t offset,
                                           MutableByteSpan out) override;
  [[nodiscard]] Result<void> WriteAt(FileId file, std::uint64_t offset, ByteSpan data) override;
  [[nodiscard]] Result<void> Preallocate(FileId file, std::uint64_t bytes) override;
  [[nodiscard]] Result<void> Truncate(FileId file, std::uint64_t bytes) override;
  [[nodiscard]] Result<void> Sync(FileId file) override;
  [[nodiscard]] Result<void> Rename(std::string_view from, std::string_view to) override;
  [[nodiscard]] Result<void> Remove(std::string_view name) override;
  [[nodiscard]] Result<void> List(Visitor& visitor) override;

 private:
  explicit PosixDisk(int directory_fd) noexcept : directory_fd_(directory_fd) {}

  int directory_fd_ = -1;
  int lock_fd_ = -1;
};

class PosixClock final : public Clock {
 public:
  PosixClock() noexcept;
  [[nodiscard]] Instant Now() noexcept override;
  [[nodiscard]] WallTime WallNow() noexcept override;
  [[nodiscard]] bool WallIsSynchronised() noexcept override;
  [[nodiscard]] std::uint64_t BootId() noexcept override;

 private:
  std::uint64_t boot_id_ = 0;
};

// getrandom(2).
class PosixRandom final : public Random {
 public:
  [[nodiscard]] std::uint64_t U64() noexcept override;
};

}  // namespace slipway
