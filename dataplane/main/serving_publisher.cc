#include "dataplane/main/serving_publisher.h"

#include <algorithm>
#include <utility>

namespace slipway::rack {

using service::EventCode;

void SnapshotSlot::Put(config::SnapshotRef snapshot) {
  {
    const std::scoped_lock lock(mutex_);
    std::swap(snapshot_, snapshot);
    fresh_ = true;
  }
  wake_->Notify();
  // The one it replaces is freed here, without the lock.
}

bool SnapshotSlot::Take(config::SnapshotRef& out) {
  const std::scoped_lock lock(mutex_);
  if (!fresh_) {
    return false;
  }
  fresh_ = false;
  out = std::exchange(snapshot_, {});
  return true;
}

ServingPublisher::ServingPublisher(std::vector<service::ServingView*> hand_overs,
                                   images::Store* store, std::vector<std::string> allowed,
                                   service::EventSink* events)
    : hand_overs_(std::move(hand_overs)),
      reached_(hand_overs_.size(), 0),
      store_(store),
      allowed_(std::move(allowed)),
      events_(events) {}

void ServingPublisher::SetSnapshot(config::SnapshotRef snapshot) {
  const bool images_same = snapshot_ && snapshot &&
                           snapshot_->images().data() == snapshot->images().data() &&
                           missing_.empty();
  snapshot_ = std::move(snapshot);
  dirty_ = true;
  if (images_same || !snapshot_) {
    return;
  }
  auto built = images::ObjectTable::Build(*snapshot_, *store_, objects_);
  if (!built) {
    events_->Report(EventCode::kImageObjectsUnopened, "",
                    "the images of the configuration cannot be opened (" +
                        std::string(ToString(built.error().code)) + "); the last ones stay");
    return;
  }
  objects_ = std::move(*built);
  for (const images::MissingObject& object : objects_->missing()) {
    if (std::find(missing_.begin(), missing_.end(), object) != missing_.end()) {
      continue;
    }
    if (object.damaged) {
      events_->Report(EventCode::kImageObjectDamaged, object.name,
                      "the object in images_dir has another size than the configuration says");
    } else {
      events_->Report(EventCode::kImageObjectMissing, object.name,
                      "in the configuration but not in images_dir");
    }
  }
  missing_ = objects_->missing();
}

void ServingPublisher::SetInterfaces(const service::HostInterfaces& interfaces) {
  if (interfaces == interfaces_) {
    return;
  }
  interfaces_ = interfaces;
  dirty_ = true;
}

void ServingPublisher::BuildLinks() {
  links_ = {};
  for (const service::HostInterface& host : interfaces_) {
    const bool allowed =
        std::find(allowed_.begin(), allowed_.end(), host.name.view()) != allowed_.end();
    const config::ServedInterfaceRecord* const bound =
        snapshot_ ? snapshot_->ServedInterface(host.name) : nullptr;
    if (!allowed || bound == nullptr || !host.up) {
      continue;
    }
    const bool added = links_.Add({.ifindex = host.index,
                                   .name = host.name,
                                   .mac = host.mac,
                                   .vlan = bound->vlan,
                                   .addresses = host.addresses});
    if (!added) {
      events_->Report(EventCode::kInterfacesTooMany, host.name.view(),
                      "not served: the table is full");
    }
  }
}

void ServingPublisher::Build() {
  BuildLinks();
  Version version;
  version.number = next_number_++;
  version.serving = std::make_unique<service::Serving>(
      service::Serving{.snapshot = snapshot_, .objects = objects_, .links = links_});
  for (service::ServingView* const hand_over : hand_overs_) {
    if (hand_over->Publish(version.serving.get(), version.number)) {
      ++version.holders;
    }
  }
  // Pump builds only if every shard has room.
  SLIP_CHECK(version.holders == hand_overs_.size());
  versions_.push_back(std::move(version));
  dirty_ = false;
}

void ServingPublisher::Collect() {
  for (std::size_t i = 0; i < hand_overs_.size(); ++i) {
    hand_overs_[i]->Collect([&](const service::ServingView::Released& released) {
      reached_[i] = released.generation;
      for (Version& version : versions_) {
        if (version.serving.get() == released.value) {
          --version.holders;
        }
      }
    });
  }
  while (!versions_.empty() && versions_.front().holders == 0) {
    versions_.pop_front();
  }
}

bool ServingPublisher::Pump() {
  Collect();
  if (dirty_ && versions_.size() < service::ServingView::kUnderWayMax - 1) {
    Build();
  }
  const std::uint64_t all = *std::min_element(reached_.begin(), reached_.end());
  for (const Version& version : versions_) {
    if (version.number == all && version.serving->snapshot &&
        version.serving->snapshot->generation() != live_) {
      live_ = version.serving->snapshot->generation();
      return true;
    }
  }
  return false;
}

}  // namespace slipway::rack
