// Random mutations: what racks get by deltas and by snapshots is the same as a fresh compile, for
// the publisher's own hash and for the rack's snapshot builder.
#include <boost/json.hpp>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <utility>

#include "controlplane/model/live_model.h"
#include "controlplane/model/pair_watch.h"
#include "controlplane/publish/publisher.h"
#include "controlplane/store/memory_store.h"
#include "dataplane/base/random.h"
#include "dataplane/config/snapshot.h"

namespace slipway::publish {
namespace {

namespace json = boost::json;
using model::EntityId;
using model::EntityRef;
using model::Kind;

std::uint64_t SeedOf() {
  const char* text = std::getenv("SLIPWAY_SEED");
  const std::uint64_t seed = text != nullptr ? std::strtoull(text, nullptr, 0) : 20'261'122;
  std::printf("seed %llu (SLIPWAY_SEED to repeat)\n", static_cast<unsigned long long>(seed));
  return seed;
}

// A rack as the region sees it: the record set by deltas, and the real snapshot builder.
struct RackTwin {
  std::map<std::pair<std::uint8_t, std::uint64_t>, std::string> records;
  config::Generation generation;
  config::ContentHash hash;
  config::SnapshotRef snapshot;
};

class World {
 public:
  explicit World(std::uint64_t seed) : random_(seed), publisher_(store_.epoch()) {
    model_.AddObserver(publisher_);
    SLIP_CHECK(model_.Start());
    model_.Read([&](const model::ModelIndex& index) {
      publisher_.Load(index);
      return 0;
    });
  }

  // One random change; refusals are fine.
  void Step();
  void CatchUp(std::uint64_t rack);
  void Snapshot(std::uint64_t rack, int mutations_between);
  void CheckAll();

  std::vector<EntityId> Ids(Kind kind) {
    return model_.Read([&](const model::ModelIndex& index) {
      std::vector<EntityId> ids;
      for (const auto& [id, row] : index.All(kind)) {
        ids.push_back(id);
      }
      return ids;
    });
  }

  std::size_t commits() const { return commits_; }

  std::size_t delta_catch_ups() const { return delta_catch_ups_; }

 private:
  void Mutate(model::LiveModel::Planner planner) {
    model_.Mutate(std::move(planner), [&](const auto& result) { commits_ += result ? 1U : 0U; });
  }

  json::value Any(Kind kind) {
    const auto ids = Ids(kind);
    if (ids.empty() || random_.Below(20) == 0) {
      return nullptr;
    }
    return json::value(FormatId(kind, ids[random_.Below(ids.size())]));
  }

  std::string Address() {
    return "10." + std::to_string(random_.Below(4)) + ".0." + std::to_string(random_.Below(20));
  }

  std::string Mac() { return "52:54:00:00:00:" + std::to_string(10 + random_.Below(60)); }

  json::object Body(Kind kind);
  void MakeRack();
  void NoteAddresses();
  json::object OptionBody();
  void Apply(RackTwin& twin, const PublishedRecord& record, config::SnapshotBuilder& builder);

