#include "controlplane/images/object_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "dataplane/base/hex.h"

namespace slipway::images {
namespace {

constexpr std::size_t kCopyBytes = std::size_t{1} << 20;

// Closes at the end of its scope.
class Descriptor {
 public:
  explicit Descriptor(int fd) noexcept : fd_(fd) {}

  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  ~Descriptor() {
    if (fd_ >= 0) {
      (void)close(fd_);
    }
  }

  [[nodiscard]] int get() const noexcept { return fd_; }

 private:
  int fd_;
};

[[nodiscard]] std::unexpected<ImportFailure> Refuse(ErrorCode code, std::string reason) {
  return std::unexpected(
      ImportFailure{.error = {.code = code, .detail = 0}, .reason = std::move(reason)});
}

[[nodiscard]] std::unexpected<ImportFailure> RefuseErrno(std::string_view what,
                                                         std::string_view path, int number) {
  return std::unexpected(
      ImportFailure{.error = FailErrno(number).error(),
                    .reason = fmt::format("{} {}: {}", what, path, std::strerror(number))});
}

using Checked = std::expected<void, ImportFailure>;

[[nodiscard]] Checked CheckSource(const std::string& path, int fd, struct stat& status) {
  if (fstat(fd, &status) != 0) {
    return RefuseErrno("cannot look at", path, errno);
  }
  if (!S_ISREG(status.st_mode)) {
    return Refuse(ErrorCode::kUnsupported, fmt::format("{} is not a regular file", path));
  }
  if ((status.st_mode & S_IROTH) == 0) {
    return Refuse(ErrorCode::kDenied,
                  fmt::format("{} is not readable by everybody, and its contents would be served "
                              "to any machine; chmod o+r it if that is meant",
                              path));
  }
  if (status.st_size <= 0 || static_cast<std::uint64_t>(status.st_size) > kObjectBytesMax) {
    return Refuse(ErrorCode::kOutOfRange, fmt::format("{} is empty, or larger than 64 GiB", path));
  }
  return {};
}

// Creates the directory, durably, with what is above it inside the store.
[[nodiscard]] Checked MakeDirectory(const std::string& path, const std::string& parent) {
  if (mkdir(path.c_str(), 0755) == 0) {
    const Descriptor above(open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    (void)fsync(above.get());
    return {};
  }
  if (errno != EEXIST) {
    return RefuseErrno("cannot create", path, errno);
  }
  return {};
}

[[nodiscard]] Checked WriteAll(int fd, const std::string& path, const unsigned char* data,
                               std::size_t size) {
  while (size > 0) {
    const ssize_t written = write(fd, data, size);
    if (written < 0 && errno == EINTR) {
      continue;
    }
    if (written < 0) {
      return RefuseErrno("cannot write", path, errno);
    }
    data += written;
    size -= static_cast<std::size_t>(written);
  }
  return {};
}

// Copies and hashes. The size must come out as it was when the file was opened.
[[nodiscard]] std::expected<StoredObject, ImportFailure> Copy(int from, const std::string& path,
                                                              int to, const std::string& temporary,
                                                              std::uint64_t size_expected) {
  StoredObject object;
  crypto_hash_sha256_state hash{};
  (void)crypto_hash_sha256_init(&hash);
  std::vector<unsigned char> buffer(kCopyBytes);
  for (;;) {
    const ssize_t got = read(from, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      return RefuseErrno("cannot read", path, errno);
    }
    if (got == 0) {
      break;
    }
    const auto size = static_cast<std::size_t>(got);
    (void)crypto_hash_sha256_update(&hash, buffer.data(), size);
    object.bytes += size;
    if (auto written = WriteAll(to, temporary, buffer.data(), size); !written) {
      return std::unexpected(std::move(written.error()));
    }
  }
  if (object.bytes != size_expected) {
    return Refuse(ErrorCode::kConflict, fmt::format("{} changed while it was read", path));
  }
  (void)crypto_hash_sha256_final(&hash, reinterpret_cast<unsigned char*>(object.sha256.data()));
  if (fsync(to) != 0) {
    return RefuseErrno("cannot flush", temporary, errno);
  }
  return object;
}

// The temporary file goes, unless it was renamed.
struct Temporary {
  std::string path;

  ~Temporary() { (void)unlink(path.c_str()); }
};

[[nodiscard]] Checked Publish(const std::string& directory, const Temporary& temporary,
                              const StoredObject& object) {
  const std::string path = ObjectPath(directory, object.sha256);
  const std::string parent = path.substr(0, path.rfind('/'));
  if (auto made = MakeDirectory(parent, directory + "/sha256"); !made) {
    return made;
  }
  if (rename(temporary.path.c_str(), path.c_str()) != 0) {
    return RefuseErrno("cannot rename to", path, errno);
  }
  const Descriptor folder(open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fsync(folder.get()) != 0) {
    return RefuseErrno("cannot flush", parent, errno);
  }
  return {};
}

}  // namespace

std::string HexOf(const std::array<std::byte, 32>& digest) {
  std::string out;
  for (const std::byte byte : digest) {
    AppendHex(out, byte);
  }
  return out;
}

std::string ObjectPath(std::string_view directory, const std::array<std::byte, 32>& digest) {
  const std::string hex = HexOf(digest);
  return fmt::format("{}/sha256/{}/{}", directory, hex.substr(0, 2), hex);
}

std::expected<StoredObject, ImportFailure> ImportFile(const std::string& directory,
                                                      const std::string& path) {
  if (!path.starts_with('/')) {
    return Refuse(ErrorCode::kMalformed, fmt::format("{} is not an absolute path", path));
  }
  const Descriptor from(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (from.get() < 0) {
    return RefuseErrno("cannot open", path, errno);
  }

  struct stat status {};

  if (auto good = CheckSource(path, from.get(), status); !good) {
    return std::unexpected(std::move(good.error()));
  }
  const std::size_t slash = directory.rfind('/');
  if (auto made = MakeDirectory(directory, directory.substr(0, slash + 1)); !made) {
    return std::unexpected(std::move(made.error()));
  }
  if (auto made = MakeDirectory(directory + "/sha256", directory); !made) {
    return std::unexpected(std::move(made.error()));
  }
  std::string name = directory + "/sha256/.import-XXXXXX";
  const Descriptor to(mkostemp(name.data(), O_CLOEXEC));
  if (to.get() < 0) {
    return RefuseErrno("cannot create a file in", directory, errno);
  }
  const Temporary temporary{.path = name};
  (void)fchmod(to.get(), 0644);
  auto object =
      Copy(from.get(), path, to.get(), temporary.path, static_cast<std::uint64_t>(status.st_size));
  if (!object) {
    return object;
  }
  if (auto published = Publish(directory, temporary, *object); !published) {
    return std::unexpected(std::move(published.error()));
  }
  return object;
}

}  // namespace slipway::images
