#include "dataplane/launcher/modules.h"

#include <algorithm>

namespace slipway::launcher {
namespace {

std::string_view NextLine(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

// One element of a pattern: a character, '?', or a bracket expression. Sets `size` to its length.
bool MatchOne(std::string_view pattern, char c, std::size_t& size) noexcept {
  size = 1;
  if (pattern.front() == '?') {
    return true;
  }
  const std::size_t end = pattern.front() == '[' ? pattern.find(']', 2) : std::string_view::npos;
  if (end == std::string_view::npos) {
    return pattern.front() == c;
  }
  size = end + 1;
  bool found = false;
  for (std::size_t i = 1; i < end; ++i) {
    if (i + 2 < end && pattern[i + 1] == '-') {
      found = found || (pattern[i] <= c && c <= pattern[i + 2]);
      i += 2;
    } else {
      found = found || pattern[i] == c;
    }
  }
  return found;
}

}  // namespace

bool GlobMatch(std::string_view pattern, std::string_view text) noexcept {
  // After a failed try the last star takes one character more; earlier stars need not be revisited.
  std::size_t at = 0;
  std::size_t star = std::string_view::npos;
  std::size_t star_text = 0;
  std::size_t i = 0;
  while (i < text.size()) {
    std::size_t size = 0;
    if (at < pattern.size() && pattern[at] == '*') {
      star = at++;
      star_text = i;
    } else if (at < pattern.size() && MatchOne(pattern.substr(at), text[i], size)) {
      at += size;
      ++i;
    } else if (star != std::string_view::npos) {
      at = star + 1;
      i = ++star_text;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', at) == std::string_view::npos;
}

std::string ModuleName(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  if (slash != std::string_view::npos) {
    path.remove_prefix(slash + 1);
  }
  if (path.ends_with(".ko")) {
    path.remove_suffix(3);
  }
  std::string name(path);
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

ModuleIndex::ModuleIndex(std::string_view alias_text, std::string_view dep_text) {
  constexpr std::string_view kAlias = "alias ";
  while (!alias_text.empty()) {
    std::string_view line = NextLine(alias_text);
    const std::size_t space = line.rfind(' ');
    if (line.starts_with(kAlias) && space > kAlias.size()) {
      aliases_.push_back({.pattern = line.substr(kAlias.size(), space - kAlias.size()),
                          .module = line.substr(space + 1)});
    }
  }
  while (!dep_text.empty()) {
    const std::string_view line = NextLine(dep_text);
    const std::size_t colon = line.find(':');
    if (colon != std::string_view::npos && colon > 0) {
      const std::string_view path = line.substr(0, colon);
      dependencies_.emplace(ModuleName(path), Entry{.path = path, .needs = line.substr(colon + 1)});
    }
  }
}

void ModuleIndex::Match(std::string_view modalias, std::vector<std::string_view>& names) const {
  for (const Alias& alias : aliases_) {
    if (GlobMatch(alias.pattern, modalias)) {
      names.push_back(alias.module);
    }
  }
}

Result<std::vector<std::string_view>> ModuleIndex::LoadOrder(std::string_view name) const {
  const auto found = dependencies_.find(ModuleName(name));
  if (found == dependencies_.end()) {
    return Fail(ErrorCode::kNotFound);
  }
  // modules.dep lists all that is needed, directly or not, with the deepest last.
  std::vector<std::string_view> order;
  std::string_view needs = found->second.needs;
  while (!needs.empty()) {
    const std::size_t space = needs.rfind(' ');
    const std::size_t start = space == std::string_view::npos ? 0 : space + 1;
    if (start < needs.size()) {
      order.push_back(needs.substr(start));
    }
    needs = needs.substr(0, space == std::string_view::npos ? 0 : space);
  }
  order.push_back(found->second.path);
  return order;
}

}  // namespace slipway::launcher
