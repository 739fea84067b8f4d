// Both cores against each other under virtual time.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/dataplane/link/pair.h"

namespace slipway::link::test {
namespace {

constexpr Duration kSoon = Duration::Millis(600);

Records SomeRecords(std::size_t count, std::size_t body_bytes = 20) {
  Records records;
  for (std::size_t i = 1; i <= count; ++i) {
    records[{static_cast<std::uint8_t>(1 + i % 7), i}] =
        std::string(body_bytes, static_cast<char>('a' + i % 26));
  }
  return records;
}

TEST(LinkSessionTest, NewRackEnrolsAndThenComesWithItsOwnKey) {
  Pair pair(1, false);
  pair.link.Start(pair.now);
  pair.RunFor(kSoon);
  EXPECT_EQ(pair.directory.enrolments, 1);
  EXPECT_EQ(pair.rack_events.enrolled, kTestRack);
  EXPECT_EQ(pair.link.state(), RackLink::State::kUp);
  EXPECT_EQ(pair.region_events.up[kTestRack], "test 1");
  EXPECT_EQ(pair.connections, 2U);
}

TEST(LinkSessionTest, RackWhoseEnrolmentAnswerWasLostComesInByItsOwnKey) {
  Pair pair(2, false);
  pair.directory.token_used = true;  // The region has enrolled it.
  pair.link.Start(pair.now);
  pair.RunFor(Duration::Seconds(4));
  EXPECT_EQ(pair.rack_events.enrolled, kTestRack);
  EXPECT_EQ(pair.link.state(), RackLink::State::kUp);
}

TEST(LinkSessionTest, TokenPeerMayOnlyEnrol) {
  Pair pair(3, false);
  RackLink& link = pair.link;
  link.Start(pair.now);
  // A Hello on a connection that ZAP admitted as a token.
  EnvelopeWriter writer;
  const auto hello = schema::CreateHello(writer.Begin());
  const auto message = writer.Finish({.sequence = 1, .connection = 77}, hello);
  ASSERT_TRUE(message.has_value());
  RegionServices services{.directory = &pair.directory,
                          .observer = &pair.region_events,
                          .snapshots = &pair.snapshots,
                          .facts = &pair.facts,
                          .random = &pair.random,
                          .counters = &pair.region_counters};

  class Host final : public RegionSessionHost {
   public:
    bool Send(ByteSpan) override { return true; }

    CommitDone MakeCommitDone(FactClass, std::uint64_t) override {
      return [](const Result<FactCursor>&) {};
    }

    EnrolDone MakeEnrolDone() override {
      return [](Result<RackId>) {};
    }

    void OnEstablished(RackId) override {}
  } host;

  RegionSession session({.kind = PeerKind::kToken, .id = kTestToken}, services, host, pair.now);
  session.OnMessage(*message, WallTime{}, pair.now);
  EXPECT_EQ(session.state(), RegionSession::State::kClosed);
  EXPECT_EQ(pair.region_counters.Rejected(RejectReason::kUnauthorised), 1U);
  EXPECT_EQ(pair.region_counters.handled.value(), 0U);
}

TEST(LinkSessionTest, SnapshotThenDeltasAreConfirmedOnlyWhenLive) {
  Pair pair(4);
  pair.sink.auto_live = false;
  pair.snapshots.Publish(SomeRecords(10));
  pair.link.Start(pair.now);
  pair.RunFor(kSoon);
  EXPECT_EQ(pair.sink.records(), SomeRecords(10));
  EXPECT_FALSE(pair.region_events.live.contains(kTestRack));
  pair.sink.MakeLive();
  pair.link.OnGenerationLive(pair.now);
  pair.RunFor(kSoon);
  EXPECT_EQ(pair.region_events.live[kTestRack], pair.snapshots.Current(kTestRack));
  pair.Publish(SomeRecords(9));
  pair.RunFor(kSoon);
  EXPECT_EQ(pair.sink.records(), SomeRecords(9));
  EXPECT_EQ(pair.sink.deltas, 1);
  EXPECT_EQ(pair.region_events.live[kTestRack].generation.number, 1U);
}

TEST(LinkSessionTest, RackHearsWhetherItLivesOnTheNewestGeneration) {
  Pair pair(21);
  pair.sink.auto_live = false;
  pair.snapshots.Publish(SomeRecords(10));
  pair.link.Start(pair.now);
  pair.RunFor(Duration::Seconds(4));
  EXPECT_EQ(pair.rack_events.current_at, Instant::Never()) << "it is not live";
  pair.sink.MakeLive();
  pair.link.OnGenerationLive(pair.now);
  pair.RunFor(kHeartbeat * 2);
  ASSERT_NE(pair.rack_events.current_at, Instant::Never());
  EXPECT_LE(pair.now - pair.rack_events.current_at, kHeartbeat * 2);
  // There is a newer one: what it lives on may be wrong by now.
  pair.Publish(SomeRecords(9));
  pair.RunFor(kSoon);
  pair.rack_events.current_at = Instant::Never();
  pair.RunFor(Duration::Seconds(4));
  EXPECT_EQ(pair.rack_events.current_at, Instant::Never());
}

TEST(LinkSessionTest, ChangesComeTogetherWhileTheRackIsBehind) {
  Pair pair(5);
  pair.sink.auto_live = false;
  pair.link.Start(pair.now);
  pair.RunFor(kSoon);
  for (std::size_t i = 1; i <= 100; ++i) {
    pair.Publish(SomeRecords(i));
    pair.RunFor(Duration::Millis(5));
  }
  EXPECT_LE(pair.sink.deltas, static_cast<int>(kGenerationsUnconfirmedMax));
  pair.sink.auto_live = true;
  pair.sink.MakeLive();
  pair.link.OnGenerationLive(pair.now);
  pair.RunFor(kSoon);
  EXPECT_EQ(pair.sink.records(), SomeRecords(100));
  EXPECT_EQ(pair.region_events.live[kTestRack], pair.snapshots.Current(kTestRack));
}

TEST(LinkSessionTest, BulkChangeLargerThanAMessageIsOneGeneration) {
  Pair pair(6);
  pair.snapshots.Publish(SomeRecords(3000, 1000));
  pair.link.Start(pair.now);
  pair.RunFor(kSoon);
  Records changed = SomeRecords(3000, 1000);
  for (auto& [key, body] : changed) {
    body[0] = '!';
  }
  pair.Publish(changed);
  pair.RunFor(kSoon);
  EXPECT_EQ(pair.sink.records(), changed);
  EXPECT_EQ(pair.snapshots.snapshots, 1);
  EXPECT_EQ(pair.snapshots.deltas, 1);
  EXPECT_EQ(pair.sink.deltas, 0);  // It came in chunks.
}

TEST(LinkSessionTest, RackThatKeptItsSnapshotGetsOnlyTheDelta) {
  Pair pair(7);
  pair.snapshots.Publish(SomeRecords(50));
  pair.link.Start(pair.now);
  pair.RunFor(kSoon);
  pair.KillRegion();
  pair.snapshots.Publish(SomeRecords(51));
  pair.StartRegion();
  pair.RunFor(Duration::Seconds(8));
  EXPECT_EQ(pair.sink.records(), SomeRecords(51));
  EXPECT_EQ(pair.snapshots.snapshots, 1);
}

TEST(LinkSessionTest, SinkThatRefusesDrawsAtMostOneSnapshotASecond) {
  Pair pair(8);
  pair.sink.fail_chunks = 5;
  pair.snapshots.Publish(SomeRecords(10));
  pair.link.Start(pair.now);
  pair.RunFor(Duration::Seconds(4));
  EXPECT_LE(pair.snapshots.snapshots, 5);
  pair.RunFor(Duration::Seconds(4));
  EXPECT_EQ(pair.sink.records(), SomeRecords(10));
}

TEST(LinkSessionTest, FactsGoUpOnceInOrderAndAreAcknowledgedAfterTheCommit) {
  Pair pair(9);
  pair.link.Start(pair.now);
  pair.RunFor(kSoon);
  std::vector<std::string> expected;
  for (int i = 0; i < 1000; ++i) {
    expected.push_back("fact " + std::to_string(i));
    pair.Append(FactClass::kInventory, expected.back());
  }
  pair.RunFor(kSoon);
  EXPECT_EQ((pair.facts.records[{kTestRack, FactClass::kInventory}]), expected);
  EXPECT_EQ(pair.source.committed(FactClass::kInventory), 1001U);
}

TEST(LinkSessionTest, FailedCommitAcknowledgesNothingAndIsTriedAgain) {
  Pair pair(10);
  pair.facts.fail = true;
  pair.link.Start(pair.now);
  pair.RunFor(kSoon);
  pair.Append(FactClass::kLease, "a");
  pair.RunFor(Duration::Seconds(3));
  EXPECT_EQ(pair.source.committed(FactClass::kLease), 1U);
  EXPECT_LE(pair.connections, 12U);  // Paced, not a loop.
  pair.facts.fail = false;
  pair.RunFor(Duration::Seconds(5));
  EXPECT_EQ((pair.facts.records[{kTestRack, FactClass::kLease}]), std::vector<std::string>{"a"});
  EXPECT_EQ(pair.source.committed(FactClass::kLease), 2U);
}

TEST(LinkSessionTest, BoundedClassTellsWhatItDropped) {
  Pair pair(11);
  for (int i = 0; i < 10; ++i) {
    pair.source.Append(FactClass::kBootStep, std::to_string(i));
  }
  pair.source.DropOldest(FactClass::kBootStep, 4);
  pair.link.Start(pair.now);
  pair.RunFor(kSoon);
  EXPECT_EQ((pair.facts.records[{kTestRack, FactClass::kBootStep}]),
            (std::vector<std::string>{"4", "5", "6", "7", "8", "9"}));
  EXPECT_EQ(pair.facts.dropped, 4U);
}

TEST(LinkSessionTest, LeasesWhoseTailIsGoneComeAsATable) {
  Pair pair(12);
  for (int i = 0; i < 10; ++i) {
    pair.source.Append(FactClass::kLease, std::to_string(i));
  }
  pair.source.DropOldest(FactClass::kLease, 8);
  pair.link.Start(pair.now);
  pair.RunFor(kSoon);
  EXPECT_EQ((pair.facts.tables[{kTestRack, FactClass::kLease}].size()), 8U);
  EXPECT_EQ((pair.facts.records[{kTestRack, FactClass::kLease}]),
            (std::vector<std::string>{"8", "9"}));
  EXPECT_EQ(pair.facts.dropped, 0U);
}

// The parts behind the one that fails are on their way already: the last must not move the cursor.
TEST(LinkSessionTest, TableOfWhichAPartFailedIsSentAgainWhole) {
  Pair pair(21);
  std::vector<std::string> expected;
  for (int i = 0; i < 12; ++i) {
    expected.push_back(std::to_string(i));
    pair.source.Append(FactClass::kLease, expected.back());
  }
  pair.source.DropOldest(FactClass::kLease, 12);  // four parts
  pair.facts.fail_part = 2;
  pair.link.Start(pair.now);
  pair.RunFor(Duration::Seconds(5));
  EXPECT_GT(pair.facts.conflicts, 0U);
  std::vector<std::string> known = pair.facts.tables[{kTestRack, FactClass::kLease}];
  std::ranges::sort(known);
  known.erase(std::unique(known.begin(), known.end()), known.end());
  std::ranges::sort(expected);
  EXPECT_EQ(known, expected);
  EXPECT_EQ(pair.source.committed(FactClass::kLease), 13U);
}

// Says what a rack would say next on its connection.
struct PartsByHand {
  explicit PartsByHand(Pair& joined) : pair(joined) {
    pair.link.Start(pair.now);
    pair.RunFor(kSoon);
    EnvelopeReader reader;
    const auto last = reader.Read(AsBytes(pair.sent_by_rack.back()));
    header = {.sequence = (*last)->sequence(),
              .acknowledged = (*last)->acknowledged(),
              .connection = (*last)->connection()};
  }

