// The head of a response, written into a caller's span (RFC 9110, RFC 9112).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "dataplane/base/cursor.h"
#include "dataplane/base/time.h"
#include "dataplane/http/conditions.h"
#include "dataplane/http/request.h"

namespace slipway::http {

// Any head of ours, with the short text of an error behind it.
inline constexpr std::size_t kResponseHeadBytesMax = 768;

struct ResponseHead {
  Status status = Status::kOk;
  bool keep_alive = true;
  bool http11 = true;
  bool cacheable = false;  // else Cache-Control: no-store on 200 and 206
  bool omit_body = false;  // HEAD: the length is said, the text left out
  std::uint32_t retry_after_seconds = 0;
  std::uint64_t content_length = 0;  // 200 and 206
  std::uint64_t range_offset = 0;    // 206
  std::uint64_t bytes_total = 0;     // 206 and 416
  std::string_view content_type;     // 200 and 206
  std::string_view allow;            // 405
  Validators validators;             // 200, 206 and 304
};

// "404 Not Found".
[[nodiscard]] std::string_view StatusLineText(Status status) noexcept;

// Bytes written; 0 if `out` is too small. A status of 400 and above, and 202, is followed by its
// own text as the body.
[[nodiscard]] std::size_t WriteResponse(const ResponseHead& head, WallTime now,
                                        MutableByteSpan out) noexcept;

}  // namespace slipway::http
