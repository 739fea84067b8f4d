#include "controlplane/link/region_end.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <unordered_map>
#include <utility>

#include "controlplane/link/zap.h"
#include "dataplane/base/check.h"
#include "dataplane/link/connections.h"
#include "dataplane/link/task_queue.h"
#include "dataplane/link/zmq_socket.h"

namespace slipway::region_link {
namespace {

using link::CommitDone;
using link::EnrolDone;
using link::FactClass;
using link::FactCursor;
using link::PeerKind;
using link::PeerStatus;
using link::RegionSession;
using link::ZmqMessage;

constexpr std::size_t kMessagesPerTurnMax = 256;
constexpr std::size_t kZapPerTurnMax = 64;
constexpr int kHandshakeMs = 3'000;
// All racks of a region may come back at once: a refused SYN would cost them a second.
constexpr int kBacklog = 1'024;
// From the last words to a peer until its connection is cut.
constexpr Duration kDropDelay = Duration::Millis(200);
constexpr int kMonitorEvents = ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_CLOSED |
                               ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                               ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                               ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;

std::uint16_t PortOf(std::string_view endpoint) {
  const std::string_view port = endpoint.substr(endpoint.rfind(':') + 1);
  std::uint16_t number = 0;
  (void)std::from_chars(port.data(), port.data() + port.size(), number);
  return number;
}

}  // namespace

class RegionEnd::Impl {
 public:
  class Peer;
  using Task = std::move_only_function<void(Impl&, Instant now)>;
  using Tasks = link::TaskQueue<Task>;

  Impl(RegionEndOptions options, RegionEndOwners owners)
      : options_(std::move(options)),
        owners_(owners),
        services_{.directory = owners.directory,
                  .observer = owners.observer,
                  .snapshots = owners.snapshots,
                  .facts = owners.facts,
                  .random = owners.random,
                  .counters = &counters_.link,
                  .epoch = options_.epoch},
        tasks_(std::make_shared<Tasks>(kTasksMax)),
        connections_(options_.connections_max, options_.half_open_per_address_max) {}

  ~Impl() { Stop(); }

  [[nodiscard]] Result<void> Bind();
  [[nodiscard]] Result<void> Start();
  void Stop();
  void NotifyPublished(RackId rack);
  void NotifyDirectory();
  void Query(RackId rack, std::string topic, std::string argument, link::QueryDone done);

  [[nodiscard]] const std::string& endpoint() const noexcept { return endpoint_; }

  [[nodiscard]] link::PublicKey public_key() const { return options_.key.public_key; }

  [[nodiscard]] const RegionEndCounters& counters() const noexcept { return counters_; }

 private:
  [[nodiscard]] Result<void> OpenSockets();
  void Run();
  void RunTasks();
  void PublishNews();
  void RunTimers(Instant now);
  void Wait();
  void ReceiveMessages();
  void OnMessage(const std::string& routing_id, ZmqMessage& message);
  Peer* FindOrAdmit(const std::string& routing_id, ZmqMessage& message, Instant now);
  void ServeZap();
  void ReadMonitor();
  void Touched(Peer& peer, Instant now);
  void Erase(Peer& peer);
  void Log(LogLevel level, std::string_view id, RackId rack);
  [[nodiscard]] Peer* FindSerial(std::uint64_t serial);
  [[nodiscard]] Peer* FindRack(RackId rack);

  const RegionEndOptions options_;
  const RegionEndOwners owners_;
  RegionEndCounters counters_;
  const link::RegionServices services_;
  // Shared with the callbacks of commits that outlive this object.
  const std::shared_ptr<Tasks> tasks_;
  link::ZmqContext context_;
  link::ZapSocket zap_;
  link::ZmqSocket router_;
  link::ZmqMonitor monitor_;
  std::string endpoint_;
  link::Connections connections_;
  std::uint64_t next_serial_ = 1;
  std::unordered_map<std::string, std::unique_ptr<Peer>> peers_;  // by routing id
  std::map<std::uint64_t, Peer*> by_serial_;
  std::map<RackId, Peer*> up_;                          // the session that counts
  std::set<std::pair<std::int64_t, Peer*>> deadlines_;  // each peer once
  std::atomic<bool> stop_{false};
  std::mutex news_mutex_;
  bool published_all_ = false;
  std::set<RackId> published_;
  std::thread thread_;
};

// One connection: the host of its session.
class RegionEnd::Impl::Peer final : public link::RegionSessionHost {
 public:
  struct Socket {
    int fd = -1;
    std::uint64_t serial = 0;  // Connections::SerialOf
  };

