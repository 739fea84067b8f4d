#include "controlplane/model/mutations.h"

#include <gtest/gtest.h>

#include "controlplane/model/enrol.h"
#include "controlplane/model/validate.h"
#include "dataplane/base/check.h"
#include "tests/unit/controlplane/model/model_test.h"

namespace slipway::model {
namespace {

class MutationsTest : public ModelFixture {
 protected:
  MutationsTest() { MakeLab(); }
};

TEST_F(MutationsTest, EmptyNameBecomesTheId) {
  const EntityId id = Make(Kind::kFabric, "{}");
  EXPECT_EQ(Get<Fabric>(Kind::kFabric, id).name, FormatId(Kind::kFabric, id));
}

TEST_F(MutationsTest, NamesAreUniquePerKind) {
  ExpectRefusal(Create(Kind::kFabric, R"({"name":"lab"})"), RefusalKind::kConflict,
                FormatId(Kind::kFabric, fabric_));
  EXPECT_TRUE(Create(Kind::kSubnet, R"({"name":"lab","vlan":"boot","cidr":"10.1.0.0/24"})"));
}

TEST_F(MutationsTest, VidIsUniqueInTheFabric) {
  ExpectRefusal(Create(Kind::kVlan, R"({"fabric":"lab","vid":0})"), RefusalKind::kConflict, "vid");
  EXPECT_TRUE(Create(Kind::kVlan, R"({"fabric":"lab","vid":10})"));
  Make(Kind::kFabric, R"({"name":"other"})");
  EXPECT_TRUE(Create(Kind::kVlan, R"({"fabric":"other","vid":0})"));
}

TEST_F(MutationsTest, SubnetsOfAFabricDoNotOverlap) {
  ExpectRefusal(Create(Kind::kSubnet, R"({"vlan":"boot","cidr":"10.0.0.128/25"})"),
                RefusalKind::kConflict, "overlaps");
  Make(Kind::kFabric, R"({"name":"other"})");
  Make(Kind::kVlan, R"({"name":"other","fabric":"other"})");
  EXPECT_TRUE(Create(Kind::kSubnet, R"({"vlan":"other","cidr":"10.0.0.128/25"})"));
}

TEST_F(MutationsTest, GatewayIsAHostOfTheSubnet) {
  ExpectRefusal(Patch(Kind::kSubnet, subnet_, R"({"gateway":"10.0.1.1"})"), RefusalKind::kInvalid,
                "not inside");
  ExpectRefusal(Patch(Kind::kSubnet, subnet_, R"({"gateway":"10.0.0.255"})"), RefusalKind::kInvalid,
                "broadcast");
  EXPECT_TRUE(Patch(Kind::kSubnet, subnet_, R"({"gateway":null})"));
}

TEST_F(MutationsTest, RangesStayInsideAndApart) {
  Make(Kind::kRange, R"({"subnet":"ten","first":"10.0.0.100","last":"10.0.0.150"})");
  ExpectRefusal(
      Create(Kind::kRange, R"({"subnet":"ten","first":"10.0.0.150","last":"10.0.0.160"})"),
      RefusalKind::kConflict, "10.0.0.100");
  ExpectRefusal(Create(Kind::kRange, R"({"subnet":"ten","first":"10.0.0.60","last":"10.0.0.50"})"),
                RefusalKind::kInvalid, "before first");
  ExpectRefusal(Create(Kind::kRange, R"({"subnet":"ten","first":"10.0.0.200","last":"10.0.1.9"})"),
                RefusalKind::kInvalid, "not inside");
  ExpectRefusal(Create(Kind::kRange, R"({"subnet":"ten","first":"10.0.0.1","last":"10.0.0.9"})"),
                RefusalKind::kInvalid, "gateway");
  EXPECT_TRUE(Create(Kind::kRange,
                     R"({"subnet":"ten","kind":"reserved","first":"10.0.0.1","last":"10.0.0.9"})"));
  ExpectRefusal(Patch(Kind::kSubnet, subnet_, R"({"gateway":"10.0.0.120"})"),
                RefusalKind::kConflict, "rng-");
}

TEST_F(MutationsTest, ReservationFindsItsSubnetAndVlan) {
  const EntityId id = Make(
      Kind::kInterface, R"({"machine":"node-1","mac":"52:54:00:00:00:01","address":"10.0.0.7"})");
  const auto interface = Get<Interface>(Kind::kInterface, id);
  EXPECT_EQ(interface.subnet, subnet_);
  EXPECT_EQ(interface.vlan, vlan_);
  EXPECT_TRUE(Patch(Kind::kInterface, id, R"({"address":null})"));
  EXPECT_FALSE(Get<Interface>(Kind::kInterface, id).subnet.is_set());
}

TEST_F(MutationsTest, ReservationsAreCheckedAgainstTheSubnet) {
  const auto create = [&](std::string_view address) {
    return Create(Kind::kInterface,
                  R"({"machine":"node-1","subnet":"ten","mac":"52:54:00:00:00:09","address":")" +
                      std::string(address) + "\"}");
  };
  Make(Kind::kInterface, R"({"machine":"node-1","mac":"52:54:00:00:00:01","address":"10.0.0.7"})");
  ExpectRefusal(create("10.0.1.7"), RefusalKind::kInvalid, "not inside");
  ExpectRefusal(create("10.0.0.0"), RefusalKind::kInvalid, "broadcast");
  ExpectRefusal(create("10.0.0.1"), RefusalKind::kInvalid, "gateway");
  ExpectRefusal(create("10.0.0.7"), RefusalKind::kConflict, "ifc-");
  EXPECT_TRUE(create("10.0.0.8"));
}

TEST_F(MutationsTest, AnInterfaceMayReserveOneAddressOfEachFamily) {
  const EntityId six =
      Make(Kind::kSubnet, R"({"name":"six","vlan":"boot","cidr":"2001:db8::/64"})");
  const EntityId id = Make(Kind::kInterface, R"({"machine":"node-1","mac":"52:54:00:00:00:01",
                              "address":"10.0.0.7","address6":"2001:db8::7"})");
  EXPECT_EQ(Get<Interface>(Kind::kInterface, id).subnet, subnet_);
  EXPECT_EQ(Get<Interface>(Kind::kInterface, id).subnet6, six);
  const auto create = [&](std::string_view fields) {
    return Create(Kind::kInterface,
                  R"({"machine":"node-1","mac":"52:54:00:00:00:02",)" + std::string(fields) + "}");
  };
  ExpectRefusal(create(R"("address6":"2001:db8::7")"), RefusalKind::kConflict, "ifc-");
  ExpectRefusal(create(R"("address":"2001:db8::7")"), RefusalKind::kConflict, "ifc-");
  ExpectRefusal(create(R"("address6":"10.0.0.9")"), RefusalKind::kInvalid, "not an IPv6 address");
  ExpectRefusal(create(R"("address6":"2001:db8:9::7")"), RefusalKind::kInvalid, "no single subnet");
  ExpectRefusal(create(R"("address":"2001:db8::8","address6":"2001:db8::9")"),
                RefusalKind::kInvalid, "so is address6");
  EXPECT_TRUE(create(R"("address6":"2001:db8::8")"));
  // The subnet stays while somebody has an address in it.
  ExpectRefusal(Delete(Kind::kSubnet, six), RefusalKind::kConflict, "ifc-");
  EXPECT_TRUE(Patch(Kind::kInterface, id, R"({"address6":null})"));
  EXPECT_FALSE(Get<Interface>(Kind::kInterface, id).subnet6.is_set());
  EXPECT_EQ(Get<Interface>(Kind::kInterface, id).address, *IpAddress::Parse("10.0.0.7"));
}

