#include "controlplane/model/enlist.h"

#include <boost/json.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <unordered_map>

#include "dataplane/base/limits.h"
#include "dataplane/boot/identity.h"

namespace slipway::model {

namespace json = boost::json;

namespace {

constexpr std::size_t kTextMax = 256;
constexpr std::size_t kListMax = 256;

std::string_view View(const json::string& text) { return {text.data(), text.size()}; }

// The text of a member without control characters, cut at kTextMax; empty if it is anything else.
std::string TextOf(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  std::string text;
  if (value == nullptr || !value->is_string()) {
    return text;
  }
  for (const char c : View(value->get_string())) {
    if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7F) {
      text.push_back(c);
    }
  }
  if (text.size() > kTextMax) {
    std::size_t end = kTextMax;
    // Not in the middle of a UTF-8 sequence.
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) {
      --end;
    }
    text.resize(end);
  }
  return text;
}

std::uint64_t NumberOf(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  if (value == nullptr) {
    return 0;
  }
  if (value->is_uint64()) {
    return value->get_uint64();
  }
  return value->is_int64() && value->get_int64() > 0
             ? static_cast<std::uint64_t>(value->get_int64())
             : 0;
}

bool FlagOf(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value != nullptr && value->is_bool() && value->get_bool();
}

const json::object& ObjectOf(const json::object& object, std::string_view name) {
  static const json::object kEmpty;
  const json::value* value = object.if_contains(name);
  return value != nullptr && value->is_object() ? value->get_object() : kEmpty;
}

// Calls `each` with the objects of an array member, at most kListMax.
template <typename F>
void ForEachObject(const json::object& object, std::string_view name, F&& each) {
  const json::value* value = object.if_contains(name);
  if (value == nullptr || !value->is_array()) {
    return;
  }
  std::size_t count = 0;
  for (const json::value& item : value->get_array()) {
    if (item.is_object() && count++ < kListMax) {
      each(item.get_object());
    }
  }
}

Uuid UuidOf(std::string_view text) {
  Uuid uuid{};
  std::size_t digits = 0;
  for (const char c : text) {
    const int lower = c | 0x20;
    const int digit = c >= '0' && c <= '9'           ? c - '0'
                      : lower >= 'a' && lower <= 'f' ? lower - 'a' + 10
                                                     : -1;
    if (digit < 0 || digits == 2 * uuid.size()) {
      if (c == '-') {
        continue;
      }
      return {};
    }
    uuid[digits / 2] = static_cast<std::uint8_t>((uuid[digits / 2] << 4) | digit);
    ++digits;
  }
  return digits == 2 * uuid.size() ? uuid : Uuid{};
}

void ReadDisks(const json::object& document, Inventory& inventory) {
  ForEachObject(document, "disks", [&](const json::object& disk) {
    inventory.disks.push_back({.name = TextOf(disk, "name"),
                               .model = TextOf(disk, "model"),
                               .serial = TextOf(disk, "serial"),
                               .bytes = NumberOf(disk, "bytes"),
                               .rotational = FlagOf(disk, "rotational")});
  });
}

void ReadNics(const json::object& document, Inventory& inventory) {
  std::unordered_map<std::string, std::string> pci_ids;  // by slot
  const json::value* pci = document.if_contains("pci");
  if (pci != nullptr && pci->is_array()) {
    for (const json::value& item : pci->get_array()) {
      if (item.is_object()) {
        const json::object& device = item.get_object();
        pci_ids.emplace(TextOf(device, "slot"),
                        TextOf(device, "vendor") + ":" + TextOf(device, "device"));
      }
    }
  }
  ForEachObject(document, "interfaces", [&](const json::object& nic) {
    const auto mac = MacAddress::Parse(TextOf(nic, "mac"));
    if (!mac || mac->is_zero() || mac->is_multicast()) {
      return;
    }
    const auto pci_id = pci_ids.find(TextOf(nic, "pci"));
    inventory.nics.push_back({.name = TextOf(nic, "name"),
                              .mac = *mac,
                              .driver = TextOf(nic, "driver"),
                              .pci_id = pci_id == pci_ids.end() ? std::string() : pci_id->second,
                              .link = FlagOf(nic, "link")});
  });
}

}  // namespace

