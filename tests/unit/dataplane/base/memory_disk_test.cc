// The disk that the simulation and the journal's tests stand on.
#include "tests/support/memory_disk.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace slipway::test {
namespace {

TEST(MemoryDiskTest, SyncedAndNamedDataSurvivesACrash) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    MemoryDisk disk(seed);
    const FileId file = *disk.Open("tmp", OpenMode::kCreate);
    ASSERT_TRUE(disk.WriteAt(file, 0, AsBytes("kept")));
    ASSERT_TRUE(disk.Sync(file));
    ASSERT_TRUE(disk.Rename("tmp", "name"));
    disk.Crash();
    EXPECT_EQ(AsText(disk.Contents("name")), "kept");
    EXPECT_FALSE(disk.Exists("tmp"));
    EXPECT_FALSE(disk.SizeOf(file)) << "no descriptor survives";
  }
}

TEST(MemoryDiskTest, UnsyncedSectorsAreLostOneByOne) {
  bool mixed = false;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    MemoryDisk disk(seed);
    disk.SetContents("name", std::vector<std::byte>(1024));
    const FileId file = *disk.Open("name", OpenMode::kReadWrite);
    ASSERT_TRUE(disk.WriteAt(file, 0, std::vector<std::byte>(1024, std::byte{1})));
    disk.Crash();
    const std::vector<std::byte> after = disk.Contents("name");
    ASSERT_EQ(after.size(), 1024U);
    mixed = mixed || after[0] != after[512];
    EXPECT_EQ(after[0], after[511]);
  }
  EXPECT_TRUE(mixed);
}

TEST(MemoryDiskTest, FailedSyncProvesNothingLater) {
  bool lost = false;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    MemoryDisk disk(seed);
    disk.SetContents("name", std::vector<std::byte>(512));
    const FileId file = *disk.Open("name", OpenMode::kReadWrite);
    ASSERT_TRUE(disk.WriteAt(file, 0, AsBytes("x")));
    disk.FailSyncs(1'000'000);
    ASSERT_FALSE(disk.Sync(file));
    disk.FailSyncs(0);
    ASSERT_TRUE(disk.Sync(file));
    disk.Crash();
    lost = lost || disk.Contents("name")[0] == std::byte{0};
  }
  EXPECT_TRUE(lost);
}

TEST(MemoryDiskTest, CapacityAndReadOnlyGiveTheirErrors) {
  MemoryDisk disk(1);
  const FileId file = *disk.Open("name", OpenMode::kCreate);
  disk.SetCapacity(2);
  EXPECT_EQ(disk.WriteAt(file, 0, AsBytes("abc")).error().code, ErrorCode::kNoSpace);
  disk.SetReadOnly(true);
  EXPECT_EQ(disk.WriteAt(file, 0, AsBytes("a")).error().code, ErrorCode::kReadOnly);
  EXPECT_EQ(disk.Open("other", OpenMode::kCreate).error().code, ErrorCode::kReadOnly);
  EXPECT_TRUE(disk.Open("name", OpenMode::kRead));
}

}  // namespace
}  // namespace slipway::test
