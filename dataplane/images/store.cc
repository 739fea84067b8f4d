#include "dataplane/images/store.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sodium/crypto_hash_sha256.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <utility>

namespace slipway::images {
namespace {

constexpr std::size_t kReadBytes = std::size_t{256} << 10;

using ObjectPath = FixedString<80>;

// "sha256/ab/abcd...", NUL-terminated by FixedString's zero fill.
[[nodiscard]] ObjectPath PathOf(const config::Sha256& sha256) noexcept {
  const FixedString<64> hex = HexOf(sha256);
  ObjectPath path(std::string_view("sha256/"));
  const bool fits = path.Append(hex.view().substr(0, 2)) && path.push_back('/') &&
                    path.Append(hex.view()) && path.size() < ObjectPath::capacity();
  SLIP_CHECK(fits);
  return path;
}

}  // namespace

FixedString<64> HexOf(const config::Sha256& sha256) noexcept {
  constexpr std::string_view kDigits = "0123456789abcdef";
  FixedString<64> text;
  for (const std::byte octet : sha256) {
    (void)text.push_back(kDigits[std::to_integer<unsigned>(octet) >> 4]);
    (void)text.push_back(kDigits[std::to_integer<unsigned>(octet) & 15]);
  }
  return text;
}

Result<ImageStore> ImageStore::Create(std::string_view directory) {
  FixedString<4096> path;
  if (!path.Assign(directory) || !path.push_back('\0')) {
    return Fail(ErrorCode::kTooLarge, static_cast<std::uint32_t>(directory.size()));
  }
  const int fd = open(path.data(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) {
    return errno == ENOENT ? Fail(ErrorCode::kNotFound) : FailErrno(errno);
  }
  return ImageStore(fd);
}

ImageStore::ImageStore(ImageStore&& other) noexcept
    : directory_fd_(std::exchange(other.directory_fd_, -1)) {}

ImageStore::~ImageStore() {
  if (directory_fd_ >= 0) {
    (void)close(directory_fd_);
  }
}

Result<int> ImageStore::Open(const config::Sha256& sha256, std::uint64_t bytes) const {
  const ObjectPath path = PathOf(sha256);
  open_how how{};
  how.flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  const long opened = syscall(SYS_openat2, directory_fd_, path.data(), &how, sizeof(how));
  if (opened < 0) {
    return errno == ENOENT ? Fail(ErrorCode::kNotFound) : FailErrno(errno);
  }
  const int fd = static_cast<int>(opened);

  struct stat status {};

  const bool good = fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
                    static_cast<std::uint64_t>(status.st_size) == bytes;
  if (!good) {
    (void)close(fd);
    return Fail(ErrorCode::kCorrupt);
  }
  return fd;
}

Result<void> ImageStore::Verify(const config::Sha256& sha256, std::uint64_t bytes) const {
  const int fd = SLIP_TRY(Open(sha256, bytes));
  crypto_hash_sha256_state state;
  (void)crypto_hash_sha256_init(&state);
  const auto buffer = std::make_unique<unsigned char[]>(kReadBytes);
  ssize_t got = 0;
  while ((got = read(fd, buffer.get(), kReadBytes)) > 0) {
    (void)crypto_hash_sha256_update(&state, buffer.get(), static_cast<unsigned long long>(got));
  }
  const int error = errno;
  (void)close(fd);
  if (got < 0) {
    return FailErrno(error);
  }
  config::Sha256 seen{};
  (void)crypto_hash_sha256_final(&state, reinterpret_cast<unsigned char*>(seen.data()));
  return seen == sha256 ? Result<void>{} : Fail(ErrorCode::kBadChecksum);
}

}  // namespace slipway::images
