#include "controlplane/cli/commands.h"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdio>
#include <utility>

namespace slipway::cli {
namespace {

namespace json = boost::json;

constexpr std::size_t kPageItems = 1000;

void Print(std::string_view text) { (void)std::fwrite(text.data(), 1, text.size(), stdout); }

[[nodiscard]] std::unexpected<Failure> Fail(ExitCode code, std::string message) {
  return std::unexpected(Failure{.code = code, .message = std::move(message)});
}

[[nodiscard]] std::expected<json::object, Failure> ParseReply(const std::string& body) {
  boost::system::error_code error;
  json::value value = json::parse(body, error);
  if (error || !value.is_object()) {
    return Fail(ExitCode::kFailed, "the region's answer is not the JSON that was expected");
  }
  return std::move(value.get_object());
}

[[nodiscard]] std::vector<json::object> ItemsOf(const json::object& reply) {
  std::vector<json::object> rows;
  const json::value* items = reply.if_contains("items");
  if (items != nullptr && items->is_array()) {
    for (const json::value& item : items->get_array()) {
      if (item.is_object()) {
        rows.push_back(item.get_object());
      }
    }
  }
  return rows;
}

void PrintRows(const Context& context, const std::vector<json::object>& rows,
               std::span<const Column> columns) {
  if (context.settings.format == Format::kJson) {
    json::array array;
    for (const json::object& row : rows) {
      array.push_back(row);
    }
    Print(RenderJson(array));
  } else if (context.settings.format == Format::kName) {
    for (const json::object& row : rows) {
      Print(NameOf(row) + "\n");
    }
  } else {
    Print(RenderTable(rows, columns, context.settings.headers));
  }
}

void PrintRecord(const Context& context, const json::object& record) {
  if (context.settings.format == Format::kJson) {
    Print(RenderJson(record));
  } else if (context.settings.format == Format::kName) {
    Print(NameOf(record) + "\n");
  } else {
    Print(RenderRecord(record));
  }
}

// What a mutation answers with: the object, or what a dry run would have touched.
[[nodiscard]] Done PrintMutation(const Context& context, const Noun& noun,
                                 const std::string& body) {
  auto reply = ParseReply(body);
  if (!reply) {
    return std::unexpected(std::move(reply.error()));
  }
  if (reply->contains("dry_run")) {
    PrintRecord(context, *reply);
    return {};
  }
  std::vector<json::object> rows = ItemsOf(*reply);
  if (rows.empty()) {
    rows.push_back(*reply);
  }
  if (context.settings.format == Format::kJson) {
    PrintRecord(context, rows.front());
  } else {
    // Of a bulk, the first is what was asked for.
    rows.resize(1);
    PrintRows(context, rows, noun.columns);
  }
  return {};
}

[[nodiscard]] std::string WithDryRun(const Context& context, std::string path) {
  return path + (context.settings.dry_run ? "?dry_run=1" : "");
}

[[nodiscard]] std::string PathOf(const Noun& noun, std::string_view id) {
  return fmt::format("/v1/{}/{}", noun.plural, PercentEncode(id));
}

[[nodiscard]] std::expected<std::uint64_t, Failure> NumberOf(const FieldOption& option,
                                                             const std::string& text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) {
    return Fail(ExitCode::kUsage, fmt::format("{} takes a number, not '{}'", option.option, text));
  }
  return number;
}

[[nodiscard]] std::expected<json::value, Failure> ListValue(const FieldOption& option,
                                                            const std::vector<std::string>& given) {
  json::array values;
  for (const std::string& text : given) {
    if (text.empty()) {
      continue;
    }
    if (option.kind == ValueKind::kList) {
      values.push_back(json::string(text));
      continue;
    }
    const auto number = NumberOf(option, text);
    if (!number) {
      return std::unexpected(number.error());
    }
    values.push_back(*number);
  }
  return values;
}

[[nodiscard]] std::expected<json::value, Failure> OptionValue(
    const FieldOption& option, const std::vector<std::string>& given) {
  if (option.kind == ValueKind::kList || option.kind == ValueKind::kNumberList) {
    return ListValue(option, given);
  }
  const std::string& text = given.back();
  if (option.kind == ValueKind::kNumber) {
    const auto number = NumberOf(option, text);
    return number ? std::expected<json::value, Failure>(*number) : std::unexpected(number.error());
  }
  if (option.kind == ValueKind::kBool) {
    if (text != "true" && text != "false") {
      return Fail(ExitCode::kUsage,
                  fmt::format("{} takes true or false, not '{}'", option.option, text));
    }
    return text == "true";
  }
  // An empty reference or address takes the value away.
  const bool clears = text.empty() && (option.field == "gateway" || option.field == "address" ||
                                       option.field == "address6" || option.field == "subnet6" ||
                                       option.field == "image" || option.field == "vlan" ||
                                       option.field == "subnet" || option.field == "uuid");
  return clears ? json::value(nullptr) : json::value(json::string(text));
}

}  // namespace

