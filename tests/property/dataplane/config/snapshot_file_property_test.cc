// The snapshot file under faults and crashes: what was reported durable loads again, and nothing
// but states that were published ever loads.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <vector>

#include "dataplane/base/random.h"
#include "dataplane/config/encode.h"
#include "dataplane/config/snapshot_file.h"
#include "tests/support/memory_disk.h"

namespace slipway::config {
namespace {

using Bytes = std::vector<std::byte>;
using Records = std::map<std::pair<std::uint8_t, RecordId>, Bytes>;

struct Published {
  Generation generation;
  ContentHash hash;
  Records records;
};

class FileHistory {
 public:
  explicit FileHistory(std::uint64_t seed) : random_(seed), disk_(Mix64(seed)) {
    file_ = std::make_unique<SnapshotFile>(disk_);
  }

  void Run(int steps) {
    for (int i = 0; i < steps && !testing::Test::HasFatalFailure(); ++i) {
      const std::uint64_t dice = random_.Below(20);
      if (dice < 2 || published_.empty()) {
        WriteWhole();
      } else if (dice < 12) {
        WriteDelta();
      } else if (dice < 15) {
        (void)file_->RewriteStep(500);
      } else if (dice < 17) {
        disk_.FailWrites(random_.Below(2) == 0 ? 200'000 : 0);
        disk_.FailSyncs(random_.Below(3) == 0 ? 200'000 : 0);
        disk_.SetReadOnly(random_.Below(8) == 0);
      } else if (dice < 19) {
        Reload();
      }
    }
    Reload();
  }

 private:
  [[nodiscard]] Bytes Body(std::uint8_t table) {
    if (table == 77) {
      return Bytes(random_.Below(100), std::byte{7});
    }
    MachineRecord machine{.id = 1, .hostname = {}, .uuid = {}, .kernel_options = {}};
    machine.hostname = std::string_view("m" + std::to_string(random_.Below(100)));
    const ByteSpan body = encoder_.Encode(machine);
    return Bytes(body.begin(), body.end());
  }

  [[nodiscard]] static ContentHash HashOf(const Records& records) {
    ContentHash hash;
    for (const auto& [key, body] : records) {
      hash.Add(HashRecord(key.first, key.second, body));
    }
    return hash;
  }

  void WriteWhole() {
    Published next;
    next.generation = {.epoch = 1, .number = ++number_};
    const std::uint64_t count = random_.Below(60);
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::uint8_t table = random_.Below(2) == 0 ? 4 : 77;
      next.records[{table, 1 + random_.Below(80)}] = Body(table);
    }
    next.hash = HashOf(next.records);
    attempts_.push_back(next);
    if (!file_->BeginSnapshot(next.generation)) {
      return;
    }
    for (const auto& [key, body] : next.records) {
      const RecordChange change{.table = key.first, .id = key.second, .body = body};
      if (!file_->AddChunk({&change, 1})) {
        return;
      }
    }
    if (random_.Below(5) == 0) {
      return;  // the link broke
    }
    if (file_->EndSnapshot(next.hash)) {
      published_ = {next};
      ASSERT_EQ(file_->generation(), next.generation);
    }
  }

  void WriteDelta() {
    Published next = published_.back();
    next.generation.number = ++number_;
    std::map<std::pair<std::uint8_t, RecordId>, RecordChange> changes;
    for (std::uint64_t i = 0; i <= random_.Below(4); ++i) {
      const std::pair<std::uint8_t, RecordId> key{random_.Below(2) == 0 ? 4 : 77,
                                                  1 + random_.Below(80)};
      if (changes.contains(key)) {
        continue;
      }
      const bool removed = next.records.contains(key) && random_.Below(2) == 0;
      if (removed) {
        next.records.erase(key);
      } else {
        next.records[key] = Body(key.first);
      }
      changes[key] = {.table = key.first, .id = key.second, .body = {}, .removed = removed};
    }
    std::vector<RecordChange> list;
    for (auto& [key, change] : changes) {
      if (!change.removed) {
        change.body = next.records[key];
      }
      list.push_back(change);
    }
    next.hash = HashOf(next.records);
    attempts_.push_back(next);
    if (file_->AppendDelta(published_.back().generation, next.generation, next.hash, list)) {
      published_.push_back(next);
    }
  }

  void Reload() {
    disk_.FailWrites(0);
    disk_.FailSyncs(0);
    disk_.SetReadOnly(false);
    file_.reset();
    if (random_.Below(2) == 0) {
      disk_.Crash();
    }
    file_ = std::make_unique<SnapshotFile>(disk_);
    LoadReport report;
    const auto loaded = file_->Load(report);
    if (!loaded && loaded.error().code == ErrorCode::kNotFound) {
      ASSERT_TRUE(published_.empty());
      return;
    }
    ASSERT_TRUE(loaded) << report.reason.view() << " in " << report.file.view() << " at "
                        << report.offset;
    const SnapshotRef& snapshot = *loaded;
    ASSERT_EQ(file_->generation(), snapshot->generation());
    // The last durable state, or one that was attempted after it and got there.
    const auto found =
        std::find_if(attempts_.rbegin(), attempts_.rend(), [&snapshot](const Published& state) {
          return state.generation == snapshot->generation() && state.hash == snapshot->hash();
        });
    ASSERT_NE(found, attempts_.rend());
    if (!published_.empty()) {
      ASSERT_GE(snapshot->generation().number, published_.back().generation.number);
    }
    ASSERT_EQ(snapshot->record_count(), found->records.size());
    published_ = {*found};
  }

  SeededRandom random_;
  test::MemoryDisk disk_;
  std::unique_ptr<SnapshotFile> file_;
  RecordEncoder encoder_;
  std::uint64_t number_ = 0;
  std::vector<Published> published_;  // durable, the last one is current
  std::vector<Published> attempts_;
};

TEST(SnapshotFilePropertyTest, DurableGenerationsLoadAgain) {
  const char* const text = std::getenv("SLIPWAY_SEED");
  const char* const runs_text = std::getenv("SLIPWAY_RUNS");
  const std::uint64_t first = text == nullptr ? 1 : std::strtoull(text, nullptr, 0);
  const std::uint64_t runs = runs_text == nullptr ? 300 : std::strtoull(runs_text, nullptr, 0);
  for (std::uint64_t seed = first; seed < first + runs; ++seed) {
    FileHistory history(seed);
    history.Run(120);
    if (HasFatalFailure()) {
      (void)std::printf("SLIPWAY_SEED=%llu SLIPWAY_RUNS=1\n",
                        static_cast<unsigned long long>(seed));
      return;
    }
  }
}

}  // namespace
}  // namespace slipway::config
