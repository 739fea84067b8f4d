// One HTTP/1.1 or HTTP/1.0 connection of a machine: a conversation that turns received bytes,
// resolved content and elapsed time into steps. No sockets, no files, no clock.
//
//   OnInput -> kResolve   -> OnContent   -> kRespond -> OnSent -> kNeedInput | kLinger | kClose
//           -> kNeedBody  -> OnBody ...  -> kSubmit -> OnSubmitted -> kRespond -> ...
//           -> kRespond (an error)
//
// Each call returns the one step that the shell carries out next. Requests are answered one at a
// time, in order: pipelined ones wait in the shell's receive buffer, which bounds them.
// Owner: a slot of the HTTP service; size fixed, no allocation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "dataplane/base/bounded.h"
#include "dataplane/base/cursor.h"
#include "dataplane/base/limits.h"
#include "dataplane/base/time.h"
#include "dataplane/http/conditions.h"
#include "dataplane/http/request.h"
#include "dataplane/http/response.h"

namespace slipway::http {

inline constexpr Duration kHeadTimeout = Duration::Seconds(10);
inline constexpr Duration kIdleTimeout = Duration::Seconds(60);
inline constexpr Duration kContentTimeout = Duration::Seconds(30);
inline constexpr Duration kSubmitTimeout = Duration::Seconds(30);
inline constexpr Duration kLingerTimeout = Duration::Seconds(1);
// A body, either way, that is slower than this after kSlowGrace ends the connection.
inline constexpr Duration kSlowGrace = Duration::Seconds(10);
inline constexpr std::uint64_t kSlowestBytesPerSecond = 4096;
inline constexpr std::size_t kTokenBytesMax = 255;
inline constexpr std::uint32_t kRetryAfterSeconds = 2;

enum class RouteAction : std::uint8_t {
  kContent,  // GET and HEAD of what the resolver finds
  kUpload,   // POST of a body of known length
};

// One row of the route table, which the owner keeps. The first row that matches counts.
struct Route {
  std::string_view path;
  bool prefix = false;  // the rest of the path is the name; else the path is matched whole
  RouteAction action = RouteAction::kContent;
  std::uint8_t id = 0;               // the owner's
  std::uint64_t body_bytes_max = 0;  // kUpload
};

enum class StepKind : std::uint8_t {
  kNone,       // go on as before
  kNeedInput,  // receive; OnInput with all bytes not consumed yet, also those there already
  kResolve,    // find the content of route(), name(), query(); OnContent
  kNeedBody,   // drop `consumed`, send `head_bytes` of out, take body_bytes_left() bytes; OnBody
  kSubmit,     // the body is whole; OnSubmitted, now or later
  kRespond,    // drop `consumed`, send `head_bytes` of out, then the range `body`; OnSent
  kLinger,     // shut down sending, discard input until its end, OnInputEnd or kClose by OnTimer
  kClose,      // close now
};

struct Step {
  StepKind kind = StepKind::kNone;
  std::size_t consumed = 0;
  std::size_t head_bytes = 0;
  ByteRange body;
};

enum class ContentOutcome : std::uint8_t { kFound, kNone, kPending, kUnavailable };

struct ContentInfo {
  ContentOutcome outcome = ContentOutcome::kNone;
  std::uint64_t bytes = 0;
  Validators validators;
  std::string_view content_type;
};

enum class UploadOutcome : std::uint8_t { kStored, kMalformed, kDenied, kFailed };

class HttpConnection {
 public:
  HttpConnection() = default;

  // A new connection. `routes` outlives it.
  void Start(std::span<const Route> routes, Instant now) noexcept;

