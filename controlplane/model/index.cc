#include "controlplane/model/index.h"

#include <algorithm>

#include "controlplane/model/dhcp.h"
#include "controlplane/model/enrol.h"
#include "dataplane/base/check.h"

namespace slipway::model {

namespace {

const std::map<EntityId, Row> kNoRows;
const ModelIndex::IdSet kNoIds;

constexpr std::string_view kGuardPrefix = "g/";
constexpr std::string_view kTokenPrefix = "t/join/";
constexpr std::string_view kEntityPrefix = "m/";

// "g/<prefix>/<id>" has the shape of an entity's key.
Result<EntityRef> ParseGuardKey(std::string_view key) {
  std::string as_entity(kEntityPrefix);
  as_entity += key.substr(kGuardPrefix.size());
  return ParseStoreKey(as_entity);
}

void AddRef(std::vector<EntityRef>& refs, Kind kind, EntityId id) {
  if (id.is_set()) {
    refs.push_back({.kind = kind, .id = id});
  }
}

struct ReferenceLister {
  std::vector<EntityRef>& refs;

  void operator()(const Fabric&) const {}

  void operator()(const Vlan& vlan) const { AddRef(refs, Kind::kFabric, vlan.fabric); }

  void operator()(const Subnet& subnet) const { AddRef(refs, Kind::kVlan, subnet.vlan); }

  void operator()(const AddressRange& range) const { AddRef(refs, Kind::kSubnet, range.subnet); }

  void operator()(const Machine& machine) const { AddRef(refs, Kind::kImage, machine.image); }

  void operator()(const Interface& interface) const {
    AddRef(refs, Kind::kMachine, interface.machine);
    AddRef(refs, Kind::kVlan, interface.vlan);
    AddRef(refs, Kind::kSubnet, interface.subnet);
    AddRef(refs, Kind::kSubnet, interface.subnet6);
  }

  void operator()(const BootImage&) const {}

  void operator()(const Rack&) const {}

  void operator()(const ServedInterface& served) const {
    AddRef(refs, Kind::kRack, served.rack);
    AddRef(refs, Kind::kVlan, served.vlan);
  }

  void operator()(const DhcpClass&) const {}

  void operator()(const DhcpOption& option) const {
    AddRef(refs, Kind::kVlan, option.vlan);
    AddRef(refs, Kind::kSubnet, option.subnet);
    AddRef(refs, Kind::kRange, option.range);
    AddRef(refs, Kind::kDhcpClass, option.dhcp_class);
    AddRef(refs, Kind::kMachine, option.machine);
  }

  void operator()(const RackPair& pair) const {
    AddRef(refs, Kind::kRack, pair.rack_a);
    AddRef(refs, Kind::kRack, pair.rack_b);
  }
};

struct NameGetter {
  std::string operator()(const Fabric& fabric) const { return fabric.name; }

  std::string operator()(const Vlan& vlan) const { return vlan.name; }

  std::string operator()(const Subnet& subnet) const { return subnet.name; }

  std::string operator()(const AddressRange&) const { return {}; }

  std::string operator()(const Machine& machine) const { return machine.hostname; }

  std::string operator()(const Interface&) const { return {}; }

  std::string operator()(const BootImage& image) const { return image.name; }

  std::string operator()(const Rack& rack) const { return rack.name; }

  // Served interfaces are unique per rack only; no interface has a slash in its name.
  std::string operator()(const ServedInterface& served) const {
    return FormatId(Kind::kRack, served.rack) + "/" +
           (served.by_relay() ? "relay/" + FormatId(Kind::kVlan, served.vlan) : served.name);
  }

  std::string operator()(const DhcpClass& dhcp_class) const { return dhcp_class.name; }

  // One option of a code in each scope.
  std::string operator()(const DhcpOption& option) const {
    const EntityRef target = TargetOf(option);
    return (target.id.is_set() ? FormatId(target.kind, target.id) : std::string("global")) +
           (option.family == Family::kV4 ? "/v4/" : "/v6/") + std::to_string(option.code);
  }

