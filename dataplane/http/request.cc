#include "dataplane/http/request.h"

#include <algorithm>
#include <array>

namespace slipway::http {
namespace {

constexpr char Lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// Sets of characters, as bits of a table.
using CharClass = unsigned;
constexpr CharClass kToken = 1;
constexpr CharClass kFieldText = 2;
constexpr CharClass kTargetText = 4;
constexpr CharClass kHostText = 8;

constexpr std::array<std::uint8_t, 256> MakeClasses() noexcept {
  std::array<std::uint8_t, 256> classes{};
  for (std::size_t c = 0; c < 256; ++c) {
    const bool alnum = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    const auto is_one_of = [c](std::string_view set) {
      return c < 0x80 && set.find(static_cast<char>(c)) != std::string_view::npos;
    };
    const unsigned token = alnum || is_one_of("!#$%&'*+-.^_`|~") ? kToken : 0U;
    const unsigned field = c == '\t' || (c >= 0x20 && c != 0x7F) ? kFieldText : 0U;
    const unsigned target = c > 0x20 && c < 0x7F ? kTargetText : 0U;
    const unsigned host = alnum || is_one_of("-._") ? kHostText : 0U;
    classes[c] = static_cast<std::uint8_t>(token | field | target | host);
  }
  return classes;
}

constexpr std::array<std::uint8_t, 256> kClasses = MakeClasses();

bool AllOf(std::string_view text, CharClass wanted) noexcept {
  return std::ranges::all_of(
      text, [wanted](char c) { return (kClasses[static_cast<unsigned char>(c)] & wanted) != 0; });
}

std::string_view TrimOws(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) {
    text.remove_prefix(1);
  }
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) {
    text.remove_suffix(1);
  }
  return text;
}

// Methods of RFC 9110 9 and RFC 5789: known, so that a route that lacks them answers 405.
constexpr std::array<std::string_view, 6> kOtherMethods = {"PUT",   "DELETE",  "OPTIONS",
                                                           "TRACE", "CONNECT", "PATCH"};

Method MethodOf(std::string_view text) noexcept {
  if (text == "GET") {
    return Method::kGet;
  }
  if (text == "HEAD") {
    return Method::kHead;
  }
  if (text == "POST") {
    return Method::kPost;
  }
  return std::ranges::find(kOtherMethods, text) != kOtherMethods.end() ? Method::kOtherKnown
                                                                       : Method::kUnknown;
}

// host [":" port] with a name, an IPv4 address or an IPv6 address in brackets (RFC 3986 3.2.2).
bool ValidHost(std::string_view host) noexcept {
  if (host.empty() || host.size() > 255) {
    return false;
  }
  std::string_view port;
  if (host.front() == '[') {
    const std::size_t end = host.find(']');
    if (end == std::string_view::npos || end < 3) {
      return false;
    }
    const std::string_view address = host.substr(1, end - 1);
    if (address.find_first_not_of("0123456789abcdefABCDEF:.") != std::string_view::npos) {
      return false;
    }
    port = host.substr(end + 1);
  } else {
    const std::size_t end = std::min(host.find(':'), host.size());
    if (end == 0 || !AllOf(host.substr(0, end), kHostText)) {
      return false;
    }
    port = host.substr(end);
  }
  if (port.empty()) {
    return true;
  }
  return port.front() == ':' && port.size() <= 6 &&
         port.find_first_not_of("0123456789", 1) == std::string_view::npos;
}

// The status to answer with, or kFine.
using Problem = Status;
constexpr Problem kFine = Status::kOk;

Problem ParseVersion(std::string_view text, Request& request) noexcept {
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  if (text.size() != 8 || !text.starts_with("HTTP/") || !digit(text[5]) || text[6] != '.' ||
      !digit(text[7])) {
    return Status::kBadRequest;
  }
  if (text[5] != '1') {
    return Status::kVersionNotSupported;
  }
  request.http11 = text[7] != '0';  // A higher minor version speaks as 1.1 (RFC 9110 2.5).
  request.keep_alive = request.http11;
  return kFine;
}

Problem ParseTarget(std::string_view target, Request& request,
                    std::string_view& authority) noexcept {
  if (target.size() > kTargetBytesMax) {
    return Status::kUriTooLong;
  }
  if (target.empty() || !AllOf(target, kTargetText)) {
    return Status::kBadRequest;
  }
  if (target.front() != '/' && target != "*") {
    // Absolute form (RFC 9112 3.2.2): its authority takes the place of Host.
    constexpr std::string_view kScheme = "http://";
    if (target.size() <= kScheme.size() ||
        !EqualsIgnoringCase(target.substr(0, kScheme.size()), kScheme)) {
      return Status::kBadRequest;
    }
    target.remove_prefix(kScheme.size());
    const std::size_t path = std::min(target.find_first_of("/?"), target.size());
    authority = target.substr(0, path);
    if (!ValidHost(authority)) {
      return Status::kBadRequest;
    }
    target.remove_prefix(path);
    if (target.empty() || target.front() != '/') {
      return Status::kBadRequest;
    }
  }
  request.target = target;
  return kFine;
}

