// Commands that read what racks have reported.
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <utility>

#include "controlplane/cli/commands.h"

namespace slipway::cli {
namespace {

namespace json = boost::json;

constexpr Column kLeaseColumns[] = {{"ADDRESS", "address"},
                                    {"MAC", "mac"},
                                    {"STATE", "state"},
                                    {"HOSTNAME", "hostname"},
                                    {"MACHINE", "machine"},
                                    {"RACK", "rack"},
                                    {"GRANTED", "granted", Cell::kTime},
                                    {"EXPIRES", "expires", Cell::kTime}};

constexpr Column kStepColumns[] = {{"TIME", "time"},
                                   {"OFFSET", "offset_ms", Cell::kMillis},
                                   {"STEP", "step"},
                                   {"NAME", "name"},
                                   {"BYTES", "bytes", Cell::kBytes},
                                   {"DURATION", "duration_ms", Cell::kMillis},
                                   {"ADDRESS", "address"},
                                   {"OK", "ok"}};

constexpr Column kDhcpOptionColumns[] = {
    {"CODE", "code"},     {"NAME", "name"},     {"VALUE", "value"},
    {"STATE", "state"},   {"SCOPE", "scope"},   {"OF", "of_name"},
    {"ORIGIN", "origin"}, {"OPTION", "option"}, {"ALWAYS", "always"}};

void Print(std::string_view text) { (void)std::fwrite(text.data(), 1, text.size(), stdout); }

[[nodiscard]] std::expected<json::object, Failure> GetObject(Context& context,
                                                             const std::string& path) {
  const auto body = context.client->Get(path);
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

[[nodiscard]] std::vector<json::object> Objects(const json::value* items) {
  std::vector<json::object> rows;
  if (items != nullptr && items->is_array()) {
    for (const json::value& item : items->get_array()) {
      if (item.is_object()) {
        rows.push_back(item.get_object());
      }
    }
  }
  return rows;
}

[[nodiscard]] std::string TextAt(const json::object& row, std::string_view path, Cell cell) {
  return CellText(row, Column{"", path, cell});
}

// Prints what a stream carries, and remembers where it is.
class Watcher {
 public:
  explicit Watcher(Format format) : format_(format) {}

  [[nodiscard]] bool OnLine(std::string_view line) {
    if (line.starts_with("id: ")) {
      last_id_ = line.substr(4);
    } else if (line.starts_with("event: reset")) {
      (void)std::fprintf(stderr, "events were lost: read the lists again\n");
    } else if (line.starts_with("data: ")) {
      Show(line.substr(6));
    }
    return std::ferror(stdout) == 0;
  }

  [[nodiscard]] const std::string& last_id() const { return last_id_; }

 private:
  void Show(std::string_view data) const {
    if (format_ == Format::kJson) {
      Print(std::string(data) + "\n");
    } else {
      boost::system::error_code error;
      const json::value value = json::parse(data, error);
      if (!error && value.is_object()) {
        Print(EventLine(value.get_object()) + "\n");
      }
    }
    (void)std::fflush(stdout);
  }

  Format format_;
  std::string last_id_;
};

[[nodiscard]] Done WatchEvents(Context& context, const EventRequest& request) {
  std::string path = "/v1/events";
  if (!request.topics.empty()) {
    path += "?topics=" + PercentEncode(request.topics);
  }
  Watcher watcher(context.settings.format);
  std::string last = request.since;
  bool connected_once = false;
  for (;;) {
    const auto followed = context.client->Follow(
        path, last, [&watcher](std::string_view line) { return watcher.OnLine(line); });
    connected_once = connected_once || !watcher.last_id().empty();
    if (!followed && (!connected_once || followed.error().code == ExitCode::kAuthentication)) {
      return followed;
    }
    if (std::ferror(stdout) != 0) {
      return {};
    }
    last = watcher.last_id();
    (void)std::fprintf(stderr, "the stream ended; going on from %s\n", last.c_str());
    (void)sleep(1);
  }
}

}  // namespace

std::string EventLine(const json::object& event) {
  const std::string topic = TextAt(event, "topic", Cell::kText);
  if (topic == "change") {
    std::string verb = TextAt(event, "verb", Cell::kText);
    for (char& c : verb) {
      c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    }
    return fmt::format("{:<8} {} {} {} revision={}", verb, TextAt(event, "kind", Cell::kText),
                       TextAt(event, "id", Cell::kText), TextAt(event, "name", Cell::kText),
                       TextAt(event, "revision", Cell::kText));
  }
  if (topic == "boot") {
    std::string line = fmt::format(
        "{} BOOT {} {} {}", TextAt(event, "time", Cell::kText), TextAt(event, "mac", Cell::kText),
        TextAt(event, "step", Cell::kText), TextAt(event, "name", Cell::kText));
    if (const std::string bytes = TextAt(event, "bytes", Cell::kBytes); bytes != "-") {
      line += " " + bytes;
    }
    if (const std::string duration = TextAt(event, "duration_ms", Cell::kMillis); duration != "-") {
      line += " in " + duration;
    }
    return line + (TextAt(event, "ok", Cell::kText) == "no" ? " FAILED" : "");
  }
  std::string line = fmt::format(
      "{} EVENT {} {} {}", TextAt(event, "time", Cell::kText), TextAt(event, "code", Cell::kText),
      TextAt(event, "subject", Cell::kText), TextAt(event, "detail", Cell::kText));
  // Of a rack, and about something else than the rack itself.
  const std::string rack = TextAt(event, "rack", Cell::kText);
  if (rack != "-" && rack != TextAt(event, "subject", Cell::kText)) {
    line += " rack=" + rack;
  }
  return line;
}

Done LeaseListCommand(Context& context, const std::string& mac, const std::string& subnet) {
  std::vector<json::object> rows;
  std::string cursor;
  do {
    std::string path = "/v1/leases?limit=1000";
    path += mac.empty() ? "" : "&mac=" + PercentEncode(mac);
    path += subnet.empty() ? "" : "&subnet=" + PercentEncode(subnet);
    path += cursor.empty() ? "" : "&cursor=" + PercentEncode(cursor);
    const auto reply = GetObject(context, path);
    if (!reply) {
      return std::unexpected(reply.error());
    }
    for (json::object& row : Objects(reply->if_contains("items"))) {
      rows.push_back(std::move(row));
    }
    const json::value* next = reply->if_contains("next");
    cursor = next != nullptr && next->is_string() ? std::string(next->get_string()) : "";
  } while (!cursor.empty());
  if (context.settings.format == Format::kJson) {
    json::array array(rows.begin(), rows.end());
    Print(RenderJson(array));
  } else if (context.settings.format == Format::kName) {
    for (const json::object& row : rows) {
      Print(TextAt(row, "address", Cell::kText) + "\n");
    }
  } else {
    Print(RenderTable(rows, kLeaseColumns, context.settings.headers));
  }
  return {};
}

Done BootTraceCommand(Context& context, const std::string& machine, std::size_t boots) {
  const auto reply = GetObject(
      context, fmt::format("/v1/machines/{}/boot-trace?boots={}", PercentEncode(machine), boots));
  if (!reply) {
    return std::unexpected(reply.error());
  }
  if (context.settings.format == Format::kJson) {
    Print(RenderJson(*reply));
    return {};
  }
  for (const json::object& boot : Objects(reply->if_contains("boots"))) {
    const std::vector<json::object> steps = Objects(boot.if_contains("steps"));
    if (context.settings.headers) {
      Print(fmt::format("boot of {}: {} steps in {}\n", TextAt(boot, "began", Cell::kTime),
                        steps.size(), TextAt(boot, "duration_ms", Cell::kMillis)));
    }
    Print(RenderTable(steps, kStepColumns, context.settings.headers));
  }
  return {};
}

Done DhcpOptionsCommand(Context& context, const DhcpOptionsRequest& request) {
  std::string path = "/v1/machines/" + PercentEncode(request.machine) + "/dhcp-options";
  char separator = '?';
  for (const auto& [name, value] : request.parameters) {
    if (!value.empty()) {
      path += std::exchange(separator, '&') + name + "=" + PercentEncode(value);
    }
  }
  const auto reply = GetObject(context, path);
  if (!reply) {
    return std::unexpected(reply.error());
  }
  if (context.settings.format == Format::kJson) {
    Print(RenderJson(*reply));
    return {};
  }
  const std::vector<json::object> rows = Objects(reply->if_contains("items"));
  if (context.settings.format == Format::kName) {
    for (const json::object& row : rows) {
      if (TextAt(row, "state", Cell::kText) == "effective") {
        Print(TextAt(row, "code", Cell::kText) + "\n");
      }
    }
    return {};
  }
  if (context.settings.headers) {
    Print(fmt::format("{} on {}, subnet {}, range {}, address {}; classes {}\n",
                      TextAt(*reply, "mac", Cell::kText), TextAt(*reply, "vlan", Cell::kText),
                      TextAt(*reply, "subnet", Cell::kText), TextAt(*reply, "range", Cell::kText),
                      TextAt(*reply, "address", Cell::kText),
                      TextAt(*reply, "classes", Cell::kText)));
  }
  Print(RenderTable(rows, kDhcpOptionColumns, context.settings.headers));
  return {};
}

Done EventCommand(Context& context, const EventRequest& request) {
  if (request.watch) {
    return WatchEvents(context, request);
  }
  std::string path = fmt::format("/v1/events?limit={}", request.limit);
  path += request.since.empty() ? "" : "&since=" + PercentEncode(request.since);
  path += request.topics.empty() ? "" : "&topics=" + PercentEncode(request.topics);
  const auto reply = GetObject(context, path);
  if (!reply) {
    return std::unexpected(reply.error());
  }
  const std::vector<json::object> rows = Objects(reply->if_contains("items"));
  if (context.settings.format == Format::kJson) {
    json::array array(rows.begin(), rows.end());
    Print(RenderJson(array));
    return {};
  }
  for (const json::object& row : rows) {
    Print(EventLine(row) + "\n");
  }
  return {};
}

}  // namespace slipway::cli