  std::string operator()(const RackPair& pair) const { return pair.name; }
};

}  // namespace

std::vector<EntityRef> ReferencesOf(const Entity& entity) {
  std::vector<EntityRef> refs;
  std::visit(ReferenceLister{refs}, entity);
  return refs;
}

std::string NameOf(const Entity& entity) { return std::visit(NameGetter{}, entity); }

ModelIndex::ModelIndex() : rows_(kStoredKindCount), names_(kStoredKindCount) {}

// ---- look-ups ----

const std::map<EntityId, Row>& ModelIndex::All(Kind kind) const {
  const auto index = static_cast<std::size_t>(kind);
  return index < rows_.size() ? rows_[index] : kNoRows;
}

const Row* ModelIndex::Find(Kind kind, EntityId id) const {
  const auto& rows = All(kind);
  const auto found = rows.find(id);
  return found == rows.end() ? nullptr : &found->second;
}

const Row* ModelIndex::FindByName(Kind kind, std::string_view name) const {
  const auto index = static_cast<std::size_t>(kind);
  if (index >= names_.size()) {
    return nullptr;
  }
  const auto found = names_[index].find(name);
  return found == names_[index].end() ? nullptr : Find(kind, found->second);
}

const Row* ModelIndex::FindByText(Kind kind, std::string_view text) const {
  const auto id = ParseId(kind, text);
  const Row* row = id ? Find(kind, *id) : nullptr;
  return row != nullptr ? row : FindByName(kind, text);
}

EntityId ModelIndex::Resolve(Kind kind, std::string_view name) const {
  const Row* row = FindByText(kind, name);
  return row == nullptr ? EntityId{} : row->id;
}

const Row* ModelIndex::InterfaceByMac(MacAddress mac) const {
  const auto found = macs_.find(mac.ToU64());
  return found == macs_.end() ? nullptr : Find(Kind::kInterface, found->second);
}

const Row* ModelIndex::InterfaceByAddress(EntityId subnet, IpAddress address) const {
  const auto found = addresses_.find({subnet, address});
  return found == addresses_.end() ? nullptr : Find(Kind::kInterface, found->second);
}

std::vector<EntityId> ModelIndex::MachinesByUuid(const Uuid& uuid) const {
  const auto found = uuids_.find(uuid);
  if (found == uuids_.end()) {
    return {};
  }
  return {found->second.begin(), found->second.end()};
}

const Row* ModelIndex::RackByKey(std::string_view public_key) const {
  const auto found = rack_keys_.find(public_key);
  return found == rack_keys_.end() ? nullptr : Find(Kind::kRack, found->second);
}

const JoinTokenRow* ModelIndex::FindToken(std::uint64_t token) const {
  const auto found = tokens_.find(token);
  return found == tokens_.end() ? nullptr : &found->second;
}

const JoinTokenRow* ModelIndex::TokenByKey(std::string_view public_key) const {
  // At most kJoinTokensMax of them.
  const auto found = std::ranges::find_if(
      tokens_, [&](const auto& item) { return item.second.public_key == public_key; });
  return found == tokens_.end() ? nullptr : &found->second;
}

const ModelIndex::IdSet& ModelIndex::ChildrenOf(EntityRef parent, Kind child) const {
  const auto found = children_.find({parent, child});
  return found == children_.end() ? kNoIds : found->second;
}

std::optional<EntityRef> ModelIndex::AnyChildOf(EntityRef parent) const {
  const auto found = children_.lower_bound({parent, Kind::kFabric});
  if (found == children_.end() || found->first.first != parent) {
    return std::nullopt;
  }
  return EntityRef{.kind = found->first.second, .id = *found->second.begin()};
}

std::vector<const Row*> ModelIndex::List(Kind kind, EntityId after, std::size_t limit) const {
  std::vector<const Row*> list;
  const auto& rows = All(kind);
  for (auto it = rows.upper_bound(after); it != rows.end() && list.size() < limit; ++it) {
    list.push_back(&it->second);
  }
  return list;
}

store::Revision ModelIndex::GuardOf(EntityRef ref) const {
  const auto found = guards_.find(ref);
  return found == guards_.end() ? 0 : found->second;
}

// ---- changes ----

void ModelIndex::Link(const Row& row) {
  const Kind kind = KindOf(row.entity);
  const EntityRef self{.kind = kind, .id = row.id};
  for (const EntityRef& parent : ReferencesOf(row.entity)) {
    children_[{parent, kind}].insert(row.id);
  }
  if (std::string name = NameOf(row.entity); !name.empty()) {
    names_[static_cast<std::size_t>(kind)].insert_or_assign(std::move(name), self.id);
  }
  if (const auto* interface = std::get_if<Interface>(&row.entity)) {
    macs_.insert_or_assign(interface->mac.ToU64(), row.id);
    for (const Reservation& each : ReservationsOf(*interface)) {
      if (each.address.is_set()) {
        addresses_.insert_or_assign({each.subnet, each.address}, row.id);
      }
    }
  } else if (const auto* machine = std::get_if<Machine>(&row.entity)) {
    if (machine->uuid != Uuid{}) {
      uuids_[machine->uuid].insert(row.id);
    }
  } else if (const auto* rack = std::get_if<Rack>(&row.entity)) {
    rack_keys_.insert_or_assign(rack->public_key, row.id);
  }
}

namespace {

// Erases the entry only if it is this entity's: another one may have taken the key in the same
// batch.
template <typename Map, typename Key>
void EraseOwn(Map& map, const Key& key, EntityId owner) {
  const auto found = map.find(key);
  if (found != map.end() && found->second == owner) {
    map.erase(found);
  }
}

template <typename Map, typename Key>
void EraseFromSet(Map& map, const Key& key, EntityId member) {
  const auto found = map.find(key);
  if (found != map.end()) {
    found->second.erase(member);
    if (found->second.empty()) {
      map.erase(found);
    }
  }
}

}  // namespace

void ModelIndex::Unlink(const Row& row) {
  const Kind kind = KindOf(row.entity);
  for (const EntityRef& parent : ReferencesOf(row.entity)) {
    EraseFromSet(children_, std::pair(parent, kind), row.id);
  }
  EraseOwn(names_[static_cast<std::size_t>(kind)], NameOf(row.entity), row.id);
  if (const auto* interface = std::get_if<Interface>(&row.entity)) {
    EraseOwn(macs_, interface->mac.ToU64(), row.id);
    for (const Reservation& each : ReservationsOf(*interface)) {
      EraseOwn(addresses_, std::pair(each.subnet, each.address), row.id);
    }
  } else if (const auto* machine = std::get_if<Machine>(&row.entity)) {
    EraseFromSet(uuids_, machine->uuid, row.id);
  } else if (const auto* rack = std::get_if<Rack>(&row.entity)) {
    EraseOwn(rack_keys_, rack->public_key, row.id);
  }
}

ModelChange ModelIndex::Put(EntityRef ref, std::optional<Entity> entity, store::Revision revision) {
  auto& rows = rows_[static_cast<std::size_t>(ref.kind)];
  ModelChange change{.revision = revision, .ref = ref, .before = {}, .after = entity};
  const auto found = rows.find(ref.id);
  store::Revision created = revision;
  if (found != rows.end()) {
    Unlink(found->second);
    created = found->second.created;
    change.before = std::move(found->second.entity);
    if (!entity) {
      rows.erase(found);
    }
  }
  if (entity) {
    SLIP_CHECK(KindOf(*entity) == ref.kind);
    Row& row = rows[ref.id];
    row = {.id = ref.id, .entity = *std::move(entity), .created = created, .modified = revision};
    Link(row);
  }
  return change;
}

void ModelIndex::Restore(EntityRef ref, std::optional<Row> row) {
  auto& rows = rows_[static_cast<std::size_t>(ref.kind)];
  const auto found = rows.find(ref.id);
  if (found != rows.end()) {
    Unlink(found->second);
    rows.erase(found);
  }
  if (row) {
    Link(rows.insert_or_assign(ref.id, *std::move(row)).first->second);
  }
}

Result<std::optional<ModelChange>> ModelIndex::Apply(const store::Change& change) {
  revision_ = change.revision;
  if (const auto ref = ParseStoreKey(change.key)) {
    std::optional<Entity> entity;
    if (change.value) {
      auto decoded = DecodeStored(ref->kind, *change.value);
      if (!decoded) {
        return Fail(ErrorCode::kCorrupt);
      }
      entity = *std::move(decoded);
    } else if (Find(ref->kind, ref->id) == nullptr) {
      return std::optional<ModelChange>();
    }
    return Put(*ref, std::move(entity), change.revision);
  }
  if (change.key.starts_with(kGuardPrefix)) {
    if (const auto ref = ParseGuardKey(change.key)) {
      if (change.value) {
        guards_[*ref] = change.revision;
      } else {
        guards_.erase(*ref);
      }
    }
  } else if (change.key.starts_with(kTokenPrefix)) {
    auto token = DecodeToken(change.key, change.value ? *change.value : "");
    if (!token) {
      return Fail(ErrorCode::kCorrupt);
    }
    token->modified = change.revision;
    if (change.value) {
      tokens_.insert_or_assign(token->id, *std::move(token));
    } else {
      tokens_.erase(token->id);
    }
  }
  return std::optional<ModelChange>();
}

Result<void> ModelIndex::Load(store::StateStore& store) {
  // Pages are read at growing revisions. Whatever is committed meanwhile is in the change log after
  // the first page's revision, and applying it again on top is harmless.
  std::optional<store::Revision> first;
  for (const std::string_view prefix : {kEntityPrefix, kGuardPrefix, kTokenPrefix}) {
    std::string after;
    bool more = true;
    while (more) {
      const store::Page page = SLIP_TRY(store.List(prefix, after, store::kPageMax));
      first = first.value_or(page.revision);
      for (const store::Entry& entry : page.entries) {
        SLIP_TRY(Apply(
            store::Change{.revision = entry.modified, .key = entry.key, .value = entry.value}));
        const auto ref = ParseStoreKey(entry.key);
        if (ref) {
          rows_[static_cast<std::size_t>(ref->kind)][ref->id].created = entry.created;
        }
        after = entry.key;
      }
      more = page.more;
    }
  }
  revision_ = first.value_or(0);
  return {};
}

}  // namespace slipway::model
