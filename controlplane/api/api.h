// The region's REST surface: what every client sees. Independent of the server: the simulator calls
// it with requests of its own making.
//
// Owner: the region's main. Runs on the executor's thread; answers may leave from any thread.
#pragma once

#include <boost/json/object.hpp>

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "controlplane/api/events.h"
#include "controlplane/api/http.h"
#include "controlplane/api/metrics.h"
#include "controlplane/model/live_model.h"
#include "controlplane/store/facts_store.h"
#include "controlplane/store/state_store.h"
#include "dataplane/base/log.h"
#include "dataplane/base/seams.h"
#include "dataplane/config/snapshot.h"

namespace slipway::api {

struct MintedToken {
  std::string text;  // a secret: it goes into one answer and nowhere else
  std::int64_t expires_ns = 0;
};

// What the link knows of a rack.
struct RackLinkStatus {
  bool connected = false;
  std::string software;
  std::string down_reason;
  std::int64_t changed_ns = 0;  // realtime of the last up or down; 0: never seen
  std::uint64_t wanted_epoch = 0;
  std::uint64_t wanted_number = 0;
  std::uint64_t live_epoch = 0;
  std::uint64_t live_number = 0;
  bool is_current = false;  // what is live has the content that is wanted

  struct Interface {
    std::string name;
    std::string mac;
    bool up = false;
    std::vector<std::string> addresses;
  };

  std::vector<Interface> interfaces;
};

// What a rack said to a question: JSON, see docs/link.md.
struct RackAnswer {
  bool ok = false;
  std::string json;
};

// The control link, as far as the API needs it. Thread-safe.
class RackControl {
 public:
  using AskDone = std::move_only_function<void(Result<RackAnswer>)>;
  using TokenDone = std::move_only_function<void(Result<MintedToken>)>;

  virtual ~RackControl() = default;
  [[nodiscard]] virtual RackLinkStatus StatusOf(std::uint64_t rack) = 0;
  // A one-time join token; durable before `done` runs (any thread).
  virtual void MintToken(Duration life, TokenDone done) = 0;
  // `done` runs on the link's thread, or at once: kUnavailable (not connected), kFull, kTimeout
  // (5 s), kClosed (the connection ended).
  virtual void Ask(std::uint64_t rack, std::string topic, std::string argument, AskDone done) = 0;
};

// What the region knows of a pair of racks. The executor's thread.
struct PairStatus {
  struct Side {
    bool connected = false;
    bool heard = false;        // it has said something of this pair
    Duration heard_before;     // so long ago
    boost::json::object said;  // docs/link.md, pair.show
  };

  std::array<Side, 2> sides;  // of rack_a and rack_b
  bool normal = false;        // both are connected and say so
  Duration order_age;         // since the word that holds, or its absence, is known here
};

class PairBoard {
 public:
  virtual ~PairBoard() = default;
  [[nodiscard]] virtual PairStatus StatusOf(std::uint64_t pair) = 0;
};

// A thread for work that blocks (hashing image files). Bounded: false if its queue is full.
class Background {
 public:
  virtual ~Background() = default;
  [[nodiscard]] virtual bool Submit(Executor::Task task) = 0;
};

struct Check {
  std::string name;
  bool ok = true;
  std::string detail;
};

// Everything outlives the Api. Pointers marked "may be null" take their routes with them (503).
struct ApiParts {
  model::LiveModel* model = nullptr;
  store::StateStore* store = nullptr;
  store::FactsStore* facts = nullptr;
  RackControl* racks = nullptr;      // may be null
  PairBoard* pairs = nullptr;        // may be null
  Background* background = nullptr;  // may be null
  Executor* executor = nullptr;      // events; may be set later by Start
  Clock* clock = nullptr;
  Random* random = nullptr;
  LogSink* log = nullptr;
  std::string images_dir;                           // of the content-addressed objects
  std::string token;                                // the admin token
  std::function<void(std::vector<Check>&)> checks;  // more readiness checks; may be empty
  // What is published for a rack, as the rack would hold it; empty: nothing. May be empty itself.
  std::function<config::SnapshotRef(std::uint64_t rack)> snapshot_of;
};

struct Route;
struct Call;

inline constexpr std::size_t kIdempotencyKeysMax = 1024;

class Api final : public HttpHandler {
 public:
  explicit Api(ApiParts parts);
  ~Api() override;
  Api(const Api&) = delete;
  Api& operator=(const Api&) = delete;

  // Begins to watch the stores for event streams. Call once, when the executor is there.
  [[nodiscard]] Result<void> Start(Executor& executor);

  void AddMetrics(MetricsSource& source) { metrics_.push_back(&source); }

  [[nodiscard]] std::expected<std::size_t, Response> OnHead(const Request& request) override;
  void OnRequest(Request request, Responder responder) override;

  // ---- for handlers ----
  [[nodiscard]] ApiParts& parts() noexcept { return parts_; }

  [[nodiscard]] EventHub& events() noexcept { return events_; }

  [[nodiscard]] const std::vector<MetricsSource*>& metrics() const noexcept { return metrics_; }

  // Answers a mutation: remembers whether the store works, writes the audit line.
  void NoteMutation(const Request& request,
                    const std::expected<model::MutateResult, model::Refusal>& result);

  // kNone: the last commit was good.
  [[nodiscard]] ErrorCode store_state() const noexcept {
    return store_state_.load(std::memory_order_acquire);
  }

  // After a failed commit, sees by a small one whether the store works again; at most one a second.
  void ProbeStore();

 private:
  struct Remembered {
    std::string fingerprint;
    std::optional<Response> response;  // absent: still under way
  };

  [[nodiscard]] std::optional<Response> Refuse(const Request& request) const;
  // True if the request was answered (or refused) by its Idempotency-Key.
  [[nodiscard]] bool AnswerRemembered(const Request& request, Responder& responder);
  [[nodiscard]] Responder Remember(const Request& request, Responder responder);

  class RememberingExchange;

  ApiParts parts_;
  EventHub events_;
  std::vector<MetricsSource*> metrics_;
  std::atomic<ErrorCode> store_state_{ErrorCode::kNone};
  std::atomic<std::int64_t> probed_ns_{0};

  std::mutex remembered_mutex_;
  std::unordered_map<std::string, Remembered> remembered_;
  std::deque<std::string> remembered_order_;  // oldest first, at most kIdempotencyKeysMax
};

}  // namespace slipway::api
