// A full disk and a read-only one, for real: the state directory on a small tmpfs in a mount
// namespace of the region's own. The host's mounts are never touched.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/support/region_process.h"

namespace slipway::testing {
namespace {

class DiskTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (RunProgram({"/usr/bin/unshare", "-m", "/bin/true"}).code != 0) {
      GTEST_SKIP() << "no right to make a mount namespace";
    }
    WriteFile(config(), "state_dir = \"" + mount() +
                            "/state\"\nlink.listen = \"127.0.0.1\"\nlink.port = 0\napi.port = 0\n"
                            "images.dir = \"" +
                            folder_.path() + "/images\"\nlog.level = \"info\"\n");
    std::filesystem::create_directory(mount());
  }

  void TearDown() override {
    if (pid_ > 0) {
      (void)kill(pid_, SIGTERM);
      EXPECT_EQ(WaitFor(pid_, std::chrono::seconds(5)), 0) << Log();
    }
  }

  [[nodiscard]] std::string config() const { return folder_.path() + "/region.toml"; }

  [[nodiscard]] std::string mount() const { return folder_.path() + "/disk"; }

  [[nodiscard]] std::string Log() const { return ReadFile(folder_.path() + "/log"); }

  [[nodiscard]] std::vector<std::string> Inside(const std::string& options,
                                                const std::string& before) const {
    return {"/usr/bin/unshare", "-m", "/bin/sh", "-c",
            "mount -t tmpfs -o " + options + " none " + mount() + " && " + before + " exec " +
                std::string(SLIPWAY_BIN_DIR) + "/slipway-region --config " + config()};
  }

  // False if it did not come up.
  [[nodiscard]] bool Start(const std::string& options) {
    pid_ = Spawn(Inside(options, ""), folder_.path() + "/out", folder_.path() + "/log");
    for (int i = 0; i < 4000; ++i) {
      const std::string log = Log();
      constexpr std::string_view kMark = "api=http://127.0.0.1:";
      if (const std::size_t at = log.find(kMark); at != std::string::npos) {
        port_ = log.substr(at + kMark.size(), log.find(' ', at) - at - kMark.size());
        return true;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return false;
  }

  // The region's own view of its disk.
  [[nodiscard]] std::string Seen() const {
    return "/proc/" + std::to_string(pid_) + "/root" + mount();
  }

  [[nodiscard]] Output Cli(std::vector<std::string> arguments) const {
    std::vector<std::string> all = {std::string(SLIPWAY_BIN_DIR) + "/slipway", "--api",
                                    "http://127.0.0.1:" + port_, "--token-file",
                                    Seen() + "/state/admin-token"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return RunProgram(all);
  }

  [[nodiscard]] std::string Ready() const {
    RawClient client(static_cast<std::uint16_t>(std::atoi(port_.c_str())));
    (void)client.Send("GET /readyz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    return client.Read("").substr(0, 12);
  }

  TemporaryDirectory folder_;
  pid_t pid_ = -1;
  std::string port_;
};

TEST_F(DiskTest, AFullDiskIsAnErrorAndGoesAwayWithRoom) {
  ASSERT_TRUE(Start("size=6m")) << Log();
  ASSERT_EQ(Cli({"fabric", "create", "before"}).code, 0);
  // Whatever room is left.
  {
    std::ofstream filler(Seen() + "/filler", std::ios::binary);
    const std::string block(65536, 'x');
    while (filler.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
    }
  }
  bool refused = false;
  for (int i = 0; i < 200 && !refused; ++i) {
    const Output output =
        Cli({"fabric", "create", "f" + std::to_string(i), "--description", std::string(1000, 'd')});
    refused = output.code == 1;
    if (refused) {
      EXPECT_NE(output.err.find("disk of the state directory is full"), std::string::npos)
          << output.err;
    }
  }
  EXPECT_TRUE(refused);
  EXPECT_EQ(Ready(), "HTTP/1.1 503");
  EXPECT_EQ(Cli({"fabric", "show", "before"}).code, 0);
  EXPECT_NE(Log().find("id=store-failed"), std::string::npos) << Log();
  ASSERT_EQ(unlink((Seen() + "/filler").c_str()), 0);
  EXPECT_EQ(Cli({"fabric", "create", "after"}).code, 0);
  EXPECT_EQ(Ready(), "HTTP/1.1 200");
}

TEST_F(DiskTest, AReadOnlyDirectoryIsOneLineAtStart) {
  const Output output = RunProgram(Inside("size=6m,ro", ""));
  EXPECT_EQ(output.code, 1) << output.err;
  EXPECT_NE(output.err.find("slipway-region: cannot"), std::string::npos) << output.err;
  EXPECT_NE(output.err.find("Read-only file system"), std::string::npos) << output.err;
}

TEST_F(DiskTest, NoRoomAtStartIsOneLine) {
  const Output output = RunProgram(
      Inside("size=4k", "dd if=/dev/zero of=" + mount() + "/x bs=4k count=1 2>/dev/null;"));
  EXPECT_EQ(output.code, 1) << output.err;
  EXPECT_EQ(std::count(output.err.begin(), output.err.end(), '\n'), 1) << output.err;
}

}  // namespace
}  // namespace slipway::testing