  // `input`: everything received and not consumed, at the same place as in the call before (the
  // views in request() point into it until the step that consumes them). In all calls `out` is
  // where a head is written, kResponseHeadBytesMax bytes or more.
  [[nodiscard]] Step OnInput(ByteSpan input, WallTime wall, Instant now,
                             MutableByteSpan out) noexcept;
  // The peer has shut down its sending side.
  [[nodiscard]] Step OnInputEnd() noexcept;
  // After kResolve. kPending: kNone, and called again later.
  [[nodiscard]] Step OnContent(const ContentInfo& content, WallTime wall, Instant now,
                               MutableByteSpan out) noexcept;
  // `bytes` more of the body have been taken. REQUIRES: bytes <= body_bytes_left().
  [[nodiscard]] Step OnBody(std::uint64_t bytes, Instant now) noexcept;
  [[nodiscard]] Step OnSubmitted(UploadOutcome outcome, WallTime wall, Instant now,
                                 MutableByteSpan out) noexcept;
  // After kNeedBody, instead of OnBody: no buffer is free.
  [[nodiscard]] Step OnNoBuffer(WallTime wall, Instant now, MutableByteSpan out) noexcept;
  // Head and body of kRespond have been handed to the kernel.
  [[nodiscard]] Step OnSent(Instant now) noexcept;

  // Bytes of a response left: feeds the slow-reader rule.
  void OnProgress(std::uint64_t bytes) noexcept { sent_bytes_ += bytes; }

  // At or after next_deadline; earlier it gives kNone.
  [[nodiscard]] Step OnTimer(WallTime wall, Instant now, MutableByteSpan out) noexcept;

  // May move with OnProgress: later only. Never is not returned while the connection lives.
  [[nodiscard]] Instant next_deadline() const noexcept;

  // Of the request in work. name() (what follows the path of a prefix route, else empty), path()
  // and token() are copies and live until the next request.
  [[nodiscard]] const Request& request() const noexcept { return request_; }

  [[nodiscard]] const Route& route() const noexcept { return *route_; }

  [[nodiscard]] std::string_view name() const noexcept {
    return route_->prefix ? path_.view().substr(route_->path.size()) : std::string_view();
  }

  [[nodiscard]] std::string_view path() const noexcept { return path_.view(); }

  [[nodiscard]] std::string_view query() const noexcept { return query_; }

  // Of "Authorization: Bearer"; empty if there was none.
  [[nodiscard]] std::string_view token() const noexcept { return token_.view(); }

  [[nodiscard]] std::uint64_t body_bytes() const noexcept { return request_.content_length; }

  [[nodiscard]] std::uint64_t body_bytes_left() const noexcept {
    return request_.content_length - body_taken_;
  }

  // Of the last kRespond.
  [[nodiscard]] Status status() const noexcept { return status_; }

 private:
  enum class Phase : std::uint8_t {
    kIdle,  // before the first byte of a request
    kHead,
    kResolving,
    kBody,
    kSubmitting,
    kSending,
    kLingering,
    kClosed,
  };

  [[nodiscard]] Step Dispatch(WallTime wall, Instant now, MutableByteSpan out) noexcept;
  [[nodiscard]] Step Respond(ResponseHead head, ByteRange body, WallTime wall, Instant now,
                             MutableByteSpan out) noexcept;
  [[nodiscard]] Step Fail(Status status, bool keep, WallTime wall, Instant now,
                          MutableByteSpan out) noexcept;
  [[nodiscard]] Step Close() noexcept;
  void KeepToken() noexcept;

  std::span<const Route> routes_;
  const Route* route_ = nullptr;
  HeadScanner scanner_;
  Request request_;
  FixedString<limits::kUrlBytesMax> path_;
  FixedString<kTokenBytesMax> token_;
  std::string_view query_;
  Phase phase_ = Phase::kClosed;
  Status status_ = Status::kOk;
  bool first_ = true;         // no request was seen on this connection yet
  bool close_after_ = false;  // the response under way is the last
  bool linger_ = false;       // input may be unread: closing at once would reset the response
  bool input_ended_ = false;
  std::size_t head_bytes_ = 0;  // of the request in work, not consumed yet
  std::uint64_t body_taken_ = 0;
  std::uint64_t sent_bytes_ = 0;
  Instant phase_began_;
};

}  // namespace slipway::http
