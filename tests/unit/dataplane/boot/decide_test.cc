#include "dataplane/boot/decide.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>

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
    EXPECT_EQ(plan.reason, "no-loader-file");
    EXPECT_FALSE(Matched(plan, "loader-in-snapshot"));
    EXPECT_TRUE(plan.file.empty());
  }
  EXPECT_EQ(Firmware(4711).reason, "unknown-architecture");
}

config::ImageRecord Loaders(config::RecordId id, std::string_view name,
                            std::initializer_list<std::string_view> files) {
  config::ImageRecord image;
  image.id = id;
  image.name = name;
  image.kind = config::ImageKind::kLoader;
  for (const std::string_view file : files) {
    (void)image.files.push_back(BootLab::File(file, config::FileRole::kLoader));
  }
  return image;
}

// What the operator imports is given out; of several, the first of the row.
TEST_F(DecideTest, GivesLoadersOfTheOperator) {
  BootLab lab;
  lab.AddNetwork().AddImages();
  lab.Put(Loaders(910, "loaders-arm64", {"ipxe.efi", "bootaa64.efi"}));
  lab.Put(Loaders(911, "loaders-ppc64el", {"bootppc64.bin", "petitboot.conf"}));
  lab.Put(Loaders(912, "loaders-s390x", {"boots390x.bin", "partition"}));
  Use(lab.Finish());
  EXPECT_EQ(Firmware(11).file.view(), "loaders-arm64/ipxe.efi");
  EXPECT_EQ(Firmware(19, ClientClass::kHttp).file.view(),
            "http://10.77.0.1:5248/files/loaders-arm64/ipxe.efi");
  EXPECT_EQ(Firmware(12).file.view(), "loaders-ppc64el/bootppc64.bin");
  EXPECT_EQ(Firmware(14).loader->script, ScriptKind::kPxelinux);
  EXPECT_EQ(Firmware(31).file.view(), "loaders-s390x/boots390x.bin");
  EXPECT_EQ(Firmware(32).file.view(), "loaders-s390x/partition");
}

TEST_F(DecideTest, GivesNoLoaderWithoutItsConfiguration) {
  BootLab lab;
  lab.AddNetwork().Put(Loaders(910, "loaders-pxelinux", {"lpxelinux.0"}));
  Use(lab.Finish());
  EXPECT_EQ(Firmware(0).reason, "no-loader-file");
  Use(lab.Put(Loaders(910, "loaders-pxelinux", {"lpxelinux.0", "pxelinux.conf"})).Finish());
  EXPECT_EQ(Firmware(0).file.view(), "loaders-pxelinux/lpxelinux.0");
}

// Whatever the architecture code says, an HTTP client fetches URLs only.
TEST_F(DecideTest, GivesHttpClientsAUrl) {
  const BootPlan plan = Firmware(7, ClientClass::kHttp);
  EXPECT_EQ(plan.file.view(), "http://10.77.0.1:5248/files/loaders/snponly.efi");
  EXPECT_TRUE(plan.echo_http_client);
}

TEST_F(DecideTest, GivesOnieTheInstallerOfItsPlatformFirst) {
  BootLab lab;
  lab.AddNetwork().AddImages();
  lab.Put(Loaders(910, "loaders-onie", {"onie-installer", "onie-installer-x86_64-acme_sw1-r0"}));
  lab.AddMachine(5, kMacText, BootTarget::kLocal);
  Use(lab.Finish());
  request_.firmware.onie = true;
  EXPECT_EQ(Decide(request_, *snapshot_).reason, "onie-not-to-install");
  request_.machine = nullptr;  // unknown, to be enlisted
  constexpr std::string_view kUrl = "http://10.77.0.1:5248/files/loaders-onie/onie-installer";
  EXPECT_EQ(Decide(request_, *snapshot_).file.view(), kUrl);
  request_.firmware.onie_platform = std::string_view("x86_64-acme_sw1-r0");
  EXPECT_EQ(Decide(request_, *snapshot_).file.view(), std::string(kUrl) + "-x86_64-acme_sw1-r0");
  request_.firmware.onie_platform = std::string_view("x86_64-other-r0");
  EXPECT_EQ(Decide(request_, *snapshot_).file.view(), kUrl);
}

TEST_F(DecideTest, GivesInfrastructureNothingToBoot) {
  request_.firmware.has_architecture = true;
  request_.firmware.infrastructure = true;
  const BootPlan plan = Decide(request_, *snapshot_);
  EXPECT_TRUE(plan.answer);
  EXPECT_EQ(plan.reason, "infrastructure");
  EXPECT_TRUE(plan.file.empty());
}

TEST_F(DecideTest, LeavesBoardsToTheirOwnNames) {
  request_.mac = test::Mac("dc:a6:32:00:00:01");
  EXPECT_EQ(Firmware(0).reason, "board-boots-by-own-names");
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
  EXPECT_FALSE(Matched(plan, "loader-in-snapshot"));
  for (const RuleTried& tried : plan.rules) {
    EXPECT_FALSE(tried.reason.empty());
  }
}

}  // namespace
}  // namespace slipway::boot