  void Send(std::uint32_t part, bool last) {
    auto& builder = writer.Begin();
    const auto records = builder.CreateVector(std::vector{schema::CreateFactRecord(builder)});
    ++header.sequence;
    pair.Inject(
        *writer.Finish(header, schema::CreateFacts(builder, std::to_underlying(FactClass::kLease),
                                                   7, 0, 0, records, 500, last, part)));
  }

  Pair& pair;
  EnvelopeWriter writer;
  EnvelopeHeader header;
};

TEST(LinkSessionTest, MissingPartOfATableEndsTheSession) {
  Pair pair(22);
  PartsByHand parts(pair);
  parts.Send(1, false);
  parts.Send(3, true);
  EXPECT_EQ(pair.session()->state(), RegionSession::State::kClosed);
  EXPECT_EQ(pair.region_counters.Rejected(RejectReason::kGap), 1U);
  EXPECT_EQ((pair.facts.cursors[{kTestRack, FactClass::kLease}].next), 1U);
}

TEST(LinkSessionTest, PartsWithoutNumbersOfAnOlderRackAreCounted) {
  Pair pair(23);
  PartsByHand parts(pair);
  pair.facts.fail_part = 2;
  parts.Send(0, false);
  parts.Send(0, false);
  parts.Send(0, true);
  EXPECT_EQ(pair.facts.conflicts, 1U);
  EXPECT_EQ((pair.facts.cursors[{kTestRack, FactClass::kLease}].next), 1U);
  parts.Send(1, false);  // the commit's failure has not come back yet
  parts.Send(0, true);
  EXPECT_EQ((pair.facts.cursors[{kTestRack, FactClass::kLease}].next), 501U);
}

TEST(LinkSessionTest, JournalBehindTheRegionStartsANewEpoch) {
  Pair pair(13);
  pair.facts.cursors[{kTestRack, FactClass::kEvent}] = {.epoch = 7, .next = 50};
  pair.source.Append(FactClass::kEvent, "after the loss");
  pair.link.Start(pair.now);
  pair.RunFor(kSoon);
  EXPECT_EQ((pair.facts.records[{kTestRack, FactClass::kEvent}]),
            std::vector<std::string>{"after the loss"});
  EXPECT_EQ((pair.facts.cursors[{kTestRack, FactClass::kEvent}].epoch), 8U);
}

TEST(LinkSessionTest, SilentRegionIsLeftForTheNextWithinFiveSeconds) {
  Pair pair(14);
  pair.link.Start(pair.now);
  pair.RunFor(kSoon);
  ASSERT_EQ(pair.link.state(), RackLink::State::kUp);
  const std::size_t first = pair.link.endpoint();
  // Its first heartbeat is lost, and everything on that connection from then on.
  pair.faults.cut_mute = 1000;
  pair.RunFor(Duration::Millis(1100));
  pair.faults = {};
  pair.RunFor(Duration::Millis(3900));
  EXPECT_EQ(pair.link.state(), RackLink::State::kUp);
  EXPECT_NE(pair.link.endpoint(), first);
}

TEST(LinkSessionTest, RevokedRackReachesNoHandler) {
  Pair pair(15);
  pair.link.Start(pair.now);
  pair.RunFor(kSoon);
  ASSERT_EQ(pair.region_events.up.count(kTestRack), 1U);
  pair.directory.revoked = true;
  const std::uint64_t handled = pair.region_counters.handled.value();
  pair.Append(FactClass::kLease, "from a revoked rack");
  pair.RunFor(Duration::Seconds(3));
  EXPECT_EQ(pair.region_counters.handled.value(), handled);
  EXPECT_TRUE((pair.facts.records[{kTestRack, FactClass::kLease}].empty()));
  EXPECT_TRUE(pair.region_events.up.empty());
  EXPECT_GT(pair.region_counters.Rejected(RejectReason::kUnauthorised), 0U);
}

TEST(LinkSessionTest, ReplayedConnectionReachesNoHandler) {
  Pair pair(16);
  pair.link.Start(pair.now);
  pair.RunFor(kSoon);
  pair.Append(FactClass::kLease, "once");
  pair.RunFor(kSoon);
  const std::vector<std::string> recorded = pair.sent_by_rack;
  const int ups = pair.region_events.ups;
  pair.KillRegion();
  pair.StartRegion();
  const std::uint64_t handled = pair.region_counters.handled.value();
  for (const std::string& message : recorded) {
    pair.Inject(AsBytes(message));
  }
  EXPECT_EQ(pair.region_counters.handled.value(), handled);
  EXPECT_EQ(pair.region_events.ups, ups);
  EXPECT_EQ((pair.facts.records[{kTestRack, FactClass::kLease}]), std::vector<std::string>{"once"});
}

TEST(LinkSessionTest, QueryGetsItsAnswerOrATimeout) {
  Pair pair(17);
  pair.link.Start(pair.now);
  pair.RunFor(kSoon);
  std::string json;
  ErrorCode error = ErrorCode::kNone;
  pair.session()->Query(
      "explain", "mac", [&](Result<QueryAnswer> answer) { json = answer ? answer->json : "?"; },
      pair.now);
  pair.session()->Query(
      "explain", "other",
      [&](const Result<QueryAnswer>& answer) {
        error = answer ? ErrorCode::kNone : answer.error().code;
      },
      pair.now);
  pair.RunFor(Duration::Millis(10));
  ASSERT_EQ(pair.rack_events.queries.size(), 2U);
  EXPECT_EQ(pair.rack_events.queries[0].second, "explain:mac");
  pair.link.Answer(pair.rack_events.queries[0].first, true, "{}", pair.now);
  pair.RunFor(Duration::Seconds(6));
  EXPECT_EQ(json, "{}");
  EXPECT_EQ(error, ErrorCode::kTimeout);
}

TEST(LinkSessionTest, QueriesOutstandingAreBounded) {
  Pair pair(18);
  pair.link.Start(pair.now);
  pair.RunFor(kSoon);
  std::size_t refused = 0;
  for (std::size_t i = 0; i < kQueriesOutstandingMax + 3; ++i) {
    pair.session()->Query(
        "t", "",
        [&](const Result<QueryAnswer>& answer) {
          refused += !answer && answer.error().code == ErrorCode::kFull ? 1U : 0U;
        },
        pair.now);
  }
  EXPECT_EQ(refused, 3U);
}

TEST(LinkSessionTest, InterfacesAreToldAtFirstAndWhenTheyChange) {
  Pair pair(19);
  pair.link.SetInterfaces(
      {{.name = "eth0", .index = 2, .parent = "", .addresses = {"10.0.0.1/24"}}}, pair.now);
  pair.link.Start(pair.now);
  pair.RunFor(kSoon);
  ASSERT_EQ(pair.region_events.interfaces[kTestRack].size(), 1U);
  EXPECT_EQ(pair.region_events.interfaces[kTestRack][0].addresses[0], "10.0.0.1/24");
  pair.link.SetInterfaces(
      {{.name = "eth0", .index = 2, .parent = "", .addresses = {}},
       {.name = "eth0.7", .index = 3, .vlan_id = 7, .parent = "eth0", .addresses = {}}},
      pair.now);
  pair.RunFor(kSoon);
  ASSERT_EQ(pair.region_events.interfaces[kTestRack].size(), 2U);
  EXPECT_EQ(pair.region_events.interfaces[kTestRack][1].parent, "eth0");
}

TEST(LinkSessionTest, QuietSessionLivesByHeartbeats) {
  Pair pair(20);
  pair.link.Start(pair.now);
  pair.RunFor(Duration::Seconds(60));
  EXPECT_EQ(pair.connections, 1U);
  EXPECT_EQ(pair.rack_events.ups, 1);
  EXPECT_EQ(pair.region_counters.RejectedTotal(), 0U);
  EXPECT_EQ(pair.link.counters().RejectedTotal(), 0U);
}

}  // namespace
}  // namespace slipway::link::test
