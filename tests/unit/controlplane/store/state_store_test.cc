#include "controlplane/store/state_store.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <memory>
#include <thread>

#include "controlplane/store/lmdb_facts.h"
#include "controlplane/store/lmdb_store.h"
#include "controlplane/store/memory_store.h"
#include "tests/unit/controlplane/store/state_store_contract.h"
#include "tests/unit/controlplane/store/temp_directory.h"

namespace slipway::store {
namespace {

struct MemoryBackend {
  StateStore& store() { return memory; }

  void Reopen() {}

  MemoryStore memory{1, kContractLogRevisions};
};

std::unique_ptr<LmdbStore> OpenStore(const LmdbOptions& options) {
  auto store = LmdbStore::Open(options);
  EXPECT_TRUE(store) << store.error().reason;
  return store ? *std::move(store) : nullptr;
}

struct LmdbBackend {
  LmdbBackend() {
    options.directory = directory.path() + "/state";
    options.change_log_revisions_max = kContractLogRevisions;
    opened = OpenStore(options);
  }

  StateStore& store() { return *opened; }

  void Reopen() {
    opened.reset();
    opened = OpenStore(options);
  }

  TempDirectory directory;
  LmdbOptions options;
  std::unique_ptr<LmdbStore> opened;
};

INSTANTIATE_TYPED_TEST_SUITE_P(Memory, StateStoreContract, MemoryBackend);
INSTANTIATE_TYPED_TEST_SUITE_P(Lmdb, StateStoreContract, LmdbBackend);

TEST(MemoryStoreTest, FailingCommitsWriteNothing) {
  MemoryStore store;
  store.FailCommits({.code = ErrorCode::kNoSpace});
  EXPECT_EQ(CommitAndWait(store, PutBatch("m/a", "1")).error().code, ErrorCode::kNoSpace);
  store.FailCommits({});
  EXPECT_TRUE(CommitAndWait(store, PutBatch("m/a", "1"))->committed);
}

TEST(LmdbStoreTest, SecondOpenIsRefusedWithTheReason) {
  LmdbBackend backend;
  const auto second = LmdbStore::Open(backend.options);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().error.code, ErrorCode::kBusy);
  EXPECT_NE(second.error().reason.find("another process"), std::string::npos);
}

TEST(LmdbStoreTest, OtherSchemaIsRefusedWithTheReason) {
  LmdbBackend backend;
  backend.opened.reset();
  const auto facts = OpenLmdbFacts(backend.options);
  ASSERT_FALSE(facts);
  EXPECT_EQ(facts.error().error.code, ErrorCode::kBadVersion);
  EXPECT_NE(facts.error().reason.find("slipway-state 1"), std::string::npos);
}

TEST(LmdbStoreTest, DirectoryIsPrivate) {
  LmdbBackend backend;
  const auto permissions = std::filesystem::status(backend.options.directory).permissions();
  EXPECT_EQ(permissions, std::filesystem::perms::owner_all);
}

TEST(LmdbStoreTest, FullMapRefusesAndRecovers) {
  TempDirectory directory;
  LmdbOptions options;
  options.directory = directory.path() + "/state";
  options.map_bytes = std::size_t{1} << 20;
  options.change_log_revisions_max = 2;
  const auto store = OpenStore(options);
  ASSERT_TRUE(store);
  ASSERT_TRUE(CommitAndWait(*store, PutBatch("m/a", "1")));
  const auto full = CommitAndWait(*store, PutBatch("m/b", std::string(kValueBytesMax, 'v')));
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, ErrorCode::kNoSpace);
  EXPECT_EQ(store->revision(), 1U);
  EXPECT_TRUE(CommitAndWait(*store, PutBatch("m/c", "3"))->committed);
  EXPECT_EQ((*store->Get("m/a"))->value, "1");
}

