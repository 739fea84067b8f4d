#include "controlplane/link/zap.h"

#include <gtest/gtest.h>

#include "controlplane/link/tokens.h"

namespace slipway::region_link {
namespace {

class ZapTest : public testing::Test {
 protected:
  void SetUp() override {
    directory.AddRack(3, "rack-a", key.public_key);
    directory.AddToken({.id = 8, .key = token.public_key, .expires = WallTime{1000}},
                       [](Result<void>) {});
  }

  ZapAnswer Ask(const link::PublicKey& who, WallTime now = {}) {
    std::string credentials;
    for (const std::byte b : who.bytes) {
      credentials.push_back(static_cast<char>(b));
    }
    return AnswerZap({"1.0", "id", "slipway", "10.0.0.9", "", "CURVE", credentials}, directory,
                     now);
  }

  const link::KeyPair key = link::KeyPair::Generate();
  const link::KeyPair token = link::KeyPair::Generate();
  MemoryDirectory directory;
};

TEST_F(ZapTest, KnownRackIsAdmittedUnderItsId) {
  const ZapAnswer answer = Ask(key.public_key);
  EXPECT_EQ(answer.result, ZapResult::kRackAdmitted);
  EXPECT_EQ(answer.frames, (std::vector<std::string>{"1.0", "id", "200", "OK", "rack:3", ""}));
}

TEST_F(ZapTest, TokenIsAdmittedUntilUsedOrExpired) {
  EXPECT_EQ(Ask(token.public_key).frames[4], "token:8");
  EXPECT_EQ(Ask(token.public_key, WallTime{1000}).result, ZapResult::kTokenExpired);
  directory.EnrolRack(8, "rack-b", link::KeyPair::Generate().public_key, WallTime{},
                      [](Result<link::RackId> rack) { EXPECT_EQ(*rack, 4U); });
  EXPECT_EQ(Ask(token.public_key).result, ZapResult::kTokenUsed);
  EXPECT_EQ(Ask(token.public_key).frames[2], "400");
}

TEST_F(ZapTest, RevokedAndUnknownKeysAreDeniedAlike) {
  directory.Revoke(3);
  const ZapAnswer revoked = Ask(key.public_key);
  const ZapAnswer unknown = Ask(link::KeyPair::Generate().public_key);
  EXPECT_EQ(revoked.result, ZapResult::kRevoked);
  EXPECT_EQ(unknown.result, ZapResult::kUnknownKey);
  EXPECT_EQ(revoked.frames, unknown.frames);
}

TEST_F(ZapTest, OtherMechanismsDomainsAndVersionsAreDenied) {
  EXPECT_EQ(AnswerZap({"1.0", "id", "slipway", "", "", "NULL"}, directory, {}).result,
            ZapResult::kMechanism);
  EXPECT_EQ(AnswerZap({"1.0", "id", "slipway", "", "", "PLAIN", "u", "p"}, directory, {}).result,
            ZapResult::kMechanism);
  EXPECT_EQ(AnswerZap({"1.0", "id", "other", "", "", "CURVE", ""}, directory, {}).result,
            ZapResult::kMalformed);
  EXPECT_EQ(AnswerZap({"1.0", "id", "slipway", "", "", "CURVE", "short"}, directory, {}).result,
            ZapResult::kMalformed);
  EXPECT_TRUE(
      AnswerZap({"2.0", "id", "slipway", "", "", "CURVE", ""}, directory, {}).frames.empty());
  EXPECT_TRUE(AnswerZap({}, directory, {}).frames.empty());
}

TEST_F(ZapTest, UserIdIsReadBackAndNothingElseIs) {
  const auto peer = ParseUserId(UserIdOf({.kind = link::PeerKind::kToken, .id = 12}));
  ASSERT_TRUE(peer.has_value());
  EXPECT_EQ(peer->kind, link::PeerKind::kToken);
  EXPECT_EQ(peer->id, 12U);
  for (const char* wrong :
       {"", "rack:", "rack:0", "rack:1x", "rack:-1", "root:1", "1", "rack:99999999999999999999"}) {
    EXPECT_FALSE(ParseUserId(wrong).has_value()) << wrong;
  }
}

TEST_F(ZapTest, SameTokenWithTheSameKeyGivesTheSameRack) {
  const link::PublicKey own = link::KeyPair::Generate().public_key;
  std::vector<Result<link::RackId>> racks;
  const auto enrol = [&](const link::PublicKey& with) {
    directory.EnrolRack(8, "rack-b", with, WallTime{},
                        [&](Result<link::RackId> rack) { racks.push_back(rack); });
  };
  enrol(own);
  enrol(own);
  enrol(link::KeyPair::Generate().public_key);
  EXPECT_EQ(racks[0], racks[1]);
  EXPECT_EQ(racks[2].error().code, ErrorCode::kConflict);
}

TEST_F(ZapTest, MadeTokenOpensTheDoorItWasMadeFor) {
  const link::KeyPair region = link::KeyPair::Generate();
  const auto made = MakeToken(21, region.public_key, {"tcp://r:5250"}, WallTime{5});
  ASSERT_TRUE(made.has_value());
  const auto parsed = link::JoinToken::Parse(made->text);
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->one_time_secret.Public(), made->record.key);
  EXPECT_EQ(parsed->region_key, region.public_key);
  EXPECT_EQ(made->record.expires, (WallTime{5 + kTokenLife.ns}));
}

}  // namespace
}  // namespace slipway::region_link
