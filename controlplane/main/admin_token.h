// The admin token: made at first start, kept in a file that only the owner may read. It is in no
// argument, environment variable or log.
#pragma once

#include <expected>
#include <string>

namespace slipway::region {

inline constexpr std::string_view kTokenFile = "admin-token";

// Reads "<state_dir>/admin-token", or makes one of 256 random bits, mode 0600, durably. The error
// is one line: what failed and what to do (others may read it, not a token, no space).
[[nodiscard]] std::expected<std::string, std::string> LoadOrCreateToken(
    const std::string& state_dir);

}  // namespace slipway::region
