// What only a rack knows - its lease table and what it would answer - asked over the control link.
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "controlplane/api/api.h"
#include "controlplane/api/problem.h"
#include "controlplane/api/region_explain.h"
#include "controlplane/api/routes.h"
#include "dataplane/explain/question_json.h"

namespace slipway::api {
namespace {

namespace json = boost::json;

constexpr std::array<std::string_view, 16> kQuestionFields = {
    "family", "type",      "mac",    "arch",  "vendor_class",   "user_class", "client_id", "duid",
    "ciaddr", "requested", "server", "relay", "link_selection", "interface",  "vlan",      "last"};
constexpr std::size_t kLeasesPerMac = 8;

void SendJson(Responder& responder, const json::value& body) {
  responder.Send({.status = 200, .body = json::serialize(body) + "\n", .headers = {}});
}

void SendProblem(Responder& responder, int status, std::string_view type, std::string detail,
                 std::string cure) {
  responder.Send(ToResponse({.status = status,
                             .type = type,
                             .detail = std::move(detail),
                             .cure = std::move(cure),
                             .fields = {}}));
}

// ---- which rack ----

[[nodiscard]] std::vector<std::uint64_t> ConnectedRacks(Api& api) {
  std::vector<std::uint64_t> racks;
  api.parts().model->Read([&](const model::ModelIndex& index) {
    for (const auto& [id, row] : index.All(model::Kind::kRack)) {
      racks.push_back(id.value);
    }
    return 0;
  });
  std::erase_if(racks, [&](std::uint64_t rack) {
    return api.parts().racks == nullptr || !api.parts().racks->StatusOf(rack).connected;
  });
  return racks;
}

[[nodiscard]] std::uint64_t ResolveId(Api& api, model::Kind kind, std::string_view text) {
  return api.parts().model->Read(
      [&](const model::ModelIndex& index) { return index.Resolve(kind, text).value; });
}

// The rack that the query names; 0 and an answer sent if it names none of ours. Absent: it names
// none.
[[nodiscard]] std::optional<std::uint64_t> NamedRack(Api& api, Call& call) {
  const auto text = call.query.Get("rack");
  if (!text) {
    return std::nullopt;
  }
  const std::uint64_t rack = ResolveId(api, model::Kind::kRack, *text);
  if (rack == 0) {
    SendProblem(call.responder, 404, "not-found", fmt::format("there is no rack '{}'", *text),
                "list the racks; an id or a name is accepted");
  }
  return rack;
}

// The rack that has or had the newest lease of the MAC; 0: none.
[[nodiscard]] std::uint64_t RackOfMac(Api& api, MacAddress mac) {
  const auto rows = api.parts().facts->LeasesByMac(mac, kLeasesPerMac);
  return !rows || rows->empty() ? 0 : rows->back().rack;
}

[[nodiscard]] std::uint64_t RackOfAddress(Api& api, const IpAddress& address) {
  std::vector<std::uint64_t> subnets;
  api.parts().model->Read([&](const model::ModelIndex& index) {
    for (const auto& [id, row] : index.All(model::Kind::kSubnet)) {
      if (row.as<model::Subnet>().cidr.Contains(address)) {
        subnets.push_back(id.value);
      }
    }
    return 0;
  });
  for (const std::uint64_t subnet : subnets) {
    const auto row = api.parts().facts->LeaseByAddress({.subnet = subnet, .address = address});
    if (row && *row) {
      return (*row)->rack;
    }
  }
  return 0;
}

// The rack to ask: the one found, else the only one that is connected; 0 and an answer sent if that
// does not settle it.
[[nodiscard]] std::uint64_t SettleRack(Api& api, Call& call, std::uint64_t found) {
  if (found != 0) {
    return found;
  }
  const std::vector<std::uint64_t> connected = ConnectedRacks(api);
  if (connected.size() == 1) {
    return connected.front();
  }
  if (connected.empty()) {
    SendProblem(call.responder, 503, "rack-away", "no rack is connected",
                "see 'slipway rack list' for since when and why");
  } else {
    SendProblem(call.responder, 422, "invalid",
                fmt::format("{} racks are connected: which one is meant?", connected.size()),
                "say it by 'rack'");
  }
  return 0;
}

// ---- asking ----

// Ids and times as people know them.
void Translate(json::object& row) {
  const std::pair<std::string_view, model::Kind> ids[] = {{"vlan", model::Kind::kVlan},
                                                          {"subnet", model::Kind::kSubnet},
                                                          {"machine", model::Kind::kMachine}};
  for (const auto& [name, kind] : ids) {
    json::value* const value = row.if_contains(name);
    boost::system::error_code error;
    const auto id = value == nullptr ? 0 : value->to_number<std::uint64_t>(error);
    if (value != nullptr && !error) {
      *value = id == 0 || id > model::kEntityIdMax
                   ? json::value(nullptr)
                   : json::value(json::string(model::FormatId(kind, {id})));
    }
  }
  for (const std::string_view name : {"time", "granted", "expires", "horizon"}) {
    const std::string from = std::string(name) + "_ns";
    if (json::value* const value = row.if_contains(from); value != nullptr) {
      boost::system::error_code error;
      const auto ns = value->to_number<std::int64_t>(error);
      row[name] = error ? json::value(nullptr) : json::value(json::string(TimeText(ns)));
      row.erase(from);
    }
  }
}

void TranslateAll(json::object& answer) {
  Translate(answer);
  for (const std::string_view name : {"items", "rules"}) {
    json::value* const list = answer.if_contains(name);
    if (list != nullptr && list->is_array()) {
      for (json::value& item : list->get_array()) {
        if (item.is_object()) {
          Translate(item.get_object());
        }
      }
    }
  }
  if (json::value* const then = answer.if_contains("then"); then != nullptr && then->is_object()) {
    Translate(then->get_object());
  }
}

[[nodiscard]] json::object ParseAnswer(const std::string& text) {
  boost::system::error_code error;
  json::value value = json::parse(text, error);
  return !error && value.is_object() ? std::move(value.get_object()) : json::object();
}

[[nodiscard]] std::string TextAt(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

// The rack could not be asked, or could not answer.
[[nodiscard]] Response NoAnswer(ErrorCode code) {
  ProblemText problem{.status = 503,
                      .type = "rack-away",
                      .detail = "the rack is not connected",
                      .cure = "see 'slipway rack list' for since when and why",
                      .fields = {}};
  if (code == ErrorCode::kTimeout) {
    problem = {.status = 504,
               .type = "rack-silent",
               .detail = "the rack did not answer within 5 s",
               .cure = "ask again; see its log if it goes on",
               .fields = {}};
  } else if (code == ErrorCode::kFull) {
    problem = {.status = 503,
               .type = "overloaded",
               .detail = "too many questions to this rack are under way",
               .cure = "ask again",
               .fields = {}};
  }
  return ToResponse(problem);
}

// The rack understood, and says why not.
[[nodiscard]] Response Refusal(const std::string& text) {
  const json::object answer = ParseAnswer(text);
  const std::string code = TextAt(answer, "code");
  const std::string detail = TextAt(answer, "error");
  const bool missing = code == ToString(ErrorCode::kNotFound);
  const bool misread = code == ToString(ErrorCode::kMalformed);
  return ToResponse({.status = missing ? 404 : (misread ? 422 : 503),
                     .type = missing ? "not-found" : (misread ? "invalid" : "overloaded"),
                     .detail = "the rack says: " + (detail.empty() ? "no" : detail),
                     .cure = misread ? "correct the question" : "",
                     .fields = {}});
}

using Answered = std::move_only_function<void(json::object answer, Responder responder)>;

// Asks the rack; errors are answered here, on the link's thread.
void AskRack(Api& api, std::uint64_t rack, std::string topic, const json::object& argument,
             Responder responder, Answered answered) {
  api.parts().racks->Ask(rack, std::move(topic), json::serialize(argument),
                         [rack, to = std::move(responder),
                          then = std::move(answered)](Result<RackAnswer> answer) mutable {
                           if (!answer) {
                             to.Send(NoAnswer(answer.error().code));
                           } else if (!answer->ok) {
                             to.Send(Refusal(answer->json));
                           } else {
                             json::object body = ParseAnswer(answer->json);
                             TranslateAll(body);
                             body["rack"] =
                                 json::string(model::FormatId(model::Kind::kRack, {rack}));
                             then(std::move(body), std::move(to));
                           }
                         });
}

[[nodiscard]] bool HasRacks(Api& api, Call& call) {
  if (api.parts().racks == nullptr) {
    SendProblem(call.responder, 503, "no-link", "the control link is not running",
                "see the region's log for why");
  }
  return api.parts().racks != nullptr;
}

// The address in the path; absent, and an answer sent, if it is none.
[[nodiscard]] std::optional<IpAddress> PathAddress(Call& call) {
  const auto address = IpAddress::Parse(call.match.id);
  if (!address) {
    SendProblem(call.responder, 404, "not-found",
                fmt::format("'{}' is not an address", call.match.id),
                "list the leases for their addresses");
    return std::nullopt;
  }
  return *address;
}

// The rack that holds the lease of the path's address; 0 and an answer sent if none can be told.
[[nodiscard]] std::uint64_t RackForLease(Api& api, Call& call, const IpAddress& address) {
  const auto named = NamedRack(api, call);
  if (named) {
    return *named;
  }
  return SettleRack(api, call, RackOfAddress(api, address));
}

}  // namespace

void HandleLease(Api& api, Call call) {
  const auto address = PathAddress(call);
  if (!address || !HasRacks(api, call)) {
    return;
  }
  const std::uint64_t rack = RackForLease(api, call, *address);
  if (rack == 0) {
    return;
  }
  json::object argument;
  argument["address"] = json::string(ToText(*address).view());
  AskRack(api, rack, "lease.show", argument, std::move(call.responder),
          [](json::object answer, Responder to) { SendJson(to, answer); });
}

void HandleReleaseLease(Api& api, Call call) {
  const auto address = PathAddress(call);
  if (!address || !HasRacks(api, call)) {
    return;
  }
  const std::uint64_t rack = RackForLease(api, call, *address);
  if (rack == 0) {
    return;
  }
  json::object argument;
  argument["address"] = json::string(ToText(*address).view());
  const std::string_view topic = call.dry_run() ? "lease.show" : "lease.release";
  const std::string by =
      fmt::format("by=admin from={} request={}", call.request.peer, call.request.id);
  AskRack(
      api, rack, std::string(topic), argument, std::move(call.responder),
      [&api, rack, by, dry_run = call.dry_run()](json::object answer, Responder to) {
        if (dry_run) {
          answer["dry_run"] = true;
          SendJson(to, answer);
          return;
        }
        store::EventRow event;
        event.rack = rack;
        event.realtime_ns = api.parts().clock->WallNow().ns;
        event.code = "lease-released";
        event.subject = TextAt(answer, "address");
        event.detail = fmt::format("{} mac={} hostname={}", by, TextAt(answer, "mac"),
                                   TextAt(answer, "hostname"));
        if (api.parts().log != nullptr) {
          api.parts().log->Write(LogLevel::kInfo, event.code, event.subject + " " + event.detail);
        }
        // Answered when the act is on record here too.
        api.parts().facts->AppendEvent(
            std::move(event), [body = std::move(answer),
                               responder = std::move(to)](Result<std::uint64_t> stored) mutable {
              if (stored) {
                SendJson(responder, body);
              } else {
                responder.Send(StoreProblem(stored.error()));
              }
            });
      });
}

// ---- pools ----

namespace {

// Rows of several racks on their way to one answer.
struct Gathering {
  std::mutex mutex;
  std::size_t waiting = 0;
  json::array items;
  json::array silent;  // racks that did not answer
  std::optional<Responder> responder;
};

void Gathered(Gathering& gathering, std::uint64_t rack, Result<RackAnswer> answer) {
  const std::lock_guard lock(gathering.mutex);
  const json::string id(model::FormatId(model::Kind::kRack, {rack}));
  json::object body = answer && answer->ok ? ParseAnswer(answer->json) : json::object();
  TranslateAll(body);
  json::value* const items = body.if_contains("items");
  if (items == nullptr || !items->is_array()) {
    gathering.silent.emplace_back(id);
  } else {
    for (json::value& item : items->get_array()) {
      if (item.is_object()) {
        item.get_object()["rack"] = id;
        gathering.items.push_back(std::move(item));
      }
    }
  }
  if (--gathering.waiting == 0) {
    json::object out;
    out["items"] = std::move(gathering.items);
    out["silent_racks"] = std::move(gathering.silent);
    SendJson(*gathering.responder, out);
  }
}

}  // namespace

void HandlePools(Api& api, Call call) {
  if (!HasRacks(api, call)) {
    return;
  }
  json::object argument;
  if (const auto text = call.query.Get("subnet"); text) {
    const std::uint64_t subnet = ResolveId(api, model::Kind::kSubnet, *text);
    if (subnet == 0) {
      SendProblem(call.responder, 404, "not-found", fmt::format("there is no subnet '{}'", *text),
                  "list the subnets; an id or a name is accepted");
      return;
    }
    argument["subnet"] = json::string(std::to_string(subnet));
  }
  std::vector<std::uint64_t> racks;
  if (const auto named = NamedRack(api, call); named) {
    racks.push_back(*named);
  } else {
    racks = ConnectedRacks(api);
  }
  if (racks.empty()) {
    (void)SettleRack(api, call, 0);
    return;
  }
  if (racks.front() == 0) {
    return;
  }
  const auto gathering = std::make_shared<Gathering>();
  gathering->waiting = racks.size();
  gathering->responder.emplace(std::move(call.responder));
  for (const std::uint64_t rack : racks) {
    api.parts().racks->Ask(rack, "pool.usage", json::serialize(argument),
                           [gathering, rack](Result<RackAnswer> answer) {
                             Gathered(*gathering, rack, std::move(answer));
                           });
  }
}

// ---- explain ----

namespace {

// The question as it goes to the rack, read once here for its errors.
[[nodiscard]] std::expected<json::object, explain::Misread> QuestionOf(
    Api& api, const Query& query, explain::AskedPacket& asked) {
  json::object question;
  for (const std::string_view field : kQuestionFields) {
    const auto text = query.Get(field);
    if (!text) {
      continue;
    }
    if (field == "vlan") {
      const std::uint64_t vlan = ResolveId(api, model::Kind::kVlan, *text);
      if (vlan == 0) {
        return std::unexpected(explain::Misread{.field = "vlan", .problem = "is no VLAN of ours"});
      }
      question[field] = json::string(std::to_string(vlan));
    } else {
      question[field] = json::string(*text);
    }
  }
  auto read = explain::ReadQuestion(question);
  if (!read) {
    return std::unexpected(std::move(read.error()));
  }
  asked = *std::move(read);
  return question;
}

// Racks that may answer: the named one, the one that leased to the MAC, those that serve the VLAN.
[[nodiscard]] std::uint64_t RackForQuestion(Api& api, const explain::AskedPacket& asked) {
  if (asked.vlan == 0) {
    return RackOfMac(api, asked.question.mac);
  }
  std::uint64_t found = 0;
  api.parts().model->Read([&](const model::ModelIndex& index) {
    for (const auto& [id, row] : index.All(model::Kind::kServedInterface)) {
      const auto& served = row.as<model::ServedInterface>();
      found = served.vlan.value == asked.vlan && found == 0 ? served.rack.value : found;
    }
    return 0;
  });
  return found;
}

struct HereWork {
  std::uint64_t rack = 0;
  explain::AskedPacket asked;
  Responder responder;
};

// The region's own answer, from the rack's published snapshot.
void AnswerHere(Api& api, HereWork& work) {
  auto& [rack, asked, responder] = work;
  if (!api.parts().snapshot_of) {
    SendProblem(responder, 503, "no-link", "the region publishes nothing", "");
    return;
  }
  const RackLinkStatus status = api.parts().racks->StatusOf(rack);
  auto answer = ExplainWithoutLeases(api.parts().snapshot_of(rack), status, asked);
  if (!answer) {
    SendProblem(responder, 422, "invalid", std::move(answer.error()), "correct the question");
    return;
  }
  TranslateAll(*answer);
  (*answer)["rack"] = json::string(model::FormatId(model::Kind::kRack, {rack}));
  (*answer)["leases"] = false;
  SendJson(responder, *answer);
}

// Building the snapshot of a large rack takes a while: not on the API's thread.
void ExplainHere(Api& api, std::uint64_t rack, const explain::AskedPacket& asked,
                 Responder responder) {
  auto work = std::make_shared<HereWork>(
      HereWork{.rack = rack, .asked = asked, .responder = std::move(responder)});
  if (api.parts().background == nullptr ||
      !api.parts().background->Submit([&api, work] { AnswerHere(api, *work); })) {
    work->responder.Send(StoreProblem({.code = ErrorCode::kFull, .detail = 0}));
  }
}

}  // namespace

void HandleExplain(Api& api, Call call) {
  explain::AskedPacket asked;
  const auto question = QuestionOf(api, call.query, asked);
  if (!question) {
    call.responder.Send(ToResponse(
        {.status = 422,
         .type = "invalid",
         .detail = "this is no packet that a client could send",
         .cure = "see 'errors'",
         .fields = {
             {.field = question.error().field, .problem = question.error().problem, .cure = ""}}}));
    return;
  }
  if (!HasRacks(api, call)) {
    return;
  }
  const bool without_leases = call.query.Flag("without_leases");
  const auto named = NamedRack(api, call);
  if (named && *named == 0) {
    return;
  }
  std::uint64_t rack = named ? *named : RackForQuestion(api, asked);
  if (rack == 0 && (without_leases || ConnectedRacks(api).empty())) {
    // Nothing but the model decides then: the only rack there is.
    api.parts().model->Read([&](const model::ModelIndex& index) {
      const auto& all = index.All(model::Kind::kRack);
      rack = all.size() == 1 ? all.begin()->first.value : 0;
      return 0;
    });
  }
  rack = SettleRack(api, call, rack);
  if (rack == 0) {
    return;
  }
  const bool away = !api.parts().racks->StatusOf(rack).connected;
  if (asked.last && (without_leases || away)) {
    SendProblem(call.responder, 503, "rack-away",
                "only the rack remembers packets, and it is not asked or not connected",
                "describe the packet instead of 'last'");
    return;
  }
  if (without_leases || away) {
    ExplainHere(api, rack, asked, std::move(call.responder));
    return;
  }
  AskRack(api, rack, "dhcp.explain", *question, std::move(call.responder),
          [](json::object answer, Responder to) {
            answer["leases"] = true;
            SendJson(to, answer);
          });
}

}  // namespace slipway::api