TEST(LmdbStoreTest, DamagedFileIsRefusedWithTheReason) {
  LmdbBackend backend;
  backend.opened.reset();
  {
    std::ofstream file(backend.options.directory + "/data.mdb", std::ios::binary);
    file << std::string(8192, 'x');
  }
  const auto opened = LmdbStore::Open(backend.options);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().error.code, ErrorCode::kCorrupt) << opened.error().reason;
}

TEST(LmdbStoreTest, RacingCreatesHaveOneWinner) {
  LmdbBackend backend;
  std::atomic<int> winners = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&, i] {
        for (int round = 0; round < 5; ++round) {
          const std::string key = "u/mac/" + std::to_string(round);
          Batch batch = PutBatch(key, std::to_string(i));
          batch.compares = {{.key = key, .modified = 0, .any_revision = false}};
          winners += CommitAndWait(backend.store(), batch)->committed ? 1 : 0;
        }
      });
    }
  }
  EXPECT_EQ(winners, 5);
  EXPECT_EQ(backend.store().revision(), 5U);
}

// The child commits as fast as it can and reports each acknowledged number; it dies in the middle.
[[noreturn]] void CommitUntilKilled(const LmdbOptions& options, int out) {
  auto store = LmdbStore::Open(options);
  if (!store) {
    _exit(1);
  }
  std::atomic<std::uint32_t> acknowledged = 0;
  for (std::uint32_t i = 0;; ++i) {
    Batch batch = PutBatch("m/" + std::to_string(i), "value");
    batch.writes.push_back({.key = "m/last", .value = std::to_string(i)});
    (*store)->Commit(std::move(batch), [out, i, &acknowledged](Result<CommitResult> result) {
      if (!result || !result->committed || write(out, &i, sizeof(i)) != sizeof(i)) {
        _exit(2);
      }
      acknowledged.store(i + 1);
      acknowledged.notify_one();
    });
    // Some stay under way, for the kill to fall among them, but never more than the queue takes.
    for (std::uint32_t seen = acknowledged.load(); seen + 32 <= i; seen = acknowledged.load()) {
      acknowledged.wait(seen);
    }
  }
}

TEST(LmdbStoreTest, KilledWriterLosesNothingAcknowledged) {
  TempDirectory directory;
  LmdbOptions options;
  options.directory = directory.path() + "/state";
  for (int round = 0; round < 3; ++round) {
    int pipe_fds[2];
    ASSERT_EQ(pipe(pipe_fds), 0);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      close(pipe_fds[0]);
      CommitUntilKilled(options, pipe_fds[1]);
    }
    close(pipe_fds[1]);
    std::uint32_t acknowledged = 0;
    std::uint32_t count = 0;
    while (count < 300 && read(pipe_fds[0], &acknowledged, sizeof(acknowledged)) ==
                              static_cast<ssize_t>(sizeof(acknowledged))) {
      ++count;
    }
    kill(child, SIGKILL);
    while (read(pipe_fds[0], &acknowledged, sizeof(acknowledged)) ==
           static_cast<ssize_t>(sizeof(acknowledged))) {
      ++count;
    }
    close(pipe_fds[0]);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status));
    ASSERT_GE(count, 300U);

    const auto store = OpenStore(options);
    ASSERT_TRUE(store);
    for (std::uint32_t i = 0; i <= acknowledged; ++i) {
      ASSERT_TRUE(*store->Get("m/" + std::to_string(i))) << i;
    }
    EXPECT_GE(std::stoul((*store->Get("m/last"))->value), acknowledged);
    // The log is whole: one revision after the other.
    Revision revision = 0;
    for (auto changes = *store->Changes(0, 1000); !changes.empty();
         changes = *store->Changes(revision, 1000)) {
      for (const Change& change : changes) {
        ASSERT_TRUE(change.revision == revision || change.revision == revision + 1);
        revision = change.revision;
      }
    }
    EXPECT_EQ(revision, store->revision());
  }
}

}  // namespace
}  // namespace slipway::store
