#include <gtest/gtest.h>

#include "dataplane/link/join_token.h"

namespace slipway::link {
namespace {

JoinToken SomeToken() {
  JoinToken token;
  token.id = 77;
  token.expires = WallTime{123'456'789};
  token.region_key = KeyPair::Generate().public_key;
  token.one_time_secret = KeyPair::Generate().secret_key;
  token.endpoints = {"tcp://region.example:5250", "tcp://[2001:db8::1]:5250"};
  return token;
}

TEST(JoinTokenTest, TextCarriesEverything) {
  const JoinToken token = SomeToken();
  const auto text = token.Encode();
  ASSERT_TRUE(text.has_value());
  EXPECT_TRUE(text->starts_with("slw1."));
  const auto parsed = JoinToken::Parse("  " + *text + "\n");
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->id, 77U);
  EXPECT_EQ(parsed->expires, token.expires);
  EXPECT_EQ(parsed->region_key, token.region_key);
  EXPECT_EQ(parsed->one_time_secret.Public(), token.one_time_secret.Public());
  EXPECT_EQ(parsed->endpoints, token.endpoints);
}

TEST(JoinTokenTest, MistypedCharacterIsFound) {
  const std::string text = *SomeToken().Encode();
  for (std::size_t i = 5; i < text.size(); ++i) {
    std::string wrong = text;
    wrong[i] = wrong[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(JoinToken::Parse(wrong).has_value()) << i;
    EXPECT_FALSE(JoinToken::Parse(text.substr(0, i)).has_value()) << i;
  }
}

TEST(JoinTokenTest, OtherTextIsRefusedWithTheReason) {
  EXPECT_EQ(JoinToken::Parse("").error().code, ErrorCode::kMalformed);
  EXPECT_EQ(JoinToken::Parse("slw2.AAAA").error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(JoinToken::Parse("slw1.").error().code, ErrorCode::kMalformed);
  EXPECT_EQ(JoinToken::Parse("slw1.====").error().code, ErrorCode::kMalformed);
  EXPECT_EQ(JoinToken::Parse(std::string(5'000, 'A')).error().code, ErrorCode::kTooLarge);
}

TEST(JoinTokenTest, EndpointsAreBounded) {
  JoinToken token = SomeToken();
  token.endpoints.assign(kEndpointsMax + 1, "tcp://a:1");
  EXPECT_EQ(token.Encode().error().code, ErrorCode::kTooLarge);
  token.endpoints = {"http://a:1"};
  EXPECT_EQ(token.Encode().error().code, ErrorCode::kMalformed);
}

TEST(JoinTokenTest, EndpointsHaveHostAndPort) {
  EXPECT_TRUE(IsEndpoint("tcp://10.0.0.1:5250"));
  EXPECT_TRUE(IsEndpoint("tcp://[::1]:65535"));
  for (const char* wrong : {"", "tcp://", "tcp://a", "tcp://:1", "tcp://a:", "tcp://a:0",
                            "tcp://a:65536", "tcp://a:1x", "tcp://a b:1", "ipc://a:1"}) {
    EXPECT_FALSE(IsEndpoint(wrong)) << wrong;
  }
}

TEST(LinkKeysTest, TextAndBackAndThePublicHalf) {
  const KeyPair pair = KeyPair::Generate();
  EXPECT_EQ(*PublicKey::FromText(pair.public_key.Text()), pair.public_key);
  EXPECT_EQ(pair.secret_key.Public(), pair.public_key);
  EXPECT_FALSE(PublicKey::FromText("short").has_value());
  EXPECT_FALSE(PublicKey::FromText(std::string(40, '\x80')).has_value());
  EXPECT_FALSE(PublicKey::FromBytes(ByteSpan(pair.public_key.bytes).first(31)).has_value());
}

}  // namespace
}  // namespace slipway::link