std::string Rfc3339(WallTime time) {
  using std::chrono::days;
  const std::chrono::sys_seconds seconds{std::chrono::seconds{time.ns / 1'000'000'000}};
  const auto day = std::chrono::floor<days>(seconds);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss clock{seconds - day};
  char text[64];
  const int length = std::snprintf(
      text, sizeof(text), "%04d-%02u-%02uT%02d:%02d:%02dZ", static_cast<int>(date.year()),
      static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
      static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
      static_cast<int>(clock.seconds().count()));
  return std::string(text, static_cast<std::size_t>(std::max(length, 0)));
}

namespace {

bool IsUsable(MacAddress mac) { return !mac.is_zero() && !boot::IsSharedMac(mac); }

// What the machine of a report showed.
struct Shown {
  Uuid uuid{};
  std::vector<MacAddress> macs;
};

std::vector<MacAddress> RecordedMacs(const ModelIndex& index, EntityId machine) {
  std::vector<MacAddress> macs;
  for (const EntityId id :
       index.ChildrenOf({.kind = Kind::kMachine, .id = machine}, Kind::kInterface)) {
    if (const auto* interface = index.Get<Interface>(Kind::kInterface, id)) {
      macs.push_back(interface->mac);
    }
  }
  return macs;
}

// Machines that share a MAC or the UUID with what was shown, in id order.
ModelIndex::IdSet Candidates(const ModelIndex& index, const Shown& shown) {
  ModelIndex::IdSet machines;
  for (const MacAddress mac : shown.macs) {
    if (const Row* row = index.InterfaceByMac(mac)) {
      machines.insert(row->as<Interface>().machine);
    }
  }
  if (!boot::IsJunkUuid(shown.uuid)) {
    for (const Uuid& uuid : {shown.uuid, boot::SwapSmbiosOrder(shown.uuid)}) {
      for (const EntityId id : index.MachinesByUuid(uuid)) {
        machines.insert(id);
      }
    }
  }
  return machines;
}

// The machine that was shown, or not set; conflicts become events.
EntityId Identify(const ModelIndex& index, const Shown& shown, MacAddress boot_mac,
                  std::vector<EnlistEvent>& events) {
  EntityId same;
  const Row* boot_row = index.InterfaceByMac(boot_mac);
  const EntityId boot_owner = boot_row == nullptr ? EntityId{} : boot_row->as<Interface>().machine;
  for (const EntityId id : Candidates(index, shown)) {
    const auto* machine = index.Get<Machine>(Kind::kMachine, id);
    if (machine == nullptr) {
      continue;
    }
    const std::vector<MacAddress> macs = RecordedMacs(index, id);
    std::string_view reason;
    boot::Match match = boot::MatchMachine({.uuid = shown.uuid, .macs = shown.macs},
                                           {.uuid = machine->uuid, .macs = macs}, reason);
    if (match == boot::Match::kSame && same.is_set()) {
      // Two records look like this machine: they stay two, and one is taken: the one that owns the
      // interface it booted from.
      reason = "its interfaces are recorded with more than one machine";
      match = boot::Match::kConflict;
      same = id == boot_owner ? id : same;
    } else if (match == boot::Match::kSame) {
      same = id;
    }
    if (match == boot::Match::kConflict) {
      events.push_back({.code = "identity-conflict",
                        .subject = FormatId(Kind::kMachine, id),
                        .detail = "a machine that booted from " +
                                  std::string(ToText(boot_mac).view()) + ": " +
                                  std::string(reason)});
    }
  }
  return same;
}

// Adds what is not recorded yet; MACs of other machines stay theirs.
Outcome UpdateInterfaces(Plan& plan, EntityId machine, const Inventory& inventory,
                         const InventoryReport& report, EnlistResult& result) {
  const bool vlan_known = plan.index().Find(Kind::kVlan, report.vlan) != nullptr;
  std::vector<InventoryNic> nics = inventory.nics;
  if (std::ranges::find(nics, report.mac, &InventoryNic::mac) == nics.end()) {
    nics.push_back({.name = {}, .mac = report.mac, .driver = {}, .pci_id = {}, .link = true});
  }
  for (const InventoryNic& nic : nics) {
    if (!IsUsable(nic.mac)) {
      continue;
    }
    const bool booted_from = nic.mac == report.mac;
    const Row* row = plan.index().InterfaceByMac(nic.mac);
    if (row == nullptr) {
      Interface interface;
      interface.name = nic.name.substr(0, limits::kInterfaceNameBytesMax);
      interface.machine = machine;
      interface.mac = nic.mac;
      interface.vlan = booted_from && vlan_known ? report.vlan : EntityId{};
      auto created = plan.Create(Entity(std::move(interface)));
      if (!created) {
        return std::unexpected(std::move(created.error()));
      }
      continue;
    }
    Interface interface = row->as<Interface>();
    if (interface.machine != machine) {
      result.events.push_back({.code = "identity-conflict",
                               .subject = FormatId(Kind::kMachine, machine),
                               .detail = std::string(ToText(nic.mac).view()) +
                                         " is recorded with " +
                                         FormatId(Kind::kMachine, interface.machine)});
      continue;
    }
    if (interface.name.empty()) {
      interface.name = nic.name.substr(0, limits::kInterfaceNameBytesMax);
    }
    if (booted_from && vlan_known && !interface.address.is_set()) {
      interface.vlan = report.vlan;  // it was plugged in elsewhere
    }
    const EntityRef ref{.kind = Kind::kInterface, .id = row->id};
    if (auto replaced = plan.Replace(ref, Entity(std::move(interface))); !replaced) {
      return replaced;
    }
  }
  return {};
}

}  // namespace

Result<ParsedInventory> ParseInventory(std::string_view document) {
  if (document.size() > limits::kInventoryBytesMax) {
    return Fail(ErrorCode::kTooLarge, static_cast<std::uint32_t>(document.size()));
  }
  json::error_code error;
  const json::value value = json::parse(json::string_view(document.data(), document.size()), error);
  if (error || !value.is_object()) {
    return Fail(ErrorCode::kMalformed);
  }
  const json::object& object = value.get_object();
  ParsedInventory parsed;
  Inventory& inventory = parsed.inventory;
  const json::object& cpu = ObjectOf(object, "cpu");
  const json::object& system = ObjectOf(object, "system");
  inventory.cpu_count =
      static_cast<std::uint32_t>(std::min<std::uint64_t>(NumberOf(cpu, "threads"), UINT32_MAX));
  inventory.cpu_model = TextOf(cpu, "model");
  inventory.memory_mib = NumberOf(object, "memory_mib");
  inventory.architecture = TextOf(object, "architecture");
  inventory.vendor = TextOf(system, "vendor");
  inventory.product = TextOf(system, "product");
  inventory.serial = TextOf(system, "serial");
  inventory.firmware = TextOf(object, "firmware");
  parsed.uuid = UuidOf(TextOf(object, "uuid"));
  ReadDisks(object, inventory);
  ReadNics(object, inventory);
  return parsed;
}

std::expected<EnlistResult, Refusal> ApplyInventory(Plan& plan, const InventoryReport& report) {
  auto parsed = ParseInventory(report.document);
  const auto refuse = [](ErrorCode code, std::string problem) {
    return std::unexpected(
        Refusal{.kind = RefusalKind::kInvalid,
                .problems = {{.field = "document", .problem = std::move(problem), .cure = ""}},
                .item = 0,
                .error = {.code = code}});
  };
  if (!parsed) {
    return refuse(parsed.error().code, "is not an inventory (JSON object)");
  }
  Shown shown{.uuid = boot::IsJunkUuid(parsed->uuid) ? Uuid{} : parsed->uuid, .macs = {}};
  if (IsUsable(report.mac)) {
    shown.macs.push_back(report.mac);
  }
  for (const InventoryNic& nic : parsed->inventory.nics) {
    if (IsUsable(nic.mac) && nic.mac != report.mac) {
      shown.macs.push_back(nic.mac);
    }
  }
  if (shown.macs.empty() && shown.uuid == Uuid{}) {
    return refuse(ErrorCode::kUnsupported,
                  "names neither a usable MAC address nor a usable UUID: the machine cannot be "
                  "recognised");
  }
  EnlistResult result;
  result.machine = Identify(plan.index(), shown, report.mac, result.events);
  result.created = !result.machine.is_set();
  Machine machine;
  if (const auto* known = plan.index().Get<Machine>(Kind::kMachine, result.machine)) {
    machine = *known;
  } else {
    machine.origin = MachineOrigin::kEnlisted;
  }
  machine.uuid = machine.uuid == Uuid{} ? shown.uuid : machine.uuid;
  machine.inventory = parsed->inventory;
  machine.inventory_time = Rfc3339(report.time);
  if (result.created) {
    auto created = plan.Create(Entity(std::move(machine)));
    if (!created) {
      return std::unexpected(std::move(created.error()));
    }
    result.machine = *created;
    result.events.push_back({.code = "machine-enlisted",
                             .subject = FormatId(Kind::kMachine, *created),
                             .detail = "booted from " + std::string(ToText(report.mac).view())});
  } else if (auto replaced = plan.Replace({.kind = Kind::kMachine, .id = result.machine},
                                          Entity(std::move(machine)));
             !replaced) {
    return std::unexpected(std::move(replaced.error()));
  }
  if (auto updated = UpdateInterfaces(plan, result.machine, parsed->inventory, report, result);
      !updated) {
    return std::unexpected(std::move(updated.error()));
  }
  return result;
}

}  // namespace slipway::model