Problem ParseRequestLine(std::string_view line, Request& request,
                         std::string_view& authority) noexcept {
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == 0 || last == first) {
    return Status::kBadRequest;
  }
  const std::string_view method = line.substr(0, first);
  if (!AllOf(method, kToken)) {
    return Status::kBadRequest;
  }
  if (const Problem problem = ParseVersion(line.substr(last + 1), request); problem != kFine) {
    return problem;
  }
  // A second space is inside the target and is refused there.
  if (const Problem problem =
          ParseTarget(line.substr(first + 1, last - first - 1), request, authority);
      problem != kFine) {
    return problem;
  }
  request.method = MethodOf(method);
  return request.method == Method::kUnknown ? Status::kNotImplemented : kFine;
}

Problem ParseLength(std::string_view value, Request& request) noexcept {
  if (request.has_length || value.empty() || value.size() > 18 ||
      value.find_first_not_of("0123456789") != std::string_view::npos) {
    return Status::kBadRequest;  // A list of equal lengths too: nobody honest sends one.
  }
  for (const char c : value) {
    request.content_length = request.content_length * 10 + static_cast<std::uint64_t>(c - '0');
  }
  request.has_length = true;
  return kFine;
}

void ParseConnection(std::string_view value, Request& request, bool& close) noexcept {
  while (!value.empty()) {
    const std::size_t end = std::min(value.find(','), value.size());
    const std::string_view token = TrimOws(value.substr(0, end));
    close = close || EqualsIgnoringCase(token, "close");
    request.keep_alive = request.keep_alive || EqualsIgnoringCase(token, "keep-alive");
    value.remove_prefix(std::min(end + 1, value.size()));
  }
}

struct SingleField {
  std::string_view name;
  std::string_view Request::*value;
};

// Fields that may come once and whose value is kept as it is.
constexpr std::array<SingleField, 6> kSingleFields = {{
    {"authorization", &Request::authorization},
    {"if-match", &Request::if_match},
    {"if-modified-since", &Request::if_modified_since},
    {"if-none-match", &Request::if_none_match},
    {"if-range", &Request::if_range},
    {"range", &Request::range},
}};

struct FieldState {
  std::size_t hosts = 0;
  bool coding = false;
  bool close = false;
  bool bad_expect = false;
  std::string_view authority;
};

Problem ParseKnownField(std::string_view name, std::string_view value, Request& request,
                        FieldState& state) noexcept {
  if (EqualsIgnoringCase(name, "host")) {
    request.host = value;
    return ++state.hosts == 1 && ValidHost(value) ? kFine : Status::kBadRequest;
  }
  if (EqualsIgnoringCase(name, "content-length")) {
    return ParseLength(value, request);
  }
  if (EqualsIgnoringCase(name, "transfer-encoding")) {
    state.coding = true;
    return kFine;
  }
  if (EqualsIgnoringCase(name, "connection")) {
    ParseConnection(value, request, state.close);
    return kFine;
  }
  if (EqualsIgnoringCase(name, "expect")) {
    request.expect_continue = EqualsIgnoringCase(value, "100-continue");
    state.bad_expect = state.bad_expect || !request.expect_continue;
    return kFine;
  }
  for (const SingleField& field : kSingleFields) {
    if (EqualsIgnoringCase(name, field.name)) {
      if (!(request.*field.value).empty()) {
        return Status::kBadRequest;
      }
      request.*field.value = value;
      return kFine;
    }
  }
  return kFine;
}

Problem ParseField(std::string_view line, Request& request, FieldState& state) noexcept {
  // A line that begins with a space continues the one before (obs-fold): its name is not a token.
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0) {
    return Status::kBadRequest;
  }
  const std::string_view name = line.substr(0, colon);
  const std::string_view value = TrimOws(line.substr(colon + 1));
  if (!AllOf(name, kToken) || !AllOf(value, kFieldText)) {
    return Status::kBadRequest;
  }
  return ParseKnownField(name, value, request, state);
}

