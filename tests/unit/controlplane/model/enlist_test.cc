#include "controlplane/model/enlist.h"

#include <gtest/gtest.h>

#include "tests/unit/controlplane/model/model_test.h"

namespace slipway::model {
namespace {

constexpr std::string_view kUuidA = "11223344-5566-7788-99aa-bbccddeeff01";
constexpr std::string_view kUuidB = "11223344-5566-7788-99aa-bbccddeeff02";
constexpr std::string_view kMacA = "52:54:00:00:00:01";
constexpr std::string_view kMacB = "52:54:00:00:00:02";
constexpr std::string_view kMacC = "52:54:00:00:00:03";

std::string Document(std::string_view uuid, std::initializer_list<std::string_view> macs) {
  std::string text = R"({"format":1,"uuid":")" + std::string(uuid) +
                     R"(","cpu":{"threads":4,"model":"QEMU \u0007CPU"},"memory_mib":2048,
      "architecture":"x86_64","firmware":"bios","system":{"vendor":"QEMU","serial":"s1"},
      "pci":[{"slot":"0000:00:02.0","vendor":"8086","device":"100e"}],
      "disks":[{"name":"sda","bytes":1000,"serial":"d1","rotational":true},7],"interfaces":[)";
  for (const std::string_view mac : macs) {
    text += R"({"name":"eth0","driver":"e1000","pci":"0000:00:02.0","link":true,"mac":")" +
            std::string(mac) + "\"},";
  }
  if (text.back() == ',') {
    text.pop_back();
  }
  return text + "]}";
}

class EnlistTest : public ModelFixture {
 protected:
  EnlistTest() { MakeLab(); }

  std::expected<EnlistResult, Refusal> Report(std::string_view mac, std::string_view document,
                                              EntityId vlan = {}) {
    std::expected<EnlistResult, Refusal> out;
    const auto result = Mutate([&](Plan& plan) -> Outcome {
      out = ApplyInventory(plan, {.rack = EntityId{1},
                                  .mac = *MacAddress::Parse(mac),
                                  .vlan = vlan.is_set() ? vlan : vlan_,
                                  .document = document,
                                  .time = WallTime{1'700'000'000'000'000'000}});
      return out ? Outcome() : std::unexpected(out.error());
    });
    if (!result) {
      return std::unexpected(result.error());
    }
    return out;
  }

  bool HasEvent(const EnlistResult& result, std::string_view code) {
    return std::ranges::any_of(result.events,
                               [&](const EnlistEvent& event) { return event.code == code; });
  }
};

TEST_F(EnlistTest, UnknownMachineIsEnlisted) {
  const auto result = Report(kMacA, Document(kUuidA, {kMacA, kMacB}));
  ASSERT_TRUE(result);
  EXPECT_TRUE(result->created);
  EXPECT_TRUE(HasEvent(*result, "machine-enlisted"));
  const auto machine = Get<Machine>(Kind::kMachine, result->machine);
  EXPECT_EQ(machine.origin, MachineOrigin::kEnlisted);
  EXPECT_EQ(machine.inventory_time, "2023-11-14T22:13:20Z");
  ASSERT_TRUE(machine.inventory);
  EXPECT_EQ(machine.inventory->cpu_count, 4U);
  EXPECT_EQ(machine.inventory->cpu_model, "QEMU CPU");  // control characters are gone
  EXPECT_EQ(machine.inventory->disks.size(), 1U);
  EXPECT_EQ(machine.inventory->nics[0].pci_id, "8086:100e");
  model_.Read([&](const ModelIndex& index) {
    const Row* row = index.InterfaceByMac(*MacAddress::Parse(kMacA));
    EXPECT_EQ(row->as<Interface>().vlan, vlan_);
    EXPECT_EQ(index.ChildrenOf({Kind::kMachine, result->machine}, Kind::kInterface).size(), 2U);
    return 0;
  });
}

