#include "controlplane/model/pair.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/controlplane/model/model_test.h"

namespace slipway::model {
namespace {

constexpr std::string_view kPair =
    R"({"name":"p","rack_a":"r1","rack_b":"r2","address_a":"10.9.0.1","address_b":"10.9.0.2"})";

class PairTest : public ModelFixture {
 protected:
  PairTest() {
    MakeLab();
    for (const char* name : {"r1", "r2", "r3"}) {
      racks_.push_back(MakeRack(name));
    }
  }

  EntityId MakeRack(const std::string& name) {
    EntityId id;
    EXPECT_TRUE(Mutate([&](Plan& plan) -> Outcome {
      Rack rack;
      rack.name = name;
      rack.public_key = std::string(38, 'k') + name;
      id = *plan.Create(Entity(rack));
      return {};
    }));
    return id;
  }

  EntityId Bind(const std::string& rack, const std::string& name = "eth0") {
    return Make(Kind::kServedInterface,
                R"({"rack":")" + rack + R"(","name":")" + name + R"(","vlan":"boot"})");
  }

  std::vector<EntityId> racks_;
};

TEST(PairEndpointTest, AddressesWithAndWithoutAPort) {
  for (const auto& [text, normal] :
       {std::pair("10.0.0.2", "10.0.0.2:5252"), std::pair("10.0.0.2:6000", "10.0.0.2:6000"),
        std::pair("2001:db8::2", "[2001:db8::2]:5252"),
        std::pair("[2001:db8::2]", "[2001:db8::2]:5252"),
        std::pair("[2001:db8::2]:1", "[2001:db8::2]:1")}) {
    const auto endpoint = ParsePairEndpoint(text);
    ASSERT_TRUE(endpoint) << text;
    EXPECT_EQ(FormatPairEndpoint(*endpoint), normal);
  }
  for (const char* text :
       {"", "rack1", "rack1:5252", "10.0.0.2:", "10.0.0.2:0", "10.0.0.2:65536", "10.0.0.2:5252x",
        "[2001:db8::2", "[2001:db8::2]5252", "0.0.0.0", "224.0.0.1", "255.255.255.255",
        "::", "ff02::1", "fe80::1", "[10.0.0.2"}) {
    EXPECT_FALSE(ParsePairEndpoint(text)) << text;
  }
}

TEST_F(PairTest, AddressesAreKeptWithTheirPort) {
  const auto pair = Get<RackPair>(Kind::kRackPair, Make(Kind::kRackPair, kPair));
  EXPECT_EQ(pair.address_a, "10.9.0.1:5252");
  EXPECT_EQ(pair.mclt_seconds, 3600U);
  EXPECT_EQ(SideOf(pair, racks_[0]), 0U);
  EXPECT_EQ(PartnerOf(pair, racks_[0]), racks_[1]);
  EXPECT_EQ(PartnerOf(pair, racks_[1]), racks_[0]);
}

TEST_F(PairTest, APairIsTwoRacksThatAreInNoOther) {
  ExpectRefusal(Create(Kind::kRackPair,
                       R"({"rack_a":"r1","rack_b":"r1","address_a":"10.9.0.1",
                           "address_b":"10.9.0.2"})"),
                RefusalKind::kInvalid, "two racks");
  const EntityId pair = Make(Kind::kRackPair, kPair);
  ExpectRefusal(Create(Kind::kRackPair,
                       R"({"rack_a":"r3","rack_b":"r2","address_a":"10.9.0.1",
                           "address_b":"10.9.0.2"})"),
                RefusalKind::kConflict, FormatId(Kind::kRackPair, pair));
  ExpectRefusal(Patch(Kind::kRackPair, pair, R"({"rack_b":"r3"})"), RefusalKind::kInvalid,
                "cannot be changed");
  ExpectRefusal(Patch(Kind::kRackPair, pair, R"({"mclt_seconds":60})"), RefusalKind::kInvalid,
                "cannot be changed");
  ExpectRefusal(Patch(Kind::kRackPair, pair, R"({"term":9})"), RefusalKind::kInvalid, "read-only");
}

