#include "dataplane/http/connection.h"

#include "dataplane/base/check.h"

namespace slipway::http {
namespace {

constexpr std::string_view AllowOf(RouteAction action) noexcept {
  return action == RouteAction::kContent ? "GET, HEAD" : "POST";
}

bool Allowed(Method method, RouteAction action) noexcept {
  return action == RouteAction::kContent ? method == Method::kGet || method == Method::kHead
                                         : method == Method::kPost;
}

const Route* FindRoute(std::span<const Route> routes, std::string_view path) noexcept {
  for (const Route& route : routes) {
    if (route.prefix ? path.size() > route.path.size() && path.starts_with(route.path)
                     : path == route.path) {
      return &route;
    }
  }
  return nullptr;
}

// The pace that bytes must keep: the moment at which `bytes` are too few.
Instant SlowDeadline(Instant began, std::uint64_t bytes) noexcept {
  const auto seconds = static_cast<std::int64_t>(bytes / kSlowestBytesPerSecond);
  return began + kSlowGrace + Duration::Seconds(seconds);
}

}  // namespace

void HttpConnection::Start(std::span<const Route> routes, Instant now) noexcept {
  *this = HttpConnection();
  routes_ = routes;
  phase_ = Phase::kIdle;
  phase_began_ = now;
}

Step HttpConnection::OnInput(ByteSpan input, WallTime wall, Instant now,
                             MutableByteSpan out) noexcept {
  if (phase_ != Phase::kIdle && phase_ != Phase::kHead) {
    return {.body = {}};
  }
  if (input.empty()) {
    return input_ended_ ? Close() : Step{.kind = StepKind::kNeedInput, .body = {}};
  }
  if (phase_ == Phase::kIdle) {
    if (!first_) {
      phase_began_ = now;  // The first request's time runs from the accept.
    }
    phase_ = Phase::kHead;
  }
  const ScanResult scan = scanner_.Scan(input, request_);
  if (scan.kind == ScanKind::kIncomplete) {
    return input_ended_ ? Close() : Step{.kind = StepKind::kNeedInput, .body = {}};
  }
  first_ = false;
  route_ = nullptr;
  path_.clear();
  token_.clear();
  body_taken_ = 0;
  if (scan.kind == ScanKind::kRejected) {
    head_bytes_ = input.size();  // Nothing after a bad head can be trusted.
    return Fail(scan.status, false, wall, now, out);
  }
  head_bytes_ = scan.head_bytes;
  return Dispatch(wall, now, out);
}

Step HttpConnection::Dispatch(WallTime wall, Instant now, MutableByteSpan out) noexcept {
  const bool has_body = request_.content_length > 0;
  std::array<char, limits::kUrlBytesMax> path;
  std::size_t path_bytes = 0;
  if (request_.target == "*" || !DecodeTarget(request_.target, path, &path_bytes, &query_)) {
    return Fail(Status::kBadRequest, false, wall, now, out);
  }
  path_ = std::string_view(path.data(), path_bytes);
  route_ = FindRoute(routes_, path_.view());
  if (route_ == nullptr) {
    return Fail(Status::kNotFound, !has_body, wall, now, out);
  }
  if (!Allowed(request_.method, route_->action)) {
    return Fail(Status::kMethodNotAllowed, !has_body, wall, now, out);
  }
  if (route_->action == RouteAction::kContent) {
    phase_ = Phase::kResolving;
    phase_began_ = now;
    return {.kind = StepKind::kResolve, .body = {}};
  }
  if (request_.content_length > route_->body_bytes_max) {
    return Fail(Status::kContentTooLarge, false, wall, now, out);
  }
  KeepToken();
  phase_ = Phase::kBody;
  phase_began_ = now;
  Step step{.kind = StepKind::kNeedBody, .consumed = head_bytes_, .body = {}};
  head_bytes_ = 0;
  if (request_.expect_continue && request_.http11) {
    step.head_bytes = WriteResponse(
        {.status = Status::kContinue, .content_type = {}, .allow = {}, .validators = {}}, wall,
        out);
  }
  return step;
}

void HttpConnection::KeepToken() noexcept {
  constexpr std::string_view kScheme = "Bearer ";
  const std::string_view value = request_.authorization;
  if (value.size() > kScheme.size() &&
      EqualsIgnoringCase(value.substr(0, kScheme.size()), kScheme)) {
    // One that is too long is nobody's token: it stays empty.
    (void)token_.Assign(value.substr(kScheme.size()));
  }
}

Step HttpConnection::OnInputEnd() noexcept {
  input_ended_ = true;
  switch (phase_) {
    case Phase::kResolving:
    case Phase::kSubmitting:
    case Phase::kSending:
      return {.body = {}};  // A half-closed peer still gets its answer.
    default:
      return Close();
  }
}

Step HttpConnection::OnContent(const ContentInfo& content, WallTime wall, Instant now,
                               MutableByteSpan out) noexcept {
  if (phase_ != Phase::kResolving || content.outcome == ContentOutcome::kPending) {
    return {.body = {}};
  }
  if (content.outcome == ContentOutcome::kNone) {
    return Fail(Status::kNotFound, true, wall, now, out);
  }
  if (content.outcome == ContentOutcome::kUnavailable) {
    return Fail(Status::kUnavailable, true, wall, now, out);
  }
  const Selection selection = Select(request_, content.validators, content.bytes);
  ResponseHead head{.status = selection.status,
                    .keep_alive = request_.keep_alive,
                    .cacheable = !content.validators.etag.empty(),
                    .content_length = selection.range.bytes,
                    .range_offset = selection.range.offset,
                    .bytes_total = content.bytes,
                    .content_type = content.content_type,
                    .allow = {},
                    .validators = content.validators};
  const bool sends_body =
      request_.method == Method::kGet &&
      (selection.status == Status::kOk || selection.status == Status::kPartialContent);
  return Respond(head, sends_body ? selection.range : ByteRange{}, wall, now, out);
}

Step HttpConnection::OnBody(std::uint64_t bytes, Instant now) noexcept {
  if (phase_ != Phase::kBody) {
    return {.body = {}};
  }
  SLIP_CHECK(bytes <= body_bytes_left());
  body_taken_ += bytes;
  if (body_bytes_left() > 0) {
    return input_ended_ ? Close() : Step{.kind = StepKind::kNeedBody, .body = {}};
  }
  phase_ = Phase::kSubmitting;
  phase_began_ = now;
  return {.kind = StepKind::kSubmit, .body = {}};
}

Step HttpConnection::OnSubmitted(UploadOutcome outcome, WallTime wall, Instant now,
                                 MutableByteSpan out) noexcept {
  if (phase_ != Phase::kSubmitting) {
    return {.body = {}};
  }
  switch (outcome) {
    case UploadOutcome::kStored:
      return Fail(Status::kAccepted, true, wall, now, out);
    case UploadOutcome::kMalformed:
      return Fail(Status::kBadRequest, true, wall, now, out);
    case UploadOutcome::kDenied:
      return Fail(Status::kUnauthorized, true, wall, now, out);
    case UploadOutcome::kFailed:
      break;
  }
  return Fail(Status::kUnavailable, true, wall, now, out);
}

Step HttpConnection::OnNoBuffer(WallTime wall, Instant now, MutableByteSpan out) noexcept {
  return Fail(Status::kUnavailable, false, wall, now, out);
}

// A response that is its own text. `keep`: all of the request was read, so the connection may live.
Step HttpConnection::Fail(Status status, bool keep, WallTime wall, Instant now,
                          MutableByteSpan out) noexcept {
  ResponseHead head{.status = status,
                    .keep_alive = keep && request_.keep_alive,
                    .content_type = {},
                    .allow = {},
                    .validators = {}};
  if (status == Status::kMethodNotAllowed) {
    head.allow = AllowOf(route_->action);
  }
  if (status == Status::kUnavailable) {
    head.retry_after_seconds = kRetryAfterSeconds;
  }
  linger_ = linger_ || !keep;
  return Respond(head, {}, wall, now, out);
}

Step HttpConnection::Respond(ResponseHead head, ByteRange body, WallTime wall, Instant now,
                             MutableByteSpan out) noexcept {
  SLIP_CHECK(out.size() >= kResponseHeadBytesMax);
  head.http11 = request_.http11;
  head.keep_alive = head.keep_alive && !input_ended_;
  head.omit_body = request_.method == Method::kHead;
  status_ = head.status;
  close_after_ = !head.keep_alive;
  phase_ = Phase::kSending;
  phase_began_ = now;
  sent_bytes_ = 0;
  Step step{.kind = StepKind::kRespond, .consumed = head_bytes_, .body = body};
  step.head_bytes = WriteResponse(head, wall, out);
  SLIP_CHECK(step.head_bytes > 0);
  head_bytes_ = 0;
  return step;
}

Step HttpConnection::OnSent(Instant now) noexcept {
  if (phase_ != Phase::kSending) {
    return {.body = {}};
  }
  phase_began_ = now;
  if (close_after_ && linger_ && !input_ended_) {
    phase_ = Phase::kLingering;
    return {.kind = StepKind::kLinger, .body = {}};
  }
  if (close_after_) {
    return Close();
  }
  phase_ = Phase::kIdle;
  scanner_.Reset();
  request_ = Request();  // Its views go with the input.
  query_ = {};
  return {.kind = StepKind::kNeedInput, .body = {}};
}

Step HttpConnection::Close() noexcept {
  phase_ = Phase::kClosed;
  return {.kind = StepKind::kClose, .body = {}};
}

Instant HttpConnection::next_deadline() const noexcept {
  switch (phase_) {
    case Phase::kIdle:
      return phase_began_ + (first_ ? kHeadTimeout : kIdleTimeout);
    case Phase::kHead:
      return phase_began_ + kHeadTimeout;
    case Phase::kResolving:
      return phase_began_ + kContentTimeout;
    case Phase::kBody:
      return SlowDeadline(phase_began_, body_taken_);
    case Phase::kSubmitting:
      return phase_began_ + kSubmitTimeout;
    case Phase::kSending:
      return SlowDeadline(phase_began_, sent_bytes_);
    case Phase::kLingering:
      return phase_began_ + kLingerTimeout;
    case Phase::kClosed:
      break;
  }
  return Instant::Never();
}

Step HttpConnection::OnTimer(WallTime wall, Instant now, MutableByteSpan out) noexcept {
  if (now < next_deadline()) {
    return {.body = {}};
  }
  switch (phase_) {
    case Phase::kHead:
      // Best effort; the bytes of the half request stay unread.
      request_ = Request();
      return Fail(Status::kRequestTimeout, false, wall, now, out);
    case Phase::kBody:
      return Fail(Status::kRequestTimeout, false, wall, now, out);
    case Phase::kResolving:
      return Fail(Status::kUnavailable, true, wall, now, out);
    case Phase::kSubmitting:
      return Fail(Status::kUnavailable, true, wall, now, out);
    default:
      return Close();
  }
}

}  // namespace slipway::http