  Peer(Impl& end, std::string routing_id, PeerStatus status, std::uint64_t serial, Socket socket,
       Instant now)
      : end_(end),
        routing_id_(std::move(routing_id)),
        serial_(serial),
        socket_(socket),
        session_(status, end.services_, *this, now) {}

  [[nodiscard]] bool Send(ByteSpan message) override {
    return end_.router_.Send(routing_id_, true) && end_.router_.Send(message);
  }

  [[nodiscard]] CommitDone MakeCommitDone(FactClass fact_class, std::uint64_t bytes) override {
    return [tasks = end_.tasks_, serial = serial_, fact_class, bytes](Result<FactCursor> cursor) {
      Task task = [=](Impl& end, Instant now) {
        if (Peer* peer = end.FindSerial(serial)) {
          peer->session_.OnFactsCommitted(fact_class, bytes, cursor, now);
          end.Touched(*peer, now);
        }
      };
      tasks->PushResult(task);
    };
  }

  [[nodiscard]] EnrolDone MakeEnrolDone() override {
    return [tasks = end_.tasks_, serial = serial_](Result<RackId> rack) {
      Task task = [=](Impl& end, Instant now) {
        if (Peer* peer = end.FindSerial(serial)) {
          peer->session_.OnRackEnrolled(rack, now);
          end.Touched(*peer, now);
        }
      };
      tasks->PushResult(task);
    };
  }

  // The newest connection of a rack counts; the older one is dropped.
  void OnEstablished(RackId rack) override {
    end_.Log(LogLevel::kInfo, "rack-up", rack);
    Peer*& current = end_.up_[rack];
    Peer* older = std::exchange(current, this);
    end_.counters_.racks_up.Set(end_.up_.size());
    if (older != nullptr && older != this) {
      older->session_.Close("a newer connection");
      end_.Touched(*older, end_.owners_.clock->Now());
    }
  }

  [[nodiscard]] RegionSession& session() noexcept { return session_; }

  [[nodiscard]] const std::string& routing_id() const noexcept { return routing_id_; }

  [[nodiscard]] std::uint64_t serial() const noexcept { return serial_; }

  [[nodiscard]] Socket socket() const noexcept { return socket_; }

  Instant armed;        // as it stands in deadlines_
  bool ending = false;  // closed; dropped at `armed`

