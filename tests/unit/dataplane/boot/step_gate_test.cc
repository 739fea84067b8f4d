#include "dataplane/boot/step_gate.h"

#include <gtest/gtest.h>

#include <string>
#include <tuple>
#include <vector>

namespace slipway::boot {
namespace {

constexpr MacAddress kMac{{0x52, 0x54, 0, 0, 0, 1}};

Instant At(std::int64_t seconds) { return {Duration::Seconds(seconds).ns}; }

BootStep Step(std::string_view name, StepKind kind = StepKind::kDhcpDiscover, bool ok = true) {
  return {.mac = kMac, .kind = kind, .name = name, .ok = ok};
}

TEST(StepGateTest, RepeatsAreToldEverMoreSeldomWithTheirNumber) {
  StepGate gate({});
  std::vector<std::string> told;
  for (std::int64_t second = 0; second < 200; ++second) {
    BootStep step = Step("x");
    if (gate.Admit(step, At(second))) {
      told.push_back(std::to_string(second) + " " + std::string(step.name.view()));
    }
  }
  EXPECT_EQ(told,
            (std::vector<std::string>{"0 x", "1 x", "3 x (+1)", "7 x (+3)", "15 x (+7)",
                                      "31 x (+15)", "63 x (+31)", "123 x (+59)", "183 x (+59)"}));
}

TEST(StepGateTest, FirmwareThatAsksSlowlyIsToldEachTime) {
  StepGate gate({});
  for (const std::int64_t second : {0, 4, 12, 28, 60}) {
    BootStep step = Step("PXE x64 UEFI");
    EXPECT_TRUE(gate.Admit(step, At(second))) << second;
    EXPECT_EQ(step.name.view(), "PXE x64 UEFI");
  }
}

TEST(StepGateTest, KindNameAndOutcomeTellStepsApart) {
  StepGate gate({});
  for (const auto& [name, kind, ok] :
       {std::tuple{"a", StepKind::kHttpEnd, true}, std::tuple{"b", StepKind::kHttpEnd, true},
        std::tuple{"a", StepKind::kHttpEnd, false}, std::tuple{"a", StepKind::kHttpStart, true}}) {
    BootStep step = Step(name, kind, ok);
    EXPECT_TRUE(gate.Admit(step, At(1)));
    EXPECT_FALSE(gate.Admit(step, At(1)));
  }
}

TEST(StepGateTest, AfterAPauseAStepIsNewAgain) {
  StepGate gate({});
  for (std::int64_t i = 0; i < 50; ++i) {
    BootStep step = Step("x");
    (void)gate.Admit(step, At(i));
  }
  BootStep step = Step("x");
  EXPECT_TRUE(gate.Admit(step, At(200)));
  EXPECT_TRUE(gate.Admit(step, At(201)));
}

TEST(StepGateTest, AllStepsOfAClientHaveABound) {
  StepGate gate({});
  int told = 0;
  for (int i = 0; i < 100'000; ++i) {
    BootStep step = Step(std::to_string(i), StepKind::kTftpEnd);
    told += gate.Admit(step, At(i / 1000)) ? 1 : 0;
  }
  EXPECT_LE(told, 64 + 50);
  // Another client is not concerned.
  BootStep other = Step("x");
  other.mac = MacAddress::FromU64(2);
  EXPECT_TRUE(gate.Admit(other, At(99)));
}

TEST(StepGateTest, TransactionIsTimedFromItsFirstMessage) {
  StepGate gate({});
  EXPECT_EQ(gate.SinceFirst(kMac, 7, At(10)), Duration{});
  EXPECT_EQ(gate.SinceFirst(kMac, 7, At(14)), Duration::Seconds(4));
  EXPECT_EQ(gate.SinceFirst(kMac, 8, At(15)), Duration{});
  EXPECT_EQ(gate.SinceFirst(kMac, 8, At(500)), Duration{});  // chance, not the same
}

}  // namespace
}  // namespace slipway::boot
