#include "dataplane/lease/address_number.h"

#include <gtest/gtest.h>

namespace slipway::lease {
namespace {

AddressNumber Number(std::string_view text) { return AddressNumber::Of(*IpAddress::Parse(text)); }

NetworkBounds Network(std::string_view text) { return NetworkBounds::Of(*IpPrefix::Parse(text)); }

TEST(AddressNumberTest, GoesThereAndBack) {
  for (const std::string_view text :
       {"0.0.0.0", "10.77.0.1", "255.255.255.255", "::", "::1", "2001:db8::ffff:ffff:ffff:ffff"}) {
    EXPECT_EQ(Number(text).ToAddress(), *IpAddress::Parse(text)) << text;
  }
}

TEST(AddressNumberTest, CountsOverTheMiddle) {
  EXPECT_EQ(Number("2001:db8::ffff:ffff:ffff:ffff").Plus(1), Number("2001:db8:0:1::"));
  EXPECT_EQ(Number("2001:db8:0:1::").Before(), Number("2001:db8::ffff:ffff:ffff:ffff"));
  EXPECT_EQ(Number("2001:db8:0:1::5").Minus(Number("2001:db8::ffff:ffff:ffff:ffff")), 6U);
  EXPECT_EQ(Number("2001:db8:0:2::5").Minus(Number("2001:db8::5")), UINT64_MAX);
  EXPECT_EQ(Number("10.0.1.0").Minus(Number("10.0.0.1")), 255U);
  EXPECT_TRUE(Number("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff").Plus(1).is_zero());
}

TEST(AddressNumberTest, FindsTheEndsOfNetworks) {
  EXPECT_EQ(Network("10.77.0.0/24").first, Number("10.77.0.0"));
  EXPECT_EQ(Network("10.77.0.0/24").last, Number("10.77.0.255"));
  EXPECT_EQ(Network("10.77.0.1/32").last, Number("10.77.0.1"));
  EXPECT_EQ(Network("0.0.0.0/0").last, Number("255.255.255.255"));
  EXPECT_EQ(Network("2001:db8::/64").last, Number("2001:db8::ffff:ffff:ffff:ffff"));
  EXPECT_EQ(Network("2001:db8::/63").last, Number("2001:db8:0:1:ffff:ffff:ffff:ffff"));
  EXPECT_EQ(Network("2001:db8::7/128").last, Number("2001:db8::7"));
}

}  // namespace
}  // namespace slipway::lease
