#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <vector>

#include "controlplane/api/api.h"
#include "controlplane/api/facts_json.h"
#include "controlplane/api/problem.h"
#include "controlplane/api/routes.h"

namespace slipway::api {
namespace {

namespace json = boost::json;

constexpr std::size_t kLeasesDefault = 100;
constexpr std::size_t kLeasesPerMac = 64;
constexpr std::size_t kTraceSteps = 1000;
constexpr std::int64_t kBootGapNs = 120'000'000'000;

// An id of a fact, or null for none.
[[nodiscard]] json::value IdJson(model::Kind kind, std::uint64_t id) {
  if (id == 0 || id > model::kEntityIdMax) {
    return nullptr;
  }
  return json::string(model::FormatId(kind, {id}));
}

[[nodiscard]] json::value AddressJson(const IpAddress& address) {
  if (!address.is_set()) {
    return nullptr;
  }
  return json::string(ToText(address).view());
}

[[nodiscard]] json::value MacJson(MacAddress mac) {
  if (mac.is_zero()) {
    return nullptr;
  }
  return json::string(ToText(mac).view());
}

[[nodiscard]] std::string_view LeaseStateText(store::LeaseState state) noexcept {
  switch (state) {
    case store::LeaseState::kBound:
      return "bound";
    case store::LeaseState::kReleased:
      return "released";
    case store::LeaseState::kExpired:
      return "expired";
    case store::LeaseState::kDeclined:
      return "declined";
  }
  return "?";
}

[[nodiscard]] double Millis(std::int64_t ns) { return static_cast<double>(ns / 1000) / 1000.0; }

void SendJson(Call call, const json::value& body) {
  call.responder.Send({.status = 200, .body = json::serialize(body) + "\n", .headers = {}});
}

void SendBadQuery(Call call, std::string detail, std::string cure) {
  call.responder.Send(ToResponse({.status = 400,
                                  .type = "bad-query",
                                  .detail = std::move(detail),
                                  .cure = std::move(cure),
                                  .fields = {}}));
}

// The MACs by which a machine is known, found by its id, its name or one of its MACs. A MAC that
// belongs to no machine stands for itself.
struct Subject {
  std::optional<model::EntityId> machine;
  std::vector<MacAddress> macs;
};

[[nodiscard]] std::optional<Subject> FindSubject(Api& api, std::string_view text) {
  return api.parts().model->Read([&](const model::ModelIndex& index) -> std::optional<Subject> {
    Subject subject;
    if (const model::Row* row = index.FindByText(model::Kind::kMachine, text); row != nullptr) {
      subject.machine = row->id;
    } else if (const auto mac = MacAddress::Parse(text); mac) {
      subject.macs.push_back(*mac);
      if (const model::Row* owner = index.InterfaceByMac(*mac); owner != nullptr) {
        subject.machine = owner->as<model::Interface>().machine;
        subject.macs.clear();
      }
    } else {
      return std::nullopt;
    }
    if (subject.machine) {
      const model::EntityRef parent{model::Kind::kMachine, *subject.machine};
      for (const model::EntityId child : index.ChildrenOf(parent, model::Kind::kInterface)) {
        if (const auto* nic = index.Get<model::Interface>(model::Kind::kInterface, child);
            nic != nullptr && !nic->mac.is_zero()) {
          subject.macs.push_back(nic->mac);
        }
      }
    }
    return subject;
  });
}

void SendNoMachine(Call call) {
  call.responder.Send(ToResponse({.status = 404,
                                  .type = "not-found",
                                  .detail = fmt::format("there is no machine '{}'", call.match.id),
                                  .cure = "list the machines; an id, a name or a MAC is accepted",
                                  .fields = {}}));
}

// A boot begins with a DISCOVER after a pause, or after the machine has been enlisted.
[[nodiscard]] bool BeginsBoot(const store::BootStepRow* before, const store::BootStepRow& step) {
  if (before == nullptr) {
    return true;
  }
  const bool discover = step.kind == "DhcpDiscover";
  const bool pause = step.realtime_ns - before->realtime_ns > kBootGapNs;
  return discover && (pause || before->kind == "Enlisted");
}

[[nodiscard]] json::array TraceJson(const std::vector<store::BootStepRow>& rows,
                                    std::size_t boots_wanted) {
  std::vector<std::size_t> starts;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (BeginsBoot(i == 0 ? nullptr : &rows[i - 1], rows[i])) {
      starts.push_back(i);
    }
  }
  json::array boots;
  const std::size_t first = starts.size() > boots_wanted ? starts.size() - boots_wanted : 0;
  for (std::size_t boot = first; boot < starts.size(); ++boot) {
    const std::size_t begin = starts[boot];
    const std::size_t end = boot + 1 < starts.size() ? starts[boot + 1] : rows.size();
    json::array steps;
    for (std::size_t i = begin; i < end; ++i) {
      json::object step = BootStepJson(rows[i]);
      step["offset_ms"] = Millis(rows[i].realtime_ns - rows[begin].realtime_ns);
      steps.push_back(std::move(step));
    }
    json::object out;
    out["began"] = TimeText(rows[begin].realtime_ns);
    out["duration_ms"] = Millis(rows[end - 1].realtime_ns - rows[begin].realtime_ns);
    out["steps"] = std::move(steps);
    boots.push_back(std::move(out));
  }
  return boots;
}

[[nodiscard]] std::optional<store::LeaseKey> ParseLeaseCursor(std::string_view text) {
  const std::size_t dash = text.find('_');
  const auto subnet = model::ParseId(model::Kind::kSubnet, text.substr(0, dash));
  const auto address = dash == std::string_view::npos
                           ? Result<IpAddress>(Fail(ErrorCode::kMalformed))
                           : IpAddress::Parse(text.substr(dash + 1));
  if (!address) {
    return std::nullopt;
  }
  // Subnets of relays that the region does not know have the id 0.
  return store::LeaseKey{.subnet = subnet ? subnet->value : 0, .address = *address};
}

[[nodiscard]] std::string LeaseCursor(const store::LeaseRow& row) {
  const model::EntityId subnet{row.subnet};
  return (subnet.is_set() ? model::FormatId(model::Kind::kSubnet, subnet) : std::string("0")) +
         "_" + std::string(ToText(row.address).view());
}

}  // namespace

