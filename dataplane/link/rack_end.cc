#include "dataplane/link/rack_end.h"

#include <atomic>
#include <optional>
#include <thread>
#include <utility>

#include "dataplane/base/check.h"
#include "dataplane/base/posix_disk.h"
#include "dataplane/link/rack_identity.h"
#include "dataplane/link/task_queue.h"
#include "dataplane/link/zmq_socket.h"

namespace slipway::link {
namespace {

constexpr std::size_t kMessagesPerTurnMax = 64;
constexpr int kMonitorEvents =
    ZMQ_EVENT_CLOSED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
    ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;

std::string_view ReasonOf(int event) {
  switch (event) {
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
      return "denied by the region";
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
      return "handshake failed";
    case ZMQ_EVENT_CLOSED:
      return "connection refused";
    default:
      return "connection lost";
  }
}

}  // namespace

class RackEnd::Impl final : public RackTransport, public RackLinkObserver {
 public:
  Impl(RackEndOptions options, RackEndOwners owners, RackIdentity identity,
       std::optional<JoinToken> token)
      : options_(std::move(options)),
        owners_(owners),
        identity_(std::move(identity)),
        token_(std::move(token)),
        tasks_(kTasksMax),
        link_({.name = options_.name,
               .software = options_.software,
               .boot_id = owners_.clock->BootId(),
               .public_key = identity_.key.public_key,
               .endpoint_count = identity_.endpoints.size(),
               .enrolled = identity_.rack != 0,
               .has_token = token_.has_value()},
              *this, *this, *owners_.snapshots, *owners_.facts, random_),
        rack_(identity_.rack) {}

  ~Impl() override { Stop(); }

  [[nodiscard]] Result<void> Start() {
    SLIP_CHECK(!thread_.joinable());
    if (context_.get() == nullptr || tasks_.fd() < 0) {
      return FailErrno(errno);
    }
    thread_ = std::thread([this] { Run(); });
    return {};
  }

  void Stop() {
    if (!thread_.joinable()) {
      return;
    }
    stop_.store(true);
    tasks_.Wake();
    thread_.join();
    tasks_.Shut();
  }

  [[nodiscard]] bool Post(Task& task) { return tasks_.Push(task); }

  void NotifyFacts() noexcept {
    if (!facts_ready_.exchange(true)) {
      tasks_.Wake();
    }
  }

  void NotifyGenerationLive() noexcept {
    if (!generation_live_.exchange(true)) {
      tasks_.Wake();
    }
  }

  [[nodiscard]] const LinkCounters& counters() const noexcept { return link_.counters(); }

  [[nodiscard]] bool up() const noexcept { return up_.load(); }

  [[nodiscard]] RackId rack() const noexcept { return rack_.load(); }

  [[nodiscard]] PublicKey public_key() const { return identity_.key.public_key; }

 private:
  // ---- RackTransport, on the link thread ----
  void Connect(std::size_t endpoint, bool with_token) override {
    Close();
    ZmqSocket socket(context_.get(), ZMQ_DEALER);
    if (!socket.is_open() || !SetOptions(socket, with_token) ||
        !monitor_.Open(context_.get(), socket, "rack-" + std::to_string(++connections_),
                       kMonitorEvents) ||
        zmq_connect(socket.get(), identity_.endpoints[endpoint].c_str()) != 0) {
      // The attempt times out and the next one follows.
      Log(LogLevel::kError, "link-socket", zmq_strerror(errno));
      monitor_.Close();
      return;
    }
    socket_ = std::move(socket);
  }

  [[nodiscard]] bool Send(ByteSpan message) override {
    // A connection that could not be opened swallows what is sent, like one that is not answered.
    return !socket_.is_open() || socket_.Send(message);
  }

  void Close() override {
    monitor_.Close();
    socket_.Close();
  }

  [[nodiscard]] bool SetOptions(ZmqSocket& socket, bool with_token) {
    const SecretKey& secret = with_token ? token_->one_time_secret : identity_.key.secret_key;
    const PublicKey own = secret.Public();
    // One connection per socket: a new attempt is a new socket, at the core's pace.
    return socket.SetLinkOptions(static_cast<int>(kWelcomeTimeout.millis())) &&
           socket.SetInt(ZMQ_RECONNECT_IVL, -1) &&
           socket.SetInt(ZMQ_CONNECT_TIMEOUT, static_cast<int>(kWelcomeTimeout.millis())) &&
           socket.SetBytes(ZMQ_CURVE_SERVERKEY, identity_.region_key.bytes.data(), kKeyBytes) &&
           socket.SetBytes(ZMQ_CURVE_PUBLICKEY, own.bytes.data(), kKeyBytes) &&
           socket.SetBytes(ZMQ_CURVE_SECRETKEY, secret.Reveal().data(), kKeyBytes);
  }

  // ---- RackLinkObserver, on the link thread ----
  void OnEnrolled(RackId rack) override {
    identity_.rack = rack;
    rack_.store(rack);
    const Result<void> saved = identity_.Save(options_.state_directory);
    if (!saved) {
      Log(LogLevel::kError, "link-state-not-saved", ToString(saved.error().code));
    }
    Log(LogLevel::kInfo, "link-enrolled", "rack " + std::to_string(rack));
    owners_.observer->OnEnrolled(rack);
  }

  void OnUp(std::size_t endpoint) override {
    up_.store(true);
    Log(LogLevel::kInfo, "link-up", identity_.endpoints[endpoint]);
    last_reason_.clear();
    owners_.observer->OnUp(endpoint);
  }

