// What a shard serves, as one immutable value: built by the control thread, handed to every shard
// (dataplane/shard/hand_over.h), swapped between turns, freed when all have let go.
#pragma once

#include "dataplane/config/snapshot.h"
#include "dataplane/images/object_table.h"
#include "dataplane/service/interface_table.h"
#include "dataplane/shard/hand_over.h"

namespace slipway::service {

struct Serving {
  config::SnapshotRef snapshot;
  images::ObjectTableRef objects;  // the files of the snapshot's images that are here
  ServedLinks links;
};

// A service's view: current() is null before the first hand-over, and valid for one turn.
using ServingView = shard::HandOver<Serving>;

}  // namespace slipway::service
