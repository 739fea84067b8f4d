#include "controlplane/main/pair_keeper.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "tests/support/api_lab.h"

namespace slipway::region {
namespace {

using api::RackAnswer;
using model::EntityId;
using model::Kind;
using model::RackPair;

// Racks whose state the test sets.
class PairedRacks final : public api::RackControl {
 public:
  [[nodiscard]] api::RackLinkStatus StatusOf(std::uint64_t rack) override {
    api::RackLinkStatus status;
    status.connected = says.contains(rack);
    status.is_current = true;
    status.interfaces = interfaces;
    return status;
  }

  void MintToken(Duration /*life*/, TokenDone /*done*/) override {}

  void Ask(std::uint64_t rack, std::string topic, std::string /*argument*/, AskDone done) override {
    EXPECT_EQ(topic, "pair.show");
    ++asked;
    const auto found = says.find(rack);
    done(found == says.end() ? Result<RackAnswer>(Fail(ErrorCode::kUnavailable))
                             : Result<RackAnswer>(RackAnswer{.ok = true, .json = found->second}));
  }

  std::map<std::uint64_t, std::string> says;  // absent: not connected
  std::vector<api::RackLinkStatus::Interface> interfaces;
  int asked = 0;
};

class PairKeeperTest : public testing::Test {
 protected:
  PairKeeperTest() {
    Mutate([this](model::Plan& plan) -> model::Outcome {
      RackPair pair;
      pair.name = "p";
      for (EntityId* rack : {&pair.rack_a, &pair.rack_b}) {
        model::Rack made;
        made.name = rack == &pair.rack_a ? "r1" : "r2";
        made.public_key = std::string(38, 'k') + made.name;
        *rack = *plan.Create(model::Entity(made));
      }
      pair.address_a = "10.9.0.1";
      pair.address_b = "10.9.0.2";
      pair.auto_partner_down_seconds = 60;
      a_ = pair.rack_a;
      b_ = pair.rack_b;
      pair_ = *plan.Create(model::Entity(pair));
      return {};
    });
    keeper_ = std::make_unique<PairKeeper>(PairKeeper::Parts{.model = &lab_.model,
                                                             .facts = lab_.facts.get(),
                                                             .racks = &racks_,
                                                             .executor = &lab_.executor,
                                                             .clock = &lab_.clock,
                                                             .log = &lab_.log});
    keeper_->Start();
  }

  void Mutate(model::LiveModel::Planner planner) {
    lab_.model.Mutate(std::move(planner),
                      [](const auto& result) { ASSERT_TRUE(result.has_value()); });
  }

  void Say(EntityId rack, const std::string& state, std::uint64_t term = 0) {
    racks_.says[rack.value] = R"({"pair":)" + std::to_string(pair_.value) + R"(,"state":")" +
                              state + R"(","term":)" + std::to_string(term) +
                              R"(,"leases_untold":3})";
  }

  void Seconds(int count) {
    for (int i = 0; i < count; ++i) {
      lab_.clock.now = lab_.clock.now + Duration::Seconds(1);
      lab_.executor.RunTimers();
    }
  }

  RackPair Pair() {
    return lab_.model.Read([&](const model::ModelIndex& index) {
      return *index.Get<RackPair>(Kind::kRackPair, pair_);
    });
  }

  std::vector<std::string> Events() {
    std::vector<std::string> codes;
    const auto page = lab_.facts->Events(0, 100);
    EXPECT_TRUE(page.has_value());
    for (const store::EventRow& row : page->rows) {
      codes.push_back(row.code);
    }
    return codes;
  }

  api::ApiLab lab_;
  PairedRacks racks_;
  EntityId a_;
  EntityId b_;
  EntityId pair_;
  std::unique_ptr<PairKeeper> keeper_;
};

TEST_F(PairKeeperTest, AMeetingIsRecordedAndToldOnce) {
  Say(a_, "normal");
  Say(b_, "normal");
  Seconds(10);
  EXPECT_TRUE(Pair().formed);
  EXPECT_EQ(Events(), std::vector<std::string>{"pair-formed"});
  EXPECT_TRUE(keeper_->StatusOf(pair_.value).normal);
}

