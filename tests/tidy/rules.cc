#include "tests/tidy/rules.h"

#include <algorithm>
#include <array>
#include <filesystem>

#include "tests/tidy/source_text.h"

namespace slipway::tidy {
namespace {

// Folders built without exceptions, where a packet path may be.
constexpr std::array<std::string_view, 11> kHotFolders{
    "base", "net", "dhcp", "tftp", "http", "boot", "lease", "shard", "ring", "epoll", "service"};

bool IsHot(std::string_view path) {
  constexpr std::string_view kPlane = "dataplane/";
  if (!path.starts_with(kPlane)) {
    return false;
  }
  path.remove_prefix(kPlane.size());
  const std::string_view folder = path.substr(0, path.find('/'));
  return std::find(kHotFolders.begin(), kHotFolders.end(), folder) != kHotFolders.end();
}

bool IsProduct(std::string_view path) {
  return path.starts_with("dataplane/") || path.starts_with("controlplane/");
}

bool IsQuietTest(std::string_view path) {
  return path.starts_with("tests/unit/") || path.starts_with("tests/property/") ||
         path.starts_with("tests/sim/");
}

bool IsAnywhere(std::string_view) { return true; }

bool MayNotCoroutine(std::string_view path) { return path != "controlplane/api/http_server.cc"; }

struct Banned {
  std::string_view name;
  bool call;  // only where a '(' follows
  bool (*where)(std::string_view path);
  std::string_view instead;
};

constexpr std::array<Banned, 37> kBanned{{
    {"strcpy", true, IsAnywhere, "a span or FixedString"},
    {"strcat", true, IsAnywhere, "a span or FixedString"},
    {"strncpy", true, IsAnywhere, "a span or FixedString"},
    {"sprintf", true, IsAnywhere, "snprintf, std::to_chars or fmt"},
    {"vsprintf", true, IsAnywhere, "vsnprintf"},
    {"gets", true, IsAnywhere, "a bounded read"},
    {"strtok", true, IsAnywhere, "string_view::find"},
    {"atoi", true, IsAnywhere, "std::from_chars"},
    {"atol", true, IsAnywhere, "std::from_chars"},
    {"std::stoi", true, IsProduct, "std::from_chars"},
    {"std::stoul", true, IsProduct, "std::from_chars"},
    {"alloca", true, IsAnywhere, "a named limit and an array"},
    {"rand", true, IsAnywhere, "slipway::Random"},
    {"std::rand", true, IsAnywhere, "slipway::Random"},
    {"tmpnam", true, IsAnywhere, "mkdtemp"},
    {"mktemp", true, IsAnywhere, "mkdtemp"},
    {"system", true, IsAnywhere, "posix_spawn with a fixed program"},
    {"std::system", true, IsAnywhere, "posix_spawn with a fixed program"},
    {"popen", true, IsAnywhere, "posix_spawn with a fixed program"},
    {"gethostbyname", true, IsAnywhere, "getaddrinfo off the shard"},
    {"std::function", false, IsHot, "a template, a function pointer with context, or a table"},
    {"std::shared_ptr", false, IsHot, "one owner, or an index into a pool"},
    {"std::make_shared", false, IsHot, "one owner, or an index into a pool"},
    {"std::map", false, IsHot, "a fixed table or a sorted array"},
    {"std::regex", false, IsHot, "a parser"},
    {"std::cout", false, IsProduct, "a LogSink, or write() in a main"},
    {"std::cerr", false, IsProduct, "a LogSink, or write() in a main"},
    {"throw", false, IsProduct, "a Result"},
    {"co_await", false, MayNotCoroutine, "a state machine: GCC 12 miscompiles coroutines"},
    {"co_yield", false, MayNotCoroutine, "a state machine: GCC 12 miscompiles coroutines"},
    {"co_return", false, MayNotCoroutine, "a state machine: GCC 12 miscompiles coroutines"},
    {"std::this_thread::sleep_for", false, IsQuietTest, "the simulated clock"},
    {"std::this_thread::sleep_until", false, IsQuietTest, "the simulated clock"},
    {"usleep", true, IsQuietTest, "the simulated clock"},
    {"nanosleep", true, IsQuietTest, "the simulated clock"},
    {"sleep", true, IsQuietTest, "the simulated clock"},
    {"dynamic_cast", false, IsHot, "a tag: there is no run-time type information"},
}};

void CheckNames(const std::string& path, const std::vector<SourceLine>& lines,
                std::vector<Problem>& problems) {
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string_view code = lines[i].code;
    const bool allowed = lines[i].comment.find("NOLINT(slipway-banned):") != std::string::npos;
    ForEachName(code, [&](std::string_view name, std::size_t begin) {
      // A member of that name is somebody else's business.
      const bool member = begin > 0 && (code[begin - 1] == '.' || code[begin - 1] == '>');
      const std::size_t after = code.find_first_not_of(' ', begin + name.size());
      const bool call = after != std::string_view::npos && code[after] == '(';
      for (const Banned& banned : kBanned) {
        if (banned.name == name && !member && !allowed && (call || !banned.call) &&
            banned.where(path)) {
          problems.push_back(
              {path, i + 1,
               std::string(name) + " is not allowed here; take " + std::string(banned.instead)});
        }
      }
    });
    const bool excused =
        lines[i].comment.find("NOLINT(google-build-using-namespace):") != std::string::npos;
    if (code.find("using namespace") != std::string_view::npos && !excused) {
      problems.push_back({path, i + 1, "using namespace is not allowed; name what you need"});
    }
    if (IsHot(path) &&
        (code.starts_with("#include <iostream>") || code.starts_with("#include <regex>") ||
         code.starts_with("#include <functional>"))) {
      problems.push_back({path, i + 1, "this header is not allowed in a hot folder"});
    }
  }
}

// "TODO(#12): text" is the only form of a note to ourselves.
void CheckNotes(const std::string& path, std::string_view line, std::size_t number,
                std::vector<Problem>& problems) {
  constexpr std::array<std::string_view, 3> kNever{
      "FIX"
      "ME",
      "XX"
      "X:",
      "HA"
      "CK"};
  for (const std::string_view word : kNever) {
    if (line.find(word) != std::string_view::npos) {
      problems.push_back({path, number, std::string(word) + ": open an issue instead"});
    }
  }
  constexpr std::string_view kNote =
      "TO"
      "DO";
  const std::size_t at = line.find(kNote);
  if (at == std::string_view::npos) {
    return;
  }
  const std::string_view rest = line.substr(at + kNote.size());
  const std::size_t close = rest.find("): ");
  const bool good = rest.starts_with("(#") && close != std::string_view::npos && close > 2 &&
                    std::all_of(rest.begin() + 2, rest.begin() + static_cast<std::ptrdiff_t>(close),
                                [](char c) { return c >= '0' && c <= '9'; });
  if (!good) {
    problems.push_back({path, number, std::string(kNote) + " needs its issue, as (#12): text"});
  }
}

// The target of a link without its anchor and title; "" if it points out of the tree.
std::string_view LocalTarget(std::string_view target) {
  target = target.substr(0, target.find_first_of("# \t"));
  return target.find("://") != std::string_view::npos || target.starts_with("mailto:")
             ? std::string_view()
             : target;
}

}  // namespace

