// What the tree asks of std::expected. GCC runs this over the library's, clang over
// tests/support/clang/expected.
#include <gtest/gtest.h>

#include <expected>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "dataplane/base/result.h"

namespace slipway {
namespace {

Result<std::unique_ptr<int>> MakeNumber(int number) {
  if (number < 0) {
    return Fail(ErrorCode::kOutOfRange, 7);
  }
  return std::make_unique<int>(number);
}

Result<> Check(int number) {
  const auto made = SLIP_TRY(MakeNumber(number));
  return *made == 0 ? Result<>(Fail(ErrorCode::kNotFound)) : Result<>();
}

TEST(ExpectedTest, KeepsTheTriviality) {
  static_assert(std::is_trivially_destructible_v<Result<int>>);
  static_assert(std::is_trivially_copy_constructible_v<Result<int>>);
  static_assert(std::is_move_constructible_v<Result<std::unique_ptr<int>>>);
  static_assert(!std::is_copy_constructible_v<Result<std::unique_ptr<int>>>);
  static_assert(std::is_destructible_v<Result<std::string>>);
}

TEST(ExpectedTest, HoldsValueOrError) {
  const auto number = MakeNumber(3);
  ASSERT_TRUE(number);
  EXPECT_EQ(**number, 3);
  const auto failed = MakeNumber(-1);
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error(), (Error{.code = ErrorCode::kOutOfRange, .detail = 7}));
}

TEST(ExpectedTest, TryReturnsTheError) {
  EXPECT_TRUE(Check(1));
  EXPECT_EQ(Check(0).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(Check(-1).error().code, ErrorCode::kOutOfRange);
}

TEST(ExpectedTest, AssignsOverValueAndError) {
  Result<std::string> text = "one";
  EXPECT_EQ(text->size(), 3U);
  text = Fail(ErrorCode::kFull);
  EXPECT_FALSE(text);
  EXPECT_EQ(text.value_or("else"), "else");
  text = std::string("three");
  EXPECT_EQ(text.value(), "three");
  Result<std::string> moved = std::move(text);
  EXPECT_EQ(*std::move(moved), "three");
}

TEST(ExpectedTest, ValueAndErrorMayBeOfOneType) {
  const std::expected<std::string, std::string> good = "yes";
  const std::expected<std::string, std::string> bad = std::unexpected("no");
  EXPECT_TRUE(good);
  EXPECT_FALSE(bad);
  EXPECT_EQ(bad.error(), "no");
}

TEST(ExpectedTest, ConvertsTheValueAndTheError) {
  const std::expected<const char*, const char*> from = "text";
  const std::expected<std::string, std::string> to = from;
  EXPECT_EQ(to, std::string("text"));
  const std::expected<void, std::string> none = std::unexpected("why");
  EXPECT_EQ(none.error(), "why");
}

TEST(ExpectedTest, Compares) {
  EXPECT_EQ(Result<int>(1), 1);
  EXPECT_EQ(Result<int>(1), Result<int>(1));
  EXPECT_FALSE(Result<int>(1) == Result<int>(Fail(ErrorCode::kFull)));
  EXPECT_EQ(Result<>(Fail(ErrorCode::kFull)), Result<>(Fail(ErrorCode::kFull)));
}

}  // namespace
}  // namespace slipway
