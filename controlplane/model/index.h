// The model in memory: all entities with their revisions and the indexes that validation, lists and
// publish need. Loaded from the state store, then kept up to date from its changes.
//
// Owner: LiveModel (live_model.h), which guards it by a lock; the class itself has none. Bound:
// what the store holds (limits.h: kHostsMax and so on are checked by validation).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "controlplane/model/entities.h"
#include "controlplane/model/fields.h"
#include "controlplane/store/state_store.h"

namespace slipway::model {

struct Row {
  EntityId id;
  Entity entity;
  store::Revision created = 0;
  store::Revision modified = 0;  // the ETag

  template <typename T>
  [[nodiscard]] const T& as() const {
    return std::get<T>(entity);
  }
};

// A join token as the store keeps it: "t/join/<id as 16 hex digits>". The secret half of the
// one-time key is in the token only.
struct JoinTokenRow {
  std::uint64_t id = 0;
  std::string public_key;       // Z85
  std::int64_t expires_ns = 0;  // WallTime
  EntityId rack;                // that used it; not set: unused
  store::Revision modified = 0;
};

// One committed change of one entity, as observers see it.
struct ModelChange {
  store::Revision revision = 0;
  EntityRef ref;
  std::optional<Entity> before;  // absent: created
  std::optional<Entity> after;   // absent: deleted
};

class ModelIndex final : public NameResolver {
 public:
  using IdSet = std::set<EntityId>;

  ModelIndex();
  ModelIndex(const ModelIndex&) = delete;
  ModelIndex& operator=(const ModelIndex&) = delete;

  // nullptr: no such entity. Pointers live until the next change of that entity.
  [[nodiscard]] const Row* Find(Kind kind, EntityId id) const;

  // nullptr if there is none or it is of another type.
  template <typename T>
  [[nodiscard]] const T* Get(Kind kind, EntityId id) const {
    const Row* row = Find(kind, id);
    return row == nullptr ? nullptr : std::get_if<T>(&row->entity);
  }

  // By the kind's name field (for a served interface "<rack id>/<interface>").
  [[nodiscard]] const Row* FindByName(Kind kind, std::string_view name) const;
  // By id text or by name: what people type.
  [[nodiscard]] const Row* FindByText(Kind kind, std::string_view text) const;
  [[nodiscard]] const Row* InterfaceByMac(MacAddress mac) const;
  // The interface that has this address reserved in the subnet.
  [[nodiscard]] const Row* InterfaceByAddress(EntityId subnet, IpAddress address) const;
  // Machines that claim this UUID (more than one: a conflict that was kept apart).
  [[nodiscard]] std::vector<EntityId> MachinesByUuid(const Uuid& uuid) const;
  [[nodiscard]] const Row* RackByKey(std::string_view public_key) const;

  // Join tokens (enrol.h). nullptr: none.
  [[nodiscard]] const JoinTokenRow* FindToken(std::uint64_t token) const;
  [[nodiscard]] const JoinTokenRow* TokenByKey(std::string_view public_key) const;

  [[nodiscard]] const std::map<std::uint64_t, JoinTokenRow>& tokens() const { return tokens_; }

  // Entities of `child` kind that refer to the parent, in id order.
  [[nodiscard]] const IdSet& ChildrenOf(EntityRef parent, Kind child) const;
  // Anything that refers to it, or nothing.
  [[nodiscard]] std::optional<EntityRef> AnyChildOf(EntityRef parent) const;

  [[nodiscard]] const std::map<EntityId, Row>& All(Kind kind) const;

  [[nodiscard]] std::size_t CountOf(Kind kind) const { return All(kind).size(); }

  // In id order, ids > `after`, at most `limit`: O(log n + limit).
  [[nodiscard]] std::vector<const Row*> List(Kind kind, EntityId after, std::size_t limit) const;

  // Revision of the guard key of an entity ("g/..."; mutations.h), 0: never written.
  [[nodiscard]] store::Revision GuardOf(EntityRef ref) const;

  // NameResolver. Accepts the id text too.
  [[nodiscard]] EntityId Resolve(Kind kind, std::string_view name) const override;

  // ---- changes ----
  // Loads everything below "m/", "g/" and "t/". kCorrupt (a value that does not decode), or the
  // store's.
  [[nodiscard]] Result<void> Load(store::StateStore& store);

  [[nodiscard]] store::Revision revision() const noexcept { return revision_; }

  // Applies one change of the store; changes come in revision order. The result is empty for keys
  // that are not entities. kCorrupt.
  [[nodiscard]] Result<std::optional<ModelChange>> Apply(const store::Change& change);
  // Puts or removes (absent) an entity without the store: staging (mutations.h) and tests.
  ModelChange Put(EntityRef ref, std::optional<Entity> entity, store::Revision revision);
  // Undoes a Put of staging: the row is as it was, revisions too.
  void Restore(EntityRef ref, std::optional<Row> row);

 private:
  void Link(const Row& row);
  void Unlink(const Row& row);

  struct TextHash {
    using is_transparent = void;

    std::size_t operator()(std::string_view text) const noexcept {
      return std::hash<std::string_view>{}(text);
    }
  };

  using NameMap = std::unordered_map<std::string, EntityId, TextHash, std::equal_to<>>;

  std::vector<std::map<EntityId, Row>> rows_;  // by kind
  std::vector<NameMap> names_;                 // by kind
  std::unordered_map<std::uint64_t, EntityId> macs_;
  std::map<std::pair<EntityId, IpAddress>, EntityId> addresses_;
  std::map<Uuid, IdSet> uuids_;
  NameMap rack_keys_;
  std::map<std::pair<EntityRef, Kind>, IdSet> children_;
  std::map<EntityRef, store::Revision> guards_;
  std::map<std::uint64_t, JoinTokenRow> tokens_;
  store::Revision revision_ = 0;
};

// The entities that `entity` refers to (fields of type kRef that are set).
[[nodiscard]] std::vector<EntityRef> ReferencesOf(const Entity& entity);
// What FindByName finds it by; empty: nothing.
[[nodiscard]] std::string NameOf(const Entity& entity);

}  // namespace slipway::model
