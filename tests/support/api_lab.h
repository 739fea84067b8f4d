// The region's API over stores in memory, without a server: what unit tests, the fuzzer and the
// simulator call.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "controlplane/api/api.h"
#include "controlplane/model/live_model.h"
#include "controlplane/store/memory_facts.h"
#include "controlplane/store/memory_store.h"
#include "dataplane/base/random.h"

namespace slipway::api {

class ManualExecutor final : public Executor {
 public:
  void Post(Task task) override { tasks_.push_back(std::move(task)); }

  void After(Duration /*delay*/, Task task) override { timers_.push_back(std::move(task)); }

  void Run() {
    while (!tasks_.empty()) {
      Task task = std::move(tasks_.front());
      tasks_.pop_front();
      task();
    }
  }

  // Everything that waits for a time, once.
  void RunTimers() {
    std::deque<Task> due = std::exchange(timers_, {});
    for (Task& task : due) {
      task();
    }
    Run();
  }

 private:
  std::deque<Task> tasks_;
  std::deque<Task> timers_;
};

class ManualClock final : public Clock {
 public:
  [[nodiscard]] Instant Now() noexcept override { return now; }

  [[nodiscard]] WallTime WallNow() noexcept override {
    return {1'700'000'000'000'000'000 + now.ns};
  }

  [[nodiscard]] bool WallIsSynchronised() noexcept override { return true; }

  [[nodiscard]] std::uint64_t BootId() noexcept override { return 1; }

  Instant now{1'000'000'000};
};

class ListLog final : public LogSink {
 public:
  void Write(LogLevel /*level*/, std::string_view id, std::string_view text) override {
    lines.push_back(std::string(id) + " " + std::string(text));
  }

  std::vector<std::string> lines;
};

class TextStream final : public Stream {
 public:
  bool Write(std::string chunk) override {
    text += chunk;
    return !is_closed;
  }

  void Close() override { is_closed = true; }

  [[nodiscard]] bool closed() const override { return is_closed; }

  [[nodiscard]] std::size_t queued_bytes() const override { return queued; }

  std::string text;
  bool is_closed = false;
  std::size_t queued = 0;
};

struct Answer {
  std::optional<Response> response;
  std::optional<Response> stream_head;
  std::shared_ptr<TextStream> stream;
};

class RecordingExchange final : public Exchange {
 public:
  explicit RecordingExchange(std::shared_ptr<Answer> answer) : answer_(std::move(answer)) {}

  void Respond(Response response) override { answer_->response = std::move(response); }

  std::shared_ptr<Stream> OpenStream(Response head) override {
    answer_->stream_head = std::move(head);
    answer_->stream = std::make_shared<TextStream>();
    return answer_->stream;
  }

 private:
  std::shared_ptr<Answer> answer_;
};

class InlineBackground final : public Background {
 public:
  [[nodiscard]] bool Submit(Executor::Task task) override {
    task();
    return true;
  }
};

class ApiLab {
 public:
  static constexpr std::string_view kToken = "test-token-0123456789-0123456789";

  ApiLab() : random(1), facts(store::MakeMemoryFacts()), model(store, random), api(MakeParts()) {
    SLIP_CHECK(model.Start().has_value());
    SLIP_CHECK(api.Start(executor).has_value());
  }

  // With the admin token, unless `headers` bring another one.
  [[nodiscard]] std::shared_ptr<Answer> Ask(Method method, std::string_view target,
                                            std::string body = {},
                                            std::vector<Header> headers = {}) {
    Request request;
    request.method = method;
    const std::size_t question = target.find('?');
    request.path = target.substr(0, question);
    request.query = question == std::string_view::npos ? "" : target.substr(question + 1);
    request.headers = std::move(headers);
    if (request.header("authorization").empty()) {
      request.headers.push_back(
          {.name = "authorization", .value = "Bearer " + std::string(kToken)});
    }
    if (!body.empty() && request.header("content-type").empty()) {
      request.headers.push_back({.name = "content-type", .value = "application/json"});
    }
    request.body = std::move(body);
    request.id = "test";
    auto answer = std::make_shared<Answer>();
    api.OnRequest(std::move(request), Responder(std::make_unique<RecordingExchange>(answer)));
    executor.Run();
    return answer;
  }

  [[nodiscard]] Response Call(Method method, std::string_view target, std::string body = {},
                              std::vector<Header> headers = {}) {
    const auto answer = Ask(method, target, std::move(body), std::move(headers));
    SLIP_CHECK(answer->response.has_value());
    return *answer->response;
  }

  SeededRandom random;
  ManualClock clock;
  ListLog log;
  ManualExecutor executor;
  InlineBackground background;
  store::MemoryStore store;
  std::unique_ptr<store::FactsStore> facts;
  model::LiveModel model;
  Api api;

 private:
  [[nodiscard]] ApiParts MakeParts() {
    ApiParts parts;
    parts.model = &model;
    parts.store = &store;
    parts.facts = facts.get();
    parts.background = &background;
    parts.clock = &clock;
    parts.random = &random;
    parts.log = &log;
    parts.images_dir = "/nonexistent";
    parts.token = kToken;
    return parts;
  }
};

// The body as an object; empty if it is none.
[[nodiscard]] inline boost::json::object JsonOf(const Response& response) {
  boost::system::error_code error;
  const boost::json::value value = boost::json::parse(response.body, error);
  return error || !value.is_object() ? boost::json::object() : value.get_object();
}

[[nodiscard]] inline std::string TextOf(const boost::json::object& object, std::string_view name) {
  const boost::json::value* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

}  // namespace slipway::api
