#include "dataplane/link/pair_end.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <mutex>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "dataplane/base/check.h"
#include "dataplane/base/posix_disk.h"
#include "dataplane/link/connections.h"
#include "dataplane/link/task_queue.h"
#include "dataplane/link/zap.h"
#include "dataplane/link/zmq_socket.h"

namespace slipway::link {
namespace {

constexpr std::string_view kZapDomain = "slipway-pair";
constexpr std::string_view kUserId = "partner";
constexpr std::size_t kMessagesPerTurnMax = 64;
constexpr std::size_t kZapPerTurnMax = 16;
// The partner has one connection, and a second one while the first is not known to be gone.
constexpr std::size_t kConnectionsMax = 16;
constexpr std::size_t kHalfOpenMax = 4;
constexpr int kHandshakeMs = 2'000;
constexpr int kHeartbeatMs = 1'000;
constexpr int kHeartbeatTimeoutMs = 3'000;
// Between two attempts: two racks that come back together do not run in step.
constexpr Duration kRetryMin = Duration::Millis(100);
constexpr std::uint64_t kRetrySpreadMs = 300;
constexpr Duration kBindRetry = Duration::Seconds(1);
// The shard has no room: it is asked again.
constexpr Duration kOfferAgain = Duration::Millis(2);
constexpr int kMonitorEvents =
    ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_CLOSED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED |
    ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
    ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;

std::uint16_t PortOf(std::string_view endpoint) {
  const std::string_view port = endpoint.substr(endpoint.rfind(':') + 1);
  std::uint16_t number = 0;
  (void)std::from_chars(port.data(), port.data() + port.size(), number);
  return number;
}

}  // namespace

class PairEnd::Impl final : public MessageOutput {
 public:
  Impl(const Options& options, PairTraffic* traffic, Clock* clock, LogSink* log)
      : options_(options), traffic_(traffic), clock_(clock), log_(log), tasks_(kTasksMax) {}

  ~Impl() override { Stop(); }

