#include "dataplane/main/snapshot_owner.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "dataplane/config/decode.h"
#include "dataplane/config/encode.h"
#include "tests/support/memory_disk.h"

namespace slipway::rack {
namespace {

class QuietLog final : public LogSink {
 public:
  void Write(LogLevel /*level*/, std::string_view id, std::string_view /*text*/) override {
    ids.emplace_back(id);
  }

  std::vector<std::string> ids;
};

constexpr config::Generation kNothing{};

class SeenEvents final : public service::EventSink {
 public:
  void Report(service::EventCode code, std::string_view subject, std::string_view detail) override {
    texts.push_back(std::string(ToString(code)) + " " + std::string(subject) + ": " +
                    std::string(detail));
  }

  std::vector<std::string> texts;
};

class SnapshotOwnerTest : public testing::Test {
 protected:
  SnapshotOwnerTest() { Restart(); }

  void Restart() {
    published_.clear();
    owner_ = std::make_unique<SnapshotOwner>(
        disk_, [this](config::SnapshotRef snapshot) { published_.push_back(std::move(snapshot)); },
        &events_, &log_);
  }

  [[nodiscard]] static std::string Vlan(std::uint64_t id, std::uint16_t vid) {
    config::RecordEncoder encoder;
    return std::string(AsText(encoder.Encode(config::VlanRecord{.id = id, .vid = vid})));
  }

  [[nodiscard]] static config::ContentHash HashOf(std::uint64_t id, const std::string& body) {
    return config::HashRecord(kTable, id, AsBytes(body));
  }

  // A whole snapshot with VLAN 1.
  [[nodiscard]] Result<void> SendWhole(config::Generation generation) {
    const std::string body = Vlan(1, 10);
    const link::RecordView record{.table = kTable, .id = 1, .body = AsBytes(body)};
    SLIP_TRY(owner_->Begin(kNothing, generation, 1));
    SLIP_TRY(owner_->Chunk({&record, 1}));
    return owner_->End(generation, HashOf(1, body));
  }

