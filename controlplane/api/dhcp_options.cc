// GET /v1/machines/{id}/dhcp-options: the options that hold for a machine, with where each comes
// from, by the functions that racks write replies with.
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <expected>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "controlplane/api/api.h"
#include "controlplane/api/problem.h"
#include "controlplane/api/routes.h"
#include "controlplane/model/dhcp.h"
#include "controlplane/publish/excerpt.h"
#include "dataplane/dhcp/option_set.h"
#include "dataplane/dhcp/option_value.h"
#include "dataplane/dhcp/reply_options.h"

namespace slipway::api {
namespace {

namespace json = boost::json;
using model::EntityId;
using model::Family;
using model::Kind;

constexpr std::size_t kLeasesPerMac = 64;

// What the question says about the client. Owns what `client` points into.
struct Question {
  Family family = Family::kV4;
  std::optional<MacAddress> mac;
  std::string subnet;
  std::string vendor_class;
  std::string user_class;
  config::RelayId circuit_id;
  config::RelayId remote_id;
  dhcp::OptionClient client;
};

// Where the machine is, as far as the model and its lease tell.
struct Where {
  EntityId machine;
  EntityId interface;
  EntityId vlan;
  EntityId subnet;
  IpAddress address;  // not set: not known
  MacAddress mac;
};

using Answer = std::expected<json::object, ProblemText>;

[[nodiscard]] std::unexpected<ProblemText> BadQuery(std::string detail, std::string cure) {
  return std::unexpected(ProblemText{.status = 400,
                                     .type = "bad-query",
                                     .detail = std::move(detail),
                                     .cure = std::move(cure),
                                     .fields = {}});
}

[[nodiscard]] std::unexpected<ProblemText> NotKnown(std::string detail, std::string cure) {
  return std::unexpected(ProblemText{.status = 409,
                                     .type = "conflict",
                                     .detail = std::move(detail),
                                     .cure = std::move(cure),
                                     .fields = {}});
}

[[nodiscard]] std::string TextOf(const Query& query, std::string_view name) {
  return std::string(query.Get(name).value_or(std::string_view()));
}

[[nodiscard]] std::expected<void, ProblemText> ParseClient(const Query& query, Question& question) {
  question.client.family = question.family;
  if (const auto arch = query.Get("arch"); arch) {
    const char* const end = arch->data() + arch->size();
    const auto [stop, error] = std::from_chars(arch->data(), end, question.client.architecture);
    if (error != std::errc{} || stop != end) {
      return BadQuery("'arch' is not a code of option 93", "give a number: 0, 7, 16, ...");
    }
    question.client.has_architecture = true;
  }
  question.vendor_class = TextOf(query, "vendor_class");
  question.user_class = TextOf(query, "user_class");
  question.client.vendor_class = question.vendor_class;
  question.client.user_class = AsBytes(question.user_class);
  for (const auto& [name, id] : {std::pair("relay_circuit", &question.circuit_id),
                                 std::pair("relay_remote", &question.remote_id)}) {
    auto parsed = model::EncodeRelayId(TextOf(query, name));
    if (!parsed) {
      return BadQuery(fmt::format("'{}' {}", name, parsed.error().problem), parsed.error().cure);
    }
    *id = *parsed;
  }
  question.client.circuit_id = {question.circuit_id.data(), question.circuit_id.size()};
  question.client.remote_id = {question.remote_id.data(), question.remote_id.size()};
  return {};
}

[[nodiscard]] std::expected<void, ProblemText> ParseQuestion(const Query& query,
                                                             Question& question) {
  if (const auto family = query.Get("family"); family) {
    if (*family != "v4" && *family != "v6") {
      return BadQuery("'family' is neither v4 nor v6", "give one of them");
    }
    question.family = *family == "v6" ? Family::kV6 : Family::kV4;
  }
  if (const auto mac = query.Get("mac"); mac) {
    const auto parsed = MacAddress::Parse(*mac);
    if (!parsed) {
      return BadQuery("'mac' is not a MAC address", "write it as 52:54:00:00:00:01");
    }
    question.mac = *parsed;
  }
  question.subnet = TextOf(query, "subnet");
  return ParseClient(query, question);
}

[[nodiscard]] bool IsOf(const IpAddress& address, Family family) {
  return address.is_set() && address.is_v4() == (family == Family::kV4);
}

// The interface that is asked about: the one named, or the one that says most about where it is.
[[nodiscard]] const model::Row* ChooseInterface(const model::ModelIndex& index, EntityId machine,
                                                const Question& question) {
  const model::Row* best = nullptr;
  int best_score = -1;
  for (const EntityId id :
       index.ChildrenOf({.kind = Kind::kMachine, .id = machine}, Kind::kInterface)) {
    const model::Row* row = index.Find(Kind::kInterface, id);
    const auto& interface = row->as<model::Interface>();
    if (question.mac && interface.mac != *question.mac) {
      continue;
    }
    const int score =
        IsOf(interface.address, question.family) ? 2 : (interface.vlan.is_set() ? 1 : 0);
    if (score > best_score) {
      best = row;
      best_score = score;
    }
  }
  return best;
}

// The newest lease of the MAC in a subnet of the family that the model still has.
void ApplyLease(const model::ModelIndex& index, const std::vector<store::LeaseRow>& leases,
                Family family, Where& where) {
  for (auto lease = leases.rbegin(); lease != leases.rend(); ++lease) {
    const auto* subnet = index.Get<model::Subnet>(Kind::kSubnet, {lease->subnet});
    const bool fits = subnet != nullptr && lease->state == store::LeaseState::kBound &&
                      IsOf(lease->address, family) &&
                      (!where.vlan.is_set() || where.vlan == subnet->vlan) &&
                      (!where.subnet.is_set() || where.subnet.value == lease->subnet);
    if (fits) {
      where.vlan = subnet->vlan;
      where.subnet = {lease->subnet};
      where.address = lease->address;
      return;
    }
  }
}

[[nodiscard]] std::expected<void, ProblemText> FillSubnet(const model::ModelIndex& index,
                                                          const Question& question, Where& where) {
  if (where.subnet.is_set()) {
    return {};
  }
  if (!where.vlan.is_set()) {
    return NotKnown("it is not known where the machine is: no reservation, VLAN or lease",
                    "name the subnet: subnet=NAME");
  }
  for (const EntityId id :
       index.ChildrenOf({.kind = Kind::kVlan, .id = where.vlan}, Kind::kSubnet)) {
    const auto* subnet = index.Get<model::Subnet>(Kind::kSubnet, id);
    if (subnet == nullptr || !IsOf(subnet->cidr.address, question.family)) {
      continue;
    }
    if (where.subnet.is_set()) {
      return NotKnown("the VLAN has several subnets, and the machine has no address yet",
                      "name the subnet: subnet=NAME");
    }
    where.subnet = id;
  }
  if (!where.subnet.is_set()) {
    return NotKnown("the VLAN has no subnet of the family",
                    "ask for the other family, or name "
                    "the subnet: subnet=NAME");
  }
  return {};
}

[[nodiscard]] std::expected<Where, ProblemText> FindWhere(
    const model::ModelIndex& index, const Question& question, const model::Row& interface_row,
    const std::vector<store::LeaseRow>& leases) {
  const auto& interface = interface_row.as<model::Interface>();
  Where where{.machine = interface.machine,
              .interface = interface_row.id,
              .vlan = interface.vlan,
              .mac = interface.mac};
  if (!question.subnet.empty()) {
    where.subnet = index.Resolve(Kind::kSubnet, question.subnet);
    const auto* subnet = index.Get<model::Subnet>(Kind::kSubnet, where.subnet);
    if (subnet == nullptr || !IsOf(subnet->cidr.address, question.family)) {
      return BadQuery(fmt::format("there is no subnet '{}' of the family", question.subnet),
                      "list the subnets");
    }
    where.vlan = subnet->vlan;
  }
  if (IsOf(interface.address, question.family) &&
      (!where.subnet.is_set() || where.subnet == interface.subnet)) {
    where.subnet = interface.subnet;
    where.address = interface.address;
  } else {
    ApplyLease(index, leases, question.family, where);
  }
  if (const auto filled = FillSubnet(index, question, where); !filled) {
    return std::unexpected(filled.error());
  }
  return where;
}

[[nodiscard]] std::string ValueText(Family family, std::uint16_t code, ByteSpan value) {
  std::array<char, dhcp::kOptionTextBytesMax> text{};
  const auto size = dhcp::FormatOptionValue(family, dhcp::FindOption(family, code), value, text);
  return {text.data(), size ? *size : dhcp::FormatHex(value, text)};
}

[[nodiscard]] Kind KindOfScope(model::OptionScope scope) {
  switch (scope) {
    case model::OptionScope::kVlan:
      return Kind::kVlan;
    case model::OptionScope::kSubnet:
      return Kind::kSubnet;
    case model::OptionScope::kRange:
      return Kind::kRange;
    case model::OptionScope::kClass:
      return Kind::kDhcpClass;
    case model::OptionScope::kMachine:
      return Kind::kMachine;
    case model::OptionScope::kGlobal:
      break;
  }
  return Kind::kFabric;
}

[[nodiscard]] std::string_view ScopeText(model::OptionScope scope) {
  return scope == model::OptionScope::kGlobal  ? "global"
         : scope == model::OptionScope::kClass ? "class"
                                               : model::InfoOf(KindOfScope(scope)).name;
}

[[nodiscard]] json::value IdText(Kind kind, EntityId id) {
  return id.is_set() ? json::value(model::FormatId(kind, id)) : json::value(nullptr);
}

// Lists the options of one question.
class Listing {
 public:
  Listing(const model::ModelIndex& index, const Question& question, const Where& where)
      : index_(index),
        question_(question),
        where_(where),
        snapshot_(publish::CompileExcerpt(index, where.machine, where.vlan)) {
    range_ =
        where.address.is_set() ? dhcp::FindRange(*snapshot_, where.subnet.value, where.address) : 0;
    dhcp::OptionClient client = question.client;
    client.mac = where.mac;
    set_.Collect(*snapshot_,
                 {.machine = where.machine.value,
                  .range = range_,
                  .subnet = where.subnet.value,
                  .vlan = where.vlan.value},
                 client);
  }

