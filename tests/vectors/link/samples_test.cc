// Encoded samples of each message as earlier versions sent them: today's code must read them as the
// same contents. `<version>/<message>.hex` is the message, `.expect` its contents as JSON. Origin:
// this repository's own encoder at that version. Recorded anew only with
// SLIPWAY_RECORD_VECTORS=v0_2 (the diff is to be reviewed: a released version never changes).
#include "tests/vectors/link/samples.h"

#include <flatbuffers/idl.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

namespace slipway::link::test {
namespace {

namespace fs = std::filesystem;

const fs::path kRoot = fs::path(SLIPWAY_SOURCE_DIR) / "tests/vectors/link";
// Of today's version.
const fs::path kToday =
    kRoot / ("v" + std::to_string(kVersionMajor) + "_" + std::to_string(kVersionMinor));
const fs::path kCorpus = fs::path(SLIPWAY_SOURCE_DIR) / "tests/fuzz/corpus/link";
constexpr EnvelopeHeader kHeader = {
    .sequence = 2, .acknowledged = 1, .trace = 0xCAFE, .connection = 0x1122'3344'5566'7788};

std::string ReadFile(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void WriteFile(const fs::path& path, std::string_view text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

std::string ToHex(ByteSpan bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const auto value = std::to_integer<std::size_t>(bytes[i]);
    hex += kDigits[value >> 4];
    hex += kDigits[value & 15];
    hex += i % 32 == 31 ? "\n" : "";
  }
  return hex + "\n";
}

std::vector<std::byte> FromHex(const std::string& hex) {
  std::string digits = hex;
  std::erase_if(digits, [](char c) { return c == '\n' || c == ' '; });
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    bytes.push_back(static_cast<std::byte>(std::strtoul(digits.substr(i, 2).c_str(), nullptr, 16)));
  }
  return bytes;
}

std::vector<std::byte> Encode(const Sample& sample) {
  EnvelopeWriter writer;
  const auto [type, body] = sample.body(writer.Begin());
  const auto message = writer.FinishUnion(kHeader, type, body);
  return {message->begin(), message->end()};
}

// The contents by today's schema, defaults left out.
std::string ToJson(ByteSpan message) {
  EnvelopeReader reader;
  if (!reader.Read(message)) {
    return "rejected";
  }
  flatbuffers::Parser parser;
  parser.opts.strict_json = true;
  const std::string schema_text = ReadFile(fs::path(SLIPWAY_SOURCE_DIR) / "schemas/link.fbs");
  EXPECT_TRUE(parser.Parse(schema_text.c_str())) << parser.error_;
  // An aligned copy: the text generator reads in place.
  std::vector<std::uint64_t> aligned((message.size() - kChecksumBytes + 7) / 8);
  std::memcpy(aligned.data(), message.data() + kChecksumBytes, message.size() - kChecksumBytes);
  std::string json;
  EXPECT_TRUE(flatbuffers::GenerateText(parser, aligned.data(), &json));
  return json;
}

void Record(const fs::path& version) {
  for (const Sample& sample : Samples()) {
    const std::vector<std::byte> message = Encode(sample);
    const std::string name(sample.name);
    WriteFile(version / (name + ".hex"), ToHex(message));
    WriteFile(version / (name + ".expect"), ToJson(message));
    // The fuzz target's form: receiver, length, envelope without checksum.
    const std::size_t size = message.size() - kChecksumBytes;
    std::string seed = {static_cast<char>(sample.to_region ? 0 : 1), static_cast<char>(size & 0xFF),
                        static_cast<char>(size >> 8)};
    seed.append(reinterpret_cast<const char*>(message.data()) + kChecksumBytes, size);
    WriteFile(kCorpus / (name + ".bin"), seed);
  }
}

TEST(LinkVectorTest, SamplesOfEveryVersionAreReadAsTheyWereMeant) {
  if (const char* version = std::getenv("SLIPWAY_RECORD_VECTORS")) {
    Record(kRoot / version);
  }
  std::size_t seen = 0;
  for (const auto& entry : fs::recursive_directory_iterator(kRoot)) {
    if (entry.path().extension() != ".hex") {
      continue;
    }
    SCOPED_TRACE(entry.path().string());
    const std::vector<std::byte> message = FromHex(ReadFile(entry.path()));
    EXPECT_EQ(ToJson(message), ReadFile(fs::path(entry.path()).replace_extension(".expect")));
    ++seen;
  }
  EXPECT_GE(seen, Samples().size());
}

TEST(LinkVectorTest, TodaysEncoderSaysTheSameThing) {
  for (const Sample& sample : Samples()) {
    SCOPED_TRACE(sample.name);
    const fs::path expect = kToday / (std::string(sample.name) + ".expect");
    EXPECT_EQ(ToJson(Encode(sample)), ReadFile(expect));
  }
}

TEST(LinkVectorTest, EveryKindOfMessageHasASample) {
  std::set<schema::LinkBody> kinds;
  for (const Sample& sample : Samples()) {
    EnvelopeReader reader;
    const std::vector<std::byte> message = Encode(sample);
    const auto envelope = reader.Read(message);
    ASSERT_TRUE(envelope.has_value()) << sample.name;
    kinds.insert((*envelope)->body_type());
  }
  EXPECT_EQ(kinds.size(), static_cast<std::size_t>(schema::LinkBody::MAX));
}

// A peer that is one minor version ahead: the same message under its number.
TEST(LinkVectorTest, SamplesUnderNeighbouringMinorVersionsAreRead) {
  for (const Sample& sample : Samples()) {
    for (const int step : {-1, 1}) {
      EnvelopeWriter writer;
      EnvelopeHeader header = kHeader;
      header.version = static_cast<std::uint16_t>(kProtocolVersion + step);
      const auto [type, body] = sample.body(writer.Begin());
      const auto message = writer.FinishUnion(header, type, body);
      EnvelopeReader reader;
      EXPECT_TRUE(reader.Read(*message).has_value()) << sample.name;
    }
  }
}

}  // namespace
}  // namespace slipway::link::test
