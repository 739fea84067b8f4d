#include "dataplane/explain/answer_json.h"

#include <boost/json/array.hpp>

#include <memory>
#include <string>

#include "dataplane/dhcp/message.h"

namespace slipway::explain {
namespace {

namespace json = boost::json;

[[nodiscard]] json::string Text(std::string_view text) { return json::string(text); }

[[nodiscard]] json::value Address(const IpAddress& address) {
  return address.is_set() ? json::value(Text(ToText(address).view())) : json::value(nullptr);
}

[[nodiscard]] json::value Mac(MacAddress mac) {
  return mac.is_zero() ? json::value(nullptr) : json::value(Text(ToText(mac).view()));
}

[[nodiscard]] std::string_view AnswerName(dhcp::Reason reason) {
  switch (reason) {
    case dhcp::Reason::kOffered:
      return "offer";
    case dhcp::Reason::kAcked:
    case dhcp::Reason::kAckedFromMemory:
    case dhcp::Reason::kInformed:
      return "ack";
    case dhcp::Reason::kNaked:
      return "nak";
    case dhcp::Reason::kBootpAnswered:
      return "bootp";
    default:
      return "none";
  }
}

[[nodiscard]] std::string_view AnswerName(dhcp::Reason6 reason) {
  using enum dhcp::Reason6;
  switch (reason) {
    case kAdvertised:
      return "advertise";
    case kReplied:
    case kRepliedFromMemory:
    case kRapidCommitted:
    case kConfirmed:
    case kInformed:
    case kReleased:
    case kDeclined:
    case kQuarantineFull:
      return "reply";
    case kNotOnLink:
    case kNoAddress:
    case kTakenBack:
    case kNoBinding:
    case kUseMulticast:
      return "refusal";
    default:
      return "none";
  }
}

[[nodiscard]] std::string Hex(ByteSpan bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const std::byte byte : bytes) {
    text += kDigits[std::to_integer<std::size_t>(byte >> 4)];
    text += kDigits[std::to_integer<std::size_t>(byte & std::byte{15})];
  }
  return text;
}

// The members that say what a value is about: "subnet": 7.
void AddValue(const dhcp::TraceValue& value, json::object& out) {
  using dhcp::TraceKind;
  switch (value.kind) {
    case TraceKind::kNone:
      return;
    case TraceKind::kAddress:
      out["address"] = Address(value.address);
      return;
    case TraceKind::kMac:
      out["mac"] = Mac(MacAddress::FromU64(value.number));
      return;
    case TraceKind::kVlan:
      out["vlan"] = value.number;
      return;
    case TraceKind::kSubnet:
      out["subnet"] = value.number;
      return;
    case TraceKind::kMachine:
      out["machine"] = value.number;
      return;
    case TraceKind::kSeconds:
      out["seconds"] = value.number;
      return;
    case TraceKind::kNumber:
      out["number"] = value.number;
      return;
  }
}

[[nodiscard]] json::object RuleJson(const boot::RuleTried& tried) {
  json::object out;
  out["rule"] = Text(tried.rule);
  out["matched"] = tried.matched;
  out["reason"] = Text(tried.reason);
  return out;
}

[[nodiscard]] json::value ArchitectureJson(ByteSpan codes) {
  return codes.size() < 2 ? json::value(nullptr)
                          : json::value(LoadBig<std::uint16_t>(codes.data()));
}

[[nodiscard]] json::value Packet6Json(ByteSpan bytes, MacAddress mac) {
  const auto message = std::make_unique<dhcp::Message6>();
  if (!dhcp::Decode6(bytes, *message)) {
    return nullptr;
  }
  IpAddress relay;
  for (const dhcp::RelayHop& hop : message->relays) {
    relay = hop.link.is_any() ? relay : IpAddress(hop.link);
  }
  IpAddress requested;
  for (const dhcp::Ia& ia : message->ias) {
    requested = requested.is_set() || ia.addresses.empty() ? requested : IpAddress(ia.addresses[0]);
  }
  json::object out;
  out["type"] = Text(dhcp::ToString(message->type));
  out["mac"] = Mac(mac);
  out["duid"] = Hex(message->Get(dhcp::Option6::kClientId));
  out["relay"] = Address(relay);
  out["requested"] = Address(requested);
  out["arch"] = ArchitectureJson(message->Get(dhcp::Option6::kClientArchitecture));
  return out;
}

[[nodiscard]] json::object ReplyJson(const dhcp::Reply& reply) {
  json::object out;
  out["by"] = reply.delivery == dhcp::Delivery::kFrame ? "frame"
              : reply.delivery == dhcp::Delivery::kUdp ? "udp"
                                                       : "none";
  out["address"] = Address(reply.address);
  out["mac"] = Mac(reply.mac);
  out["bytes"] = reply.bytes;
  out["after_disk"] = reply.wait_durable;
  return out;
}

[[nodiscard]] json::object ReplyJson(const dhcp::Reply6& reply) {
  json::object out;
  out["by"] = reply.bytes == 0 ? "none" : "udp";
  out["address"] = Address(reply.address);
  out["mac"] = nullptr;
  out["bytes"] = reply.bytes;
  out["after_disk"] = reply.wait_durable;
  return out;
}

[[nodiscard]] json::value PacketJson(ByteSpan bytes) {
  const auto message = std::make_unique<dhcp::Message>();
  if (!dhcp::Decode(bytes, *message)) {
    return nullptr;
  }
  json::object out;
  out["type"] = Text(dhcp::MessageKindName(dhcp::KindOf(message->type)));
  out["mac"] = Mac(message->mac());
  out["relay"] = Address(message->giaddr);
  out["ciaddr"] = Address(message->ciaddr);
  out["requested"] = Address(message->GetAddress(dhcp::Option::kRequestedAddress));
  out["server"] = Address(message->GetAddress(dhcp::Option::kServerIdentifier));
  out["arch"] = ArchitectureJson(message->Get(dhcp::Option::kClientArchitecture));
  return out;
}

}  // namespace

