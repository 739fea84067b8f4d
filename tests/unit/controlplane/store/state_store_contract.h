// What every StateStore backend must do. A backend's test file instantiates the suite with a type
// that has `StateStore& store()`, `void Reopen()` (a no-op if nothing persists) and a change log of
// kContractLogRevisions.
#pragma once

#include <gtest/gtest.h>

#include <future>
#include <string>
#include <utility>
#include <vector>

#include "controlplane/store/state_store.h"

namespace slipway::store {

inline constexpr std::size_t kContractLogRevisions = 20;

// Waits for the answer, wherever it comes from.
inline Result<CommitResult> CommitAndWait(StateStore& store, Batch batch) {
  std::promise<Result<CommitResult>> promise;
  auto future = promise.get_future();
  store.Commit(std::move(batch),
               [&](Result<CommitResult> result) { promise.set_value(std::move(result)); });
  return future.get();
}

inline Batch PutBatch(std::string key, std::string value) {
  return Batch{.compares = {}, .writes = {{.key = std::move(key), .value = std::move(value)}}};
}

template <typename Backend>
class StateStoreContract : public testing::Test {
 protected:
  StateStore& store() { return backend_.store(); }

  Revision Put(const std::string& key, const std::string& value) {
    const auto result = CommitAndWait(store(), PutBatch(key, value));
    EXPECT_TRUE(result && result->committed);
    return result ? result->revision : 0;
  }

  Backend backend_;
};

TYPED_TEST_SUITE_P(StateStoreContract);

TYPED_TEST_P(StateStoreContract, StartsEmptyAtRevisionZero) {
  EXPECT_EQ(this->store().revision(), 0U);
  EXPECT_NE(this->store().epoch(), 0U);
  const auto found = this->store().Get("m/a");
  ASSERT_TRUE(found);
  EXPECT_FALSE(*found);
  EXPECT_TRUE(this->store().Changes(0, 10)->empty());
}

TYPED_TEST_P(StateStoreContract, CommitStampsRevisions) {
  EXPECT_EQ(this->Put("m/a", "1"), 1U);
  EXPECT_EQ(this->Put("m/b", "2"), 2U);
  EXPECT_EQ(this->Put("m/a", "3"), 3U);
  const auto entry = *this->store().Get("m/a");
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->key, "m/a");
  EXPECT_EQ(entry->value, "3");
  EXPECT_EQ(entry->created, 1U);
  EXPECT_EQ(entry->modified, 3U);
  EXPECT_EQ(this->store().revision(), 3U);
}

TYPED_TEST_P(StateStoreContract, FailedCompareWritesNothing) {
  this->Put("m/a", "1");
  Batch batch = PutBatch("m/b", "x");
  batch.compares = {{.key = "m/a", .modified = 1, .any_revision = false},
                    {.key = "m/c", .modified = 0, .any_revision = true}};
  const auto result = CommitAndWait(this->store(), batch);
  ASSERT_TRUE(result);
  EXPECT_FALSE(result->committed);
  EXPECT_EQ(result->failed_compare, 1U);
  EXPECT_EQ(result->revision, 1U);
  EXPECT_FALSE(*this->store().Get("m/b"));
  EXPECT_EQ(this->store().revision(), 1U);
}

TYPED_TEST_P(StateStoreContract, ComparesOfAbsenceRevisionAndExistence) {
  Batch create = PutBatch("u/mac/1", "a");
  create.compares = {{.key = "u/mac/1", .modified = 0, .any_revision = false}};
  EXPECT_TRUE(CommitAndWait(this->store(), create)->committed);
  EXPECT_FALSE(CommitAndWait(this->store(), create)->committed);
  Batch exists = PutBatch("m/x", "1");
  exists.compares = {{.key = "u/mac/1", .modified = 0, .any_revision = true}};
  EXPECT_TRUE(CommitAndWait(this->store(), exists)->committed);
  Batch stale = PutBatch("m/x", "2");
  stale.compares = {{.key = "m/x", .modified = 1, .any_revision = false}};
  EXPECT_FALSE(CommitAndWait(this->store(), stale)->committed);
}

TYPED_TEST_P(StateStoreContract, BatchIsOneRevision) {
  this->Put("m/old", "1");
  Batch batch;
  batch.writes = {{.key = "m/a", .value = "1"},
                  {.key = "m/b", .value = "2"},
                  {.key = "m/old", .value = std::nullopt},
                  {.key = "m/never", .value = std::nullopt}};
  const auto result = CommitAndWait(this->store(), batch);
  ASSERT_TRUE(result && result->committed);
  EXPECT_EQ(result->revision, 2U);
  EXPECT_EQ((*this->store().Get("m/b"))->modified, 2U);
  EXPECT_FALSE(*this->store().Get("m/old"));
  const auto changes = *this->store().Changes(1, 1);
  ASSERT_EQ(changes.size(), 4U);  // whole revisions
  EXPECT_EQ(changes[0].key, "m/a");
  EXPECT_FALSE(changes[2].value);
}

TYPED_TEST_P(StateStoreContract, RecreatedKeyHasNewCreated) {
  this->Put("m/a", "1");
  ASSERT_TRUE(CommitAndWait(this->store(), {.compares = {}, .writes = {{"m/a", std::nullopt}}}));
  this->Put("m/a", "2");
  EXPECT_EQ((*this->store().Get("m/a"))->created, 3U);
}

