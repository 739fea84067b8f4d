#include "dataplane/http/date.h"

#include <gtest/gtest.h>

namespace slipway::http {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

TEST(HttpDateTest, KnownDates) {
  EXPECT_EQ(FormatDate({0}).view(), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(FormatDate({784'111'777 * kSecond}).view(), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(FormatDate({951'782'400 * kSecond}).view(), "Tue, 29 Feb 2000 00:00:00 GMT");
  EXPECT_EQ(FormatDate({4'107'542'399 * kSecond}).view(), "Sun, 28 Feb 2100 23:59:59 GMT");
  EXPECT_EQ(FormatDate({4'107'542'400 * kSecond}).view(), "Mon, 01 Mar 2100 00:00:00 GMT");
}

TEST(HttpDateTest, ParsesWhatItFormats) {
  for (std::int64_t seconds = 0; seconds < 5'000'000'000; seconds += 86'399 * 7) {
    const WallTime time{seconds * kSecond};
    EXPECT_EQ(ParseDate(FormatDate(time).view()), time);
  }
}

TEST(HttpDateTest, OtherFormsGiveNoValue) {
  for (const auto text : {"", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
                          "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 06 Xxx 1994 08:49:37 GMT",
                          "Sun, 06 anF 1994 08:49:37 GMT", "Sun, 32 Nov 1994 08:49:37 GMT",
                          "Sun, 06 Nov 1994 24:49:37 GMT", "Sun, 06 Nov 9999 08:49:37 GMT"}) {
    EXPECT_FALSE(ParseDate(text)) << text;
  }
}

}  // namespace
}  // namespace slipway::http