Result<std::size_t> ParseLimit(const Query& query, std::size_t fallback) noexcept {
  const auto text = query.Get("limit");
  if (!text) {
    return fallback;
  }
  std::size_t limit = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), limit);
  if (error != std::errc{} || end != text->data() + text->size() || limit == 0 ||
      limit > kPageItemsMax) {
    return Fail(ErrorCode::kOutOfRange);
  }
  return limit;
}

json::object EventJson(const store::EventRow& row) {
  json::object out;
  out["topic"] = "event";
  out["time"] = TimeText(row.realtime_ns);
  out["code"] = row.code;
  out["subject"] = row.subject;
  out["detail"] = row.detail;
  out["rack"] = IdJson(model::Kind::kRack, row.rack);
  return out;
}

json::object BootStepJson(const store::BootStepRow& row) {
  json::object out;
  out["time"] = TimeText(row.realtime_ns);
  out["step"] = row.kind;
  out["name"] = row.name;
  out["bytes"] = row.bytes;
  out["duration_ms"] = Millis(row.duration_ns);
  out["ok"] = row.ok;
  out["mac"] = MacJson(row.mac);
  out["address"] = AddressJson(row.address);
  out["machine"] = IdJson(model::Kind::kMachine, row.machine);
  out["rack"] = IdJson(model::Kind::kRack, row.rack);
  return out;
}

json::object LeaseJson(const store::LeaseRow& row) {
  json::object out;
  out["address"] = AddressJson(row.address);
  out["mac"] = MacJson(row.mac);
  out["state"] = LeaseStateText(row.state);
  out["hostname"] = row.hostname;
  out["machine"] = IdJson(model::Kind::kMachine, row.machine);
  out["subnet"] = IdJson(model::Kind::kSubnet, row.subnet);
  out["vlan"] = IdJson(model::Kind::kVlan, row.vlan);
  out["rack"] = IdJson(model::Kind::kRack, row.rack);
  out["granted"] = TimeText(row.realtime_ns);
  out["lease_seconds"] = row.lease_ns / 1'000'000'000;
  out["expires"] = TimeText(row.realtime_ns + row.lease_ns);
  return out;
}

