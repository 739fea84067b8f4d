// The snapshot against plain maps: random records put, replaced and removed over many generations;
// old generations stay as they were; the content hash is that of a fresh build (invariant 8).
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <vector>

#include "dataplane/base/random.h"
#include "dataplane/config/encode.h"
#include "dataplane/config/snapshot.h"

namespace slipway::config {
namespace {

using Bytes = std::vector<std::byte>;

struct Model {
  std::map<RecordId, InterfaceRecord> interfaces;
  std::map<RecordId, MachineRecord> machines;
  std::map<RecordId, RangeRecord> ranges;
  std::map<std::pair<std::uint8_t, RecordId>, Bytes> bodies;
};

[[nodiscard]] std::uint64_t SeedFromEnvironment() {
  const char* const text = std::getenv("SLIPWAY_SEED");
  return text == nullptr ? 20240607 : std::strtoull(text, nullptr, 0);
}

class Campaign {
 public:
  explicit Campaign(std::uint64_t seed) : random_(seed) {}

  template <typename Record>
  void Put(SnapshotBuilder& builder, const Record& record) {
    const auto table = static_cast<std::uint8_t>(kTableOf<Record>);
    const ByteSpan body = encoder_.Encode(record);
    ASSERT_TRUE(builder.Put(table, record.id, body));
    model.bodies[{table, record.id}] = Bytes(body.begin(), body.end());
  }

  void PutInterface(SnapshotBuilder& builder) {
    // MAC and address follow from id and a salt, so that they are unique as in the model.
    const RecordId id = 1 + random_.Below(kIds);
    InterfaceRecord interface {
      .id = id, .machine = 1 + random_.Below(kIds),
      .mac = MacAddress::FromU64(id | (1 + random_.Below(3)) << 40), .vlan = random_.Below(4),
      .subnet = random_.Below(4), .address = {}
    };
    if (random_.Below(2) == 0) {
      interface.address =
          Ipv4Address{static_cast<std::uint32_t>(0x0A000000 + id * 4 + random_.Below(3))};
    }
    Put(builder, interface);
    model.interfaces[id] = interface;
  }

  void PutMachine(SnapshotBuilder& builder) {
    const RecordId id = 1 + random_.Below(kIds);
    MachineRecord machine{.id = id, .hostname = {}, .uuid = {}, .kernel_options = {}};
    machine.hostname = std::string_view("m" + std::to_string(random_.Below(1000)));
    if (random_.Below(2) == 0) {
      machine.uuid[0] = static_cast<std::uint8_t>(1 + random_.Below(2));
      StoreLittle(reinterpret_cast<std::byte*>(machine.uuid.data() + 8), id);
    }
    Put(builder, machine);
    model.machines[id] = machine;
  }

  void PutRange(SnapshotBuilder& builder) {
    const RecordId id = 1 + random_.Below(64);
    const RangeRecord range{.id = id,
                            .subnet = 1 + random_.Below(5),
                            .first = Ipv4Address{1},
                            .last = Ipv4Address{static_cast<std::uint32_t>(2 + id)}};
    Put(builder, range);
    model.ranges[id] = range;
  }

  void RemoveOne(SnapshotBuilder& builder) {
    if (model.bodies.empty()) {
      return;
    }
    auto victim = model.bodies.lower_bound(
        {static_cast<std::uint8_t>(1 + random_.Below(7)), 1 + random_.Below(kIds)});
    if (victim == model.bodies.end()) {
      victim = model.bodies.begin();
    }
    const auto [table, id] = victim->first;
    ASSERT_TRUE(builder.Remove(table, id));
    model.interfaces.erase(table == 5 ? id : 0);
    model.machines.erase(table == 4 ? id : 0);
    model.ranges.erase(table == 3 ? id : 0);
    model.bodies.erase(victim);
  }

  void Step(SnapshotBuilder& builder) {
    switch (random_.Below(8)) {
      case 0:
      case 1:
      case 2:
        return PutInterface(builder);
      case 3:
      case 4:
        return PutMachine(builder);
      case 5:
        return PutRange(builder);
      default:
        return RemoveOne(builder);
    }
  }

  [[nodiscard]] std::uint64_t Below(std::uint64_t bound) { return random_.Below(bound); }

  Model model;

 private:
  static constexpr std::uint64_t kIds = 2000;
  SeededRandom random_;
  RecordEncoder encoder_;
};

void ExpectSame(const Snapshot& snapshot, const Model& model) {
  ASSERT_EQ(snapshot.record_count(), model.bodies.size());
  for (const auto& [id, interface] : model.interfaces) {
    const InterfaceRecord* const found = snapshot.InterfaceByMac(interface.mac);
    ASSERT_NE(found, nullptr) << id;
    ASSERT_EQ(found->id, id);
    ASSERT_EQ(found->machine, interface.machine);
    if (interface.address.is_set()) {
      ASSERT_EQ(snapshot.InterfaceByAddress(interface.address), found);
    }
  }
  for (const auto& [id, machine] : model.machines) {
    const MachineRecord* const found = snapshot.MachineById(id);
    ASSERT_NE(found, nullptr) << id;
    ASSERT_EQ(found->hostname, machine.hostname);
    ASSERT_EQ(snapshot.MachineByUuid(machine.uuid), machine.uuid == Uuid{} ? nullptr : found);
  }
  std::size_t ranges = 0;
  for (RecordId subnet = 0; subnet < 8; ++subnet) {
    RecordId last = 0;
    for (const RangeRecord& range : snapshot.RangesOf(subnet)) {
      ASSERT_LT(last, range.id);
      last = range.id;
      ASSERT_EQ(model.ranges.at(range.id).subnet, subnet);
      ++ranges;
    }
  }
  ASSERT_EQ(ranges, model.ranges.size());
}

[[nodiscard]] ContentHash FreshHash(const Model& model) {
  SnapshotBuilder builder{SnapshotRef{}};
  for (const auto& [key, body] : model.bodies) {
    EXPECT_TRUE(builder.Put(key.first, key.second, body));
  }
  return builder.hash();
}

TEST(SnapshotPropertyTest, DeltasGiveWhatAFreshBuildGives) {
  const std::uint64_t seed = SeedFromEnvironment();
  (void)std::printf("SLIPWAY_SEED=%llu\n", static_cast<unsigned long long>(seed));
  Campaign campaign(seed);
  SnapshotRef current;
  SnapshotRef kept;
  Model kept_model;
  for (std::uint64_t number = 1; number <= 60; ++number) {
    SnapshotBuilder builder(current);
    const std::uint64_t steps = number % 10 == 0 ? 3000 : campaign.Below(20);
    for (std::uint64_t i = 0; i < steps; ++i) {
      campaign.Step(builder);
      if (testing::Test::HasFatalFailure()) {
        return;
      }
    }
    current = builder.Finish({.epoch = 1, .number = number});
    if (number % 20 == 5) {
      kept = current;
      kept_model = campaign.model;
    }
    if (number % 4 == 0) {
      ASSERT_NO_FATAL_FAILURE(ExpectSame(*current, campaign.model)) << "generation " << number;
      ASSERT_EQ(current->hash(), FreshHash(campaign.model));
    }
    if (kept && number % 20 == 19) {
      ASSERT_NO_FATAL_FAILURE(ExpectSame(*kept, kept_model)) << "an old generation changed";
    }
  }
}

}  // namespace
}  // namespace slipway::config
