#include "dataplane/boot/decide.h"

#include <gtest/gtest.h>

#include "dataplane/boot/paths.h"
#include "tests/support/boot_lab.h"

namespace slipway::boot {
namespace {

using config::BootTarget;
using config::UnknownPolicy;
using test::BootLab;

constexpr std::string_view kMacText = "52:54:00:00:00:01";

class DecideTest : public testing::Test {
 protected:
  DecideTest() { Use(BootLab::Standard()); }

  void Use(config::SnapshotRef next) {
    snapshot_ = std::move(next);
    request_.mac = test::Mac(kMacText);
    request_.vlan = snapshot_->VlanById(test::kVlan);
    request_.server = test::kRack;
    FindMachine(*snapshot_, request_);
  }

  void UseMachine(BootTarget target, std::string_view options = "", config::RecordId image = 0) {
    BootLab lab;
    lab.AddNetwork().AddImages().AddMachine(5, kMacText, target);
    config::MachineRecord machine;
    machine.id = 5;
    machine.hostname = config::HostName(std::string_view("node"));
    machine.boot_target = target;
    machine.image = image;
    machine.kernel_options = FixedString<255>(options);
    Use(lab.Put(machine).Finish());
  }

  void UsePolicy(UnknownPolicy policy) {
    BootLab lab;
    lab.vlan.unknown_policy = policy;
    Use(lab.AddNetwork().AddImages().Finish());
  }

  BootPlan Firmware(std::uint16_t architecture, ClientClass client_class = ClientClass::kPxe) {
    request_.firmware = {};
    request_.firmware.client_class = client_class;
    request_.firmware.has_architecture = true;
    request_.firmware.architecture = architecture;
    request_.stage = Stage::kFirmware;
    request_.transport = Transport::kDhcp;
    return Decide(request_, *snapshot_);
  }

  BootPlan Script() {
    request_.firmware = {};
    request_.firmware.ipxe = true;
    request_.stage = Stage::kIpxe;
    request_.transport = Transport::kHttp;
    return Decide(request_, *snapshot_);
  }

  static bool Matched(const BootPlan& plan, std::string_view rule) {
    for (const RuleTried& tried : plan.rules) {
      if (tried.rule == rule) {
        return tried.matched;
      }
    }
    ADD_FAILURE() << rule << " was not tried";
    return false;
  }