TEST_F(MutationsTest, AddressOfNoSubnetIsRefused) {
  ExpectRefusal(Create(Kind::kInterface,
                       R"({"machine":"node-1","mac":"52:54:00:00:00:01","address":"10.9.0.7"})"),
                RefusalKind::kInvalid, "no single subnet");
}

TEST_F(MutationsTest, MacIsUniqueAndOfOneInterface) {
  Make(Kind::kInterface, R"({"machine":"node-1","mac":"52-54-00-00-00-0A"})");
  ExpectRefusal(Create(Kind::kInterface, R"({"machine":"node-1","mac":"52:54:00:00:00:0a"})"),
                RefusalKind::kConflict, "mac");
  ExpectRefusal(Create(Kind::kInterface, R"({"machine":"node-1","mac":"ff:ff:ff:ff:ff:ff"})"),
                RefusalKind::kInvalid, "mac");
}

TEST_F(MutationsTest, MissingReferencesAreRefused) {
  ExpectRefusal(Create(Kind::kVlan, R"({"fabric":"fab-00000009","vid":3})"), RefusalKind::kInvalid,
                "does not exist");
  ExpectRefusal(Create(Kind::kVlan, R"({"fabric":"nowhere","vid":3})"), RefusalKind::kInvalid,
                "there is no fabric");
}

