#include "dataplane/settings/settings.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace slipway::settings {
namespace {

constexpr Setting kTable[] = {
    {.key = "name", .kind = Kind::kText, .fallback = "rack", .doc = "The name."},
    {.key = "state_dir", .kind = Kind::kPath, .fallback = "/var/lib/x", .doc = "State."},
    {.key = "link.port",
     .kind = Kind::kInteger,
     .fallback = "5250",
     .least = 1,
     .most = 65535,
     .doc = "The port."},
    {.key = "link.on", .kind = Kind::kFlag, .fallback = "true", .doc = "Whether."},
    {.key = "interfaces", .kind = Kind::kTextList, .doc = "Which."},
};

class SettingsTest : public testing::Test {
 protected:
  void SetUp() override {
    directory_ =
        std::filesystem::path(testing::TempDir()) /
        ("settings-" + std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
    std::filesystem::remove_all(directory_);
    std::filesystem::create_directories(directory_ / "conf.d");
  }

  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::string Write(const std::string& name, const std::string& text) {
    const auto path = directory_ / name;
    std::ofstream(path) << text;
    return path.string();
  }

  std::filesystem::path directory_;
};

TEST_F(SettingsTest, NoFileGivesDefaults) {
  const auto values = Read("", kTable);
  ASSERT_TRUE(values.has_value());
  EXPECT_EQ(values->Text("name"), "rack");
  EXPECT_EQ(values->Integer("link.port"), 5250);
  EXPECT_TRUE(values->Flag("link.on"));
  EXPECT_TRUE(values->TextList("interfaces").empty());
  EXPECT_EQ(values->Origin("name"), "default");
}

TEST_F(SettingsTest, FileOverridesDefaultsAndDropInsOverrideTheFile) {
  const std::string file =
      Write("a.toml", "name = 'x'\ninterfaces = ['eth0', 'eth1']\n[link]\nport = 1\n");
  Write("conf.d/10.toml", "[link]\nport = 2\n");
  Write("conf.d/20.toml", "[link]\non = false\n");
  const auto values = Read(file, kTable);
  ASSERT_TRUE(values.has_value()) << values.error();
  EXPECT_EQ(values->Text("name"), "x");
  EXPECT_EQ(values->Integer("link.port"), 2);
  EXPECT_FALSE(values->Flag("link.on"));
  EXPECT_EQ(values->TextList("interfaces").size(), 2U);
  EXPECT_TRUE(values->Origin("link.port").ends_with("10.toml:2"));
}

TEST_F(SettingsTest, UnknownKeyIsRefusedWithPlaceAndSuggestion) {
  const std::string file = Write("a.toml", "name = 'x'\n[link]\nprot = 1\n");
  const auto values = Read(file, kTable);
  ASSERT_FALSE(values.has_value());
  EXPECT_EQ(values.error(), file + ":3:1: unknown key 'link.prot'; did you mean 'link.port'?");
}

TEST_F(SettingsTest, EveryProblemIsListedAtOnce) {
  const std::string file =
      Write("a.toml", "name = 3\nstate_dir = 'relative'\n[link]\nport = 70000\non = 'yes'\n");
  const auto values = Read(file, kTable);
  ASSERT_FALSE(values.has_value());
  EXPECT_NE(values.error().find(":1:8: 'name' must be a text"), std::string::npos)
      << values.error();
  EXPECT_NE(values.error().find("'state_dir' must be an absolute path"), std::string::npos);
  EXPECT_NE(values.error().find("'link.port' must be a whole number from 1 to 65535"),
            std::string::npos);
  EXPECT_NE(values.error().find("'link.on' must be true or false"), std::string::npos);
}

TEST_F(SettingsTest, SyntaxErrorsAndMissingFilesNameTheFile) {
  const std::string file = Write("a.toml", "name = \n");
  EXPECT_TRUE(Read(file, kTable).error().starts_with(file + ":1:"));
  EXPECT_TRUE(Read("/nonexistent/x.toml", kTable).error().starts_with("/nonexistent/x.toml:"));
}

}  // namespace
}  // namespace slipway::settings
