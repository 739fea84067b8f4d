#include "controlplane/model/mutations.h"

#include <boost/json.hpp>

#include <algorithm>

#include "controlplane/model/validate.h"
#include "dataplane/base/check.h"
#include "dataplane/base/limits.h"

namespace slipway::model {

namespace {

constexpr std::size_t kFabricsMax = 1'024;
constexpr std::size_t kRacksMax = 1'024;

// By kind: how many there may be.
constexpr std::array<std::size_t, kStoredKindCount> kCountMax = {kFabricsMax,
                                                                 limits::kVlansMax,
                                                                 limits::kSubnetsMax,
                                                                 limits::kRangesMax,
                                                                 limits::kHostsMax,
                                                                 limits::kHostsMax,
                                                                 limits::kImagesMax,
                                                                 kRacksMax,
                                                                 kRacksMax* limits::kServedVlansMax,
                                                                 limits::kDhcpClassesMax,
                                                                 limits::kDhcpOptionsMax,
                                                                 kRacksMax / 2};

std::string GuardKey(EntityRef ref) { return "g/" + StoreKey(ref.kind, ref.id).substr(2); }

std::unexpected<Refusal> Refuse(RefusalKind kind, Problems problems) {
  return std::unexpected(
      Refusal{.kind = kind, .problems = std::move(problems), .item = 0, .error = {}});
}

std::unexpected<Refusal> NotFound(EntityRef ref) {
  return Refuse(RefusalKind::kNotFound,
                {{.field = "id",
                  .problem = FormatId(ref.kind, ref.id) + " does not exist",
                  .cure = "GET /v1/" + std::string(InfoOf(ref.kind).plural) + " lists them"}});
}

std::unexpected<Refusal> Stale(EntityRef ref) {
  return Refuse(RefusalKind::kPrecondition,
                {{.field = "id",
                  .problem = FormatId(ref.kind, ref.id) + " has changed since it was read",
                  .cure = "read it again, and repeat the change on what it is now"}});
}

std::unexpected<Refusal> RefuseProblems(Problems problems) {
  const bool conflict =
      std::ranges::all_of(problems, [](const Problem& problem) { return problem.taken; });
  return Refuse(conflict ? RefusalKind::kConflict : RefusalKind::kInvalid, std::move(problems));
}

// References of `a` that `b` has not.
std::vector<EntityRef> ReferencesAdded(const Entity* before, const Entity& after) {
  std::vector<EntityRef> refs = ReferencesOf(after);
  if (before != nullptr) {
    const std::vector<EntityRef> old = ReferencesOf(*before);
    std::erase_if(refs,
                  [&](const EntityRef& ref) { return std::ranges::find(old, ref) != old.end(); });
  }
  return refs;
}

}  // namespace

Plan::Plan(ModelIndex& index, Random& random) : index_(index), random_(random) {}

Plan::~Plan() { Undo(); }

void Plan::Undo() {
  for (auto it = undo_.rbegin(); it != undo_.rend(); ++it) {
    index_.Restore(it->first, std::move(it->second));
  }
  undo_.clear();
}

store::Batch Plan::Take() {
  Undo();
  return std::move(batch_);
}

void Plan::Write(std::string key, std::optional<std::string> value) {
  const auto [it, added] = write_of_key_.try_emplace(key, batch_.writes.size());
  if (added) {
    batch_.writes.push_back({.key = std::move(key), .value = std::move(value)});
  } else {
    batch_.writes[it->second].value = std::move(value);
  }
}

// What was written earlier in the plan is known from the plan itself: the store cannot have it yet.
void Plan::CompareKey(std::string key, store::Revision modified, bool any_revision) {
  if (write_of_key_.contains(key)) {
    return;
  }
  const auto [it, added] = compare_of_key_.try_emplace(key, batch_.compares.size());
  if (added) {
    batch_.compares.push_back(
        {.key = std::move(key), .modified = modified, .any_revision = any_revision});
  } else if (!any_revision) {
    batch_.compares[it->second].modified = modified;
    batch_.compares[it->second].any_revision = false;
  }
}

void Plan::AlsoWrite(std::string key, std::optional<std::string> value) {
  Write(std::move(key), std::move(value));
}

void Plan::AlsoCompare(store::Compare compare) {
  CompareKey(std::move(compare.key), compare.modified, compare.any_revision);
}

void Plan::WriteUniqueKeys(EntityRef ref, const Entity* before, const Entity* after) {
  const auto keys_of = [&](const Entity* entity) {
    return entity == nullptr ? std::vector<UniqueKey>() : UniqueKeysOf(ref, *entity);
  };
  const std::vector<UniqueKey> old_keys = keys_of(before);
  const std::vector<UniqueKey> new_keys = keys_of(after);
  const auto in = [](const std::vector<UniqueKey>& keys, const std::string& key) {
    return std::ranges::find(keys, key, &UniqueKey::key) != keys.end();
  };
  for (const UniqueKey& key : old_keys) {
    if (!in(new_keys, key.key)) {
      Write(key.key, std::nullopt);
    }
  }
  for (const UniqueKey& key : new_keys) {
    if (!in(old_keys, key.key)) {
      CompareKey(key.key, 0, false);
      Write(key.key, FormatId(ref.kind, ref.id));
    }
  }
}

// See the head of mutations.h: who refers to an entity writes its guard.
void Plan::WriteGuards(EntityRef ref, const Entity* before, const Entity* after) {
  if (after == nullptr) {
    // Nothing may have begun to refer to it since the index was read.
    CompareKey(GuardKey(ref), index_.GuardOf(ref), false);
    if (index_.GuardOf(ref) != 0 || write_of_key_.contains(GuardKey(ref))) {
      Write(GuardKey(ref), std::nullopt);
    }
    return;
  }
  const auto* interface = std::get_if<Interface>(after);
  for (const EntityRef& target : ReferencesAdded(before, *after)) {
    if (interface != nullptr && target.kind == Kind::kVlan &&
        (interface->subnet.is_set() || interface->subnet6.is_set())) {
      continue;  // the subnet holds the VLAN, and the interface the subnet
    }
    CompareKey(StoreKey(target.kind, target.id), 0, true);
    Write(GuardKey(target), "");
  }
}

// Rules that look at siblings hold only if no sibling changes at the same time.
void Plan::CompareFor(EntityRef ref, const Row* before, const Entity* after) {
  const auto freeze = [&](EntityRef parent) {
    CompareKey(GuardKey(parent), index_.GuardOf(parent), false);
    Write(GuardKey(parent), "");
  };
  if (after == nullptr) {
    if (ref.kind == Kind::kRackPair) {
      // The two racks must still have no VLAN in common.
      freeze({.kind = Kind::kRack, .id = before->as<RackPair>().rack_a});
      freeze({.kind = Kind::kRack, .id = before->as<RackPair>().rack_b});
    }
    return;
  }
  if (const auto* subnet = std::get_if<Subnet>(after)) {
    if (before == nullptr) {
      const Vlan* vlan = index_.Get<Vlan>(Kind::kVlan, subnet->vlan);
      SLIP_CHECK(vlan != nullptr);  // validated
      freeze({.kind = Kind::kFabric, .id = vlan->fabric});
    } else if (before->as<Subnet>().gateway != subnet->gateway) {
      freeze(ref);
    }
  } else if (const auto* range = std::get_if<AddressRange>(after)) {
    freeze({.kind = Kind::kSubnet, .id = range->subnet});
  } else if (const auto* served = std::get_if<ServedInterface>(after)) {
    // Whose racks are one, or a pair; and what the two of a pair both serve.
    freeze({.kind = Kind::kRack, .id = served->rack});
    freeze({.kind = Kind::kVlan, .id = served->vlan});
  } else if (const auto* vlan = std::get_if<Vlan>(after)) {
    if (before != nullptr && before->as<Vlan>().dhcp != vlan->dhcp) {
      freeze(ref);
    }
  } else if (const auto* interface = std::get_if<Interface>(after)) {
    for (const Reservation& each : ReservationsOf(*interface)) {
      if (each.address.is_set()) {
        // The gateway must still be another address.
        const Row* subnet_row = index_.Find(Kind::kSubnet, each.subnet);
        SLIP_CHECK(subnet_row != nullptr);
        CompareKey(StoreKey(Kind::kSubnet, each.subnet), subnet_row->modified, false);
      }
    }
  }
}

// `before` is a row of the index: it is copied for undo before the index changes.
Outcome Plan::Stage(EntityRef ref, const Row* before, std::optional<Entity> after) {
  const Entity* old_entity = before == nullptr ? nullptr : &before->entity;
  const Entity* new_entity = after ? &*after : nullptr;
  CompareKey(StoreKey(ref.kind, ref.id), before == nullptr ? 0 : before->modified, false);
  CompareFor(ref, before, new_entity);
  WriteGuards(ref, old_entity, new_entity);
  WriteUniqueKeys(ref, old_entity, new_entity);
  Write(StoreKey(ref.kind, ref.id),
        after ? std::optional<std::string>(EncodeStored(*after)) : std::nullopt);
  undo_.emplace_back(ref, before == nullptr ? std::nullopt : std::optional<Row>(*before));
  touched_.push_back(ref);
  const store::Revision modified = before == nullptr ? 0 : before->modified;
  (void)index_.Put(ref, std::move(after), modified);
  return {};
}

std::expected<EntityId, Refusal> Plan::Create(Entity entity, EntityId id) {
  const Kind kind = KindOf(entity);
  if (index_.CountOf(kind) >= kCountMax[static_cast<std::size_t>(kind)]) {
    return Refuse(RefusalKind::kTooMany,
                  {{.field = "kind",
                    .problem = "there are " + std::to_string(index_.CountOf(kind)) + " " +
                               std::string(InfoOf(kind).plural) + ": that is the limit",
                    .cure = "delete some first"}});
  }
  while (!id.is_set() || index_.Find(kind, id) != nullptr) {
    id = RandomId(random_);
  }
  const EntityRef ref{.kind = kind, .id = id};
  Complete(index_, ref, nullptr, entity);
  if (Problems problems = Validate(index_, ref, entity); !problems.empty()) {
    return RefuseProblems(std::move(problems));
  }
  if (auto staged = Stage(ref, nullptr, std::move(entity)); !staged) {
    return std::unexpected(staged.error());
  }
  return id;
}

Outcome Plan::Replace(EntityRef ref, Entity entity, store::Revision if_modified) {
  const Row* row = index_.Find(ref.kind, ref.id);
  if (row == nullptr) {
    return NotFound(ref);
  }
  if (if_modified != 0 && row->modified != if_modified) {
    return Stale(ref);
  }
  Complete(index_, ref, &row->entity, entity);
  if (entity == row->entity) {
    return {};  // nothing changes: no new revision
  }
  if (Problems problems = Validate(index_, ref, entity); !problems.empty()) {
    return RefuseProblems(std::move(problems));
  }
  return Stage(ref, row, std::move(entity));
}

Outcome Plan::Delete(EntityRef ref, store::Revision if_modified) {
  const Row* row = index_.Find(ref.kind, ref.id);
  if (row == nullptr) {
    return NotFound(ref);
  }
  if (if_modified != 0 && row->modified != if_modified) {
    return Stale(ref);
  }
  if (Problems problems = WhyNotDelete(index_, ref); !problems.empty()) {
    return RefuseProblems(std::move(problems));
  }
  return Stage(ref, row, std::nullopt);
}

std::expected<EntityId, Refusal> Plan::Run(const Operation& operation) {
  const EntityRef ref{.kind = operation.kind, .id = operation.id};
  if (operation.verb == Operation::Verb::kDelete) {
    if (auto deleted = Delete(ref, operation.if_modified); !deleted) {
      return std::unexpected(deleted.error());
    }
    return operation.id;
  }
  SLIP_CHECK(operation.body != nullptr);
  if (operation.verb == Operation::Verb::kCreate) {
    Entity entity = EmptyEntity(operation.kind);
    Problems problems = ParseFields(*operation.body, ParseMode::kCreate, &index_, entity);
    if (!problems.empty()) {
      return Refuse(RefusalKind::kInvalid, std::move(problems));
    }
    return Create(std::move(entity), operation.id);
  }
  const Row* row = index_.Find(operation.kind, operation.id);
  if (row == nullptr) {
    return NotFound(ref);
  }
  if (operation.if_modified != 0 && row->modified != operation.if_modified) {
    return Stale(ref);
  }
  Entity entity = row->entity;
  Problems problems = ParseFields(*operation.body, ParseMode::kPatch, &index_, entity);
  if (!problems.empty()) {
    return Refuse(RefusalKind::kInvalid, std::move(problems));
  }
  if (auto replaced = Replace(ref, std::move(entity), operation.if_modified); !replaced) {
    return std::unexpected(replaced.error());
  }
  return operation.id;
}

}  // namespace slipway::model
