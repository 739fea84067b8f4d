// HTTP dates (RFC 9110 5.6.7), without the C library's time zones and locks.
#pragma once

#include <optional>
#include <string_view>

#include "dataplane/base/bounded.h"
#include "dataplane/base/time.h"

namespace slipway::http {

using DateText = FixedString<29>;

// IMF-fixdate: "Sun, 06 Nov 1994 08:49:37 GMT". REQUIRES: years 1970 to 9999.
[[nodiscard]] DateText FormatDate(WallTime time) noexcept;

// IMF-fixdate only; the obsolete forms give no value, and a condition with one is then ignored.
[[nodiscard]] std::optional<WallTime> ParseDate(std::string_view text) noexcept;

}  // namespace slipway::http
