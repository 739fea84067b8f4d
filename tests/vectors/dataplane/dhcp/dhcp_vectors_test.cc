// Each tests/vectors/dhcp/<case>.hex is a client's message; <case>.expect says how it is decoded
// and what the standard test rack answers, byte for byte. SLIPWAY_RECORD_VECTORS=1 writes the
// .expect files anew: review the difference.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "dataplane/net/frame.h"
#include "tests/support/dhcp_lab.h"

namespace slipway::dhcp {
namespace {

std::string Hex(ByteSpan bytes) {
  std::string text;
  std::size_t column = 0;
  for (const std::byte byte : bytes) {
    std::array<char, 3> digits{};
    (void)std::snprintf(digits.data(), digits.size(), "%02x", std::to_integer<unsigned>(byte));
    text += digits.data();
    text += ++column % 32 == 0 ? "\n" : "";
  }
  return column % 32 == 0 ? text : text + "\n";
}

std::string Printable(ByteSpan bytes) {
  std::string text;
  for (const std::byte byte : bytes) {
    const auto c = std::to_integer<char>(byte);
    text += c >= ' ' && c < '\x7F' ? std::string(1, c) : std::string(".");
  }
  return text;
}

std::string Describe(const Message& message) {
  std::string text = "op " + std::to_string(message.op) + " type " +
                     std::to_string(static_cast<int>(message.type)) + " mac " +
                     std::string(ToText(message.mac()).view()) + " flags " +
                     std::to_string(message.flags) + "\nciaddr " +
                     std::string(ToText(message.ciaddr).view()) + " yiaddr " +
                     std::string(ToText(message.yiaddr).view()) + " siaddr " +
                     std::string(ToText(message.siaddr).view()) + " giaddr " +
                     std::string(ToText(message.giaddr).view()) + "\n";
  if (!message.file.empty()) {
    text += "file " + Printable(message.file) + "\n";
  }
  for (const OptionRow& row : OptionTable(Family::kV4)) {
    const auto option = static_cast<Option>(row.code);
    if (message.Has(option)) {
      text += "option " + std::to_string(row.code) + " " + std::string(row.name) + ": " +
              Printable(message.Get(option)) + "\n";
    }
  }
  return text;
}

std::string Answer(test::DhcpLab& lab, const std::vector<std::byte>& packet) {
  Message request;
  std::string text = "# decoded\n";
  const Result<void> decoded = Decode(packet, request);
  text += decoded ? Describe(request) : std::string(ToString(decoded.error().code)) + "\n";
  const Reason reason = lab.Handle(packet);
  const Reply& reply = lab.effects.reply;
  text += "# answered\nreason " + std::string(ToString(reason)) + "\n";
  if (reply.delivery == Delivery::kNone) {
    return text;
  }
  text += std::string("sent as ") + (reply.delivery == Delivery::kFrame ? "frame" : "datagram") +
          " to " + std::string(ToText(reply.mac).view()) + " " +
          std::string(ToText(reply.address).view()) + " port " + std::to_string(reply.port) +
          (reply.wait_durable ? " once durable" : "") + "\n";
  text += Describe(lab.Reply()) + "# bytes\n" + Hex(lab.ReplyBytes());
  return text;
}

class DhcpVectorsTest : public testing::TestWithParam<std::string> {};

TEST_P(DhcpVectorsTest, IsDecodedAndAnsweredAsRecorded) {
  const std::string base = std::string(SLIPWAY_SOURCE_DIR "/tests/vectors/dhcp/") + GetParam();
  const std::vector<std::byte> packet = test::ReadHex(base + ".hex");
  ASSERT_FALSE(packet.empty());
  test::DhcpLab lab;
  const std::string text = Answer(lab, packet);
  if (std::getenv("SLIPWAY_RECORD_VECTORS") != nullptr) {
    std::ofstream(base + ".expect") << text;
  }
  std::ifstream in(base + ".expect");
  const std::string expected{std::istreambuf_iterator<char>(in), {}};
  EXPECT_EQ(text, expected);
}

std::vector<std::string> Cases() {
  std::vector<std::string> cases;
  for (const auto& entry :
       std::filesystem::directory_iterator(SLIPWAY_SOURCE_DIR "/tests/vectors/dhcp")) {
    if (entry.path().extension() == ".hex") {
      cases.push_back(entry.path().stem().string());
    }
  }
  std::sort(cases.begin(), cases.end());
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Captures, DhcpVectorsTest, testing::ValuesIn(Cases()),
                         [](const testing::TestParamInfo<std::string>& tested) {
                           std::string name = tested.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace slipway::dhcp
