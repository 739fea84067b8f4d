// The real command line against the real region: its exit codes and outputs (docs/cli.md).
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/support/region_process.h"

namespace slipway::testing {
namespace {

class CliTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    region_ = std::make_unique<RegionProcess>();
    ASSERT_TRUE(region_->Start()) << region_->Log();
    for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{
             {"fabric", "create", "lab"},
             {"vlan", "create", "v1", "--fabric", "lab", "--unknown-policy", "enlist"},
             {"subnet", "create", "s1", "--vlan", "v1", "--cidr", "10.0.0.0/24", "--gateway",
              "10.0.0.1", "--dns", "10.0.0.1", "10.0.0.2"},
             {"range", "create", "--subnet", "s1", "--first", "10.0.0.100", "--last",
              "10.0.0.200"}}) {
      const Output output = region_->Cli(command);
      ASSERT_EQ(output.code, 0) << output.err;
    }
  }

  static void TearDownTestSuite() { region_.reset(); }

  static std::unique_ptr<RegionProcess> region_;
};

std::unique_ptr<RegionProcess> CliTest::region_;

TEST_F(CliTest, ListsAreTablesJsonOrNames) {
  const Output table = region_->Cli({"subnet", "list"});
  EXPECT_EQ(table.code, 0);
  EXPECT_TRUE(table.out.starts_with("ID")) << table.out;
  EXPECT_NE(table.out.find("10.0.0.1,10.0.0.2"), std::string::npos) << table.out;
  EXPECT_EQ(region_->Cli({"-o", "name", "subnet", "list"}).out, "s1\n");
  EXPECT_TRUE(region_->Cli({"subnet", "list", "-o", "json"}).out.starts_with("[\n"));
  EXPECT_FALSE(region_->Cli({"--no-headers", "subnet", "list"}).out.starts_with("ID"));
}

TEST_F(CliTest, WhatListsPrintIsTakenByVerbs) {
  ASSERT_EQ(region_->Cli({"machine", "create", "m1", "--mac", "52:54:00:00:00:01"}).code, 0);
  const Output names = region_->Cli({"-o", "name", "machine", "list"});
  ASSERT_EQ(names.out, "m1\n");
  EXPECT_EQ(region_->Cli({"machine", "set", "m1", "--boot-target", "launcher"}).code, 0);
  EXPECT_NE(region_->Cli({"machine", "show", "m1"}).out.find("boot_target: launcher"),
            std::string::npos);
  const Output nics = region_->Cli({"-o", "name", "interface", "list", "--machine", "m1"});
  EXPECT_TRUE(nics.out.starts_with("ifc-")) << nics.out;
  EXPECT_EQ(region_->Cli({"boot", "trace", "m1"}).code, 0);
  EXPECT_EQ(region_->Cli({"boot", "trace", "52:54:00:00:00:01"}).code, 0);
  const std::string nic = nics.out.substr(0, nics.out.find('\n'));
  EXPECT_EQ(region_->Cli({"interface", "delete", nic}).code, 0);
  EXPECT_EQ(region_->Cli({"machine", "delete", "m1"}).code, 0);
}

TEST_F(CliTest, ExitCodesAreAsDocumented) {
  EXPECT_EQ(region_->Cli({"fabric", "list"}).code, 0);
  EXPECT_EQ(region_->Cli({"subnet", "create", "s9", "--vlan", "v1", "--cidr", "10.0.0.0/99"}).code,
            1);
  EXPECT_EQ(region_->Cli({"fabric", "paint"}).code, 2);
  EXPECT_EQ(region_->Cli({"fabric", "show"}).code, 2);
  EXPECT_EQ(region_->Cli({"vlan", "create", "v9", "--fabric", "lab", "--vid", "x"}).code, 2);
  EXPECT_EQ(region_->Cli({"fabric", "show", "none"}).code, 3);
  EXPECT_EQ(region_->Cli({"fabric", "create", "lab"}).code, 4);
  EXPECT_EQ(region_->Cli({"fabric", "delete", "lab"}).code, 4);
  // A rack is declared down only by somebody who says so twice: --yes, where no terminal is.
  const std::vector<std::string> down = {"rack",   "pair", "partner-down", "none",
                                         "--down", "r1",   "--reason",     "burnt"};
  EXPECT_EQ(region_->Cli(down).code, 2);
  std::vector<std::string> surely = down;
  surely.emplace_back("--yes");
  EXPECT_EQ(region_->Cli(surely).code, 3);
  EXPECT_EQ(region_->Cli({"rack", "pair", "list"}).code, 0);
  const std::string program = std::string(SLIPWAY_BIN_DIR) + "/slipway";
  const std::string api = "http://127.0.0.1:" + std::to_string(region_->port());
  const std::string wrong = region_->folder() + "/wrong-token";
  WriteFile(wrong, "not-the-token\n");
  EXPECT_EQ(RunProgram({program, "--api", api, "--token-file", wrong, "fabric", "list"}).code, 5);
  EXPECT_EQ(
      RunProgram({program, "--api", api, "--token-file", "/nonexistent", "fabric", "list"}).code,
      5);
  EXPECT_EQ(
      RunProgram({program, "--api", "http://127.0.0.1:1", "--token-file", wrong, "fabric", "list"})
          .code,
      7);
}

