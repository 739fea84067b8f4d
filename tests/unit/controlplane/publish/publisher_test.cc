#include "controlplane/publish/publisher.h"

#include <gtest/gtest.h>

#include <vector>

#include "controlplane/model/pair_watch.h"
#include "dataplane/config/decode.h"
#include "tests/unit/controlplane/model/model_test.h"

namespace slipway::publish {
namespace {

using config::Table;
using model::EntityId;
using model::Kind;

class PublisherTest : public model::ModelFixture {
 protected:
  PublisherTest() {
    Load(publisher_);
    model_.AddObserver(publisher_);
    publisher_.SetListener([this](std::uint64_t rack, config::Generation generation) {
      moved_.emplace_back(rack, generation.number);
    });
    MakeLab();
    rack_ = MakeRack("r1");
    Make(Kind::kServedInterface, R"({"rack":"r1","name":"eth0","vlan":"boot"})");
    moved_.clear();
  }

  void Load(Publisher& publisher) {
    model_.Read([&](const model::ModelIndex& index) {
      publisher.Load(index);
      return 0;
    });
  }

  EntityId MakeRack(const std::string& name) {
    EntityId id;
    EXPECT_TRUE(Mutate([&](model::Plan& plan) -> model::Outcome {
      model::Rack rack;
      rack.name = name;
      rack.public_key = std::string(38, 'k') + name;
      id = *plan.Create(model::Entity(rack));
      return {};
    }));
    return id;
  }

  RackStatus Status(EntityId rack) { return publisher_.StatusOf(rack.value).value(); }

  static std::vector<std::pair<Table, bool>> Shape(const PublishedDelta& delta) {
    std::vector<std::pair<Table, bool>> shape;
    for (const PublishedRecord& record : delta.records) {
      shape.emplace_back(static_cast<Table>(record.table), record.body.has_value());
    }
    return shape;
  }

  PublishedDelta Since(EntityId rack, const RackStatus& status) {
    const auto delta = publisher_.DeltaSince(rack.value, status.generation, status.hash);
    EXPECT_TRUE(delta);
    return delta.value_or(PublishedDelta{});
  }

