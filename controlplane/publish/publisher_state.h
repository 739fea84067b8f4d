// The inside of the publisher: what it keeps of each rack. Included by its own sources only.
#pragma once

#include <deque>
#include <map>
#include <set>
#include <vector>

#include "controlplane/publish/publisher.h"
#include "controlplane/publish/record_body.h"

namespace slipway::publish {

// A record of a delta in the ring. `existed`: the base had it; without it, creating and removing
// across merged deltas would remove what the rack never had.
struct RingRecord {
  RecordKey key;
  std::optional<std::string> body;
  bool existed = false;
};

struct RingDelta {
  config::Generation base;
  config::ContentHash base_hash;
  std::size_t bytes = 0;
  std::vector<RingRecord> records;
};

// What one revision has changed so far.
struct PendingRecord {
  std::optional<std::string> before;  // at the last published generation
  std::optional<std::string> after;
};

struct RackState {
  RackStatus published;                  // as of the last whole revision
  RackStatus working;                    // with the changes of the revision under way
  std::map<model::EntityId, int> vlans;  // served: how many interfaces serve it
  std::map<RecordKey, PendingRecord> pending;
  bool is_new = false;                                   // its first generation is a snapshot
  std::optional<std::pair<RecordKey, RecordBody>> pair;  // as it is in `working`
  std::deque<RingDelta> ring;
  std::size_t ring_bytes = 0;
  std::vector<SnapshotCursor*> cursors;
};

using RackSet = std::set<std::uint64_t>;

struct Publisher::State {
  State(std::uint64_t given_epoch, PublisherLimits given_limits)
      : epoch(given_epoch), limits(given_limits) {}

  // ---- what a rack sees ----
  [[nodiscard]] static bool SeesVlan(const RackState& rack, model::EntityId vlan) {
    return rack.vlans.contains(vlan);
  }

  [[nodiscard]] static bool SeesInterface(const RackState& rack,
                                          const model::Interface& interface) {
    return !interface.vlan.is_set() || SeesVlan(rack, interface.vlan);
  }

  // By any of its interfaces but `without`.
  [[nodiscard]] static bool SeesMachine(const model::ModelIndex& index, const RackState& rack,
                                        model::EntityId machine, model::EntityId without = {});
  [[nodiscard]] static bool Sees(const model::ModelIndex& index, std::uint64_t rack_id,
                                 const RackState& rack, const model::Row& row);
  [[nodiscard]] static bool SeesOption(const model::ModelIndex& index, const RackState& rack,
                                       const model::DhcpOption& option);
  [[nodiscard]] RackSet RacksOf(model::EntityId vlan) const;
  [[nodiscard]] RackSet RacksOf(const model::ModelIndex& index,
                                const model::DhcpOption& option) const;

  // ---- changes ----
  void Emit(RackState& rack, RecordKey key, const RecordBody* before, const RecordBody* after);
  // Emits what exists and is seen in only one of two situations.
  void Appear(RackState& rack, const model::ModelIndex& index, model::EntityRef ref, bool appears);
  // Likewise, with the DHCP options that are set on it.
  void AppearWithOptions(RackState& rack, const model::ModelIndex& index, model::EntityRef ref,
                         bool appears);
  void Change(const model::ModelIndex& index, const model::ModelChange& change,
              const RackSet& rack_ids);
  void OptionsOf(const model::ModelIndex& index, const model::ModelChange& change,
                 const RackSet& rack_ids);
  void OnRack(const model::ModelIndex& index, const model::ModelChange& change);
  // The pair that the rack is one of, and the one that its partner is: what a rack sees of it
  // changes with the pair, with the partner and with what either serves.
  void OnPair(const model::ModelIndex& index, const model::ModelChange& change);
  void RefreshPairOf(const model::ModelIndex& index, model::EntityId rack);
  void RefreshPair(const model::ModelIndex& index, model::EntityId rack);
  void OnServed(const model::ModelIndex& index, const model::ModelChange& change);
  void OnSubnet(const model::ModelIndex& index, const model::ModelChange& change);
  void OnRange(const model::ModelIndex& index, const model::ModelChange& change);
  void OnMachine(const model::ModelIndex& index, const model::ModelChange& change);
  void OnInterface(const model::ModelIndex& index, const model::ModelChange& change);
  void BindVlan(const model::ModelIndex& index, RackState& rack, model::EntityId vlan);
  void UnbindVlan(const model::ModelIndex& index, RackState& rack, model::EntityId vlan);
  void VlanContent(const model::ModelIndex& index, RackState& rack, model::EntityId vlan,
                   bool appears);
  // What clients are told of a subnet changes with the racks that serve its VLAN.
  void RefreshSubnets(const model::ModelIndex& index, model::EntityId vlan);
  // The record of an entity that the rack sees.
  [[nodiscard]] RecordBody BodyFor(const model::ModelIndex& index, std::uint64_t rack_id,
                                   const model::Row& row);
  // True if the rack's generation has moved.
  bool Publish(RackState& rack, store::Revision revision);
  [[nodiscard]] RackSet AllRacks() const;

  const std::uint64_t epoch;
  const PublisherLimits limits;
  std::mutex mutex;
  config::RecordEncoder encoder;
  const model::ModelIndex* index = nullptr;
  std::map<std::uint64_t, RackState> racks;
  std::map<model::EntityId, RackSet> racks_of_vlan;
  std::map<model::EntityId, RecordBody> subnets;  // all, as racks have them
  std::set<std::uint64_t> touched;                // racks with pending records
  Listener listener;
  std::function<void(const std::function<void()>&)> guard = [](const std::function<void()>& work) {
    work();
  };
};

}  // namespace slipway::publish
