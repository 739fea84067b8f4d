// HTTP as the handlers see it: values and two small interfaces, no library type. The server
// (http_server.h) and the simulator both stand behind them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dataplane/base/result.h"
#include "dataplane/base/time.h"

namespace slipway::api {

enum class Method : std::uint8_t { kGet, kHead, kPost, kPut, kPatch, kDelete, kOptions };

// "GET". Case matters (RFC 9110 9.1).
[[nodiscard]] std::string_view ToString(Method method) noexcept;
// kUnsupported for a method that we do not know.
[[nodiscard]] Result<Method> ParseMethod(std::string_view text) noexcept;

struct Header {
  std::string name;
  std::string value;
};

struct Request {
  Method method = Method::kGet;
  std::string path;             // as sent, before any '?', still percent-encoded
  std::string query;            // after the '?', still percent-encoded
  std::vector<Header> headers;  // names in lower case
  std::string body;
  std::string id;    // X-Request-Id as sent if it is well formed, else made here
  std::string peer;  // address and port of the client, for the audit record

  // The first header of that (lower-case) name; empty if there is none.
  [[nodiscard]] std::string_view header(std::string_view name) const noexcept;
};

struct Response {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<Header> headers;

  [[nodiscard]] std::string_view header(std::string_view name) const noexcept;
};

// "Not Found".
[[nodiscard]] std::string_view ReasonPhrase(int status) noexcept;

// A response that goes on (server-sent events). Thread-safe. Its queue is bounded: a client that
// does not keep up is cut off, and resumes by Last-Event-ID.
class Stream {
 public:
  virtual ~Stream() = default;
  // False once the stream is closed, by either side, or by this call because its queue is full.
  virtual bool Write(std::string chunk) = 0;
  // Sends what is queued, then ends the response.
  virtual void Close() = 0;
  [[nodiscard]] virtual bool closed() const = 0;
  // What is queued and not sent: a writer that has much to say waits until this is low.
  [[nodiscard]] virtual std::size_t queued_bytes() const = 0;
};

// The server's side of one request: answered once, from any thread.
class Exchange {
 public:
  virtual ~Exchange() = default;
  virtual void Respond(Response response) = 0;
  [[nodiscard]] virtual std::shared_ptr<Stream> OpenStream(Response head) = 0;
};

// What a handler holds until it has answered. Dropped without an answer, it answers 500: no client
// waits for ever. May be moved to and used on any thread.
class Responder {
 public:
  explicit Responder(std::unique_ptr<Exchange> exchange) noexcept
      : exchange_(std::move(exchange)) {}

  Responder(Responder&&) noexcept = default;
  Responder& operator=(Responder&&) = delete;
  ~Responder();

  // REQUIRES: not answered yet.
  void Send(Response response);
  // Sends the head at once (its body is ignored). REQUIRES: not answered yet.
  [[nodiscard]] std::shared_ptr<Stream> OpenStream(Response head);

 private:
  std::unique_ptr<Exchange> exchange_;
};

// What a server calls, on its loop thread.
class HttpHandler {
 public:
  virtual ~HttpHandler() = default;
  // The head has arrived, the body has not: how many bytes of body may follow, or a refusal.
  [[nodiscard]] virtual std::expected<std::size_t, Response> OnHead(const Request& request) = 0;
  virtual void OnRequest(Request request, Responder responder) = 0;
};

// The loop thread on which all handlers run and which owns the model.
class Executor {
 public:
  using Task = std::move_only_function<void()>;

  virtual ~Executor() = default;
  // From any thread. The queue is bounded by its callers: each has at most a few tasks in it.
  virtual void Post(Task task) = 0;
  // Once, not before `delay` has passed; never after the loop has ended.
  virtual void After(Duration delay, Task task) = 0;
};

}  // namespace slipway::api
