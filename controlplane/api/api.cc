#include "controlplane/api/api.h"

#include <fmt/format.h>

#include <mutex>
#include <utility>

#include "controlplane/api/problem.h"
#include "controlplane/api/routes.h"

namespace slipway::api {
namespace {

constexpr std::size_t kIdempotencyKeyBytesMax = 128;
constexpr std::int64_t kProbeEveryNs = 1'000'000'000;
// Written only to find out whether the disk takes writes again; nobody reads it.
constexpr std::string_view kProbeKey = "c/api/probe";

// Takes the same time for each wrong token of a length.
[[nodiscard]] bool EqualSecrets(std::string_view a, std::string_view b) noexcept {
  unsigned difference = a.size() == b.size() ? 0U : 1U;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const char other = b.empty() ? '\0' : b[i % b.size()];
    difference |= static_cast<unsigned char>(a[i] ^ other);
  }
  return difference == 0;
}

[[nodiscard]] bool HasToken(const Request& request, std::string_view token) noexcept {
  constexpr std::string_view kScheme = "bearer ";
  const std::string_view header = request.header("authorization");
  if (header.size() <= kScheme.size() || token.empty()) {
    return false;
  }
  for (std::size_t i = 0; i < kScheme.size(); ++i) {
    const char lower =
        header[i] >= 'A' && header[i] <= 'Z' ? static_cast<char>(header[i] + 32) : header[i];
    if (lower != kScheme[i]) {
      return false;
    }
  }
  return EqualSecrets(header.substr(kScheme.size()), token);
}

[[nodiscard]] Response NotFound(const Request& request) {
  return ToResponse({.status = 404,
                     .type = "no-route",
                     .detail = fmt::format("there is nothing at {}", request.path),
                     .cure = "see /v1/openapi.json for the routes",
                     .fields = {}});
}

[[nodiscard]] Response Unauthorised() {
  Response response =
      ToResponse({.status = 401,
                  .type = "unauthorised",
                  .detail = "this needs the header 'Authorization: Bearer <token>'",
                  .cure = "the admin token is in the file 'admin-token' of the region's state "
                          "directory",
                  .fields = {}});
  response.headers.push_back({.name = "WWW-Authenticate", .value = "Bearer realm=\"slipway\""});
  return response;
}

[[nodiscard]] Response WrongMethod(std::string_view allowed) {
  Response response = ToResponse({.status = 405,
                                  .type = "method",
                                  .detail = fmt::format("this takes {}", allowed),
                                  .cure = "see /v1/openapi.json for the routes",
                                  .fields = {}});
  response.headers.push_back({.name = "Allow", .value = std::string(allowed)});
  return response;
}

// A body must say that it is JSON: browsers cannot send that to us from another site's page.
[[nodiscard]] bool HasJsonType(const Request& request) noexcept {
  const std::string_view type = request.header("content-type");
  return type.starts_with("application/json") || type.starts_with("application/merge-patch+json");
}

[[nodiscard]] std::string Fingerprint(const Request& request) {
  return fmt::format("{} {}?{} {} {:016x}", ToString(request.method), request.path, request.query,
                     request.body.size(), std::hash<std::string_view>{}(request.body));
}

}  // namespace

Api::Api(ApiParts parts)
    : parts_(std::move(parts)),
      events_({.model = parts_.model, .store = parts_.store, .facts = parts_.facts}) {}

Api::~Api() = default;

Result<void> Api::Start(Executor& executor) {
  parts_.executor = &executor;
  return events_.Start(executor);
}

std::optional<Response> Api::Refuse(const Request& request) const {
  const RouteResult found = FindRoute(request.method, request.path);
  const bool open = found.match.route != nullptr && found.match.route->scope == Scope::kOpen;
  if (!open && !HasToken(request, parts_.token)) {
    return Unauthorised();
  }
  if (found.match.route != nullptr) {
    return std::nullopt;
  }
  return found.allowed.empty() ? NotFound(request) : WrongMethod(found.allowed);
}

std::expected<std::size_t, Response> Api::OnHead(const Request& request) {
  if (auto refusal = Refuse(request); refusal) {
    return std::unexpected(*std::move(refusal));
  }
  return FindRoute(request.method, request.path).match.route->body_bytes_max;
}

void Api::OnRequest(Request request, Responder responder) {
  // Asked again: callers that are not a server come here directly.
  if (auto refusal = Refuse(request); refusal) {
    responder.Send(*std::move(refusal));
    return;
  }
  RouteMatch match = FindRoute(request.method, request.path).match;
  auto query = Query::Parse(request.query);
  if (!query) {
    responder.Send(ToResponse({.status = 400,
                               .type = "bad-query",
                               .detail = "the query is not name=value pairs, each name once",
                               .cure = "percent-encode what is special",
                               .fields = {}}));
    return;
  }
  if (!request.body.empty() && !HasJsonType(request)) {
    responder.Send(ToResponse({.status = 415,
                               .type = "content-type",
                               .detail = "the body must be JSON and say so",
                               .cure = "send the header 'Content-Type: application/json'",
                               .fields = {}}));
    return;
  }
  if (AnswerRemembered(request, responder)) {
    return;
  }
  Responder remembering = Remember(request, std::move(responder));
  const Handler handler = match.route->handler;
  handler(*this, Call{.request = std::move(request),
                      .responder = std::move(remembering),
                      .match = std::move(match),
                      .query = *std::move(query)});
}

