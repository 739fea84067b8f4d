#include "dataplane/main/query_desk.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <charconv>
#include <expected>
#include <utility>

#include "dataplane/explain/answer_json.h"
#include "dataplane/explain/question_json.h"

namespace slipway::rack {
namespace {

namespace json = boost::json;
using service::AskKind;
using service::DhcpAnswer;
using service::DhcpAsk;
using Filled = std::expected<void, std::string>;

[[nodiscard]] std::string_view TextOf(const json::object& argument, std::string_view name) {
  const json::value* value = argument.if_contains(name);
  const json::string* text = value == nullptr ? nullptr : value->if_string();
  return text == nullptr ? std::string_view{} : std::string_view(text->data(), text->size());
}

[[nodiscard]] Filled FillExplain6(const explain::AskedPacket& asked, const service::DhcpDesk& desk,
                                  DhcpAsk& ask) {
  dhcp::Question6 question = asked.question6;
  question.server = desk.server_id();
  const MacAddress by_duid = dhcp::MacOfDuid(question.duid.view());
  ask.mac = !question.mac.is_zero() ? question.mac
            : !by_duid.is_zero()    ? by_duid
                                    : service::TagOf(question.duid.view());
  ask.source = dhcp::SourceOf(question);
  ask.relayed = !question.relay.is_any();
  const auto bytes = dhcp::EncodeQuestion6(ask.packet, question);
  if (!bytes) {
    return std::unexpected("the packet would be too large");
  }
  ask.bytes = static_cast<std::uint16_t>(*bytes);
  return {};
}

[[nodiscard]] Filled FillExplain(const json::object& argument, const service::DhcpDesk& desk,
                                 DhcpAsk& ask) {
  const auto asked = explain::ReadQuestion(argument);
  if (!asked) {
    return std::unexpected(asked.error().field + " " + asked.error().problem);
  }
  const dhcp::Question& question = asked->question;
  ask.kind = asked->last ? AskKind::kExplainLast : AskKind::kExplain;
  ask.family = asked->family;
  ask.mac = question.mac;
  ask.interface = asked->interface;
  ask.vlan = asked->vlan;
  if (asked->family == config::Family::kV6) {
    return FillExplain6(*asked, desk, ask);
  }
  ask.relayed = !question.relay.is_any();
  ask.source = question.relay.is_any() ? question.ciaddr : question.relay;
  const auto bytes = dhcp::EncodeQuestion(ask.packet, question);
  if (!bytes) {
    return std::unexpected("the packet would be too large");
  }
  ask.bytes = static_cast<std::uint16_t>(*bytes);
  return {};
}

[[nodiscard]] Filled FillAddress(const json::object& argument, const service::DhcpDesk& /*desk*/,
                                 DhcpAsk& ask) {
  const auto address = IpAddress::Parse(TextOf(argument, "address"));
  if (!address) {
    return std::unexpected("address is an IPv4 or IPv6 address");
  }
  ask.address = *address;
  return {};
}

[[nodiscard]] Filled FillPools(const json::object& argument, const service::DhcpDesk& /*desk*/,
                               DhcpAsk& ask) {
  const std::string_view subnet = TextOf(argument, "subnet");
  const auto [end, error] =
      std::from_chars(subnet.data(), subnet.data() + subnet.size(), ask.subnet);
  if (!subnet.empty() && (error != std::errc{} || end != subnet.data() + subnet.size())) {
    return std::unexpected("subnet is the id of a subnet");
  }
  return {};
}

[[nodiscard]] Filled FillNothing(const json::object& /*argument*/,
                                 const service::DhcpDesk& /*desk*/, DhcpAsk& /*ask*/) {
  return {};
}

struct Topic {
  std::string_view name;
  AskKind kind;
  Filled (*fill)(const json::object& argument, const service::DhcpDesk& desk, DhcpAsk& ask);
};

constexpr Topic kTopics[] = {
    {"dhcp.explain", AskKind::kExplain, FillExplain},  {"lease.show", AskKind::kLease, FillAddress},
    {"lease.release", AskKind::kRelease, FillAddress}, {"pool.usage", AskKind::kPools, FillPools},
    {"pair.show", AskKind::kPair, FillNothing},
};

[[nodiscard]] json::object WritePair(const service::PairService::Report& report) {
  const lease::PairReport& pair = report.pair;
  json::object out;
  out["pair"] = report.setting.options.pair;
  out["side"] = pair.side;
  out["partner"] = json::string(report.setting.partner.view());
  out["state"] = json::string(lease::ToString(pair.state));
  out["in_state_seconds"] = pair.in_state.seconds();
  out["serves"] = pair.serves;
  out["in_session"] = pair.in_session;
  out["partner_state"] = json::string(pair.in_session ? lease::ToString(pair.partner_state) : "");
  out["mclt_seconds"] = pair.mclt.seconds();
  out["wait_seconds"] = pair.wait.seconds();
  if (pair.serves_for != Duration{INT64_MAX}) {
    out["serves_for_seconds"] = std::max<std::int64_t>(0, pair.serves_for.seconds());
  }
  out["leases_untold"] = pair.untold;
  out["term"] = report.setting.order.term;
  return out;
}

[[nodiscard]] json::object Write(const DhcpAnswer& answer, WallTime wall) {
  json::object out;
  switch (answer.kind) {
    case AskKind::kExplain:
    case AskKind::kExplainLast:
      out = explain::ToJson(
          explain::Explained{.interface = answer.interface,
                             .packet = ByteSpan(answer.packet.packet).first(answer.packet.bytes),
                             .family = answer.family,
                             .reason = answer.reason,
                             .reply = answer.reply,
                             .reason6 = answer.reason6,
                             .reply6 = answer.reply6,
                             .mac = answer.mac,
                             .trace = &answer.trace});
      if (answer.kind == AskKind::kExplainLast) {
        out["then"] = explain::ToJson(explain::Then{.at = answer.packet.at,
                                                    .family = answer.family,
                                                    .reason = answer.packet.reason,
                                                    .reason6 = answer.packet.reason6,
                                                    .address = answer.packet.address,
                                                    .cut = answer.packet.cut});
      }
      return out;
    case AskKind::kLease:
    case AskKind::kRelease:
      return explain::ToJson(answer.lease, answer.detail, answer.now, wall);
    case AskKind::kPair:
      return WritePair(answer.pair);
    case AskKind::kPools:
      break;
  }
  json::array& items = out["items"].emplace_array();
  for (const service::PoolRow& row : answer.pools) {
    items.push_back(explain::ToJson(row.subnet, row.counts));
  }
  return out;
}

}  // namespace

void QueryDesk::OnCurrent(Instant now) {
  if (pair_box_ != nullptr) {
    (void)pair_box_->from_region->Push(now);  // A full box has heard it.
    pair_box_->from_region->Notify();
  }
}

void QueryDesk::OnQuery(std::uint64_t id, std::string_view topic, std::string_view argument) {
  const auto* const found =
      std::ranges::find_if(kTopics, [&](const Topic& known) { return known.name == topic; });
  if (found == std::end(kTopics)) {
    return Refuse(id, session_, ErrorCode::kUnsupported, "this rack knows no such topic");
  }
  boost::system::error_code error;
  const json::value value = json::parse(json::string_view(argument.data(), argument.size()), error);
  if (error || !value.is_object()) {
    return Refuse(id, session_, ErrorCode::kMalformed, "the argument is not a JSON object");
  }
  DhcpAsk ask;
  ask.id = id;
  ask.session = session_;
  ask.kind = found->kind;
  if (const Filled filled = found->fill(value.get_object(), *dhcp_, ask); !filled) {
    return Refuse(id, session_, ErrorCode::kMalformed, filled.error());
  }
  if (!dhcp_->Ask(ask)) {
    Refuse(id, session_, ErrorCode::kFull, "too many questions are under way: ask again");
  }
}

void QueryDesk::PassAnswers() {
  dhcp_->TakeAnswers([this](const DhcpAnswer& answer) {
    if (!answer.problem.empty()) {
      return Refuse(answer.id, answer.session, answer.code, answer.problem);
    }
    Post(answer.id, answer.session, true, json::serialize(Write(answer, clock_->WallNow())));
  });
}

void QueryDesk::Refuse(std::uint64_t id, std::uint64_t session, ErrorCode code,
                       std::string_view problem) {
  json::object out;
  out["error"] = json::string(problem);
  out["code"] = json::string(ToString(code));
  Post(id, session, false, json::serialize(out));
}

void QueryDesk::Post(std::uint64_t id, std::uint64_t session, bool ok, std::string json) {
  // A full queue loses the answer; the region's question times out.
  (void)end_->Post(
      [this, id, session, ok, text = std::move(json)](link::RackLink& link, Instant now) {
        if (session == session_) {
          link.Answer(id, ok, text, now);
        }
      });
}

}  // namespace slipway::rack
