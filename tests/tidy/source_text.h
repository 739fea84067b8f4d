// A C++ source taken apart just far enough for the house-style rules: what is code and what is
// comment, line by line, and where functions begin and end. Works on formatted code.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::tidy {

struct SourceLine {
  std::string code;     // literals are blanked out ("" and ''), comments are gone
  std::string comment;  // without its marks
};

struct Function {
  std::size_t first_line = 0;  // of the opening brace; lines count from 1
  std::size_t last_line = 0;   // of the closing brace

  [[nodiscard]] std::size_t lines() const { return last_line - first_line + 1; }
};

[[nodiscard]] std::vector<SourceLine> SplitSource(std::string_view text);

// Outermost functions only: a lambda counts for the function that it is in.
[[nodiscard]] std::vector<Function> FindFunctions(const std::vector<SourceLine>& lines);

// Calls `take(word, begin)` for each identifier, with qualifiers: "std::function", "x.value" gives
// "x" and "value".
template <typename Take>
void ForEachName(std::string_view code, Take take) {
  const auto is_name = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  std::size_t i = 0;
  while (i < code.size()) {
    if (!is_name(code[i])) {
      ++i;
      continue;
    }
    const std::size_t begin = i;
    while (i < code.size() && (is_name(code[i]) || (code.substr(i).starts_with("::") &&
                                                    i + 2 < code.size() && is_name(code[i + 2])))) {
      i += code[i] == ':' ? 2U : 1U;
    }
    take(code.substr(begin, i - begin), begin);
  }
}

}  // namespace slipway::tidy
