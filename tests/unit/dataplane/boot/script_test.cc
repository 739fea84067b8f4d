#include "dataplane/boot/script.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/boot_lab.h"

namespace slipway::boot {
namespace {

class ScriptTest : public testing::Test {
 protected:
  ScriptTest() : snapshot_(test::BootLab::Standard()) {
    context_.mac = test::Mac("52:54:00:ab:00:01");
    context_.server = test::kRack;
    context_.token = "abc.DEF-1_2=";
  }

  std::string Write(const BootPlan& plan) {
    const Result<std::size_t> size = WriteScript(out_, plan, context_);
    return size ? std::string(AsText(std::span(out_).first(*size))) : "";
  }

  BootPlan LauncherPlan() {
    BootRequest request;
    request.mac = context_.mac;
    request.vlan = snapshot_->VlanById(test::kVlan);
    request.firmware.ipxe = true;
    request.transport = Transport::kHttp;
    request.stage = Stage::kIpxe;
    request.server = test::kRack;
    return Decide(request, *snapshot_);
  }

  config::SnapshotRef snapshot_;
  ScriptContext context_;
  std::array<std::byte, kScriptBytesMax> out_{};
};

TEST_F(ScriptTest, LoadsTheLauncher) {
  EXPECT_EQ(Write(LauncherPlan()),
            "#!ipxe\n"
            "echo Slipway: script (unknown-enlist)\n"
            "kernel http://10.77.0.1:5248/files/launcher-amd64/vmlinuz initrd=initrd.img "
            "BOOTIF=01-52-54-00-ab-00-01 slipway.rack=http://10.77.0.1:5248 "
            "slipway.token=abc.DEF-1_2= console=ttyS0 || goto failed\n"
            "initrd --name initrd.img "
            "http://10.77.0.1:5248/files/launcher-amd64/initrd.img || goto failed\n"
            "boot || goto failed\n"
            ":failed\n"
            "echo Slipway: could not load, trying again\n"
            ":retry\n"
            "sleep 15\n"
            "dhcp netX || goto retry\n"
            "chain --replace http://10.77.0.1:5248/boot/ipxe || goto retry\n");
}

TEST_F(ScriptTest, TriesTheOtherRackOfAPair) {
  context_.partner = test::V4("10.77.0.2");
  const std::string script = Write(LauncherPlan());
  EXPECT_NE(script.find(":failed\n"
                        "echo Slipway: could not load, trying the other rack\n"
                        "sleep 3\n"
                        "chain --replace http://10.77.0.2:5248/boot/ipxe ||\n"
                        "echo Slipway: could not load, trying again\n"
                        ":retry\n"
                        "sleep 15\n"
                        "dhcp netX || goto retry\n"
                        "chain --replace http://10.77.0.1:5248/boot/ipxe || "
                        "chain --replace http://10.77.0.2:5248/boot/ipxe || goto retry\n"),
            std::string::npos)
      << script;
}

TEST_F(ScriptTest, BootsTheLocalDiskByFirmware) {
  BootPlan plan;
  plan.kind = PlanKind::kLocal;
  plan.reason = "target-local";
  context_.hostname = "web-1";
  EXPECT_EQ(Write(plan),
            "#!ipxe\n"
            "echo Slipway: local (target-local) for web-1\n"
            "iseq ${platform} efi && exit 1 ||\n"
            "sanboot --no-describe --drive 0x80 ||\n"
            "exit 1\n");
}

TEST_F(ScriptTest, WaitsAndAsksAgain) {
  BootPlan plan;
  plan.kind = PlanKind::kWait;
  plan.reason = "unknown-wait";
  const std::string script = Write(plan);
  EXPECT_NE(script.find("sleep 15\n"), std::string::npos);
  EXPECT_NE(script.find("chain --replace http://10.77.0.1:5248/boot/ipxe || goto retry\n"),
            std::string::npos);
}

TEST_F(ScriptTest, NothingGoesBackToTheFirmware) {
  EXPECT_NE(Write(BootPlan{}).find("exit 1\n"), std::string::npos);
}

TEST_F(ScriptTest, RefusesWhatIpxeWouldExecute) {
  BootPlan plan = LauncherPlan();
  context_.token = "a b";
  EXPECT_EQ(WriteScript(out_, plan, context_).error().code, ErrorCode::kMalformed);
  context_.token = "a";
  context_.hostname = "x || shell";
  EXPECT_EQ(WriteScript(out_, plan, context_).error().code, ErrorCode::kMalformed);
  context_.hostname = "";
  plan.command_line = CommandLine(std::string_view("a\nshell"));
  EXPECT_EQ(WriteScript(out_, plan, context_).error().code, ErrorCode::kMalformed);
}

TEST_F(ScriptTest, SaysWhenTheSpanIsTooSmall) {
  EXPECT_EQ(WriteScript(std::span(out_).first(100), LauncherPlan(), context_).error().code,
            ErrorCode::kTooLarge);
}

TEST(ScriptTextTest, KnowsPlainText) {
  for (const std::string_view good :
       {"", "a=b c", "ds=nocloud;s=http://x/", "cc:{'a': ['B']}end_cc", "---", "a||b"}) {
    EXPECT_TRUE(IsScriptText(good)) << good;
  }
  for (const std::string_view bad : {"a || b", "a && b", "a ; b", "#x", "a #x", "${net0/mac}",
                                     "a\tb", "a\nb", "\x7F", "\xC3\xA4"}) {
    EXPECT_FALSE(IsScriptText(bad)) << bad;
  }
}

}  // namespace
}  // namespace slipway::boot