  [[nodiscard]] json::object Run() {
    const auto everything = [](std::uint16_t) { return true; };
    const auto add = [this](const dhcp::ReplyOption& option) { Add(option); };
    const config::VlanRecord* vlan = snapshot_->VlanById(where_.vlan.value);
    const config::SubnetRecord* subnet = snapshot_->SubnetById(where_.subnet.value);
    if (vlan != nullptr && subnet != nullptr) {
      dhcp::ForEachNetworkOption(set_,
                                 {.vlan = *vlan,
                                  .subnet = *subnet,
                                  .machine = snapshot_->MachineById(where_.machine.value)},
                                 everything, add);
    }
    dhcp::ForEachOtherOption(set_, everything, add);
    AddOthers();
    json::object out;
    out["machine"] = IdText(Kind::kMachine, where_.machine);
    out["interface"] = IdText(Kind::kInterface, where_.interface);
    out["mac"] = json::string(ToText(where_.mac).view());
    out["family"] = question_.family == Family::kV4 ? "v4" : "v6";
    out["vlan"] = IdText(Kind::kVlan, where_.vlan);
    out["subnet"] = IdText(Kind::kSubnet, where_.subnet);
    out["range"] = IdText(Kind::kRange, {range_});
    out["address"] =
        where_.address.is_set() ? json::value(ToText(where_.address).view()) : json::value(nullptr);
    json::array classes;
    for (const config::RecordId id : set_.classes()) {
      classes.push_back(json::string(NameOf(Kind::kDhcpClass, {id})));
    }
    out["classes"] = std::move(classes);
    out["items"] = std::move(items_);
    return out;
  }

