#include "tests/tidy/source_text.h"

#include <algorithm>
#include <array>

namespace slipway::tidy {
namespace {

enum class State { kCode, kLineComment, kBlockComment, kText, kCharacter, kRaw };

// Walks the text once; each Step consumes at least one character.
class Splitter {
 public:
  explicit Splitter(std::string_view text) : text_(text) {}

  std::vector<SourceLine> Run() {
    lines_.emplace_back();
    while (at_ < text_.size()) {
      if (text_[at_] == '\n') {
        if (state_ == State::kLineComment) {
          state_ = State::kCode;
        }
        lines_.emplace_back();
        ++at_;
      } else {
        Step();
      }
    }
    return std::move(lines_);
  }

 private:
  [[nodiscard]] bool Sees(std::string_view what) const {
    return text_.substr(at_).starts_with(what);
  }

  void Step() {
    switch (state_) {
      case State::kCode:
        StepCode();
        return;
      case State::kLineComment:
        lines_.back().comment.push_back(text_[at_++]);
        return;
      case State::kBlockComment:
        if (Sees("*/")) {
          at_ += 2;
          state_ = State::kCode;
        } else {
          lines_.back().comment.push_back(text_[at_++]);
        }
        return;
      case State::kText:
      case State::kCharacter:
        StepLiteral(state_ == State::kText ? '"' : '\'');
        return;
      case State::kRaw:
        if (Sees(raw_end_)) {
          at_ += raw_end_.size();
          lines_.back().code.push_back('"');
          state_ = State::kCode;
        } else {
          ++at_;
        }
        return;
    }
  }

  void StepCode() {
    if (Sees("//")) {
      at_ += 2;
      state_ = State::kLineComment;
    } else if (Sees("/*")) {
      at_ += 2;
      state_ = State::kBlockComment;
    } else if (Sees("R\"")) {
      const std::size_t open = std::min(text_.find('(', at_), text_.size());
      raw_end_ = ")" + std::string(text_.substr(at_ + 2, open - at_ - 2)) + "\"";
      at_ = std::min(open + 1, text_.size());
      lines_.back().code.push_back('"');
      state_ = State::kRaw;
    } else {
      const char c = text_[at_++];
      const bool digit_separator = c == '\'' && !lines_.back().code.empty() &&
                                   isalnum(static_cast<unsigned char>(lines_.back().code.back()));
      lines_.back().code.push_back(c);
      if (c == '"') {
        state_ = State::kText;
      } else if (c == '\'' && !digit_separator) {
        state_ = State::kCharacter;
      }
    }
  }

  void StepLiteral(char end) {
    if (text_[at_] == '\\' && at_ + 1 < text_.size()) {
      at_ += 2;
      return;
    }
    if (text_[at_++] == end) {
      lines_.back().code.push_back(end);
      state_ = State::kCode;
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
  State state_ = State::kCode;
  std::string raw_end_;
  std::vector<SourceLine> lines_;
};

bool HasWord(std::string_view code, std::string_view word) {
  bool found = false;
  ForEachName(code, [&](std::string_view name, std::size_t) { found = found || name == word; });
  return found;
}

// What an opening brace opens, judged by the code since the last ';', '{' or '}'.
bool OpensScope(std::string_view head) {
  constexpr std::array<std::string_view, 5> kScopes{"namespace", "class", "struct", "union",
                                                    "extern"};
  return head.find('(') == std::string_view::npos &&
         std::any_of(kScopes.begin(), kScopes.end(),
                     [head](std::string_view word) { return HasWord(head, word); });
}

bool OpensFunction(std::string_view head) {
  return head.find(')') != std::string_view::npos && !HasWord(head, "enum");
}

}  // namespace

std::vector<SourceLine> SplitSource(std::string_view text) { return Splitter(text).Run(); }

std::vector<Function> FindFunctions(const std::vector<SourceLine>& lines) {
  std::vector<Function> functions;
  std::vector<bool> scopes;  // one per open brace outside of functions: is it a scope?
  std::size_t depth_in = 0;  // braces open inside the current function
  std::string head;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (depth_in == 0 && lines[i].code.starts_with("#")) {
      continue;
    }
    for (const char c : lines[i].code) {
      if (depth_in > 0) {
        depth_in += c == '{' ? 1U : 0U;
        depth_in -= c == '}' ? 1U : 0U;
        if (depth_in == 0) {
          functions.back().last_line = i + 1;
        }
      } else if (c == '{') {
        const bool scope = OpensScope(head);
        const bool outside = std::all_of(scopes.begin(), scopes.end(), [](bool s) { return s; });
        if (!scope && outside && OpensFunction(head)) {
          functions.push_back({.first_line = i + 1, .last_line = i + 1});
          depth_in = 1;
        } else {
          scopes.push_back(scope);
        }
        head.clear();
      } else if (c == '}' || c == ';') {
        if (c == '}' && !scopes.empty()) {
          scopes.pop_back();
        }
        head.clear();
      } else {
        head.push_back(c);
      }
    }
    head.push_back(' ');
  }
  return functions;
}

}  // namespace slipway::tidy
