// Random values of every row of the option table: their text and their bytes agree.
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "dataplane/base/random.h"
#include "dataplane/dhcp/option_value.h"
#include "tests/support/seed.h"

namespace slipway::dhcp {
namespace {

using enum OptionType;

class TextMaker {
 public:
  TextMaker(Random& random, Family family) : random_(random), family_(family) {}

  std::string Value(const OptionRow& row);

 private:
  std::string List(std::string (TextMaker::*item)()) {
    std::string text = (this->*item)();
    for (std::uint64_t more = random_.Below(4); more > 0; --more) {
      text += random_.Below(2) == 0 ? ", " : ",";
      text += (this->*item)();
    }
    return text;
  }

  std::string Number(std::uint64_t min, std::uint64_t max) {
    return std::to_string(min + random_.Below(max - min + 1));
  }

  std::string V4() {
    return std::string(ToText(Ipv4Address{static_cast<std::uint32_t>(random_.U64()) | 1}).view());
  }

  std::string Address() {
    if (family_ == Family::kV4) {
      return V4();
    }
    Ipv6Address address;
    for (std::uint8_t& octet : address.octets) {
      octet = static_cast<std::uint8_t>(random_.Below(4) == 0 ? random_.Below(256) : 0);
    }
    address.octets[15] |= 1;
    return std::string(ToText(address).view());
  }

  std::string Pair() { return Address() + " " + Address(); }

  std::string U16() { return Number(0, 65'535); }

  std::string Characters(std::string_view from, std::uint64_t min, std::uint64_t max) {
    std::string text;
    for (std::uint64_t left = min + random_.Below(max - min + 1); left > 0; --left) {
      text += from[random_.Below(from.size())];
    }
    return text;
  }

  std::string Text() { return Characters("abcXYZ019-./:_ \"\\,;=", 1, 40); }

  std::string Quoted() {
    std::string text = "\"";
    for (const char c : Text()) {
      text += c == '"' || c == '\\' ? "\\" : "";
      text += c;
    }
    return text + "\"";
  }

  std::string Domain() {
    std::string name = Characters("ab_1", 1, 20);
    for (std::uint64_t more = random_.Below(4); more > 0; --more) {
      name += "." + Characters("abc", 1, 2);
    }
    return name;
  }

  std::string Route() {
    const std::uint64_t bits = random_.Below(33);
    const Ipv4Address network{static_cast<std::uint32_t>(random_.U64()) &
                              Ipv4Mask(static_cast<std::uint8_t>(bits)).value};
    return std::string(ToText(network).view()) + "/" + std::to_string(bits) + " via " + V4();
  }

  std::string NtpServer() { return random_.Below(2) == 0 ? Address() : Domain(); }

  std::string Hex() { return "0x" + Characters("0123456789abcdef", 4, 4); }

  std::string Blob() {
    switch (random_.Below(4)) {
      case 0:
        return Quoted();
      case 1:
        return Hex();
      case 2:
        return "u16:" + U16();
      default:
        return Address();
    }
  }

  std::string SubOptions() {
    std::string text;
    for (std::uint64_t code = 1 + random_.Below(60); code < 250; code += 1 + random_.Below(90)) {
      text += (text.empty() ? "" : ", ") + std::to_string(code) + "=" + Blob();
    }
    return text;
  }

  std::string Vendor(OptionType type) {
    const std::string content = type == kVendorOptions ? SubOptions() : Blob();
    return Number(0, UINT32_MAX) + ": " + content;
  }

  Random& random_;
  const Family family_;
};

std::string TextMaker::Value(const OptionRow& row) {
  const std::uint64_t max = row.value_max;
  switch (row.type) {
    case kNone:
      return "";
    case kAddress:
      return Address();
    case kAddresses:
      return List(&TextMaker::Address);
    case kAddressPairs:
      return List(&TextMaker::Pair);
    case kU8:
      return Number(row.value_min, std::min<std::uint64_t>(max, 255));
    case kU16:
      return Number(row.value_min, std::min<std::uint64_t>(max, 65'535));
    case kU32:
      return Number(row.value_min, max);
    case kI32:
      return (random_.Below(2) == 0 ? "-" : "") + Number(0, INT32_MAX);
    case kU16s:
      return List(&TextMaker::U16);
    case kBool:
      return random_.Below(2) == 0 ? "true" : "false";
    case kText:
      return Text();
    case kTexts:
      return List(&TextMaker::Quoted);
    case kDomainText:
    case kDomain:
      return Domain();
    case kDomains:
    case kDomainSearch:
      return List(&TextMaker::Domain);
    case kRoutes:
      return List(&TextMaker::Route);
    case kNtp:
      return List(&TextMaker::NtpServer);
    case kSubOptions:
      return SubOptions();
    case kVendorClass:
    case kVendorOptions:
      return Vendor(row.type) +
             (family_ == Family::kV4 && random_.Below(2) == 0 ? "; " + Vendor(row.type) : "");
    case kRelayEcho:
    case kBytes:
      return Hex();
  }
  return "";
}

TEST(OptionPropertyTest, TextAndBytesAgree) {
  SeededRandom random(test::TestSeed(3));
  std::size_t encoded_values = 0;
  for (const Family family : {Family::kV4, Family::kV6}) {
    TextMaker maker(random, family);
    for (const OptionRow& row : OptionTable(family)) {
      for (int run = 0; run < 40 && row.settable(); ++run) {
        const std::string text = maker.Value(row);
        std::array<std::byte, limits::kDhcpOptionBytesMax> bytes{};
        const auto encoded = EncodeOptionValue(family, &row, text, bytes);
        if (!encoded && (encoded.error().problem.find("than the option") != std::string::npos ||
                         encoded.error().problem.find("255 bytes") != std::string::npos)) {
          continue;
        }
        ASSERT_TRUE(encoded) << row.name << ": " << text << ": " << encoded.error().problem
                             << " at " << encoded.error().character;
        ASSERT_GE(*encoded, row.length_min);
        ASSERT_LE(*encoded, row.length_max);
        std::array<char, kOptionTextBytesMax> shown{};
        const auto formatted =
            FormatOptionValue(family, &row, std::span(bytes).first(*encoded), shown);
        ASSERT_TRUE(formatted) << row.name << ": " << text;
        std::array<std::byte, limits::kDhcpOptionBytesMax> again{};
        const auto size =
            EncodeOptionValue(family, &row, std::string_view(shown.data(), *formatted), again);
        ASSERT_TRUE(size) << row.name << ": " << std::string_view(shown.data(), *formatted);
        ASSERT_EQ(*size, *encoded);
        ASSERT_EQ(again, bytes) << row.name << ": " << text;
        ++encoded_values;
      }
    }
  }
  EXPECT_GT(encoded_values, 3'000U);
}

TEST(OptionPropertyTest, AnyBytesAreShownOrRefused) {
  SeededRandom random(test::TestSeed(4));
  for (int run = 0; run < 50'000; ++run) {
    const Family family = random.Below(2) == 0 ? Family::kV4 : Family::kV6;
    const auto table = OptionTable(family);
    const OptionRow& row = table[random.Below(table.size())];
    std::vector<std::byte> value(random.Below(40));
    for (std::byte& byte : value) {
      byte = static_cast<std::byte>(random.Below(random.Below(2) == 0 ? 256 : 8));
    }
    std::array<char, kOptionTextBytesMax> shown{};
    const auto formatted = FormatOptionValue(family, &row, value, shown);
    if (!formatted) {
      EXPECT_EQ(formatted.error().code, ErrorCode::kMalformed);
    }
  }
}

}  // namespace
}  // namespace slipway::dhcp
