#include "dataplane/launcher/json_writer.h"

#include <gtest/gtest.h>

#include <array>

namespace slipway::launcher {
namespace {

TEST(JsonWriterTest, NestsObjectsAndArrays) {
  std::array<char, 128> buffer{};
  JsonWriter writer(buffer);
  writer.BeginObject();
  writer.Field("a", std::uint64_t{1});
  writer.Key("b");
  writer.BeginArray();
  writer.String("x");
  writer.BeginObject();
  writer.Flag("c", true);
  writer.EndObject();
  writer.EndArray();
  writer.Key("d");
  writer.BeginArray();
  writer.EndArray();
  writer.EndObject();
  ASSERT_TRUE(writer.ok());
  EXPECT_EQ(writer.text(), R"({"a":1,"b":["x",{"c":true}],"d":[]})");
}

TEST(JsonWriterTest, EscapesWhateverFirmwareHolds) {
  std::array<char, 64> buffer{};
  JsonWriter writer(buffer);
  writer.String("a\"b\\c\n\x7F\xE9");
  ASSERT_TRUE(writer.ok());
  EXPECT_EQ(writer.text(), R"("a\"b\\c\u000a\u007f\u00e9")");
}

TEST(JsonWriterTest, FullBufferLatches) {
  std::array<char, 8> buffer{};
  JsonWriter writer(buffer);
  writer.BeginArray();
  writer.String("12345678");
  EXPECT_FALSE(writer.ok());
  writer.EndArray();
  EXPECT_FALSE(writer.ok());
  EXPECT_LE(writer.text().size(), buffer.size());
}

}  // namespace
}  // namespace slipway::launcher
