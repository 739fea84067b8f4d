#include "dataplane/tftp/netascii.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <string_view>

namespace slipway::tftp {
namespace {

using std::string_view_literals::operator""sv;

std::string Convert(std::string_view text, std::size_t block_bytes) {
  NetasciiCursor cursor;
  std::string all;
  while (true) {
    std::array<std::byte, 64> out;
    const std::size_t size =
        EncodeNetascii(AsBytes(text).subspan(static_cast<std::size_t>(cursor.offset)), cursor,
                       MutableByteSpan(out).first(block_bytes));
    all += AsText(ByteSpan(out).first(size));
    if (size < block_bytes) {
      return all;
    }
  }
}

TEST(NetasciiTest, LineEndsAndCarriageReturnsBecomePairs) {
  EXPECT_EQ(Convert("a\nb\rc\r\n"sv, 64), "a\r\nb\r\0c\r\0\r\n"sv);
  EXPECT_EQ(Convert("", 64), "");
}

TEST(NetasciiTest, PairsSplitOverBlocksStayWhole) {
  const std::string text = "\n\r\n\nabc\r\r\n";
  const std::string whole = Convert(text, 64);
  for (std::size_t block = 1; block < 12; ++block) {
    EXPECT_EQ(Convert(text, block), whole) << block;
  }
}

}  // namespace
}  // namespace slipway::tftp
