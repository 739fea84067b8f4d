// Pairs of racks: what both say of it, the word that one is down, and when a pair may end.
#include "controlplane/api/rack_pairs.h"

#include <boost/json/object.hpp>
#include <fmt/format.h>

#include <array>
#include <optional>
#include <string>
#include <utility>

#include "controlplane/api/api.h"
#include "controlplane/api/body.h"
#include "controlplane/api/entity_json.h"
#include "controlplane/api/mutate.h"
#include "controlplane/api/problem.h"
#include "controlplane/api/routes.h"
#include "controlplane/model/pair.h"
#include "controlplane/model/pair_watch.h"

namespace slipway::api {
namespace {

namespace json = boost::json;
using model::EntityId;
using model::Kind;
using model::RackPair;

[[nodiscard]] std::string_view TextAt(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value != nullptr && value->is_string()
             ? std::string_view(value->get_string().data(), value->get_string().size())
             : std::string_view{};
}

[[nodiscard]] Response Conflict(std::string detail, std::string cure) {
  return ToResponse({.status = 409,
                     .type = "conflict",
                     .detail = std::move(detail),
                     .cure = std::move(cure),
                     .fields = {}});
}

struct Found {
  EntityId id;
  RackPair pair;
  std::array<std::string, 2> names;  // of rack_a and rack_b
};

[[nodiscard]] std::optional<Found> FindPair(Api& api, std::string_view text) {
  return api.parts().model->Read([&](const model::ModelIndex& index) -> std::optional<Found> {
    const model::Row* row = index.FindByText(Kind::kRackPair, text);
    if (row == nullptr) {
      return std::nullopt;
    }
    Found found{.id = row->id, .pair = row->as<RackPair>(), .names = {}};
    found.names = {model::NameOf(index.Find(Kind::kRack, found.pair.rack_a)->entity),
                   model::NameOf(index.Find(Kind::kRack, found.pair.rack_b)->entity)};
    return found;
  });
}

// Leases of both racks are over, by the survivor's own clock too.
[[nodiscard]] bool IsOver(const Found& found, const PairStatus& status) {
  const Duration mclt = Duration::Seconds(found.pair.mclt_seconds);
  return found.pair.down.is_set() && status.order_age > mclt + mclt / 128;
}

}  // namespace

void AddPairStatus(Api& api, json::object& entity) {
  const auto id = model::ParseId(Kind::kRackPair, TextAt(entity, "id"));
  if (!id || api.parts().pairs == nullptr) {
    return;
  }
  const PairStatus status = api.parts().pairs->StatusOf(id->value);
  json::object out;
  for (std::size_t side = 0; side < status.sides.size(); ++side) {
    const PairStatus::Side& from = status.sides[side];
    json::object row;
    row["connected"] = from.connected;
    if (from.heard) {
      // As the rack said it, but its id, which is in the pair already.
      for (const auto& member : from.said) {
        if (member.key() != "pair") {
          row[member.key()] = member.value();
        }
      }
      row["heard_seconds_ago"] = from.heard_before.seconds();
    } else {
      row["state"] = "unknown";
    }
    out[side == 0 ? "a" : "b"] = std::move(row);
  }
  entity["status"] = std::move(out);
}

std::optional<Response> WhyNotEndPair(Api& api, std::string_view text) {
  const auto found = FindPair(api, text);
  if (!found) {
    return std::nullopt;  // the plan says so
  }
  if (api.parts().pairs == nullptr || api.parts().racks == nullptr) {
    return ToResponse({.status = 503,
                       .type = "no-link",
                       .detail = "the control link is not running",
                       .cure = "see the region's log for why",
                       .fields = {}});
  }
  const PairStatus status = api.parts().pairs->StatusOf(found->id.value);
  for (std::size_t side = 0; side < 2; ++side) {
    const EntityId rack = side == 0 ? found->pair.rack_a : found->pair.rack_b;
    if (rack == found->pair.down && IsOver(*found, status)) {
      continue;  // the partner goes on without it already
    }
    const RackLinkStatus link = api.parts().racks->StatusOf(rack.value);
    if (!link.connected || !link.is_current) {
      return Conflict(
          fmt::format("{} {}: it may still serve what it served before", found->names[side],
                      link.connected ? "has not taken the newest generation" : "is not connected"),
          fmt::format("wait until it is there, or declare it down and wait {} s more",
                      found->pair.mclt_seconds));
    }
  }
  if (found->pair.formed && !status.normal && !IsOver(*found, status)) {
    return Conflict("the pair is not in state normal: one rack does not know the other's leases",
                    "wait until it is; see 'slipway rack pair show'");
  }
  return std::nullopt;
}

void HandlePartnerDown(Api& api, Call call) {
  static constexpr std::array<std::string_view, 2> kMembers = {"down", "reason"};
  const auto body = ParseObject(call.request.body);
  if (!body) {
    call.responder.Send(body.error());
    return;
  }
  if (auto unknown = UnknownMembers(*body, kMembers); !unknown.empty()) {
    call.responder.Send(UnknownFieldResponse(std::move(unknown)));
    return;
  }
  const auto found = FindPair(api, call.match.id);
  if (!found) {
    call.responder.Send(NoEntity(Kind::kRackPair, call.match.id));
    return;
  }
  const std::string_view down = TextAt(*body, "down");
  const EntityId rack = api.parts().model->Read(
      [&](const model::ModelIndex& index) { return index.Resolve(Kind::kRack, down); });
  const bool normal =
      api.parts().pairs != nullptr && api.parts().pairs->StatusOf(found->id.value).normal;
  if (normal) {
    call.responder.Send(
        Conflict(fmt::format("{} and {} are in state normal: neither is down", found->names[0],
                             found->names[1]),
                 "stop a rack before it is declared down; its partner goes on by itself"));
    return;
  }
  const model::EntityRef ref{.kind = Kind::kRackPair, .id = found->id};
  RunMutation(
      api, std::move(call),
      [id = found->id, rack, reason = std::string(TextAt(*body, "reason")),
       wall = api.parts().clock->WallNow()](model::Plan& plan) {
        return model::DeclareDown(plan, id, rack, reason, wall);
      },
      MutationForm::kPatch, ref);
}

}  // namespace slipway::api