TEST_F(PairKeeperTest, RacksAreAskedSeldomWhenNothingIsToBeDecided) {
  Say(a_, "normal");
  Say(b_, "normal");
  Seconds(5);
  racks_.asked = 0;
  Seconds(50);
  EXPECT_LE(racks_.asked, 2 * 11);
  EXPECT_GE(racks_.asked, 2 * 9);
}

TEST_F(PairKeeperTest, TheTimerDeclaresARackDownAndAMeetingTakesItBack) {
  Say(a_, "normal");
  Say(b_, "normal");
  Seconds(5);
  racks_.says.erase(a_.value);
  Say(b_, "communications-interrupted");
  Seconds(58);
  EXPECT_FALSE(Pair().down.is_set());
  Seconds(15);
  ASSERT_EQ(Pair().down, a_);
  const std::uint64_t term = Pair().term;
  // It comes back, and the two meet.
  Say(a_, "normal", term);
  Say(b_, "partner-down", term);
  Seconds(10);
  EXPECT_EQ(Pair().down, a_);
  Say(b_, "normal", term);
  Seconds(10);
  EXPECT_FALSE(Pair().down.is_set());
  EXPECT_EQ(Pair().term, term);
  EXPECT_EQ(Events(),
            (std::vector<std::string>{"pair-formed", "pair-partner-down", "pair-rejoined"}));
}

TEST_F(PairKeeperTest, TellsWhatEachRackSaidAndHowLongAgo) {
  Say(a_, "normal");
  Seconds(3);
  racks_.says.erase(a_.value);
  Seconds(20);
  const api::PairStatus status = keeper_->StatusOf(pair_.value);
  EXPECT_FALSE(status.sides[0].connected);
  ASSERT_TRUE(status.sides[0].heard);
  EXPECT_EQ(status.sides[0].said.at("state").as_string(), "normal");
  EXPECT_GE(status.sides[0].heard_before.seconds(), 20);
  EXPECT_FALSE(status.sides[1].heard);
  EXPECT_FALSE(status.normal);
  EXPECT_FALSE(keeper_->StatusOf(12345).sides[0].heard);
}

TEST_F(PairKeeperTest, AnswersThatAreNoReportChangeNothing) {
  racks_.says[a_.value] = "no JSON";
  racks_.says[b_.value] = "[]";
  Seconds(10);
  EXPECT_FALSE(Pair().formed);
  EXPECT_FALSE(keeper_->StatusOf(pair_.value).sides[0].heard);
}

TEST_F(PairKeeperTest, AddressesOfServedInterfacesAreKept) {
  EntityId served;
  Mutate([&](model::Plan& plan) -> model::Outcome {
    const EntityId fabric = *plan.Create(model::Entity(model::Fabric{.name = "lab"}));
    model::Vlan vlan;
    vlan.name = "boot";
    vlan.fabric = fabric;
    model::ServedInterface binding;
    binding.rack = a_;
    binding.name = "eth1";
    binding.vlan = *plan.Create(model::Entity(vlan));
    served = *plan.Create(model::Entity(binding));
    return {};
  });
  const auto addresses = [&] {
    return lab_.model.Read([&](const model::ModelIndex& index) {
      return index.Get<model::ServedInterface>(Kind::kServedInterface, served)->addresses;
    });
  };
  racks_.interfaces = {{.name = "eth0", .mac = "", .up = true, .addresses = {"10.1.0.1/24"}},
                       {.name = "eth1",
                        .mac = "",
                        .up = true,
                        .addresses = {"fe80::1/64", "10.0.0.2/24", "2001:db8::2/64"}}};
  Say(a_, "normal");
  Seconds(10);
  ASSERT_EQ(addresses().size(), 2U);
  const std::uint64_t revision = lab_.store.revision();
  // A link that is down for a while has none, and keeps those it had.
  racks_.interfaces.clear();
  Seconds(10);
  EXPECT_EQ(addresses().size(), 2U);
  EXPECT_EQ(lab_.store.revision(), revision);
}

TEST_F(PairKeeperTest, ADeletedPairIsForgotten) {
  Say(a_, "normal");
  Say(b_, "normal");
  Seconds(5);
  Mutate([&](model::Plan& plan) { return plan.Delete({.kind = Kind::kRackPair, .id = pair_}); });
  Seconds(2);
  EXPECT_FALSE(keeper_->StatusOf(pair_.value).sides[0].heard);
}

}  // namespace
}  // namespace slipway::region