TEST_F(PairTest, RevokedRackIsNotPairedAndAPairOutlivesItsRevocation) {
  ASSERT_TRUE(Patch(Kind::kRack, racks_[1], R"({"state":"revoked"})"));
  ExpectRefusal(Create(Kind::kRackPair, kPair), RefusalKind::kInvalid, "revoked");
  ASSERT_TRUE(Patch(Kind::kRack, racks_[1], R"({"state":"enrolled"})"));
  const EntityId pair = Make(Kind::kRackPair, kPair);
  ASSERT_TRUE(Patch(Kind::kRack, racks_[1], R"({"state":"revoked"})"));
  EXPECT_TRUE(Patch(Kind::kRackPair, pair, R"({"description":"still changeable"})"));
}

TEST_F(PairTest, EndpointsAndTimesAreChecked) {
  const EntityId pair = Make(Kind::kRackPair, kPair);
  ExpectRefusal(Patch(Kind::kRackPair, pair, R"({"address_b":"rack2.lab"})"), RefusalKind::kInvalid,
                "address_b");
  ExpectRefusal(Patch(Kind::kRackPair, pair, R"({"address_b":"10.9.0.1:5252"})"),
                RefusalKind::kInvalid, "same as address_a");
  ExpectRefusal(Patch(Kind::kRackPair, pair, R"({"auto_partner_down_seconds":59})"),
                RefusalKind::kInvalid, "at least 60");
  EXPECT_TRUE(Patch(Kind::kRackPair, pair, R"({"auto_partner_down_seconds":60})"));
}

TEST_F(PairTest, OnlyAPairServesAVlanTogether) {
  Bind("r1");
  ExpectRefusal(Create(Kind::kServedInterface, R"({"rack":"r2","name":"eth0","vlan":"boot"})"),
                RefusalKind::kInvalid, "no pair");
  Make(Kind::kRackPair, kPair);
  Bind("r2");
  ExpectRefusal(Create(Kind::kServedInterface, R"({"rack":"r3","name":"eth0","vlan":"boot"})"),
                RefusalKind::kInvalid, "no pair");
}

TEST_F(PairTest, RacksThatGiveNoAddressesNeedNoPair) {
  ASSERT_TRUE(Patch(Kind::kVlan, vlan_, R"({"dhcp":"proxy"})"));
  Bind("r1");
  Bind("r2");
  ExpectRefusal(Patch(Kind::kVlan, vlan_, R"({"dhcp":"on"})"), RefusalKind::kInvalid, "no pair");
  Make(Kind::kRackPair, kPair);
  EXPECT_TRUE(Patch(Kind::kVlan, vlan_, R"({"dhcp":"on"})"));
}

TEST_F(PairTest, DeletedOnlyWhenNoVlanIsServedByBoth) {
  const EntityId pair = Make(Kind::kRackPair, kPair);
  Bind("r1");
  const EntityId binding = Bind("r2");
  ExpectRefusal(Delete(Kind::kRackPair, pair), RefusalKind::kConflict, "which rack goes on");
  ExpectRefusal(Delete(Kind::kRack, racks_[0]), RefusalKind::kConflict, "is referred to");
  ASSERT_TRUE(Delete(Kind::kServedInterface, binding));
  EXPECT_TRUE(Delete(Kind::kRackPair, pair));
}

TEST_F(PairTest, DeletionLosesAgainstABindingThatMakesAVlanCommon) {
  const EntityId pair = Make(Kind::kRackPair, kPair);
  Bind("r1");
  const auto batch = [&](const LiveModel::Planner& planner) {
    ModelIndex index;
    EXPECT_TRUE(index.Load(store_));
    Plan plan(index, random_);
    EXPECT_TRUE(planner(plan));
    return plan.Take();
  };
  store::Batch batches[] = {
      batch(PlanCreate(Kind::kServedInterface,
                       Parse(R"({"rack":"r2","name":"eth0","vlan":"boot"})"))),
      batch(PlanDelete({.kind = Kind::kRackPair, .id = pair}, 0))};
  int winners = 0;
  for (store::Batch& each : batches) {
    store_.Commit(std::move(each), [&](Result<store::CommitResult> result) {
      winners += result && result->committed ? 1 : 0;
    });
  }
  EXPECT_EQ(winners, 1);
}

}  // namespace
}  // namespace slipway::model
