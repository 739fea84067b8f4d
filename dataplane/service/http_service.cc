#include "dataplane/service/http_service.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "dataplane/base/check.h"
#include "dataplane/boot/paths.h"
#include "dataplane/shard/socket.h"

namespace slipway::service {
namespace {

constexpr std::array<http::Route, 3> kRoutes = {{
    {.path = boot::kIpxeScriptPath, .id = std::to_underlying(HttpRoute::kBootScript)},
    {.path = boot::kFilesPrefix, .prefix = true, .id = std::to_underlying(HttpRoute::kFile)},
    {.path = boot::kInventoryPath,
     .action = http::RouteAction::kUpload,
     .id = std::to_underlying(HttpRoute::kInventory),
     .body_bytes_max = limits::kInventoryBytesMax},
}};

constexpr Duration kAcceptPause = Duration::Millis(100);
constexpr std::uint64_t kListenerCookie = std::uint64_t{1} << 63;

std::uint64_t Cookie(std::uint32_t index, std::uint32_t generation) noexcept {
  return std::uint64_t{generation & 0x7FFF'FFFF} << 32 | index;
}

IpAddress AddressOf(const sockaddr_storage& storage) noexcept {
  const auto* bytes = reinterpret_cast<const std::byte*>(&storage);
  if (storage.ss_family == AF_INET) {
    return Ipv4Address{LoadBig<std::uint32_t>(bytes + offsetof(sockaddr_in, sin_addr))};
  }
  Ipv6Address address;
  std::memcpy(address.octets.data(), bytes + offsetof(sockaddr_in6, sin6_addr),
              address.octets.size());
  return address;
}

}  // namespace

HttpService::HttpService(const HttpOptions& options, const HttpEnvironment& environment)
    : options_(options),
      shard_(environment.shard),
      clock_(environment.clock),
      resolver_(environment.resolver),
      steps_(environment.steps),
      inventories_(environment.inventories),
      read_ahead_(environment.read_ahead),
      connections_(std::make_unique<Connection[]>(options.connections_max)),
      inputs_(std::make_unique_for_overwrite<std::byte[]>(options.connections_max *
                                                          http::kHeadBytesMax)),
      outputs_(std::make_unique_for_overwrite<std::byte[]>(options.connections_max *
                                                           http::kResponseHeadBytesMax)),
      uploads_(std::make_unique<Upload[]>(options.upload_buffers)),
      peers_(options.connections_max, options.hash_seed),
      generated_(options.generated_buffers, kGeneratedBytesMax),
      upload_buffers_(options.upload_buffers, limits::kInventoryBytesMax) {
  for (std::uint32_t i = options.connections_max; i > 0; --i) {
    connections_[i - 1].service = this;
    connections_[i - 1].next_free = free_;
    free_ = i - 1;
  }
}

HttpService::~HttpService() {
  for (std::uint32_t i = 0; i < options_.connections_max; ++i) {
    if (connections_[i].mode != Mode::kFree) {
      Close(connections_[i], Instant{});
    }
  }
  for (std::size_t i = 0; i < listeners_used_; ++i) {
    shard_.driver().RemoveWatch(listeners_[i].watch);
  }
}

Result<std::unique_ptr<HttpService>> HttpService::Create(const HttpOptions& options,
                                                         const HttpEnvironment& environment,
                                                         std::span<shard::OwnedFd> listeners) {
  if (options.connections_max == 0 || options.connections_max > kHttpConnectionsMax ||
      options.upload_buffers == 0 || listeners.empty() || listeners.size() > kHttpListenersMax) {
    return Fail(ErrorCode::kOutOfRange);
  }

  struct sigaction ignore {};

  ignore.sa_handler = SIG_IGN;
  if (::sigaction(SIGPIPE, &ignore, nullptr) != 0) {
    return FailErrno(errno);
  }
  std::unique_ptr<HttpService> service(new HttpService(options, environment));
  for (shard::OwnedFd& fd : listeners) {
    Listener& listener = service->listeners_[service->listeners_used_];
    listener.service = service.get();
    listener.fd = std::move(fd);
    listener.watch = SLIP_TRY(
        environment.shard.driver().AddWatch(listener.fd.get(), shard::kReadable, &listener));
    ++service->listeners_used_;
  }
  SLIP_TRY(environment.shard.AddHook(service.get()));
  return service;
}

void HttpService::Listener::OnReady(shard::WatchId /*watch*/, std::uint32_t /*events*/,
                                    Instant now) {
  service->Accept(*this, now);
}

void HttpService::Accept(Listener& listener, Instant now) {
  // What is over the bound of the turn stays in the backlog: readiness is a level.
  for (; turn_accepts_left_ > 0; --turn_accepts_left_) {
    sockaddr_storage address{};
    socklen_t bytes = sizeof(address);
    shard::OwnedFd fd(::accept4(listener.fd.get(), reinterpret_cast<sockaddr*>(&address), &bytes,
                                SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd.valid()) {
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        Pause(listener, now);
      }
      return;  // EAGAIN, or a peer that left before: the level tells if there is more.
    }
    Open(std::move(fd), AddressOf(address), now);
  }
}

// The backlog cannot be emptied without descriptors, and its readiness would keep the shard busy.
void HttpService::Pause(Listener& listener, Instant now) {
  counters_.accept_errors.Add();
  const auto index = static_cast<std::uint64_t>(&listener - listeners_.data());
  if (!shard_.timers().Add(now + kAcceptPause, this, kListenerCookie | index)) {
    return;  // Busy waiting is all that is left.
  }
  listener.paused = true;
  (void)shard_.driver().ChangeWatch(listener.watch, 0);
}

void HttpService::Open(shard::OwnedFd fd, const IpAddress& peer, Instant now) {
  if (peers_.CountOf(peer) >= options_.connections_per_address_max) {
    counters_.refused_per_address.Add();
    return;
  }
  const std::uint32_t index = free_;
  if (index == kNone) {
    counters_.refused_full.Add();
    return;
  }
  Connection& connection = connections_[index];
  const auto watch = shard_.driver().AddWatch(fd.get(), shard::kReadable, &connection);
  if (!watch) {
    counters_.refused_full.Add();
    return;
  }
  const int on = 1;
  (void)::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  const auto local = shard::LocalAddress(fd.get());
  free_ = connection.next_free;
  ++connection.generation;
  connection.fd = std::move(fd);
  connection.watch = *watch;
  connection.interest = shard::kReadable;
  connection.mode = Mode::kReading;
  connection.input_bytes = 0;
  connection.lingered_bytes = 0;
  connection.peer = peer;
  connection.local = local ? local->address : IpAddress();
  connection.timer = {};
  connection.owed = http::Step();
  connection.http.Start(kRoutes, now);
  peers_.Insert(index, peer, 0);
  ++connections_open_;
  counters_.accepted.Add();
  Settle(connection, now);
}

void HttpService::Connection::OnReady(shard::WatchId /*watch*/, std::uint32_t events, Instant now) {
  service->OnConnectionReady(*this, events, now);
}

void HttpService::OnConnectionReady(Connection& connection, std::uint32_t events, Instant now) {
  switch (connection.mode) {
    case Mode::kReading:
    case Mode::kBody:
    case Mode::kLingering:
      OnReadable(connection, now);
      return;
    case Mode::kSending:
      Run(connection, {.kind = http::StepKind::kNone, .body = {}}, now);
      return;
    case Mode::kWaiting:
    case Mode::kDeferred:
    case Mode::kCold:
      if ((events & shard::kHangup) != 0) {
        Close(connection, now);  // Both directions are shut: nobody waits for the answer.
      }
      return;
    case Mode::kFree:
      return;
  }
}

void HttpService::OnReadable(Connection& connection, Instant now) {
  MutableByteSpan into;
  std::array<std::byte, 4096> discarded;
  if (connection.mode == Mode::kReading) {
    into = InputOf(connection).subspan(connection.input_bytes);
  } else if (connection.mode == Mode::kBody) {
    const std::size_t left = connection.http.body_bytes_left();
    into = upload_buffers_.At(connection.upload).subspan(uploads_[connection.upload].filled, left);
  } else {
    into = discarded;
  }
  const ssize_t got = ::recv(connection.fd.get(), into.data(), into.size(), 0);
  if (got < 0) {
    if (errno != EAGAIN && errno != EINTR) {
      Close(connection, now);
    }
    return;
  }
  if (got == 0) {
    Run(connection, connection.http.OnInputEnd(), now);
    return;
  }
  const auto bytes = static_cast<std::uint32_t>(got);
  if (connection.mode == Mode::kReading) {
    connection.input_bytes += bytes;
    Run(connection,
        connection.http.OnInput(InputOf(connection).first(connection.input_bytes), clock_.WallNow(),
                                now, OutputOf(connection)),
        now);
  } else if (connection.mode == Mode::kBody) {
    uploads_[connection.upload].filled += bytes;
    Run(connection, connection.http.OnBody(bytes, now), now);
  } else {
    connection.lingered_bytes += bytes;
    if (connection.lingered_bytes > kHttpLingerBytesMax) {
      Close(connection, now);
    }
  }
}

// Carries out steps until the connection has to wait for something.
void HttpService::Run(Connection& connection, http::Step step, Instant now) {
  for (std::size_t i = 0; i < kHttpStepsPerVisitMax; ++i) {
    if (!RunOne(connection, step, now)) {
      if (connection.mode != Mode::kFree) {
        Settle(connection, now);
      }
      return;
    }
  }
  // A peer that pipelines more than its share goes on in the next turn.
  connection.owed = step;
  Defer(connection);
  Settle(connection, now);
}

// One step; `step` becomes the next. False: wait (or the connection is gone).
bool HttpService::RunOne(Connection& connection, http::Step& step, Instant now) {
  switch (step.kind) {
    case http::StepKind::kNone:
      if (connection.mode == Mode::kSending) {
        return ContinueResponse(connection, step, now);
      }
      return false;
    case http::StepKind::kNeedInput:
      connection.mode = Mode::kReading;
      return false;
    case http::StepKind::kResolve:
      connection.mode = Mode::kWaiting;
      step = Resolve(connection, now);
      return true;
    case http::StepKind::kNeedBody:
      step = TakeBody(connection, step, now);
      return step.kind != http::StepKind::kNeedBody;
    case http::StepKind::kSubmit:
      connection.mode = Mode::kWaiting;
      step = Submit(connection, now);
      return true;
    case http::StepKind::kRespond:
      BeginResponse(connection, step, now);
      return ContinueResponse(connection, step, now);
    case http::StepKind::kLinger:
      (void)::shutdown(connection.fd.get(), SHUT_WR);
      connection.mode = Mode::kLingering;
      connection.input_bytes = 0;
      return false;
    case http::StepKind::kClose:
      Close(connection, now);
      return false;
  }
  return false;
}

http::Step HttpService::Resolve(Connection& connection, Instant now) {
  const http::HttpConnection& http = connection.http;
  const bool script = http.route().id == std::to_underlying(HttpRoute::kBootScript);
  connection.head_only = true;  // Until a body is being sent.
  connection.buffer = generated_.Take();
  connection.content =
      resolver_.Resolve({.space = script ? ContentSpace::kBootScript : ContentSpace::kFile,
                         .name = http.name(),
                         .query = http.query(),
                         .peer = connection.peer,
                         .local = connection.local},
                        generated_.At(connection.buffer), now);
  const Content& content = connection.content;
  if (content.kind != ContentKind::kMemory && connection.buffer != BufferStack::kNone) {
    generated_.Give(std::exchange(connection.buffer, BufferStack::kNone));
  }
  http::ContentInfo info{.bytes = content.bytes,
                         .validators = {.etag = content.etag.view(), .modified = content.modified},
                         .content_type = content.content_type};
  switch (content.kind) {
    case ContentKind::kNone:
      info.outcome = http::ContentOutcome::kNone;
      break;
    case ContentKind::kFile:
    case ContentKind::kMemory:
      info.outcome = http::ContentOutcome::kFound;
      break;
    case ContentKind::kPending:
      info.outcome = http::ContentOutcome::kPending;
      break;
    case ContentKind::kUnavailable:
      info.outcome = http::ContentOutcome::kUnavailable;
      break;
  }
  return connection.http.OnContent(info, clock_.WallNow(), now, OutputOf(connection));
}

// Begins or goes on with an upload: what came behind the head is the first of the body.
http::Step HttpService::TakeBody(Connection& connection, const http::Step& step, Instant now) {
  if (connection.mode == Mode::kBody) {
    return step;  // More has to come.
  }
  ConsumeInput(connection, step.consumed);
  if (step.head_bytes > 0) {
    // 100 Continue fits any socket buffer that is empty; lost, the client sends unasked.
    (void)::send(connection.fd.get(), OutputOf(connection).data(), step.head_bytes,
                 MSG_NOSIGNAL | MSG_DONTWAIT);
  }
  connection.upload = upload_buffers_.Take();
  if (connection.upload == BufferStack::kNone) {
    counters_.uploads_refused.Add();
    return connection.http.OnNoBuffer(clock_.WallNow(), now, OutputOf(connection));
  }
  Upload& upload = uploads_[connection.upload];
  ++upload.generation;
  upload.connection = IndexOf(connection);
  upload.connection_generation = connection.generation;
  upload.submitted = false;
  const std::size_t bytes =
      std::min<std::size_t>(connection.input_bytes, connection.http.body_bytes_left());
  std::ranges::copy(InputOf(connection).first(bytes),
                    upload_buffers_.At(connection.upload).begin());
  upload.filled = static_cast<std::uint32_t>(bytes);
  ConsumeInput(connection, bytes);
  connection.mode = Mode::kBody;
  return connection.http.OnBody(bytes, now);
}

http::Step HttpService::Submit(Connection& connection, Instant now) {
  Upload& upload = uploads_[connection.upload];
  const ByteSpan body = upload_buffers_.At(connection.upload).first(upload.filled);
  upload.submitted = true;
  const InventoryVerdict verdict =
      inventories_.Submit({.peer = connection.peer,
                           .local = connection.local,
                           .token = connection.http.token(),
                           .body = body,
                           .handle = Cookie(connection.upload, upload.generation)},
                          now);
  http::UploadOutcome outcome = http::UploadOutcome::kFailed;
  switch (verdict) {
    case InventoryVerdict::kAccepted:
      return {.kind = http::StepKind::kNone, .body = {}};
    case InventoryVerdict::kMalformed:
      outcome = http::UploadOutcome::kMalformed;
      break;
    case InventoryVerdict::kDenied:
      outcome = http::UploadOutcome::kDenied;
      break;
    case InventoryVerdict::kBusy:
      counters_.uploads_refused.Add();
      break;
  }
  upload.submitted = false;
  ReleaseUpload(connection);
  return connection.http.OnSubmitted(outcome, clock_.WallNow(), now, OutputOf(connection));
}

void HttpService::CompleteInventory(std::uint64_t handle, bool durable, Instant now) {
  const auto index = static_cast<std::uint32_t>(handle);
  if (index >= options_.upload_buffers) {
    return;
  }
  Upload& upload = uploads_[index];
  if (!upload.submitted || Cookie(index, upload.generation) != handle) {
    return;
  }
  upload.submitted = false;
  (durable ? counters_.uploads_stored : counters_.uploads_refused).Add();
  upload_buffers_.Give(index);
  Connection& connection = connections_[upload.connection];
  if (connection.mode == Mode::kFree || connection.generation != upload.connection_generation ||
      connection.upload != index) {
    return;  // The peer has left, or was told 503 when its time was up.
  }
  connection.upload = kNone;
  Run(connection,
      connection.http.OnSubmitted(
          durable ? http::UploadOutcome::kStored : http::UploadOutcome::kFailed, clock_.WallNow(),
          now, OutputOf(connection)),
      now);
}

void HttpService::OnContentReady(Instant now) {
  for (std::uint32_t i = 0; i < options_.connections_max; ++i) {
    Connection& connection = connections_[i];
    if (connection.mode == Mode::kWaiting && connection.content.kind == ContentKind::kPending) {
      Run(connection, {.kind = http::StepKind::kResolve, .body = {}}, now);
    } else if (connection.mode == Mode::kCold) {
      connection.mode = Mode::kSending;
      Run(connection, {.kind = http::StepKind::kNone, .body = {}}, now);
    }
  }
}

// After each visit: what to watch for, and when to look at the clock.
void HttpService::Settle(Connection& connection, Instant now) {
  std::uint32_t interest = 0;
  if (connection.mode == Mode::kReading || connection.mode == Mode::kBody ||
      connection.mode == Mode::kLingering) {
    interest = shard::kReadable;
  } else if (connection.mode == Mode::kSending) {
    interest = shard::kWritable;
  }
  if (interest != connection.interest) {
    connection.interest = interest;
    if (!shard_.driver().ChangeWatch(connection.watch, interest)) {
      Close(connection, now);
      return;
    }
  }
  // The timer is moved only when it would come too late: one that comes early is set again.
  const Instant deadline = connection.http.next_deadline();
  if (connection.timer.is_set() && connection.timer_at <= deadline) {
    return;
  }
  (void)shard_.timers().Cancel(connection.timer);
  const auto timer =
      shard_.timers().Add(deadline, this, Cookie(IndexOf(connection), connection.generation));
  if (!timer) {
    connection.timer = {};
    counters_.refused_full.Add();
    Close(connection, now);
    return;
  }
  connection.timer = *timer;
  connection.timer_at = deadline;
}

void HttpService::OnTimer(std::uint64_t cookie, Instant now) {
  if ((cookie & kListenerCookie) != 0) {
    Listener& listener = listeners_[cookie & ~kListenerCookie];
    listener.paused = false;
    (void)shard_.driver().ChangeWatch(listener.watch, shard::kReadable);
    return;
  }
  const auto index = static_cast<std::uint32_t>(cookie);
  Connection& connection = connections_[index];
  if (connection.mode == Mode::kFree || Cookie(index, connection.generation) != cookie) {
    return;
  }
  connection.timer = {};
  const http::Step step = connection.http.OnTimer(clock_.WallNow(), now, OutputOf(connection));
  if (step.kind == http::StepKind::kNone) {
    Settle(connection, now);
    return;
  }
  counters_.cut_off.Add();
  Run(connection, step, now);
}

void HttpService::OnTurn(Instant now) {
  turn_bytes_left_ = kHttpTurnBytesMax;
  turn_accepts_left_ = kHttpAcceptsPerTurnMax;
  // First those that waited; what they leave is for the next turn's ready sockets.
  for (std::size_t left = deferred_.size(); left > 0 && turn_bytes_left_ > 0; --left) {
    Connection& connection = connections_[deferred_.Pop()];
    connection.queued = false;
    if (connection.mode != Mode::kDeferred) {
      continue;  // Closed meanwhile.
    }
    connection.mode = Mode::kSending;
    Run(connection, std::exchange(connection.owed, http::Step()), now);
  }
  if (!deferred_.empty()) {
    shard_.RequestTurn();
  }
}

// A place is in the queue once at most, so the queue cannot overflow.
void HttpService::Defer(Connection& connection) {
  connection.mode = Mode::kDeferred;
  counters_.deferred.Add();
  if (!connection.queued) {
    connection.queued = true;
    SLIP_CHECK(deferred_.Push(IndexOf(connection)));
  }
  shard_.RequestTurn();
}

void HttpService::ReleaseUpload(Connection& connection) {
  if (connection.upload == kNone) {
    return;
  }
  const std::uint32_t index = std::exchange(connection.upload, kNone);
  if (!uploads_[index].submitted) {
    upload_buffers_.Give(index);  // Else CompleteInventory gives it back.
  }
}

void HttpService::Close(Connection& connection, Instant now) {
  SLIP_CHECK(connection.mode != Mode::kFree);
  if (connection.content.kind != ContentKind::kNone) {
    EndResponse(connection, false, now);
  }
  ReleaseUpload(connection);
  const std::uint32_t index = IndexOf(connection);
  shard_.driver().RemoveWatch(connection.watch);
  (void)shard_.timers().Cancel(connection.timer);
  connection.fd.Reset();
  peers_.Erase(index);
  connection.mode = Mode::kFree;
  connection.next_free = free_;
  free_ = index;
  --connections_open_;
}

void HttpService::ConsumeInput(Connection& connection, std::size_t bytes) noexcept {
  SLIP_CHECK(bytes <= connection.input_bytes);
  const MutableByteSpan input = InputOf(connection).first(connection.input_bytes);
  std::memmove(input.data(), input.data() + bytes, input.size() - bytes);
  connection.input_bytes -= static_cast<std::uint32_t>(bytes);
}

std::uint32_t HttpService::IndexOf(const Connection& connection) const noexcept {
  return static_cast<std::uint32_t>(&connection - connections_.get());
}

MutableByteSpan HttpService::InputOf(const Connection& connection) noexcept {
  return {inputs_.get() + IndexOf(connection) * http::kHeadBytesMax, http::kHeadBytesMax};
}

MutableByteSpan HttpService::OutputOf(const Connection& connection) noexcept {
  return {outputs_.get() + IndexOf(connection) * http::kResponseHeadBytesMax,
          http::kResponseHeadBytesMax};
}

}  // namespace slipway::service