TEST_F(CliTest, ASilentRegionIsATimeOut) {
  // Listens and never answers.
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  ASSERT_EQ(bind(fd, reinterpret_cast<const sockaddr*>(&address), size), 0);
  ASSERT_EQ(listen(fd, 8), 0);
  ASSERT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
  const Output output =
      RunProgram({std::string(SLIPWAY_BIN_DIR) + "/slipway", "--api",
                  "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)), "--token-file",
                  region_->token_file(), "--timeout", "1", "fabric", "list"});
  EXPECT_EQ(output.code, 6) << output.err;
  (void)close(fd);
}

TEST_F(CliTest, DryRunChangesNothing) {
  EXPECT_EQ(region_->Cli({"--dry-run", "fabric", "create", "dry"}).code, 0);
  EXPECT_EQ(region_->Cli({"fabric", "show", "dry"}).code, 3);
}

TEST_F(CliTest, TokensGoToStandardOutputAlone) {
  const Output output = region_->Cli({"rack", "token"});
  ASSERT_EQ(output.code, 0) << output.err;
  EXPECT_TRUE(output.out.starts_with("slw1.")) << output.out;
  EXPECT_EQ(output.out.find('\n'), output.out.size() - 1);
  EXPECT_EQ(region_->Log().find(output.out.substr(0, 40)), std::string::npos);
}

TEST_F(CliTest, ImportsADirectory) {
  const std::string folder = region_->folder() + "/debian";
  std::filesystem::create_directory(folder);
  WriteFile(folder + "/vmlinuz", "kernel");
  WriteFile(folder + "/initrd.img", "initrd");
  std::filesystem::permissions(folder + "/vmlinuz", std::filesystem::perms(0644));
  std::filesystem::permissions(folder + "/initrd.img", std::filesystem::perms(0644));
  const Output output = region_->Cli({"image", "import", "debian", "--kind", "kernel",
                                      "--architecture", "amd64", "--directory", folder});
  ASSERT_EQ(output.code, 0) << output.err;
  const Output shown = region_->Cli({"image", "show", "debian"});
  EXPECT_NE(shown.out.find("role: kernel"), std::string::npos) << shown.out;
  const std::size_t at = shown.out.rfind("sha256: ");
  ASSERT_NE(at, std::string::npos) << shown.out;
  const std::string digest = shown.out.substr(at + 8, 64);
  EXPECT_EQ(ReadFile(region_->folder() + "/images/sha256/" + digest.substr(0, 2) + "/" + digest),
            "kernel");
  std::filesystem::permissions(folder + "/vmlinuz", std::filesystem::perms(0600));
  const Output refused = region_->Cli({"image", "import", "secret", "--directory", folder});
  EXPECT_EQ(refused.code, 1);
  EXPECT_NE(refused.err.find("not readable by everybody"), std::string::npos) << refused.err;
}

TEST_F(CliTest, EventsAreListedAndFollowed) {
  const Output listed = region_->Cli({"event", "list", "--topics", "change"});
  EXPECT_EQ(listed.code, 0);
  EXPECT_NE(listed.out.find("ADDED    fabric fab-"), std::string::npos) << listed.out;
  const std::string out = region_->folder() + "/watch";
  const pid_t watcher = Spawn(
      {std::string(SLIPWAY_BIN_DIR) + "/slipway", "--api",
       "http://127.0.0.1:" + std::to_string(region_->port()), "--token-file", region_->token_file(),
       "event", "list", "--watch", "--since", "0", "--topics", "change"},
      out, out + ".err");
  for (int i = 0; i < 1000 && ReadFile(out).find("v1 revision=2") == std::string::npos; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  (void)kill(watcher, SIGKILL);
  (void)WaitFor(watcher, std::chrono::seconds(1));
  EXPECT_NE(ReadFile(out).find("v1 revision=2"), std::string::npos) << ReadFile(out + ".err");
}

}  // namespace
}  // namespace slipway::testing
