#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "controlplane/api/api.h"
#include "controlplane/api/body.h"
#include "controlplane/api/entity_json.h"
#include "controlplane/api/mutate.h"
#include "controlplane/api/problem.h"
#include "controlplane/api/rack_pairs.h"
#include "controlplane/api/routes.h"

namespace slipway::api {
namespace {

namespace json = boost::json;
using model::Kind;
using model::LiveModel;

// Operations of a bulk keep their bodies here: planners run again after a lost race.
struct BulkItem {
  model::Operation::Verb verb = model::Operation::Verb::kCreate;
  Kind kind = Kind::kFabric;
  std::string id_text;  // of patch and delete: an id or a name, found when the plan is made
  store::Revision if_modified = 0;
  json::object body;
};

[[nodiscard]] model::Refusal NotThere(const BulkItem& item) {
  return {.kind = model::RefusalKind::kNotFound,
          .problems = {{.field = "id",
                        .problem = fmt::format("there is no {} '{}'", model::InfoOf(item.kind).name,
                                               item.id_text),
                        .cure = "an id or a name is accepted"}},
          .item = 0,
          .error = {}};
}

[[nodiscard]] LiveModel::Planner PlanBulk(std::vector<BulkItem> items) {
  return [kept = std::make_shared<std::vector<BulkItem>>(std::move(items))](
             model::Plan& plan) -> model::Outcome {
    for (std::size_t i = 0; i < kept->size(); ++i) {
      const BulkItem& item = (*kept)[i];
      model::Operation operation{.verb = item.verb,
                                 .kind = item.kind,
                                 .id = {},
                                 .body = &item.body,
                                 .if_modified = item.if_modified};
      std::optional<model::Refusal> refusal;
      if (item.verb != model::Operation::Verb::kCreate) {
        const model::Row* row = plan.index().FindByText(item.kind, item.id_text);
        if (row == nullptr) {
          refusal = NotThere(item);
        } else {
          operation.id = row->id;
        }
      }
      if (!refusal) {
        if (const auto done = plan.Run(operation); !done) {
          refusal = done.error();
        }
      }
      if (refusal) {
        refusal->item = i;
        return std::unexpected(*std::move(refusal));
      }
    }
    return {};
  };
}

[[nodiscard]] Response TooManyItems(std::size_t count) {
  return ToResponse({.status = 422,
                     .type = "too-many",
                     .detail = fmt::format("{} operations; a bulk takes {} at most", count,
                                           model::kBulkOperationsMax),
                     .cure = "send it in parts",
                     .fields = {}});
}

void CreateMany(Api& api, Call call, json::array& array) {
  if (array.size() > model::kBulkOperationsMax) {
    call.responder.Send(TooManyItems(array.size()));
    return;
  }
  std::vector<BulkItem> items;
  items.reserve(array.size());
  for (std::size_t i = 0; i < array.size(); ++i) {
    json::object* object = array[i].if_object();
    model::Problems unknown;
    if (object == nullptr) {
      unknown.push_back({.field = "", .problem = "is not an object", .cure = "send an object"});
    } else {
      unknown = UnknownFields(*object, call.match.kind);
    }
    if (!unknown.empty()) {
      call.responder.Send(ToResponse({.status = 400,
                                      .type = "unknown-field",
                                      .detail = "an item of the array is not right",
                                      .cure = "see 'errors'; nothing was created",
                                      .fields = std::move(unknown),
                                      .has_item = true,
                                      .item = i}));
      return;
    }
    items.push_back({.verb = model::Operation::Verb::kCreate,
                     .kind = call.match.kind,
                     .id_text = {},
                     .if_modified = 0,
                     .body = std::move(*object)});
  }
  RunMutation(api, std::move(call), PlanBulk(std::move(items)), MutationForm::kBulk);
}

[[nodiscard]] std::optional<model::Operation::Verb> ParseVerb(std::string_view text) noexcept {
  using Verb = model::Operation::Verb;
  if (text == "create") {
    return Verb::kCreate;
  }
  if (text == "patch") {
    return Verb::kPatch;
  }
  return text == "delete" ? std::optional(Verb::kDelete) : std::nullopt;
}

[[nodiscard]] std::string_view TextMember(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value != nullptr && value->is_string()
             ? std::string_view(value->get_string().data(), value->get_string().size())
             : std::string_view{};
}

[[nodiscard]] model::Problems ParseBulkItem(json::object& object, BulkItem& item) {
  static constexpr std::array<std::string_view, 5> kMembers = {"verb", "kind", "id", "if_match",
                                                               "body"};
  model::Problems problems = UnknownMembers(object, kMembers);
  const auto verb = ParseVerb(TextMember(object, "verb"));
  const auto kind = model::KindByName(TextMember(object, "kind"));
  if (!verb) {
    problems.push_back(
        {.field = "verb", .problem = "must be create, patch or delete", .cure = "say what to do"});
  }
  if (!kind || !model::InfoOf(*kind).stored) {
    problems.push_back({.field = "kind",
                        .problem = "is not a kind of the model",
                        .cure = "see 'kinds' in docs/model.md, or /v1/openapi.json"});
  }
  if (!problems.empty()) {
    return problems;
  }
  item.verb = *verb;
  item.kind = *kind;
  item.id_text = TextMember(object, "id");
  if (const json::value* match = object.if_contains("if_match"); match != nullptr) {
    item.if_modified = match->is_uint64()  ? match->get_uint64()
                       : match->is_int64() ? static_cast<std::uint64_t>(match->get_int64())
                                           : 0;
  }
  if (json::value* body = object.if_contains("body"); body != nullptr && body->is_object()) {
    item.body = std::move(body->get_object());
    problems = UnknownFields(item.body, item.kind);
  }
  const bool creates = item.verb == model::Operation::Verb::kCreate;
  if (creates && item.kind == Kind::kRack) {
    problems.push_back({.field = "kind",
                        .problem = "racks are not created here",
                        .cure = "a rack comes by enrolment: POST /v1/racks/tokens"});
  }
  if (!creates && item.id_text.empty()) {
    problems.push_back({.field = "id", .problem = "is missing", .cure = "give an id or a name"});
  }
  return problems;
}

// The rows that were touched, as they are now; those that are gone by their ids.
[[nodiscard]] json::array TouchedJson(const model::ModelIndex& index,
                                      const std::vector<model::EntityRef>& touched) {
  json::array items;
  for (const model::EntityRef& ref : touched) {
    if (const model::Row* row = index.Find(ref.kind, ref.id); row != nullptr) {
      items.push_back(EntityJson(*row));
    } else {
      json::object gone;
      gone["id"] = model::FormatId(ref.kind, ref.id);
      gone["deleted"] = true;
      items.push_back(std::move(gone));
    }
  }
  return items;
}

[[nodiscard]] Response BulkResponse(Api& api, const model::MutateResult& result) {
  json::object body;
  body["revision"] = result.revision;
  body["items"] = api.parts().model->Read(
      [&](const model::ModelIndex& index) { return TouchedJson(index, result.touched); });
  return {.status = 200, .body = json::serialize(body) + "\n", .headers = {}};
}

[[nodiscard]] Response OneResponse(Api& api, const model::MutateResult& result, MutationForm form,
                                   model::EntityRef subject) {
  if (form == MutationForm::kDelete) {
    return {.status = 204, .body = {}, .headers = {}};
  }
  if (!result.touched.empty() && form == MutationForm::kCreate) {
    subject = result.touched.front();
  }
  Response response{.status = form == MutationForm::kCreate ? 201 : 200, .body = {}, .headers = {}};
  api.parts().model->Read([&](const model::ModelIndex& index) {
    if (const model::Row* row = index.Find(subject.kind, subject.id); row != nullptr) {
      response.headers.push_back({.name = "ETag", .value = Etag(row->modified)});
      response.body = json::serialize(EntityJson(*row)) + "\n";
    } else {
      response.body = "{}\n";  // Deleted meanwhile by somebody else.
    }
    return 0;
  });
  if (form == MutationForm::kCreate) {
    response.headers.push_back(
        {.name = "Location",
         .value = fmt::format("/v1/{}/{}", model::InfoOf(subject.kind).plural,
                              model::FormatId(subject.kind, subject.id))});
  }
  return response;
}

[[nodiscard]] Response DryRunResponse(const model::MutateResult& result) {
  json::object body;
  body["dry_run"] = true;
  body["objects"] = result.touched.size();
  json::array ids;
  for (const model::EntityRef& ref : result.touched) {
    ids.push_back(json::string(model::FormatId(ref.kind, ref.id)));
  }
  body["ids"] = std::move(ids);
  return {.status = 200, .body = json::serialize(body) + "\n", .headers = {}};
}

}  // namespace

void RunMutation(Api& api, Call call, LiveModel::Planner planner, MutationForm form,
                 model::EntityRef subject) {
  const bool bulk = form == MutationForm::kBulk;
  if (call.dry_run()) {
    const auto result = api.parts().model->DryRun(planner);
    call.responder.Send(result ? DryRunResponse(*result) : ToResponse(result.error(), bulk));
    return;
  }
  // The body is not needed any more, and may be large.
  call.request.body = {};
  api.parts().model->Mutate(std::move(planner),
                            [&api, form, subject, bulk, held = std::move(call)](
                                std::expected<model::MutateResult, model::Refusal> result) mutable {
                              api.NoteMutation(held.request, result);
                              if (!result) {
                                held.responder.Send(ToResponse(result.error(), bulk));
                              } else if (bulk) {
                                held.responder.Send(BulkResponse(api, *result));
                              } else {
                                held.responder.Send(OneResponse(api, *result, form, subject));
                              }
                            });
}

void HandleCreate(Api& api, Call call) {
  auto body = ParseBody(call.request.body);
  if (!body) {
    call.responder.Send(std::move(body.error()));
    return;
  }
  if (json::array* array = body->if_array(); array != nullptr) {
    CreateMany(api, std::move(call), *array);
    return;
  }
  json::object* object = body->if_object();
  if (object == nullptr) {
    call.responder.Send(ToResponse({.status = 400,
                                    .type = "bad-json",
                                    .detail = "the body must be an object, or an array of objects",
                                    .cure = "see /v1/openapi.json",
                                    .fields = {}}));
    return;
  }
  if (auto unknown = UnknownFields(*object, call.match.kind); !unknown.empty()) {
    call.responder.Send(UnknownFieldResponse(std::move(unknown)));
    return;
  }
  const Kind kind = call.match.kind;
  RunMutation(api, std::move(call), model::PlanCreate(kind, std::move(*object)),
              MutationForm::kCreate);
}

namespace {

// The entity that a route names, with the revision that If-Match asks for. Answers if there is
// none.
struct Target {
  model::EntityRef ref;
  store::Revision if_modified = 0;
};

[[nodiscard]] std::optional<Target> FindTarget(Api& api, Call& call) {
  const auto if_match = ParseIfMatch(call.request.header("if-match"));
  if (!if_match) {
    call.responder.Send(ToResponse({.status = 400,
                                    .type = "bad-etag",
                                    .detail = "If-Match must be one ETag of ours, as \"123\"",
                                    .cure = "send the ETag of the last answer, with its quotes",
                                    .fields = {}}));
    return std::nullopt;
  }
  const auto id = api.parts().model->Read(
      [&](const model::ModelIndex& index) -> std::optional<model::EntityId> {
        const model::Row* row = index.FindByText(call.match.kind, call.match.id);
        return row == nullptr ? std::nullopt : std::optional(row->id);
      });
  if (!id) {
    call.responder.Send(NoEntity(call.match.kind, call.match.id));
    return std::nullopt;
  }
  return Target{.ref = {call.match.kind, *id}, .if_modified = *if_match};
}

}  // namespace

void HandlePatch(Api& api, Call call) {
  auto body = ParseObject(call.request.body);
  if (!body) {
    call.responder.Send(std::move(body.error()));
    return;
  }
  if (auto unknown = UnknownFields(*body, call.match.kind); !unknown.empty()) {
    call.responder.Send(UnknownFieldResponse(std::move(unknown)));
    return;
  }
  if (const auto target = FindTarget(api, call); target) {
    RunMutation(api, std::move(call),
                model::PlanPatch(target->ref, *std::move(body), target->if_modified),
                MutationForm::kPatch, target->ref);
  }
}

void HandleDelete(Api& api, Call call) {
  if (call.match.kind == Kind::kRackPair) {
    if (auto refused = WhyNotEndPair(api, call.match.id)) {
      call.responder.Send(*std::move(refused));
      return;
    }
  }
  if (const auto target = FindTarget(api, call); target) {
    RunMutation(api, std::move(call), model::PlanDelete(target->ref, target->if_modified),
                MutationForm::kDelete, target->ref);
  }
}

void HandleBulk(Api& api, Call call) {
  auto body = ParseBody(call.request.body);
  if (!body) {
    call.responder.Send(std::move(body.error()));
    return;
  }
  json::array* array = body->if_array();
  if (array == nullptr || array->size() > model::kBulkOperationsMax) {
    call.responder.Send(
        array != nullptr
            ? TooManyItems(array->size())
            : ToResponse({.status = 400,
                          .type = "bad-json",
                          .detail = "the body must be an array of operations",
                          .cure = R"(as in [{"verb":"create","kind":"fabric","body":{}}])",
                          .fields = {}}));
    return;
  }
  std::vector<BulkItem> items(array->size());
  for (std::size_t i = 0; i < items.size(); ++i) {
    json::object empty;
    json::object* object = (*array)[i].if_object();
    model::Problems problems = ParseBulkItem(object == nullptr ? empty : *object, items[i]);
    if (!problems.empty()) {
      call.responder.Send(ToResponse({.status = 400,
                                      .type = "bad-operation",
                                      .detail = "an operation of the bulk is not right",
                                      .cure = "see 'errors'; nothing was changed",
                                      .fields = std::move(problems),
                                      .has_item = true,
                                      .item = i}));
      return;
    }
  }
  for (const BulkItem& item : items) {
    if (item.kind != Kind::kRackPair || item.verb != model::Operation::Verb::kDelete) {
      continue;
    }
    if (auto refused = WhyNotEndPair(api, item.id_text)) {
      call.responder.Send(*std::move(refused));
      return;
    }
  }
  RunMutation(api, std::move(call), PlanBulk(std::move(items)), MutationForm::kBulk);
}

}  // namespace slipway::api
