#include "dataplane/dhcp/option_value.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

#include "dataplane/dhcp/domain_names.h"

namespace slipway::dhcp {
namespace {

struct BadValue {
  const char* option;
  const char* text;
  int item;
  int character;
  const char* problem;
};

class OptionValueErrorTest : public testing::TestWithParam<BadValue> {};

TEST_P(OptionValueErrorTest, SaysWhereAndWhy) {
  const BadValue& bad = GetParam();
  std::array<std::byte, limits::kDhcpOptionBytesMax> out{};
  const auto result =
      EncodeOptionValue(Family::kV4, FindOption(Family::kV4, bad.option), bad.text, out);
  ASSERT_FALSE(result) << bad.text;
  EXPECT_EQ(result.error().item, bad.item) << bad.text;
  EXPECT_EQ(result.error().character, bad.character) << bad.text;
  EXPECT_EQ(result.error().problem, bad.problem) << bad.text;
  EXPECT_FALSE(result.error().cure.empty());
}

constexpr BadValue kBadValues[] = {
    {"routers", "", 1, 1, "is empty"},
    {"routers", "10.0.0.1, 10.0.300.2", 2, 18, "is not an IPv4 address"},
    {"routers", "10.0.0.1,, 10.0.0.2", 2, 10, "is empty"},
    {"routers", "10.0.0.1, ", 2, 11, "is empty"},
    {"routers", "10.0.0", 1, 7, "is not an IPv4 address"},
    {"routers", "gateway", 1, 1, "is not an IPv4 address"},
    {"routers", "0.0.0.0", 1, 1, "is nobody's address"},
    {"swap-server", "10.0.0.1, 10.0.0.2", 1, 9, "is not an IPv4 address"},
    {"static-routes", "10.1.0.0 10.0.0.1, 10.2.0.0", 2, 28, "has one address only"},
    {"interface-mtu", "67", 1, 1, "is too small a number"},
    {"interface-mtu", "65536", 1, 1, "is too large a number"},
    {"interface-mtu", "15o0", 1, 3, "is not a number"},
    {"interface-mtu", "", 1, 1, "is not a number"},
    {"default-ip-ttl", "256", 1, 1, "is too large a number"},
    {"time-offset", "-2147483649", 1, 2, "is too large a number"},
    {"time-offset", "2147483648", 1, 1, "is too large a number"},
    {"ip-forwarding", "yes", 1, 1, "is neither true nor false"},
    {"root-path", "a\tb", 1, 2, "is a control character"},
    {"domain-name", "lab_.-x", 1, 6, "is not a domain name"},
    {"domain-search", "a.example, b..example", 2, 14, "is not a domain name"},
    {"domain-search", "a-.example", 1, 2, "is not a domain name"},
    {"classless-static-routes", "10.1.0.0 via 10.0.0.1", 1, 9, "has no width"},
    {"classless-static-routes", "10.1.0.0/33 via 10.0.0.1", 1, 10, "is too large a number"},
    {"classless-static-routes", "10.1.0.1/16 via 10.0.0.1", 1, 1, "has bits beyond its width"},
    {"classless-static-routes", "10.1.0.0/16", 1, 12, "has no router"},
    {"classless-static-routes", "10.1.0.0/16 via x", 1, 17, "is not an IPv4 address"},
    {"vendor-encapsulated-options", "6", 1, 2, "has no value"},
    {"vendor-encapsulated-options", "6=u8:1, 255=u8:1", 2, 9, "is too large a number"},
    {"vendor-encapsulated-options", "0=u8:1", 1, 1, "is too small a number"},
    {"vendor-encapsulated-options", "6=u8:1, 6=u8:2", 2, 9, "has a code that is there already"},
    {"vendor-encapsulated-options", "6=u8:256", 1, 6, "is too large a number"},
    {"vendor-encapsulated-options", "6=0x1", 1, 6, "is not a hexadecimal digit"},
    {"vendor-encapsulated-options", "6=abc", 1, 3, "is nothing that can be encoded"},
    {"vendor-encapsulated-options", "6=\"abc", 1, 7, "has no closing quote"},
    {"vendor-encapsulated-options", "6=\"a\"b", 1, 6, "comes after the closing quote"},
    {"vendor-identifying-options", "1=\"x\"", 1, 6, "has no enterprise number"},
    {"vendor-identifying-options", "9: 1=\"x\"; 311:", 2, 15, "is empty"},
    {"pxelinux-magic", "0xf10074", 1, 9, "is shorter than the option must be"},
    {"pxelinux-magic", "0xf100747e00", 1, 13, "is longer than the option may be"},
    {"no-such-option", "0xzz", 1, 3, "is not a hexadecimal digit"},
    {"no-such-option", "", 1, 1, "is empty"},
};

INSTANTIATE_TEST_SUITE_P(Texts, OptionValueErrorTest, testing::ValuesIn(kBadValues));

TEST(OptionValueTest, TextLongerThanTheOptionIsRefused) {
  std::array<std::byte, limits::kDhcpOptionBytesMax> out{};
  const OptionRow* row = FindOption(Family::kV4, "root-path");
  EXPECT_TRUE(EncodeOptionValue(Family::kV4, row, std::string(1024, 'x'), out));
  const auto longer = EncodeOptionValue(Family::kV4, row, std::string(1025, 'x'), out);
  ASSERT_FALSE(longer);
  EXPECT_EQ(longer.error().problem, "is longer than the option may be");
}

TEST(OptionValueTest, BytesThatAreNoValueAreMalformed) {
  std::array<char, kOptionTextBytesMax> text{};
  const auto format = [&](const char* option, std::initializer_list<int> bytes) {
    std::vector<std::byte> value;
    for (const int byte : bytes) {
      value.push_back(static_cast<std::byte>(byte));
    }
    return FormatOptionValue(Family::kV4, FindOption(Family::kV4, option), value, text).has_value();
  };
  EXPECT_TRUE(format("routers", {10, 0, 0, 1}));
  EXPECT_FALSE(format("routers", {10, 0, 0}));
  EXPECT_FALSE(format("routers", {}));
  EXPECT_FALSE(format("routers", {10, 0, 0, 1, 10}));
  EXPECT_FALSE(format("ip-forwarding", {2}));
  EXPECT_FALSE(format("classless-static-routes", {33, 10, 0, 0, 0, 1, 10, 0, 0, 1}));
  EXPECT_FALSE(format("classless-static-routes", {8, 10, 10, 0, 0}));
  EXPECT_FALSE(format("domain-search", {1, 'a', 0xC0, 0}));     // a pointer to itself
  EXPECT_FALSE(format("domain-search", {1, 'a', 0xC0, 9, 0}));  // ahead
  EXPECT_FALSE(format("domain-search", {5, 'a', 0}));
  EXPECT_FALSE(format("vendor-encapsulated-options", {6, 2, 8}));
}

TEST(OptionValueTest, TextThatDoesNotFitIsNotCut) {
  std::array<char, 8> text{};
  const OptionRow* row = FindOption(Family::kV4, "root-path");
  EXPECT_EQ(FormatOptionValue(Family::kV4, row, AsBytes("0123456789"), text).error().code,
            ErrorCode::kTooLarge);
}

TEST(DomainNamesTest, PointersMustLeadBackwards) {
  const std::array<std::byte, 6> data = {std::byte{0}, std::byte{1},    std::byte{'a'},
                                         std::byte{0}, std::byte{0xC0}, std::byte{1}};
  std::size_t at = 4;
  NameText name;
  EXPECT_TRUE(ReadName(data, at, name));
  EXPECT_EQ(name, "a");
  EXPECT_EQ(at, 6U);
}

}  // namespace
}  // namespace slipway::dhcp
