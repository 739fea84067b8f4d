#include "controlplane/api/events.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <utility>

#include "controlplane/api/api.h"
#include "controlplane/api/facts_json.h"
#include "controlplane/api/problem.h"
#include "controlplane/api/routes.h"

namespace slipway::api {
namespace {

namespace json = boost::json;

constexpr std::size_t kPageEvents = 256;
constexpr std::size_t kQueueLowBytes = std::size_t{256} << 10;
constexpr Duration kKeepAlive = Duration::Seconds(15);
constexpr Duration kRetry = Duration::Millis(20);

struct TopicName {
  Topic topic;
  std::string_view name;
};

constexpr std::array kTopicNames = {TopicName{Topic::kChange, "change"},
                                    TopicName{Topic::kEvent, "event"},
                                    TopicName{Topic::kBoot, "boot"}};

[[nodiscard]] bool Has(Topics topics, Topic topic) noexcept {
  return (topics & static_cast<Topics>(topic)) != 0;
}

[[nodiscard]] bool TakeNumber(std::string_view& text, char mark, std::uint64_t& out) noexcept {
  if (!text.starts_with(mark)) {
    return false;
  }
  const char* const begin = text.data() + 1;
  const auto [end, error] = std::from_chars(begin, text.data() + text.size(), out);
  if (error != std::errc{}) {
    return false;
  }
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

[[nodiscard]] json::object ChangeJson(const store::Change& change, model::EntityRef ref,
                                      const model::ModelIndex& index) {
  const model::KindInfo& info = model::InfoOf(ref.kind);
  const model::Row* row = index.Find(ref.kind, ref.id);
  json::object out;
  out["topic"] = "change";
  if (!change.value) {
    out["verb"] = "deleted";
  } else {
    out["verb"] = row != nullptr && row->created == change.revision ? "added" : "modified";
  }
  out["kind"] = info.name;
  out["id"] = model::FormatId(ref.kind, ref.id);
  if (row != nullptr) {
    out["name"] = model::NameOf(row->entity);
  }
  out["revision"] = change.revision;
  return out;
}

[[nodiscard]] Result<void> CollectChanges(const EventSources& sources, std::size_t limit,
                                          EventPosition& position, EventPage& page) {
  const auto changes = sources.store->Changes(position.revision, limit);
  if (!changes && changes.error().code == ErrorCode::kExpired) {
    position.revision = sources.store->revision();
    page.reset = true;
    return {};
  }
  if (!changes) {
    return std::unexpected(changes.error());
  }
  page.more = page.more || changes->size() >= limit;
  std::vector<std::pair<const store::Change*, model::EntityRef>> entities;
  for (const store::Change& change : *changes) {
    if (const auto ref = model::ParseStoreKey(change.key); ref) {
      entities.emplace_back(&change, *ref);
    }
  }
  const std::uint64_t newest = changes->empty() ? position.revision : changes->back().revision;
  sources.model->Read([&](const model::ModelIndex& index) {
    for (std::size_t i = 0; i < entities.size(); ++i) {
      const auto& [change, ref] = entities[i];
      // Only the last of a revision carries it: a reader that resumes sees whole revisions.
      const bool last =
          i + 1 == entities.size() || entities[i + 1].first->revision != change->revision;
      if (last) {
        position.revision = change->revision;
      }
      page.items.push_back({.id = position.Text(),
                            .topic = Topic::kChange,
                            .data = json::serialize(ChangeJson(*change, ref, index))});
    }
    return 0;
  });
  position.revision = newest;
  return {};
}

}  // namespace

Result<EventPosition> EventPosition::Parse(std::string_view text) noexcept {
  EventPosition position;
  if (text == "0") {
    return position;
  }
  const bool good = TakeNumber(text, 'r', position.revision) && text.starts_with(".e") &&
                    (text.remove_prefix(1), TakeNumber(text, 'e', position.event)) &&
                    text.starts_with(".b") &&
                    (text.remove_prefix(1), TakeNumber(text, 'b', position.boot)) && text.empty();
  if (!good) {
    return Fail(ErrorCode::kMalformed);
  }
  return position;
}

std::string EventPosition::Text() const {
  return fmt::format("r{}.e{}.b{}", revision, event, boot);
}

Result<Topics> ParseTopics(std::string_view text, Topics fallback) noexcept {
  Topics topics = 0;
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    const std::string_view word = text.substr(0, comma);
    text = comma == std::string_view::npos ? std::string_view{} : text.substr(comma + 1);
    const auto* const found =
        std::find_if(kTopicNames.begin(), kTopicNames.end(),
                     [word](const TopicName& known) { return known.name == word; });
    if (found == kTopicNames.end()) {
      return Fail(ErrorCode::kUnsupported);
    }
    topics = static_cast<Topics>(topics | static_cast<Topics>(found->topic));
  }
  return topics == 0 ? fallback : topics;
}

std::string_view ToString(Topic topic) noexcept {
  for (const TopicName& known : kTopicNames) {
    if (known.topic == topic) {
      return known.name;
    }
  }
  return "?";
}

Result<EventPosition> NewestPosition(const EventSources& sources) {
  const store::FactsPositions facts = SLIP_TRY(sources.facts->Positions());
  return EventPosition{
      .revision = sources.store->revision(), .event = facts.events, .boot = facts.boot_steps};
}

Result<EventPage> CollectEvents(const EventSources& sources, Topics topics, std::size_t limit,
                                EventPosition& position) {
  EventPage page;
  if (Has(topics, Topic::kChange)) {
    SLIP_TRY(CollectChanges(sources, limit, position, page));
  }
  if (Has(topics, Topic::kEvent)) {
    const auto events = SLIP_TRY(sources.facts->Events(position.event, limit));
    page.more = page.more || events.more;
    for (const store::EventRow& row : events.rows) {
      position.event = row.position;
      page.items.push_back(
          {.id = position.Text(), .topic = Topic::kEvent, .data = json::serialize(EventJson(row))});
    }
  }
  if (Has(topics, Topic::kBoot)) {
    const auto steps = SLIP_TRY(sources.facts->BootStepsAfter(position.boot, limit));
    page.more = page.more || steps.more;
    for (const store::BootStepRow& row : steps.rows) {
      position.boot = row.position;
      json::object data = BootStepJson(row);
      data["topic"] = "boot";
      page.items.push_back(
          {.id = position.Text(), .topic = Topic::kBoot, .data = json::serialize(data)});
    }
  }
  return page;
}

std::string FormatSse(const EventItem& item) {
  // The data is one line: JSON has no raw line breaks.
  return fmt::format("id: {}\nevent: {}\ndata: {}\n\n", item.id, ToString(item.topic), item.data);
}

// Shared with the stores' watchers, which may outlive the hub.
struct EventHub::Waker {
  std::atomic<EventHub*> hub{nullptr};
  std::atomic<Executor*> executor{nullptr};
  std::atomic<bool> posted{false};