  config::SnapshotRef snapshot_;
  BootRequest request_;
};

TEST_F(DecideTest, GivesEachFirmwareItsLoader) {
  EXPECT_EQ(Firmware(0).file.view(), kLoaderBiosPxe);
  for (const std::uint16_t code : std::array<std::uint16_t, 2>{7, 9}) {
    EXPECT_EQ(Firmware(code).file.view(), kLoaderUefiX64);
    EXPECT_FALSE(Firmware(code).file_is_url);
    EXPECT_TRUE(Firmware(code).echo_pxe_client);
  }
  const BootPlan http = Firmware(16, ClientClass::kHttp);
  EXPECT_EQ(http.file.view(), "http://10.77.0.1:5248/files/loaders/snponly.efi");
  EXPECT_TRUE(http.file_is_url);
  EXPECT_TRUE(http.echo_http_client);
  EXPECT_FALSE(http.echo_pxe_client);
}

TEST_F(DecideTest, PxeClientWithoutArchitectureIsBios) {
  request_.firmware.client_class = ClientClass::kPxe;
  EXPECT_EQ(Decide(request_, *snapshot_).file.view(), kLoaderBiosPxe);
}

TEST_F(DecideTest, SaysWhyAnArchitectureGetsNothing) {
  for (const std::uint16_t code : std::array<std::uint16_t, 5>{6, 10, 11, 19, 31}) {
    const BootPlan plan = Firmware(code);
    EXPECT_TRUE(plan.answer);
    EXPECT_EQ(plan.kind, PlanKind::kNothing);
    EXPECT_EQ(plan.reason, "no-loader-in-this-release");
    EXPECT_TRUE(plan.file.empty());
  }
  EXPECT_EQ(Firmware(4711).reason, "unknown-architecture");
}

TEST_F(DecideTest, SaysWhenTheLoaderIsNotInTheSnapshot) {
  Use(BootLab().AddNetwork().Finish());
  EXPECT_EQ(Firmware(7).reason, "no-loader-file");
}

TEST_F(DecideTest, GivesIpxeTheScript) {
  request_.firmware.ipxe = true;
  request_.stage = Stage::kIpxe;
  const BootPlan plan = Decide(request_, *snapshot_);
  EXPECT_EQ(plan.kind, PlanKind::kScript);
  EXPECT_EQ(plan.file.view(), "http://10.77.0.1:5248/boot/ipxe");
}

TEST_F(DecideTest, FollowsThePolicyForUnknownMachines) {
  UsePolicy(UnknownPolicy::kIgnore);
  EXPECT_FALSE(Firmware(7).answer);
  EXPECT_FALSE(Script().answer);
  UsePolicy(UnknownPolicy::kLocal);
  EXPECT_EQ(Firmware(7).kind, PlanKind::kLoader);
  EXPECT_EQ(Script().kind, PlanKind::kLocal);
  UsePolicy(UnknownPolicy::kWait);
  EXPECT_EQ(Script().kind, PlanKind::kWait);
  UsePolicy(UnknownPolicy::kEnlist);
  const BootPlan plan = Script();
  EXPECT_EQ(plan.kind, PlanKind::kScript);
  EXPECT_EQ(plan.reason, "unknown-enlist");
  EXPECT_EQ(plan.kernel->name.view(), "vmlinuz");
  EXPECT_EQ(plan.initrd->name.view(), "initrd.img");
  EXPECT_EQ(plan.command_line.view(), "console=ttyS0");
}

TEST_F(DecideTest, FollowsTheTargetOfKnownMachines) {
  UseMachine(BootTarget::kLocal);
  EXPECT_EQ(Script().kind, PlanKind::kLocal);
  EXPECT_EQ(Firmware(7).kind, PlanKind::kLoader);
  UseMachine(BootTarget::kWait);
  EXPECT_EQ(Script().kind, PlanKind::kWait);
  UseMachine(BootTarget::kLauncher, "debug=1 --- quiet");
  EXPECT_EQ(Script().command_line.view(), "console=ttyS0 debug=1 --- quiet");
  UseMachine(BootTarget::kImage, "", 901);
  EXPECT_EQ(Script().image->id, 901U);
  UseMachine(BootTarget::kImage, "", 902);
  EXPECT_EQ(Script().kind, PlanKind::kWait);
  EXPECT_EQ(Script().reason, "no-image");
  UseMachine(BootTarget::kImage, "", 900);
  EXPECT_EQ(Script().reason, "no-kernel");
}

TEST_F(DecideTest, KeepsCommandsOutOfTheCommandLine) {
  UseMachine(BootTarget::kLauncher, "a=b || shell");
  const BootPlan plan = Script();
  EXPECT_EQ(plan.kind, PlanKind::kWait);
  EXPECT_EQ(plan.reason, "bad-command-line");
  EXPECT_TRUE(plan.command_line.empty());
}

TEST_F(DecideTest, KnownMachineIsServedUnderPolicyIgnore) {
  BootLab lab;
  lab.vlan.unknown_policy = UnknownPolicy::kIgnore;
  Use(lab.AddNetwork().AddImages().AddMachine(5, kMacText, BootTarget::kLauncher).Finish());
  EXPECT_EQ(Firmware(7).kind, PlanKind::kLoader);
}

TEST_F(DecideTest, InterfaceOfAnotherVlanDoesNotCount) {
  BootLab lab;
  lab.AddNetwork().AddRelayedNetwork().AddMachine(5, kMacText, BootTarget::kLocal);
  config::InterfaceRecord elsewhere;
  elsewhere.id = 100'005;
  elsewhere.machine = 5;
  elsewhere.mac = test::Mac(kMacText);
  elsewhere.vlan = test::kRelayVlan;
  Use(lab.Put(elsewhere).Finish());
  EXPECT_EQ(request_.machine, nullptr);
}

TEST_F(DecideTest, UnservedLinkGetsNoAnswer) {
  request_.vlan = nullptr;
  const BootPlan plan = Firmware(7);
  EXPECT_FALSE(plan.answer);
  EXPECT_EQ(plan.reason, "unserved-link");
}

TEST_F(DecideTest, GivesPlainClientsNothing) {
  request_.firmware = {};
  const BootPlan plan = Decide(request_, *snapshot_);
  EXPECT_TRUE(plan.answer);
  EXPECT_EQ(plan.kind, PlanKind::kNothing);
  EXPECT_EQ(plan.reason, "not-a-boot-client");
}

TEST_F(DecideTest, ExplainsItsRules) {
  const BootPlan plan = Firmware(11);
  EXPECT_TRUE(Matched(plan, "link-served"));
  EXPECT_FALSE(Matched(plan, "machine-known"));
  EXPECT_TRUE(Matched(plan, "unknown-enlist"));
  EXPECT_TRUE(Matched(plan, "architecture-known"));
  EXPECT_FALSE(Matched(plan, "architecture-has-loader"));
  for (const RuleTried& tried : plan.rules) {
    EXPECT_FALSE(tried.reason.empty());
  }
}

}  // namespace
}  // namespace slipway::boot
