#include "controlplane/api/problem.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <ctime>
#include <utility>

namespace slipway::api {
namespace {

namespace json = boost::json;

struct RefusalRow {
  model::RefusalKind kind;
  int status;
  std::string_view type;
  std::string_view detail;
  std::string_view cure;
};

constexpr RefusalRow kRefusals[] = {
    {model::RefusalKind::kInvalid, 422, "invalid", "the request breaks a rule of the model",
     "correct the fields listed in 'errors' and send it again"},
    {model::RefusalKind::kNotFound, 404, "not-found", "there is no such object",
     "list the collection to see what there is"},
    {model::RefusalKind::kConflict, 409, "conflict",
     "it is in conflict with something that is there already",
     "see 'errors': take another value, or change or delete what is in the way"},
    {model::RefusalKind::kPrecondition, 412, "changed-meanwhile",
     "the object is not at the revision named by If-Match",
     "read it again, look at what has changed, and send the change with its new ETag"},
    {model::RefusalKind::kTooMany, 422, "too-many", "a limit of the model is reached",
     "see docs/limits.md; send a large bulk in parts"},
};

[[nodiscard]] json::array FieldErrors(const model::Problems& problems) {
  json::array errors;
  for (const model::Problem& problem : problems) {
    json::object row;
    row["field"] = problem.field;
    row["problem"] = problem.problem;
    if (!problem.cure.empty()) {
      row["cure"] = problem.cure;
    }
    errors.push_back(std::move(row));
  }
  return errors;
}

}  // namespace

Response ToResponse(const ProblemText& problem) {
  json::object body;
  body["type"] = fmt::format("urn:slipway:problem:{}", problem.type);
  body["title"] = ReasonPhrase(problem.status);
  body["status"] = problem.status;
  body["detail"] = problem.detail;
  if (!problem.cure.empty()) {
    body["cure"] = problem.cure;
  }
  if (problem.has_item) {
    body["item"] = problem.item;
  }
  if (!problem.fields.empty()) {
    body["errors"] = FieldErrors(problem.fields);
  }
  return {.status = problem.status,
          .content_type = "application/problem+json",
          .body = json::serialize(body) + "\n",
          .headers = {}};
}

Response ToResponse(const model::Refusal& refusal, bool bulk) {
  if (refusal.kind == model::RefusalKind::kStore) {
    return StoreProblem(refusal.error);
  }
  for (const RefusalRow& row : kRefusals) {
    if (row.kind == refusal.kind) {
      return ToResponse({.status = row.status,
                         .type = row.type,
                         .detail = std::string(row.detail),
                         .cure = std::string(row.cure),
                         .fields = refusal.problems,
                         .has_item = bulk,
                         .item = refusal.item});
    }
  }
  return StoreProblem(refusal.error);
}

Response StoreProblem(Error error) {
  ProblemText problem{.status = 503,
                      .type = "store-failed",
                      .detail = "",
                      .cure = "",
                      .fields = {},
                      .has_item = false,
                      .item = 0};
  switch (error.code) {
    case ErrorCode::kNoSpace:
      problem.type = "disk-full";
      problem.detail = "the disk of the state directory is full; nothing was changed";
      problem.cure = "free space there; the region goes on by itself";
      break;
    case ErrorCode::kReadOnly:
      problem.type = "read-only";
      problem.detail = "the state directory is read-only; nothing was changed";
      problem.cure = "mount it writable; see the kernel's log for why it is not";
      break;
    case ErrorCode::kFull:
      problem.type = "overloaded";
      problem.detail = "too many changes are waiting; nothing was changed";
      problem.cure = "try again in a second; use one bulk instead of many requests";
      break;
    default:
      problem.detail = fmt::format("the store could not commit ({}, {}); nothing was changed",
                                   ToString(error.code), error.detail);
      problem.cure = "see the region's log";
      break;
  }
  Response response = ToResponse(problem);
  response.headers.push_back({.name = "Retry-After", .value = "1"});
  return response;
}

std::string TimeText(std::int64_t realtime_ns) {
  if (realtime_ns == 0) {
    return {};
  }
  constexpr std::int64_t kSecond = 1'000'000'000;
  const std::time_t seconds =
      realtime_ns / kSecond - (realtime_ns < 0 && realtime_ns % kSecond != 0 ? 1 : 0);
  const std::int64_t millis = (realtime_ns - seconds * kSecond) / 1'000'000;
  std::tm parts{};
  if (gmtime_r(&seconds, &parts) == nullptr) {
    return {};
  }
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900,
                     parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                     millis);
}

}  // namespace slipway::api
