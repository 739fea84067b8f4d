// Errors as people and programs read them: RFC 9457 problem details, with the field that is wrong,
// why, and what to do. docs/api.md lists the types.
#pragma once

#include <string>
#include <string_view>

#include "controlplane/api/http.h"
#include "controlplane/model/mutations.h"

namespace slipway::api {

struct ProblemText {
  int status = 400;
  std::string_view type;  // the last part of "urn:slipway:problem:<type>"
  std::string detail;     // what happened
  std::string cure;       // what to do; may be empty
  model::Problems fields;
  bool has_item = false;  // of a bulk
  std::size_t item = 0;
};

[[nodiscard]] Response ToResponse(const ProblemText& problem);

// What the model or the store refused. `bulk`: say which item.
[[nodiscard]] Response ToResponse(const model::Refusal& refusal, bool bulk);

// The store or a disk has failed: 503 (the reader may try again), with the likely cause.
[[nodiscard]] Response StoreProblem(Error error);

// "2026-11-22T21:30:05.123Z" from nanoseconds since 1970; empty for 0.
[[nodiscard]] std::string TimeText(std::int64_t realtime_ns);

}  // namespace slipway::api