TEST_F(MutationsTest, ReferencedEntityIsNotDeleted) {
  ExpectRefusal(Delete(Kind::kVlan, vlan_), RefusalKind::kConflict,
                FormatId(Kind::kSubnet, subnet_) + " (ten)");
  EXPECT_TRUE(Delete(Kind::kSubnet, subnet_));
  EXPECT_TRUE(Delete(Kind::kVlan, vlan_));
  EXPECT_TRUE(Delete(Kind::kFabric, fabric_));
  EXPECT_EQ(store_.List("g/", "", 10)->entries.size(), 0U);
}

TEST_F(MutationsTest, DeletedNameIsFreeAgain) {
  EXPECT_TRUE(Delete(Kind::kMachine, machine_));
  Make(Kind::kMachine, R"({"hostname":"node-1"})");
}

TEST_F(MutationsTest, StaleEtagIsRefused) {
  ExpectRefusal(Patch(Kind::kMachine, machine_, R"({"hostname":"b"})", 1),
                RefusalKind::kPrecondition, "changed since");
  const auto current = model_.Read(
      [&](const ModelIndex& index) { return index.Find(Kind::kMachine, machine_)->modified; });
  EXPECT_TRUE(Patch(Kind::kMachine, machine_, R"({"hostname":"b"})", current));
}

TEST_F(MutationsTest, NothingChangedMakesNoRevision) {
  const store::Revision before = store_.revision();
  EXPECT_EQ(Patch(Kind::kMachine, machine_, R"({"hostname":"node-1"})")->revision, before);
  EXPECT_EQ(store_.revision(), before);
}

TEST_F(MutationsTest, BootTargetMovesTheStateGeneration) {
  Make(Kind::kImage, R"({"name":"live","kind":"kernel"})");
  ExpectRefusal(Patch(Kind::kMachine, machine_, R"({"boot_target":"image"})"),
                RefusalKind::kInvalid, "image");
  EXPECT_TRUE(Patch(Kind::kMachine, machine_, R"({"boot_target":"image","image":"live"})"));
  EXPECT_EQ(Get<Machine>(Kind::kMachine, machine_).state_generation, 2U);
  EXPECT_TRUE(Patch(Kind::kMachine, machine_, R"({"description":"x"})"));
  EXPECT_EQ(Get<Machine>(Kind::kMachine, machine_).state_generation, 2U);
}

