// Both ends over real ZeroMQ and CURVE on loopback, ports discovered: what good racks do.
#include <gtest/gtest.h>

#include "tests/netns/controlplane/link/ends.h"

namespace slipway::region_link::test {
namespace {

Records SomeRecords(std::size_t count, std::size_t body_bytes) {
  Records records;
  for (std::size_t i = 1; i <= count; ++i) {
    records[{static_cast<std::uint8_t>(1 + i % 7), i}] =
        std::string(body_bytes, static_cast<char>('a' + i % 26));
  }
  return records;
}

TEST(LinkExchangeTest, NewRackEnrolsAndGetsSnapshotAndDelta) {
  TestRegion region;
  region.Publish(SomeRecords(1000, 40));
  TestRack rack(region.Token(11));
  ASSERT_TRUE(Eventually([&] { return rack.end->up(); }));
  EXPECT_EQ(rack.end->rack(), 1U);
  ASSERT_TRUE(Eventually([&] { return rack.records() == SomeRecords(1000, 40); }));
  Records changed = SomeRecords(1000, 40);
  changed.erase(changed.begin());
  changed[{3, 5000}] = "new";
  region.Publish(changed);
  ASSERT_TRUE(Eventually([&] { return rack.records() == changed; }));
  EXPECT_TRUE(Eventually([&] {
    return region.owners.With([&](auto& events, auto& snapshots, auto&) {
      return events.live[1] == snapshots.Current(1) && snapshots.deltas == 1;
    });
  }));
  EXPECT_EQ(region.end->counters().link.RejectedTotal(), 0U);
}

TEST(LinkExchangeTest, EndOfTheEnrolmentConnectionLeavesTheNextOneAlone) {
  TestRegion region;
  TestRack rack(region.Token(11));
  ASSERT_TRUE(Eventually([&] { return rack.end->up(); }));
  std::this_thread::sleep_for(std::chrono::milliseconds(500));  // Beyond the region's drop delay.
  int ups = 0;
  rack.Do([&](link::RackLink&, Instant) { ups = rack.observer.ups; });
  EXPECT_EQ(ups, 1);
  EXPECT_TRUE(rack.end->up());
}

TEST(LinkExchangeTest, LargeSnapshotComesInChunksUnderCredit) {
  TestRegion region;
  const Records large = SomeRecords(20'000, 1'000);  // about 20 MB: five times the credit
  region.Publish(large);
  TestRack rack(region.Token(11));
  ASSERT_TRUE(Eventually([&] { return rack.end->up(); }));
  EXPECT_TRUE(Eventually([&] { return rack.records() == large; }, std::chrono::seconds(30)));
  EXPECT_EQ(region.end->counters().link.RejectedTotal(), 0U);
}

TEST(LinkExchangeTest, FactsArriveOnceAndInOrderThroughRestartsOfBothEnds) {
  const link::KeyPair key = link::KeyPair::Generate();
  auto region = std::make_unique<TestRegion>("tcp://127.0.0.1:*", 32, key);
  const std::string endpoint = region->end->endpoint();
  TestRack rack(region->Token(11));
  ASSERT_TRUE(Eventually([&] { return rack.end->up(); }));
  std::vector<std::string> expected;
  for (int i = 0; i < 500; ++i) {
    expected.push_back("lease " + std::to_string(i));
    rack.Append(link::FactClass::kLease, expected.back());
  }
  const auto stored = [&] {
    return region->owners.With([&](auto&, auto&, auto& facts) {
      return facts.records[{1, link::FactClass::kLease}];
    });
  };
  ASSERT_TRUE(Eventually([&] { return stored() == expected; }));
  // The region's end restarts on the same port; records are made meanwhile.
  region->end->Stop();
  region->end.reset();
  ASSERT_TRUE(Eventually([&] { return !rack.end->up(); }));
  for (int i = 500; i < 600; ++i) {
    expected.push_back("lease " + std::to_string(i));
    rack.Append(link::FactClass::kLease, expected.back());
  }
  auto again = RegionEnd::Create({.bind = endpoint, .key = key, .epoch = 1},
                                 {.directory = &region->directory,
                                  .observer = &region->owners,
                                  .snapshots = &region->owners,
                                  .facts = &region->owners,
                                  .clock = &region->clock,
                                  .random = &region->random});
  ASSERT_TRUE(again.has_value());
  region->end = std::move(*again);
  ASSERT_TRUE(region->end->Start().has_value());
  ASSERT_TRUE(Eventually([&] { return stored() == expected; }));
  // The rack restarts: it is known by its own key, the token in its configuration is used.
  rack.end.reset();
  rack.Begin();
  ASSERT_TRUE(Eventually([&] { return rack.end->up(); }));
  rack.Append(link::FactClass::kLease, "last");
  expected.emplace_back("last");
  EXPECT_TRUE(Eventually([&] { return stored() == expected; }));
}

TEST(LinkExchangeTest, RackMovesToTheNextRegionWithinFiveSeconds) {
  const link::KeyPair key = link::KeyPair::Generate();
  TestRegion first("tcp://127.0.0.1:*", 32, key);
  TestRegion second("tcp://127.0.0.1:*", 32, key);
  TestRack rack(first.Token(11), "rack-a", {first.end->endpoint(), second.end->endpoint()});
  second.directory.AddRack(1, "rack-a", rack.end->public_key());
  ASSERT_TRUE(Eventually([&] { return rack.end->up() && rack.end->rack() == 1; }));
  first.end->Stop();
  EXPECT_TRUE(Eventually([&] { return second.end->counters().racks_up.value() == 1; },
                         std::chrono::seconds(5)));
}

TEST(LinkExchangeTest, QueryIsAnsweredByTheRack) {
  TestRegion region;
  TestRack rack(region.Token(11));
  ASSERT_TRUE(Eventually([&] { return rack.end->up(); }));
  std::mutex mutex;
  std::string json;
  region.end->Query(1, "explain", "aa:bb", [&](Result<link::QueryAnswer> answer) {
    const std::lock_guard lock(mutex);
    json = answer ? answer->json : "error";
  });
  ASSERT_TRUE(Eventually([&] {
    bool asked = false;
    rack.Do([&](link::RackLink& link, Instant now) {
      asked = !rack.observer.queries.empty();
      if (asked) {
        link.Answer(rack.observer.queries[0].first, true, "{\"plan\":1}", now);
      }
    });
    return asked;
  }));
  EXPECT_TRUE(Eventually([&] {
    const std::lock_guard lock(mutex);
    return json == "{\"plan\":1}";
  }));
}

TEST(LinkExchangeTest, NewestConnectionOfARackWins) {
  TestRegion region;
  TestRack rack(region.Token(11));
  ASSERT_TRUE(Eventually([&] { return rack.end->up(); }));
  // The same rack again: its state directory was copied.
  TestRack twin("", "rack-a", {}, false);
  std::filesystem::copy(
      rack.directory.path(), twin.directory.path(),
      std::filesystem::copy_options::recursive | std::filesystem::copy_options::overwrite_existing);
  twin.Begin();
  ASSERT_TRUE(Eventually([&] {
    bool told = false;
    rack.Do([&](link::RackLink&, Instant) {
      told = std::find(rack.observer.reasons.begin(), rack.observer.reasons.end(),
                       "region: a newer connection") != rack.observer.reasons.end();
    });
    return told;
  }));
  rack.end->Stop();
  EXPECT_TRUE(
      Eventually([&] { return twin.end->up() && region.end->counters().racks_up.value() == 1; }));
}

}  // namespace
}  // namespace slipway::region_link::test