 private:
  [[nodiscard]] std::string NameOf(Kind kind, EntityId id) const {
    const model::Row* row = index_.Find(kind, id);
    return row == nullptr || kind == Kind::kRange ? model::FormatId(kind, id)
                                                  : model::NameOf(row->entity);
  }

  [[nodiscard]] json::object Item(std::uint16_t code, std::string_view state,
                                  model::OptionScope scope, EntityId of) const {
    json::object item;
    item["code"] = code;
    const dhcp::OptionRow* row = dhcp::FindOption(question_.family, code);
    item["name"] = row == nullptr ? json::value(nullptr) : json::value(row->name);
    item["state"] = state;
    item["scope"] = ScopeText(scope);
    item["of"] = IdText(KindOfScope(scope), of);
    item["of_name"] = of.is_set() ? json::value(NameOf(KindOfScope(scope), of)) : nullptr;
    return item;
  }

  void Add(const dhcp::ReplyOption& option) {
    shown_.insert(option.id);
    shown_codes_.insert(option.code);
    json::object item = Item(option.code, "effective", option.scope, {option.of});
    item["value"] = ValueText(question_.family, option.code, option.value);
    item["origin"] = option.origin == dhcp::OptionOrigin::kOption  ? "option"
                     : option.origin == dhcp::OptionOrigin::kField ? "field"
                                                                   : "computed";
    item["option"] = IdText(Kind::kDhcpOption, {option.id});
    item["always"] = option.always;
    items_.push_back(std::move(item));
  }

