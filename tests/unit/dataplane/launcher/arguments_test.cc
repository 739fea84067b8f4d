#include "dataplane/launcher/arguments.h"

#include <gtest/gtest.h>

namespace slipway::launcher {
namespace {

TEST(ArgumentsTest, ReadsWhatTheRackWrites) {
  const Arguments arguments = ParseCommandLine(
      "initrd=initrd.zst console=ttyS0 BOOTIF=01-52-54-00-12-34-56 "
      "slipway.rack=http://10.77.0.1:5248 slipway.token=abc.DEF-9_ slipway.after=poweroff\n");
  ASSERT_TRUE(arguments.boot_mac.has_value());
  EXPECT_EQ(ToText(*arguments.boot_mac).view(), "52:54:00:12:34:56");
  ASSERT_TRUE(arguments.rack.has_value());
  EXPECT_EQ(ToText(arguments.rack->host).view(), "10.77.0.1");
  EXPECT_EQ(arguments.rack->port, 5248);
  EXPECT_EQ(arguments.token, "abc.DEF-9_");
  EXPECT_EQ(arguments.after, After::kPowerOff);
  EXPECT_EQ(arguments.complaint, "");
}

TEST(ArgumentsTest, WaitsWhenNotToldOtherwise) {
  const Arguments arguments = ParseCommandLine("");
  EXPECT_EQ(arguments.after, After::kWait);
  EXPECT_FALSE(arguments.boot_mac.has_value());
  EXPECT_FALSE(arguments.rack.has_value());
}

TEST(ArgumentsTest, NamesTheFirstValueThatMakesNoSense) {
  const Arguments arguments =
      ParseCommandLine("BOOTIF=01-52-54 slipway.after=explode slipway.rack=ftp://10.0.0.1");
  EXPECT_EQ(arguments.complaint, "BOOTIF");
  EXPECT_FALSE(arguments.boot_mac.has_value());
  EXPECT_EQ(arguments.after, After::kWait);
}

TEST(ArgumentsTest, LeavesForeignWordsAlone) {
  const Arguments arguments =
      ParseCommandLine("quiet foo=\"a slipway.token=inside b\" slipway.token=outside ---");
  EXPECT_EQ(arguments.token, "outside");
  EXPECT_EQ(arguments.complaint, "");
}

TEST(ArgumentsTest, UrlNeedsAnAddressAndAPort) {
  const Result<HttpTarget> v6 = ParseHttpUrl("http://[fe80::1]:80/base");
  ASSERT_TRUE(v6.has_value());
  EXPECT_EQ(v6->path, "/base");
  EXPECT_EQ(v6->authority, "[fe80::1]:80");
  EXPECT_EQ(ParseHttpUrl("http://10.0.0.1")->port, 80);
  EXPECT_EQ(ParseHttpUrl("http://rack.example").error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(ParseHttpUrl("https://10.0.0.1").error().code, ErrorCode::kUnsupported);
  for (const char* const wrong : {"http://10.0.0.1:", "http://10.0.0.1:0", "http://10.0.0.1:70000",
                                  "http://10.0.0.1:80x", "http://[::1"}) {
    EXPECT_EQ(ParseHttpUrl(wrong).error().code, ErrorCode::kMalformed) << wrong;
  }
}

}  // namespace
}  // namespace slipway::launcher
