#include "dataplane/launcher/arguments.h"

#include <charconv>

namespace slipway::launcher {
namespace {

// The next word of a kernel command line; a double-quoted part may hold spaces.
std::string NextWord(std::string_view& text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\n' || text.front() == '\t')) {
    text.remove_prefix(1);
  }
  std::string word;
  bool quoted = false;
  while (!text.empty()) {
    const char c = text.front();
    if (!quoted && (c == ' ' || c == '\n' || c == '\t')) {
      break;
    }
    text.remove_prefix(1);
    if (c == '"') {
      quoted = !quoted;
    } else {
      word.push_back(c);
    }
  }
  return word;
}

std::optional<MacAddress> ParseBootInterface(std::string_view value) {
  // The first octet is the ARP hardware type; 01 is Ethernet.
  if (value.size() != 20 || !value.starts_with("01-")) {
    return std::nullopt;
  }
  const Result<MacAddress> mac = MacAddress::Parse(value.substr(3));
  return mac ? std::optional(*mac) : std::nullopt;
}

bool Apply(std::string_view key, std::string_view value, Arguments& arguments) {
  if (key == "BOOTIF") {
    arguments.boot_mac = ParseBootInterface(value);
    return arguments.boot_mac.has_value();
  }
  if (key == "slipway.rack") {
    const Result<HttpTarget> target = ParseHttpUrl(value);
    if (target) {
      arguments.rack = *target;
    }
    return target.has_value();
  }
  if (key == "slipway.token") {
    arguments.token = value;
    return !value.empty();
  }
  if (key == "slipway.after") {
    arguments.after = value == "poweroff" ? After::kPowerOff
                      : value == "reboot" ? After::kReboot
                                          : After::kWait;
    return value == "poweroff" || value == "reboot" || value == "wait";
  }
  return true;
}

}  // namespace

Result<HttpTarget> ParseHttpUrl(std::string_view url) {
  constexpr std::string_view kScheme = "http://";
  if (!url.starts_with(kScheme)) {
    return Fail(ErrorCode::kUnsupported);
  }
  url.remove_prefix(kScheme.size());
  HttpTarget target;
  const std::size_t slash = url.find('/');
  if (slash != std::string_view::npos) {
    target.path = url.substr(slash);
    url = url.substr(0, slash);
  }
  target.authority = url;
  std::string_view host = url;
  std::string_view port;
  if (host.starts_with('[')) {
    const std::size_t end = host.find(']');
    if (end == std::string_view::npos) {
      return Fail(ErrorCode::kMalformed);
    }
    port = host.substr(end + 1);
    host = host.substr(1, end - 1);
  } else if (const std::size_t colon = host.find(':'); colon != std::string_view::npos) {
    port = host.substr(colon);
    host = host.substr(0, colon);
  }
  if (!port.empty()) {
    const char* const end = port.data() + port.size();
    const auto [stop, error] = std::from_chars(port.data() + 1, end, target.port);
    if (port.front() != ':' || error != std::errc() || stop != end || target.port == 0) {
      return Fail(ErrorCode::kMalformed);
    }
  }
  const Result<IpAddress> address = IpAddress::Parse(host);
  if (!address) {
    return Fail(ErrorCode::kUnsupported);
  }
  target.host = *address;
  return target;
}

Arguments ParseCommandLine(std::string_view command_line) {
  Arguments arguments;
  while (true) {
    const std::string word = NextWord(command_line);
    if (word.empty() && command_line.empty()) {
      return arguments;
    }
    const std::string_view view = word;
    const std::size_t equals = view.find('=');
    if (equals == std::string_view::npos) {
      continue;
    }
    const std::string_view key = view.substr(0, equals);
    if (!Apply(key, view.substr(equals + 1), arguments) && arguments.complaint.empty()) {
      arguments.complaint = key;
    }
  }
}

}  // namespace slipway::launcher
