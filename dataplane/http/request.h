// The request head of HTTP/1.1 and HTTP/1.0 (RFC 9110, RFC 9112): one strict scan over a buffer
// that the caller owns. What other parsers forgive and attackers use (docs/protocols/http.md) is
// rejected here: obs-fold, bare CR or LF, NUL, two Hosts, two lengths, length with coding, a space
// before the colon.
//
//   request-line = method SP request-target SP HTTP-version CRLF
//   *( field-name ":" OWS field-value OWS CRLF ) CRLF
//
// Pure: bytes in, a view of them out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "dataplane/base/cursor.h"

namespace slipway::http {

inline constexpr std::size_t kHeadBytesMax = 8192;    // request line and fields; beyond: 431
inline constexpr std::size_t kTargetBytesMax = 1024;  // beyond: 414
inline constexpr std::size_t kFieldsMax = 64;         // beyond: 431
inline constexpr std::size_t kEmptyLinesMax = 4;      // before a request line (RFC 9112 2.2)

enum class Method : std::uint8_t { kGet, kHead, kPost, kOtherKnown, kUnknown };

// The status codes that a rack sends.
enum class Status : std::uint16_t {
  kContinue = 100,
  kOk = 200,
  kAccepted = 202,
  kPartialContent = 206,
  kNotModified = 304,
  kBadRequest = 400,
  kUnauthorized = 401,
  kNotFound = 404,
  kMethodNotAllowed = 405,
  kRequestTimeout = 408,
  kLengthRequired = 411,
  kPreconditionFailed = 412,
  kContentTooLarge = 413,
  kUriTooLong = 414,
  kRangeNotSatisfiable = 416,
  kExpectationFailed = 417,
  kFieldsTooLarge = 431,
  kInternalError = 500,
  kNotImplemented = 501,
  kUnavailable = 503,
  kVersionNotSupported = 505,
};

// The views point into the scanned bytes.
struct Request {
  Method method = Method::kUnknown;
  bool http11 = false;
  bool keep_alive = false;
  bool expect_continue = false;
  bool has_length = false;
  std::uint64_t content_length = 0;
  std::string_view target;  // origin form, the query included; the absolute form is reduced to it
  std::string_view host;
  std::string_view range;
  std::string_view if_range;
  std::string_view if_match;
  std::string_view if_none_match;
  std::string_view if_modified_since;
  std::string_view authorization;
};

enum class ScanKind : std::uint8_t { kIncomplete, kComplete, kRejected };

struct ScanResult {
  ScanKind kind = ScanKind::kIncomplete;
  Status status = Status::kBadRequest;  // kRejected: the answer; the connection ends with it
  std::size_t head_bytes = 0;           // kComplete: all of the head, blank lines before it too
};

// Finds and checks one request head at the front of a growing buffer. Remembers how far it has
// looked, so that a head that drips in byte by byte is still looked at about once.
class HeadScanner {
 public:
  // `input` begins with the bytes given before and has at most kHeadBytesMax bytes that count.
  // `request` is written when the result is kComplete, and holds what was read when kRejected.
  [[nodiscard]] ScanResult Scan(ByteSpan input, Request& request) noexcept;

  // For the next head.
  void Reset() noexcept { *this = HeadScanner(); }

 private:
  std::size_t scanned_ = 0;     // bytes already searched for the end of the head
  std::size_t line_begin_ = 0;  // where the line that is not complete yet begins
  std::size_t lines_ = 0;       // complete lines, the request line included
  std::size_t head_begin_ = 0;  // after empty lines
  std::size_t empty_lines_ = 0;
};

// Decodes a request target's path into `out`; `query` gets what follows the '?', undecoded.
// False: not to be served (400): a bad or encoded special byte (%00, %2F, %5C, controls), a
// fragment, or a "." or ".." segment. A path longer than `out` gives true with *path_bytes = 0.
[[nodiscard]] bool DecodeTarget(std::string_view target, std::span<char> out,
                                std::size_t* path_bytes, std::string_view* query) noexcept;

// ASCII only.
[[nodiscard]] bool EqualsIgnoringCase(std::string_view a, std::string_view b) noexcept;

}  // namespace slipway::http