json::object ToJson(const Explained& explained) {
  const dhcp::DecisionTrace& trace = *explained.trace;
  const dhcp::Decision& decision = trace.decision;
  const bool v6 = explained.family == config::Family::kV6;
  json::object out;
  out["family"] = v6 ? "v6" : "v4";
  out["packet"] = v6 ? Packet6Json(explained.packet, explained.mac) : PacketJson(explained.packet);
  out["interface"] =
      explained.interface.empty() ? json::value(nullptr) : json::value(Text(explained.interface));
  out["answer"] = Text(v6 ? AnswerName(explained.reason6) : AnswerName(explained.reason));
  out["reason"] = Text(v6 ? dhcp::ToString(explained.reason6) : dhcp::ToString(explained.reason));
  out["address"] = Address(decision.address);
  out["server"] = Address(decision.server);
  out["lease_seconds"] = decision.lease.seconds();
  out["vlan"] = decision.vlan;
  out["subnet"] = decision.subnet;
  out["machine"] = decision.machine;
  out["reply"] = v6 ? ReplyJson(explained.reply6) : ReplyJson(explained.reply);
  json::object& boot = out["boot"].emplace_object();
  boot["plan"] = Text(boot::ToString(decision.plan));
  boot["reason"] = Text(decision.plan_reason);
  boot["file"] = Text(decision.file.view());
  json::array& rules = out["rules"].emplace_array();
  for (const dhcp::TracedRule& rule : trace.rules) {
    json::object row = RuleJson(rule.tried);
    AddValue(rule.value, row);
    rules.push_back(std::move(row));
  }
  out["rules_left_out"] = trace.left_out;
  json::array& boot_rules = out["boot_rules"].emplace_array();
  for (const boot::RuleTried& rule : trace.boot_rules) {
    boot_rules.push_back(RuleJson(rule));
  }
  return out;
}

json::object ToJson(const Then& then) {
  const bool v6 = then.family == config::Family::kV6;
  json::object out;
  out["time_ns"] = then.at.ns;
  out["reason"] = Text(v6 ? dhcp::ToString(then.reason6) : dhcp::ToString(then.reason));
  out["answer"] = Text(v6 ? AnswerName(then.reason6) : AnswerName(then.reason));
  out["address"] = Address(then.address);
  out["cut"] = then.cut;
  return out;
}

json::object ToJson(const lease::Lease& lease, const lease::LeaseDetail& detail, Instant now,
                    WallTime wall) {
  const auto at = [&](Instant instant) { return wall.ns + (instant - now).ns; };
  json::object out;
  out["address"] = Address(lease.address);
  out["state"] = Text(lease::ToString(lease.state));
  out["mac"] = Mac(lease.mac);
  out["client_id"] = Hex(detail.client_id.view());
  out["hostname"] = Text(detail.hostname.view());
  out["machine"] = lease.machine;
  out["subnet"] = lease.subnet;
  out["vlan"] = lease.vlan;
  out["granted_ns"] = at(lease.granted);
  out["expires_ns"] = at(lease.ends);
  out["horizon_ns"] =
      lease.state == lease::State::kBound ? json::value(at(lease.horizon)) : json::value(nullptr);
  out["lease_seconds"] = lease.lease.seconds();
  out["on_disk"] = lease.durable;
  return out;
}

json::object ToJson(config::RecordId subnet, const lease::PoolCounts& counts) {
  json::object out;
  out["subnet"] = subnet;
  out["size"] = counts.size;
  out["free"] = counts.free;
  out["offered"] = counts.offered;
  out["bound"] = counts.bound;
  out["reusable"] = counts.reusable;
  out["quarantined"] = counts.declined;
  const std::uint64_t used = std::uint64_t{counts.offered} + counts.bound + counts.declined;
  // Tenths, so that nearly full is not shown as full.
  out["percent"] = counts.size == 0 ? 0.0 : static_cast<double>(used * 1000 / counts.size) / 10.0;
  return out;
}

}  // namespace slipway::explain
