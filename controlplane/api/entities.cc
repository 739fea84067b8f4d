#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <vector>

#include "controlplane/api/api.h"
#include "controlplane/api/entity_json.h"
#include "controlplane/api/facts_json.h"
#include "controlplane/api/problem.h"
#include "controlplane/api/rack_pairs.h"
#include "controlplane/api/routes.h"

namespace slipway::api {
namespace {

namespace json = boost::json;
using model::EntityId;
using model::Field;
using model::FieldType;
using model::Kind;

constexpr std::size_t kListDefault = 100;
// Rows that one request looks at under the model's lock before it answers with a cursor.
constexpr std::size_t kScanMax = 20'000;

// One "?field=value": the value in the form in which RenderFields gives it.
struct Filter {
  const Field* field = nullptr;
  json::value value;
};

struct ListRequest {
  Kind kind = Kind::kFabric;
  EntityId after;
  std::size_t limit = kListDefault;
  std::vector<Filter> filters;
  std::optional<MacAddress> mac;  // of machines: by their interfaces
};

[[nodiscard]] model::Problem BadParameter(std::string_view name, std::string problem,
                                          std::string cure) {
  return {.field = std::string(name), .problem = std::move(problem), .cure = std::move(cure)};
}

[[nodiscard]] bool IsFilterable(const Field& field) noexcept {
  return field.type != FieldType::kRecord && field.type != FieldType::kRecordList &&
         field.type != FieldType::kIpList && field.type != FieldType::kUnsignedList;
}

// The text of a query as the field's JSON form: by the field's own reader, so that "AA-BB-.." finds
// "aa:bb:..", and names find ids.
[[nodiscard]] std::optional<json::value> FilterValue(const model::ModelIndex& index, Kind kind,
                                                     const Field& field, std::string_view text) {
  json::value value = json::string(text);
  if (field.type == FieldType::kUnsigned) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size()) {
      return std::nullopt;
    }
    value = number;
  } else if (field.type == FieldType::kBool) {
    value = text == "true" || text == "1";
  } else if (text.empty() || text == "null") {
    value = field.type == FieldType::kText || field.type == FieldType::kName
                ? json::value(json::string())
                : json::value(nullptr);
  } else if (field.type == FieldType::kRef) {
    const EntityId id = index.Resolve(field.target, text);
    if (!id.is_set()) {
      return std::nullopt;
    }
    value = json::string(model::FormatId(field.target, id));
  } else {
    model::Entity probe = model::EmptyEntity(kind);
    json::object object;
    object[field.name] = value;
    if (!model::ParseFields(object, model::ParseMode::kInternal, nullptr, probe).empty()) {
      return std::nullopt;
    }
    return model::RenderFields(probe)[field.name];
  }
  return value;
}

[[nodiscard]] model::Problem UnknownParameter(Kind kind, std::string_view name) {
  std::vector<std::string_view> known = {"cursor", "limit"};
  for (const Field& field : model::FieldsOf(kind)) {
    if (IsFilterable(field)) {
      known.push_back(field.name);
    }
  }
  const std::string_view nearest = model::Nearest(name, known);
  return BadParameter(
      name, "this list has no such parameter",
      nearest.empty() ? "leave it out" : fmt::format("did you mean '{}'?", nearest));
}

[[nodiscard]] std::expected<ListRequest, model::Problem> ParseList(const model::ModelIndex& index,
                                                                   Kind kind, const Query& query) {
  ListRequest list;
  list.kind = kind;
  for (const auto& [name, text] : query.all()) {
    if (name == "limit") {
      const auto limit = ParseLimit(query, kListDefault);
      if (!limit) {
        return std::unexpected(BadParameter(name, "not a number from 1 to 1000", "correct it"));
      }
      list.limit = *limit;
    } else if (name == "cursor") {
      const auto after = text.empty() ? Result<EntityId>(EntityId{}) : model::ParseId(kind, text);
      if (!after) {
        return std::unexpected(
            BadParameter(name, "not a cursor of this list", "begin without one"));
      }
      list.after = *after;
    } else if (name == "mac" && kind == Kind::kMachine) {
      const auto mac = MacAddress::Parse(text);
      if (!mac) {
        return std::unexpected(
            BadParameter(name, "not a MAC address", "write it as 52:54:00:00:00:01"));
      }
      list.mac = *mac;
    } else {
      // People say "name" for what the machine's table calls "hostname".
      const bool is_name = name == "name" && !model::InfoOf(kind).name_field.empty();
      const Field* field = model::FindField(kind, is_name ? model::InfoOf(kind).name_field : name);
      if (field == nullptr || !IsFilterable(*field)) {
        return std::unexpected(UnknownParameter(kind, name));
      }
      auto value = FilterValue(index, kind, *field, text);
      if (!value) {
        return std::unexpected(
            BadParameter(name, fmt::format("'{}' is nothing that this field can be", text),
                         "correct the value"));
      }
      list.filters.push_back({.field = field, .value = *std::move(value)});
    }
  }
  return list;
}

