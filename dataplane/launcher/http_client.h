// One HTTP/1.1 POST to the rack at a time, over a blocking socket with time limits.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "dataplane/base/result.h"
#include "dataplane/launcher/arguments.h"

namespace slipway::launcher {

inline constexpr int kHttpTimeoutSeconds = 10;  // for each of connect, send, receive

// The head of a POST of `body_bytes` bytes of JSON. Pure.
[[nodiscard]] std::string PostHead(const HttpTarget& target, std::string_view path,
                                   std::string_view token, std::size_t body_bytes);

// The status code of a response: "HTTP/1.1 202 Accepted". kTruncated: no whole line yet;
// kMalformed. Pure.
[[nodiscard]] Result<int> ParseStatus(std::string_view response) noexcept;

// Sends `body` and returns the status of the answer. kSystem: errno; kTimeout; kMalformed.
[[nodiscard]] Result<int> Post(const HttpTarget& target, std::string_view path,
                               std::string_view token, std::string_view body);

}  // namespace slipway::launcher
