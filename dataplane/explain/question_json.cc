#include "dataplane/explain/question_json.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>
#include <utility>

#include "dataplane/boot/loaders.h"

namespace slipway::explain {
namespace {

namespace json = boost::json;
using Read = std::expected<void, Misread>;

[[nodiscard]] std::unexpected<Misread> Wrong(std::string_view field, std::string problem) {
  return std::unexpected(Misread{.field = std::string(field), .problem = std::move(problem)});
}

template <typename Number>
[[nodiscard]] bool ReadNumber(std::string_view text, Number& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} && end == text.data() + text.size();
}

// "x64 UEFI (EBC)" is asked for as x64-uefi-ebc.
[[nodiscard]] std::string Hyphened(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c == ' ') {
      out += '-';
    } else if (c != '(' && c != ')') {
      out += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    }
  }
  return out;
}

[[nodiscard]] Read ReadArchitecture(std::string_view text, dhcp::Question& question) {
  question.has_architecture = true;
  if (ReadNumber(text, question.architecture)) {
    return {};
  }
  std::string names;
  for (const boot::ArchitectureRow& row : boot::ArchitectureTable()) {
    if (Hyphened(row.name) == text) {
      question.architecture = row.code;
      return {};
    }
    names += (names.empty() ? "" : ", ") + Hyphened(row.name);
  }
  return Wrong("arch", "is a code of option 93, or one of " + names);
}

[[nodiscard]] Read ReadType(std::string_view text, dhcp::Question& question) {
  constexpr std::array<std::pair<std::string_view, dhcp::MessageType>, 6> kTypes = {
      {{"discover", dhcp::MessageType::kDiscover},
       {"request", dhcp::MessageType::kRequest},
       {"inform", dhcp::MessageType::kInform},
       {"release", dhcp::MessageType::kRelease},
       {"decline", dhcp::MessageType::kDecline},
       {"bootp", dhcp::MessageType::kNone}}};
  const auto* const found =
      std::ranges::find_if(kTypes, [&](const auto& type) { return type.first == text; });
  if (found == kTypes.end()) {
    return Wrong("type", "is discover, request, inform, release, decline or bootp");
  }
  question.type = found->second;
  return {};
}

[[nodiscard]] Read ReadClientId(std::string_view text, dhcp::Question& question) {
  std::array<std::byte, lease::kClientIdBytesMax> bytes{};
  std::size_t size = 0;
  for (std::size_t i = 0; i < text.size();) {
    std::uint8_t byte = 0;
    const std::string_view digits = text.substr(i, 2);
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16);
    if (digits.size() != 2 || error != std::errc{} || end != digits.data() + 2 ||
        size == bytes.size()) {
      return Wrong("client_id", "is at most 64 bytes in hex, as 01:52:54:00:00:00:01");
    }
    bytes[size++] = static_cast<std::byte>(byte);
    i += 2;
    i += i < text.size() && text[i] == ':' ? 1U : 0U;
  }
  return question.client_id.Assign(ByteSpan(bytes).first(size))
             ? Read()
             : Wrong("client_id", "is at most 64 bytes");
}

[[nodiscard]] Read ReadOne(std::string_view field, std::string_view text, AskedPacket& asked) {
  dhcp::Question& question = asked.question;
  const std::pair<std::string_view, Ipv4Address*> addresses[] = {
      {"ciaddr", &question.ciaddr},
      {"requested", &question.requested},
      {"server", &question.server},
      {"relay", &question.relay},
      {"link_selection", &question.link_selection}};
  for (const auto& [name, target] : addresses) {
    if (name == field) {
      const auto address = Ipv4Address::Parse(text);
      *target = address ? *address : Ipv4Address{};
      return address ? Read() : Wrong(field, "is an IPv4 address");
    }
  }
  if (field == "mac") {
    const auto mac = MacAddress::Parse(text);
    question.mac = mac ? *mac : MacAddress{};
    return mac ? Read() : Wrong(field, "is a MAC address, as 52:54:00:00:00:01");
  }
  if (field == "arch") {
    return ReadArchitecture(text, question);
  }
  if (field == "type") {
    return ReadType(text, question);
  }
  if (field == "client_id") {
    return ReadClientId(text, question);
  }
  bool fits = false;
  if (field == "vendor_class") {
    fits = question.vendor_class.Assign(text);
  } else if (field == "user_class") {
    fits = question.user_class.Assign(text);
  } else if (field == "interface") {
    fits = asked.interface.Assign(text);
  } else if (field == "vlan") {
    fits = ReadNumber(text, asked.vlan);
  } else if (field == "last") {
    asked.last = text != "0" && text != "false";
    fits = true;
  } else {
    return Wrong(field, "is nothing that can be asked");
  }
  return fits ? Read() : Wrong(field, "is longer than 63 bytes (an interface: 15), or no number");
}

}  // namespace

std::expected<AskedPacket, Misread> ReadQuestion(const json::object& question) {
  AskedPacket asked;
  for (const auto& member : question) {
    const std::string_view field(member.key().data(), member.key().size());
    if (!member.value().is_string()) {
      return Wrong(field, "is text");
    }
    const json::string& text = member.value().get_string();
    if (const Read read = ReadOne(field, {text.data(), text.size()}, asked); !read) {
      return std::unexpected(read.error());
    }
  }
  if (asked.question.mac.is_zero()) {
    return Wrong("mac", "is needed");
  }
  if (!asked.question.link_selection.is_any() && asked.question.relay.is_any()) {
    return Wrong("link_selection", "is said by a relay: give 'relay' too");
  }
  return asked;
}

}  // namespace slipway::explain
