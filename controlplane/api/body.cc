#include "controlplane/api/body.h"

#include <boost/json/object.hpp>
#include <boost/json/stream_parser.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "controlplane/api/problem.h"

namespace slipway::api {
namespace {

namespace json = boost::json;

[[nodiscard]] Response BadJson(std::string detail) {
  return ToResponse({.status = 400,
                     .type = "bad-json",
                     .detail = std::move(detail),
                     .cure = "send one JSON value in UTF-8, nested at most 32 deep",
                     .fields = {}});
}

}  // namespace

std::expected<json::value, Response> ParseBody(std::string_view body) {
  json::parse_options options;
  options.max_depth = kJsonDepthMax;
  json::stream_parser parser({}, options);
  boost::system::error_code error;
  const std::size_t parsed = parser.write_some(body.data(), body.size(), error);
  if (error) {
    return std::unexpected(
        BadJson(fmt::format("the body is not JSON at byte {}: {}", parsed, error.message())));
  }
  const std::string_view rest = body.substr(parsed);
  parser.finish(error);
  if (error) {
    return std::unexpected(BadJson("the body is empty or ends in the middle of a value"));
  }
  if (!std::all_of(rest.begin(), rest.end(),
                   [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; })) {
    return std::unexpected(BadJson(fmt::format("something follows the value at byte {}", parsed)));
  }
  return parser.release();
}

std::expected<json::object, Response> ParseObject(std::string_view body) {
  auto value = ParseBody(body.empty() ? "{}" : body);
  if (!value) {
    return std::unexpected(std::move(value.error()));
  }
  json::object* object = value->if_object();
  if (object == nullptr) {
    return std::unexpected(BadJson("the body must be a JSON object"));
  }
  return std::move(*object);
}

model::Problems UnknownMembers(const json::object& object,
                               std::span<const std::string_view> known) {
  model::Problems problems;
  for (const auto& member : object) {
    const std::string_view name(member.key().data(), member.key().size());
    if (std::find(known.begin(), known.end(), name) != known.end()) {
      continue;
    }
    const std::string_view nearest = model::Nearest(name, known);
    problems.push_back(
        {.field = std::string(name.substr(0, 64)),
         .problem = "there is no such field",
         .cure = nearest.empty() ? "leave it out" : fmt::format("did you mean '{}'?", nearest)});
  }
  return problems;
}

model::Problems UnknownFields(const json::object& object, model::Kind kind) {
  std::vector<std::string_view> known;
  for (const model::Field& field : model::FieldsOf(kind)) {
    known.push_back(field.name);
  }
  for (const std::string_view skipped : {"id", "kind", "created", "modified"}) {
    known.push_back(skipped);
  }
  return UnknownMembers(object, known);
}

Response UnknownFieldResponse(model::Problems problems) {
  return ToResponse({.status = 400,
                     .type = "unknown-field",
                     .detail = "the body has fields that do not exist",
                     .cure = "see 'errors'; the fields of each kind are in /v1/openapi.json",
                     .fields = std::move(problems)});
}

}  // namespace slipway::api