TEST_F(MutationsTest, BulkSeesItsOwnEarlierItems) {
  const auto machine = Parse(R"({"hostname":"bulk-1"})");
  const auto interface =
      Parse(R"({"machine":"bulk-1","mac":"52:54:00:00:01:01","address":"10.0.0.50"})");
  const auto result = Mutate([&](Plan& plan) -> Outcome {
    for (const auto& [kind, body] :
         {std::pair(Kind::kMachine, &machine), std::pair(Kind::kInterface, &interface)}) {
      const auto id =
          plan.Run({.verb = Operation::Verb::kCreate, .kind = kind, .id = {}, .body = body});
      if (!id) {
        return std::unexpected(id.error());
      }
    }
    return {};
  });
  ASSERT_TRUE(result) << Text(result);
  EXPECT_EQ(result->touched.size(), 2U);
  EXPECT_EQ(store_.Changes(result->revision - 1, 1)->back().revision, result->revision);
}

TEST_F(MutationsTest, RefusedBulkLeavesNoTrace) {
  const auto good = Parse(R"({"hostname":"bulk-1"})");
  const auto bad = Parse(R"({"hostname":"bulk-1"})");
  const store::Revision before = store_.revision();
  const auto result = Mutate([&](Plan& plan) -> Outcome {
    for (const auto* body : {&good, &bad}) {
      const auto id = plan.Run(
          {.verb = Operation::Verb::kCreate, .kind = Kind::kMachine, .id = {}, .body = body});
      if (!id) {
        return std::unexpected(id.error());
      }
    }
    return {};
  });
  ExpectRefusal(result, RefusalKind::kConflict, "bulk-1");
  EXPECT_EQ(store_.revision(), before);
  EXPECT_EQ(model_.Read([](const ModelIndex& index) { return index.CountOf(Kind::kMachine); }), 1U);
}

TEST_F(MutationsTest, DryRunChangesNothing) {
  EXPECT_TRUE(model_.DryRun(PlanCreate(Kind::kMachine, Parse(R"({"hostname":"dry"})"))));
  EXPECT_EQ(model_.Read([](const ModelIndex& index) { return index.CountOf(Kind::kMachine); }), 1U);
}

// Two regions plan from the same state: only one of each pair may win.
class RaceTest : public MutationsTest {
 protected:
  store::Batch BatchOf(const LiveModel::Planner& planner) {
    ModelIndex index;
    EXPECT_TRUE(index.Load(store_));
    SeededRandom random(store_.revision() + (++seed_));
    Plan plan(index, random);
    EXPECT_TRUE(planner(plan));
    return plan.Take();
  }

  int Winners(const LiveModel::Planner& first, const LiveModel::Planner& second) {
    store::Batch batches[] = {BatchOf(first), BatchOf(second)};
    int winners = 0;
    for (store::Batch& batch : batches) {
      store_.Commit(std::move(batch), [&](Result<store::CommitResult> result) {
        winners += result && result->committed ? 1 : 0;
      });
    }
    return winners;
  }

  LiveModel::Planner Creates(Kind kind, std::string_view body) {
    return PlanCreate(kind, Parse(body));
  }

  std::uint64_t seed_ = 0;
};

TEST_F(RaceTest, SameMac) {
  EXPECT_EQ(Winners(Creates(Kind::kInterface, R"({"machine":"node-1","mac":"52:54:00:00:00:01"})"),
                    Creates(Kind::kInterface, R"({"machine":"node-1","mac":"52:54:00:00:00:01"})")),
            1);
}

TEST_F(RaceTest, DifferentMacsBothWin) {
  EXPECT_EQ(Winners(Creates(Kind::kInterface, R"({"machine":"node-1","mac":"52:54:00:00:00:01"})"),
                    Creates(Kind::kInterface, R"({"machine":"node-1","mac":"52:54:00:00:00:02"})")),
            2);
}

TEST_F(RaceTest, SameAddress) {
  EXPECT_EQ(
      Winners(Creates(Kind::kInterface,
                      R"({"machine":"node-1","mac":"52:54:00:00:00:01","address":"10.0.0.5"})"),
              Creates(Kind::kInterface,
                      R"({"machine":"node-1","mac":"52:54:00:00:00:02","address":"10.0.0.5"})")),
      1);
}

