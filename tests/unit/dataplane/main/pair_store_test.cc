#include "dataplane/main/pair_store.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <optional>

#include "dataplane/base/random.h"
#include "tests/support/memory_disk.h"

namespace slipway::rack {
namespace {

using service::PairMemory;
using service::PairWord;

class HandClock final : public Clock {
 public:
  [[nodiscard]] Instant Now() noexcept override { return now; }

  [[nodiscard]] WallTime WallNow() noexcept override { return {1'700'000'000'000'000'000}; }

  [[nodiscard]] bool WallIsSynchronised() noexcept override { return true; }

  [[nodiscard]] std::uint64_t BootId() noexcept override { return 7; }

  Instant now{Duration::Seconds(100).ns};
};

class PairStoreTest : public testing::Test {
 protected:
  // As a new process finds it.
  PairMemory Restart(bool journal_is_new = false) {
    store_.emplace(&disk_, &clock_, &random_);
    box_ = *service::PairBox::Create();
    return store_->Load(journal_is_new);
  }

  void Say(const PairWord& word) {
    EXPECT_TRUE(box_->to_control->Push(PairWord{word}));
    store_->Serve(*box_);
  }

  [[nodiscard]] std::uint64_t Remembered() {
    std::uint64_t store = 0;
    (void)box_->from_control->Drain(16, [&](const PairWord& word) { store = word.store; });
    return store;
  }

  test::MemoryDisk disk_{1};
  HandClock clock_;
  SeededRandom random_{2};
  std::optional<PairStore> store_;
  std::unique_ptr<service::PairBox> box_;
};

TEST_F(PairStoreTest, DirectoryKeepsItsIdAndAnotherOneHasAnother) {
  const PairMemory first = Restart(true);
  EXPECT_NE(first.store, 0U);
  EXPECT_EQ(Restart().store, first.store);
  disk_.Crash();
  EXPECT_EQ(Restart().store, first.store);
  // Its leases are gone: the partner must not think that they are there.
  EXPECT_NE(Restart(true).store, first.store);
}

TEST_F(PairStoreTest, PartnerIsRememberedBeforeTheShardHearsOfIt) {
  (void)Restart(true);
  disk_.FailSyncs(1'000'000);
  Say({.kind = PairWord::Kind::kRemember, .pair = 9, .store = 55});
  EXPECT_EQ(Remembered(), 0U);
  EXPECT_GT(store_->write_failures().value(), 0U);
  disk_.FailSyncs(0);
  store_->Serve(*box_);
  EXPECT_EQ(Remembered(), 55U);
  disk_.Crash();
  const PairMemory memory = Restart();
  EXPECT_EQ(memory.pair, 9U);
  EXPECT_EQ(memory.partner_store, 55U);
}

TEST_F(PairStoreTest, StampSaysWhenItWasAndNotWhenItIsWritten) {
  (void)Restart(true);
  Say({.kind = PairWord::Kind::kRemember, .pair = 9, .store = 55});
  Say({.kind = PairWord::Kind::kRight, .pair = 9, .at = clock_.now - Duration::Seconds(3)});
  const PairMemory memory = Restart();
  EXPECT_EQ(memory.partner_store, 55U);
  EXPECT_EQ(memory.right.boot_id, 7U);
  EXPECT_EQ(memory.right.boottime, clock_.now - Duration::Seconds(3));
  EXPECT_EQ(memory.right.realtime.ns, clock_.WallNow().ns - Duration::Seconds(3).ns);
  EXPECT_TRUE(memory.right.realtime_trusted);
}

TEST_F(PairStoreTest, AnotherPairBeginsWithNothing) {
  (void)Restart(true);
  Say({.kind = PairWord::Kind::kRemember, .pair = 9, .store = 55});
  Say({.kind = PairWord::Kind::kRight, .pair = 10, .at = clock_.now});
  const PairMemory memory = Restart();
  EXPECT_EQ(memory.pair, 10U);
  EXPECT_EQ(memory.partner_store, 0U);
}

TEST_F(PairStoreTest, DamagedFileIsALostMemory) {
  const PairMemory first = Restart(true);
  const auto file = disk_.Open("pair", OpenMode::kReadWrite);
  ASSERT_TRUE(file.has_value());
  const std::array<std::byte, 1> wrong{std::byte{0xFF}};
  ASSERT_TRUE(disk_.WriteAt(*file, 20, wrong).has_value());
  disk_.Close(*file);
  const PairMemory memory = Restart();
  EXPECT_NE(memory.store, first.store);
  EXPECT_EQ(memory.pair, 0U);
}

}  // namespace
}  // namespace slipway::rack