  SeededRandom random_;
  store::MemoryStore store_;
  SeededRandom ids_{7};
  model::LiveModel model_{store_, ids_};
  Publisher publisher_;
  std::map<std::uint64_t, RackTwin> twins_;
  std::size_t commits_ = 0;
  std::size_t delta_catch_ups_ = 0;
};

json::object World::OptionBody() {
  json::object body = {{"option", std::to_string(224 + random_.Below(6))},
                       {"value", std::to_string(10 + random_.Below(80))}};
  constexpr std::pair<const char*, Kind> kScopes[] = {{"vlan", Kind::kVlan},
                                                      {"subnet", Kind::kSubnet},
                                                      {"range", Kind::kRange},
                                                      {"class", Kind::kDhcpClass},
                                                      {"machine", Kind::kMachine}};
  if (const std::uint64_t scope = random_.Below(6); scope < std::size(kScopes)) {
    body[kScopes[scope].first] = Any(kScopes[scope].second);
  }
  return body;
}

json::object World::Body(Kind kind) {
  json::object body;
  switch (kind) {
    case Kind::kVlan:
      body = {{"fabric", Any(Kind::kFabric)}, {"vid", random_.Below(5)}, {"mtu", 1500}};
      break;
    case Kind::kSubnet:
      body = {{"vlan", Any(Kind::kVlan)},
              {"cidr", "10." + std::to_string(random_.Below(4)) + ".0.0/24"}};
      if (random_.Below(2) == 0) {
        body["dns_servers"] = {Address(), Address()};
      }
      break;
    case Kind::kRange: {
      const std::string prefix = "10." + std::to_string(random_.Below(4)) + ".0.";
      const std::uint64_t first = 1 + random_.Below(200);
      body = {{"subnet", Any(Kind::kSubnet)},
              {"first", prefix + std::to_string(first)},
              {"last", prefix + std::to_string(first + random_.Below(40))}};
      break;
    }
    case Kind::kMachine:
      body = {{"kernel_options", std::to_string(random_.Below(100))}};
      break;
    case Kind::kInterface:
      body = {{"machine", Any(Kind::kMachine)}, {"mac", Mac()}};
      if (random_.Below(2) == 0) {
        body["address"] = Address();
      }
      if (random_.Below(2) == 0) {
        body["vlan"] = Any(Kind::kVlan);
      }
      break;
    case Kind::kImage:
      body = {{"name", "i" + std::to_string(random_.Below(5))}, {"architecture", "amd64"}};
      break;
    case Kind::kServedInterface:
      body = {{"rack", Any(Kind::kRack)}, {"vlan", Any(Kind::kVlan)}};
      if (const std::uint64_t name = random_.Below(4); name != 0) {  // 0: by relays
        body["name"] = "eth" + std::to_string(name);
      }
      break;
    case Kind::kRack:
      body = {{"name", "r" + std::to_string(100 + random_.Below(6))}};
      break;
    case Kind::kRackPair:
      body = {{"address_b", "10.9.0." + std::to_string(2 + random_.Below(3))}};
      if (random_.Below(3) != 0) {  // A patch cannot change these.
        body["address_a"] = "10.9.0.1";
        body["rack_a"] = Any(Kind::kRack);
        body["rack_b"] = Any(Kind::kRack);
      }
      break;
    case Kind::kDhcpClass:
      body = {{"priority", random_.Below(5)}, {"vendor_class", "c"}};
      break;
    case Kind::kDhcpOption:
      body = OptionBody();
      break;
    default:
      break;
  }
  return body;
}

void World::MakeRack() {
  const std::string key = std::to_string(100 + random_.Below(4));
  Mutate([&](model::Plan& plan) -> model::Outcome {
    model::Rack rack;
    rack.name = "r" + key;
    rack.public_key = std::string(37, 'k') + key;
    const auto id = plan.Create(model::Entity(rack));
    return id ? model::Outcome() : std::unexpected(id.error());
  });
}

// What a rack reports of an interface: some of the addresses that subnets name as servers.
void World::NoteAddresses() {
  const auto ids = Ids(Kind::kServedInterface);
  if (ids.empty()) {
    return;
  }
  const EntityId id = ids[random_.Below(ids.size())];
  Mutate([&](model::Plan& plan) {
    return model::NoteAddresses(plan, id, {*IpAddress::Parse(Address())});
  });
}

void World::Step() {
  constexpr Kind kKinds[] = {Kind::kFabric,
                             Kind::kVlan,
                             Kind::kVlan,
                             Kind::kSubnet,
                             Kind::kSubnet,
                             Kind::kRange,
                             Kind::kMachine,
                             Kind::kMachine,
                             Kind::kInterface,
                             Kind::kInterface,
                             Kind::kInterface,
                             Kind::kImage,
                             Kind::kRack,
                             Kind::kRackPair,
                             Kind::kRackPair,
                             Kind::kServedInterface,
                             Kind::kServedInterface,
                             Kind::kDhcpClass,
                             Kind::kDhcpOption,
                             Kind::kDhcpOption,
                             Kind::kDhcpOption};
  // Several operations in one batch, some of which undo each other.
  const std::size_t operations = 1 + random_.Below(4);
  const Kind first = kKinds[random_.Below(std::size(kKinds))];
  if (first == Kind::kRack && random_.Below(3) != 0) {
    MakeRack();
    return;
  }
  if (first == Kind::kServedInterface && random_.Below(3) == 0) {
    NoteAddresses();
    return;
  }
  std::vector<std::pair<model::Operation, json::object>> list;
  for (std::size_t i = 0; i < operations; ++i) {
    const Kind kind = i == 0 ? first : kKinds[random_.Below(std::size(kKinds))];
    const auto ids = Ids(kind);
    model::Operation operation{.verb = model::Operation::Verb::kCreate, .kind = kind};
    const std::uint64_t choice = random_.Below(5);
    if (choice >= 2 && !ids.empty()) {
      operation.verb =
          choice == 4 ? model::Operation::Verb::kDelete : model::Operation::Verb::kPatch;
      operation.id = ids[random_.Below(ids.size())];
    }
    list.emplace_back(operation, Body(kind));
  }
  Mutate([&](model::Plan& plan) -> model::Outcome {
    for (auto& [operation, body] : list) {
      operation.body = &body;
      const auto id = plan.Run(operation);
      if (!id && &operation == &list.front().first) {
        return std::unexpected(id.error());
      }
      if (!id) {
        break;  // the operations before it stand
      }
    }
    return {};
  });
}

void World::Apply(RackTwin& twin, const PublishedRecord& record, config::SnapshotBuilder& builder) {
  if (record.body) {
    twin.records[{record.table, record.id}] = *record.body;
    ASSERT_TRUE(builder.Put(record.table, record.id, AsBytes(*record.body)));
  } else {
    ASSERT_EQ(twin.records.erase({record.table, record.id}), 1U);
    ASSERT_TRUE(builder.Remove(record.table, record.id));
  }
}

void World::CatchUp(std::uint64_t rack) {
  RackTwin& twin = twins_[rack];
  const auto delta = publisher_.DeltaSince(rack, twin.generation, twin.hash);
  if (!delta) {
    ASSERT_EQ(delta.error().code, ErrorCode::kExpired);
    Snapshot(rack, 0);
    return;
  }
  ++delta_catch_ups_;
  config::SnapshotBuilder builder(twin.snapshot);
  for (const PublishedRecord& record : delta->records) {
    Apply(twin, record, builder);
  }
  ASSERT_EQ(builder.hash(), delta->hash);
  twin.snapshot = builder.Finish(delta->generation);
  twin.generation = delta->generation;
  twin.hash = delta->hash;
}

void World::Snapshot(std::uint64_t rack, int mutations_between) {
  auto cursor = publisher_.StartSnapshot(rack);
  ASSERT_TRUE(cursor);
  RackTwin twin;
  config::SnapshotBuilder builder{config::SnapshotRef()};
  std::uint64_t bytes = 0;
  std::pair<std::uint8_t, std::uint64_t> last{0, 0};
  bool left = true;
  while (left) {
    std::uint64_t room = 1 + random_.Below(8);
    const auto result = (*cursor)->Next([&](const PublishedRecord& record) {
      if (room-- == 0) {
        return false;
      }
      EXPECT_LT(last, std::pair(record.table, record.id));
      last = {record.table, record.id};
      bytes += record.body->size();
      Apply(twin, record, builder);
      return true;
    });
    if (!result) {
      return;  // the rack went meanwhile
    }
    left = *result;
    for (int i = 0; i < mutations_between; ++i) {
      Step();
    }
  }
  ASSERT_EQ(builder.hash(), (*cursor)->hash());
  ASSERT_EQ(twin.records.size(), (*cursor)->record_count());
  ASSERT_EQ(bytes, (*cursor)->bytes());
  twin.generation = (*cursor)->generation();
  twin.hash = (*cursor)->hash();
  twin.snapshot = builder.Finish(twin.generation);
  twins_[rack] = std::move(twin);
}

// A publisher that compiles everything anew agrees, and so does each rack's own record set.
void World::CheckAll() {
  Publisher fresh(store_.epoch());
  model_.Read([&](const model::ModelIndex& index) {
    fresh.Load(index);
    return 0;
  });
  for (const EntityId id : Ids(Kind::kRack)) {
    CatchUp(id.value);
    const auto status = publisher_.StatusOf(id.value);
    const auto wanted = fresh.StatusOf(id.value);
    ASSERT_TRUE(status && wanted);
    ASSERT_EQ(status->hash, wanted->hash);
    ASSERT_EQ(status->records, wanted->records);
    ASSERT_EQ(status->bytes, wanted->bytes);
    ASSERT_EQ(twins_[id.value].hash, wanted->hash);
    ASSERT_EQ(twins_[id.value].records.size(), wanted->records);
    ASSERT_EQ(twins_[id.value].snapshot->record_count(), wanted->records);
  }
}

TEST(PublishPropertyTest, DeltasAndSnapshotsAgreeWithAFreshCompile) {
  World world(SeedOf());
  for (int round = 0; round < 300; ++round) {
    for (int i = 0; i < 5; ++i) {
      world.Step();
    }
    const auto racks = world.Ids(Kind::kRack);
    if (round % 7 == 0 && !racks.empty()) {
      world.Snapshot(racks[static_cast<std::size_t>(round) % racks.size()].value, 3);
    }
    world.CheckAll();
    if (testing::Test::HasFatalFailure()) {
      FAIL() << "round " << round;
    }
  }
  EXPECT_GT(world.commits(), 500U);
  EXPECT_GT(world.delta_catch_ups(), 200U);
}

}  // namespace
}  // namespace slipway::publish
