// The strict reading of a request head (RFC 9112), ahead of the library's: what could be understood
// in two ways is refused, so that nothing in front of us and nothing behind can disagree about it
// (docs/api.md lists the refusals). Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string_view>

#include "controlplane/api/http.h"

namespace slipway::api {

inline constexpr std::size_t kHeadBytesMax = 8192;  // request line and all headers
inline constexpr std::size_t kTargetBytesMax = 4096;
inline constexpr std::size_t kHeadersMax = 64;

struct RequestHead {
  Request request;  // without body and peer
  std::uint64_t content_length = 0;
  bool chunked = false;
  bool keep_alive = true;
  bool expects_continue = false;

  [[nodiscard]] bool has_body() const noexcept { return chunked || content_length > 0; }
};

struct HeadRefusal {
  int status = 400;
  std::string_view reason;  // a literal
};

// The offset just behind the empty line that ends the head; npos if it has not come yet.
[[nodiscard]] std::size_t FindHeadEnd(std::string_view bytes) noexcept;

// `head` includes the empty line. request.id is the X-Request-Id if that is well formed, else
// empty.
[[nodiscard]] std::expected<RequestHead, HeadRefusal> ParseHead(std::string_view head);

// 1 to 64 letters, digits, '-', '_', '.': safe in any log or header.
[[nodiscard]] bool IsRequestId(std::string_view text) noexcept;

}  // namespace slipway::api
