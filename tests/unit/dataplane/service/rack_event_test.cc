#include "dataplane/service/rack_event.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "schemas/facts_generated.h"

namespace slipway::service {
namespace {

Instant At(std::int64_t seconds) { return {Duration::Seconds(seconds).ns}; }

RackEvent Foreign(std::string_view subject, std::string_view detail = "") {
  return MakeEvent(EventCode::kBootLoop, subject, detail, WallTime{7});
}

TEST(EventEncoderTest, WritesAnEventFactThatSaysHowOften) {
  EventEncoder encoder;
  RackEvent event = MakeEvent(EventCode::kSnapshotRejected, std::string(300, 's'),
                              std::string(300, 'd'), WallTime{123});
  event.times = 4'000'000'000;
  const ByteSpan bytes = encoder.Encode(event);
  const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
  flatbuffers::Verifier verifier(data, bytes.size());
  ASSERT_TRUE(schema::VerifyFactBuffer(verifier));
  const schema::Event* read = schema::GetFact(data)->body_as_Event();
  ASSERT_NE(read, nullptr);
  EXPECT_EQ(read->realtime_ns(), 123);
  EXPECT_EQ(read->code()->string_view(), "snapshot-rejected");
  EXPECT_EQ(read->subject()->string_view(), std::string(kEventSubjectBytesMax, 's'));
  EXPECT_EQ(read->detail()->string_view(),
            std::string(kEventDetailBytesMax, 'd') + " (4000000000 times)");
}

TEST(EventFilterTest, FirstIsToldAtOnceAndRepeatsOnceAMinute) {
  EventFilter filter({});
  const RackEvent* told = filter.Observe(Foreign("a", "first"), At(0));
  ASSERT_NE(told, nullptr);
  EXPECT_EQ(told->times, 1U);
  for (std::int64_t i = 0; i < 59; ++i) {
    EXPECT_EQ(filter.Observe(Foreign("a", "repeat " + std::to_string(i)), At(i)), nullptr);
    EXPECT_EQ(filter.Due(At(i)), nullptr);
  }
  told = filter.Due(At(60));
  ASSERT_NE(told, nullptr);
  EXPECT_EQ(told->times, 59U);
  EXPECT_EQ(told->detail, "repeat 58");  // the newest
  EXPECT_EQ(filter.Due(At(600)), nullptr);
}

TEST(EventFilterTest, SubjectsAndCodesAreToldApart) {
  EventFilter filter({});
  EXPECT_NE(filter.Observe(Foreign("a"), At(0)), nullptr);
  EXPECT_NE(filter.Observe(Foreign("b"), At(0)), nullptr);
  EXPECT_NE(filter.Observe(MakeEvent(EventCode::kJournalFailing, "a", "", {}), At(0)), nullptr);
  EXPECT_EQ(filter.Observe(Foreign("a"), At(1)), nullptr);
}

// What fails and recovers all the time ends with the word that is true.
TEST(EventFilterTest, LastWordIsTheLastEvent) {
  EventFilter filter({});
  const RackEvent failing = MakeEvent(EventCode::kJournalFailing, "journal", "", {});
  const RackEvent recovered = MakeEvent(EventCode::kJournalRecovered, "journal", "", {});
  EventCode last = EventCode::kCount;
  const auto note = [&](const RackEvent* told) { last = told != nullptr ? told->code : last; };
  for (std::int64_t i = 0; i < 10; ++i) {
    note(filter.Observe(failing, At(i * 4)));
    note(filter.Observe(recovered, At(i * 4 + 2)));
  }
  for (std::int64_t i = 40; i < 200; ++i) {
    note(filter.Due(At(i)));
  }
  EXPECT_EQ(last, EventCode::kJournalRecovered);
}

TEST(EventFilterTest, FloodOfSubjectsIsBoundedAndCounted) {
  EventFilter filter({.subjects_max = 16, .burst = 8, .interval = Duration::Seconds(2)});
  std::size_t told = 0;
  for (int i = 0; i < 100'000; ++i) {
    told += filter.Observe(Foreign(std::to_string(i)), At(i / 10'000)) != nullptr ? 1U : 0U;
  }
  EXPECT_LE(told, 8U + 5U);
  EXPECT_GT(filter.dropped().value(), 99'000U);
  // What waited is told at the pace of all.
  for (std::int64_t i = 10; i < 100; ++i) {
    told += filter.Due(At(i)) != nullptr ? 1U : 0U;
  }
  EXPECT_LE(told, 8U + 5U + 16U);
  EXPECT_EQ(filter.Due(At(1000)), nullptr);
}

TEST(EventFilterTest, QuietSubjectsGiveWay) {
  EventFilter filter({.subjects_max = 2, .burst = 1000, .interval = Duration::Millis(1)});
  for (std::int64_t i = 0; i < 100; ++i) {
    EXPECT_NE(filter.Observe(Foreign(std::to_string(i)), At(i)), nullptr);
  }
  EXPECT_EQ(filter.dropped().value(), 0U);
}

TEST(EventCodeTest, EachHasATextOfItsOwn) {
  std::vector<std::string_view> texts;
  for (std::size_t i = 0; i < static_cast<std::size_t>(EventCode::kCount); ++i) {
    texts.push_back(ToString(static_cast<EventCode>(i)));
  }
  std::ranges::sort(texts);
  EXPECT_EQ(std::ranges::adjacent_find(texts), texts.end());
}

}  // namespace
}  // namespace slipway::service