  Publisher publisher_{1};
  EntityId rack_;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> moved_;
};

TEST_F(PublisherTest, ReservationIsOneSmallDelta) {
  const RackStatus before = Status(rack_);
  const EntityId interface = Make(
      Kind::kInterface, R"({"machine":"node-1","mac":"52:54:00:00:00:01","address":"10.0.0.7"})");
  const PublishedDelta delta = Since(rack_, before);
  EXPECT_EQ(delta.generation.number, store_.revision());
  EXPECT_EQ(delta.base, before.generation);
  // The machine comes into sight with its first interface.
  ASSERT_EQ(Shape(delta), (std::vector<std::pair<Table, bool>>{{Table::kMachine, true},
                                                               {Table::kInterface, true}}));
  const auto record =
      config::DecodeInterface(interface.value, AsBytes(*delta.records[1].body)).value();
  EXPECT_EQ(record.address, *IpAddress::Parse("10.0.0.7"));
  EXPECT_EQ(record.vlan, vlan_.value);
  EXPECT_EQ(
      moved_,
      (std::vector<std::pair<std::uint64_t, std::uint64_t>>{{rack_.value, store_.revision()}}));
}

TEST_F(PublisherTest, WhatARackDoesNotSeeMovesNothing) {
  Make(Kind::kVlan, R"({"name":"far","fabric":"lab","vid":9})");
  Make(Kind::kMachine, R"({"hostname":"alone"})");
  Make(Kind::kInterface, R"({"machine":"alone","mac":"52:54:00:00:00:02","vlan":"far"})");
  ASSERT_TRUE(Patch(Kind::kVlan, vlan_, R"({"description":"racks do not see this"})"));
  EXPECT_TRUE(moved_.empty());
}

TEST_F(PublisherTest, InterfaceWithoutVlanIsSeenByAll) {
  const EntityId other = MakeRack("r2");
  moved_.clear();
  Make(Kind::kInterface, R"({"machine":"node-1","mac":"52:54:00:00:00:02"})");
  EXPECT_EQ(moved_.size(), 2U);
  EXPECT_EQ(Status(other).records, 2U);
}

TEST_F(PublisherTest, BindingAVlanBringsAllOfItAndUnbindingTakesIt) {
  ASSERT_TRUE(Patch(Kind::kVlan, vlan_, R"({"dhcp":"proxy"})"));  // two racks may serve it
  Make(Kind::kInterface, R"({"machine":"node-1","mac":"52:54:00:00:00:01","address":"10.0.0.7"})");
  Make(Kind::kRange, R"({"subnet":"ten","first":"10.0.0.100","last":"10.0.0.150"})");
  const EntityId other = MakeRack("r2");
  const RackStatus before = Status(other);
  EXPECT_EQ(before.records, 0U);
  const EntityId binding =
      Make(Kind::kServedInterface, R"({"rack":"r2","name":"eth7","vlan":"boot"})");
  EXPECT_EQ(Shape(Since(other, before)).size(), 6U);
  // The rack's own binding apart, both racks see the same.
  EXPECT_EQ(Status(other).records, Status(rack_).records);
  const RackStatus bound = Status(other);
  ASSERT_TRUE(Delete(Kind::kServedInterface, binding));
  for (const PublishedRecord& record : Since(other, bound).records) {
    EXPECT_FALSE(record.body);
  }
  EXPECT_EQ(Status(other).hash, before.hash);
  // To and fro in one step: nothing is left to say.
  EXPECT_TRUE(Since(other, before).records.empty());
}

TEST_F(PublisherTest, EqualContentUnderAnotherGenerationIsAnEmptyDelta) {
  const RackStatus now = Status(rack_);
  const auto delta = publisher_.DeltaSince(rack_.value, {.epoch = 9, .number = 3}, now.hash);
  ASSERT_TRUE(delta);
  EXPECT_TRUE(delta->records.empty());
  EXPECT_EQ(delta->generation, now.generation);
}

TEST_F(PublisherTest, UnknownBaseAsksForASnapshot) {
  const RackStatus now = Status(rack_);
  Make(Kind::kImage, R"({"name":"live","kind":"kernel"})");
  EXPECT_EQ(publisher_.DeltaSince(rack_.value, {.epoch = 9, .number = 3}, now.hash).error().code,
            ErrorCode::kExpired);
  config::ContentHash wrong = now.hash;
  wrong.low ^= 1;
  EXPECT_EQ(publisher_.DeltaSince(rack_.value, now.generation, wrong).error().code,
            ErrorCode::kExpired);
  EXPECT_EQ(publisher_.DeltaSince(77, now.generation, now.hash).error().code, ErrorCode::kNotFound);
}

TEST_F(PublisherTest, SnapshotStaysAsItWasWhileTheModelMoves) {
  Make(Kind::kInterface, R"({"machine":"node-1","mac":"52:54:00:00:00:01"})");
  const RackStatus before = Status(rack_);
  auto cursor = *publisher_.StartSnapshot(rack_.value);
  ASSERT_TRUE(Patch(Kind::kMachine, machine_, R"({"kernel_options":"quiet"})"));
  Make(Kind::kImage, R"({"name":"live","kind":"kernel"})");
  ASSERT_NE(Status(rack_).hash, before.hash);
  config::SnapshotBuilder builder{config::SnapshotRef()};
  const auto left = cursor->Next([&](const PublishedRecord& record) {
    EXPECT_TRUE(builder.Put(record.table, record.id, AsBytes(*record.body)));
    return true;
  });
  EXPECT_EQ(left, Result<bool>(false));
  EXPECT_EQ(builder.hash(), before.hash);
  EXPECT_EQ(cursor->hash(), before.hash);
}

TEST_F(PublisherTest, SnapshotOfADeletedRackExpires) {
  const EntityId other = MakeRack("r2");
  auto cursor = *publisher_.StartSnapshot(other.value);
  ASSERT_TRUE(Delete(Kind::kRack, other));
  EXPECT_EQ(cursor->Next([](const PublishedRecord&) { return true; }).error().code,
            ErrorCode::kExpired);
  EXPECT_FALSE(publisher_.StatusOf(other.value));
}

TEST_F(PublisherTest, RestartedRegionAgreesOnTheHash) {
  Make(Kind::kInterface, R"({"machine":"node-1","mac":"52:54:00:00:00:01"})");
  Publisher restarted(1);
  Load(restarted);
  EXPECT_EQ(restarted.StatusOf(rack_.value)->hash, Status(rack_).hash);
}

TEST_F(PublisherTest, RingIsBounded) {
  Publisher small(1, {.ring_deltas_max = 2, .ring_bytes_max = 1 << 20, .delta_records_max = 100});
  Load(small);
  model_.AddObserver(small);
  std::vector<RackStatus> statuses = {*small.StatusOf(rack_.value)};
  for (int i = 0; i < 3; ++i) {
    Make(Kind::kImage, R"({"name":"i)" + std::to_string(i) + "\"}");
    statuses.push_back(*small.StatusOf(rack_.value));
  }
  EXPECT_FALSE(small.DeltaSince(rack_.value, statuses[0].generation, statuses[0].hash));
  EXPECT_TRUE(small.DeltaSince(rack_.value, statuses[1].generation, statuses[1].hash));
}

TEST_F(PublisherTest, AVlanByRelaysIsSeenWithoutAnInterface) {
  Make(Kind::kVlan, R"({"name":"far","fabric":"lab","vid":9})");
  Make(Kind::kSubnet, R"({"vlan":"far","cidr":"10.5.0.0/24"})");
  const RackStatus before = Status(rack_);
  const EntityId binding = Make(Kind::kServedInterface, R"({"rack":"r1","vlan":"far"})");
  EXPECT_EQ(Shape(Since(rack_, before)),
            (std::vector<std::pair<Table, bool>>{{Table::kVlan, true}, {Table::kSubnet, true}}));
  Publisher fresh(1);
  Load(fresh);
  EXPECT_EQ(fresh.StatusOf(rack_.value)->hash, Status(rack_).hash);
  ASSERT_TRUE(Delete(Kind::kServedInterface, binding));
  EXPECT_EQ(Status(rack_).hash, before.hash);
}

// What the rack has of its pair, decoded; nothing: no such record in the delta.
std::optional<config::RackPairRecord> PairIn(const PublishedDelta& delta) {
  for (const PublishedRecord& record : delta.records) {
    if (record.table == static_cast<std::uint8_t>(Table::kRackPair) && record.body) {
      return config::DecodeRackPair(record.id, AsBytes(*record.body)).value();
    }
  }
  return std::nullopt;
}

class PublishedPairTest : public PublisherTest {
 protected:
  PublishedPairTest() {
    other_ = MakeRack("r2");
    before_ = Status(rack_);
    before_other_ = Status(other_);
    pair_ = Make(Kind::kRackPair, R"({"name":"p","rack_a":"r1","rack_b":"r2",
        "address_a":"10.9.0.1","address_b":"[2001:db8::2]:6000","mclt_seconds":600})");
  }

