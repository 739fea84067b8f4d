#include "dataplane/base/posix_disk.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

namespace slipway {
namespace {

class PosixDiskTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "slipway-disk-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    directory_ = name;
  }

  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::string directory_;
};

class Names final : public Disk::Visitor {
 public:
  void OnFile(std::string_view name, std::uint64_t bytes) override {
    files.emplace_back(name, bytes);
  }

  std::vector<std::pair<std::string, std::uint64_t>> files;
};

TEST_F(PosixDiskTest, FilesAreWrittenReadListedAndRemoved) {
  auto disk = PosixDisk::Create(directory_ + "/state");
  ASSERT_TRUE(disk);
  const auto file = disk->Open("a", OpenMode::kCreate);
  ASSERT_TRUE(file);
  ASSERT_TRUE(disk->WriteAt(*file, 3, AsBytes("abc")));
  ASSERT_TRUE(disk->Sync(*file));
  EXPECT_EQ(*disk->SizeOf(*file), 6U);
  std::array<std::byte, 10> bytes{};
  EXPECT_EQ(*disk->ReadAt(*file, 3, bytes), 3U);
  EXPECT_EQ(AsText(bytes).substr(0, 3), "abc");
  ASSERT_TRUE(disk->Truncate(*file, 4));
  disk->Close(*file);
  ASSERT_TRUE(disk->Rename("a", "b"));
  Names names;
  ASSERT_TRUE(disk->List(names));
  ASSERT_EQ(names.files.size(), 1U);
  EXPECT_EQ(names.files[0], (std::pair<std::string, std::uint64_t>("b", 4)));
  ASSERT_TRUE(disk->Remove("b"));
  EXPECT_EQ(disk->Remove("b").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(disk->Open("b", OpenMode::kRead).error().code, ErrorCode::kNotFound);
}

TEST_F(PosixDiskTest, NamesStayInTheDirectory) {
  auto disk = PosixDisk::Create(directory_);
  ASSERT_TRUE(disk);
  for (const std::string_view name : {"", ".", "..", "../x", "a/b", "/etc/passwd"}) {
    EXPECT_EQ(disk->Open(name, OpenMode::kCreate).error().code, ErrorCode::kMalformed) << name;
  }
}

TEST_F(PosixDiskTest, LockIsExclusive) {
  auto first = PosixDisk::Create(directory_);
  auto second = PosixDisk::Create(directory_);
  ASSERT_TRUE(first);
  ASSERT_TRUE(second);
  ASSERT_TRUE(first->Lock());
  EXPECT_EQ(second->Lock().error().code, ErrorCode::kBusy);
}

}  // namespace
}  // namespace slipway
