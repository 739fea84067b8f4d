#include "controlplane/model/live_model.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <thread>

#include "controlplane/store/lmdb_store.h"
#include "dataplane/base/check.h"
#include "tests/unit/controlplane/model/model_test.h"
#include "tests/unit/controlplane/store/temp_directory.h"

namespace slipway::model {
namespace {

// Counts what it sees, and that it sees whole revisions in order.
class CountingObserver final : public ModelObserver {
 public:
  void OnChange(const ModelIndex&, const ModelChange& change) override {
    EXPECT_GE(change.revision, last_ + 1);
    ++changes_;
  }

  void OnRevision(const ModelIndex&, store::Revision revision) override {
    EXPECT_EQ(revision, last_ + 1);
    last_ = revision;
  }

  int changes_ = 0;
  store::Revision last_ = 0;
};

struct LmdbModel {
  LmdbModel() {
    auto opened = store::LmdbStore::Open({.directory = directory.path() + "/state"});
    SLIP_CHECK(opened);
    store = *std::move(opened);
    live = std::make_unique<LiveModel>(*store, random);
    live->AddObserver(observer);
    SLIP_CHECK(live->Start());
  }

  std::expected<MutateResult, Refusal> CreateFabric(const std::string& name) {
    std::promise<std::expected<MutateResult, Refusal>> promise;
    live->Mutate(
        PlanCreate(Kind::kFabric, {{"name", name}}),
        [&](std::expected<MutateResult, Refusal> result) { promise.set_value(std::move(result)); });
    return promise.get_future().get();
  }

  store::TempDirectory directory;
  SeededRandom random{1};
  CountingObserver observer;
  std::unique_ptr<store::LmdbStore> store;
  std::unique_ptr<LiveModel> live;
};

TEST(LiveModelTest, RacingThreadsGetOneOfEachName) {
  LmdbModel model;
  std::atomic<int> created = 0;
  std::atomic<int> conflicts = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        for (int round = 0; round < 8; ++round) {
          const auto result = model.CreateFabric("f" + std::to_string(round));
          if (result) {
            // What was acknowledged is in the index.
            EXPECT_NE(model.live->Read([&](const ModelIndex& index) {
              return index.Find(Kind::kFabric, result->touched.front().id);
            }),
                      nullptr);
            ++created;
          } else {
            EXPECT_EQ(result.error().kind, RefusalKind::kConflict);
            ++conflicts;
          }
        }
      });
    }
  }
  EXPECT_EQ(created, 8);
  EXPECT_EQ(conflicts, 24);
  EXPECT_TRUE(model.live->Sync());
  EXPECT_EQ(model.observer.changes_, 8);
  EXPECT_EQ(model.observer.last_, model.store->revision());
}

TEST(LiveModelTest, DestroyedModelAnswersWhatIsStillOnItsWay) {
  LmdbModel model;
  std::atomic<int> answers = 0;
  for (int i = 0; i < 50; ++i) {
    model.live->Mutate(PlanCreate(Kind::kFabric, {{"name", "f" + std::to_string(i)}}),
                       [&](const auto&) { ++answers; });
  }
  model.live.reset();
  model.store.reset();  // commits what is queued
  EXPECT_EQ(answers, 50);
}

TEST_F(ModelFixture, FailedStoreIsARefusalAndChangesNothing) {
  store_.FailCommits({.code = ErrorCode::kNoSpace});
  const auto result = Create(Kind::kFabric, R"({"name":"lab"})");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, RefusalKind::kStore);
  EXPECT_EQ(result.error().error.code, ErrorCode::kNoSpace);
  EXPECT_EQ(model_.Read([](const ModelIndex& index) { return index.CountOf(Kind::kFabric); }), 0U);
  store_.FailCommits({});
  EXPECT_TRUE(Create(Kind::kFabric, R"({"name":"lab"})"));
}

}  // namespace
}  // namespace slipway::model
