// What has happened, as one resumable sequence: changes of the model, events of racks and region,
// boot steps. Read as a list, or followed as server-sent events.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/api/http.h"
#include "controlplane/model/live_model.h"
#include "controlplane/store/facts_store.h"

namespace slipway::api {

// Where a reader is: one position per source. As text "r12.e5.b9" it is the id of an event.
struct EventPosition {
  std::uint64_t revision = 0;
  std::uint64_t event = 0;
  std::uint64_t boot = 0;

  // kMalformed.
  [[nodiscard]] static Result<EventPosition> Parse(std::string_view text) noexcept;
  [[nodiscard]] std::string Text() const;

  friend bool operator==(const EventPosition&, const EventPosition&) = default;
};

enum class Topic : std::uint8_t { kChange = 1, kEvent = 2, kBoot = 4 };

// A set of Topic bits.
using Topics = std::uint8_t;

// "change,boot". kUnsupported for an unknown one; empty text: `fallback`.
[[nodiscard]] Result<Topics> ParseTopics(std::string_view text, Topics fallback) noexcept;

struct EventItem {
  std::string id;  // the reader's position after it
  Topic topic = Topic::kEvent;
  std::string data;  // one JSON object
};

struct EventSources {
  model::LiveModel* model = nullptr;
  store::StateStore* store = nullptr;
  store::FactsStore* facts = nullptr;
};

// The newest positions.
[[nodiscard]] Result<EventPosition> NewestPosition(const EventSources& sources);

struct EventPage {
  std::vector<EventItem> items;
  bool more = false;
  // The change log no longer reaches back to the position: read the collections again. The position
  // has moved to the newest revision.
  bool reset = false;
};

// At most about `limit` of each topic after `position`, which moves along.
[[nodiscard]] Result<EventPage> CollectEvents(const EventSources& sources, Topics topics,
                                              std::size_t limit, EventPosition& position);

// "id: ...\nevent: change\ndata: {...}\n\n"
[[nodiscard]] std::string FormatSse(const EventItem& item);
[[nodiscard]] std::string_view ToString(Topic topic) noexcept;

inline constexpr std::size_t kSubscribersMax = 64;

// Feeds streams from the sources. Loop thread only, but Wake.
class EventHub {
 public:
  explicit EventHub(EventSources sources);
  ~EventHub();
  EventHub(const EventHub&) = delete;
  EventHub& operator=(const EventHub&) = delete;

  // Watches the stores. The executor runs for as long as the stores do.
  [[nodiscard]] Result<void> Start(Executor& executor);

  [[nodiscard]] const EventSources& sources() const noexcept { return sources_; }

  // False if there are kSubscribersMax already.
  [[nodiscard]] bool Subscribe(std::shared_ptr<Stream> stream, Topics topics,
                               EventPosition position);

  [[nodiscard]] bool full() const noexcept { return subscribers_.size() >= kSubscribersMax; }

 private:
  struct Subscriber {
    std::shared_ptr<Stream> stream;
    Topics topics = 0;
    EventPosition position;
  };

  struct Waker;

  void Pump();
  // True if it has more to be given.
  [[nodiscard]] bool Feed(Subscriber& subscriber) const;
  void KeepAlive();

  EventSources sources_;
  std::shared_ptr<Waker> waker_;
  Executor* executor_ = nullptr;
  std::vector<Subscriber> subscribers_;
  bool pump_later_ = false;
};

}  // namespace slipway::api
