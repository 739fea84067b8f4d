// tests/vectors/dhcp-options/values.txt: the text of a value, its bytes, and the text again.
#include <gtest/gtest.h>

#include <array>
#include <charconv>
#include <fstream>
#include <string>
#include <vector>

#include "dataplane/base/hex.h"
#include "dataplane/dhcp/option_value.h"

namespace slipway::dhcp {
namespace {

std::vector<std::string> SplitLine(const std::string& line) {
  std::vector<std::string> fields;
  std::size_t begin = 0;
  while (true) {
    const std::size_t end = line.find(" | ", begin);
    fields.push_back(line.substr(begin, end == std::string::npos ? end : end - begin));
    if (end == std::string::npos) {
      return fields;
    }
    begin = end + 3;
  }
}

std::string Hex(ByteSpan bytes) {
  std::string text;
  for (const std::byte byte : bytes) {
    AppendHex(text, byte);
  }
  return text;
}

TEST(OptionVectorsTest, ValuesBecomeTheirBytesAndTextAgain) {
  std::ifstream in(SLIPWAY_SOURCE_DIR "/tests/vectors/dhcp-options/values.txt");
  std::string line;
  std::size_t cases = 0;
  while (std::getline(in, line)) {
    if (line.empty() || line.front() == '#') {
      continue;
    }
    SCOPED_TRACE(line);
    const std::vector<std::string> fields = SplitLine(line);
    ASSERT_EQ(fields.size(), 5U);
    const Family family = fields[0] == "v6" ? Family::kV6 : Family::kV4;
    const OptionRow* row = FindOption(family, fields[1]);
    if (row == nullptr) {
      std::uint16_t code = 0;
      const auto [end, error] =
          std::from_chars(fields[1].data(), fields[1].data() + fields[1].size(), code);
      ASSERT_TRUE(error == std::errc{} && FindOption(family, code) == nullptr);
    }
    std::array<std::byte, limits::kDhcpOptionBytesMax> bytes{};
    const auto encoded = EncodeOptionValue(family, row, fields[2], bytes);
    ASSERT_TRUE(encoded) << encoded.error().problem << " at " << encoded.error().character;
    std::string wanted = fields[3];
    std::erase(wanted, ' ');
    EXPECT_EQ(Hex(std::span(bytes).first(*encoded)), wanted);
    std::array<char, kOptionTextBytesMax> text{};
    const auto formatted = FormatOptionValue(family, row, std::span(bytes).first(*encoded), text);
    ASSERT_TRUE(formatted);
    const std::size_t reads = fields[4].find("reads as ");
    EXPECT_EQ(std::string_view(text.data(), *formatted),
              reads == std::string::npos ? fields[2] : fields[4].substr(reads + 9));
    ++cases;
  }
  EXPECT_GT(cases, 40U);
}

}  // namespace
}  // namespace slipway::dhcp
