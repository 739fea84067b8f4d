#include "dataplane/base/address.h"

#include <gtest/gtest.h>

namespace slipway {
namespace {

TEST(MacAddressTest, TextAndNumberGoBothWays) {
  const auto mac = MacAddress::Parse("52:54:00:AB:cd:01");
  ASSERT_TRUE(mac);
  EXPECT_EQ(mac->ToU64(), 0x525400ABCD01U);
  EXPECT_EQ(MacAddress::FromU64(0x525400ABCD01), *mac);
  EXPECT_EQ(ToText(*mac).view(), "52:54:00:ab:cd:01");
  EXPECT_EQ(MacAddress::Parse("52-54-00-ab-cd-01"), mac);
  EXPECT_TRUE(kBroadcastMac.is_multicast());
  EXPECT_TRUE(MacAddress{}.is_zero());
}

TEST(MacAddressTest, OtherTextsAreRefused) {
  for (const char* const text : {"", "52:54:00:ab:cd", "52:54:00:ab:cd:0g", "52:54:00:ab:cd:01:02",
                                 "525400abcd01x", "52:54:00:ab:cd:1 "}) {
    EXPECT_FALSE(MacAddress::Parse(text)) << text;
  }
}

TEST(IpAddressTest, TextGoesBothWays) {
  for (const char* const text : {"10.0.0.1", "255.255.255.255", "2001:db8::1", "::", "fe80::1:2"}) {
    const auto address = IpAddress::Parse(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(ToText(*address).view(), text);
  }
  for (const char* const text : {"", "10.0.0", "10.0.0.256", "1:2", "g::", "10.0.0.1 "}) {
    EXPECT_FALSE(IpAddress::Parse(text)) << text;
  }
}

TEST(IpAddressTest, V4IsKeptMapped) {
  const IpAddress address = Ipv4Address{0x0A000001};
  EXPECT_TRUE(address.is_v4());
  EXPECT_EQ(address.v4().value, 0x0A000001U);
  EXPECT_TRUE(address.is_set());
  EXPECT_FALSE(IpAddress(Ipv4Address{}).is_set());
  EXPECT_FALSE(IpAddress().is_set());
}

TEST(IpPrefixTest, NetworkContainsAndOverlaps) {
  const auto prefix = IpPrefix::Parse("10.1.2.3/16");
  ASSERT_TRUE(prefix);
  EXPECT_EQ(ToText(prefix->Network()).view(), "10.1.0.0/16");
  EXPECT_TRUE(prefix->Contains(*IpAddress::Parse("10.1.255.255")));
  EXPECT_FALSE(prefix->Contains(*IpAddress::Parse("10.2.0.0")));
  EXPECT_FALSE(prefix->Contains(*IpAddress::Parse("2001:db8::1")));
  EXPECT_TRUE(prefix->Overlaps(*IpPrefix::Parse("10.0.0.0/8")));
  EXPECT_FALSE(prefix->Overlaps(*IpPrefix::Parse("10.2.0.0/16")));
  EXPECT_FALSE(IpPrefix::Parse("10.0.0.0/33"));
  EXPECT_FALSE(IpPrefix::Parse("10.0.0.0"));
  EXPECT_EQ(Ipv4Mask(0).value, 0U);
  EXPECT_EQ(Ipv4Mask(24).value, 0xFFFFFF00U);
}

}  // namespace
}  // namespace slipway