std::expected<json::object, Failure> FieldsJson(const GivenFields& fields) {
  json::object body;
  for (const auto& [option, given] : fields) {
    auto value = OptionValue(*option, given);
    if (!value) {
      return std::unexpected(std::move(value.error()));
    }
    body[option->field] = *std::move(value);
  }
  return body;
}

Done ListCommand(Context& context, const Noun& noun, std::size_t limit,
                 const std::vector<std::pair<std::string, std::string>>& filters) {
  std::vector<json::object> rows;
  std::string cursor;
  for (;;) {
    const std::size_t page = limit == 0 ? kPageItems : std::min(kPageItems, limit - rows.size());
    std::string path = fmt::format("/v1/{}?limit={}", noun.plural, page);
    for (const auto& [name, value] : filters) {
      path += fmt::format("&{}={}", name, PercentEncode(value));
    }
    if (!cursor.empty()) {
      path += "&cursor=" + cursor;
    }
    const auto body = context.client->Get(path);
    if (!body) {
      return std::unexpected(body.error());
    }
    const auto reply = ParseReply(*body);
    if (!reply) {
      return std::unexpected(reply.error());
    }
    for (json::object& row : ItemsOf(*reply)) {
      rows.push_back(std::move(row));
    }
    const json::value* next = reply->if_contains("next");
    if (next == nullptr || !next->is_string() || (limit != 0 && rows.size() >= limit)) {
      break;
    }
    cursor = std::string(next->get_string());
  }
  PrintRows(context, rows, noun.columns);
  return {};
}

Done ShowCommand(Context& context, const Noun& noun, const std::string& id) {
  const auto body = context.client->Get(PathOf(noun, id));
  if (!body) {
    return std::unexpected(body.error());
  }
  const auto record = ParseReply(*body);
  if (!record) {
    return std::unexpected(record.error());
  }
  PrintRecord(context, *record);
  return {};
}

Done CreateCommand(Context& context, const Noun& noun, const std::string& name,
                   const GivenFields& fields) {
  auto body = FieldsJson(fields);
  if (!body) {
    return std::unexpected(std::move(body.error()));
  }
  if (!name.empty()) {
    (*body)[noun.name_field] = name;
  }
  const auto reply = context.client->Mutate(
      "POST", WithDryRun(context, fmt::format("/v1/{}", noun.plural)), json::serialize(*body));
  if (!reply) {
    return std::unexpected(reply.error());
  }
  return PrintMutation(context, noun, *reply);
}

Done SetCommand(Context& context, const Noun& noun, const std::string& id,
                const GivenFields& fields) {
  auto body = FieldsJson(fields);
  if (!body) {
    return std::unexpected(std::move(body.error()));
  }
  if (body->empty()) {
    return Fail(ExitCode::kUsage, "nothing to set: give at least one option");
  }
  const auto reply = context.client->Mutate("PATCH", WithDryRun(context, PathOf(noun, id)),
                                            json::serialize(*body));
  if (!reply) {
    return std::unexpected(reply.error());
  }
  return PrintMutation(context, noun, *reply);
}

Done DeleteCommand(Context& context, const Noun& noun, const std::vector<std::string>& ids) {
  json::array operations;
  for (const std::string& id : ids) {
    json::object operation;
    operation["verb"] = "delete";
    operation["kind"] = noun.plural;
    operation["id"] = id;
    operations.push_back(std::move(operation));
  }
  // All of them or none.
  const auto reply =
      context.client->Mutate("POST", WithDryRun(context, "/v1/bulk"), json::serialize(operations));
  if (!reply) {
    return std::unexpected(reply.error());
  }
  (void)std::fprintf(
      stderr, "%s %zu %.*s%s\n", context.settings.dry_run ? "would delete" : "deleted", ids.size(),
      static_cast<int>(noun.name.size()), noun.name.data(), ids.size() == 1 ? "" : "s");
  return {};
}

