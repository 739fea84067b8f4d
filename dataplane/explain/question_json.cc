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

// What was asked, before it is known of which family.
struct Asked {
  AskedPacket packet;
  std::string_view type;
  IpAddress ciaddr;
  IpAddress requested;
  IpAddress server;
  IpAddress relay;
  IpAddress link_selection;
};

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

[[nodiscard]] Read ReadType6(std::string_view text, dhcp::Question6& question) {
  using dhcp::MessageType6;
  constexpr std::array kTypes = {MessageType6::kSolicit, MessageType6::kRequest,
                                 MessageType6::kRenew,   MessageType6::kRebind,
                                 MessageType6::kConfirm, MessageType6::kRelease,
                                 MessageType6::kDecline, MessageType6::kInformationRequest};
  for (const MessageType6 type : kTypes) {
    if (dhcp::ToString(type) == text) {
      question.type = type;
      return {};
    }
  }
  return Wrong("type",
               "is solicit, request, renew, rebind, confirm, release, decline or "
               "information-request");
}

[[nodiscard]] Read ReadHex(std::string_view field, std::string_view text, lease::ClientId& out) {
  std::array<std::byte, lease::kClientIdBytesMax> bytes{};
  std::size_t size = 0;
  for (std::size_t i = 0; i < text.size();) {
    std::uint8_t byte = 0;
    const std::string_view digits = text.substr(i, 2);
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16);
    if (digits.size() != 2 || error != std::errc{} || end != digits.data() + 2 ||
        size == bytes.size()) {
      return Wrong(field, "is at most 64 bytes in hex, as 01:52:54:00:00:00:01");
    }
    bytes[size++] = static_cast<std::byte>(byte);
    i += 2;
    i += i < text.size() && text[i] == ':' ? 1U : 0U;
  }
  return out.Assign(ByteSpan(bytes).first(size)) ? Read() : Wrong(field, "is at most 64 bytes");
}

[[nodiscard]] Read ReadFamily(std::string_view text, AskedPacket& asked) {
  asked.family = text == "v6" ? config::Family::kV6 : config::Family::kV4;
  return text == "v4" || text == "v6" ? Read() : Wrong("family", "is v4 or v6");
}

[[nodiscard]] Read ReadOne(std::string_view field, std::string_view text, Asked& raw) {
  AskedPacket& asked = raw.packet;
  dhcp::Question& question = asked.question;
  const std::pair<std::string_view, IpAddress*> addresses[] = {
      {"ciaddr", &raw.ciaddr},
      {"requested", &raw.requested},
      {"server", &raw.server},
      {"relay", &raw.relay},
      {"link_selection", &raw.link_selection}};
  for (const auto& [name, target] : addresses) {
    if (name == field) {
      const auto address = IpAddress::Parse(text);
      *target = address ? *address : IpAddress{};
      return address ? Read() : Wrong(field, "is an address");
    }
  }
  if (field == "family") {
    return ReadFamily(text, asked);
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
    raw.type = text;
    return {};
  }
  if (field == "client_id") {
    return ReadHex(field, text, question.client_id);
  }
  if (field == "duid") {
    return ReadHex(field, text, asked.question6.duid);
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

[[nodiscard]] Read FinishV4(Asked& raw) {
  dhcp::Question& question = raw.packet.question;
  const std::pair<std::string_view, IpAddress> addresses[] = {
      {"ciaddr", raw.ciaddr},
      {"requested", raw.requested},
      {"server", raw.server},
      {"relay", raw.relay},
      {"link_selection", raw.link_selection}};
  for (const auto& [name, address] : addresses) {
    if (address.is_set() && !address.is_v4()) {
      return Wrong(name, "is an IPv4 address");
    }
  }
  question.ciaddr = raw.ciaddr.v4();
  question.requested = raw.requested.v4();
  question.server = raw.server.v4();
  question.relay = raw.relay.v4();
  question.link_selection = raw.link_selection.v4();
  if (question.mac.is_zero()) {
    return Wrong("mac", "is needed");
  }
  if (!question.link_selection.is_any() && question.relay.is_any()) {
    return Wrong("link_selection", "is said by a relay: give 'relay' too");
  }
  return raw.type.empty() ? Read() : ReadType(raw.type, question);
}

[[nodiscard]] Read FinishV6(Asked& raw) {
  const dhcp::Question& like = raw.packet.question;
  dhcp::Question6& question = raw.packet.question6;
  const std::pair<std::string_view, IpAddress> none[] = {
      {"ciaddr", raw.ciaddr}, {"server", raw.server}, {"link_selection", raw.link_selection}};
  for (const auto& [name, address] : none) {
    if (address.is_set()) {
      return Wrong(name, "is nothing of DHCPv6: see 'requested' and 'relay'");
    }
  }
  const std::pair<std::string_view, IpAddress> addresses[] = {{"requested", raw.requested},
                                                              {"relay", raw.relay}};
  for (const auto& [name, address] : addresses) {
    if (address.is_set() && address.is_v4()) {
      return Wrong(name, "is an IPv6 address");
    }
  }
  question.mac = like.mac;
  question.has_architecture = like.has_architecture;
  question.architecture = like.architecture;
  question.vendor_class = like.vendor_class;
  question.user_class = like.user_class;
  question.address = raw.requested.v6();
  question.relay = raw.relay.v6();
  if (question.mac.is_zero() && question.duid.size == 0) {
    return Wrong("mac", "is needed, or 'duid'");
  }
  if (question.duid.size != 0 && question.duid.size < dhcp::kDuidBytesMin) {
    return Wrong("duid", "is at least 3 bytes (RFC 8415 11.1)");
  }
  return raw.type.empty() ? Read() : ReadType6(raw.type, question);
}

}  // namespace

std::expected<AskedPacket, Misread> ReadQuestion(const json::object& question) {
  Asked raw;
  for (const auto& member : question) {
    const std::string_view field(member.key().data(), member.key().size());
    if (!member.value().is_string()) {
      return Wrong(field, "is text");
    }
    const json::string& text = member.value().get_string();
    if (const Read read = ReadOne(field, {text.data(), text.size()}, raw); !read) {
      return std::unexpected(read.error());
    }
  }
  const Read done = raw.packet.family == config::Family::kV6 ? FinishV6(raw) : FinishV4(raw);
  if (!done) {
    return std::unexpected(done.error());
  }
  return raw.packet;
}

}  // namespace slipway::explain
