// The region's HTTP/1.1 server: one event-loop thread, no library type in sight. Only
// http_server.cc sees Boost.Beast and Asio: that one translation unit costs most of a build.
//
// Bounds: ServerLimits. Policies when full: a connection beyond the cap is answered 503 and closed;
// bodies beyond the budget are answered 503 before they are read; a stream's client that does not
// keep up is cut off.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "controlplane/api/http.h"
#include "dataplane/base/address.h"
#include "dataplane/base/log.h"

namespace slipway::api {

struct ServerLimits {
  std::size_t connections_max = 512;
  std::size_t bodies_bytes_max = std::size_t{192} << 20;  // of all requests being read
  std::size_t stream_queue_bytes_max = std::size_t{1} << 20;
  Duration header_timeout = Duration::Seconds(10);  // from the first byte to the empty line
  Duration idle_timeout = Duration::Seconds(60);    // between requests
  Duration body_timeout = Duration::Seconds(30);    // plus a second for each 64 KiB expected
  Duration write_timeout = Duration::Seconds(60);   // for one piece of response
  Duration drain_timeout = Duration::Millis(1500);  // at stop: answers under way
};

struct ServerCounters {
  std::atomic<std::uint64_t> connections{0};
  std::atomic<std::uint64_t> connections_open{0};
  std::atomic<std::uint64_t> connections_refused{0};
  std::atomic<std::uint64_t> requests{0};
  std::atomic<std::uint64_t> requests_malformed{0};
  std::atomic<std::uint64_t> timeouts{0};
  std::atomic<std::uint64_t> streams_open{0};
  std::atomic<std::uint64_t> streams_cut{0};
  std::atomic<std::uint64_t> responses_2xx{0};
  std::atomic<std::uint64_t> responses_4xx{0};
  std::atomic<std::uint64_t> responses_5xx{0};
};

class HttpServer {
 public:
  // Binds and listens; port 0 takes a free one. kBusy: the port is taken; kSystem with errno.
  // `handler` and `log` outlive the server.
  [[nodiscard]] static Result<std::unique_ptr<HttpServer>> Create(IpAddress address,
                                                                  std::uint16_t port,
                                                                  const ServerLimits& limits,
                                                                  HttpHandler& handler,
                                                                  LogSink& log);
  virtual ~HttpServer() = default;

  [[nodiscard]] virtual std::uint16_t port() const noexcept = 0;
  [[nodiscard]] virtual const ServerCounters& counters() const noexcept = 0;
  [[nodiscard]] virtual Executor& executor() noexcept = 0;
  // Serves on the calling thread until Stop has drained.
  virtual void Run() = 0;
  // From any thread. Closes the listener and idle connections, ends streams, lets answers under way
  // go out for at most drain_timeout.
  virtual void Stop() = 0;
};

}  // namespace slipway::api