TEST_F(RaceTest, OverlappingSubnets) {
  EXPECT_EQ(Winners(Creates(Kind::kSubnet, R"({"vlan":"boot","cidr":"10.2.0.0/16"})"),
                    Creates(Kind::kSubnet, R"({"vlan":"boot","cidr":"10.2.3.0/24"})")),
            1);
}

TEST_F(RaceTest, OverlappingRanges) {
  EXPECT_EQ(
      Winners(Creates(Kind::kRange, R"({"subnet":"ten","first":"10.0.0.10","last":"10.0.0.20"})"),
              Creates(Kind::kRange, R"({"subnet":"ten","first":"10.0.0.20","last":"10.0.0.30"})")),
      1);
}

TEST_F(RaceTest, GatewayAndReservation) {
  EXPECT_EQ(
      Winners(
          PlanPatch({.kind = Kind::kSubnet, .id = subnet_}, Parse(R"({"gateway":"10.0.0.9"})"), 0),
          Creates(Kind::kInterface,
                  R"({"machine":"node-1","mac":"52:54:00:00:00:02","address":"10.0.0.9"})")),
      1);
}

TEST_F(RaceTest, DeleteAndNewReference) {
  Make(Kind::kFabric, R"({"name":"empty"})");
  const EntityId empty = model_.Read(
      [](const ModelIndex& index) { return index.FindByName(Kind::kFabric, "empty")->id; });
  EXPECT_EQ(Winners(Creates(Kind::kVlan, R"({"fabric":"empty","vid":9})"),
                    PlanDelete({.kind = Kind::kFabric, .id = empty}, 0)),
            1);
  const EntityId other = Make(Kind::kFabric, R"({"name":"empty-2"})");
  EXPECT_EQ(Winners(PlanDelete({.kind = Kind::kFabric, .id = other}, 0),
                    Creates(Kind::kVlan, R"({"fabric":"empty-2","vid":9})")),
            1);
}

// Another region's batch gets in just before ours.
class InterferingStore final : public store::StateStore {
 public:
  explicit InterferingStore(store::StateStore& store) : store_(store) {}

  void Commit(store::Batch batch, CommitCallback done) override {
    if (interfere) {
      store_.Commit(*std::exchange(interfere, std::nullopt), [](Result<store::CommitResult>) {});
    }
    store_.Commit(std::move(batch), std::move(done));
  }

  Result<std::optional<store::Entry>> Get(std::string_view key) override { return store_.Get(key); }

  Result<store::Page> List(std::string_view prefix, std::string_view after,
                           std::size_t limit) override {
    return store_.List(prefix, after, limit);
  }

  Result<std::vector<store::Change>> Changes(store::Revision after, std::size_t limit) override {
    return store_.Changes(after, limit);
  }

  store::Revision revision() override { return store_.revision(); }

  std::uint64_t epoch() override { return store_.epoch(); }

  Result<void> Watch(WatchCallback callback) override { return store_.Watch(std::move(callback)); }

  std::optional<store::Batch> interfere;

 private:
  store::StateStore& store_;
};

TEST_F(RaceTest, LostRaceIsPlannedAgain) {
  InterferingStore interfering(store_);
  SeededRandom random(99);
  LiveModel model(interfering, random);
  ASSERT_TRUE(model.Start());
  interfering.interfere = BatchOf(Creates(Kind::kMachine, R"({"hostname":"taken"})"));
  std::expected<MutateResult, Refusal> out;
  model.Mutate(Creates(Kind::kMachine, R"({"hostname":"taken"})"),
               [&](std::expected<MutateResult, Refusal> result) { out = std::move(result); });
  ExpectRefusal(out, RefusalKind::kConflict, "taken");
  interfering.interfere = BatchOf(
      PlanPatch({.kind = Kind::kMachine, .id = machine_}, Parse(R"({"description":"theirs"})"), 0));
  model.Mutate(
      PlanPatch({.kind = Kind::kMachine, .id = machine_}, Parse(R"({"kernel_options":"ours"})"), 0),
      [&](std::expected<MutateResult, Refusal> result) { out = std::move(result); });
  ASSERT_TRUE(out);
  const auto machine = Get<Machine>(Kind::kMachine, machine_);
  EXPECT_EQ(machine.description, "theirs");
  EXPECT_EQ(machine.kernel_options, "ours");
}

