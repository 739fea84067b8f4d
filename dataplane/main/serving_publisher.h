// Puts together what the shards serve, from the newest snapshot, the images that are here and the
// host's interfaces, and hands it to every shard. Control thread.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "dataplane/config/snapshot.h"
#include "dataplane/images/object_table.h"
#include "dataplane/images/store.h"
#include "dataplane/service/rack_event.h"
#include "dataplane/service/serving.h"
#include "dataplane/shard/wake.h"

namespace slipway::rack {

// Newest wins: the link thread puts snapshots in, the control thread takes the last one out.
class SnapshotSlot {
 public:
  explicit SnapshotSlot(shard::Wake* wake) noexcept : wake_(wake) {}

  void Put(config::SnapshotRef snapshot);
  // False if there is none since the last call.
  [[nodiscard]] bool Take(config::SnapshotRef& out);

 private:
  std::mutex mutex_;
  config::SnapshotRef snapshot_;
  bool fresh_ = false;
  shard::Wake* wake_;
};

class ServingPublisher {
 public:
  // `hand_overs`: one per shard, outlive the publisher; `allowed`: interface names that may be
  // served at all (rack.toml `interfaces`).
  ServingPublisher(std::vector<service::ServingView*> hand_overs, images::Store* store,
                   std::vector<std::string> allowed, service::EventSink* events);

  void SetSnapshot(config::SnapshotRef snapshot);
  void SetInterfaces(const service::HostInterfaces& interfaces);

  // Collects what shards let go of, and hands over the newest state if it changed and there is
  // room. True if the generation that all shards live on has moved.
  bool Pump();

  // Live on all shards. (0,0): nothing yet.
  [[nodiscard]] config::Generation live() const noexcept { return live_; }

  // What was built last; the links that are served now.
  [[nodiscard]] const service::ServedLinks& links() const noexcept { return links_; }

  // Objects that the snapshot wants and that are not here, at the last build.
  [[nodiscard]] const std::vector<images::MissingObject>& missing() const noexcept {
    return missing_;
  }

 private:
  struct Version {
    std::uint64_t number = 0;
    std::unique_ptr<service::Serving> serving;
    std::size_t holders = 0;  // shards that have it or will have it
  };

  void Build();
  void BuildLinks();
  void Collect();

  std::vector<service::ServingView*> hand_overs_;
  std::vector<std::uint64_t> reached_;  // per shard: the number it lives on
  images::Store* store_;
  std::vector<std::string> allowed_;
  service::EventSink* events_;
  config::SnapshotRef snapshot_;
  service::HostInterfaces interfaces_;
  service::ServedLinks links_;
  images::ObjectTableRef objects_;
  std::vector<images::MissingObject> missing_;
  std::deque<Version> versions_;
  std::uint64_t next_number_ = 1;
  bool dirty_ = false;
  config::Generation live_;
};

}  // namespace slipway::rack