[[nodiscard]] bool Matches(const model::Row& row, const ListRequest& list) {
  if (list.filters.empty()) {
    return true;
  }
  const json::object fields = model::RenderFields(row.entity);
  for (const Filter& filter : list.filters) {
    const json::value* value = fields.if_contains(filter.field->name);
    if (value == nullptr || *value != filter.value) {
      return false;
    }
  }
  return true;
}

// Where few rows can match, only these are looked at: by MAC, by name, by a parent.
[[nodiscard]] std::optional<std::vector<const model::Row*>> Candidates(
    const model::ModelIndex& index, const ListRequest& list) {
  if (list.mac) {
    std::vector<const model::Row*> rows;
    if (const model::Row* nic = index.InterfaceByMac(*list.mac); nic != nullptr) {
      rows.push_back(index.Find(Kind::kMachine, nic->as<model::Interface>().machine));
    }
    return rows;
  }
  for (const Filter& filter : list.filters) {
    if (!filter.value.is_string()) {
      continue;
    }
    const std::string_view text(filter.value.get_string().data(), filter.value.get_string().size());
    if (filter.field->type == FieldType::kMac && list.kind == Kind::kInterface) {
      const auto mac = MacAddress::Parse(text);
      const model::Row* row = mac ? index.InterfaceByMac(*mac) : nullptr;
      return row == nullptr ? std::vector<const model::Row*>{}
                            : std::vector<const model::Row*>{row};
    }
    if (filter.field->name == model::InfoOf(list.kind).name_field) {
      const model::Row* row = index.FindByName(list.kind, text);
      return row == nullptr ? std::vector<const model::Row*>{}
                            : std::vector<const model::Row*>{row};
    }
    if (filter.field->type == FieldType::kRef) {
      const auto parent = model::ParseId(filter.field->target, text);
      const auto& children = index.ChildrenOf({filter.field->target, *parent}, list.kind);
      std::vector<const model::Row*> rows;
      for (auto it = children.upper_bound(list.after); it != children.end(); ++it) {
        rows.push_back(index.Find(list.kind, *it));
      }
      return rows;
    }
  }
  return std::nullopt;
}

struct ListResult {
  std::vector<json::object> items;
  std::optional<EntityId> next;
};

[[nodiscard]] ListResult RunList(const model::ModelIndex& index, const ListRequest& list) {
  ListResult result;
  const auto candidates = Candidates(index, list);
  const auto rows = candidates ? *candidates : index.List(list.kind, list.after, kScanMax);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const model::Row* row = rows[i];
    if (row == nullptr || !(row->id > list.after) || !Matches(*row, list)) {
      continue;
    }
    result.items.push_back(EntityJson(*row));
    if (result.items.size() == list.limit) {
      if (i + 1 < rows.size()) {
        result.next = row->id;
      }
      return result;
    }
  }
  if (!candidates && rows.size() == kScanMax) {
    result.next = rows.back()->id;
  }
  return result;
}

void AddLink(Api& api, Kind kind, json::object& entity) {
  if (kind == Kind::kRackPair) {
    return AddPairStatus(api, entity);
  }
  if (kind != Kind::kRack || api.parts().racks == nullptr) {
    return;
  }
  const json::value* id = entity.if_contains("id");
  const std::string_view text(id->get_string().data(), id->get_string().size());
  if (const auto parsed = model::ParseId(kind, text); parsed) {
    entity["link"] = LinkJson(api.parts().racks->StatusOf(parsed->value));
  }
}

}  // namespace

json::object EntityJson(const model::Row& row) {
  json::object out;
  out["id"] = model::FormatId(model::KindOf(row.entity), row.id);
  for (auto& member : model::RenderFields(row.entity)) {
    out[member.key()] = std::move(member.value());
  }
  out["created"] = row.created;
  out["modified"] = row.modified;
  return out;
}

