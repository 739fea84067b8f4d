#include "controlplane/api/openapi.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <string_view>
#include <utility>

#include "controlplane/api/routes.h"
#include "controlplane/model/fields.h"

namespace slipway::api {
namespace {

namespace json = boost::json;
using model::Field;
using model::FieldType;

[[nodiscard]] json::object Ref(std::string_view name) {
  json::object out;
  out["$ref"] = fmt::format("#/components/schemas/{}", name);
  return out;
}

[[nodiscard]] json::object RecordSchema(std::span<const Field> fields, model::Kind kind,
                                        bool is_entity);

[[nodiscard]] json::object TypeOf(const Field& field, model::Kind kind) {
  json::object out;
  switch (field.type) {
    case FieldType::kBool:
      out["type"] = "boolean";
      return out;
    case FieldType::kUnsigned:
      out["type"] = "integer";
      out["minimum"] = field.minimum;
      out["maximum"] = field.maximum;
      return out;
    case FieldType::kIpList:
      out["type"] = "array";
      out["items"] = json::object{{"type", "string"}};
      out["maxItems"] = field.maximum;
      return out;
    case FieldType::kUnsignedList:
      out["type"] = "array";
      out["items"] = json::object{{"type", "integer"}, {"minimum", 0}, {"maximum", field.minimum}};
      out["maxItems"] = field.maximum;
      return out;
    case FieldType::kRecordList:
      out["type"] = "array";
      out["items"] = RecordSchema(field.record, kind, false);
      out["maxItems"] = field.maximum;
      return out;
    case FieldType::kRecord:
      return RecordSchema(field.record, kind, false);
    default:
      break;
  }
  out["type"] = "string";
  if (field.type == FieldType::kIp || field.type == FieldType::kUuid ||
      field.type == FieldType::kRef) {
    out["type"] = json::array{"string", "null"};
  }
  if (field.maximum != 0) {
    out["maxLength"] = field.maximum;
  }
  if (!field.values.empty()) {
    json::array values;
    for (const std::string_view value : field.values) {
      values.push_back(json::string(value));
    }
    out["enum"] = std::move(values);
  }
  return out;
}

[[nodiscard]] json::object RecordSchema(std::span<const Field> fields, model::Kind kind,
                                        bool is_entity) {
  json::object properties;
  json::array required;
  if (is_entity) {
    properties["id"] = json::object{{"type", "string"}, {"readOnly", true}};
  }
  for (const Field& field : fields) {
    json::object property = TypeOf(field, kind);
    if (!field.doc.empty()) {
      property["description"] = field.doc;
    }
    if (field.read_only()) {
      property["readOnly"] = true;
    }
    if (field.required()) {
      required.push_back(json::string(field.name));
    } else if (is_entity && !field.read_only()) {
      property["default"] = model::DefaultOf(kind, field);
    }
    properties[field.name] = std::move(property);
  }
  if (is_entity) {
    for (const std::string_view name : {"created", "modified"}) {
      properties[name] = json::object{
          {"type", "integer"}, {"readOnly", true}, {"description", "A revision of the store."}};
    }
  }
  json::object out;
  out["type"] = "object";
  out["properties"] = std::move(properties);
  if (!required.empty()) {
    out["required"] = std::move(required);
  }
  return out;
}

[[nodiscard]] std::string SchemaName(const model::KindInfo& info) {
  std::string name;
  bool upper = true;
  for (const char c : info.name) {
    if (c == '-') {
      upper = true;
      continue;
    }
    name.push_back(upper && c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c);
    upper = false;
  }
  return name;
}

[[nodiscard]] json::object Parameter(std::string_view name, std::string_view where, bool required,
                                     std::string_view doc) {
  json::object out;
  out["name"] = name;
  out["in"] = where;
  out["required"] = required;
  out["schema"] = json::object{{"type", "string"}};
  if (!doc.empty()) {
    out["description"] = doc;
  }
  return out;
}

[[nodiscard]] json::array Parameters(const Route& route, const model::KindInfo* info) {
  json::array out;
  if (route.pattern.find("{id}") != std::string_view::npos) {
    out.push_back(Parameter("id", "path", true, "An id or a name."));
  }
  std::string_view words = route.query;
  while (!words.empty()) {
    const std::size_t space = words.find(' ');
    const std::string_view word = words.substr(0, space);
    words = space == std::string_view::npos ? std::string_view{} : words.substr(space + 1);
    if (word != "*") {
      out.push_back(Parameter(word, "query", false, ""));
    } else if (info != nullptr) {
      for (const Field& field : model::FieldsOf(info->kind)) {
        out.push_back(Parameter(field.name, "query", false, "Only those with this value."));
      }
    }
  }
  if (route.method == Method::kPatch || route.method == Method::kDelete) {
    out.push_back(Parameter("If-Match", "header", false, "The ETag that it must have."));
  }
  return out;
}

[[nodiscard]] json::object Content(std::string_view type, json::object schema) {
  json::object media;
  media["schema"] = std::move(schema);
  json::object out;
  out[type] = std::move(media);
  return out;
}

// A list answers with items and a cursor, everything else of a kind with the object.
[[nodiscard]] json::object ResponseOf(const Route& route, const model::KindInfo* info) {
  json::object response;
  response["description"] = "Done.";
  if (info == nullptr || route.method == Method::kDelete) {
    return response;
  }
  json::object schema = Ref(SchemaName(*info));
  if (route.query.find("cursor") != std::string_view::npos) {
    json::object items{{"type", "array"}, {"items", std::move(schema)}};
    json::object properties;
    properties["items"] = std::move(items);
    properties["next"] = json::object{{"type", json::array{"string", "null"}},
                                      {"description", "The cursor of the next page."}};
    schema = json::object{{"type", "object"}, {"properties", std::move(properties)}};
  }
  response["content"] = Content("application/json", std::move(schema));
  return response;
}

[[nodiscard]] json::object Operation(const Route& route, const model::KindInfo* info) {
  json::object out;
  out["summary"] = route.summary;
  if (info != nullptr) {
    out["tags"] = json::array{json::string(info->plural)};
  }
  out["parameters"] = Parameters(route, info);
  if (info != nullptr && (route.method == Method::kPost || route.method == Method::kPatch)) {
    out["requestBody"] =
        json::object{{"content", Content("application/json", Ref(SchemaName(*info)))}};
  }
  json::object responses;
  const std::string_view status = route.method == Method::kDelete ? "204"
                                  : route.creates                 ? "201"
                                                                  : "200";
  responses[status] = ResponseOf(route, info);
  json::object problem;
  problem["description"] = "Refused: RFC 9457 problem details.";
  problem["content"] = Content("application/problem+json", Ref("Problem"));
  responses["default"] = std::move(problem);
  out["responses"] = std::move(responses);
  if (route.scope == Scope::kAdmin) {
    out["security"] = json::array{json::object{{"token", json::array{}}}};
  }
  return out;
}

[[nodiscard]] std::string Lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

void AddPath(json::object& paths, const Route& route, const model::KindInfo* info) {
  std::string path(route.pattern);
  if (const std::size_t at = path.find("{kind}"); at != std::string::npos) {
    path.replace(at, 6, info->plural);
  }
  json::value& item = paths[path];
  if (!item.is_object()) {
    item.emplace_object();
  }
  item.get_object()[Lower(ToString(route.method))] = Operation(route, info);
}

[[nodiscard]] json::object ProblemSchema() {
  json::object error_properties;
  json::object properties;
  for (const std::string_view name : {"field", "problem", "cure"}) {
    error_properties[name] = json::object{{"type", "string"}};
  }
  for (const std::string_view name : {"type", "title", "detail", "cure"}) {
    properties[name] = json::object{{"type", "string"}};
  }
  properties["status"] = json::object{{"type", "integer"}};
  properties["item"] =
      json::object{{"type", "integer"}, {"description", "Of a bulk: which operation."}};
  properties["errors"] = json::object{
      {"type", "array"},
      {"items", json::object{{"type", "object"}, {"properties", std::move(error_properties)}}}};
  return json::object{{"type", "object"}, {"properties", std::move(properties)}};
}

[[nodiscard]] bool Serves(const Route& route, const model::KindInfo& info) {
  return info.stored && !(route.creates && info.kind == model::Kind::kRack);
}

[[nodiscard]] std::string_view ModeText(model::FieldMode mode) {
  switch (mode) {
    case model::FieldMode::kOptional:
      return "optional";
    case model::FieldMode::kRequired:
      return "required";
    case model::FieldMode::kImmutable:
      return "optional, fixed at creation";
    case model::FieldMode::kFixed:
      return "required, fixed at creation";
    case model::FieldMode::kReadOnly:
      return "read-only";
  }
  return "";
}

[[nodiscard]] std::string TypeText(const Field& field) {
  std::string text(model::ToString(field.type));
  if (field.type == FieldType::kRef) {
    text = fmt::format("{} (id or name)", model::InfoOf(field.target).name);
  } else if (field.type == FieldType::kUnsigned && field.maximum <= 1'000'000'000) {
    text = fmt::format("number {} to {}", field.minimum, field.maximum);
  } else if (!field.values.empty()) {
    text.clear();
    for (const std::string_view value : field.values) {
      text.append(text.empty() ? "" : ", ").append(value);
    }
  }
  return text;
}

}  // namespace

std::string OpenApiDocument() {
  json::object paths;
  json::object schemas;
  for (const Route& route : Routes()) {
    if (route.pattern.find("{kind}") == std::string_view::npos) {
      AddPath(paths, route, nullptr);
      continue;
    }
    for (const model::KindInfo& info : model::AllKinds()) {
      if (Serves(route, info)) {
        AddPath(paths, route, &info);
      }
    }
  }
  for (const model::KindInfo& info : model::AllKinds()) {
    if (info.stored) {
      schemas[SchemaName(info)] = RecordSchema(model::FieldsOf(info.kind), info.kind, true);
    }
  }
  schemas["Problem"] = ProblemSchema();
  json::object components;
  components["schemas"] = std::move(schemas);
  components["securitySchemes"] =
      json::object{{"token", json::object{{"type", "http"}, {"scheme", "bearer"}}}};
  json::object document;
  document["openapi"] = "3.1.0";
  document["info"] = json::object{{"title", "Slipway region"}, {"version", SLIPWAY_VERSION}};
  document["paths"] = std::move(paths);
  document["components"] = std::move(components);
  return json::serialize(document);
}

std::string RouteTableMarkdown() {
  std::string out = "| method | path | who | query | what |\n|---|---|---|---|---|\n";
  for (const Route& route : Routes()) {
    std::string query;
    for (const char c : route.query) {
      query += c == ' ' ? ", " : c == '*' ? "any field of the kind" : std::string(1, c);
    }
    out +=
        fmt::format("| {} | `{}` | {} | {} | {} |\n", ToString(route.method), route.pattern,
                    route.scope == Scope::kOpen ? "anybody" : "admin token", query, route.summary);
  }
  return out;
}

std::string FieldTablesMarkdown() {
  std::string out;
  for (const model::KindInfo& info : model::AllKinds()) {
    if (!info.stored) {
      continue;
    }
    out += fmt::format("### {} (`/v1/{}`, ids `{}-...`)\n\n", info.name, info.plural, info.prefix);
    out += "| field | type | mode | what |\n|---|---|---|---|\n";
    for (const Field& field : model::FieldsOf(info.kind)) {
      out += fmt::format("| {} | {} | {} | {} |\n", field.name, TypeText(field),
                         ModeText(field.mode), field.doc);
    }
    out += "\n";
  }
  return out;
}

}  // namespace slipway::api
