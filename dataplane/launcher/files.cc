#include "dataplane/launcher/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <climits>
#include <cstdlib>

namespace slipway::launcher {

std::string ReadFile(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  std::string bytes;
  if (fd < 0) {
    return bytes;
  }
  std::array<char, 16384> piece{};
  while (bytes.size() < kFileBytesMax) {
    const ssize_t count = read(fd, piece.data(), piece.size());
    if (count <= 0) {
      break;
    }
    bytes.append(piece.data(), static_cast<std::size_t>(count));
  }
  close(fd);
  return bytes;
}

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kBlank(" \t\r\n\0", 5);
  const std::size_t start = text.find_first_not_of(kBlank);
  if (start == std::string_view::npos) {
    return {};
  }
  return text.substr(start, text.find_last_not_of(kBlank) - start + 1);
}

std::string ReadText(const std::string& path) { return std::string(Trim(ReadFile(path))); }

std::uint64_t ReadNumber(const std::string& path) {
  const std::string text = ReadText(path);
  std::uint64_t value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  return result.ec == std::errc() ? value : 0;
}

std::vector<std::string> ListFolder(const std::string& path) {
  std::vector<std::string> names;
  DIR* const folder = opendir(path.c_str());
  if (folder == nullptr) {
    return names;
  }
  while (const dirent* const entry = readdir(folder)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") {
      names.emplace_back(name);
    }
  }
  closedir(folder);
  std::sort(names.begin(), names.end());
  return names;
}

std::string Resolve(const std::string& path) {
  std::array<char, PATH_MAX> buffer{};
  const char* const resolved = realpath(path.c_str(), buffer.data());
  return resolved == nullptr ? std::string() : std::string(resolved);
}

std::string LinkName(const std::string& path) {
  std::array<char, PATH_MAX> buffer{};
  const ssize_t size = readlink(path.c_str(), buffer.data(), buffer.size());
  if (size <= 0) {
    return {};
  }
  const std::string_view target(buffer.data(), static_cast<std::size_t>(size));
  return std::string(target.substr(target.rfind('/') + 1));
}

bool Exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

}  // namespace slipway::launcher
