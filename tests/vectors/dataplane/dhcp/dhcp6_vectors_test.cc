// Each tests/vectors/dhcp6/<case>.hex is a client's or relay's message; <case>.expect says how it
// is decoded and what the standard test rack answers, byte for byte; those named options-... meet
// one whose operators have set options. SLIPWAY_RECORD_VECTORS=1
// writes the .expect files anew: review the difference.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "dataplane/dhcp/option_value.h"
#include "tests/support/dhcp6_lab.h"

namespace slipway::dhcp {
namespace {

constexpr const char* kFolder = SLIPWAY_SOURCE_DIR "/tests/vectors/dhcp6/";

std::string Hex(ByteSpan bytes) {
  std::string text;
  for (const std::byte byte : bytes) {
    std::array<char, 3> digits{};
    (void)std::snprintf(digits.data(), digits.size(), "%02x", std::to_integer<unsigned>(byte));
    text += digits.data();
  }
  return text;
}

std::string Text(const IpAddress& address) { return std::string(ToText(address).view()); }

std::string Describe(const Message6& message) {
  std::string text;
  for (const RelayHop& hop : message.relays) {
    text += std::string(hop.forward ? "relay-forward" : "relay-reply") + " hops " +
            std::to_string(hop.hops) + " link " + Text(hop.link) + " peer " + Text(hop.peer) +
            (hop.has_interface_id ? " interface id " + Hex(hop.interface_id) : "") +
            (hop.remote_id.empty() ? "" : " remote id " + Hex(hop.remote_id)) +
            (hop.client_address.empty() ? "" : " client " + Hex(hop.client_address)) +
            (hop.has_port ? " port " + std::to_string(hop.port) : "") + "\n";
  }
  text += std::string(ToString(message.type)) + " xid " + std::to_string(message.xid) + "\n";
  for (const Ia& ia : message.ias) {
    text += std::string(FindOption(Family::kV6, static_cast<std::uint16_t>(ia.type))->name) + " " +
            std::to_string(ia.iaid) + " T1 " + std::to_string(ia.t1) + " T2 " +
            std::to_string(ia.t2) + " status " + std::to_string(static_cast<int>(ia.status));
    for (const Ipv6Address& address : ia.addresses) {
      text += " " + Text(address);
    }
    text += " for " + std::to_string(ia.valid_seconds) + "\n";
  }
  for (const OptionRow& row : OptionTable(Family::kV6)) {
    const auto option = static_cast<Option6>(row.code);
    if (message.Has(option)) {
      text += "option " + std::to_string(row.code) + " " + std::string(row.name) + ": " +
              Hex(message.Get(option)) + "\n";
    }
  }
  return text;
}

config::SnapshotRef RackWithOptions() {
  test::BootLab lab;
  test::Dhcp6Lab::AddNetworks(lab);
  config::RecordId id = 1;
  const auto set = [&](config::OptionScope scope, config::RecordId of, std::uint16_t code,
                       std::string_view text, bool always = false) {
    std::array<std::byte, limits::kDhcpOptionBytesMax> value{};
    const auto size = EncodeOptionValue(Family::kV6, FindOption(Family::kV6, code), text, value);
    lab.Put(config::DhcpOptionRecord{.id = id++,
                                     .scope = scope,
                                     .of = of,
                                     .family = Family::kV6,
                                     .code = code,
                                     .always = always,
                                     .value = ByteSpan(value).first(size.value_or(0))});
  };
  config::DhcpClassRecord port;
  port.id = 700;
  port.name = std::string_view("port");
  for (const char c : std::string_view("eth0")) {
    (void)port.circuit_id.push_back(static_cast<std::byte>(c));
  }
  lab.Put(port);
  using enum config::OptionScope;
  set(kGlobal, 0, 41, "CET-1CEST");
  set(kGlobal, 0, 64, "aftr.rack.test", true);
  set(kVlan, test::kVlan, 56, "2001:db8:77::7, ntp.rack.test");
  set(kSubnet, test::kSubnet6, 23, "2001:db8:77::8, 2001:db8:77::9");
  set(kSubnet, test::kSubnet6, 60, "\"root=/dev/vda\", \"quiet\"");
  set(kRange, test::kRange6, 17, "42623: 1=\"http://[2001:db8:77::1]/onie\"");
  set(kClass, 700, 300, "0x0102ff");
  return lab.Finish();
}

std::string Answer(test::Dhcp6Lab& lab, const std::vector<std::byte>& packet) {
  auto request = std::make_unique<Message6>();
  std::string text = "# decoded\n";
  const Result<void> decoded = Decode6(packet, *request);
  text += decoded ? Describe(*request) : std::string(ToString(decoded.error().code)) + "\n";
  if (decoded && request->relayed()) {
    lab.context.source = test::V6("2001:db8:88::1");
    lab.context.source_port = kServerPort6;
    lab.context.destination = test::kRack6;
  }
  const Reason6 reason = lab.Handle(packet);
  const Reply6& reply = lab.effects.reply;
  text += "# answered\nreason " + std::string(ToString(reason)) + "\n";
  if (reply.bytes == 0) {
    return text;
  }
  text += "sent from " + Text(reply.source) + " to " + Text(reply.address) + " port " +
          std::to_string(reply.port) + (reply.wait_durable ? " once durable" : "") + "\n";
  text += Describe(lab.Reply()) + "# bytes\n";
  std::string hex = Hex(lab.ReplyBytes());
  for (; hex.size() > 64; hex.erase(0, 64)) {
    text += hex.substr(0, 64) + "\n";
  }
  return text + hex + "\n";
}

class Dhcp6VectorsTest : public testing::TestWithParam<std::string> {};

TEST_P(Dhcp6VectorsTest, IsDecodedAndAnsweredAsRecorded) {
  const std::string base = kFolder + GetParam();
  const std::vector<std::byte> packet = test::ReadHex(base + ".hex");
  ASSERT_FALSE(packet.empty());
  test::Dhcp6Lab lab;
  if (GetParam().starts_with("options-")) {
    lab.Use(RackWithOptions());
  }
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
  for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
    if (entry.path().extension() == ".hex") {
      cases.push_back(entry.path().stem().string());
    }
  }
  std::sort(cases.begin(), cases.end());
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Messages, Dhcp6VectorsTest, testing::ValuesIn(Cases()),
                         [](const testing::TestParamInfo<std::string>& tested) {
                           std::string name = tested.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace slipway::dhcp
