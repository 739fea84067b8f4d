#include "controlplane/cli/client.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value_to.hpp>
#include <curl/curl.h>
#include <fmt/format.h>

#include <utility>

namespace slipway::cli {
namespace {

namespace json = boost::json;

constexpr std::size_t kReplyBytesMax = std::size_t{256} << 20;

struct ListFree {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

using HeaderList = std::unique_ptr<curl_slist, ListFree>;

void Add(HeaderList& list, const std::string& line) {
  curl_slist* const longer = curl_slist_append(list.get(), line.c_str());
  if (longer != nullptr) {
    (void)list.release();
    list.reset(longer);
  }
}

std::size_t TakeBody(char* data, std::size_t size, std::size_t count, void* to) {
  auto& body = *static_cast<std::string*>(to);
  if (body.size() + size * count > kReplyBytesMax) {
    return 0;
  }
  body.append(data, size * count);
  return size * count;
}

struct LineTaker {
  const std::function<bool(std::string_view)>* line = nullptr;
  std::string rest;
  bool stopped = false;
};

std::size_t TakeLines(char* data, std::size_t size, std::size_t count, void* to) {
  auto& taker = *static_cast<LineTaker*>(to);
  taker.rest.append(data, size * count);
  std::size_t start = 0;
  for (std::size_t end = taker.rest.find('\n'); end != std::string::npos;
       end = taker.rest.find('\n', start)) {
    if (!(*taker.line)(std::string_view(taker.rest).substr(start, end - start))) {
      taker.stopped = true;
      return 0;
    }
    start = end + 1;
  }
  taker.rest.erase(0, start);
  return size * count;
}

[[nodiscard]] std::string TextOf(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

[[nodiscard]] ExitCode CodeOf(long status) {
  switch (status) {
    case 401:
    case 403:
      return ExitCode::kAuthentication;
    case 404:
      return ExitCode::kNotFound;
    case 409:
    case 412:
      return ExitCode::kConflict;
    case 408:
    case 504:
      return ExitCode::kTimeout;
    default:
      return ExitCode::kFailed;
  }
}

}  // namespace

struct Client::State {
  ClientOptions options;
  CURL* curl = nullptr;
  std::string error = std::string(CURL_ERROR_SIZE, '\0');

  void Prepare(std::string_view path) {
    curl_easy_reset(curl);
    const std::string url = options.api + std::string(path);
    (void)curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    // No proxy of the environment may see the token, and no redirect may carry it elsewhere.
    (void)curl_easy_setopt(curl, CURLOPT_PROXY, "");
    (void)curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    (void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, 3000L);
    (void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error.data());
    (void)curl_easy_setopt(curl, CURLOPT_USERAGENT, "slipway/" SLIPWAY_VERSION);
  }

  [[nodiscard]] HeaderList Headers() const {
    HeaderList list;
    if (!options.token.empty()) {
      Add(list, "Authorization: Bearer " + options.token);
    }
    return list;
  }

  [[nodiscard]] Failure TransportFailure(CURLcode code) const {
    const bool timed_out = code == CURLE_OPERATION_TIMEDOUT;
    const std::string why = error[0] == '\0' ? curl_easy_strerror(code) : error.c_str();
    return {.code = timed_out ? ExitCode::kTimeout : ExitCode::kUnreachable,
            .message = fmt::format("{} at {}: {}",
                                   timed_out ? "no answer in time from the region"
                                             : "cannot reach the region",
                                   options.api, why) +
                       (timed_out ? "" : "\n  is slipway-region running? see --api")};
  }
};

Client::Client(ClientOptions options) : state_(std::make_unique<State>()) {
  state_->options = std::move(options);
  while (state_->options.api.ends_with('/')) {
    state_->options.api.pop_back();
  }
  state_->curl = curl_easy_init();
}

Client::~Client() { curl_easy_cleanup(state_->curl); }

std::expected<Reply, Failure> Client::Send(std::string_view method, std::string_view path,
                                           std::string_view body) {
  state_->Prepare(path);
  CURL* const curl = state_->curl;
  Reply reply;
  HeaderList headers = state_->Headers();
  const std::string verb(method);
  (void)curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, verb.c_str());
  (void)curl_easy_setopt(curl, CURLOPT_TIMEOUT, state_->options.timeout_seconds);
  (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, TakeBody);
  (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, &reply.body);
  if (!body.empty()) {
    Add(headers, "Content-Type: application/json");
    (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
    (void)curl_easy_setopt(curl, CURLOPT_COPYPOSTFIELDS, body.data());
  }
  (void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
  if (const CURLcode code = curl_easy_perform(curl); code != CURLE_OK) {
    return std::unexpected(state_->TransportFailure(code));
  }
  (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &reply.status);
  return reply;
}

std::expected<std::string, Failure> Client::Get(std::string_view path) {
  return Mutate("GET", path, {});
}

std::expected<std::string, Failure> Client::Mutate(std::string_view method, std::string_view path,
                                                   std::string_view body) {
  auto reply = Send(method, path, body);
  if (!reply) {
    return std::unexpected(std::move(reply.error()));
  }
  if (reply->status < 200 || reply->status > 299) {
    return std::unexpected(FailureOf(*reply));
  }
  return std::move(reply->body);
}

std::expected<void, Failure> Client::Follow(
    std::string_view path, std::string_view last_id,
    const std::function<bool(std::string_view line)>& line) {
  state_->Prepare(path);
  CURL* const curl = state_->curl;
  HeaderList headers = state_->Headers();
  Add(headers, "Accept: text/event-stream");
  if (!last_id.empty()) {
    Add(headers, "Last-Event-ID: " + std::string(last_id));
  }
  LineTaker taker{.line = &line, .rest = {}, .stopped = false};
  (void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
  (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, TakeLines);
  (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, &taker);
  // The region sends something every 15 s: silence for longer means that it is gone.
  (void)curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
  (void)curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, 45L);
  const CURLcode code = curl_easy_perform(curl);
  long status = 0;
  (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  if (status != 0 && status != 200) {
    return std::unexpected(FailureOf({.status = status, .body = taker.rest}));
  }
  if (code != CURLE_OK && !taker.stopped) {
    return std::unexpected(state_->TransportFailure(code));
  }
  return {};
}

Failure FailureOf(const Reply& reply) {
  Failure failure{.code = CodeOf(reply.status), .message = {}};
  boost::system::error_code error;
  const json::value parsed = json::parse(reply.body, error);
  const json::object* problem = error ? nullptr : parsed.if_object();
  if (problem == nullptr) {
    failure.message = fmt::format("the region answered {}", reply.status);
    return failure;
  }
  failure.message = TextOf(*problem, "detail");
  if (const json::value* item = problem->if_contains("item"); item != nullptr) {
    failure.message += fmt::format(" (item {})", json::value_to<std::uint64_t>(*item));
  }
  if (const json::value* errors = problem->if_contains("errors"); errors != nullptr) {
    for (const json::value& row : errors->is_array() ? errors->get_array() : json::array()) {
      if (const json::object* field = row.if_object(); field != nullptr) {
        const std::string cure = TextOf(*field, "cure");
        failure.message += fmt::format("\n  {} {}{}", TextOf(*field, "field"),
                                       TextOf(*field, "problem"), cure.empty() ? "" : ": " + cure);
      }
    }
  } else if (const std::string cure = TextOf(*problem, "cure"); !cure.empty()) {
    failure.message += "\n  " + cure;
  }
  return failure;
}

std::string PercentEncode(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.' || c == '~';
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

}  // namespace slipway::cli
