#include "controlplane/api/http_server.h"

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <ctime>
#include <deque>
#include <optional>
#include <unordered_set>

#include "controlplane/api/http_head.h"
#include "dataplane/base/check.h"
#include "dataplane/base/posix_disk.h"

namespace slipway::api {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;
using Tcp = asio::ip::tcp;

constexpr std::size_t kReadBytes = 16 * 1024;
constexpr std::size_t kLingerBytesMax = 1024 * 1024;

[[nodiscard]] std::chrono::nanoseconds Chrono(Duration duration) {
  return std::chrono::nanoseconds(duration.ns);
}

// RFC 9110 5.6.7, of now.
[[nodiscard]] std::string HttpDate() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  std::array<char, 40> text{};
  if (gmtime_r(&now, &parts) == nullptr) {
    return {};
  }
  const std::size_t size =
      std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return {text.data(), size};
}

[[nodiscard]] std::string Hex(std::uint64_t value) {
  std::array<char, 16> text{};
  const auto result = std::to_chars(text.data(), text.data() + text.size(), value, 16);
  return {text.data(), result.ptr};
}

[[nodiscard]] Response Refusal(int status, std::string_view reason) {
  Response response{.status = status,
                    .content_type = "application/problem+json",
                    .body = R"({"type":"about:blank","title":")",
                    .headers = {}};
  // Reasons are literals of ours without anything to escape.
  response.body.append(ReasonPhrase(status))
      .append(R"(","status":)")
      .append(std::to_string(status))
      .append(R"(,"detail":")")
      .append(reason)
      .append("\"}\n");
  return response;
}