  static void Wake(const std::shared_ptr<Waker>& waker) {
    Executor* const executor = waker->executor.load(std::memory_order_acquire);
    if (executor == nullptr || waker->posted.exchange(true)) {
      return;
    }
    executor->Post([waker] {
      waker->posted.store(false);
      if (EventHub* const hub = waker->hub.load(); hub != nullptr) {
        hub->Pump();
      }
    });
  }
};

EventHub::EventHub(EventSources sources) : sources_(sources), waker_(std::make_shared<Waker>()) {}

EventHub::~EventHub() {
  waker_->hub.store(nullptr);
  waker_->executor.store(nullptr);
}

Result<void> EventHub::Start(Executor& executor) {
  executor_ = &executor;
  waker_->hub.store(this);
  waker_->executor.store(&executor, std::memory_order_release);
  SLIP_TRY(sources_.store->Watch([waker = waker_](store::Revision) { Waker::Wake(waker); }));
  SLIP_TRY(sources_.facts->Watch(
      [waker = waker_](const store::FactsPositions&) { Waker::Wake(waker); }));
  KeepAlive();
  return {};
}

bool EventHub::Subscribe(std::shared_ptr<Stream> stream, Topics topics, EventPosition position) {
  if (full()) {
    return false;
  }
  (void)stream->Write(fmt::format(": slipway events\nretry: 1000\nid: {}\n\n", position.Text()));
  subscribers_.push_back({.stream = std::move(stream), .topics = topics, .position = position});
  Waker::Wake(waker_);
  return true;
}

void EventHub::Pump() {
  bool more = false;
  for (Subscriber& subscriber : subscribers_) {
    more = Feed(subscriber) || more;
  }
  std::erase_if(subscribers_,
                [](const Subscriber& subscriber) { return subscriber.stream->closed(); });
  if (more && !pump_later_) {
    pump_later_ = true;
    executor_->After(kRetry, [waker = waker_] {
      if (EventHub* const hub = waker->hub.load(); hub != nullptr) {
        hub->pump_later_ = false;
        hub->Pump();
      }
    });
  }
}

bool EventHub::Feed(Subscriber& subscriber) const {
  if (subscriber.stream->closed()) {
    return false;
  }
  // The logs keep what a slow client has not read yet: its queue stays short, and if it does not
  // read at all the server's write time-out cuts it.
  if (subscriber.stream->queued_bytes() > kQueueLowBytes) {
    return true;
  }
  const auto page = CollectEvents(sources_, subscriber.topics, kPageEvents, subscriber.position);
  if (!page) {
    subscriber.stream->Close();
    return false;
  }
  std::string text;
  if (page->reset) {
    text = fmt::format("id: {}\nevent: reset\ndata: {{\"topic\":\"reset\"}}\n\n",
                       subscriber.position.Text());
  }
  for (const EventItem& item : page->items) {
    text.append(FormatSse(item));
  }
  return subscriber.stream->Write(std::move(text)) && page->more;
}

void EventHub::KeepAlive() {
  executor_->After(kKeepAlive, [waker = waker_] {
    EventHub* const hub = waker->hub.load();
    if (hub == nullptr) {
      return;
    }
    for (const Subscriber& subscriber : hub->subscribers_) {
      (void)subscriber.stream->Write(": keep-alive\n\n");
    }
    hub->Pump();
    hub->KeepAlive();
  });
}

// ---- the route ----

namespace {

constexpr std::size_t kListDefault = 100;

[[nodiscard]] bool WantsStream(const Request& request) {
  return request.header("accept").find("text/event-stream") != std::string_view::npos;
}

void OpenEventStream(Api& api, Call call, Topics topics, std::optional<EventPosition> since) {
  if (api.events().full()) {
    call.responder.Send(ToResponse({.status = 503,
                                    .type = "overloaded",
                                    .detail = "there are 64 event streams already",
                                    .cure = "close one, or poll the list",
                                    .fields = {}}));
    return;
  }
  const auto newest = NewestPosition(api.events().sources());
  if (!newest) {
    call.responder.Send(StoreProblem(newest.error()));
    return;
  }
  auto stream = call.responder.OpenStream({.status = 200,
                                           .content_type = "text/event-stream; charset=utf-8",
                                           .body = {},
                                           .headers = {}});
  (void)api.events().Subscribe(std::move(stream), topics, since.value_or(*newest));
}

// Without a position: the newest of each topic.
[[nodiscard]] EventPosition Before(EventPosition newest, std::size_t limit) {
  const auto back = [limit](std::uint64_t position) {
    return position > limit ? position - limit : 0;
  };
  return {
      .revision = back(newest.revision), .event = back(newest.event), .boot = back(newest.boot)};
}

void SendEventList(Api& api, Call call, Topics topics, std::optional<EventPosition> since,
                   std::size_t limit) {
  const auto newest = NewestPosition(api.events().sources());
  if (!newest) {
    call.responder.Send(StoreProblem(newest.error()));
    return;
  }
  EventPosition position = since.value_or(Before(*newest, limit));
  const auto page = CollectEvents(api.events().sources(), topics, limit, position);
  if (!page) {
    call.responder.Send(StoreProblem(page.error()));
    return;
  }
  std::string body = "{\"items\":[";
  for (std::size_t i = 0; i < page->items.size(); ++i) {
    const EventItem& item = page->items[i];
    // Each is an object already: its position goes in front of its first member.
    body.append(i == 0 ? "\n" : ",\n").append("{\"position\":\"").append(item.id).append("\",");
    body.append(item.data, 1);
  }
  body.append(fmt::format("],\n\"next\":\"{}\",\"more\":{},\"reset\":{}}}\n", position.Text(),
                          page->more, page->reset));
  call.responder.Send({.status = 200, .body = std::move(body), .headers = {}});
}

}  // namespace

void HandleEvents(Api& api, Call call) {
  const bool stream = WantsStream(call.request);
  const auto everything = static_cast<Topics>(7);
  const auto topics = ParseTopics(call.query.Get("topics").value_or(""),
                                  stream ? everything : static_cast<Topics>(Topic::kEvent));
  std::string_view since_text = call.request.header("last-event-id");
  if (since_text.empty()) {
    since_text = call.query.Get("since").value_or("");
  }
  std::optional<EventPosition> since;
  if (!since_text.empty()) {
    const auto parsed = EventPosition::Parse(since_text);
    if (!parsed) {
      call.responder.Send(ToResponse({.status = 400,
                                      .type = "bad-query",
                                      .detail = "'since' and Last-Event-ID are positions as events "
                                                "carry them: r12.e5.b9, or 0 for the beginning",
                                      .cure = "take the position of an event that you have seen",
                                      .fields = {}}));
      return;
    }
    since = *parsed;
  }
  const auto limit = ParseLimit(call.query, kListDefault);
  if (!topics || !limit) {
    call.responder.Send(ToResponse({.status = 400,
                                    .type = "bad-query",
                                    .detail = topics ? "'limit' is a number from 1 to 1000"
                                                     : "'topics' lists change, event, boot",
                                    .cure = "correct the query",
                                    .fields = {}}));
    return;
  }
  if (stream) {
    OpenEventStream(api, std::move(call), *topics, since);
  } else {
    SendEventList(api, std::move(call), *topics, since, *limit);
  }
}

}  // namespace slipway::api
