#include "dataplane/images/store.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sodium/crypto_hash_sha256.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <ctime>
#include <memory>
#include <utility>
#include <vector>

#include "dataplane/base/check.h"
#include "dataplane/base/hex.h"

namespace slipway::images {
namespace {

inline constexpr std::size_t kCopyBytes = std::size_t{256} << 10;
// "sha256/ab/" and the digest.
using PathText = FixedString<80>;

[[nodiscard]] std::unexpected<Error> FailOpen(int error_number) noexcept {
  if (error_number == ENOENT) {
    return Fail(ErrorCode::kNotFound);
  }
  // A symbolic link, or a way out of the directory.
  if (error_number == ELOOP || error_number == EXDEV) {
    return Fail(ErrorCode::kDenied, static_cast<std::uint32_t>(error_number));
  }
  return FailErrno(error_number);
}

// Opens a path beneath the directory; no part of it may be a symbolic link.
[[nodiscard]] int OpenBeneath(int directory_fd, const char* path, int flags) noexcept {
  open_how how{};
  how.flags = static_cast<unsigned>(flags | O_CLOEXEC);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  const long fd = syscall(SYS_openat2, directory_fd, path, &how, sizeof(how));
  if (fd < 0 && (errno == ENOSYS || errno == EPERM)) {
    // Containers deny it at times. The path is made of hex digits only; O_NOFOLLOW guards its end.
    return openat(directory_fd, path, flags | O_CLOEXEC | O_NOFOLLOW);
  }
  return static_cast<int>(fd);
}

// With a NUL at the end.
[[nodiscard]] PathText FolderOf(const Digest& digest) {
  PathText path(std::string_view("sha256/"));
  (void)path.Append(ToText(digest).view().substr(0, 2));
  (void)path.push_back('\0');
  return path;
}

[[nodiscard]] PathText PathOf(const Digest& digest) {
  PathText path(std::string_view("sha256/"));
  const DigestText text = ToText(digest);
  (void)path.Append(text.view().substr(0, 2));
  (void)path.push_back('/');
  (void)path.Append(text);
  (void)path.push_back('\0');
  return path;
}

// Reads to the end, hashes, and writes to `to` unless that is negative.
[[nodiscard]] Result<Imported> HashAll(int from, int to) {
  crypto_hash_sha256_state hasher;
  (void)crypto_hash_sha256_init(&hasher);  // the three of them always return 0
  Imported imported;
  std::vector<std::byte> buffer(kCopyBytes);
  while (true) {
    const ssize_t got = read(from, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      return FailErrno(errno);
    }
    if (got == 0) {
      break;
    }
    ByteSpan piece = ByteSpan(buffer).first(static_cast<std::size_t>(got));
    imported.bytes += piece.size();
    (void)crypto_hash_sha256_update(&hasher, reinterpret_cast<const unsigned char*>(piece.data()),
                                    piece.size());
    while (to >= 0 && !piece.empty()) {
      const ssize_t put = write(to, piece.data(), piece.size());
      if (put < 0 && errno != EINTR) {
        return FailErrno(errno);
      }
      piece = piece.subspan(put < 0 ? 0 : static_cast<std::size_t>(put));
    }
  }
  (void)crypto_hash_sha256_final(&hasher, reinterpret_cast<unsigned char*>(imported.digest.data()));
  return imported;
}

[[nodiscard]] Result<int> OpenDirectory(std::string_view directory, bool create) {
  FixedString<4096> path;
  if (!path.Assign(directory) || !path.push_back('\0')) {
    return Fail(ErrorCode::kTooLarge, static_cast<std::uint32_t>(directory.size()));
  }
  if (create && mkdir(path.data(), 0755) != 0 && errno != EEXIST) {
    return FailOpen(errno);
  }
  const int fd = open(path.data(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) {
    return FailOpen(errno);
  }
  if (create && mkdirat(fd, "sha256", 0755) != 0 && errno != EEXIST) {
    const int error = errno;
    (void)close(fd);
    return FailErrno(error);
  }
  return fd;
}

}  // namespace

DigestText ToText(const Digest& digest) noexcept {
  DigestText text;
  for (const std::byte byte : digest) {
    AppendHex(text, byte);
  }
  return text;
}

Result<Digest> ParseDigest(std::string_view text) noexcept {
  Digest digest{};
  if (text.size() != 2 * digest.size()) {
    return Fail(ErrorCode::kMalformed, static_cast<std::uint32_t>(text.size()));
  }
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int value = HexValue(text[i]);
    if (value < 0) {
      return Fail(ErrorCode::kMalformed, static_cast<std::uint32_t>(i));
    }
    digest[i / 2] = static_cast<std::byte>((std::to_integer<int>(digest[i / 2]) << 4) | value);
  }
  return digest;
}

OwnedObject::OwnedObject(OwnedObject&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), bytes_(std::exchange(other.bytes_, 0U)) {}

OwnedObject& OwnedObject::operator=(OwnedObject&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

OwnedObject::~OwnedObject() {
  if (fd_ >= 0) {
    (void)close(fd_);
  }
}

Result<Store> Store::Open(std::string_view directory) {
  return Store(SLIP_TRY(OpenDirectory(directory, true)));
}

Result<Store> Store::OpenReadOnly(std::string_view directory) {
  return Store(SLIP_TRY(OpenDirectory(directory, false)));
}

Store::Store(Store&& other) noexcept : directory_fd_(std::exchange(other.directory_fd_, -1)) {}

Store::~Store() {
  if (directory_fd_ >= 0) {
    (void)close(directory_fd_);
  }
}

Result<OwnedObject> Store::OpenObject(const Digest& digest) const {
  // O_NONBLOCK: a FIFO in the place of a file must not hold us up.
  const int fd = OpenBeneath(directory_fd_, PathOf(digest).data(), O_RDONLY | O_NONBLOCK);
  if (fd < 0) {
    return FailOpen(errno);
  }

  struct stat status {};

  if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
    (void)close(fd);
    return Fail(ErrorCode::kDenied);
  }
  return OwnedObject(fd, static_cast<std::uint64_t>(status.st_size));
}

Result<void> Store::Verify(const Digest& digest) const {
  const OwnedObject object = SLIP_TRY(OpenObject(digest));
  const Imported seen = SLIP_TRY(HashAll(object.fd(), -1));
  if (seen.digest != digest) {
    return Fail(ErrorCode::kCorrupt);
  }
  return {};
}

Result<Imported> Store::Import(int source_fd) const {
  // O_TMPFILE would need /proc to link it: a name of our own, unique by process and time.
  std::array<char, 64> name{};
  timespec now{};
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  (void)std::snprintf(name.data(), name.size(), "sha256/import-%d-%lld-%ld", getpid(),
                      static_cast<long long>(now.tv_sec), now.tv_nsec);
  const int to = openat(directory_fd_, name.data(),
                        O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (to < 0) {
    return FailErrno(errno);
  }
  Result<Imported> imported = HashAll(source_fd, to);
  if (imported && fdatasync(to) != 0) {
    imported = FailErrno(errno);
  }
  (void)close(to);
  if (imported) {
    const PathText folder = FolderOf(imported->digest);
    const PathText path = PathOf(imported->digest);
    const bool folder_there = mkdirat(directory_fd_, folder.data(), 0755) == 0 || errno == EEXIST;
    if (folder_there && renameat(directory_fd_, name.data(), directory_fd_, path.data()) == 0) {
      const int fd = OpenBeneath(directory_fd_, folder.data(), O_RDONLY | O_DIRECTORY);
      const bool synced = fd >= 0 && fsync(fd) == 0 && fsync(directory_fd_) == 0;
      const int error = errno;
      OwnedObject(fd, 0) = OwnedObject();
      return synced ? imported : Result<Imported>(FailErrno(error));
    }
    imported = FailErrno(errno);
  }
  (void)unlinkat(directory_fd_, name.data(), 0);
  return imported;
}

}  // namespace slipway::images