void HandleLeases(Api& api, Call call) {
  const auto limit = ParseLimit(call.query, kLeasesDefault);
  std::optional<store::LeaseKey> after;
  if (const auto cursor = call.query.Get("cursor"); cursor && !cursor->empty()) {
    after = ParseLeaseCursor(*cursor);
    if (!after) {
      SendBadQuery(std::move(call), "the cursor is not one of ours", "begin without a cursor");
      return;
    }
  }
  std::optional<model::EntityId> subnet;
  if (const auto text = call.query.Get("subnet"); text) {
    subnet = api.parts().model->Read(
        [&](const model::ModelIndex& index) { return index.Resolve(model::Kind::kSubnet, *text); });
  }
  if (!limit || (subnet && !subnet->is_set())) {
    SendBadQuery(std::move(call),
                 limit ? "there is no such subnet" : "'limit' is a number from 1 to 1000",
                 "correct the query");
    return;
  }
  json::array items;
  json::object body;
  body["next"] = nullptr;
  const auto add = [&](const store::LeaseRow& row) {
    if (!subnet || row.subnet == subnet->value) {
      items.push_back(LeaseJson(row));
    }
  };
  if (const auto mac_text = call.query.Get("mac"); mac_text) {
    const auto mac = MacAddress::Parse(*mac_text);
    if (!mac) {
      SendBadQuery(std::move(call), "'mac' is not a MAC address", "write it as 52:54:00:00:00:01");
      return;
    }
    const auto rows = api.parts().facts->LeasesByMac(*mac, kLeasesPerMac);
    if (!rows) {
      call.responder.Send(StoreProblem(rows.error()));
      return;
    }
    std::for_each(rows->begin(), rows->end(), add);
  } else {
    if (subnet && !after) {
      after = store::LeaseKey{.subnet = subnet->value, .address = {}};
    }
    const auto page = api.parts().facts->Leases(after, *limit);
    if (!page) {
      call.responder.Send(StoreProblem(page.error()));
      return;
    }
    std::for_each(page->rows.begin(), page->rows.end(), add);
    if (page->more && !page->rows.empty()) {
      body["next"] = LeaseCursor(page->rows.back());
    }
  }
  body["items"] = std::move(items);
  SendJson(std::move(call), body);
}

void HandleBootTrace(Api& api, Call call) {
  const auto subject = FindSubject(api, call.match.id);
  if (!subject) {
    SendNoMachine(std::move(call));
    return;
  }
  std::size_t boots = 1;
  if (const auto text = call.query.Get("boots"); text) {
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), boots);
    if (error != std::errc{} || end != text->data() + text->size() || boots == 0) {
      SendBadQuery(std::move(call), "'boots' is a number of boots, newest last",
                   "leave it out for the newest boot");
      return;
    }
  }
  std::vector<store::BootStepRow> rows;
  for (const MacAddress mac : subject->macs) {
    auto steps = api.parts().facts->BootSteps(mac, 0, kTraceSteps);
    if (!steps) {
      call.responder.Send(StoreProblem(steps.error()));
      return;
    }
    rows.insert(rows.end(), steps->begin(), steps->end());
  }
  std::stable_sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) {
    return std::pair(a.realtime_ns, a.position) < std::pair(b.realtime_ns, b.position);
  });
  json::object body;
  body["machine"] = IdJson(model::Kind::kMachine, subject->machine ? subject->machine->value : 0);
  body["boots"] = TraceJson(rows, boots);
  SendJson(std::move(call), body);
}

void HandleInventory(Api& api, Call call) {
  const auto subject = FindSubject(api, call.match.id);
  if (!subject) {
    SendNoMachine(std::move(call));
    return;
  }
  std::optional<store::InventoryRow> newest;
  for (const MacAddress mac : subject->macs) {
    auto row = api.parts().facts->LatestInventory(mac);
    if (!row) {
      call.responder.Send(StoreProblem(row.error()));
      return;
    }
    if (*row && (!newest || (*row)->realtime_ns > newest->realtime_ns)) {
      newest = **std::move(row);
    }
  }
  if (!newest) {
    call.responder.Send(ToResponse({.status = 404,
                                    .type = "not-found",
                                    .detail = "the machine has not sent an inventory yet",
                                    .cure = "boot it into the launcher",
                                    .fields = {}}));
    return;
  }
  json::object body;
  body["machine"] = IdJson(model::Kind::kMachine, subject->machine ? subject->machine->value : 0);
  body["mac"] = MacJson(newest->mac);
  body["time"] = TimeText(newest->realtime_ns);
  body["rack"] = IdJson(model::Kind::kRack, newest->rack);
  boost::system::error_code error;
  json::value document = json::parse(newest->document, error);
  body["document"] = error ? json::value(nullptr) : std::move(document);
  SendJson(std::move(call), body);
}

}  // namespace slipway::api
