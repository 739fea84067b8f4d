#include "dataplane/base/posix_disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <utility>

#include "dataplane/base/random.h"

namespace slipway {
namespace {

// A flat name: no separator, so that nothing outside the directory can be reached.
using NameText = FixedString<256>;

[[nodiscard]] Result<NameText> FlatName(std::string_view name) noexcept {
  const bool dots = name == "." || name == "..";
  if (name.empty() || name.size() > 255 || dots || name.find('/') != std::string_view::npos ||
      name.find('\0') != std::string_view::npos) {
    return Fail(ErrorCode::kMalformed, static_cast<std::uint32_t>(name.size()));
  }
  // FixedString zero-fills, and 255 characters leave room for the NUL.
  return NameText(name);
}

[[nodiscard]] std::unexpected<Error> FailOpen(int error_number) noexcept {
  return error_number == ENOENT ? Fail(ErrorCode::kNotFound) : FailErrno(error_number);
}

[[nodiscard]] Instant ReadClock(clockid_t id) noexcept {
  timespec now{};
  SLIP_CHECK(clock_gettime(id, &now) == 0);
  return {std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec};
}

}  // namespace

Result<PosixDisk> PosixDisk::Create(std::string_view directory) {
  FixedString<4096> path;
  if (!path.Assign(directory) || !path.push_back('\0')) {
    return Fail(ErrorCode::kTooLarge, static_cast<std::uint32_t>(directory.size()));
  }
  if (mkdir(path.data(), 0700) != 0 && errno != EEXIST) {
    return FailErrno(errno);
  }
  const int fd = open(path.data(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) {
    return FailOpen(errno);
  }
  return PosixDisk(fd);
}

PosixDisk::PosixDisk(PosixDisk&& other) noexcept
    : directory_fd_(std::exchange(other.directory_fd_, -1)),
      lock_fd_(std::exchange(other.lock_fd_, -1)) {}

PosixDisk::~PosixDisk() {
  Close(lock_fd_);
  Close(directory_fd_);
}

Result<void> PosixDisk::Lock() {
  const int fd = openat(directory_fd_, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) {
    return FailErrno(errno);
  }
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    const int error = errno;
    Close(fd);
    return error == EWOULDBLOCK ? Fail(ErrorCode::kBusy) : FailErrno(error);
  }
  lock_fd_ = fd;
  return {};
}

Result<FileId> PosixDisk::Open(std::string_view name, OpenMode mode) {
  const NameText flat = SLIP_TRY(FlatName(name));
  int flags = O_CLOEXEC;
  switch (mode) {
    case OpenMode::kRead:
      flags |= O_RDONLY;
      break;
    case OpenMode::kReadWrite:
      flags |= O_RDWR;
      break;
    case OpenMode::kCreate:
      flags |= O_RDWR | O_CREAT | O_TRUNC;
      break;
  }
  const int fd = openat(directory_fd_, flat.data(), flags, 0600);
  if (fd < 0) {
    return FailOpen(errno);
  }
  return fd;
}

void PosixDisk::Close(FileId file) noexcept {
  if (file >= 0) {
    // Linux releases the descriptor whatever close returns; synced data is safe already.
    (void)close(file);
  }
}

Result<std::uint64_t> PosixDisk::SizeOf(FileId file) {
  struct stat status {};

  if (fstat(file, &status) != 0) {
    return FailErrno(errno);
  }
  return static_cast<std::uint64_t>(status.st_size);
}

Result<std::size_t> PosixDisk::ReadAt(FileId file, std::uint64_t offset, MutableByteSpan out) {
  std::size_t done = 0;
  while (done < out.size()) {
    const ssize_t got =
        pread(file, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      return FailErrno(errno);
    }
    if (got == 0) {
      break;
    }
    done += static_cast<std::size_t>(got);
  }
  return done;
}

Result<void> PosixDisk::WriteAt(FileId file, std::uint64_t offset, ByteSpan data) {
  std::size_t done = 0;
  while (done < data.size()) {
    const ssize_t put =
        pwrite(file, data.data() + done, data.size() - done, static_cast<off_t>(offset + done));
    if (put < 0 && errno == EINTR) {
      continue;
    }
    if (put < 0) {
      return FailErrno(errno);
    }
    done += static_cast<std::size_t>(put);
  }
  return {};
}

Result<void> PosixDisk::Preallocate(FileId file, std::uint64_t bytes) {
  static constexpr std::array<std::byte, 65536> kZeros{};
  for (std::uint64_t at = 0; at < bytes; at += kZeros.size()) {
    const std::uint64_t size = std::min<std::uint64_t>(kZeros.size(), bytes - at);
    SLIP_TRY(WriteAt(file, at, ByteSpan(kZeros).first(size)));
  }
  return {};
}

Result<void> PosixDisk::Truncate(FileId file, std::uint64_t bytes) {
  if (ftruncate(file, static_cast<off_t>(bytes)) != 0) {
    return FailErrno(errno);
  }
  return {};
}

Result<void> PosixDisk::Sync(FileId file) {
  if (fdatasync(file) != 0) {
    return FailErrno(errno);
  }
  return {};
}

Result<void> PosixDisk::Rename(std::string_view from, std::string_view to) {
  const NameText flat_from = SLIP_TRY(FlatName(from));
  const NameText flat_to = SLIP_TRY(FlatName(to));
  if (renameat(directory_fd_, flat_from.data(), directory_fd_, flat_to.data()) != 0) {
    return FailOpen(errno);
  }
  if (fsync(directory_fd_) != 0) {
    return FailErrno(errno);
  }
  return {};
}

Result<void> PosixDisk::Remove(std::string_view name) {
  const NameText flat = SLIP_TRY(FlatName(name));
  if (unlinkat(directory_fd_, flat.data(), 0) != 0) {
    return FailOpen(errno);
  }
  if (fsync(directory_fd_) != 0) {
    return FailErrno(errno);
  }
  return {};
}

Result<void> PosixDisk::List(Visitor& visitor) {
  const int fd = openat(directory_fd_, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) {
    return FailErrno(errno);
  }
  DIR* const directory = fdopendir(fd);
  if (directory == nullptr) {
    const int error = errno;
    Close(fd);
    return FailErrno(error);
  }
  while (const dirent* const entry = readdir(directory)) {
    struct stat status {};

    if (fstatat(directory_fd_, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISREG(status.st_mode)) {
      visitor.OnFile(entry->d_name, static_cast<std::uint64_t>(status.st_size));
    }
  }
  (void)closedir(directory);
  return {};
}

PosixClock::PosixClock() noexcept {
  const int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
  std::array<char, 37> text{};
  if (fd >= 0) {
    const ssize_t got = read(fd, text.data(), text.size());
    (void)close(fd);
    for (ssize_t i = 0; i < got; ++i) {
      boot_id_ = Mix64(boot_id_ ^ static_cast<std::uint8_t>(text[static_cast<std::size_t>(i)]));
    }
  }
}

Instant PosixClock::Now() noexcept { return ReadClock(CLOCK_BOOTTIME); }

WallTime PosixClock::WallNow() noexcept { return {ReadClock(CLOCK_REALTIME).ns}; }

bool PosixClock::WallIsSynchronised() noexcept {
  timex state{};
  // The system call itself: glibc's adjtimex is clock_adjtime, which the rack's filter of system
  // calls refuses. Reading takes no privilege; without one nothing can be set by it.
  return syscall(SYS_adjtimex, &state) >= 0 && (state.status & STA_UNSYNC) == 0;
}

std::uint64_t PosixClock::BootId() noexcept { return boot_id_; }

std::uint64_t PosixRandom::U64() noexcept {
  std::uint64_t value = 0;
  SLIP_CHECK(getrandom(&value, sizeof(value), 0) == static_cast<ssize_t>(sizeof(value)));
  return value;
}

}  // namespace slipway
