// The part of the model that decides about one machine on one VLAN, compiled as racks get it: for
// questions that the region answers by the same functions that racks use.
#pragma once

#include "controlplane/model/index.h"
#include "dataplane/config/snapshot.h"

namespace slipway::publish {

// The machine with its interfaces, the VLAN with its subnets and ranges, all DHCP classes, and the
// DHCP options of all these and of all clients. What does not exist is left out. Call it under the
// model's lock. Linear in the number of options.
[[nodiscard]] config::SnapshotRef CompileExcerpt(const model::ModelIndex& index,
                                                 model::EntityId machine, model::EntityId vlan);

}  // namespace slipway::publish
