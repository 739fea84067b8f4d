// The query part of a request target (RFC 3986 3.4, as forms write it). Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dataplane/base/result.h"

namespace slipway::api {

inline constexpr std::size_t kQueryParametersMax = 32;

// kMalformed: a '%' without two hex digits, a NUL, or a control character.
[[nodiscard]] Result<std::string> PercentDecode(std::string_view text, bool plus_is_space);

class Query {
 public:
  // kMalformed; kTooLarge: more than kQueryParametersMax; kExists: a name given twice.
  [[nodiscard]] static Result<Query> Parse(std::string_view text);

  // "?verbose" gives "", as "?verbose=" does.
  [[nodiscard]] std::optional<std::string_view> Get(std::string_view name) const noexcept;
  // Present, and not "0" or "false".
  [[nodiscard]] bool Flag(std::string_view name) const noexcept;

  [[nodiscard]] const std::vector<std::pair<std::string, std::string>>& all() const noexcept {
    return parameters_;
  }

 private:
  std::vector<std::pair<std::string, std::string>> parameters_;
};

}  // namespace slipway::api