  void OnDown(std::string_view reason) override {
    up_.store(false);
    // One line per change of reason, not one per attempt.
    if (reason != last_reason_) {
      last_reason_ = reason;
      Log(LogLevel::kWarn, "link-down", reason);
    }
    owners_.observer->OnDown(reason);
  }

  void OnCurrent(Instant now) override { owners_.observer->OnCurrent(now); }

  void OnQuery(std::uint64_t id, std::string_view topic, std::string_view argument) override {
    owners_.observer->OnQuery(id, topic, argument);
  }

  void Log(LogLevel level, std::string_view id, std::string_view text) {
    if (owners_.log != nullptr) {
      owners_.log->Write(level, id, text);
    }
  }

  // ---- the thread ----
  void Run() {
    link_.Start(owners_.clock->Now());
    while (!stop_.load()) {
      RunTasks();
      const Instant now = owners_.clock->Now();
      if (now >= link_.NextDeadline()) {
        link_.OnTimer(now);
      }
      Wait();
      ReceiveMessages();
      ReadMonitor();
    }
    link_.Stop("the rack stops", owners_.clock->Now());
    Close();
    up_.store(false);
  }

  void RunTasks() {
    for (Task& task : tasks_.Take()) {
      task(link_, owners_.clock->Now());
    }
    if (generation_live_.exchange(false)) {
      link_.OnGenerationLive(owners_.clock->Now());
    }
    if (facts_ready_.exchange(false)) {
      link_.OnFactsReady(owners_.clock->Now());
    }
  }

  void Wait() {
    zmq_pollitem_t items[3] = {
        {.socket = nullptr, .fd = tasks_.fd(), .events = ZMQ_POLLIN, .revents = 0},
        {.socket = socket_.get(), .fd = 0, .events = ZMQ_POLLIN, .revents = 0},
        {.socket = monitor_.get(), .fd = 0, .events = ZMQ_POLLIN, .revents = 0}};
    const int count = socket_.is_open() ? 3 : 1;
    (void)zmq_poll(items, count, PollMillis(link_.NextDeadline(), owners_.clock->Now()));
  }

  void ReceiveMessages() {
    // A message may end its connection and begin another: the socket is asked anew each time.
    for (std::size_t i = 0; i < kMessagesPerTurnMax && socket_.is_open(); ++i) {
      ZmqMessage message;
      if (!socket_.Receive(message)) {
        return;
      }
      if (message.more()) {
        socket_.SkipRest(message);
        link_.OnMessage({}, owners_.clock->Now());  // Counted: messages have one part.
        continue;
      }
      link_.OnMessage(message.bytes(), owners_.clock->Now());
    }
  }

  void ReadMonitor() {
    ZmqMonitor::Event event;
    while (monitor_.Next(event)) {
      link_.OnClosed(ReasonOf(event.id), owners_.clock->Now());
    }
  }

  const RackEndOptions options_;
  const RackEndOwners owners_;
  RackIdentity identity_;
  const std::optional<JoinToken> token_;
  PosixRandom random_;
  ZmqContext context_;
  ZmqSocket socket_;
  ZmqMonitor monitor_;
  std::uint64_t connections_ = 0;
  TaskQueue<Task> tasks_;
  RackLink link_;
  std::string last_reason_;
  std::atomic<bool> stop_{false};
  std::atomic<bool> up_{false};
  std::atomic<bool> facts_ready_{false};
  std::atomic<bool> generation_live_{false};
  std::atomic<RackId> rack_;
  std::thread thread_;
};

Result<std::unique_ptr<RackEnd>> RackEnd::Create(RackEndOptions options, RackEndOwners owners) {
  RackIdentity identity = SLIP_TRY(RackIdentity::Load(options.state_directory));
  std::optional<JoinToken> token;
  if (!options.join_token.empty()) {
    JoinToken parsed = SLIP_TRY(JoinToken::Parse(options.join_token));
    // The token of the enrolment that we have may stay in the configuration.
    const bool used = identity.rack != 0 && identity.token == parsed.id &&
                      identity.region_key == parsed.region_key;
    if (!used) {
      identity.rack = 0;
      identity.token = parsed.id;
      identity.region_key = parsed.region_key;
      identity.endpoints = parsed.endpoints;
      token = std::move(parsed);
    }
  }
  if (!options.endpoints.empty()) {
    const bool fit = options.endpoints.size() <= kEndpointsMax &&
                     std::all_of(options.endpoints.begin(), options.endpoints.end(),
                                 [](const std::string& text) { return IsEndpoint(text); });
    if (!fit) {
      return Fail(ErrorCode::kMalformed);
    }
    identity.endpoints = options.endpoints;
  }
  if (identity.endpoints.empty() || identity.region_key.is_zero()) {
    return Fail(ErrorCode::kNotFound);
  }
  return std::unique_ptr<RackEnd>(new RackEnd(
      std::make_unique<Impl>(std::move(options), owners, std::move(identity), std::move(token))));
}

RackEnd::RackEnd(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

RackEnd::~RackEnd() = default;

Result<void> RackEnd::Start() { return impl_->Start(); }

void RackEnd::Stop() { impl_->Stop(); }

bool RackEnd::Post(Task task) { return impl_->Post(task); }

void RackEnd::NotifyFacts() noexcept { impl_->NotifyFacts(); }

void RackEnd::NotifyGenerationLive() noexcept { impl_->NotifyGenerationLive(); }

const LinkCounters& RackEnd::counters() const noexcept { return impl_->counters(); }

bool RackEnd::up() const noexcept { return impl_->up(); }

RackId RackEnd::rack() const noexcept { return impl_->rack(); }

PublicKey RackEnd::public_key() const { return impl_->public_key(); }

}  // namespace slipway::link