 private:
  Impl& end_;
  const std::string routing_id_;
  const std::uint64_t serial_;
  const Socket socket_;
  RegionSession session_;
};

// ---- set-up ----

Result<void> RegionEnd::Impl::OpenSockets() {
  (void)zmq_ctx_set(context_.get(), ZMQ_BLOCKY, 0);
  router_ = link::ZmqSocket(context_.get(), ZMQ_ROUTER);
  if (!router_.is_open() || tasks_->fd() < 0) {
    return FailErrno(errno);
  }
  // The handler listens before the first peer can ask.
  const bool zap_ready = zap_.Open(context_.get());
  const auto secret = options_.key.secret_key.Reveal();
  const bool ready =
      zap_ready && router_.SetLinkOptions(kHandshakeMs) &&
      router_.SetInt(ZMQ_ROUTER_MANDATORY, 1) && router_.SetInt(ZMQ_ROUTER_HANDOVER, 0) &&
      router_.SetInt(ZMQ_CURVE_SERVER, 1) &&
      router_.SetBytes(ZMQ_CURVE_SECRETKEY, secret.data(), secret.size()) &&
      router_.SetBytes(ZMQ_ZAP_DOMAIN, kZapDomain.data(), kZapDomain.size()) &&
      router_.SetInt(ZMQ_TCP_KEEPALIVE, 1) && router_.SetInt(ZMQ_BACKLOG, kBacklog) &&
      monitor_.Open(context_.get(), router_, "region", kMonitorEvents);
  if (!ready) {
    return FailErrno(errno);
  }
  return {};
}

Result<void> RegionEnd::Impl::Bind() {
  SLIP_TRY(OpenSockets());
  if (zmq_bind(router_.get(), options_.bind.c_str()) != 0) {
    if (errno == EADDRINUSE) {
      return Fail(ErrorCode::kBusy);
    }
    return FailErrno(errno);
  }
  std::array<char, 256> endpoint{};
  std::size_t size = endpoint.size();
  if (zmq_getsockopt(router_.get(), ZMQ_LAST_ENDPOINT, endpoint.data(), &size) != 0) {
    return FailErrno(errno);
  }
  endpoint_ = endpoint.data();
  connections_.set_port(PortOf(endpoint_));
  return {};
}

Result<void> RegionEnd::Impl::Start() {
  SLIP_CHECK(!thread_.joinable());
  thread_ = std::thread([this] { Run(); });
  return {};
}

void RegionEnd::Impl::Stop() {
  if (!thread_.joinable()) {
    return;
  }
  stop_.store(true);
  tasks_->Wake();
  thread_.join();
  tasks_->Shut();
}

// ---- any thread ----

void RegionEnd::Impl::NotifyPublished(RackId rack) {
  constexpr std::size_t kNamedMax = 4'096;
  {
    const std::lock_guard lock(news_mutex_);
    if (rack == 0 || published_.size() >= kNamedMax) {
      published_all_ = true;
      published_.clear();
    } else if (!published_all_) {
      published_.insert(rack);
    }
  }
  tasks_->Wake();
}

void RegionEnd::Impl::NotifyDirectory() {
  Task task = [](Impl& end, Instant now) {
    std::vector<Peer*> revoked;
    for (const auto& [rack, peer] : end.up_) {
      if (end.owners_.directory->StatusOfRack(rack).kind != PeerKind::kRack) {
        revoked.push_back(peer);
      }
    }
    for (Peer* peer : revoked) {
      peer->session().Close("revoked");
      end.Touched(*peer, now);
    }
  };
  // If the queue is full, the check of each message finds it within a heartbeat.
  (void)tasks_->Push(task);
}

void RegionEnd::Impl::Query(RackId rack, std::string topic, std::string argument,
                            link::QueryDone done) {
  // Shared so that a refused push can still answer.
  auto answer = std::make_shared<link::QueryDone>(std::move(done));
  Task task = [=](Impl& end, Instant now) {
    Peer* peer = end.FindRack(rack);
    if (peer == nullptr) {
      (*answer)(Fail(ErrorCode::kUnavailable));
      return;
    }
    peer->session().Query(topic, argument, std::move(*answer), now);
    end.Touched(*peer, now);
  };
  if (!tasks_->Push(task)) {
    (*answer)(Fail(ErrorCode::kFull));
  }
}

// ---- the thread ----

void RegionEnd::Impl::Run() {
  while (!stop_.load()) {
    RunTasks();
    PublishNews();
    RunTimers(owners_.clock->Now());
    Wait();
    ReadMonitor();
    ServeZap();
    ReceiveMessages();
  }
  for (const auto& [routing_id, peer] : peers_) {
    peer->session().Close("the region stops");
  }
  up_.clear();
  counters_.racks_up.Set(0);
  deadlines_.clear();
  by_serial_.clear();
  peers_.clear();
  monitor_.Close();
  router_.Close();
  zap_.Close();
}

void RegionEnd::Impl::RunTasks() {
  for (Task& task : tasks_->Take()) {
    task(*this, owners_.clock->Now());
  }
}

void RegionEnd::Impl::PublishNews() {
  bool all = false;
  std::set<RackId> named;
  {
    const std::lock_guard lock(news_mutex_);
    all = std::exchange(published_all_, false);
    named.swap(published_);
  }
  if (all) {
    for (const auto& [rack, peer] : up_) {
      named.insert(rack);
    }
  }
  for (const RackId rack : named) {
    if (Peer* peer = FindRack(rack)) {
      const Instant now = owners_.clock->Now();
      peer->session().OnPublished(now);
      Touched(*peer, now);
    }
  }
}

void RegionEnd::Impl::RunTimers(Instant now) {
  while (!deadlines_.empty() && deadlines_.begin()->first <= now.ns) {
    Peer& peer = *deadlines_.begin()->second;
    if (peer.ending) {
      ReadMonitor();
      connections_.Shut(peer.socket().fd, peer.socket().serial);
      Erase(peer);
      continue;
    }
    peer.session().OnTimer(now);
    Touched(peer, now);
  }
}

// After each call into a session: arms its timer anew, or begins its end.
void RegionEnd::Impl::Touched(Peer& peer, Instant now) {
  if (peer.ending) {
    return;
  }
  Instant deadline = peer.session().NextDeadline();
  if (peer.session().state() == RegionSession::State::kClosed) {
    peer.ending = true;
    deadline = now + kDropDelay;
    const auto found = up_.find(peer.session().peer().id);
    if (found != up_.end() && found->second == &peer) {
      Log(LogLevel::kWarn, "rack-down", found->first);
      up_.erase(found);
      counters_.racks_up.Set(up_.size());
    }
  }
  // A deadline that has just been served lies in the future; if a session thinks otherwise it must
  // not hold the thread.
  deadline = std::max(deadline, now + Duration::Millis(1));
  if (deadline != peer.armed) {
    deadlines_.erase({peer.armed.ns, &peer});
    deadlines_.insert({deadline.ns, &peer});
    peer.armed = deadline;
  }
}

void RegionEnd::Impl::Erase(Peer& peer) {
  deadlines_.erase({peer.armed.ns, &peer});
  by_serial_.erase(peer.serial());
  const std::string routing_id = peer.routing_id();
  peers_.erase(routing_id);
}

// Once per session, never per message.
void RegionEnd::Impl::Log(LogLevel level, std::string_view id, RackId rack) {
  if (owners_.log != nullptr) {
    owners_.log->Write(level, id, "rack " + std::to_string(rack));
  }
}

RegionEnd::Impl::Peer* RegionEnd::Impl::FindSerial(std::uint64_t serial) {
  const auto found = by_serial_.find(serial);
  return found == by_serial_.end() ? nullptr : found->second;
}

RegionEnd::Impl::Peer* RegionEnd::Impl::FindRack(RackId rack) {
  const auto found = up_.find(rack);
  return found == up_.end() ? nullptr : found->second;
}

void RegionEnd::Impl::Wait() {
  zmq_pollitem_t items[4] = {
      {.socket = nullptr, .fd = tasks_->fd(), .events = ZMQ_POLLIN, .revents = 0},
      {.socket = router_.get(), .fd = 0, .events = ZMQ_POLLIN, .revents = 0},
      {.socket = zap_.get(), .fd = 0, .events = ZMQ_POLLIN, .revents = 0},
      {.socket = monitor_.get(), .fd = 0, .events = ZMQ_POLLIN, .revents = 0}};
  const Instant deadline =
      deadlines_.empty() ? Instant::Never() : Instant{deadlines_.begin()->first};
  (void)zmq_poll(items, 4, link::PollMillis(deadline, owners_.clock->Now()));
}

void RegionEnd::Impl::ReceiveMessages() {
  for (std::size_t i = 0; i < kMessagesPerTurnMax; ++i) {
    ZmqMessage routing_id;
    if (!router_.Receive(routing_id)) {
      return;
    }
    if (!routing_id.more()) {
      counters_.link.Reject(link::RejectReason::kTruncated);
      continue;
    }
    ZmqMessage message;
    if (!router_.Receive(message)) {
      return;
    }
    if (message.more()) {
      // Messages have one part.
      router_.SkipRest(message);
      counters_.link.Reject(link::RejectReason::kMalformed);
      continue;
    }
    OnMessage(std::string(routing_id.text()), message);
  }
}

void RegionEnd::Impl::OnMessage(const std::string& routing_id, ZmqMessage& message) {
  const Instant now = owners_.clock->Now();
  if (Peer* peer = FindOrAdmit(routing_id, message, now)) {
    peer->session().OnMessage(message.bytes(), owners_.clock->WallNow(), now);
    Touched(*peer, now);
  }
}

// Who sent it is what ZAP said of the connection, never what the message or the routing id says.
RegionEnd::Impl::Peer* RegionEnd::Impl::FindOrAdmit(const std::string& routing_id,
                                                    ZmqMessage& message, Instant now) {
  const std::optional<PeerStatus> status = ParseUserId(message.Property("User-Id"));
  if (!status) {
    counters_.link.Reject(link::RejectReason::kUnauthorised);
    return nullptr;
  }
  if (const auto found = peers_.find(routing_id); found != peers_.end()) {
    const PeerStatus& known = found->second->session().peer();
    if (known.kind != status->kind || known.id != status->id) {
      counters_.link.Reject(link::RejectReason::kUnauthorised);
      return nullptr;
    }
    return found->second.get();
  }
  ReadMonitor();
  const int fd = message.source_fd();
  const Peer::Socket socket{.fd = fd, .serial = connections_.SerialOf(fd)};
  connections_.OnAuthenticated(fd);
  if (peers_.size() >= options_.connections_max) {
    counters_.connections_refused.Add();
    connections_.Shut(socket.fd, socket.serial);
    return nullptr;
  }
  auto made = std::make_unique<Peer>(*this, routing_id, *status, next_serial_++, socket, now);
  Peer* peer = made.get();
  peers_.emplace(routing_id, std::move(made));
  by_serial_.emplace(peer->serial(), peer);
  return peer;
}

void RegionEnd::Impl::ServeZap() {
  zap_.Serve(kZapPerTurnMax, [this](const std::vector<std::string>& frames) {
    ZapAnswer answer = AnswerZap(frames, *owners_.directory, owners_.clock->WallNow());
    counters_.zap[static_cast<std::size_t>(answer.result)].Add();
    return std::move(answer.frames);
  });
}

void RegionEnd::Impl::ReadMonitor() {
  link::ZmqMonitor::Event event;
  while (monitor_.Next(event)) {
    switch (event.id) {
      case ZMQ_EVENT_ACCEPTED:
        if (!connections_.OnAccepted(event.value)) {
          counters_.connections_refused.Add();
        }
        break;
      case ZMQ_EVENT_DISCONNECTED:
      case ZMQ_EVENT_CLOSED:
        connections_.OnDisconnected(event.value);
        break;
      default:
        counters_.handshakes_failed.Add();
        break;
    }
    counters_.connections.Set(connections_.size());
  }
}

// ---- the public face ----

Result<std::unique_ptr<RegionEnd>> RegionEnd::Create(RegionEndOptions options,
                                                     RegionEndOwners owners) {
  auto impl = std::make_unique<Impl>(std::move(options), owners);
  SLIP_TRY(impl->Bind());
  return std::unique_ptr<RegionEnd>(new RegionEnd(std::move(impl)));
}

RegionEnd::RegionEnd(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

RegionEnd::~RegionEnd() = default;

Result<void> RegionEnd::Start() { return impl_->Start(); }

void RegionEnd::Stop() { impl_->Stop(); }

std::string RegionEnd::endpoint() const { return impl_->endpoint(); }

link::PublicKey RegionEnd::public_key() const { return impl_->public_key(); }

void RegionEnd::NotifyPublished(RackId rack) { impl_->NotifyPublished(rack); }

void RegionEnd::NotifyDirectory() { impl_->NotifyDirectory(); }

void RegionEnd::Query(RackId rack, std::string topic, std::string argument, link::QueryDone done) {
  impl_->Query(rack, std::move(topic), std::move(argument), std::move(done));
}

const RegionEndCounters& RegionEnd::counters() const noexcept { return impl_->counters(); }

}  // namespace slipway::region_link