  EntityId other_;
  EntityId pair_;
  RackStatus before_;
  RackStatus before_other_;
};

TEST_F(PublishedPairTest, EachRackSeesThePairFromItsSide) {
  const auto first = PairIn(Since(rack_, before_));
  const auto second = PairIn(Since(other_, before_other_));
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->id, pair_.value);
  EXPECT_EQ(first->side, 0);
  EXPECT_EQ(second->side, 1);
  EXPECT_EQ(first->mclt_seconds, 600U);
  EXPECT_EQ(first->partner, other_.value);
  EXPECT_EQ(first->partner_name, "r2");
  EXPECT_EQ(second->partner_key, std::string(38, 'k') + "r1");
  EXPECT_EQ(first->own_address, *IpAddress::Parse("10.9.0.1"));
  EXPECT_EQ(first->own_port, 5252);
  EXPECT_EQ(first->partner_address, *IpAddress::Parse("2001:db8::2"));
  EXPECT_EQ(first->partner_port, 6000);
  EXPECT_EQ(second->own_address, first->partner_address);
  EXPECT_EQ(first->term, 0U);
  EXPECT_TRUE(first->shared_vlans.empty());
}

TEST_F(PublishedPairTest, WhatThePartnerServesIsToldToBoth) {
  const RackStatus before = Status(rack_);
  const RackStatus before_other = Status(other_);
  const EntityId binding =
      Make(Kind::kServedInterface, R"({"rack":"r2","name":"eth7","vlan":"boot"})");
  for (const auto& pair : {PairIn(Since(rack_, before)), PairIn(Since(other_, before_other))}) {
    ASSERT_TRUE(pair);
    ASSERT_EQ(pair->shared_vlans.size(), 1U);
    EXPECT_EQ(pair->shared_vlans[0].vlan, vlan_.value);
  }
  ASSERT_TRUE(Delete(Kind::kServedInterface, binding));
  EXPECT_EQ(Status(rack_).hash, before.hash);
  EXPECT_EQ(Status(other_).hash, before_other.hash);
}

