// What one reservation costs the region besides the disk: plan, validate, commit (in memory), index
// and publish, with N hosts defined; and the publisher's part alone.
#include <benchmark/benchmark.h>
#include <boost/json.hpp>

#include <cstdio>
#include <memory>
#include <string>

#include "controlplane/model/live_model.h"
#include "controlplane/publish/publisher.h"
#include "controlplane/store/memory_store.h"
#include "dataplane/base/check.h"
#include "dataplane/base/random.h"

namespace slipway::publish {
namespace {

namespace json = boost::json;
using model::EntityId;
using model::Kind;

// One rack that serves one VLAN with `hosts` reservations.
class Region {
 public:
  explicit Region(std::int64_t hosts) {
    model_.AddObserver(publisher_);
    SLIP_CHECK(model_.Start());
    Make(Kind::kFabric, {{"name", "lab"}});
    Make(Kind::kVlan, {{"name", "boot"}, {"fabric", "lab"}});
    Make(Kind::kSubnet, {{"name", "ten"}, {"vlan", "boot"}, {"cidr", "10.0.0.0/8"}});
    Commit([&](model::Plan& plan) -> model::Outcome {
      model::Rack rack;
      rack.name = "r1";
      rack.public_key = std::string(40, 'k');
      rack_ = *plan.Create(model::Entity(rack));
      return {};
    });
    Make(Kind::kServedInterface, {{"rack", "r1"}, {"name", "eth0"}, {"vlan", "boot"}});
    for (std::int64_t done = 0; done < hosts;) {
      Commit([&](model::Plan& plan) -> model::Outcome {
        for (int i = 0; i < 5'000 && done < hosts; ++i, ++done) {
          AddHost(plan);
        }
        return {};
      });
    }
    model_.Read([&](const model::ModelIndex& index) {
      publisher_.Load(index);
      return 0;
    });
  }

  void AddHost(model::Plan& plan) {
    ++hosts_;
    const auto machine = plan.Create(model::Entity(model::Machine{}));
    SLIP_CHECK(machine);
    model::Interface interface;
    interface.machine = *machine;
    interface.mac = MacAddress::FromU64(0x5254'0000'0000 + hosts_);
    interface.vlan = vlan();
    interface.address = Ipv4Address{0x0A00'0100 + static_cast<std::uint32_t>(hosts_)};
    last_ = interface;
    last_id_ = *plan.Create(model::Entity(interface));
  }

  void Make(Kind kind, json::object body) { Commit(model::PlanCreate(kind, std::move(body))); }

  void Commit(model::LiveModel::Planner planner) {
    model_.Mutate(std::move(planner), [](const auto& result) { SLIP_CHECK(result); });
  }

  EntityId vlan() { return vlan_.is_set() ? vlan_ : vlan_ = model_index_vlan(); }

  EntityId model_index_vlan() {
    // Inside a plan the model's lock is held: the store is asked instead.
    const auto page = store_.List("m/vlan/", "", 1);
    return model::ParseStoreKey(page->entries.at(0).key)->id;
  }

  SeededRandom random_{5};
  store::MemoryStore store_;
  Publisher publisher_{1};
  model::LiveModel model_{store_, random_};
  EntityId rack_;
  EntityId vlan_;
  EntityId last_id_;
  model::Interface last_;
  std::uint64_t hosts_ = 0;
};

Region& RegionOf(std::int64_t hosts) {
  static std::unique_ptr<Region> region;
  static std::int64_t size = 0;
  if (size != hosts) {
    region = std::make_unique<Region>(hosts);
    size = hosts;
  }
  return *region;
}

// From the request to the delta in the ring.
void BM_OneReservation(benchmark::State& state) {
  Region& region = RegionOf(state.range(0));
  for (auto _ : state) {
    region.Commit([&](model::Plan& plan) -> model::Outcome {
      region.AddHost(plan);
      return {};
    });
  }
}

BENCHMARK(BM_OneReservation)->Arg(10'000)->Arg(100'000)->Iterations(1'000);

// The publisher alone: a reserved address that changes.
void BM_PublishOneChange(benchmark::State& state) {
  Region& region = RegionOf(state.range(0));
  store::Revision revision = region.store_.revision() + 1;
  region.model_.Read([&](const model::ModelIndex& index) {
    model::Interface other = region.last_;
    other.address = Ipv4Address{0x0AFF'0001};
    for (auto _ : state) {
      region.publisher_.OnChange(index, {.revision = revision,
                                         .ref = {.kind = Kind::kInterface, .id = region.last_id_},
                                         .before = region.last_,
                                         .after = other});
      region.publisher_.OnRevision(index, revision++);
      std::swap(region.last_, other);
    }
    return 0;
  });
}

BENCHMARK(BM_PublishOneChange)->Arg(10'000)->Arg(100'000);

// A whole snapshot, as fast as it can be taken.
void BM_Snapshot(benchmark::State& state) {
  Region& region = RegionOf(state.range(0));
  std::int64_t bytes = 0;
  for (auto _ : state) {
    auto cursor = region.publisher_.StartSnapshot(region.rack_.value);
    SLIP_CHECK(cursor);
    bool left = true;
    while (left) {
      std::size_t chunk = 0;
      left = *(*cursor)->Next([&](const PublishedRecord& record) {
        chunk += record.body->size();
        bytes += static_cast<std::int64_t>(record.body->size());
        return chunk < std::size_t{1} << 20;
      });
    }
  }
  state.SetBytesProcessed(bytes);
}

BENCHMARK(BM_Snapshot)->Arg(10'000)->Arg(100'000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace slipway::publish
