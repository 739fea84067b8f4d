// A region end and rack ends on loopback, with owners that tests may look into while they run.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "controlplane/link/region_end.h"
#include "controlplane/link/tokens.h"
#include "dataplane/base/posix_disk.h"
#include "dataplane/link/rack_end.h"
#include "tests/unit/dataplane/link/fakes.h"

namespace slipway::region_link::test {

using namespace link::test;  // NOLINT(google-build-using-namespace): fakes of both ends

// Waits for a condition that other threads make true. Tests bound their patience, not their pace.
[[nodiscard]] inline bool Eventually(
    const std::function<bool()>& condition,
    std::chrono::milliseconds patience = std::chrono::seconds(10)) {
  const auto end = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) {
      return false;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = "/tmp/slipway-link-XXXXXX";
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    path_ = name;
  }

  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// The fakes of the region behind one lock.
class LockedRegion final : public link::RackObserver,
                           public link::SnapshotSource,
                           public link::FactSink {
 public:
  void OnRackUp(RackId rack, std::string_view software, std::uint64_t boot_id) override {
    const std::lock_guard lock(mutex_);
    events_.OnRackUp(rack, software, boot_id);
  }

  void OnRackDown(RackId rack, std::string_view reason) override {
    const std::lock_guard lock(mutex_);
    events_.OnRackDown(rack, reason);
  }

  void OnInterfaces(RackId rack, std::span<const link::InterfaceInfo> list) override {
    const std::lock_guard lock(mutex_);
    events_.OnInterfaces(rack, list);
  }

  void OnGenerationLive(RackId rack, const link::GenerationState& live) override {
    const std::lock_guard lock(mutex_);
    events_.OnGenerationLive(rack, live);
  }

  link::GenerationState Current(RackId rack) override {
    const std::lock_guard lock(mutex_);
    return snapshots_.Current(rack);
  }

  std::unique_ptr<link::SnapshotStream> OpenSnapshot(RackId rack) override {
    const std::lock_guard lock(mutex_);
    return snapshots_.OpenSnapshot(rack);
  }

  std::unique_ptr<link::SnapshotStream> OpenDelta(RackId rack,
                                                  const link::GenerationState& base) override {
    const std::lock_guard lock(mutex_);
    return snapshots_.OpenDelta(rack, base);
  }

  link::FactCursor Cursor(RackId rack, link::FactClass fact_class) override {
    const std::lock_guard lock(mutex_);
    return facts_.Cursor(rack, fact_class);
  }

  void Commit(RackId rack, const link::FactBatch& batch, link::CommitDone done) override {
    const std::lock_guard lock(mutex_);
    facts_.Commit(rack, batch, std::move(done));
  }

  // Looks at or changes the fakes under the lock.
  template <typename F>
  auto With(F&& f) {
    const std::lock_guard lock(mutex_);
    return f(events_, snapshots_, facts_);
  }

 private:
  std::mutex mutex_;
  FakeRackEvents events_;
  FakeSnapshotSource snapshots_;
  FakeFactSink facts_;
};

struct TestRegion {
  explicit TestRegion(std::string bind = "tcp://127.0.0.1:*", std::size_t half_open_max = 32,
                      link::KeyPair pair = link::KeyPair::Generate())
      : key(pair) {
    auto created = RegionEnd::Create({.bind = std::move(bind),
                                      .key = key,
                                      .epoch = 1,
                                      .half_open_per_address_max = half_open_max},
                                     {.directory = &directory,
                                      .observer = &owners,
                                      .snapshots = &owners,
                                      .facts = &owners,
                                      .clock = &clock,
                                      .random = &random});
    EXPECT_TRUE(created.has_value());
    end = std::move(*created);
    EXPECT_TRUE(end->Start().has_value());
  }

  // The text of a token that is in the directory.
  std::string Token(link::TokenId id, Duration life = kTokenLife,
                    std::string endpoint = std::string()) {
    const auto made =
        MakeToken(id, key.public_key, {endpoint.empty() ? end->endpoint() : std::move(endpoint)},
                  clock.WallNow(), life);
    EXPECT_TRUE(made.has_value());
    directory.AddToken(made->record, [](Result<void> added) { EXPECT_TRUE(added.has_value()); });
    return made->text;
  }

  void Publish(Records records) {
    owners.With([&](auto&, auto& snapshots, auto&) { snapshots.Publish(std::move(records)); });
    end->NotifyPublished();
  }

  [[nodiscard]] std::uint64_t handled() const { return end->counters().link.handled.value(); }

  link::KeyPair key;
  MemoryDirectory directory;
  LockedRegion owners;
  PosixClock clock;
  PosixRandom random;
  std::unique_ptr<RegionEnd> end;
};

struct TestRack {
  explicit TestRack(std::string token_text, std::string name = "rack-a",
                    std::vector<std::string> endpoints = {}, bool begin = true)
      : token(std::move(token_text)), rack_name(std::move(name)), at(std::move(endpoints)) {
    if (begin) {
      Begin();
    }
  }

  void Begin() {
    auto created = link::RackEnd::Create(
        {.state_directory = directory.path(),
         .name = rack_name,
         .software = "test 1",
         .join_token = token,
         .endpoints = at},
        {.snapshots = &sink, .facts = &source, .observer = &observer, .clock = &clock});
    ASSERT_TRUE(created.has_value());
    end = std::move(*created);
    ASSERT_TRUE(end->Start().has_value());
  }

  // Runs on the link thread and waits for it: the fakes belong to that thread.
  template <typename F>
  void Do(F f) {
    std::mutex mutex;
    std::condition_variable done;
    bool ran = false;
    ASSERT_TRUE(end->Post([&](link::RackLink& link, Instant now) {
      f(link, now);
      const std::lock_guard lock(mutex);
      ran = true;
      done.notify_one();
    }));
    std::unique_lock lock(mutex);
    done.wait(lock, [&] { return ran; });
  }

  [[nodiscard]] Records records() {
    Records copy;
    Do([&](link::RackLink&, Instant) { copy = sink.records(); });
    return copy;
  }

  void Append(link::FactClass fact_class, std::string record) {
    Do([&](link::RackLink&, Instant) { source.Append(fact_class, std::move(record)); });
    end->NotifyFacts();
  }

  TemporaryDirectory directory;
  std::string token;
  std::string rack_name;
  std::vector<std::string> at;
  FakeSnapshotSink sink;
  FakeFactSource source;
  FakeRackObserver observer;
  PosixClock clock;
  std::unique_ptr<link::RackEnd> end;
};

}  // namespace slipway::region_link::test
