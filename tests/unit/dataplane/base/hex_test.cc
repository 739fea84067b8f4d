#include "dataplane/base/hex.h"

#include <gtest/gtest.h>

#include <string>

#include "dataplane/base/bounded.h"

namespace slipway {
namespace {

TEST(HexTest, ReadsBothCasesAndNothingElse) {
  constexpr std::string_view kBoth = "0123456789abcdefABCDEF";
  for (int c = -128; c < 128; ++c) {
    const auto at = kBoth.find(static_cast<char>(c));
    const int want = at == std::string_view::npos ? -1 : static_cast<int>(at < 16 ? at : at - 6);
    EXPECT_EQ(HexValue(static_cast<char>(c)), want) << c;
  }
}

TEST(HexTest, WritesTwoLowerCaseDigits) {
  std::string text;
  AppendHex(text, std::uint8_t{0x0A});
  AppendHex(text, std::byte{0xF0});
  EXPECT_EQ(text, "0af0");
  FixedString<4> fixed("ab");
  AppendHex(fixed, std::uint8_t{0xCD});
  EXPECT_EQ(fixed.view(), "abcd");
}

}  // namespace
}  // namespace slipway
