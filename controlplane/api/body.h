// Reading JSON bodies: depth and form are checked before any handler looks.
#pragma once

#include <boost/json/fwd.hpp>
#include <boost/json/value.hpp>

#include <expected>
#include <span>
#include <string_view>

#include "controlplane/api/http.h"
#include "controlplane/model/fields.h"

namespace slipway::api {

inline constexpr std::size_t kJsonDepthMax = 32;

// The refusal is a complete 400 with the place of the error.
[[nodiscard]] std::expected<boost::json::value, Response> ParseBody(std::string_view body);
[[nodiscard]] std::expected<boost::json::object, Response> ParseObject(std::string_view body);

// Problems for members that are not among `known` (with the nearest of them).
[[nodiscard]] model::Problems UnknownMembers(const boost::json::object& object,
                                             std::span<const std::string_view> known);
// The same for an object of a kind: its fields, and those that ParseFields skips.
[[nodiscard]] model::Problems UnknownFields(const boost::json::object& object, model::Kind kind);

// 400 with these problems.
[[nodiscard]] Response UnknownFieldResponse(model::Problems problems);

}  // namespace slipway::api
