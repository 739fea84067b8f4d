#include "controlplane/cli/token_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>

namespace slipway::cli {
namespace {

constexpr const char* kSystemFile = "/var/lib/slipway/region/admin-token";

[[nodiscard]] std::string Environment(const char* name) {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): one thread.
  const char* const value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

[[nodiscard]] std::string UserFile() {
  std::string base = Environment("XDG_CONFIG_HOME");
  if (base.empty()) {
    const std::string home = Environment("HOME");
    if (home.empty()) {
      return {};
    }
    base = home + "/.config";
  }
  return base + "/slipway/token";
}

// errno on failure.
[[nodiscard]] std::expected<std::string, int> ReadSmall(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return std::unexpected(errno);
  }
  std::array<char, 1024> bytes{};
  const ssize_t got = read(fd, bytes.data(), bytes.size());
  const int error = errno;
  (void)close(fd);
  if (got < 0) {
    return std::unexpected(error);
  }
  std::string text(bytes.data(), static_cast<std::size_t>(got));
  while (!text.empty() && static_cast<unsigned char>(text.back()) <= ' ') {
    text.pop_back();
  }
  return text;
}

[[nodiscard]] std::expected<std::string, Failure> Check(
    const std::string& path, const std::expected<std::string, int>& text) {
  if (!text) {
    return std::unexpected(Failure{.code = ExitCode::kAuthentication,
                                   .message = fmt::format("cannot read the token in {}: {}", path,
                                                          std::strerror(text.error()))});
  }
  for (const char c : *text) {
    if (c <= ' ' || c == 127) {
      return std::unexpected(Failure{.code = ExitCode::kAuthentication,
                                     .message = fmt::format("{} does not hold a token", path)});
    }
  }
  return *text;
}

}  // namespace

std::expected<std::string, Failure> LoadToken(const std::string& given) {
  const std::string named = given.empty() ? Environment("SLIPWAY_TOKEN_FILE") : given;
  if (!named.empty()) {
    return Check(named, ReadSmall(named));
  }
  for (const std::string& path : {UserFile(), std::string(kSystemFile)}) {
    if (path.empty()) {
      continue;
    }
    const auto text = ReadSmall(path);
    // The system's file is there but not ours to read: the region's 401 says what to do.
    if (text) {
      return Check(path, text);
    }
  }
  return std::string();
}

}  // namespace slipway::cli