  static constexpr std::uint8_t kTable = static_cast<std::uint8_t>(config::Table::kVlan);
  test::MemoryDisk disk_{1};
  QuietLog log_;
  SeenEvents events_;
  std::vector<config::SnapshotRef> published_;
  std::unique_ptr<SnapshotOwner> owner_;
};

TEST_F(SnapshotOwnerTest, GenerationIsLiveOnlyWhenTheShardsSaySo) {
  ASSERT_TRUE(SendWhole({1, 5}).has_value());
  EXPECT_EQ(owner_->Tip().generation, (config::Generation{1, 5}));
  EXPECT_EQ(owner_->Live().generation, kNothing);
  ASSERT_EQ(published_.size(), 1U);
  owner_->SetLive({1, 5});
  EXPECT_EQ(owner_->Live(), owner_->Tip());
}

TEST_F(SnapshotOwnerTest, PublishedGenerationSurvivesACrash) {
  ASSERT_TRUE(SendWhole({1, 5}).has_value());
  const std::string body = Vlan(2, 20);
  const link::RecordView added{.table = kTable, .id = 2, .body = AsBytes(body)};
  config::ContentHash hash = owner_->Tip().hash;
  hash.Add(HashOf(2, body));
  ASSERT_TRUE(owner_->ApplyDelta({1, 5}, {1, 6}, hash, {&added, 1}).has_value());
  disk_.Crash();
  Restart();
  ASSERT_TRUE(owner_->Load());
  EXPECT_EQ(owner_->Tip().generation, (config::Generation{1, 6}));
  ASSERT_EQ(published_.size(), 1U);
  ASSERT_NE(published_[0]->VlanById(2), nullptr);
  EXPECT_EQ(published_[0]->VlanById(2)->vid, 20);
}

TEST_F(SnapshotOwnerTest, WrongHashKeepsWhatWasServed) {
  ASSERT_TRUE(SendWhole({1, 5}).has_value());
  const std::string body = Vlan(2, 20);
  const link::RecordView added{.table = kTable, .id = 2, .body = AsBytes(body)};
  const auto refused = owner_->ApplyDelta({1, 5}, {1, 6}, {.low = 1}, {&added, 1});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kBadChecksum);
  EXPECT_EQ(owner_->Tip().generation, (config::Generation{1, 5}));
  EXPECT_EQ(published_.size(), 1U);
  EXPECT_EQ(events_.texts,
            std::vector<std::string>{"snapshot-rejected generation 1.6: its content is not what "
                                     "the region announced; still serving 1.5"});
}

TEST_F(SnapshotOwnerTest, DeltaOnAnotherBaseIsRefused) {
  ASSERT_TRUE(SendWhole({1, 5}).has_value());
  EXPECT_EQ(owner_->ApplyDelta({1, 4}, {1, 6}, {}, {}).error().code, ErrorCode::kConflict);
}

TEST_F(SnapshotOwnerTest, NothingIsServedThatIsNotOnDisk) {
  ASSERT_TRUE(SendWhole({1, 5}).has_value());
  disk_.SetReadOnly(true);
  EXPECT_FALSE(SendWhole({1, 6}).has_value());
  EXPECT_EQ(owner_->Tip().generation, (config::Generation{1, 5}));
  EXPECT_EQ(published_.size(), 1U);
  disk_.SetReadOnly(false);
  ASSERT_TRUE(SendWhole({1, 7}).has_value());
  EXPECT_EQ(published_.size(), 2U);
}

TEST_F(SnapshotOwnerTest, DeltaTooLargeForTheLogAsksForTheWhole) {
  ASSERT_TRUE(SendWhole({1, 5}).has_value());
  ASSERT_TRUE(owner_->Begin({1, 5}, {1, 6}, 100'000).has_value());
  const std::string body = Vlan(2, 20);
  Result<void> taken;
  for (std::uint64_t id = 2; id < 200'000 && taken; ++id) {
    // An unknown table counts for the hash only: as large as one likes.
    const link::RecordView record{.table = 99, .id = id, .body = AsBytes(body)};
    taken = owner_->Chunk({&record, 1});
  }
  ASSERT_FALSE(taken.has_value());
  EXPECT_EQ(taken.error().code, ErrorCode::kTooLarge);
  EXPECT_EQ(owner_->Tip().generation, (config::Generation{1, 5}));
}

TEST_F(SnapshotOwnerTest, WhatOnlyThePageCacheHasIsServedButNotAcknowledged) {
  ASSERT_TRUE(SendWhole({1, 5}).has_value());
  const std::string body = Vlan(2, 20);
  const link::RecordView added{.table = kTable, .id = 2, .body = AsBytes(body)};
  config::ContentHash hash = owner_->Tip().hash;
  hash.Add(HashOf(2, body));
  disk_.FailSyncs(1'000'000);
  EXPECT_FALSE(owner_->ApplyDelta({1, 5}, {1, 6}, hash, {&added, 1}).has_value());
  // The process dies, not the host: the frame is still readable.
  disk_.SetReadOnly(true);
  Restart();
  ASSERT_TRUE(owner_->Load());
  owner_->SetLive(owner_->Tip().generation);
  EXPECT_EQ(owner_->Live().generation, kNothing);
  disk_.SetReadOnly(false);
  disk_.FailSyncs(0);
  EXPECT_EQ(owner_->Live(), owner_->Tip());
  disk_.Crash();
  const config::Generation acknowledged = owner_->Tip().generation;
  Restart();
  ASSERT_TRUE(owner_->Load());
  EXPECT_EQ(owner_->Tip().generation, acknowledged);
}

TEST_F(SnapshotOwnerTest, DamagedSnapshotIsSaidAndAnotherTaken) {
  ASSERT_TRUE(SendWhole({1, 5}).has_value());
  ASSERT_TRUE(disk_.Damage("snapshot", 60));
  Restart();
  EXPECT_FALSE(owner_->Load());
  ASSERT_FALSE(events_.texts.empty());
  EXPECT_TRUE(events_.texts.back().starts_with("snapshot-unreadable snapshot: at "));
  EXPECT_EQ(owner_->Tip().generation, kNothing);
  EXPECT_TRUE(SendWhole({1, 6}).has_value());
}

}  // namespace
}  // namespace slipway::rack
