#include "controlplane/api/http_head.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <utility>

#include "dataplane/base/check.h"

namespace slipway::api {
namespace {

using Outcome = std::expected<void, HeadRefusal>;

[[nodiscard]] std::unexpected<HeadRefusal> Refuse(int status, std::string_view reason) {
  return std::unexpected(HeadRefusal{.status = status, .reason = reason});
}

[[nodiscard]] bool IsDigit(char c) noexcept { return c >= '0' && c <= '9'; }

[[nodiscard]] bool IsAlpha(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// RFC 9110 5.6.2.
[[nodiscard]] bool IsTokenChar(char c) noexcept {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return IsDigit(c) || IsAlpha(c) || kMarks.find(c) != std::string_view::npos;
}

[[nodiscard]] bool IsToken(std::string_view text) noexcept {
  return !text.empty() && std::all_of(text.begin(), text.end(), IsTokenChar);
}

// Visible ASCII: nothing else may stand in a request target.
[[nodiscard]] bool IsVisible(char c) noexcept { return c > 0x20 && c < 0x7F; }

// RFC 9110 5.5: tab, space, visible, and obs-text.
[[nodiscard]] bool IsFieldChar(char c) noexcept {
  const auto byte = static_cast<unsigned char>(c);
  return byte == '\t' || (byte >= 0x20 && byte != 0x7F);
}

[[nodiscard]] std::string_view Trim(std::string_view text) noexcept {
  constexpr std::string_view kSpace = " \t";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) {
    return {};
  }
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

[[nodiscard]] std::string Lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  }
  return out;
}

[[nodiscard]] Outcome ParseRequestLine(std::string_view line, RequestHead& head) {
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) {
    return Refuse(400, "the request line is not METHOD TARGET VERSION");
  }
  const std::string_view method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);
  if (!IsToken(method)) {
    return Refuse(400, "the method is not a token");
  }
  if (version != "HTTP/1.1" && version != "HTTP/1.0") {
    return version.starts_with("HTTP/") ? Refuse(505, "only HTTP/1.0 and HTTP/1.1 are spoken here")
                                        : Refuse(400, "the request line has no HTTP version");
  }
  head.keep_alive = version == "HTTP/1.1";
  if (target.size() > kTargetBytesMax) {
    return Refuse(414, "the request target is longer than 4096 bytes");
  }
  if (!target.starts_with('/') || !std::all_of(target.begin(), target.end(), IsVisible) ||
      target.find('#') != std::string_view::npos) {
    return Refuse(400, "the request target must be a path that begins with '/'");
  }
  const auto known = ParseMethod(method);
  if (!known) {
    return Refuse(501, "this method is not implemented");
  }
  head.request.method = *known;
  const std::size_t question = target.find('?');
  head.request.path = target.substr(0, question);
  head.request.query = question == std::string_view::npos ? "" : target.substr(question + 1);
  return {};
}

[[nodiscard]] Outcome ParseField(std::string_view line, RequestHead& head) {
  if (line.starts_with(' ') || line.starts_with('\t')) {
    return Refuse(400, "a header line is folded (RFC 9112 5.2)");
  }
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || !IsToken(line.substr(0, colon))) {
    return Refuse(400, "a header line is not NAME: VALUE");
  }
  if (head.request.headers.size() == kHeadersMax) {
    return Refuse(431, "more than 64 header lines");
  }
  head.request.headers.push_back(
      {.name = Lower(line.substr(0, colon)), .value = std::string(Trim(line.substr(colon + 1)))});
  return {};
}

[[nodiscard]] std::size_t Count(const Request& request, std::string_view name) noexcept {
  return static_cast<std::size_t>(
      std::count_if(request.headers.begin(), request.headers.end(),
                    [name](const Header& header) { return header.name == name; }));
}

