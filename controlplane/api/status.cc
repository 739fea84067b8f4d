#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <array>
#include <vector>

#include "controlplane/api/api.h"
#include "controlplane/api/openapi.h"
#include "controlplane/api/problem.h"
#include "controlplane/api/routes.h"

namespace slipway::api {
namespace {

namespace json = boost::json;

[[nodiscard]] Response Text(int status, std::string body) {
  return {.status = status,
          .content_type = "text/plain; charset=utf-8",
          .body = std::move(body),
          .headers = {}};
}

[[nodiscard]] std::vector<Check> RunChecks(Api& api) {
  std::vector<Check> checks;
  const ErrorCode state = api.store_state();
  checks.push_back({.name = "store",
                    .ok = state == ErrorCode::kNone,
                    .detail = state == ErrorCode::kNone
                                  ? fmt::format("revision {}", api.parts().store->revision())
                                  : fmt::format("the last commit failed: {}", ToString(state))});
  const auto positions = api.parts().facts->Positions();
  checks.push_back({.name = "facts",
                    .ok = positions.has_value(),
                    .detail = positions ? fmt::format("{} events, {} boot steps", positions->events,
                                                      positions->boot_steps)
                                        : std::string(ToString(positions.error().code))});
  if (api.parts().checks) {
    api.parts().checks(checks);
  }
  return checks;
}

}  // namespace

void HandleLive(Api& /*api*/, Call call) { call.responder.Send(Text(200, "ok\n")); }

void HandleReady(Api& api, Call call) {
  api.ProbeStore();
  const std::vector<Check> checks = RunChecks(api);
  bool ready = true;
  std::string lines;
  for (const Check& check : checks) {
    ready = ready && check.ok;
    lines += fmt::format("[{}] {}: {}\n", check.ok ? '+' : '-', check.name, check.detail);
  }
  const std::string verdict = ready ? "ready\n" : "not ready\n";
  call.responder.Send(
      Text(ready ? 200 : 503, call.query.Flag("verbose") || !ready ? lines + verdict : verdict));
}

void HandleVersion(Api& /*api*/, Call call) {
  json::object body;
  body["software"] = "slipway-region";
  body["version"] = SLIPWAY_VERSION;
  body["api"] = "v1";
  call.responder.Send({.status = 200, .body = json::serialize(body) + "\n", .headers = {}});
}

void HandleMetrics(Api& api, Call call) {
  MetricsWriter out;
  out.Family("slipway_build_info", "gauge", "Always 1; the version is the label.");
  out.Sample("version", SLIPWAY_VERSION, 1);
  out.Gauge("slipway_store_revision", "Newest revision of the desired state.",
            api.parts().store->revision());
  out.Gauge("slipway_store_failed", "1 while the last commit had failed.",
            api.store_state() == ErrorCode::kNone ? 0 : 1);
  out.Family("slipway_model_objects", "gauge", "Objects of the model, by kind.");
  api.parts().model->Read([&](const model::ModelIndex& index) {
    for (const model::KindInfo& info : model::AllKinds()) {
      if (info.stored) {
        out.Sample("kind", info.name, index.CountOf(info.kind));
      }
    }
    return 0;
  });
  if (const auto positions = api.parts().facts->Positions(); positions) {
    out.Counter("slipway_facts_events_total", "Events stored.", positions->events);
    out.Counter("slipway_facts_boot_steps_total", "Boot steps stored.", positions->boot_steps);
    out.Counter("slipway_facts_inventories_total", "Inventories stored.", positions->inventories);
  }
  for (MetricsSource* source : api.metrics()) {
    source->Collect(out);
  }
  call.responder.Send({.status = 200,
                       .content_type = "text/plain; version=0.0.4; charset=utf-8",
                       .body = out.Take(),
                       .headers = {}});
}

void HandleOpenApi(Api& /*api*/, Call call) {
  call.responder.Send({.status = 200, .body = OpenApiDocument() + "\n", .headers = {}});
}

}  // namespace slipway::api