TEST_F(EnlistTest, SameMachineIsRecognisedAgain) {
  const auto first = Report(kMacA, Document(kUuidA, {kMacA}));
  const auto again = Report(kMacB, Document(kUuidA, {kMacA, kMacB}));
  ASSERT_TRUE(first && again);
  EXPECT_EQ(again->machine, first->machine);
  EXPECT_FALSE(again->created);
  EXPECT_TRUE(again->events.empty());
}

TEST_F(EnlistTest, UserMadeMachineGetsItsInventory) {
  Make(Kind::kInterface, R"({"machine":"node-1","mac":"52:54:00:00:00:01","address":"10.0.0.7"})");
  const auto result = Report(kMacA, Document(kUuidA, {kMacA}));
  ASSERT_TRUE(result);
  EXPECT_EQ(result->machine, machine_);
  EXPECT_EQ(Get<Machine>(Kind::kMachine, machine_).origin, MachineOrigin::kUser);
}

TEST_F(EnlistTest, JunkUuidNeverJoinsTwoMachines) {
  constexpr std::string_view kJunk = "ffffffff-ffff-ffff-ffff-ffffffffffff";
  const auto first = Report(kMacA, Document(kJunk, {kMacA}));
  const auto second = Report(kMacB, Document(kJunk, {kMacB}));
  ASSERT_TRUE(first && second);
  EXPECT_NE(first->machine, second->machine);
  EXPECT_EQ(Get<Machine>(Kind::kMachine, first->machine).uuid, Uuid{});
}

TEST_F(EnlistTest, UuidWithOtherMacsIsAConflictAndASeparateMachine) {
  const auto first = Report(kMacA, Document(kUuidA, {kMacA}));
  const auto second = Report(kMacB, Document(kUuidA, {kMacB}));
  ASSERT_TRUE(first && second);
  EXPECT_NE(first->machine, second->machine);
  EXPECT_TRUE(HasEvent(*second, "identity-conflict"));
  // Each is recognised as itself from then on.
  EXPECT_EQ(Report(kMacA, Document(kUuidA, {kMacA}))->machine, first->machine);
  EXPECT_EQ(Report(kMacB, Document(kUuidA, {kMacB}))->machine, second->machine);
}

TEST_F(EnlistTest, MacOfAnotherMachineStaysThere) {
  const auto first = Report(kMacA, Document(kUuidA, {kMacA}));
  const auto second = Report(kMacA, Document(kUuidB, {kMacA, kMacC}));
  ASSERT_TRUE(first && second) << second.error().problems[0].problem;
  EXPECT_NE(first->machine, second->machine);
  EXPECT_TRUE(HasEvent(*second, "identity-conflict"));
  model_.Read([&](const ModelIndex& index) {
    EXPECT_EQ(index.InterfaceByMac(*MacAddress::Parse(kMacA))->as<Interface>().machine,
              first->machine);
    EXPECT_EQ(index.InterfaceByMac(*MacAddress::Parse(kMacC))->as<Interface>().machine,
              second->machine);
    return 0;
  });
  EXPECT_EQ(Report(kMacC, Document(kUuidB, {kMacA, kMacC}))->machine, second->machine);
}

TEST_F(EnlistTest, MovedMachineFollowsItsVlan) {
  const EntityId other = Make(Kind::kVlan, R"({"name":"other","fabric":"lab","vid":9})");
  ASSERT_TRUE(Report(kMacA, Document(kUuidA, {kMacA})));
  ASSERT_TRUE(Report(kMacA, Document(kUuidA, {kMacA}), other));
  EXPECT_EQ(model_.Read([&](const ModelIndex& index) {
    return index.InterfaceByMac(*MacAddress::Parse(kMacA))->as<Interface>().vlan;
  }),
            other);
}

TEST_F(EnlistTest, UselessDocumentsAreRefused) {
  EXPECT_FALSE(Report(kMacA, "[]"));
  EXPECT_FALSE(Report(kMacA, "{"));
  EXPECT_FALSE(Report("00:00:00:00:00:00", R"({"interfaces":[]})"));
  // Odd values are left out, not fatal.
  EXPECT_TRUE(Report(kMacA, R"({"cpu":[],"disks":{},"interfaces":[{"mac":7}],"uuid":5})"));
}

}  // namespace
}  // namespace slipway::model
