// The sending half of HttpService: heads and generated bodies from memory, files by sendfile(2).
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "dataplane/base/check.h"
#include "dataplane/service/http_service.h"

namespace slipway::service {

void HttpService::BeginResponse(Connection& connection, const http::Step& step, Instant now) {
  ConsumeInput(connection, step.consumed);
  ReleaseUpload(connection);
  connection.mode = Mode::kSending;
  connection.output_bytes = static_cast<std::uint32_t>(step.head_bytes);
  connection.output_sent = 0;
  connection.body = step.body;
  connection.body_sent = 0;
  connection.warm_until = 0;
  connection.response_began = now;
  connection.head_only = step.body.bytes == 0;
  counters_.requests.Add();
  const auto status = std::to_underlying(connection.http.status());
  if (status < 400) {
    counters_.responses_ok.Add();
  } else if (status < 500) {
    counters_.responses_client_error.Add();
  } else {
    counters_.responses_server_error.Add();
  }
  if (!connection.head_only) {
    Record(connection, schema::BootStepKind::HttpStart, true, now);
  }
}

// Sends on; `step` becomes what follows the response. False: blocked, or the connection is gone.
bool HttpService::ContinueResponse(Connection& connection, http::Step& step, Instant now) {
  switch (SendSome(connection)) {
    case Sent::kAll:
      break;
    case Sent::kBlocked:
      connection.mode = Mode::kSending;
      return false;
    case Sent::kDeferred:
      Defer(connection);
      return false;
    case Sent::kCold:
      connection.mode = Mode::kCold;
      return false;
    case Sent::kBroken:
      counters_.aborted.Add();
      Close(connection, now);
      return false;
  }
  EndResponse(connection, true, now);
  step = connection.http.OnSent(now);
  if (step.kind == http::StepKind::kNeedInput) {
    connection.mode = Mode::kReading;
    if (connection.input_bytes > 0) {
      // The next request of a pipeline is here already.
      step = connection.http.OnInput(InputOf(connection).first(connection.input_bytes),
                                     clock_.WallNow(), now, OutputOf(connection));
    }
  }
  return true;
}

HttpService::Sent HttpService::SendSome(Connection& connection) {
  const bool memory = connection.content.kind == ContentKind::kMemory;
  if (connection.output_sent < connection.output_bytes || (memory && connection.body.bytes > 0)) {
    const Sent sent = SendOutput(connection);
    if (sent != Sent::kAll) {
      return sent;
    }
  }
  return connection.body.bytes > 0 ? SendFile(connection) : Sent::kAll;
}

// The head, and behind it a generated body.
HttpService::Sent HttpService::SendOutput(Connection& connection) {
  const bool memory = connection.content.kind == ContentKind::kMemory;
  std::array<iovec, 2> parts{};
  std::size_t used = 0;
  const std::size_t head_left = connection.output_bytes - connection.output_sent;
  if (head_left > 0) {
    parts[used++] = {.iov_base = OutputOf(connection).data() + connection.output_sent,
                     .iov_len = head_left};
  }
  if (memory && connection.body.bytes > 0) {
    const MutableByteSpan body = generated_.At(connection.buffer);
    SLIP_CHECK(connection.body.offset + connection.body.bytes <= body.size());
    parts[used++] = {.iov_base = body.data() + connection.body.offset,
                     .iov_len = connection.body.bytes};
  }
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = used;
  // The head of a file waits for the file's first bytes, to leave in one segment.
  const int more = !memory && connection.body.bytes > 0 ? MSG_MORE : 0;
  const ssize_t sent = ::sendmsg(connection.fd.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT | more);
  if (sent < 0) {
    return errno == EAGAIN || errno == EINTR ? Sent::kBlocked : Sent::kBroken;
  }
  const auto bytes = static_cast<std::size_t>(sent);
  const std::size_t of_head = std::min(bytes, head_left);
  const std::size_t of_body = bytes - of_head;
  connection.output_sent += static_cast<std::uint32_t>(of_head);
  connection.body.offset += of_body;
  connection.body.bytes -= of_body;
  connection.body_sent += of_body;
  counters_.bytes_sent.Add(of_body);
  connection.http.OnProgress(bytes);
  const bool all = of_head == head_left && (!memory || connection.body.bytes == 0);
  return all ? Sent::kAll : Sent::kBlocked;
}

HttpService::Sent HttpService::SendFile(Connection& connection) {
  const Content& content = connection.content;
  while (connection.body.bytes > 0) {
    if (turn_bytes_left_ == 0) {
      return Sent::kDeferred;
    }
    const std::uint64_t want =
        std::min({connection.body.bytes, kHttpPieceBytesMax, turn_bytes_left_});
    if (read_ahead_ != nullptr && connection.body.offset + want > connection.warm_until) {
      const std::uint64_t ahead = std::min(connection.body.bytes, kHttpPieceBytesMax);
      if (!read_ahead_->Want(content, connection.body.offset, ahead)) {
        return Sent::kCold;
      }
      connection.warm_until = connection.body.offset + ahead;
    }
    auto offset = static_cast<off_t>(connection.body.offset);
    const ssize_t sent = ::sendfile(connection.fd.get(), content.fd, &offset, want);
    if (sent < 0) {
      return errno == EAGAIN || errno == EINTR ? Sent::kBlocked : Sent::kBroken;
    }
    if (sent == 0) {
      return Sent::kBroken;  // The object is shorter than it was said to be.
    }
    const auto bytes = static_cast<std::uint64_t>(sent);
    turn_bytes_left_ -= bytes;
    connection.body.offset += bytes;
    connection.body.bytes -= bytes;
    connection.body_sent += bytes;
    counters_.bytes_sent.Add(bytes);
    connection.http.OnProgress(bytes);
  }
  return Sent::kAll;
}

void HttpService::EndResponse(Connection& connection, bool ok, Instant now) {
  if (connection.content.kind != ContentKind::kNone && !connection.head_only) {
    Record(connection, schema::BootStepKind::HttpEnd, ok, now);
  }
  ReleaseContent(connection);
}

void HttpService::ReleaseContent(Connection& connection) {
  if (connection.content.handle != 0) {
    resolver_.Release(connection.content.handle);
  }
  if (connection.buffer != BufferStack::kNone) {
    generated_.Give(std::exchange(connection.buffer, BufferStack::kNone));
  }
  connection.content = Content();
}

void HttpService::Record(const Connection& connection, schema::BootStepKind kind, bool ok,
                         Instant now) {
  steps_.Record({.kind = kind,
                 .mac = {},
                 .peer = connection.peer,
                 .name = connection.http.path(),
                 .bytes = connection.body_sent,
                 .duration = now - connection.response_began,
                 .ok = ok},
                now);
}

}  // namespace slipway::service
