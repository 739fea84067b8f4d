#include "dataplane/base/cursor.h"

#include <gtest/gtest.h>

#include <array>

#include "dataplane/base/result.h"

namespace slipway {
namespace {

TEST(WireWriterTest, WritesInNetworkOrderUntilFull) {
  std::array<std::byte, 7> bytes{};
  WireWriter writer(bytes);
  writer.U8(1);
  writer.U16(0x0203);
  writer.U32(0x04050607);
  EXPECT_TRUE(writer.ok());
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    EXPECT_EQ(bytes[i], static_cast<std::byte>(i + 1));
  }
  writer.U8(9);
  EXPECT_FALSE(writer.ok());
  EXPECT_EQ(writer.size(), 7U);
}

TEST(WireWriterTest, ErrorStaysLatched) {
  std::array<std::byte, 2> bytes{};
  WireWriter writer(bytes);
  writer.U32(1);
  writer.U8(1);
  EXPECT_FALSE(writer.ok());
  EXPECT_EQ(bytes[0], std::byte{0}) << "a write after an error is dropped";
}

TEST(WireWriterTest, PatchStaysInsideWhatWasWritten) {
  std::array<std::byte, 4> bytes{};
  WireWriter writer(bytes);
  writer.U16(0);
  writer.PatchU16(0, 0xABCD);
  EXPECT_TRUE(writer.ok());
  EXPECT_EQ(LoadBig<std::uint16_t>(bytes.data()), 0xABCD);
  writer.PatchU16(1, 1);
  EXPECT_FALSE(writer.ok());
}

TEST(WireReaderTest, ReadsAfterTheEndGiveZeros) {
  constexpr std::array<std::byte, 3> kBytes{std::byte{1}, std::byte{2}, std::byte{3}};
  WireReader reader(kBytes);
  EXPECT_EQ(reader.U16(), 0x0102);
  EXPECT_EQ(reader.U16(), 0);
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(reader.U8(), 0) << "the error is latched";
}

TEST(ByteOrderTest, LittleAndBigGoBothWays) {
  std::array<std::byte, 8> bytes{};
  StoreLittle(bytes.data(), std::uint64_t{0x0102030405060708});
  EXPECT_EQ(bytes[0], std::byte{8});
  EXPECT_EQ(LoadLittle<std::uint64_t>(bytes.data()), 0x0102030405060708U);
  EXPECT_EQ(LoadBig<std::uint64_t>(bytes.data()), 0x0807060504030201U);
}

TEST(ResultTest, TryHandsTheErrorOn) {
  const auto outer = [](Result<int> inner) -> Result<int> { return SLIP_TRY(inner) + 1; };
  EXPECT_EQ(*outer(1), 2);
  EXPECT_EQ(outer(Fail(ErrorCode::kFull, 7)).error(), (Error{ErrorCode::kFull, 7}));
  EXPECT_EQ(FailErrno(28).error().code, ErrorCode::kNoSpace);
  EXPECT_EQ(FailErrno(30).error().code, ErrorCode::kReadOnly);
  EXPECT_EQ(FailErrno(5).error(), (Error{ErrorCode::kSystem, 5}));
}

}  // namespace
}  // namespace slipway