std::string Etag(store::Revision modified) { return fmt::format("\"{}\"", modified); }

Result<store::Revision> ParseIfMatch(std::string_view header) noexcept {
  if (header.empty() || header == "*") {
    return 0;
  }
  store::Revision revision = 0;
  if (header.size() < 3 || header.front() != '"' || header.back() != '"') {
    return Fail(ErrorCode::kMalformed);
  }
  const char* const last = header.data() + header.size() - 1;
  const auto [end, error] = std::from_chars(header.data() + 1, last, revision);
  if (error != std::errc{} || end != last || revision == 0) {
    return Fail(ErrorCode::kMalformed);
  }
  return revision;
}

json::object LinkJson(const RackLinkStatus& status) {
  const auto generation = [](std::uint64_t epoch, std::uint64_t number) {
    return fmt::format("{:x}.{}", epoch, number);
  };
  json::object out;
  out["connected"] = status.connected;
  out["since"] = TimeText(status.changed_ns);
  out["software"] = status.software;
  out["down_reason"] = status.down_reason;
  out["wanted_generation"] = generation(status.wanted_epoch, status.wanted_number);
  out["live_generation"] = generation(status.live_epoch, status.live_number);
  out["current"] = status.is_current;
  json::array interfaces;
  for (const RackLinkStatus::Interface& nic : status.interfaces) {
    json::object row;
    row["name"] = nic.name;
    row["mac"] = nic.mac;
    row["up"] = nic.up;
    json::array addresses;
    for (const std::string& address : nic.addresses) {
      addresses.push_back(json::string(address));
    }
    row["addresses"] = std::move(addresses);
    interfaces.push_back(std::move(row));
  }
  out["interfaces"] = std::move(interfaces);
  return out;
}

Response NoEntity(Kind kind, std::string_view text) {
  const model::KindInfo& info = model::InfoOf(kind);
  return ToResponse(
      {.status = 404,
       .type = "not-found",
       .detail = fmt::format("there is no {} '{}'", info.name, text.substr(0, 64)),
       .cure = fmt::format("GET /v1/{} lists them; an id or a name is accepted", info.plural),
       .fields = {}});
}

void HandleList(Api& api, Call call) {
  std::optional<model::Problem> bad;
  json::object body;
  api.parts().model->Read([&](const model::ModelIndex& index) {
    const auto list = ParseList(index, call.match.kind, call.query);
    if (!list) {
      bad = list.error();
      return 0;
    }
    ListResult result = RunList(index, *list);
    json::array items;
    for (json::object& item : result.items) {
      items.push_back(std::move(item));
    }
    body["items"] = std::move(items);
    body["next"] = result.next ? json::value(model::FormatId(call.match.kind, *result.next))
                               : json::value(nullptr);
    if (list->filters.empty() && !list->mac) {
      body["total"] = index.CountOf(call.match.kind);
    }
    body["revision"] = index.revision();
    return 0;
  });
  if (bad) {
    call.responder.Send(ToResponse({.status = 400,
                                    .type = "bad-query",
                                    .detail = "a parameter of the query is wrong",
                                    .cure = "see 'errors'",
                                    .fields = {*bad}}));
    return;
  }
  for (json::value& item : body["items"].as_array()) {
    AddLink(api, call.match.kind, item.as_object());
  }
  call.responder.Send({.status = 200, .body = json::serialize(body) + "\n", .headers = {}});
}

void HandleGet(Api& api, Call call) {
  store::Revision modified = 0;
  json::object body;
  api.parts().model->Read([&](const model::ModelIndex& index) {
    if (const model::Row* row = index.FindByText(call.match.kind, call.match.id); row != nullptr) {
      modified = row->modified;
      body = EntityJson(*row);
    }
    return 0;
  });
  if (modified == 0) {
    call.responder.Send(NoEntity(call.match.kind, call.match.id));
    return;
  }
  AddLink(api, call.match.kind, body);
  Response response{.status = 200, .body = {}, .headers = {}};
  response.headers.push_back({.name = "ETag", .value = Etag(modified)});
  if (call.request.header("if-none-match") == Etag(modified)) {
    response.status = 304;
  } else {
    response.body = json::serialize(body) + "\n";
  }
  call.responder.Send(std::move(response));
}

}  // namespace slipway::api