TEST_F(PublishedPairTest, AnotherNameOfThePartnerIsANewGeneration) {
  const RackStatus before = Status(rack_);
  ASSERT_TRUE(Patch(Kind::kRack, other_, R"({"name":"renamed"})"));
  const auto pair = PairIn(Since(rack_, before));
  ASSERT_TRUE(pair);
  EXPECT_EQ(pair->partner_name, "renamed");
}

TEST_F(PublishedPairTest, TheWordThatARackIsDownReachesBoth) {
  const RackStatus before = Status(other_);
  ASSERT_TRUE(Mutate([&](model::Plan& plan) {
    const model::EntityRef ref{.kind = Kind::kRackPair, .id = pair_};
    auto pair = plan.index().Find(ref.kind, ref.id)->as<model::RackPair>();
    pair.term = 4;
    pair.down = rack_;
    pair.formed = true;
    return plan.Replace(ref, model::Entity(pair));
  }));
  const auto pair = PairIn(Since(other_, before));
  ASSERT_TRUE(pair);
  EXPECT_TRUE(pair->formed);
  EXPECT_EQ(pair->term, 4U);
  EXPECT_EQ(pair->down_side, 0);
}

// Both racks serve the VLAN "boot", at 10.0.0.2 and 10.0.0.3, and 2001:db8::2 and ::3.
class ServingPairTest : public PublishedPairTest {
 protected:
  ServingPairTest() {
    Make(Kind::kSubnet, R"({"name":"six","vlan":"boot","cidr":"2001:db8::/64"})");
    second_ = Make(Kind::kServedInterface, R"({"rack":"r2","name":"eth7","vlan":"boot"})");
    const EntityId first = model_.Read([&](const model::ModelIndex& index) {
      return index.FindByName(Kind::kServedInterface, FormatId(Kind::kRack, rack_) + "/eth0")->id;
    });
    Note(first, {"10.0.0.2", "2001:db8::2", "192.168.1.2"});
    Note(second_, {"192.168.1.3", "10.0.0.3", "2001:db8::3"});
  }

  void Note(EntityId served, const std::vector<const char*>& texts) {
    std::vector<IpAddress> addresses;
    for (const char* text : texts) {
      addresses.push_back(*IpAddress::Parse(text));
    }
    ASSERT_TRUE(
        Mutate([&](model::Plan& plan) { return model::NoteAddresses(plan, served, addresses); }));
  }

  // The servers of a subnet as the rack has them.
  std::vector<std::string> ServersOf(EntityId rack, EntityId subnet) {
    std::vector<std::string> servers;
    const auto cursor = publisher_.StartSnapshot(rack.value).value();
    EXPECT_TRUE(cursor->Next([&](const PublishedRecord& record) {
      if (record.table == static_cast<std::uint8_t>(Table::kSubnet) && record.id == subnet.value) {
        const auto decoded = config::DecodeSubnet(record.id, AsBytes(*record.body)).value();
        for (const IpAddress& server : decoded.dns_servers) {
          servers.emplace_back(ToText(server).view());
        }
      }
      return true;
    }));
    return servers;
  }