// RFC 9112 3.2 and RFC 3986 3.2.2, without user information.
[[nodiscard]] bool IsHost(std::string_view host) noexcept {
  return !host.empty() && std::all_of(host.begin(), host.end(), [](char c) {
    constexpr std::string_view kMarks = "-._~:[]";
    return IsDigit(c) || IsAlpha(c) || kMarks.find(c) != std::string_view::npos;
  });
}

// RFC 9112 6: one way only to tell where the body ends.
[[nodiscard]] Outcome ReadFraming(RequestHead& head) {
  const Request& request = head.request;
  const std::size_t lengths = Count(request, "content-length");
  const std::size_t codings = Count(request, "transfer-encoding");
  if (lengths > 1) {
    return Refuse(400, "Content-Length is given twice");
  }
  if (lengths > 0 && codings > 0) {
    return Refuse(400, "both Content-Length and Transfer-Encoding");
  }
  if (codings > 0) {
    if (codings > 1 || Lower(request.header("transfer-encoding")) != "chunked" ||
        !head.keep_alive) {
      return Refuse(400, "the only Transfer-Encoding is a single 'chunked', in HTTP/1.1");
    }
    head.chunked = true;
  }
  if (lengths > 0) {
    const std::string_view text = request.header("content-length");
    const auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), head.content_length);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size()) {
      return Refuse(400, "Content-Length is not a number");
    }
  }
  return {};
}

[[nodiscard]] Outcome ReadConnection(RequestHead& head) {
  const Request& request = head.request;
  const std::size_t hosts = Count(request, "host");
  const bool is_1_1 = head.keep_alive;
  if (hosts > 1 || (hosts == 0 && is_1_1)) {
    return Refuse(400, "exactly one Host header is needed");
  }
  if (hosts == 1 && !IsHost(request.header("host"))) {
    return Refuse(400, "the Host header is not a host and port");
  }
  if (Lower(request.header("connection")) == "close") {
    head.keep_alive = false;
  }
  const std::string_view expect = request.header("expect");
  if (!expect.empty() && Lower(expect) != "100-continue") {
    return Refuse(417, "the only expectation known here is 100-continue");
  }
  head.expects_continue = !expect.empty() && is_1_1;
  return {};
}

[[nodiscard]] Outcome ParseLines(std::string_view head, RequestHead& out) {
  bool first = true;
  while (head.size() > 2) {
    const std::size_t end = head.find("\r\n");
    SLIP_CHECK(end != std::string_view::npos);
    const std::string_view line = head.substr(0, end);
    if (!std::all_of(line.begin(), line.end(), IsFieldChar)) {
      return Refuse(400, "a control character, or a CR or LF alone, in the head");
    }
    const Outcome outcome = first ? ParseRequestLine(line, out) : ParseField(line, out);
    if (!outcome) {
      return outcome;
    }
    first = false;
    head.remove_prefix(end + 2);
  }
  return first ? Outcome(Refuse(400, "the request line is missing")) : Outcome{};
}

}  // namespace

std::size_t FindHeadEnd(std::string_view bytes) noexcept {
  const std::size_t at = bytes.find("\r\n\r\n");
  return at == std::string_view::npos ? at : at + 4;
}

bool IsRequestId(std::string_view text) noexcept {
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
    return IsDigit(c) || IsAlpha(c) || c == '-' || c == '_' || c == '.';
  });
}

std::expected<RequestHead, HeadRefusal> ParseHead(std::string_view head) {
  if (!head.ends_with("\r\n\r\n")) {
    return Refuse(400, "the head does not end with an empty line");
  }
  RequestHead out;
  if (const Outcome lines = ParseLines(head, out); !lines) {
    return std::unexpected(lines.error());
  }
  if (const Outcome framing = ReadFraming(out); !framing) {
    return std::unexpected(framing.error());
  }
  if (const Outcome connection = ReadConnection(out); !connection) {
    return std::unexpected(connection.error());
  }
  if (const std::string_view id = out.request.header("x-request-id"); IsRequestId(id)) {
    out.request.id = id;
  }
  return out;
}

}  // namespace slipway::api