  // Whether an option that is set on this is one of the client's.
  [[nodiscard]] bool Applies(model::EntityRef target) const {
    switch (target.kind) {
      case Kind::kMachine:
        return target.id == where_.machine;
      case Kind::kDhcpClass: {
        const auto classes = set_.classes();
        return std::ranges::find(classes, target.id.value) != classes.end();
      }
      case Kind::kRange:
        return target.id.value == range_;
      case Kind::kSubnet:
        return target.id == where_.subnet;
      case Kind::kVlan:
        return target.id == where_.vlan;
      default:
        return true;
    }
  }

  // What a scope that applies says and is not sent: suppressed, or a nearer scope says otherwise.
  void AddOthers() {
    for (const auto& [id, row] : index_.All(Kind::kDhcpOption)) {
      const auto& option = row.as<model::DhcpOption>();
      const model::EntityRef target = model::TargetOf(option);
      if (!Applies(target) || option.family != question_.family || shown_.contains(id.value)) {
        continue;
      }
      const dhcp::EffectiveOption* strongest = set_.Find(option.code);
      const bool wins =
          strongest != nullptr && strongest->id == id.value && !shown_codes_.contains(option.code);
      json::object item = Item(option.code, wins && option.suppress ? "suppressed" : "overridden",
                               option.scope, target.id);
      item["value"] = option.value;
      item["origin"] = "option";
      item["option"] = IdText(Kind::kDhcpOption, id);
      item["always"] = option.always;
      items_.push_back(std::move(item));
    }
  }

  const model::ModelIndex& index_;
  const Question& question_;
  const Where& where_;
  config::SnapshotRef snapshot_;
  config::RecordId range_ = 0;
  dhcp::OptionSet set_;
  json::array items_;
  std::set<config::RecordId> shown_;
  std::set<std::uint16_t> shown_codes_;
};

// The machine of an id, a name or a MAC; the MAC also says which interface is meant.
[[nodiscard]] EntityId FindMachine(const model::ModelIndex& index, std::string_view text,
                                   Question& question) {
  if (const model::Row* row = index.FindByText(Kind::kMachine, text); row != nullptr) {
    return row->id;
  }
  const auto mac = MacAddress::Parse(text);
  const model::Row* interface = mac ? index.InterfaceByMac(*mac) : nullptr;
  if (interface == nullptr) {
    return {};
  }
  question.mac = question.mac.value_or(*mac);
  return interface->as<model::Interface>().machine;
}

[[nodiscard]] Answer Ask(Api& api, Call& call, Question& question) {
  const model::LiveModel& model = *api.parts().model;
  std::optional<MacAddress> mac;
  const bool found = model.Read([&](const model::ModelIndex& index) {
    const EntityId machine = FindMachine(index, call.match.id, question);
    const model::Row* interface =
        machine.is_set() ? ChooseInterface(index, machine, question) : nullptr;
    if (interface != nullptr) {
      mac = interface->as<model::Interface>().mac;
    }
    return machine.is_set();
  });
  if (!found) {
    return std::unexpected(
        ProblemText{.status = 404,
                    .type = "not-found",
                    .detail = fmt::format("there is no machine '{}'", call.match.id),
                    .cure = "list the machines; an id, a name or a MAC is accepted",
                    .fields = {}});
  }
  if (!mac) {
    return NotKnown("the machine has no such interface", "list its interfaces");
  }
  // Facts are read without the model's lock.
  const auto leases = api.parts().facts->LeasesByMac(*mac, kLeasesPerMac);
  return model.Read([&](const model::ModelIndex& index) -> Answer {
    const model::Row* interface = index.InterfaceByMac(*mac);
    if (interface == nullptr) {
      return NotKnown("the machine has just changed", "ask again");
    }
    const auto where =
        FindWhere(index, question, *interface, leases ? *leases : std::vector<store::LeaseRow>());
    if (!where) {
      return std::unexpected(where.error());
    }
    return Listing(index, question, *where).Run();
  });
}

}  // namespace

void HandleDhcpOptions(Api& api, Call call) {
  Question question;
  Answer answer = json::object();
  if (const auto parsed = ParseQuestion(call.query, question); !parsed) {
    answer = std::unexpected(parsed.error());
  } else {
    answer = Ask(api, call, question);
  }
  if (!answer) {
    call.responder.Send(ToResponse(answer.error()));
    return;
  }
  call.responder.Send({.status = 200, .body = json::serialize(*answer) + "\n", .headers = {}});
}

}  // namespace slipway::api
