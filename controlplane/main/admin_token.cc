#include "controlplane/main/admin_token.h"

#include <fmt/format.h>
#include <sodium.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "dataplane/base/posix_disk.h"

namespace slipway::region {
namespace {

constexpr std::size_t kTokenBytes = 32;
constexpr std::size_t kTokenTextMin = 32;
constexpr std::size_t kTokenTextMax = 256;
constexpr std::string_view kTemporary = "admin-token.new";

[[nodiscard]] std::string RandomToken() {
  std::array<unsigned char, kTokenBytes> bytes{};
  randombytes_buf(bytes.data(), bytes.size());
  std::array<char, kTokenBytes * 2 + 1> text{};
  (void)sodium_bin2hex(text.data(), text.size(), bytes.data(), bytes.size());
  sodium_memzero(bytes.data(), bytes.size());
  return "sw-" + std::string(text.data());
}

[[nodiscard]] Result<void> WriteToken(PosixDisk& disk, std::string_view token) {
  const FileId file = SLIP_TRY(disk.Open(kTemporary, OpenMode::kCreate));
  const std::string line = std::string(token) + "\n";
  Result<void> written = disk.WriteAt(file, 0, AsBytes(line));
  if (written) {
    written = disk.Sync(file);
  }
  disk.Close(file);
  if (!written) {
    (void)disk.Remove(kTemporary);
    return written;
  }
  return disk.Rename(kTemporary, kTokenFile);
}

[[nodiscard]] Result<std::string> ReadToken(PosixDisk& disk) {
  const FileId file = SLIP_TRY(disk.Open(kTokenFile, OpenMode::kRead));
  std::array<std::byte, kTokenTextMax + 2> bytes{};
  const auto got = disk.ReadAt(file, 0, bytes);
  disk.Close(file);
  std::string text(AsText(ByteSpan(bytes).first(SLIP_TRY(got))));
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) {
    text.pop_back();
  }
  const bool good =
      text.size() >= kTokenTextMin && text.size() <= kTokenTextMax &&
      std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 127; });
  if (!good) {
    return Fail(ErrorCode::kCorrupt);
  }
  return text;
}

}  // namespace

std::expected<std::string, std::string> LoadOrCreateToken(const std::string& state_dir) {
  const std::string path = fmt::format("{}/{}", state_dir, kTokenFile);
  if (sodium_init() < 0) {
    return std::unexpected("no source of randomness; is getrandom(2) allowed?");
  }
  auto disk = PosixDisk::Create(state_dir);
  if (!disk) {
    return std::unexpected(
        fmt::format("cannot open {}: {}", state_dir, ToString(disk.error().code)));
  }

  struct stat status {};

  if (stat(path.c_str(), &status) == 0 && (status.st_mode & 0077) != 0) {
    return std::unexpected(
        fmt::format("{} may be read by others; chmod 600 it, or delete it for a new token", path));
  }
  auto token = ReadToken(*disk);
  if (token) {
    return *std::move(token);
  }
  if (token.error().code != ErrorCode::kNotFound) {
    return std::unexpected(fmt::format("{} cannot be used ({}); delete it for a new token", path,
                                       ToString(token.error().code)));
  }
  std::string made = RandomToken();
  if (const auto written = WriteToken(*disk, made); !written) {
    return std::unexpected(
        fmt::format("cannot write {}: {}; the state directory needs space and "
                    "must be writable",
                    path, ToString(written.error().code)));
  }
  return made;
}

}  // namespace slipway::region
