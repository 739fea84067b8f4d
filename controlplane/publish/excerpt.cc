#include "controlplane/publish/excerpt.h"

#include <set>

#include "controlplane/model/dhcp.h"
#include "controlplane/publish/record_body.h"
#include "dataplane/base/check.h"

namespace slipway::publish {

using model::EntityId;
using model::EntityRef;
using model::Kind;

namespace {

class Excerpt {
 public:
  explicit Excerpt(const model::ModelIndex& index) : index_(index) {}

  void Add(EntityRef ref) {
    const model::Row* row = index_.Find(ref.kind, ref.id);
    if (row == nullptr || !seen_.insert(ref).second) {
      return;
    }
    const RecordBody body = EncodeEntity(encoder_, index_, ref.id.value, row->entity);
    // The model keeps the bounds of records.
    SLIP_CHECK(builder_.Put(static_cast<std::uint8_t>(TableOf(ref.kind)), ref.id.value,
                            AsBytes(body.bytes)));
  }

  void AddChildren(EntityRef parent, Kind kind) {
    for (const EntityId child : index_.ChildrenOf(parent, kind)) {
      Add({.kind = kind, .id = child});
    }
  }

  void AddOptions() {
    for (const auto& [id, row] : index_.All(Kind::kDhcpOption)) {
      const EntityRef target = model::TargetOf(row.as<model::DhcpOption>());
      if (!target.id.is_set() || seen_.contains(target)) {
        Add({.kind = Kind::kDhcpOption, .id = id});
      }
    }
  }

  [[nodiscard]] config::SnapshotRef Finish() {
    return builder_.Finish({.epoch = 1, .number = index_.revision()});
  }

 private:
  const model::ModelIndex& index_;
  config::RecordEncoder encoder_;
  config::SnapshotBuilder builder_{config::SnapshotRef()};
  std::set<EntityRef> seen_;
};

}  // namespace

config::SnapshotRef CompileExcerpt(const model::ModelIndex& index, EntityId machine,
                                   EntityId vlan) {
  Excerpt excerpt(index);
  const EntityRef machine_ref{.kind = Kind::kMachine, .id = machine};
  const EntityRef vlan_ref{.kind = Kind::kVlan, .id = vlan};
  excerpt.Add(machine_ref);
  excerpt.AddChildren(machine_ref, Kind::kInterface);
  excerpt.Add(vlan_ref);
  for (const EntityId subnet : index.ChildrenOf(vlan_ref, Kind::kSubnet)) {
    const EntityRef subnet_ref{.kind = Kind::kSubnet, .id = subnet};
    excerpt.Add(subnet_ref);
    excerpt.AddChildren(subnet_ref, Kind::kRange);
  }
  for (const auto& [id, row] : index.All(Kind::kDhcpClass)) {
    excerpt.Add({.kind = Kind::kDhcpClass, .id = id});
  }
  excerpt.AddOptions();
  return excerpt.Finish();
}

}  // namespace slipway::publish