  [[nodiscard]] Result<void> Start() {
    SLIP_CHECK(!thread_.joinable());
    if (context_.get() == nullptr || tasks_.fd() < 0) {
      return FailErrno(errno);
    }
    (void)zmq_ctx_set(context_.get(), ZMQ_BLOCKY, 0);
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

  void SetPeer(std::optional<PairPeer> peer) {
    {
      const std::lock_guard lock(mutex_);
      wanted_ = std::move(peer);
    }
    tasks_.Wake();
  }

  [[nodiscard]] const PairEndCounters& counters() const noexcept { return counters_; }

  // To the partner, from TakeOutgoing.
  [[nodiscard]] bool Send(ByteSpan message) override {
    const bool sent = socket_.is_open() && Address() && socket_.Send(message);
    (sent ? counters_.sent : counters_.not_sent).Add();
    return sent;
  }

 private:
  static constexpr std::size_t kTasksMax = 1;

  // ---- the socket ----
  void FollowPeer();
  void Open(Instant now);
  [[nodiscard]] bool OpenListener();
  [[nodiscard]] bool OpenConnector();
  [[nodiscard]] bool SetCommonOptions();
  void Close();
  void Lost(std::string_view reason, Instant now);
  void Up();

  // A listener says to whom. REQUIRES: an open socket.
  [[nodiscard]] bool Address() {
    return !peer_->listens || (!partner_.empty() && socket_.Send(std::string_view(partner_), true));
  }

  // ---- the thread ----
  void Run();
  void Wait();
  void Receive();
  [[nodiscard]] bool ReceiveOne(ZmqMessage& message);
  void ServeZap();
  void ReadMonitor();
  void OnListenerEvent(const ZmqMonitor::Event& event, Instant now);
  void OnConnectorEvent(const ZmqMonitor::Event& event, Instant now);

  void Log(LogLevel level, std::string_view id, std::string_view text) {
    if (log_ != nullptr) {
      log_->Write(level, id, text);
    }
  }

  const Options options_;
  PairTraffic* const traffic_;
  Clock* const clock_;
  LogSink* const log_;
  PosixRandom random_;
  PairEndCounters counters_;
  ZmqContext context_;
  ZapSocket zap_;
  ZmqSocket socket_;
  ZmqMonitor monitor_;

  struct NoTask {};

  TaskQueue<NoTask> tasks_;  // for its wake-up
  std::mutex mutex_;
  std::optional<PairPeer> wanted_;  // guarded
  std::optional<PairPeer> peer_;
  std::optional<Connections> connections_;  // of the listener
  std::string partner_;                     // routing id of the listener's newest connection
  int partner_fd_ = -1;                     // and its descriptor
  std::vector<std::byte> offered_;          // the shard had no room for it
  Instant retry_at_;
  std::uint64_t sockets_ = 0;
  std::string last_reason_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

// ---- the socket ----

void PairEnd::Impl::FollowPeer() {
  std::optional<PairPeer> wanted;
  {
    const std::lock_guard lock(mutex_);
    wanted = wanted_;
  }
  if (wanted == peer_) {
    return;
  }
  Close();
  peer_ = std::move(wanted);
  retry_at_ = {};
  last_reason_.clear();
}

bool PairEnd::Impl::SetCommonOptions() {
  const auto secret = options_.key.secret_key.Reveal();
  // More than a message: one that is too large is counted, much larger ones end their connection.
  const auto bytes_max = static_cast<std::int64_t>(2 * options_.message_bytes_max);
  return socket_.is_open() && socket_.SetLinkOptions(kHandshakeMs) &&
         socket_.SetInt64(ZMQ_MAXMSGSIZE, bytes_max) && socket_.SetInt(ZMQ_LINGER, 0) &&
         socket_.SetInt(ZMQ_HEARTBEAT_IVL, kHeartbeatMs) &&
         socket_.SetInt(ZMQ_HEARTBEAT_TIMEOUT, kHeartbeatTimeoutMs) &&
         socket_.SetInt(ZMQ_HEARTBEAT_TTL, kHeartbeatTimeoutMs) &&
         socket_.SetBytes(ZMQ_CURVE_SECRETKEY, secret.data(), secret.size()) &&
         monitor_.Open(context_.get(), socket_, "pair-" + std::to_string(++sockets_),
                       kMonitorEvents);
}

bool PairEnd::Impl::OpenListener() {
  if (zap_.get() == nullptr && !zap_.Open(context_.get())) {
    return false;
  }
  socket_ = ZmqSocket(context_.get(), ZMQ_ROUTER);
  connections_.emplace(kConnectionsMax, kHalfOpenMax);
  connections_->set_port(PortOf(peer_->endpoint));
  return SetCommonOptions() && socket_.SetInt(ZMQ_ROUTER_MANDATORY, 1) &&
         socket_.SetInt(ZMQ_CURVE_SERVER, 1) &&
         socket_.SetBytes(ZMQ_ZAP_DOMAIN, kZapDomain.data(), kZapDomain.size()) &&
         zmq_bind(socket_.get(), peer_->endpoint.c_str()) == 0;
}

bool PairEnd::Impl::OpenConnector() {
  socket_ = ZmqSocket(context_.get(), ZMQ_DEALER);
  // One connection per socket, as with the region: after a refused handshake libzmq would not try
  // again. Nothing is queued for a partner that is not there.
  return SetCommonOptions() && socket_.SetInt(ZMQ_RECONNECT_IVL, -1) &&
         socket_.SetInt(ZMQ_CONNECT_TIMEOUT, kHandshakeMs) && socket_.SetInt(ZMQ_IMMEDIATE, 1) &&
         socket_.SetBytes(ZMQ_CURVE_SERVERKEY, peer_->key.bytes.data(), kKeyBytes) &&
         socket_.SetBytes(ZMQ_CURVE_PUBLICKEY, options_.key.public_key.bytes.data(), kKeyBytes) &&
         zmq_connect(socket_.get(), peer_->endpoint.c_str()) == 0;
}

void PairEnd::Impl::Open(Instant now) {
  if (peer_->listens ? OpenListener() : OpenConnector()) {
    return;
  }
  const std::string reason = peer_->endpoint + ": " + zmq_strerror(zmq_errno());
  Close();
  retry_at_ = now + kBindRetry;
  if (reason != last_reason_) {
    last_reason_ = reason;
    Log(LogLevel::kError, "pair-link-socket", reason);
  }
}

void PairEnd::Impl::Close() {
  const bool was_up = counters_.up.value() != 0;
  counters_.up.Set(0);
  monitor_.Close();
  socket_.Close();
  partner_.clear();
  partner_fd_ = -1;
  offered_.clear();
  if (was_up) {
    traffic_->OnDown();
  }
}

void PairEnd::Impl::Up() {
  counters_.up.Set(1);
  counters_.connections.Add();
  last_reason_.clear();
  Log(LogLevel::kInfo, "pair-link-up", peer_->endpoint);
}

// The connection is gone: the connector tries anew, the listener waits.
void PairEnd::Impl::Lost(std::string_view reason, Instant now) {
  if (reason != last_reason_) {
    last_reason_ = reason;
    Log(LogLevel::kWarn, "pair-link-down", reason);
  }
  if (!peer_->listens) {
    Close();
    retry_at_ = now + kRetryMin +
                Duration::Millis(static_cast<std::int64_t>(random_.Below(kRetrySpreadMs)));
    return;
  }
  partner_.clear();
  partner_fd_ = -1;
  counters_.up.Set(0);
  traffic_->OnDown();
}

// ---- the thread ----

void PairEnd::Impl::Run() {
  while (!stop_.load()) {
    (void)tasks_.Take();
    FollowPeer();
    const Instant now = clock_->Now();
    if (peer_ && !socket_.is_open() && now >= retry_at_) {
      Open(now);
    }
    Wait();
    ReadMonitor();
    ServeZap();
    Receive();
    traffic_->TakeOutgoing(*this);
  }
  Close();
  zap_.Close();
}

void PairEnd::Impl::Wait() {
  std::array<zmq_pollitem_t, 5> items{};
  int count = 0;
  const auto add = [&](void* socket, int fd) {
    items[static_cast<std::size_t>(count++)] = {
        .socket = socket, .fd = fd, .events = ZMQ_POLLIN, .revents = 0};
  };
  add(nullptr, tasks_.fd());
  add(nullptr, traffic_->outgoing_fd());
  // Also without a listener: the end of a connection waits for what its question has left here.
  if (zap_.get() != nullptr) {
    add(zap_.get(), 0);
  }
  const Instant now = clock_->Now();
  Instant deadline = Instant::Never();
  if (socket_.is_open()) {
    add(monitor_.get(), 0);
    if (offered_.empty()) {
      add(socket_.get(), 0);
    } else {
      deadline = now + kOfferAgain;
    }
  } else if (peer_) {
    deadline = retry_at_;
  }
  (void)zmq_poll(items.data(), count, PollMillis(deadline, now));
}

// True if there was one; its sender is the partner, or nobody would have admitted it.
bool PairEnd::Impl::ReceiveOne(ZmqMessage& message) {
  if (!socket_.Receive(message)) {
    return false;
  }
  if (!peer_->listens) {
    return true;
  }
  // The newest connection counts: the partner has begun anew.
  if (message.text() != partner_) {
    partner_ = message.text();
    partner_fd_ = -1;
  }
  return message.more() && socket_.Receive(message);
}

void PairEnd::Impl::Receive() {
  if (!offered_.empty()) {
    if (!traffic_->OnMessage(offered_)) {
      return;
    }
    offered_.clear();
  }
  for (std::size_t i = 0; i < kMessagesPerTurnMax && socket_.is_open(); ++i) {
    ZmqMessage message;
    if (!ReceiveOne(message)) {
      return;
    }
    if (peer_->listens && partner_fd_ < 0) {
      partner_fd_ = message.source_fd();
      connections_->OnAuthenticated(partner_fd_);
      Up();
    }
    const ByteSpan bytes = message.bytes();
    if (message.more() || bytes.empty() || bytes.size() > options_.message_bytes_max) {
      socket_.SkipRest(message);
      counters_.malformed.Add();
      continue;
    }
    counters_.received.Add();
    if (!traffic_->OnMessage(bytes)) {
      offered_.assign(bytes.begin(), bytes.end());
      return;
    }
  }
}

void PairEnd::Impl::ServeZap() {
  if (zap_.get() == nullptr) {
    return;
  }
  zap_.Serve(kZapPerTurnMax, [this](const std::vector<std::string>& frames) {
    const ZapRequest request = ReadZapRequest(frames, kZapDomain);
    const bool partner = request.verdict == ZapVerdict::kKey && peer_ && request.key == peer_->key;
    if (!partner) {
      counters_.unknown_key.Add();
    }
    return ZapReply(request, partner ? kUserId : std::string_view{});
  });
}

void PairEnd::Impl::ReadMonitor() {
  ZmqMonitor::Event event;
  while (socket_.is_open() && monitor_.Next(event)) {
    const Instant now = clock_->Now();
    const bool failed = event.id == ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL ||
                        event.id == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL ||
                        event.id == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;
    if (failed) {
      counters_.handshakes_failed.Add();
    }
    peer_->listens ? OnListenerEvent(event, now) : OnConnectorEvent(event, now);
  }
}

void PairEnd::Impl::OnListenerEvent(const ZmqMonitor::Event& event, Instant now) {
  if (event.id == ZMQ_EVENT_ACCEPTED) {
    if (!connections_->OnAccepted(event.value)) {
      counters_.connections_refused.Add();
    }
  } else if (event.id == ZMQ_EVENT_DISCONNECTED || event.id == ZMQ_EVENT_CLOSED) {
    connections_->OnDisconnected(event.value);
    if (partner_fd_ >= 0 && event.value == partner_fd_) {
      Lost("connection lost", now);
    }
  }
}

void PairEnd::Impl::OnConnectorEvent(const ZmqMonitor::Event& event, Instant now) {
  switch (event.id) {
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
      return Up();
    case ZMQ_EVENT_CLOSED:
      return Lost("connection refused", now);
    case ZMQ_EVENT_DISCONNECTED:
      return Lost("connection lost", now);
    case ZMQ_EVENT_ACCEPTED:
      return;
    default:
      return Lost("handshake failed: the partner does not know this rack's key", now);
  }
}

// ---- the public face ----

PairEnd::PairEnd(const Options& options, PairTraffic* traffic, Clock* clock, LogSink* log)
    : impl_(std::make_unique<Impl>(options, traffic, clock, log)) {}

PairEnd::~PairEnd() = default;

Result<void> PairEnd::Start() { return impl_->Start(); }

void PairEnd::Stop() { impl_->Stop(); }

void PairEnd::SetPeer(std::optional<PairPeer> peer) { impl_->SetPeer(std::move(peer)); }

const PairEndCounters& PairEnd::counters() const noexcept { return impl_->counters(); }

}  // namespace slipway::link
