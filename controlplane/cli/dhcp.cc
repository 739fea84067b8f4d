// Commands that ask the racks: leases, pools, explanations.
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "controlplane/cli/commands.h"

namespace slipway::cli {
namespace {

namespace json = boost::json;

constexpr Column kPoolColumns[] = {
    {"SUBNET", "subnet"},   {"RACK", "rack"},         {"SIZE", "size"},
    {"USED%", "percent"},   {"FREE", "free"},         {"BOUND", "bound"},
    {"OFFERED", "offered"}, {"REUSABLE", "reusable"}, {"QUARANTINED", "quarantined"}};

void Print(std::string_view text) { (void)std::fwrite(text.data(), 1, text.size(), stdout); }

[[nodiscard]] std::expected<json::object, Failure> ObjectOf(
    const std::expected<std::string, Failure>& body) {
  if (!body) {
    return std::unexpected(body.error());
  }
  boost::system::error_code error;
  json::value value = json::parse(*body, error);
  if (error || !value.is_object()) {
    return std::unexpected(
        Failure{.code = ExitCode::kFailed,
                .message = "the region's answer is not the JSON that was expected"});
  }
  return std::move(value.get_object());
}

[[nodiscard]] std::string TextAt(const json::object& row, std::string_view path) {
  return CellText(row, Column{"", path});
}

[[nodiscard]] std::vector<json::object> ObjectsAt(const json::object& answer,
                                                  std::string_view name) {
  std::vector<json::object> rows;
  const json::value* items = answer.if_contains(name);
  if (items != nullptr && items->is_array()) {
    for (const json::value& item : items->get_array()) {
      if (item.is_object()) {
        rows.push_back(item.get_object());
      }
    }
  }
  return rows;
}

// "?name=value&..." of what was given.
[[nodiscard]] std::string QueryText(const std::vector<std::pair<std::string, std::string>>& given) {
  std::string text;
  for (const auto& [name, value] : given) {
    if (!value.empty()) {
      text += fmt::format("{}{}={}", text.empty() ? '?' : '&', name, PercentEncode(value));
    }
  }
  return text;
}

void PrintLease(const Context& context, const json::object& lease) {
  if (context.settings.format == Format::kJson) {
    Print(RenderJson(lease));
  } else if (context.settings.format == Format::kName) {
    Print(TextAt(lease, "address") + "\n");
  } else {
    Print(RenderRecord(lease));
  }
}

// What a rule was about, in one word.
[[nodiscard]] std::string AboutOf(const json::object& rule) {
  for (const std::string_view name : {"address", "mac", "vlan", "subnet", "machine", "number"}) {
    if (rule.contains(name)) {
      return TextAt(rule, name);
    }
  }
  return rule.contains("seconds") ? TextAt(rule, "seconds") + " s" : "-";
}

void PrintRules(const Context& context, const std::vector<json::object>& rules) {
  constexpr Column kColumns[] = {
      {"MATCHED", "matched"}, {"RULE", "rule"}, {"ABOUT", "about"}, {"REASON", "reason"}};
  std::vector<json::object> rows = rules;
  for (json::object& row : rows) {
    row["about"] = AboutOf(row);
  }
  Print(RenderTable(rows, kColumns, context.settings.headers));
}

}  // namespace

std::string ExplainHead(const json::object& answer) {
  const std::string kind = TextAt(answer, "answer");
  const std::string mac = TextAt(answer, "packet.mac");
  const std::string who = mac == "-" ? "duid " + TextAt(answer, "packet.duid") : mac;
  std::string text = fmt::format("packet  {} of {}", TextAt(answer, "packet.type"), who);
  if (TextAt(answer, "packet.relay") != "-") {
    text += " by relay " + TextAt(answer, "packet.relay");
  }
  text += fmt::format(" on {}, rack {}\n", TextAt(answer, "interface"), TextAt(answer, "rack"));
  if (kind == "none") {
    text += fmt::format("answer  none: {}\n", TextAt(answer, "reason"));
  } else {
    text += fmt::format("answer  {} ({})", kind, TextAt(answer, "reason"));
    if (TextAt(answer, "address") != "-") {
      text +=
          fmt::format(": {} for {} s", TextAt(answer, "address"), TextAt(answer, "lease_seconds"));
    }
    text +=
        fmt::format(", server {}, by {}\n", TextAt(answer, "server"), TextAt(answer, "reply.by"));
  }
  text += fmt::format("boot    {} ({}): {}\n", TextAt(answer, "boot.plan"),
                      TextAt(answer, "boot.reason"), TextAt(answer, "boot.file"));
  if (answer.contains("then")) {
    text += fmt::format("then    {} ({}) at {}, address {}\n", TextAt(answer, "then.answer"),
                        TextAt(answer, "then.reason"), TextAt(answer, "then.time"),
                        TextAt(answer, "then.address"));
  }
  if (TextAt(answer, "leases") == "no") {
    text +=
        "note    without leases: by the region; a rack may choose another address of the pool\n";
  }
  return text;
}

Done ExplainCommand(Context& context, const ExplainRequest& request) {
  const bool named = std::ranges::any_of(request.fields, [](const auto& field) {
    return (field.first == "mac" || field.first == "duid") && !field.second.empty();
  });
  if (!named) {
    return std::unexpected(Failure{.code = ExitCode::kUsage,
                                   .message = "which client? Give --mac, or --duid of DHCPv6"});
  }
  std::vector<std::pair<std::string, std::string>> given(request.fields.begin(),
                                                         request.fields.end());
  given.emplace_back("last", request.last ? "1" : "");
  given.emplace_back("without_leases", request.without_leases ? "1" : "");
  const auto answer = ObjectOf(context.client->Get("/v1/dhcp/explain" + QueryText(given)));
  if (!answer) {
    return std::unexpected(answer.error());
  }
  if (context.settings.format == Format::kJson) {
    Print(RenderJson(*answer));
    return {};
  }
  if (context.settings.format == Format::kName) {
    Print(TextAt(*answer, "address") + "\n");
    return {};
  }
  Print(ExplainHead(*answer) + "\n");
  PrintRules(context, ObjectsAt(*answer, "rules"));
  if (const auto boot = ObjectsAt(*answer, "boot_rules"); !boot.empty()) {
    Print("\n");
    PrintRules(context, boot);
  }
  return {};
}

Done LeaseShowCommand(Context& context, const std::string& address, const std::string& rack) {
  const auto lease = ObjectOf(context.client->Get(
      fmt::format("/v1/leases/{}{}", PercentEncode(address), QueryText({{"rack", rack}}))));
  if (!lease) {
    return std::unexpected(lease.error());
  }
  PrintLease(context, *lease);
  return {};
}

Done LeaseReleaseCommand(Context& context, const std::string& address, const std::string& rack) {
  const std::string query =
      QueryText({{"rack", rack}, {"dry_run", context.settings.dry_run ? "1" : ""}});
  const auto lease = ObjectOf(context.client->Mutate(
      "POST", fmt::format("/v1/leases/{}/release{}", PercentEncode(address), query), "{}"));
  if (!lease) {
    return std::unexpected(lease.error());
  }
  PrintLease(context, *lease);
  return {};
}

Done PoolUsageCommand(Context& context, const std::string& subnet, const std::string& rack) {
  const auto answer =
      ObjectOf(context.client->Get("/v1/pools" + QueryText({{"subnet", subnet}, {"rack", rack}})));
  if (!answer) {
    return std::unexpected(answer.error());
  }
  const std::vector<json::object> rows = ObjectsAt(*answer, "items");
  if (context.settings.format == Format::kJson) {
    Print(RenderJson(*answer));
  } else if (context.settings.format == Format::kName) {
    for (const json::object& row : rows) {
      Print(TextAt(row, "subnet") + "\n");
    }
  } else {
    Print(RenderTable(rows, kPoolColumns, context.settings.headers));
  }
  if (const std::string silent = TextAt(*answer, "silent_racks"); silent != "-") {
    (void)std::fprintf(stderr, "did not answer: %s\n", silent.c_str());
  }
  return {};
}

}  // namespace slipway::cli