  EntityId second_;
};

TEST_F(ServingPairTest, BehindTheServerThatIsOneRackStandsTheOther) {
  ASSERT_TRUE(
      Patch(Kind::kSubnet, subnet_, R"({"dns_servers":["10.0.0.3","9.9.9.9","2001:db8::2"]})"));
  const std::vector<std::string> both = {"10.0.0.3", "10.0.0.2", "9.9.9.9", "2001:db8::2",
                                         "2001:db8::3"};
  EXPECT_EQ(ServersOf(rack_, subnet_), both);
  EXPECT_EQ(ServersOf(other_, subnet_), both);
  ASSERT_TRUE(Patch(Kind::kSubnet, subnet_, R"({"dns_servers":["10.0.0.2","10.0.0.3"]})"));
  EXPECT_EQ(ServersOf(rack_, subnet_), (std::vector<std::string>{"10.0.0.2", "10.0.0.3"}));
}

TEST_F(ServingPairTest, WhenTheSecondRackGoesSoDoesItsAddress) {
  ASSERT_TRUE(Patch(Kind::kSubnet, subnet_, R"({"dns_servers":["10.0.0.2"]})"));
  const RackStatus before = Status(rack_);
  ASSERT_TRUE(Delete(Kind::kServedInterface, second_));
  EXPECT_EQ(ServersOf(rack_, subnet_), std::vector<std::string>{"10.0.0.2"});
  EXPECT_EQ(Shape(Since(rack_, before)), (std::vector<std::pair<Table, bool>>{
                                             {Table::kSubnet, true}, {Table::kRackPair, true}}));
}

TEST_F(ServingPairTest, AnotherAddressReachesBothRacks) {
  ASSERT_TRUE(Patch(Kind::kSubnet, subnet_, R"({"dns_servers":["10.0.0.2"]})"));
  Note(second_, {"10.0.0.30"});
  EXPECT_EQ(ServersOf(other_, subnet_), (std::vector<std::string>{"10.0.0.2", "10.0.0.30"}));
  Publisher fresh(1);
  Load(fresh);
  EXPECT_EQ(fresh.StatusOf(rack_.value)->hash, Status(rack_).hash);
}

TEST_F(ServingPairTest, EachRackKnowsWhereItsPartnerIsReached) {
  const auto pair = PairIn(Since(rack_, before_));
  ASSERT_TRUE(pair);
  ASSERT_EQ(pair->shared_vlans.size(), 1U);
  EXPECT_EQ(pair->shared_vlans[0].address, *IpAddress::Parse("10.0.0.3"));
  EXPECT_EQ(pair->shared_vlans[0].address6, *IpAddress::Parse("2001:db8::3"));
  const auto other = PairIn(Since(other_, before_other_));
  EXPECT_EQ(other->shared_vlans[0].address, *IpAddress::Parse("10.0.0.2"));
}

TEST_F(PublishedPairTest, DeletedPairAndItsSuccessorAreOneDelta) {
  const RackStatus before = Status(rack_);
  EntityId next;
  ASSERT_TRUE(Mutate([&](model::Plan& plan) -> model::Outcome {
    model::RackPair pair = plan.index().Find(Kind::kRackPair, pair_)->as<model::RackPair>();
    if (auto gone = plan.Delete({.kind = Kind::kRackPair, .id = pair_}); !gone) {
      return gone;
    }
    pair.name = "next";
    next = *plan.Create(model::Entity(pair));
    return {};
  }));
  const PublishedDelta delta = Since(rack_, before);
  ASSERT_EQ(delta.records.size(), 2U);
  EXPECT_EQ(PairIn(delta)->id, next.value);
  ASSERT_TRUE(Delete(Kind::kRackPair, next));
  EXPECT_EQ(Status(rack_).hash, before_.hash);
  EXPECT_EQ(Status(other_).hash, before_other_.hash);
}

}  // namespace
}  // namespace slipway::publish