[[nodiscard]] std::string RenderHead(const Response& response, std::string_view request_id,
                                     bool chunked, bool keep_alive) {
  std::string head = "HTTP/1.1 ";
  head.append(std::to_string(response.status)).append(" ");
  head.append(ReasonPhrase(response.status)).append("\r\nDate: ").append(HttpDate());
  head.append("\r\nServer: slipway\r\n");
  if (!request_id.empty()) {
    head.append("X-Request-Id: ").append(request_id).append("\r\n");
  }
  if (response.status != 204 && response.status != 304) {
    if (!response.content_type.empty()) {
      head.append("Content-Type: ").append(response.content_type).append("\r\n");
    }
    if (chunked) {
      head.append("Transfer-Encoding: chunked\r\n");
    } else {
      head.append("Content-Length: ").append(std::to_string(response.body.size())).append("\r\n");
    }
  }
  for (const Header& header : response.headers) {
    head.append(header.name).append(": ").append(header.value).append("\r\n");
  }
  // Answers hold what only the token's holder may see.
  head.append("Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n");
  head.append(keep_alive ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n");
  return head;
}

class Session;

// What all connections of a server share. Loop thread only, but the counters.
struct Shared {
  Shared(const ServerLimits& limits_in, HttpHandler& handler_in, LogSink& log_in)
      : limits(limits_in), handler(handler_in), log(log_in) {}

  ServerLimits limits;
  HttpHandler& handler;
  LogSink& log;
  asio::io_context io{1};
  ServerCounters counters;
  std::unordered_set<Session*> sessions;
  std::size_t bodies_bytes = 0;
  bool stopping = false;
  PosixRandom random;

  void Count(int status) {
    auto& counter = status >= 500   ? counters.responses_5xx
                    : status >= 400 ? counters.responses_4xx
                                    : counters.responses_2xx;
    counter.fetch_add(1, std::memory_order_relaxed);
  }
};

// The thread-safe side of a stream: bounds what is queued, and posts to the session.
class SessionStream final : public Stream {
 public:
  SessionStream(std::shared_ptr<Session> session, asio::io_context& io, std::size_t bytes_max)
      : session_(std::move(session)), io_(io), bytes_max_(bytes_max) {}

  bool Write(std::string chunk) override;
  void Close() override;

  [[nodiscard]] bool closed() const override { return closed_.load(std::memory_order_acquire); }

  [[nodiscard]] std::size_t queued_bytes() const override {
    return queued_bytes_.load(std::memory_order_acquire);
  }

  void MarkClosed() { closed_.store(true, std::memory_order_release); }

  void Sent(std::size_t bytes) { queued_bytes_.fetch_sub(bytes, std::memory_order_acq_rel); }

 private:
  std::weak_ptr<Session> session_;
  asio::io_context& io_;
  std::size_t bytes_max_;
  std::atomic<std::size_t> queued_bytes_{0};
  std::atomic<bool> closed_{false};
};

// One connection. Kept alive by the handler that it waits for, or by the exchange under way.
class Session final : public std::enable_shared_from_this<Session> {
 public:
  Session(Tcp::socket socket, std::shared_ptr<Shared> shared)
      : stream_(std::move(socket)), shared_(std::move(shared)) {
    shared_->sessions.insert(this);
    shared_->counters.connections_open.fetch_add(1, std::memory_order_relaxed);
    error_code error;
    (void)stream_.socket().set_option(Tcp::no_delay(true), error);
    const auto peer = stream_.socket().remote_endpoint(error);
    if (!error) {
      peer_ = peer.address().to_string() + ":" + std::to_string(peer.port());
    }
  }

  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  ~Session() {
    ReleaseBody();
    CloseStream();
    shared_->sessions.erase(this);
    shared_->counters.connections_open.fetch_sub(1, std::memory_order_relaxed);
  }

  void Start() {
    deadline_ = Clock::now() + Chrono(shared_->limits.header_timeout);
    ReadHead();
  }

  // A connection beyond the cap.
  void Refuse() {
    keep_alive_ = false;
    Write(Refusal(503, "too many connections; try again later"));
  }

  void OnStop() {
    keep_alive_ = false;
    if (sse_ != nullptr) {
      EndStream();
    } else if (waiting_) {
      Abort();
    }
  }

  // Pending operations end with an error, and with them the session.
  void Abort() {
    CloseStream();
    error_code error;
    (void)stream_.socket().close(error);
  }

  // ---- the exchange's side, on the loop thread ----
  void Respond(Response response) {
    busy_ = false;
    if (!stream_.socket().is_open()) {
      return;
    }
    Write(std::move(response));
  }

  void OpenStream(std::shared_ptr<SessionStream> sse, const Response& head) {
    busy_ = false;
    sse_ = std::move(sse);
    shared_->counters.streams_open.fetch_add(1, std::memory_order_relaxed);
    shared_->Count(head.status);
    if (!stream_.socket().is_open()) {
      CloseStream();
      return;
    }
    keep_alive_ = false;
    chunks_.push_back({RenderHead(head, request_id_, true, false), 0});
    WriteChunks();
    WatchForClose();
  }

  void QueueChunk(std::string chunk) {
    if (sse_ == nullptr || ending_) {
      return;
    }
    const std::size_t bytes = chunk.size();
    std::string framed = Hex(bytes);
    framed.append("\r\n").append(chunk).append("\r\n");
    chunks_.push_back({std::move(framed), bytes});
    WriteChunks();
  }

  void EndStream() {
    if (sse_ == nullptr || ending_) {
      return;
    }
    ending_ = true;
    chunks_.push_back({"0\r\n\r\n", 0});
    WriteChunks();
  }

  void CutStream() {
    shared_->counters.streams_cut.fetch_add(1, std::memory_order_relaxed);
    Abort();
  }

 private:
  using Clock = std::chrono::steady_clock;

  struct Chunk {
    std::string bytes;
    std::size_t counted = 0;  // against the stream's queue
  };

  [[nodiscard]] std::string_view Buffered() const {
    const auto data = buffer_.data();
    return {static_cast<const char*>(data.data()), data.size()};
  }

  void ReadHead() {
    if (shared_->stopping) {
      Abort();
      return;
    }
    const std::size_t end = FindHeadEnd(Buffered());
    if (end != std::string_view::npos && end <= kHeadBytesMax) {
      TakeHead(end);
      return;
    }
    if (buffer_.size() > kHeadBytesMax) {
      RefuseRequest(431, "the head is longer than 8192 bytes");
      return;
    }
    waiting_ = buffer_.size() == 0;
    stream_.expires_at(deadline_);
    stream_.async_read_some(buffer_.prepare(kReadBytes),
                            [self = shared_from_this()](error_code error, std::size_t bytes) {
                              self->OnHeadBytes(error, bytes);
                            });
  }

  void OnHeadBytes(error_code error, std::size_t bytes) {
    if (error) {
      if (error == beast::error::timeout) {
        shared_->counters.timeouts.fetch_add(1, std::memory_order_relaxed);
      }
      Abort();
      return;
    }
    if (buffer_.size() == 0) {
      deadline_ = Clock::now() + Chrono(shared_->limits.header_timeout);
    }
    waiting_ = false;
    buffer_.commit(bytes);
    ReadHead();
  }

  void RefuseRequest(int status, std::string_view reason) {
    shared_->counters.requests_malformed.fetch_add(1, std::memory_order_relaxed);
    keep_alive_ = false;
    Write(Refusal(status, reason));
  }

  void TakeHead(std::size_t end) {
    auto head = ParseHead(Buffered().substr(0, end));
    request_id_.clear();
    head_only_ = false;
    if (!head) {
      RefuseRequest(head.error().status, head.error().reason);
      return;
    }
    shared_->counters.requests.fetch_add(1, std::memory_order_relaxed);
    request_ = std::move(head->request);
    if (request_.id.empty()) {
      request_.id = Hex(shared_->random.U64());
    }
    request_.peer = peer_;
    request_id_ = request_.id;
    head_only_ = request_.method == Method::kHead;
    keep_alive_ = head->keep_alive && !shared_->stopping;
    const auto body_bytes_max = shared_->handler.OnHead(request_);
    if (!body_bytes_max) {
      keep_alive_ = keep_alive_ && !head->has_body();
      buffer_.consume(keep_alive_ ? end : 0);
      Write(body_bytes_max.error());
      return;
    }
    StartBody(*head, *body_bytes_max);
  }

  void StartBody(const RequestHead& head, std::size_t body_bytes_max) {
    constexpr std::size_t kChunkedBytesMax = std::size_t{1} << 20;
    std::size_t reserve = head.chunked ? std::min(body_bytes_max, kChunkedBytesMax) : 0;
    if (!head.chunked) {
      if (head.content_length > body_bytes_max) {
        RefuseRequest(413, "the body is longer than this route takes");
        return;
      }
      reserve = static_cast<std::size_t>(head.content_length);
    }
    if (reserve > shared_->limits.bodies_bytes_max - shared_->bodies_bytes) {
      keep_alive_ = false;
      Write(Refusal(503, "too many large bodies at once; try again later"));
      return;
    }
    body_reserved_ = reserve;
    shared_->bodies_bytes += reserve;
    parser_.emplace();
    parser_->header_limit(kHeadBytesMax);
    parser_->body_limit(reserve);
    parser_->eager(true);
    const auto budget = Chrono(shared_->limits.body_timeout) +
                        std::chrono::seconds(static_cast<std::int64_t>(reserve / 65536));
    stream_.expires_after(budget);
    if (head.expects_continue && head.has_body()) {
      head_out_ = "HTTP/1.1 100 Continue\r\n\r\n";
      asio::async_write(stream_, asio::buffer(head_out_),
                        [self = shared_from_this()](error_code error, std::size_t) {
                          if (error) {
                            self->Abort();
                          } else {
                            self->ReadBody();
                          }
                        });
      return;
    }
    ReadBody();
  }

  void ReadBody() {
    http::async_read(
        stream_, buffer_, *parser_,
        [self = shared_from_this()](error_code error, std::size_t) { self->OnBody(error); });
  }

  void OnBody(error_code error) {
    ReleaseBody();
    if (error == http::error::body_limit) {
      RefuseRequest(413, "the body is longer than this route takes (1 MiB without a length)");
      return;
    }
    if (error == beast::error::timeout) {
      // The stream is closed by its timer: there is nobody to tell.
      shared_->counters.timeouts.fetch_add(1, std::memory_order_relaxed);
      Abort();
      return;
    }
    if (error && error.category() == http::make_error_code(http::error::bad_chunk).category() &&
        error != http::error::partial_message && error != http::error::end_of_stream) {
      RefuseRequest(400, "the body is not framed as its head says");
      return;
    }
    if (error) {
      Abort();
      return;
    }
    request_.body = std::move(parser_->get().body());
    parser_.reset();
    Dispatch();
  }

  void ReleaseBody() {
    shared_->bodies_bytes -= body_reserved_;
    body_reserved_ = 0;
  }

  void Dispatch();

  void Write(Response response) {
    shared_->Count(response.status);
    keep_alive_ = keep_alive_ && !shared_->stopping;
    head_out_ = RenderHead(response, request_id_, false, keep_alive_);
    const bool bodiless = head_only_ || response.status == 204 || response.status == 304;
    body_out_ = bodiless ? std::string() : std::move(response.body);
    const auto budget = Chrono(shared_->limits.write_timeout) +
                        std::chrono::seconds(static_cast<std::int64_t>(body_out_.size() / 65536));
    stream_.expires_after(budget);
    const std::array<asio::const_buffer, 2> buffers = {asio::buffer(head_out_),
                                                       asio::buffer(body_out_)};
    asio::async_write(stream_, buffers, [self = shared_from_this()](error_code error, std::size_t) {
      self->OnWritten(error);
    });
  }

  void OnWritten(error_code error) {
    body_out_ = {};
    if (error) {
      Abort();
      return;
    }
    if (!keep_alive_) {
      Linger();
      return;
    }
    deadline_ = Clock::now() + Chrono(buffer_.size() == 0 ? shared_->limits.idle_timeout
                                                          : shared_->limits.header_timeout);
    ReadHead();
  }

  // Closing with unread bytes would make the kernel send a reset, which can destroy the answer on
  // its way: what still comes is read and dropped, for a second and up to a bound.
  void Linger() {
    error_code error;
    (void)stream_.socket().shutdown(Tcp::socket::shutdown_send, error);
    stream_.expires_after(std::chrono::seconds(1));
    lingered_bytes_ = 0;
    Drop();
  }

  void Drop() {
    buffer_.clear();
    stream_.async_read_some(buffer_.prepare(kReadBytes),
                            [self = shared_from_this()](error_code error, std::size_t bytes) {
                              self->lingered_bytes_ += bytes;
                              if (error || self->lingered_bytes_ > kLingerBytesMax) {
                                self->Abort();
                              } else {
                                self->Drop();
                              }
                            });
  }

  void CloseStream() {
    if (sse_ != nullptr) {
      sse_->MarkClosed();
      sse_.reset();
      shared_->counters.streams_open.fetch_sub(1, std::memory_order_relaxed);
    }
  }

  void WriteChunks() {
    if (writing_ || chunks_.empty()) {
      return;
    }
    writing_ = true;
    stream_.expires_after(Chrono(shared_->limits.write_timeout));
    asio::async_write(stream_, asio::buffer(chunks_.front().bytes),
                      [self = shared_from_this()](error_code error, std::size_t) {
                        self->OnChunkWritten(error);
                      });
  }

  void OnChunkWritten(error_code error) {
    writing_ = false;
    stream_.expires_never();
    if (error || sse_ == nullptr) {
      Abort();
      return;
    }
    sse_->Sent(chunks_.front().counted);
    chunks_.pop_front();
    if (chunks_.empty() && ending_) {
      CloseStream();
      Abort();
      return;
    }
    WriteChunks();
  }

  // A client of a stream has nothing more to say: the first thing that comes is its end.
  void WatchForClose() {
    stream_.socket().async_read_some(
        asio::buffer(&unwanted_, 1),
        [self = shared_from_this()](error_code, std::size_t) { self->Abort(); });
  }

  beast::tcp_stream stream_;
  std::shared_ptr<Shared> shared_;
  beast::flat_buffer buffer_{kHeadBytesMax + 8 * kReadBytes};
  std::optional<http::request_parser<http::string_body>> parser_;
  Request request_;
  std::string request_id_;
  std::string peer_;
  std::string head_out_;
  std::string body_out_;
  std::deque<Chunk> chunks_;
  std::shared_ptr<SessionStream> sse_;
  Clock::time_point deadline_;
  std::size_t body_reserved_ = 0;
  std::size_t lingered_bytes_ = 0;
  char unwanted_ = 0;
  bool keep_alive_ = true;
  bool head_only_ = false;
  bool waiting_ = false;  // between requests, nothing read yet
  bool busy_ = false;     // a handler has the request
  bool writing_ = false;
  bool ending_ = false;
};

class SessionExchange final : public Exchange {
 public:
  SessionExchange(std::shared_ptr<Session> session, std::shared_ptr<Shared> shared)
      : session_(std::move(session)), shared_(std::move(shared)) {}

  void Respond(Response response) override {
    asio::dispatch(shared_->io,
                   [session = std::move(session_), answer = std::move(response)]() mutable {
                     session->Respond(std::move(answer));
                   });
  }

  std::shared_ptr<Stream> OpenStream(Response head) override {
    auto sse = std::make_shared<SessionStream>(session_, shared_->io,
                                               shared_->limits.stream_queue_bytes_max);
    asio::dispatch(shared_->io,
                   [session = std::move(session_), sse, response = std::move(head)]() mutable {
                     session->OpenStream(std::move(sse), response);
                   });
    return sse;
  }

 private:
  std::shared_ptr<Session> session_;
  std::shared_ptr<Shared> shared_;
};

void Session::Dispatch() {
  busy_ = true;
  stream_.expires_never();
  shared_->handler.OnRequest(std::move(request_), Responder(std::make_unique<SessionExchange>(
                                                      shared_from_this(), shared_)));
}

bool SessionStream::Write(std::string chunk) {
  if (closed() || chunk.empty()) {
    return !closed();
  }
  const std::size_t bytes = chunk.size();
  const std::size_t before = queued_bytes_.fetch_add(bytes, std::memory_order_acq_rel);
  const std::shared_ptr<Session> session = session_.lock();
  if (session == nullptr) {
    MarkClosed();
    return false;
  }
  if (before + bytes > bytes_max_) {
    MarkClosed();
    asio::post(io_, [session] { session->CutStream(); });
    return false;
  }
  asio::dispatch(io_, [session, piece = std::move(chunk)]() mutable {
    session->QueueChunk(std::move(piece));
  });
  return true;
}

void SessionStream::Close() {
  if (const std::shared_ptr<Session> session = session_.lock(); session != nullptr) {
    asio::post(io_, [session] { session->EndStream(); });
  }
}

class Server final : public HttpServer, public Executor {
 public:
  Server(const ServerLimits& limits, HttpHandler& handler, LogSink& log)
      : shared_(std::make_shared<Shared>(limits, handler, log)), acceptor_(shared_->io) {}

  [[nodiscard]] Result<void> Listen(IpAddress address, std::uint16_t port) {
    error_code error;
    const auto text = ToText(address);
    const auto ip = asio::ip::make_address(std::string(text.view()), error);
    if (error) {
      return Fail(ErrorCode::kMalformed);
    }
    const Tcp::endpoint endpoint(ip, port);
    (void)acceptor_.open(endpoint.protocol(), error);
    if (!error) {
      (void)acceptor_.set_option(Tcp::acceptor::reuse_address(true), error);
    }
    if (!error) {
      (void)acceptor_.bind(endpoint, error);
    }
    if (!error) {
      (void)acceptor_.listen(asio::socket_base::max_listen_connections, error);
    }
    if (error) {
      return error == asio::error::address_in_use ? Fail(ErrorCode::kBusy)
                                                  : FailErrno(error.value());
    }
    port_ = acceptor_.local_endpoint(error).port();
    Accept();
    return {};
  }

  [[nodiscard]] std::uint16_t port() const noexcept override { return port_; }

  [[nodiscard]] const ServerCounters& counters() const noexcept override {
    return shared_->counters;
  }

  [[nodiscard]] Executor& executor() noexcept override { return *this; }

  void Run() override {
    for (;;) {
      try {
        shared_->io.run();
        DropSessions();
        return;
      } catch (const std::exception& error) {
        // Only memory can be short here: the connection that asked for too much is gone.
        shared_->log.Write(LogLevel::kError, "http-exception", error.what());
      }
    }
  }

  void Stop() override {
    asio::post(shared_->io, [this] { StopOnLoop(); });
  }

  void Post(Task task) override { asio::post(shared_->io, std::move(task)); }

  void After(Duration delay, Task task) override {
    asio::post(shared_->io, [this, delay, work = std::move(task)]() mutable {
      auto timer = std::make_unique<asio::steady_timer>(shared_->io, Chrono(delay));
      asio::steady_timer& waiting = *timer;
      waiting.async_wait(
          [keep = std::move(timer), run = std::move(work)](error_code error) mutable {
            if (!error) {
              run();
            }
          });
    });
  }

 private:
  void Accept() {
    acceptor_.async_accept(
        [this](error_code error, Tcp::socket socket) { OnAccept(error, std::move(socket)); });
  }

  void OnAccept(error_code error, Tcp::socket socket) {
    if (shared_->stopping) {
      return;
    }
    if (error) {
      // Out of descriptors, mostly: connections that end make room.
      shared_->log.Write(LogLevel::kWarn, "http-accept", error.message());
      After(Duration::Millis(100), [this] { Accept(); });
      return;
    }
    shared_->counters.connections.fetch_add(1, std::memory_order_relaxed);
    const bool full = shared_->sessions.size() >= shared_->limits.connections_max;
    const auto session = std::make_shared<Session>(std::move(socket), shared_);
    if (full) {
      shared_->counters.connections_refused.fetch_add(1, std::memory_order_relaxed);
      session->Refuse();
    } else {
      session->Start();
    }
    Accept();
  }

  void StopOnLoop() {
    if (shared_->stopping) {
      return;
    }
    shared_->stopping = true;
    error_code error;
    (void)acceptor_.close(error);
    const std::vector<Session*> sessions(shared_->sessions.begin(), shared_->sessions.end());
    for (Session* session : sessions) {
      // Its own handlers keep it alive: none of them runs before this one returns.
      session->OnStop();
    }
    drain_deadline_ = std::chrono::steady_clock::now() + Chrono(shared_->limits.drain_timeout);
    Drain();
  }

  // Handlers hold sessions and sessions hold the loop: what has not drained is closed, and its
  // handlers run to their end.
  void DropSessions() {
    const std::vector<Session*> sessions(shared_->sessions.begin(), shared_->sessions.end());
    for (Session* session : sessions) {
      session->Abort();
    }
    shared_->io.restart();
    (void)shared_->io.poll();
  }

  // Looks every 10 ms: a stop is rare and short, and needs no bookkeeping in each session.
  void Drain() {
    if (shared_->sessions.empty() || std::chrono::steady_clock::now() >= drain_deadline_) {
      shared_->io.stop();
      return;
    }
    After(Duration::Millis(10), [this] { Drain(); });
  }

  std::shared_ptr<Shared> shared_;
  Tcp::acceptor acceptor_;
  std::uint16_t port_ = 0;
  std::chrono::steady_clock::time_point drain_deadline_;
};

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::Create(IpAddress address, std::uint16_t port,
                                                       const ServerLimits& limits,
                                                       HttpHandler& handler, LogSink& log) {
  auto server = std::make_unique<Server>(limits, handler, log);
  if (const auto listening = server->Listen(address, port); !listening) {
    return std::unexpected(listening.error());
  }
  return server;
}

}  // namespace slipway::api