void Api::NoteMutation(const Request& request,
                       const std::expected<model::MutateResult, model::Refusal>& result) {
  if (result) {
    store_state_.store(ErrorCode::kNone, std::memory_order_release);
  } else if (result.error().kind == model::RefusalKind::kStore &&
             result.error().error.code != ErrorCode::kFull) {
    store_state_.store(result.error().error.code, std::memory_order_release);
  }
  if (parts_.log == nullptr) {
    return;
  }
  if (result) {
    parts_.log->Write(LogLevel::kInfo, "api-mutation",
                      fmt::format("by=admin from={} request={} method={} path={} revision={} "
                                  "objects={}",
                                  request.peer, request.id, ToString(request.method), request.path,
                                  result->revision, result->touched.size()));
  } else if (result.error().kind == model::RefusalKind::kStore) {
    parts_.log->Write(
        LogLevel::kError, "store-failed",
        fmt::format("request={} error=\"{}\" detail={}", request.id,
                    ToString(result.error().error.code), result.error().error.detail));
  }
}

void Api::ProbeStore() {
  const std::int64_t now = parts_.clock->Now().ns;
  std::int64_t last = probed_ns_.load();
  if (store_state() == ErrorCode::kNone || now - last < kProbeEveryNs ||
      !probed_ns_.compare_exchange_strong(last, now)) {
    return;
  }
  store::Batch batch;
  batch.writes.push_back({.key = std::string(kProbeKey), .value = "probe"});
  parts_.store->Commit(std::move(batch), [this](Result<store::CommitResult> result) {
    store_state_.store(result ? ErrorCode::kNone : result.error().code, std::memory_order_release);
  });
}

// ---- Idempotency-Key ----

class Api::RememberingExchange final : public Exchange {
 public:
  RememberingExchange(Api& api, std::string key, Responder responder)
      : api_(api), key_(std::move(key)), responder_(std::move(responder)) {}

  void Respond(Response response) override {
    {
      const std::lock_guard lock(api_.remembered_mutex_);
      if (const auto found = api_.remembered_.find(key_); found != api_.remembered_.end()) {
        // A failure of ours is no answer: the client tries again, and then it counts.
        if (response.status >= 500) {
          api_.remembered_.erase(found);
          std::erase(api_.remembered_order_, key_);
        } else {
          found->second.response = response;
        }
      }
    }
    responder_.Send(std::move(response));
  }

  std::shared_ptr<Stream> OpenStream(Response head) override {
    return responder_.OpenStream(std::move(head));
  }

 private:
  Api& api_;
  std::string key_;
  Responder responder_;
};

bool Api::AnswerRemembered(const Request& request, Responder& responder) {
  const std::string_view key = request.header("idempotency-key");
  if (key.empty() || request.method != Method::kPost) {
    return false;
  }
  std::optional<Response> answer;
  {
    const std::lock_guard lock(remembered_mutex_);
    const auto found = remembered_.find(std::string(key));
    if (found == remembered_.end() && key.size() <= kIdempotencyKeyBytesMax) {
      return false;
    }
    if (found != remembered_.end() && found->second.fingerprint == Fingerprint(request)) {
      answer = found->second.response;
      if (answer) {
        answer->headers.push_back({.name = "Idempotent-Replayed", .value = "true"});
      }
    }
  }
  responder.Send(answer ? *std::move(answer)
                        : ToResponse({.status = 409,
                                      .type = "idempotency-key",
                                      .detail = "this Idempotency-Key is of another request, or of "
                                                "this one while it is still under way",
                                      .cure = "take a new key of at most 128 bytes for each "
                                              "request; try again for the same one",
                                      .fields = {}}));
  return true;
}

Responder Api::Remember(const Request& request, Responder responder) {
  const std::string key(request.header("idempotency-key"));
  if (key.empty() || request.method != Method::kPost) {
    return responder;
  }
  const std::lock_guard lock(remembered_mutex_);
  if (remembered_order_.size() >= kIdempotencyKeysMax) {
    remembered_.erase(remembered_order_.front());
    remembered_order_.pop_front();
  }
  remembered_[key] = {.fingerprint = Fingerprint(request), .response = std::nullopt};
  remembered_order_.push_back(key);
  return Responder(std::make_unique<RememberingExchange>(*this, key, std::move(responder)));
}

}  // namespace slipway::api
