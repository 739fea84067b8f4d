#include "dataplane/service/machine_token.h"

#include <gtest/gtest.h>

#include <string>

namespace slipway::service {
namespace {

constexpr std::uint64_t kBootId = 77;
constexpr Instant kNow{1'000'000'000};

[[nodiscard]] TokenKey Key(std::uint8_t fill) {
  TokenKey key{};
  key.fill(fill);
  return key;
}

[[nodiscard]] TokenClaims Claims() {
  return {.machine = 42,
          .mac = MacAddress::FromU64(0x525400123456),
          .address = Ipv4Address{0x0A4D0064},
          .expires = kNow + Duration::Seconds(600),
          .state_generation = 3,
          .nonce = 0xDEADBEEF01};
}

TEST(MachineTokensTest, MintedTokenVerifiesToTheSameClaims) {
  const MachineTokens tokens(Key(1), kBootId);
  const auto read = tokens.Verify(tokens.Mint(Claims()), Claims().address, kNow);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(*read, Claims());
}

TEST(MachineTokensTest, EveryChangedCharacterIsRefused) {
  const MachineTokens tokens(Key(1), kBootId);
  const std::string text(tokens.Mint(Claims()).view());
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string changed = text;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(tokens.Verify(changed, Claims().address, kNow).has_value()) << i;
  }
  EXPECT_FALSE(tokens.Verify(text + "A", Claims().address, kNow).has_value());
  EXPECT_FALSE(tokens.Verify("", Claims().address, kNow).has_value());
}

TEST(MachineTokensTest, AnotherRacksKeyOrAnotherBootIsDenied) {
  const TokenText text = MachineTokens(Key(1), kBootId).Mint(Claims());
  EXPECT_EQ(MachineTokens(Key(2), kBootId).Verify(text, Claims().address, kNow).error().code,
            ErrorCode::kDenied);
  EXPECT_EQ(MachineTokens(Key(1), kBootId + 1).Verify(text, Claims().address, kNow).error().code,
            ErrorCode::kDenied);
}

TEST(MachineTokensTest, ExpiredTokenAndForeignAddressAreRefused) {
  const MachineTokens tokens(Key(1), kBootId);
  const TokenText text = tokens.Mint(Claims());
  EXPECT_EQ(tokens.Verify(text, Claims().address, Claims().expires).error().code,
            ErrorCode::kExpired);
  EXPECT_EQ(tokens.Verify(text, Ipv4Address{0x0A4D0065}, kNow).error().code, ErrorCode::kConflict);
}

TEST(MachineTokensTest, UseIsRemembered) {
  MachineTokens tokens(Key(1), kBootId);
  EXPECT_EQ(tokens.StateOf(Claims()), TokenState::kFresh);
  tokens.MarkUsed(Claims());
  EXPECT_EQ(tokens.StateOf(Claims()), TokenState::kUsed);
}

}  // namespace
}  // namespace slipway::service
