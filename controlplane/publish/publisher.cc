#include "controlplane/publish/publisher.h"

#include <algorithm>
#include <utility>

#include "controlplane/model/dhcp.h"
#include "controlplane/model/pair.h"
#include "controlplane/publish/publisher_state.h"
#include "dataplane/base/check.h"

namespace slipway::publish {

using model::EntityId;
using model::EntityRef;
using model::Kind;
using model::ModelChange;
using model::ModelIndex;

// ---- what a rack sees ----

bool Publisher::State::SeesMachine(const ModelIndex& index, const RackState& rack, EntityId machine,
                                   EntityId without) {
  const auto& interfaces =
      index.ChildrenOf({.kind = Kind::kMachine, .id = machine}, Kind::kInterface);
  return std::ranges::any_of(interfaces, [&](EntityId id) {
    const auto* interface = index.Get<model::Interface>(Kind::kInterface, id);
    return id != without && interface != nullptr && SeesInterface(rack, *interface);
  });
}

bool Publisher::State::Sees(const ModelIndex& index, std::uint64_t rack_id, const RackState& rack,
                            const model::Row& row) {
  switch (model::KindOf(row.entity)) {
    case Kind::kVlan:
      return SeesVlan(rack, row.id);
    case Kind::kSubnet:
      return SeesVlan(rack, row.as<model::Subnet>().vlan);
    case Kind::kRange: {
      const auto* subnet =
          index.Get<model::Subnet>(Kind::kSubnet, row.as<model::AddressRange>().subnet);
      return subnet != nullptr && SeesVlan(rack, subnet->vlan);
    }
    case Kind::kMachine:
      return SeesMachine(index, rack, row.id);
    case Kind::kInterface:
      return SeesInterface(rack, row.as<model::Interface>());
    case Kind::kServedInterface:
      return row.as<model::ServedInterface>().rack.value == rack_id &&
             !row.as<model::ServedInterface>().by_relay();
    case Kind::kImage:
    case Kind::kDhcpClass:
      return true;
    case Kind::kDhcpOption:
      return SeesOption(index, rack, row.as<model::DhcpOption>());
    case Kind::kRackPair:
      return row.as<model::RackPair>().rack_a.value == rack_id ||
             row.as<model::RackPair>().rack_b.value == rack_id;
    default:
      return false;
  }
}

// An option is seen where what it is set on is seen. Everybody sees the global ones and the
// classes.
bool Publisher::State::SeesOption(const ModelIndex& index, const RackState& rack,
                                  const model::DhcpOption& option) {
  const EntityRef target = model::TargetOf(option);
  EntityId subnet_id = option.subnet;
  switch (target.kind) {
    case Kind::kVlan:
      return SeesVlan(rack, target.id);
    case Kind::kMachine:
      return index.Find(Kind::kMachine, target.id) != nullptr &&
             SeesMachine(index, rack, target.id);
    case Kind::kRange: {
      const auto* range = index.Get<model::AddressRange>(Kind::kRange, target.id);
      subnet_id = range == nullptr ? EntityId{} : range->subnet;
      break;
    }
    case Kind::kSubnet:
      break;
    default:
      return true;
  }
  const auto* subnet = index.Get<model::Subnet>(Kind::kSubnet, subnet_id);
  return subnet != nullptr && SeesVlan(rack, subnet->vlan);
}

RackSet Publisher::State::RacksOf(const ModelIndex& model_index,
                                  const model::DhcpOption& option) const {
  RackSet ids;
  for (const auto& [id, rack] : racks) {
    if (SeesOption(model_index, rack, option)) {
      ids.insert(ids.end(), id);
    }
  }
  return ids;
}

RackSet Publisher::State::AllRacks() const {
  RackSet ids;
  for (const auto& [id, rack] : racks) {
    ids.insert(ids.end(), id);
  }
  return ids;
}

// Not set: everybody.
RackSet Publisher::State::RacksOf(EntityId vlan) const {
  if (!vlan.is_set()) {
    return AllRacks();
  }
  const auto found = racks_of_vlan.find(vlan);
  return found == racks_of_vlan.end() ? RackSet() : found->second;
}

// ---- changes ----

// The one place where a rack's record set changes.
void Publisher::State::Emit(RackState& rack, RecordKey key, const RecordBody* before,
                            const RecordBody* after) {
  if (before == nullptr && after == nullptr) {
    return;
  }
  if (before != nullptr && after != nullptr && before->bytes == after->bytes) {
    return;  // what changed is nothing that racks see
  }
  RackStatus& status = rack.working;
  if (before != nullptr) {
    status.hash.Subtract(before->hash);
    status.records -= 1;
    status.bytes -= before->bytes.size();
  }
  if (after != nullptr) {
    status.hash.Add(after->hash);
    status.records += 1;
    status.bytes += after->bytes.size();
  }
  const auto bytes_of = [](const RecordBody* body) {
    return body == nullptr ? std::optional<std::string>() : std::optional(body->bytes);
  };
  const auto [pending, added] = rack.pending.try_emplace(key);
  if (added) {
    pending->second.before = bytes_of(before);
  }
  pending->second.after = bytes_of(after);
  for (SnapshotCursor* cursor : rack.cursors) {
    if (key > cursor->position_ && !cursor->expired_) {
      cursor->before_.try_emplace(key, bytes_of(before));
      cursor->expired_ = cursor->before_.size() > limits.delta_records_max;
    }
  }
}

void Publisher::State::Appear(RackState& rack, const ModelIndex& model_index, EntityRef ref,
                              bool appears) {
  const model::Row* row = model_index.Find(ref.kind, ref.id);
  if (row == nullptr) {
    return;
  }
  const RecordBody body = BodyFor(model_index, 0, *row);
  Emit(rack, KeyOf(ref), appears ? nullptr : &body, appears ? &body : nullptr);
}

void Publisher::State::AppearWithOptions(RackState& rack, const ModelIndex& model_index,
                                         EntityRef ref, bool appears) {
  if (model_index.Find(ref.kind, ref.id) == nullptr) {
    return;
  }
  Appear(rack, model_index, ref, appears);
  for (const EntityId option : model_index.ChildrenOf(ref, Kind::kDhcpOption)) {
    Appear(rack, model_index, {.kind = Kind::kDhcpOption, .id = option}, appears);
  }
}

// An entity whose visibility did not change by this change, but for its coming and going.
void Publisher::State::Change(const ModelIndex& model_index, const ModelChange& change,
                              const RackSet& rack_ids) {
  if (rack_ids.empty() && change.ref.kind != Kind::kSubnet) {
    return;
  }
  std::optional<RecordBody> before;
  std::optional<RecordBody> after;
  if (change.before) {
    before = EncodeEntity(encoder, model_index, change.ref.id.value, *change.before);
  }
  if (change.after) {
    after = EncodeEntity(encoder, model_index, change.ref.id.value, *change.after);
  }
  if (change.ref.kind == Kind::kSubnet) {
    const auto known = subnets.extract(change.ref.id);
    before = known.empty() ? std::nullopt : std::optional(known.mapped());
    if (after) {
      subnets.emplace(change.ref.id, *after);
    }
  }
  for (const std::uint64_t id : rack_ids) {
    Emit(racks.at(id), KeyOf(change.ref), before ? &*before : nullptr, after ? &*after : nullptr);
    touched.insert(id);
  }
}

void Publisher::State::OnRack(const ModelIndex& model_index, const ModelChange& change) {
  const std::uint64_t id = change.ref.id.value;
  if (!change.after) {
    const auto found = racks.find(id);
    SLIP_CHECK(found != racks.end());
    for (SnapshotCursor* cursor : found->second.cursors) {
      cursor->expired_ = true;
      cursor->publisher_ = nullptr;
    }
    for (const auto& [vlan, count] : found->second.vlans) {
      racks_of_vlan[vlan].erase(id);
    }
    racks.erase(found);
    touched.erase(id);
    return;
  }
  if (change.before) {
    return;
  }
  RackState& rack = racks[id];
  rack.is_new = true;
  touched.insert(id);
  for (const auto& [image, row] : model_index.All(Kind::kImage)) {
    Appear(rack, model_index, {.kind = Kind::kImage, .id = image}, true);
  }
  std::set<EntityId> machines;
  const auto& interfaces = model_index.All(Kind::kInterface);
  for (const auto& [interface_id, row] : interfaces) {
    const auto& interface = row.as<model::Interface>();
    if (!interface.vlan.is_set()) {
      Appear(rack, model_index, {.kind = Kind::kInterface, .id = interface_id}, true);
      machines.insert(interface.machine);
    }
  }
  for (const EntityId machine : machines) {
    AppearWithOptions(rack, model_index, {.kind = Kind::kMachine, .id = machine}, true);
  }
  for (const auto& [dhcp_class, row] : model_index.All(Kind::kDhcpClass)) {
    Appear(rack, model_index, {.kind = Kind::kDhcpClass, .id = dhcp_class}, true);
  }
  for (const auto& [option, row] : model_index.All(Kind::kDhcpOption)) {
    const Kind target = model::TargetOf(row.as<model::DhcpOption>()).kind;
    if (target == Kind::kFabric || target == Kind::kDhcpClass) {
      Appear(rack, model_index, {.kind = Kind::kDhcpOption, .id = option}, true);
    }
  }
}

// All of a VLAN comes into the rack's sight or leaves it. REQUIRES: the VLAN is not among
// rack.vlans, so that what is seen by another way can be told.
void Publisher::State::VlanContent(const ModelIndex& model_index, RackState& rack, EntityId vlan,
                                   bool appears) {
  SLIP_DCHECK(!SeesVlan(rack, vlan));
  const EntityRef vlan_ref{.kind = Kind::kVlan, .id = vlan};
  AppearWithOptions(rack, model_index, vlan_ref, appears);
  for (const EntityId subnet : model_index.ChildrenOf(vlan_ref, Kind::kSubnet)) {
    const EntityRef subnet_ref{.kind = Kind::kSubnet, .id = subnet};
    AppearWithOptions(rack, model_index, subnet_ref, appears);
    for (const EntityId range : model_index.ChildrenOf(subnet_ref, Kind::kRange)) {
      AppearWithOptions(rack, model_index, {.kind = Kind::kRange, .id = range}, appears);
    }
  }
  std::set<EntityId> machines;
  for (const EntityId id : model_index.ChildrenOf(vlan_ref, Kind::kInterface)) {
    Appear(rack, model_index, {.kind = Kind::kInterface, .id = id}, appears);
    const auto* interface = model_index.Get<model::Interface>(Kind::kInterface, id);
    if (interface != nullptr && !SeesMachine(model_index, rack, interface->machine)) {
      machines.insert(interface->machine);
    }
  }
  for (const EntityId machine : machines) {
    AppearWithOptions(rack, model_index, {.kind = Kind::kMachine, .id = machine}, appears);
  }
}

void Publisher::State::BindVlan(const ModelIndex& model_index, RackState& rack, EntityId vlan) {
  if (!rack.vlans.contains(vlan)) {
    VlanContent(model_index, rack, vlan, true);
  }
  ++rack.vlans[vlan];
}

void Publisher::State::UnbindVlan(const ModelIndex& model_index, RackState& rack, EntityId vlan) {
  const auto found = rack.vlans.find(vlan);
  SLIP_CHECK(found != rack.vlans.end());
  if (--found->second == 0) {
    rack.vlans.erase(found);
    VlanContent(model_index, rack, vlan, false);
  }
}

void Publisher::State::OnServed(const ModelIndex& model_index, const ModelChange& change) {
  const auto* before = change.before ? &std::get<model::ServedInterface>(*change.before) : nullptr;
  const auto* after = change.after ? &std::get<model::ServedInterface>(*change.after) : nullptr;
  const std::uint64_t id = (after != nullptr ? after : before)->rack.value;
  const auto found = racks.find(id);
  if (found == racks.end()) {
    return;  // the rack went in the same batch
  }
  RackState& rack = found->second;
  touched.insert(id);
  // By relays there is no interface that the rack needs to know: the VLAN in its sight is enough.
  if (!(after != nullptr ? after : before)->by_relay()) {
    Change(model_index, change, {id});
  }
  if (before != nullptr && after != nullptr && before->vlan == after->vlan) {
    return;
  }
  if (after != nullptr) {
    BindVlan(model_index, rack, after->vlan);
    racks_of_vlan[after->vlan].insert(id);
  }
  if (before != nullptr) {
    UnbindVlan(model_index, rack, before->vlan);
    if (!SeesVlan(rack, before->vlan)) {
      racks_of_vlan[before->vlan].erase(id);
    }
  }
}

// Ranges and options follow their subnet, in whatever order a batch makes or removes them.
void Publisher::State::OnSubnet(const ModelIndex& model_index, const ModelChange& change) {
  const EntityId vlan = std::get<model::Subnet>(change.after ? *change.after : *change.before).vlan;
  const RackSet ids = RacksOf(vlan);
  Change(model_index, change, ids);
  for (const std::uint64_t id : ids) {
    RefreshPair(model_index, {id});  // which of its partner's addresses are on the VLAN
  }
  if (change.before && change.after) {
    return;
  }
  for (const std::uint64_t id : ids) {
    for (const EntityId range : model_index.ChildrenOf(change.ref, Kind::kRange)) {
      AppearWithOptions(racks.at(id), model_index, {.kind = Kind::kRange, .id = range},
                        change.after.has_value());
    }
  }
  OptionsOf(model_index, change, ids);
}

// The options that are set on what has come or gone.
void Publisher::State::OptionsOf(const ModelIndex& model_index, const ModelChange& change,
                                 const RackSet& ids) {
  if (change.before && change.after) {
    return;
  }
  for (const EntityId option : model_index.ChildrenOf(change.ref, Kind::kDhcpOption)) {
    for (const std::uint64_t id : ids) {
      Appear(racks.at(id), model_index, {.kind = Kind::kDhcpOption, .id = option},
             change.after.has_value());
    }
  }
}

void Publisher::State::OnRange(const ModelIndex& model_index, const ModelChange& change) {
  const EntityId subnet_id =
      std::get<model::AddressRange>(change.after ? *change.after : *change.before).subnet;
  const auto* subnet = model_index.Get<model::Subnet>(Kind::kSubnet, subnet_id);
  if (subnet != nullptr) {
    const RackSet ids = RacksOf(subnet->vlan);
    Change(model_index, change, ids);
    OptionsOf(model_index, change, ids);
  }
}

void Publisher::State::OnMachine(const ModelIndex& model_index, const ModelChange& change) {
  RackSet ids;
  for (const EntityId id : model_index.ChildrenOf(change.ref, Kind::kInterface)) {
    if (const auto* interface = model_index.Get<model::Interface>(Kind::kInterface, id)) {
      ids.merge(RacksOf(interface->vlan));
    }
  }
  Change(model_index, change, ids);
  OptionsOf(model_index, change, ids);
}

void Publisher::State::OnInterface(const ModelIndex& model_index, const ModelChange& change) {
  const auto* before = change.before ? &std::get<model::Interface>(*change.before) : nullptr;
  const auto* after = change.after ? &std::get<model::Interface>(*change.after) : nullptr;
  std::optional<RecordBody> before_body;
  std::optional<RecordBody> after_body;
  RackSet ids;
  if (before != nullptr) {
    before_body = EncodeEntity(encoder, model_index, change.ref.id.value, *change.before);
    ids = RacksOf(before->vlan);
  }
  if (after != nullptr) {
    after_body = EncodeEntity(encoder, model_index, change.ref.id.value, *change.after);
    ids.merge(RacksOf(after->vlan));
  }
  const EntityId machine = (after != nullptr ? after : before)->machine;
  for (const std::uint64_t id : ids) {
    RackState& rack = racks.at(id);
    const bool seen_before = before != nullptr && SeesInterface(rack, *before);
    const bool seen_after = after != nullptr && SeesInterface(rack, *after);
    Emit(rack, KeyOf(change.ref), seen_before ? &*before_body : nullptr,
         seen_after ? &*after_body : nullptr);
    touched.insert(id);
    if (seen_before != seen_after && !SeesMachine(model_index, rack, machine, change.ref.id)) {
      AppearWithOptions(rack, model_index, {.kind = Kind::kMachine, .id = machine}, seen_after);
    }
  }
}

RecordBody Publisher::State::BodyFor(const ModelIndex& model_index, std::uint64_t rack_id,
                                     const model::Row& row) {
  const Kind kind = model::KindOf(row.entity);
  if (kind == Kind::kSubnet) {
    return subnets.at(row.id);
  }
  if (kind != Kind::kRackPair) {
    return EncodeEntity(encoder, model_index, row.id.value, row.entity);
  }
  auto body = EncodePair(encoder, model_index, row, {rack_id});
  SLIP_CHECK(body.has_value());  // between revisions what is referred to exists
  return *std::move(body);
}

void Publisher::State::RefreshSubnets(const ModelIndex& model_index, EntityId vlan) {
  const RackSet ids = RacksOf(vlan);
  for (const EntityId id :
       model_index.ChildrenOf({.kind = Kind::kVlan, .id = vlan}, Kind::kSubnet)) {
    const auto known = subnets.find(id);
    const auto* subnet = model_index.Get<model::Subnet>(Kind::kSubnet, id);
    if (known == subnets.end() || subnet == nullptr) {
      continue;
    }
    RecordBody now = EncodeEntity(encoder, model_index, id.value, model::Entity(*subnet));
    if (now.bytes == known->second.bytes) {
      continue;
    }
    for (const std::uint64_t rack : ids) {
      Emit(racks.at(rack), KeyOf({.kind = Kind::kSubnet, .id = id}), &known->second, &now);
      touched.insert(rack);
    }
    known->second = std::move(now);
  }
}

void Publisher::State::RefreshPair(const ModelIndex& model_index, EntityId rack_id) {
  const auto found = racks.find(rack_id.value);
  if (found == racks.end()) {
    return;
  }
  RackState& rack = found->second;
  std::optional<std::pair<RecordKey, RecordBody>> now;
  if (const model::Row* row = model::PairOfRack(model_index, rack_id); row != nullptr) {
    if (auto body = EncodePair(encoder, model_index, *row, rack_id)) {
      now.emplace(KeyOf({.kind = Kind::kRackPair, .id = row->id}), *std::move(body));
    }
  }
  const RecordBody* const before = rack.pair ? &rack.pair->second : nullptr;
  const RecordBody* const after = now ? &now->second : nullptr;
  if (before != nullptr && after != nullptr && rack.pair->first == now->first) {
    Emit(rack, now->first, before, after);
  } else {
    if (before != nullptr) {
      Emit(rack, rack.pair->first, before, nullptr);
    }
    if (after != nullptr) {
      Emit(rack, now->first, nullptr, after);
    }
  }
  rack.pair = std::move(now);
  touched.insert(rack_id.value);
}

void Publisher::State::RefreshPairOf(const ModelIndex& model_index, EntityId rack_id) {
  const model::Row* row = model::PairOfRack(model_index, rack_id);
  if (row != nullptr) {
    RefreshPair(model_index, rack_id);
    RefreshPair(model_index, model::PartnerOf(row->as<model::RackPair>(), rack_id));
  }
}

void Publisher::State::OnPair(const ModelIndex& model_index, const ModelChange& change) {
  for (const auto* entity : {&change.before, &change.after}) {
    if (*entity) {
      const auto& pair = std::get<model::RackPair>(**entity);
      for (const EntityId rack : {pair.rack_a, pair.rack_b}) {
        RefreshPair(model_index, rack);
        for (const EntityId vlan : model::VlansOfRack(model_index, rack)) {
          RefreshSubnets(model_index, vlan);
        }
      }
    }
  }
}

bool Publisher::State::Publish(RackState& rack, store::Revision revision) {
  std::erase_if(rack.pending, [](const auto& item) {
    return item.second.before == item.second.after;  // came and went within the revision
  });
  if (rack.pending.empty() && !rack.is_new) {
    return false;
  }
  RingDelta delta{.base = rack.published.generation,
                  .base_hash = rack.published.hash,
                  .bytes = 0,
                  .records = {}};
  const bool too_large = rack.pending.size() > limits.delta_records_max;
  for (auto& [key, pending] : rack.pending) {
    delta.bytes += sizeof(RingRecord) + (pending.after ? pending.after->size() : 0);
    if (!too_large) {
      delta.records.push_back(
          {.key = key, .body = std::move(pending.after), .existed = pending.before.has_value()});
    }
  }
  rack.pending.clear();
  if (rack.is_new || too_large) {
    rack.ring.clear();
    rack.ring_bytes = 0;
  } else {
    rack.ring_bytes += delta.bytes;
    rack.ring.push_back(std::move(delta));
  }
  while (rack.ring.size() > limits.ring_deltas_max || rack.ring_bytes > limits.ring_bytes_max) {
    rack.ring_bytes -= rack.ring.front().bytes;
    rack.ring.pop_front();
  }
  rack.is_new = false;
  rack.working.generation = {.epoch = epoch, .number = revision};
  rack.published = rack.working;
  return true;
}

// ---- the outside ----

Publisher::Publisher(std::uint64_t epoch, PublisherLimits limits)
    : state_(std::make_unique<State>(epoch, limits)) {}

Publisher::~Publisher() = default;

void Publisher::Load(const ModelIndex& index) {
  const std::lock_guard lock(state_->mutex);
  State& state = *state_;
  state.index = &index;
  state.racks.clear();
  state.racks_of_vlan.clear();
  state.subnets.clear();
  for (const auto& [id, row] : index.All(Kind::kRack)) {
    state.racks[id.value];
  }
  for (const auto& [id, row] : index.All(Kind::kServedInterface)) {
    const auto& served = row.as<model::ServedInterface>();
    ++state.racks.at(served.rack.value).vlans[served.vlan];
    state.racks_of_vlan[served.vlan].insert(served.rack.value);
  }
  // Each entity is encoded once, whatever the number of racks.
  for (std::uint8_t table = 1; table <= config::kTableMax; ++table) {
    const Kind kind = KindOfTable(static_cast<config::Table>(table));
    if (kind == Kind::kRackPair) {
      continue;  // each rack sees another record of it
    }
    for (const auto& [id, row] : index.All(kind)) {
      const RecordBody body = EncodeEntity(state.encoder, index, id.value, row.entity);
      if (kind == Kind::kSubnet) {
        state.subnets.emplace(id, body);
      }
      for (auto& [rack_id, rack] : state.racks) {
        if (State::Sees(index, rack_id, rack, row)) {
          rack.working.hash.Add(body.hash);
          rack.working.records += 1;
          rack.working.bytes += body.bytes.size();
        }
      }
    }
  }
  for (auto& [id, rack] : state.racks) {
    state.RefreshPair(index, {id});
    rack.pending.clear();
  }
  state.touched.clear();
  for (auto& [id, rack] : state.racks) {
    rack.working.generation = {.epoch = state.epoch, .number = index.revision()};
    rack.published = rack.working;
  }
}

void Publisher::SetReadGuard(std::function<void(const std::function<void()>&)> guard) {
  const std::lock_guard lock(state_->mutex);
  state_->guard = std::move(guard);
}

void Publisher::SetListener(Listener listener) {
  const std::lock_guard lock(state_->mutex);
  state_->listener = std::move(listener);
}

void Publisher::OnChange(const ModelIndex& index, const ModelChange& change) {
  const std::lock_guard lock(state_->mutex);
  if (state_->index == nullptr) {
    return;  // Load compiles it with everything else
  }
  switch (change.ref.kind) {
    case Kind::kRack:
      state_->OnRack(index, change);
      return state_->RefreshPairOf(index, change.ref.id);
    case Kind::kServedInterface:
      state_->OnServed(index, change);
      for (const auto* entity : {&change.before, &change.after}) {
        if (*entity) {
          const auto& served = std::get<model::ServedInterface>(**entity);
          state_->RefreshSubnets(index, served.vlan);
          state_->RefreshPairOf(index, served.rack);
        }
      }
      return;
    case Kind::kRackPair:
      return state_->OnPair(index, change);
    case Kind::kVlan:
      return state_->Change(index, change, state_->RacksOf(change.ref.id));
    case Kind::kSubnet:
      return state_->OnSubnet(index, change);
    case Kind::kRange:
      return state_->OnRange(index, change);
    case Kind::kMachine:
      return state_->OnMachine(index, change);
    case Kind::kInterface:
      return state_->OnInterface(index, change);
    case Kind::kImage:
    case Kind::kDhcpClass:
      return state_->Change(index, change, state_->AllRacks());
    case Kind::kDhcpOption:
      return state_->Change(
          index, change,
          state_->RacksOf(
              index, std::get<model::DhcpOption>(change.after ? *change.after : *change.before)));
    default:
      return;
  }
}

void Publisher::OnRevision(const ModelIndex&, store::Revision revision) {
  std::vector<std::pair<std::uint64_t, config::Generation>> moved;
  Listener listener;
  {
    const std::lock_guard lock(state_->mutex);
    for (const std::uint64_t id : state_->touched) {
      RackState& rack = state_->racks.at(id);
      if (state_->Publish(rack, revision)) {
        moved.emplace_back(id, rack.published.generation);
      }
    }
    state_->touched.clear();
    listener = moved.empty() ? Listener() : state_->listener;
  }
  if (listener) {
    for (const auto& [id, generation] : moved) {
      listener(id, generation);
    }
  }
}

Result<RackStatus> Publisher::StatusOf(std::uint64_t rack) const {
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->racks.find(rack);
  if (found == state_->racks.end() || found->second.is_new) {
    return Fail(ErrorCode::kNotFound);
  }
  return found->second.published;
}

Result<PublishedDelta> Publisher::DeltaSince(std::uint64_t rack_id, config::Generation base,
                                             config::ContentHash base_hash) const {
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->racks.find(rack_id);
  if (found == state_->racks.end() || found->second.is_new) {
    return Fail(ErrorCode::kNotFound);
  }
  const RackState& rack = found->second;
  PublishedDelta delta{.base = base,
                       .generation = rack.published.generation,
                       .hash = rack.published.hash,
                       .bytes = 0,
                       .records = {}};
  if (base != config::Generation{} && base_hash == rack.published.hash) {
    return delta;
  }
  auto step = std::ranges::find(rack.ring, base, &RingDelta::base);
  if (step == rack.ring.end() || step->base_hash != base_hash) {
    return Fail(ErrorCode::kExpired);
  }
  std::map<RecordKey, RingRecord> merged;
  for (; step != rack.ring.end(); ++step) {
    for (const RingRecord& record : step->records) {
      const auto [item, added] = merged.try_emplace(record.key, record);
      if (!added) {
        item->second.body = record.body;
      }
    }
  }
  for (auto& [key, record] : merged) {
    if (!record.body && !record.existed) {
      continue;  // came and went since
    }
    delta.bytes += record.body ? record.body->size() : 0;
    delta.records.push_back({.table = key.first, .id = key.second, .body = std::move(record.body)});
  }
  return delta;
}

Result<std::unique_ptr<SnapshotCursor>> Publisher::StartSnapshot(std::uint64_t rack_id) {
  std::unique_ptr<SnapshotCursor> cursor;
  // Under the model's lock no revision is half applied.
  const auto start = [&] {
    const std::lock_guard lock(state_->mutex);
    const auto found = state_->racks.find(rack_id);
    if (found == state_->racks.end() || state_->index == nullptr) {
      return;
    }
    cursor.reset(new SnapshotCursor());
    cursor->publisher_ = this;
    cursor->rack_ = rack_id;
    cursor->generation_ = found->second.published.generation;
    cursor->hash_ = found->second.published.hash;
    cursor->record_count_ = found->second.published.records;
    cursor->bytes_ = found->second.published.bytes;
    found->second.cursors.push_back(cursor.get());
  };
  state_->guard(start);
  if (!cursor) {
    return Fail(ErrorCode::kNotFound);
  }
  return cursor;
}

}  // namespace slipway::publish
