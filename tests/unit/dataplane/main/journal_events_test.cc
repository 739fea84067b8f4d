#include "dataplane/main/journal_events.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "schemas/facts_generated.h"

namespace slipway::rack {
namespace {

class FakeClock final : public Clock {
 public:
  [[nodiscard]] Instant Now() noexcept override { return now; }

  [[nodiscard]] WallTime WallNow() noexcept override { return {now.ns + 1}; }

  [[nodiscard]] bool WallIsSynchronised() noexcept override { return true; }

  [[nodiscard]] std::uint64_t BootId() noexcept override { return 1; }

  Instant now{};
};

class Lines final : public LogSink {
 public:
  void Write(LogLevel /*level*/, std::string_view id, std::string_view text) override {
    lines.push_back(std::string(id) + " " + std::string(text));
  }

  std::vector<std::string> lines;
};

TEST(JournalEventsTest, EventIsALogLineAndAFactAndRepeatsAreToldLater) {
  FakeClock clock;
  Lines log;
  std::vector<std::string> codes;
  bool room = true;
  JournalEvents events(
      [&](ByteSpan fact) {
        codes.push_back(schema::GetFact(fact.data())->body_as_Event()->code()->str());
        return room;
      },
      &clock, &log);
  events.Report(service::EventCode::kImageObjectMissing, "loaders/x", "not here");
  events.Report(service::EventCode::kImageObjectMissing, "loaders/x", "not here");
  events.Report(service::EventCode::kImageObjectMissing, "loaders/x", "still not here");
  clock.now = clock.now + Duration::Seconds(61);
  events.Tick();
  EXPECT_EQ(log.lines,
            (std::vector<std::string>{"image-object-missing loaders/x: not here",
                                      "image-object-missing loaders/x: still not here (2 times)"}));
  EXPECT_EQ(codes, (std::vector<std::string>{"image-object-missing", "image-object-missing"}));
  EXPECT_EQ(events.dropped(), 0U);
  room = false;
  events.Report(service::EventCode::kJournalFailing, "journal", "");
  EXPECT_EQ(events.dropped(), 1U);
}

}  // namespace
}  // namespace slipway::rack