TYPED_TEST_P(StateStoreContract, ListPagesInKeyOrderWithinPrefix) {
  for (const char* key : {"m/sub/3", "m/sub/1", "m/rng/9", "m/sub/2", "n/1"}) {
    this->Put(key, key);
  }
  const auto first = *this->store().List("m/sub/", "", 2);
  ASSERT_EQ(first.entries.size(), 2U);
  EXPECT_EQ(first.entries[0].key, "m/sub/1");
  EXPECT_EQ(first.entries[1].key, "m/sub/2");
  EXPECT_TRUE(first.more);
  EXPECT_EQ(first.revision, 5U);
  const auto second = *this->store().List("m/sub/", "m/sub/2", 2);
  ASSERT_EQ(second.entries.size(), 1U);
  EXPECT_EQ(second.entries[0].key, "m/sub/3");
  EXPECT_FALSE(second.more);
  EXPECT_EQ(this->store().List("", "", 100)->entries.size(), 5U);
}

TYPED_TEST_P(StateStoreContract, ChangesFollowARevision) {
  for (int i = 1; i <= 5; ++i) {
    this->Put("m/k" + std::to_string(i), "v");
  }
  const auto changes = *this->store().Changes(2, 2);
  ASSERT_EQ(changes.size(), 2U);
  EXPECT_EQ(changes[0].revision, 3U);
  EXPECT_EQ(changes[1].revision, 4U);
  EXPECT_TRUE(this->store().Changes(5, 10)->empty());
}

TYPED_TEST_P(StateStoreContract, OldChangesExpire) {
  const std::size_t revisions = kContractLogRevisions + 200;
  for (std::size_t i = 0; i < revisions; ++i) {
    this->Put("m/a", std::to_string(i));
  }
  const auto expired = this->store().Changes(1, 10);
  ASSERT_FALSE(expired);
  EXPECT_EQ(expired.error().code, ErrorCode::kExpired);
  EXPECT_EQ(this->store().Changes(revisions - 10, 100)->size(), 10U);
}

TYPED_TEST_P(StateStoreContract, LimitsAreErrors) {
  const std::string long_key(kKeyBytesMax + 1, 'k');
  EXPECT_EQ(CommitAndWait(this->store(), PutBatch(long_key, "v")).error().code,
            ErrorCode::kTooLarge);
  EXPECT_EQ(CommitAndWait(this->store(), PutBatch("k", std::string(kValueBytesMax + 1, 'v')))
                .error()
                .code,
            ErrorCode::kTooLarge);
  EXPECT_EQ(CommitAndWait(this->store(), PutBatch("", "v")).error().code, ErrorCode::kMalformed);
  EXPECT_EQ(this->store().revision(), 0U);
}

TYPED_TEST_P(StateStoreContract, LargeValueComesBack) {
  const std::string value(kValueBytesMax, 'v');
  this->Put("m/big", value);
  EXPECT_EQ((*this->store().Get("m/big"))->value, value);
  EXPECT_EQ(this->store().Changes(0, 1)->front().value, value);
}

TYPED_TEST_P(StateStoreContract, ComparesOnlyMakeNoRevision) {
  this->Put("m/a", "1");
  const auto result = CommitAndWait(
      this->store(),
      {.compares = {{.key = "m/a", .modified = 1, .any_revision = false}}, .writes = {}});
  EXPECT_TRUE(result->committed);
  EXPECT_EQ(result->revision, 1U);
}

TYPED_TEST_P(StateStoreContract, WatchersSeeTheNewestRevision) {
  std::promise<Revision> seen;
  bool done = false;
  ASSERT_TRUE(this->store().Watch([&](Revision revision) {
    if (!done && revision >= 2) {
      done = true;
      seen.set_value(revision);
    }
  }));
  this->Put("m/a", "1");
  this->Put("m/a", "2");
  EXPECT_EQ(seen.get_future().get(), 2U);
}

TYPED_TEST_P(StateStoreContract, EverythingSurvivesReopening) {
  const std::uint64_t epoch = this->store().epoch();
  this->Put("m/a", "1");
  this->Put("m/b", "2");
  this->backend_.Reopen();
  EXPECT_EQ(this->store().revision(), 2U);
  EXPECT_EQ(this->store().epoch(), epoch);
  EXPECT_EQ((*this->store().Get("m/a"))->value, "1");
  EXPECT_EQ(this->store().Changes(0, 10)->size(), 2U);
  EXPECT_EQ(this->Put("m/c", "3"), 3U);
}

REGISTER_TYPED_TEST_SUITE_P(StateStoreContract, StartsEmptyAtRevisionZero, CommitStampsRevisions,
                            FailedCompareWritesNothing, ComparesOfAbsenceRevisionAndExistence,
                            BatchIsOneRevision, RecreatedKeyHasNewCreated,
                            ListPagesInKeyOrderWithinPrefix, ChangesFollowARevision,
                            OldChangesExpire, LimitsAreErrors, LargeValueComesBack,
                            ComparesOnlyMakeNoRevision, WatchersSeeTheNewestRevision,
                            EverythingSurvivesReopening);

}  // namespace slipway::store