TEST_F(MutationsTest, IndexReloadsToTheSame) {
  Make(Kind::kInterface, R"({"machine":"node-1","mac":"52:54:00:00:00:01","address":"10.0.0.7"})");
  ModelIndex loaded;
  ASSERT_TRUE(loaded.Load(store_));
  model_.Read([&](const ModelIndex& index) {
    EXPECT_EQ(loaded.revision(), index.revision());
    for (const KindInfo& info : AllKinds()) {
      EXPECT_EQ(loaded.CountOf(info.kind), index.CountOf(info.kind)) << info.name;
      for (const auto& [id, row] : index.All(info.kind)) {
        const Row* other = loaded.Find(info.kind, id);
        SLIP_CHECK(other != nullptr);
        EXPECT_EQ(other->entity, row.entity);
        EXPECT_EQ(other->created, row.created);
        EXPECT_EQ(other->modified, row.modified);
      }
    }
    EXPECT_NE(loaded.InterfaceByMac(*MacAddress::Parse("52:54:00:00:00:01")), nullptr);
    return 0;
  });
}

class EnrolTest : public MutationsTest {
 protected:
  std::expected<EntityId, Refusal> Enrol(std::uint64_t token, std::string_view name,
                                         const std::string& key, std::int64_t now_ns = 50) {
    std::expected<EntityId, Refusal> out;
    const auto result = Mutate([&](Plan& plan) -> Outcome {
      out = EnrolRack(plan, token, name, key, WallTime{now_ns});
      return out ? Outcome() : std::unexpected(out.error());
    });
    if (!result) {
      return std::unexpected(result.error());
    }
    return out;
  }

  void Add(std::uint64_t id, std::int64_t expires_ns = 100) {
    ASSERT_TRUE(Mutate([&](Plan& plan) {
      return AddToken(plan,
                      {.id = id,
                       .public_key = std::string(39, 't') + std::to_string(id),
                       .expires_ns = expires_ns,
                       .rack = {},
                       .modified = 0},
                      WallTime{1});
    }));
  }

  const std::string key_a_ = std::string(40, 'a');
  const std::string key_b_ = std::string(40, 'b');
};

TEST_F(EnrolTest, TokenMakesOneRack) {
  Add(1);
  const auto rack = Enrol(1, "rack-1", key_a_);
  ASSERT_TRUE(rack);
  EXPECT_EQ(Get<Rack>(Kind::kRack, *rack).public_key, key_a_);
  EXPECT_EQ(Enrol(1, "rack-1", key_a_).value(), *rack);  // the answer was lost
  EXPECT_EQ(Enrol(1, "rack-2", key_b_).error().error.code, ErrorCode::kConflict);
}

TEST_F(EnrolTest, UnknownExpiredAndTakenAreRefused) {
  Add(1);
  Add(2);
  Add(3, 20);
  ASSERT_TRUE(Enrol(1, "rack-1", key_a_));
  EXPECT_EQ(Enrol(9, "rack-2", key_b_).error().error.code, ErrorCode::kNotFound);
  EXPECT_EQ(Enrol(3, "rack-2", key_b_).error().error.code, ErrorCode::kExpired);
  EXPECT_EQ(Enrol(2, "rack-1", key_b_).error().error.code, ErrorCode::kExists);
  EXPECT_EQ(Enrol(2, "rack-2", key_a_).error().error.code, ErrorCode::kExists);
  EXPECT_TRUE(Enrol(2, "rack-2", key_b_));
}

TEST_F(EnrolTest, RacksCannotBeMadeByRequest) {
  ExpectRefusal(Create(Kind::kRack, R"({"name":"r"})"), RefusalKind::kInvalid, "token");
}

}  // namespace
}  // namespace slipway::model
