#include "controlplane/api/events.h"

#include <boost/json/array.hpp>
#include <gtest/gtest.h>

#include <string>

#include "controlplane/api/problem.h"
#include "tests/support/api_lab.h"

namespace slipway::api {
namespace {

class EventsTest : public ::testing::Test {
 protected:
  void AddEvent(std::string code) {
    store::EventRow row;
    row.code = std::move(code);
    row.subject = "x";
    row.realtime_ns = 1'700'000'000'123'000'000;
    lab_.facts->AppendEvent(std::move(row), [](Result<std::uint64_t>) {});
    lab_.executor.Run();
  }

  void AddFabric(const std::string& name) {
    ASSERT_EQ(lab_.Call(Method::kPost, "/v1/fabrics", "{\"name\":\"" + name + "\"}").status, 201);
  }

  [[nodiscard]] std::shared_ptr<TextStream> Open(const std::string& query,
                                                 const std::string& last_id = {}) {
    std::vector<Header> headers = {{.name = "accept", .value = "text/event-stream"}};
    if (!last_id.empty()) {
      headers.push_back({.name = "last-event-id", .value = last_id});
    }
    return lab_.Ask(Method::kGet, "/v1/events" + query, {}, headers)->stream;
  }

  ApiLab lab_;
};

TEST(EventPositionTest, RoundTripsAndRefuses) {
  const EventPosition position{.revision = 12, .event = 5, .boot = 9};
  EXPECT_EQ(position.Text(), "r12.e5.b9");
  EXPECT_EQ(EventPosition::Parse("r12.e5.b9").value_or(EventPosition{}), position);
  EXPECT_EQ(EventPosition::Parse("0").value_or(position), EventPosition{});
  for (const char* bad : {"", "r1", "r1.e2", "r1.e2.b", "r1.e2.b3x", "e1.r2.b3", "r-1.e2.b3",
                          "r99999999999999999999.e1.b1"}) {
    EXPECT_FALSE(EventPosition::Parse(bad).has_value()) << bad;
  }
}

TEST(EventFormatTest, IsOneSseBlock) {
  EXPECT_EQ(FormatSse({.id = "r1.e2.b3", .topic = Topic::kChange, .data = "{\"a\":1}"}),
            "id: r1.e2.b3\nevent: change\ndata: {\"a\":1}\n\n");
}

TEST(EventFormatTest, TimesAreRfc3339) {
  EXPECT_EQ(TimeText(1'700'000'000'123'000'000), "2023-11-14T22:13:20.123Z");
  EXPECT_EQ(TimeText(0), "");
}

TEST_F(EventsTest, ListGivesTheNewestAndWhereToGoOn) {
  for (int i = 0; i < 5; ++i) {
    AddEvent("code-" + std::to_string(i));
  }
  const auto first = JsonOf(lab_.Call(Method::kGet, "/v1/events?limit=2"));
  ASSERT_EQ(first.at("items").as_array().size(), 2U);
  EXPECT_EQ(TextOf(first.at("items").as_array()[1].as_object(), "code"), "code-4");
  AddEvent("later");
  const auto next = JsonOf(lab_.Call(Method::kGet, "/v1/events?since=" + TextOf(first, "next")));
  ASSERT_EQ(next.at("items").as_array().size(), 1U);
  EXPECT_EQ(TextOf(next.at("items").as_array()[0].as_object(), "code"), "later");
  EXPECT_EQ(lab_.Call(Method::kGet, "/v1/events?since=x").status, 400);
  EXPECT_EQ(lab_.Call(Method::kGet, "/v1/events?topics=x").status, 400);
}

TEST_F(EventsTest, StreamFollowsModelAndFacts) {
  const auto stream = Open("");
  ASSERT_NE(stream, nullptr);
  AddFabric("lab");
  AddEvent("rack-up");
  EXPECT_NE(stream->text.find("event: change\ndata: {\"topic\":\"change\",\"verb\":\"added\""),
            std::string::npos)
      << stream->text;
  EXPECT_NE(stream->text.find("\"code\":\"rack-up\""), std::string::npos) << stream->text;
}

TEST_F(EventsTest, StreamResumesAfterTheLastEventId) {
  const auto stream = Open("");
  AddFabric("a");
  const std::size_t at = stream->text.rfind("id: ");
  const std::string last = stream->text.substr(at + 4, stream->text.find('\n', at) - at - 4);
  stream->Close();
  AddFabric("b");
  const auto resumed = Open("", last);
  EXPECT_EQ(resumed->text.find("\"name\":\"a\""), std::string::npos) << resumed->text;
  EXPECT_NE(resumed->text.find("\"name\":\"b\""), std::string::npos) << resumed->text;
}

TEST_F(EventsTest, HalfOfABulkIsNeverSkippedOnResume) {
  ASSERT_EQ(
      lab_.Call(Method::kPost, "/v1/fabrics", R"([{"name":"a"},{"name":"b"},{"name":"c"}])").status,
      200);
  const auto list = JsonOf(lab_.Call(Method::kGet, "/v1/events?topics=change&since=0"));
  const auto& items = list.at("items").as_array();
  ASSERT_EQ(items.size(), 3U);
  EXPECT_EQ(TextOf(items[0].as_object(), "position"), "r0.e0.b0");
  EXPECT_EQ(TextOf(items[1].as_object(), "position"), "r0.e0.b0");
  EXPECT_EQ(TextOf(items[2].as_object(), "position"), "r1.e0.b0");
}

TEST_F(EventsTest, ASlowClientIsNotFedBeyondItsQueue) {
  const auto stream = Open("?since=0");
  stream->queued = std::size_t{1} << 20;
  const std::size_t before = stream->text.size();
  AddEvent("x");
  EXPECT_EQ(stream->text.size(), before);
  stream->queued = 0;
  lab_.executor.RunTimers();
  EXPECT_GT(stream->text.size(), before);
}

TEST_F(EventsTest, TopicsChooseWhatComes) {
  const auto stream = Open("?topics=event");
  AddFabric("lab");
  AddEvent("x");
  EXPECT_EQ(stream->text.find("event: change"), std::string::npos);
  EXPECT_NE(stream->text.find("event: event"), std::string::npos);
}

TEST_F(EventsTest, ThereIsACapOnStreams) {
  for (std::size_t i = 0; i < kSubscribersMax; ++i) {
    ASSERT_NE(Open(""), nullptr);
  }
  const auto answer =
      lab_.Ask(Method::kGet, "/v1/events", {}, {{.name = "accept", .value = "text/event-stream"}});
  ASSERT_TRUE(answer->response.has_value());
  EXPECT_EQ(answer->response->status, 503);
}

}  // namespace
}  // namespace slipway::api
