// Files of a rack's identity, in a temporary directory.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>

#include "dataplane/link/rack_identity.h"

namespace slipway::link {
namespace {

class RackIdentityTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = "/tmp/slipway-identity-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    directory = name;
  }

  void TearDown() override { std::filesystem::remove_all(directory); }

  std::string directory;
};

TEST_F(RackIdentityTest, KeyIsMadeOnceAndOnlyTheOwnerMayReadIt) {
  const auto first = RackIdentity::Load(directory);
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->rack, 0U);
  const auto second = RackIdentity::Load(directory);
  ASSERT_TRUE(second.has_value());
  EXPECT_EQ(first->key.public_key, second->key.public_key);

  struct stat status {};

  ASSERT_EQ(stat((directory + "/link.key").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
}

TEST_F(RackIdentityTest, RegionIsKept) {
  auto identity = RackIdentity::Load(directory);
  ASSERT_TRUE(identity.has_value());
  identity->rack = 4;
  identity->token = 9;
  identity->region_key = KeyPair::Generate().public_key;
  identity->endpoints = {"tcp://a:1", "tcp://b:2"};
  ASSERT_TRUE(identity->Save(directory).has_value());
  const auto again = RackIdentity::Load(directory);
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->rack, 4U);
  EXPECT_EQ(again->token, 9U);
  EXPECT_EQ(again->region_key, identity->region_key);
  EXPECT_EQ(again->endpoints, identity->endpoints);
}

TEST_F(RackIdentityTest, FilesThatOthersMayReadOrThatAreNotOursAreRefused) {
  ASSERT_TRUE(RackIdentity::Load(directory).has_value());
  ASSERT_EQ(chmod((directory + "/link.key").c_str(), 0644), 0);
  EXPECT_EQ(RackIdentity::Load(directory).error().code, ErrorCode::kDenied);
  ASSERT_EQ(chmod((directory + "/link.key").c_str(), 0600), 0);
  ASSERT_TRUE(WriteSecretFile(directory + "/link.state", "something else").has_value());
  EXPECT_EQ(RackIdentity::Load(directory).error().code, ErrorCode::kCorrupt);
  ASSERT_TRUE(WriteSecretFile(directory + "/link.key", "garbage").has_value());
  EXPECT_EQ(RackIdentity::Load(directory).error().code, ErrorCode::kCorrupt);
}

}  // namespace
}  // namespace slipway::link
