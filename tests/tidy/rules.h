// The house-style rules that no compiler checks. docs/testing.md lists them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::tidy {

inline constexpr std::size_t kFunctionLinesMax = 70;
inline constexpr std::size_t kFileLinesMax = 900;

struct Problem {
  std::string file;
  std::size_t line = 0;
  std::string text;
};

// `path` is relative to the root of the tree, with '/'.
void CheckSource(const std::string& path, std::string_view text, std::vector<Problem>& problems);

// Links of a Markdown file that point into the tree must exist below `root`.
void CheckMarkdown(const std::string& root, const std::string& path, std::string_view text,
                   std::vector<Problem>& problems);

// Any text file: white space at ends of lines, a missing last newline, notes without an issue.
void CheckText(const std::string& path, std::string_view text, std::vector<Problem>& problems);

}  // namespace slipway::tidy