void CheckSource(const std::string& path, std::string_view text, std::vector<Problem>& problems) {
  const std::vector<SourceLine> lines = SplitSource(text);
  if (lines.size() > kFileLinesMax + 1) {
    problems.push_back({path, lines.size(), "the file is longer than 900 lines: split it"});
  }
  if (path.ends_with(".h") && std::none_of(lines.begin(), lines.end(), [](const SourceLine& line) {
        return line.code == "#pragma once";
      })) {
    problems.push_back({path, 1, "#pragma once is missing"});
  }
  for (const Function& function : FindFunctions(lines)) {
    if (function.lines() > kFunctionLinesMax) {
      problems.push_back({path, function.first_line,
                          "a function of " + std::to_string(function.lines()) +
                              " lines; 70 are allowed: split it"});
    }
  }
  CheckNames(path, lines, problems);
}

void CheckMarkdown(const std::string& root, const std::string& path, std::string_view text,
                   std::vector<Problem>& problems) {
  namespace fs = std::filesystem;
  std::size_t number = 1;
  for (std::size_t i = 0; i < text.size(); ++i) {
    number += text[i] == '\n' ? 1U : 0U;
    if (!text.substr(i).starts_with("](")) {
      continue;
    }
    const std::size_t end = text.find_first_of(")\n", i);
    const std::string_view target = LocalTarget(text.substr(i + 2, end - i - 2));
    const fs::path place = fs::path(root) / fs::path(path).parent_path() / target;
    if (!target.empty() && !fs::exists(place)) {
      problems.push_back({path, number, "the link to " + std::string(target) + " leads nowhere"});
    }
  }
}

void CheckText(const std::string& path, std::string_view text, std::vector<Problem>& problems) {
  if (!text.empty() && text.back() != '\n') {
    problems.push_back({path, 0, "the last line has no end"});
  }
  std::size_t number = 0;
  while (!text.empty()) {
    ++number;
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!line.empty() && (line.back() == ' ' || line.back() == '\t' || line.back() == '\r')) {
      problems.push_back({path, number, "white space at the end of the line"});
    }
    if (line.starts_with("<<<<<<< ") || line.starts_with(">>>>>>> ")) {
      problems.push_back({path, number, "a merge conflict"});
    }
    CheckNotes(path, line, number, problems);
  }
}

}  // namespace slipway::tidy