Done CreateMachine(Context& context, const Noun& noun, const std::string& name,
                   const GivenFields& fields, const std::vector<std::string>& macs) {
  if (macs.empty()) {
    return CreateCommand(context, noun, name, fields);
  }
  if (name.empty()) {
    return Fail(ExitCode::kUsage, "a machine with --mac needs a NAME");
  }
  auto machine = FieldsJson(fields);
  if (!machine) {
    return std::unexpected(std::move(machine.error()));
  }
  (*machine)[noun.name_field] = name;
  json::array operations;
  operations.push_back(json::object{{"verb", "create"}, {"kind", "machine"}, {"body", *machine}});
  for (const std::string& mac : macs) {
    json::object interface {
      {"machine", name}, { "mac", mac }
    };
    operations.push_back(
        json::object{{"verb", "create"}, {"kind", "interface"}, {"body", std::move(interface)}});
  }
  const auto reply =
      context.client->Mutate("POST", WithDryRun(context, "/v1/bulk"), json::serialize(operations));
  if (!reply) {
    return std::unexpected(reply.error());
  }
  return PrintMutation(context, noun, *reply);
}

Done MintTokenCommand(Context& context, std::int64_t life_seconds) {
  json::object body{{"life_seconds", life_seconds}};
  const auto reply = context.client->Mutate("POST", "/v1/racks/tokens", json::serialize(body));
  if (!reply) {
    return std::unexpected(reply.error());
  }
  const auto token = ParseReply(*reply);
  if (!token) {
    return std::unexpected(token.error());
  }
  if (context.settings.format == Format::kJson) {
    Print(RenderJson(*token));
    return {};
  }
  // The token alone on standard output, so that it can be put into a file.
  const Column text{"", "token"};
  const Column expires{"", "expires", Cell::kTime};
  Print(CellText(*token, text) + "\n");
  (void)std::fprintf(stderr, "valid once, until %s; keep it secret\n",
                     CellText(*token, expires).c_str());
  return {};
}

Done RevokeCommand(Context& context, const Noun& noun, const std::string& id) {
  const auto reply =
      context.client->Mutate("POST", WithDryRun(context, PathOf(noun, id) + "/revoke"), "{}");
  if (!reply) {
    return std::unexpected(reply.error());
  }
  return PrintMutation(context, noun, *reply);
}

namespace {

// True if the person at the terminal types the rack once more.
[[nodiscard]] bool ConfirmsDown(const PartnerDownRequest& request) {
  (void)std::fprintf(stderr,
                     "%s will be declared down, and its partner uses all addresses after MCLT.\n"
                     "If %s still runs and machines reach it, two may get one address.\n"
                     "Type its name once more to go on: ",
                     request.down.c_str(), request.down.c_str());
  std::array<char, 256> line{};
  if (std::fgets(line.data(), static_cast<int>(line.size()), stdin) == nullptr) {
    return false;
  }
  return std::string_view(line.data()) == request.down + "\n";
}

}  // namespace

Done PartnerDownCommand(Context& context, const Noun& noun, const PartnerDownRequest& request) {
  if (!request.confirmed && !context.settings.dry_run) {
    if (isatty(STDIN_FILENO) == 0) {
      return Fail(ExitCode::kUsage,
                  "say --yes: a rack that is declared down must not run any more");
    }
    if (!ConfirmsDown(request)) {
      return Fail(ExitCode::kFailed, "not confirmed; nothing was changed");
    }
  }
  json::object body;
  body["down"] = request.down;
  body["reason"] = request.reason;
  const auto reply = context.client->Mutate(
      "POST", WithDryRun(context, PathOf(noun, request.pair) + "/partner-down"),
      json::serialize(body));
  if (!reply) {
    return std::unexpected(reply.error());
  }
  return PrintMutation(context, noun, *reply);
}

Done ImportCommand(Context& context, const ImportRequest& request) {
  json::object body;
  body["name"] = request.name;
  const std::pair<std::string_view, const std::string*> texts[] = {
      {"kind", &request.kind},
      {"architecture", &request.architecture},
      {"command_line", &request.command_line},
      {"description", &request.description},
      {"directory", &request.directory}};
  for (const auto& [field, text] : texts) {
    if (!text->empty()) {
      body[field] = *text;
    }
  }
  if (!request.files.empty()) {
    json::array files;
    for (const std::string& given : request.files) {
      const std::size_t equals = given.find('=');
      json::object file;
      file["path"] = equals == std::string::npos ? given : given.substr(equals + 1);
      if (equals != std::string::npos) {
        file["name"] = given.substr(0, equals);
      }
      files.push_back(std::move(file));
    }
    body["files"] = std::move(files);
  }
  const auto reply = context.client->Mutate("POST", WithDryRun(context, "/v1/images/import"),
                                            json::serialize(body));
  if (!reply) {
    return std::unexpected(reply.error());
  }
  for (const Noun& noun : Nouns()) {
    if (noun.name == "image") {
      return PrintMutation(context, noun, *reply);
    }
  }
  return {};
}

}  // namespace slipway::cli
