// Vectors: `<case>.hex` (lines of hex; lines with '#' say the origin) beside `<case>.expect`
// (text). SLIPWAY_RECORD_VECTORS=1 writes the expectations anew; the change is then reviewed as a
// diff.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace slipway::vectors {

[[nodiscard]] inline std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Skips comment lines and anything that is not a hex digit.
[[nodiscard]] inline std::string FromHex(const std::string& text) {
  std::string digits;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    if (text[at] != '#') {
      std::copy_if(text.begin() + static_cast<std::ptrdiff_t>(at),
                   text.begin() + static_cast<std::ptrdiff_t>(end), std::back_inserter(digits),
                   [](char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; });
    }
    at = end + 1;
  }
  std::string bytes;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

// Bytes that print stay, the others become \xx; a line break stays one.
[[nodiscard]] inline std::string Printable(const std::string& bytes) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string text;
  for (const char c : bytes) {
    const auto value = static_cast<unsigned char>(c);
    if (c == '\r') {
      continue;
    }
    if (c == '\n' || (value >= 0x20 && value < 0x7F && c != '\\')) {
      text.push_back(c);
    } else {
      text += {'\\', kHex[value >> 4], kHex[value & 15]};
    }
  }
  return text;
}

// Calls answer(bytes) for each case of the folder, in the order of names, and compares its text.
template <typename Answer>
void CheckFolder(const std::filesystem::path& folder, std::size_t cases_min, Answer&& answer) {
  std::vector<std::filesystem::path> cases;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".hex") {
      cases.push_back(entry.path());
    }
  }
  std::sort(cases.begin(), cases.end());
  ASSERT_GE(cases.size(), cases_min);
  for (auto path : cases) {
    const std::string got = answer(FromHex(ReadFile(path)));
    path.replace_extension(".expect");
    if (std::getenv("SLIPWAY_RECORD_VECTORS") != nullptr) {
      std::ofstream(path, std::ios::binary) << got;
    }
    EXPECT_EQ(got, ReadFile(path)) << path;
  }
}

}  // namespace slipway::vectors
