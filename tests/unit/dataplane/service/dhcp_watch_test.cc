#include "dataplane/service/dhcp_watch.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/support/dhcp_lab.h"

namespace slipway::service {
namespace {

using test::V4;

class Reports final : public EventSink {
 public:
  void Report(EventCode code, std::string_view subject, std::string_view detail) override {
    lines.push_back(std::string(ToString(code)) + " " + std::string(subject) + " " +
                    std::string(detail));
  }

  std::vector<std::string> lines;
};

lease::PoolCounts Used(std::uint32_t bound, std::uint32_t size = 100) {
  return {.size = size, .free = size - bound, .bound = bound};
}

TEST(DhcpWatchTest, LevelsHaveHysteresis) {
  EXPECT_EQ(NextLevel(PoolLevel::kFine, Used(79)), PoolLevel::kFine);
  EXPECT_EQ(NextLevel(PoolLevel::kFine, Used(80)), PoolLevel::kFilling);
  EXPECT_EQ(NextLevel(PoolLevel::kFilling, Used(75)), PoolLevel::kFilling);
  EXPECT_EQ(NextLevel(PoolLevel::kFilling, Used(74)), PoolLevel::kFine);
  EXPECT_EQ(NextLevel(PoolLevel::kFine, Used(95)), PoolLevel::kNearlyFull);
  EXPECT_EQ(NextLevel(PoolLevel::kNearlyFull, Used(100)), PoolLevel::kExhausted);
  EXPECT_EQ(NextLevel(PoolLevel::kExhausted, Used(98)), PoolLevel::kExhausted);
  EXPECT_EQ(NextLevel(PoolLevel::kExhausted, Used(97)), PoolLevel::kNearlyFull);
  EXPECT_EQ(NextLevel(PoolLevel::kExhausted, Used(10)), PoolLevel::kFine);
  EXPECT_EQ(NextLevel(PoolLevel::kFilling, lease::PoolCounts{}), PoolLevel::kFine);
}

TEST(DhcpWatchTest, APoolThatFillsUpIsToldOncePerLevel) {
  test::BootLab records;
  records.range.last = Ipv4Address{records.range.first.v4().value + 9};
  test::DhcpLab lab(records.AddNetwork().AddImages().Finish());
  Reports reports;
  DhcpWatch watch(&reports, &lab.table);
  for (std::uint64_t i = 0; i < 8; ++i) {
    ASSERT_FALSE(lab.Dora(MacAddress::FromU64(0x0200'0000'0000 + i)).is_any());
    watch.LookAtPools(*lab.snapshot, 16);
  }
  watch.LookAtPools(*lab.snapshot, 16);
  ASSERT_EQ(reports.lines.size(), 1U);
  EXPECT_EQ(reports.lines[0],
            "pool-usage 10.77.0.0/24 filling: 8 of 10 used (bound 8, offered 0, quarantined 0)");
}

TEST(DhcpWatchTest, AForeignServerIsToldOncePerHourAndInterface) {
  test::DhcpLab lab;
  Reports reports;
  DhcpWatch watch(&reports, &lab.table);
  ServedLink link;
  link.name = InterfaceName("eth1");
  const auto hear = [&](std::uint32_t ifindex, std::int64_t seconds) {
    const Instant now = Instant{} + Duration::Seconds(seconds);
    const bool news = watch.OnForeignServer({.server = V4("10.77.0.66"),
                                             .source = V4("10.77.0.66"),
                                             .offered = V4("10.77.0.200"),
                                             .relay = {},
                                             .ifindex = ifindex,
                                             .link = &link},
                                            now);
    watch.TellWaiting(now + Duration::Millis(500));
    watch.TellWaiting(now + kMacWait);
    return news;
  };
  hear(2, 1);
  hear(2, 3000);
  ASSERT_EQ(reports.lines.size(), 1U);
  EXPECT_EQ(reports.lines[0],
            "foreign-dhcp-server 10.77.0.66 on eth1, from 10.77.0.66, offers 10.77.0.200");
  hear(3, 3000);
  EXPECT_EQ(reports.lines.size(), 2U);
  hear(2, 3601);
  EXPECT_EQ(reports.lines.size(), 3U);
  for (std::uint32_t ifindex = 10; ifindex < 200; ++ifindex) {
    hear(ifindex, 3700);
  }
  EXPECT_EQ(reports.lines.size(), 193U);
}

TEST(DhcpWatchTest, AForeignServersMacIsToldIfItAnswers) {
  test::DhcpLab lab;
  Reports reports;
  DhcpWatch watch(&reports, &lab.table);
  ServedLink link;
  link.name = InterfaceName("eth1");
  const MacAddress mac{{0x52, 0x54, 0, 0, 0, 9}};
  ASSERT_TRUE(watch.OnForeignServer({.server = V4("10.77.0.66"),
                                     .source = V4("10.77.0.66"),
                                     .offered = {},
                                     .relay = {},
                                     .ifindex = 2,
                                     .link = &link},
                                    Instant{} + Duration::Seconds(1)));
  watch.OnMac(V4("10.77.0.67"), mac, 2);
  watch.OnMac(V4("10.77.0.66"), mac, 3);
  EXPECT_TRUE(reports.lines.empty());
  watch.OnMac(V4("10.77.0.66"), mac, 2);
  watch.OnMac(V4("10.77.0.66"), mac, 2);
  watch.TellWaiting(Instant{} + Duration::Seconds(9));
  ASSERT_EQ(reports.lines.size(), 1U);
  EXPECT_EQ(reports.lines[0],
            "foreign-dhcp-server 10.77.0.66 on eth1, from 10.77.0.66, MAC 52:54:00:00:00:09");
}

}  // namespace
}  // namespace slipway::service
