// Takes generations from the link, keeps them on disk and passes them on to be served. Link thread,
// but SetLive.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <mutex>
#include <vector>

#include "dataplane/base/log.h"
#include "dataplane/config/snapshot_file.h"
#include "dataplane/link/interfaces.h"
#include "dataplane/service/rack_event.h"

namespace slipway::rack {

// Durable first, then served: what a shard answers from is always on disk, and a generation is
// acknowledged when the shards have it too. A delta that does not fit one frame of the log is
// refused (kTooLarge), so that the link asks for the whole.
class SnapshotOwner final : public link::SnapshotSink {
 public:
  using Publish = std::function<void(config::SnapshotRef)>;

  // All outlive the owner. `publish` is called on the link thread.
  SnapshotOwner(Disk& disk, Publish publish, service::EventSink* events, LogSink* log);

  // Once, before the link starts. True if there was a snapshot; it was published then.
  [[nodiscard]] bool Load();

  // Any thread: all shards live on this generation.
  void SetLive(config::Generation generation);

  // Any thread: true once after a whole snapshot was taken. When all shards live on it, the memory
  // of the one before is free, and worth giving back.
  [[nodiscard]] bool TookWhole() { return took_whole_.exchange(false); }

  [[nodiscard]] link::GenerationState Live() override;
  [[nodiscard]] link::GenerationState Tip() override;
  [[nodiscard]] Result<void> Begin(config::Generation base, config::Generation generation,
                                   std::uint64_t records) override;
  [[nodiscard]] Result<void> Chunk(std::span<const link::RecordView> records) override;
  [[nodiscard]] Result<void> End(config::Generation generation, config::ContentHash hash) override;
  [[nodiscard]] Result<void> ApplyDelta(config::Generation base, config::Generation generation,
                                        config::ContentHash hash,
                                        std::span<const link::RecordView> records) override;
  void Abandon() override;

 private:
  static constexpr std::size_t kHistory = 64;
  static constexpr std::size_t kRewriteBytesPerStep = std::size_t{1} << 20;

  // A generation that is being received.
  struct Incoming {
    config::Generation base;
    config::Generation generation;
    std::unique_ptr<config::SnapshotBuilder> builder;
    std::vector<std::byte> bytes;               // of a delta's bodies
    std::vector<config::RecordChange> changes;  // of a delta; bodies are set when it is complete
    std::vector<std::size_t> ends;
  };

  // Forgets the incoming generation and says why.
  void Reject(std::string_view reason);
  [[nodiscard]] Result<void> Build(std::span<const link::RecordView> records);
  [[nodiscard]] Result<void> Keep(std::span<const link::RecordView> records);
  [[nodiscard]] Result<void> Persist(config::ContentHash hash);
  void Adopt(config::SnapshotRef snapshot);
  void Rewrite();

  config::SnapshotFile file_;
  Publish publish_;
  service::EventSink* events_;
  LogSink* log_;
  config::SnapshotRef tip_;
  bool proven_ = true;  // false: what was loaded at start is perhaps not on disk
  std::unique_ptr<Incoming> incoming_;
  std::atomic<bool> took_whole_{false};
  std::mutex mutex_;                           // guards the two below
  std::deque<link::GenerationState> history_;  // published, oldest first
  link::GenerationState live_;
};

}  // namespace slipway::rack
