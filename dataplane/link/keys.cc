#include "dataplane/link/keys.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "dataplane/base/check.h"

namespace slipway::link {
namespace {

constexpr std::string_view kHeader = "slipway-key 1\n";
constexpr std::size_t kSecretFileBytesMax = 64 << 10;

static_assert(crypto_box_PUBLICKEYBYTES == kKeyBytes);
static_assert(crypto_box_SECRETKEYBYTES == kKeyBytes);

unsigned char* Raw(std::byte* bytes) noexcept { return reinterpret_cast<unsigned char*>(bytes); }

const unsigned char* Raw(const std::byte* bytes) noexcept {
  return reinterpret_cast<const unsigned char*>(bytes);
}

std::string ToZ85(std::span<const std::byte, kKeyBytes> bytes) {
  std::array<char, kKeyTextBytes + 1> text{};
  (void)zmq_z85_encode(text.data(), Raw(bytes.data()), kKeyBytes);
  return {text.data(), kKeyTextBytes};
}

// True if it was a key of 40 characters.
bool FromZ85(std::string_view text, std::array<std::byte, kKeyBytes>& out) {
  if (text.size() != kKeyTextBytes) {
    return false;
  }
  // zmq_z85_decode does not look at its table's bounds for characters outside ASCII.
  const bool printable =
      std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
  std::array<char, kKeyTextBytes + 1> terminated{};
  std::copy(text.begin(), text.end(), terminated.begin());
  const bool ok = printable && zmq_z85_decode(Raw(out.data()), terminated.data()) != nullptr;
  sodium_memzero(terminated.data(), terminated.size());
  return ok;
}

Result<void> WriteAll(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t wrote = write(fd, text.data(), text.size());
    if (wrote < 0) {
      if (errno == EINTR) {
        continue;
      }
      return FailErrno(errno);
    }
    text.remove_prefix(static_cast<std::size_t>(wrote));
  }
  return {};
}

Result<void> SyncDirectoryOf(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const int fd = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) {
    return FailErrno(errno);
  }
  const int rc = fsync(fd);
  const int saved = errno;
  (void)close(fd);
  if (rc != 0) {
    return FailErrno(saved);
  }
  return {};
}

Result<void> WriteTemporary(const std::string& path, std::string_view text) {
  (void)unlink(path.c_str());
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) {
    return FailErrno(errno);
  }
  Result<void> written = WriteAll(fd, text);
  if (written && fsync(fd) != 0) {
    written = FailErrno(errno);
  }
  (void)close(fd);
  return written;
}

Result<KeyPair> ParseKeyFile(std::string_view text) {
  if (!text.starts_with(kHeader)) {
    return Fail(ErrorCode::kCorrupt);
  }
  text.remove_prefix(kHeader.size());
  if (text.size() < 2 * (kKeyTextBytes + 1) || text[kKeyTextBytes] != '\n') {
    return Fail(ErrorCode::kCorrupt);
  }
  std::array<std::byte, kKeyBytes> secret{};
  std::array<std::byte, kKeyBytes> known{};
  if (!FromZ85(text.substr(0, kKeyTextBytes), known) ||
      !FromZ85(text.substr(kKeyTextBytes + 1, kKeyTextBytes), secret)) {
    return Fail(ErrorCode::kCorrupt);
  }
  KeyPair pair;
  pair.secret_key = SecretKey(secret);
  pair.public_key = pair.secret_key.Public();
  sodium_memzero(secret.data(), secret.size());
  if (pair.public_key.bytes != known) {
    return Fail(ErrorCode::kCorrupt);
  }
  return pair;
}

}  // namespace

Result<PublicKey> PublicKey::FromText(std::string_view text) {
  PublicKey key;
  if (!FromZ85(text, key.bytes)) {
    return Fail(ErrorCode::kMalformed);
  }
  return key;
}

Result<PublicKey> PublicKey::FromBytes(ByteSpan bytes) {
  if (bytes.size() != kKeyBytes) {
    return Fail(ErrorCode::kMalformed, static_cast<std::uint32_t>(bytes.size()));
  }
  PublicKey key;
  std::copy(bytes.begin(), bytes.end(), key.bytes.begin());
  return key;
}

std::string PublicKey::Text() const { return ToZ85(bytes); }

SecretKey::SecretKey(std::span<const std::byte, kKeyBytes> bytes) noexcept {
  std::copy(bytes.begin(), bytes.end(), bytes_.begin());
}

SecretKey::~SecretKey() { sodium_memzero(bytes_.data(), bytes_.size()); }

PublicKey SecretKey::Public() const {
  PublicKey key;
  (void)crypto_scalarmult_base(Raw(key.bytes.data()), Raw(bytes_.data()));
  return key;
}

KeyPair KeyPair::Generate() {
  std::array<std::byte, kKeyBytes> secret{};
  KeyPair pair;
  // sodium_init is idempotent and thread-safe; it only fails where there is no random source.
  SLIP_CHECK(sodium_init() >= 0);
  (void)crypto_box_keypair(Raw(pair.public_key.bytes.data()), Raw(secret.data()));
  pair.secret_key = SecretKey(secret);
  sodium_memzero(secret.data(), secret.size());
  return pair;
}

Result<void> WriteSecretFile(const std::string& path, std::string_view text) {
  const std::string temporary = path + ".new";
  SLIP_TRY(WriteTemporary(temporary, text));
  if (rename(temporary.c_str(), path.c_str()) != 0) {
    return FailErrno(errno);
  }
  return SyncDirectoryOf(path);
}

Result<std::string> ReadSecretFile(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) {
    if (errno == ENOENT) {
      return Fail(ErrorCode::kNotFound);
    }
    return FailErrno(errno);
  }

  struct stat status {};

  std::string text;
  Result<void> read_ok;
  if (fstat(fd, &status) != 0) {
    read_ok = FailErrno(errno);
  } else if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    read_ok = Fail(ErrorCode::kDenied, status.st_mode & 0777U);
  } else if (status.st_size < 0 ||
             static_cast<std::uint64_t>(status.st_size) > kSecretFileBytesMax) {
    read_ok = Fail(ErrorCode::kTooLarge);
  } else {
    text.resize(static_cast<std::size_t>(status.st_size));
    const ssize_t got = pread(fd, text.data(), text.size(), 0);
    if (got != status.st_size) {
      read_ok = FailErrno(got < 0 ? errno : EIO);
    }
  }
  (void)close(fd);
  if (!read_ok) {
    return std::unexpected(read_ok.error());
  }
  return text;
}

Result<KeyPair> LoadOrCreateKeyPair(const std::string& path) {
  Result<std::string> text = ReadSecretFile(path);
  if (text) {
    Result<KeyPair> pair = ParseKeyFile(*text);
    sodium_memzero(text->data(), text->size());
    return pair;
  }
  if (text.error().code != ErrorCode::kNotFound) {
    return std::unexpected(text.error());
  }
  const KeyPair pair = KeyPair::Generate();
  std::string file{kHeader};
  file += pair.public_key.Text() + "\n" + ToZ85(pair.secret_key.Reveal()) + "\n";
  const Result<void> written = WriteSecretFile(path, file);
  sodium_memzero(file.data(), file.size());
  if (!written) {
    return std::unexpected(written.error());
  }
  return pair;
}

}  // namespace slipway::link
