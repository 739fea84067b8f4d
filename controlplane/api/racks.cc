#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <array>
#include <utility>

#include "controlplane/api/api.h"
#include "controlplane/api/body.h"
#include "controlplane/api/entity_json.h"
#include "controlplane/api/mutate.h"
#include "controlplane/api/problem.h"
#include "controlplane/api/routes.h"

namespace slipway::api {
namespace {

namespace json = boost::json;

constexpr std::int64_t kTokenLifeDefault = 24 * 3600;
constexpr std::int64_t kTokenLifeMin = 60;
constexpr std::int64_t kTokenLifeMax = 30 * 24 * 3600;

[[nodiscard]] Response BadLife() {
  return ToResponse({.status = 422,
                     .type = "invalid",
                     .detail = "the life of the token is out of bounds",
                     .cure = "see 'errors'",
                     .fields = {{.field = "life_seconds",
                                 .problem = "must be a number from 60 to 2592000",
                                 .cure = "leave it out for a day"}}});
}

[[nodiscard]] Response NoLink() {
  return ToResponse({.status = 503,
                     .type = "no-link",
                     .detail = "the control link is not running",
                     .cure = "see the region's log for why",
                     .fields = {}});
}

}  // namespace

void HandleMintToken(Api& api, Call call) {
  static constexpr std::array<std::string_view, 1> kMembers = {"life_seconds"};
  const auto body = ParseObject(call.request.body);
  if (!body) {
    call.responder.Send(body.error());
    return;
  }
  if (auto unknown = UnknownMembers(*body, kMembers); !unknown.empty()) {
    call.responder.Send(UnknownFieldResponse(std::move(unknown)));
    return;
  }
  std::int64_t life = kTokenLifeDefault;
  if (const json::value* value = body->if_contains("life_seconds"); value != nullptr) {
    life = value->is_int64() ? value->get_int64() : 0;
    if (life < kTokenLifeMin || life > kTokenLifeMax) {
      call.responder.Send(BadLife());
      return;
    }
  }
  if (api.parts().racks == nullptr) {
    call.responder.Send(NoLink());
    return;
  }
  api.parts().racks->MintToken(
      Duration::Seconds(life), [&api, held = std::move(call)](Result<MintedToken> token) mutable {
        if (token && api.parts().log != nullptr) {
          api.parts().log->Write(
              LogLevel::kInfo, "api-token",
              fmt::format("by=admin from={} request={} expires={}", held.request.peer,
                          held.request.id, TimeText(token->expires_ns)));
        }
        if (!token) {
          held.responder.Send(StoreProblem(token.error()));
          return;
        }
        json::object out;
        out["token"] = token->text;
        out["expires"] = TimeText(token->expires_ns);
        held.responder.Send({.status = 201, .body = json::serialize(out) + "\n", .headers = {}});
      });
}

void HandleRevoke(Api& api, Call call) {
  const auto id = api.parts().model->Read([&](const model::ModelIndex& index) {
    const model::Row* row = index.FindByText(model::Kind::kRack, call.match.id);
    return row == nullptr ? model::EntityId{} : row->id;
  });
  if (!id.is_set()) {
    call.responder.Send(NoEntity(model::Kind::kRack, call.match.id));
    return;
  }
  json::object change;
  change["state"] = "revoked";
  const model::EntityRef ref{model::Kind::kRack, id};
  RunMutation(api, std::move(call), model::PlanPatch(ref, std::move(change), 0),
              MutationForm::kPatch, ref);
}

}  // namespace slipway::api
