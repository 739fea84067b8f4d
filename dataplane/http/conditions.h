// Preconditions (RFC 9110 13) and ranges (RFC 9110 14) of a GET or HEAD on a known representation.
#pragma once

#include <cstdint>
#include <string_view>

#include "dataplane/base/time.h"
#include "dataplane/http/request.h"

namespace slipway::http {

// What the validators of a representation are. `etag` without quotes; empty: it has none.
struct Validators {
  std::string_view etag;
  WallTime modified{};  // 0: not known
};

// Bytes of the representation that the answer carries.
struct ByteRange {
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
};

struct Selection {
  Status status = Status::kOk;  // 200, 206, 304, 412 or 416
  ByteRange range;              // of 200 and 206
};

// RFC 9110 13.2.2, in its order, then Range with If-Range. Several ranges, other units and
// malformed ranges are ignored: the whole is sent (one range per request: docs/protocols/http.md).
[[nodiscard]] Selection Select(const Request& request, const Validators& validators,
                               std::uint64_t bytes_total) noexcept;

}  // namespace slipway::http