// Rules about the head as a whole.
Problem CheckHead(Request& request, const FieldState& state) noexcept {
  if (state.hosts == 0 && request.http11) {
    return Status::kBadRequest;
  }
  if (!state.authority.empty()) {
    request.host = state.authority;
  }
  request.keep_alive = request.keep_alive && !state.close;
  if (state.coding) {
    // With a length: smuggling. In 1.0: undefined (RFC 9112 6.1). Alone: we want a length.
    return request.has_length || !request.http11 ? Status::kBadRequest : Status::kLengthRequired;
  }
  if (state.bad_expect) {
    return Status::kExpectationFailed;
  }
  if (request.method == Method::kPost && !request.has_length) {
    return Status::kLengthRequired;
  }
  const bool has_body = request.has_length && request.content_length > 0;
  if (has_body && request.method != Method::kPost) {
    return Status::kBadRequest;  // Content on GET has no meaning here (RFC 9110 9.3.1).
  }
  return kFine;
}

Problem ParseHead(std::string_view head, Request& request) noexcept {
  FieldState state;
  request = Request();
  const std::size_t end = head.find("\r\n");
  if (const Problem problem = ParseRequestLine(head.substr(0, end), request, state.authority);
      problem != kFine) {
    return problem;
  }
  head.remove_prefix(end + 2);
  while (!head.starts_with("\r\n")) {
    const std::size_t line = head.find("\r\n");
    if (const Problem problem = ParseField(head.substr(0, line), request, state);
        problem != kFine) {
      return problem;
    }
    head.remove_prefix(line + 2);
  }
  return CheckHead(request, state);
}

ScanResult Rejected(Status status) noexcept {
  return {.kind = ScanKind::kRejected, .status = status};
}

int HexValue(char c) noexcept {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  const char lower = Lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

bool HasDotSegment(std::string_view path) noexcept {
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/'), path.size());
    const std::string_view segment = path.substr(0, end);
    if (segment == "." || segment == "..") {
      return true;
    }
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return false;
}

}  // namespace

bool EqualsIgnoringCase(std::string_view a, std::string_view b) noexcept {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [](char x, char y) { return Lower(x) == Lower(y); });
}

ScanResult HeadScanner::Scan(ByteSpan input, Request& request) noexcept {
  const std::string_view text = AsText(input.first(std::min(input.size(), kHeadBytesMax)));
  while (true) {
    const std::size_t lf = text.find('\n', scanned_);
    if (lf == std::string_view::npos) {
      scanned_ = text.size();
      if (text.size() == kHeadBytesMax) {
        return Rejected(lines_ == 0 ? Status::kUriTooLong : Status::kFieldsTooLarge);
      }
      return {};
    }
    if (lf == line_begin_ || text[lf - 1] != '\r') {
      return Rejected(Status::kBadRequest);
    }
    const bool empty = lf - 1 == line_begin_;
    scanned_ = lf + 1;
    line_begin_ = scanned_;
    if (!empty) {
      if (++lines_ > kFieldsMax + 1) {
        return Rejected(Status::kFieldsTooLarge);
      }
      continue;
    }
    if (lines_ == 0) {
      if (++empty_lines_ > kEmptyLinesMax) {
        return Rejected(Status::kBadRequest);
      }
      head_begin_ = scanned_;
      continue;
    }
    const Problem problem = ParseHead(text.substr(head_begin_, scanned_ - head_begin_), request);
    if (problem != kFine) {
      return Rejected(problem);
    }
    return {.kind = ScanKind::kComplete, .head_bytes = scanned_};
  }
}

bool DecodeTarget(std::string_view target, std::span<char> out, std::size_t* path_bytes,
                  std::string_view* query) noexcept {
  *path_bytes = 0;
  const std::size_t path_end = std::min(target.find('?'), target.size());
  *query = target.substr(std::min(path_end + 1, target.size()));
  if (target.find('#') != std::string_view::npos) {
    return false;
  }
  const std::string_view path = target.substr(0, path_end);
  std::size_t written = 0;
  bool fits = true;
  for (std::size_t i = 0; i < path.size(); ++i) {
    char c = path[i];
    if (c == '\\') {
      return false;
    }
    if (c == '%') {
      const int high = path.size() - i > 2 ? HexValue(path[i + 1]) : -1;
      const int low = high >= 0 ? HexValue(path[i + 2]) : -1;
      const int value = high * 16 + low;
      if (high < 0 || low < 0 || value < 0x20 || value == 0x7F || value == '/' || value == '\\') {
        return false;
      }
      c = static_cast<char>(value);
      i += 2;
    }
    if (written < out.size()) {
      out[written++] = c;
    } else {
      fits = false;
    }
  }
  if (HasDotSegment({out.data(), written})) {
    return false;
  }
  *path_bytes = fits ? written : 0;
  return true;
}

}  // namespace slipway::http
