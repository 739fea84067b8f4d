// The object store and the table that shards serve from, on a real directory of the test's own.
#include "dataplane/images/store.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "dataplane/config/encode.h"
#include "dataplane/images/object_table.h"

namespace slipway::images {
namespace {

// SHA-256 of "abc": FIPS 180-2, appendix B.1.
constexpr std::string_view kAbc =
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

class StoreTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "slipway-images-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    directory_ = name;
  }

  void TearDown() override { std::filesystem::remove_all(directory_); }

  [[nodiscard]] static Result<Imported> ImportText(const Store& store, std::string_view text) {
    std::array<int, 2> ends{};
    EXPECT_EQ(pipe(ends.data()), 0);
    EXPECT_EQ(write(ends[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
    (void)close(ends[1]);
    auto imported = store.Import(ends[0]);
    (void)close(ends[0]);
    return imported;
  }

  [[nodiscard]] static config::SnapshotRef SnapshotWith(std::string_view name, const Digest& digest,
                                                        std::uint64_t bytes) {
    config::ImageRecord image;
    image.id = 1;
    image.name = std::string_view("loaders");
    config::ImageFile file;
    file.name = name;
    file.sha256 = digest;
    file.bytes = bytes;
    EXPECT_TRUE(image.files.push_back(file));
    config::SnapshotBuilder builder{config::SnapshotRef{}};
    config::RecordEncoder encoder;
    EXPECT_TRUE(
        builder.Put(static_cast<std::uint8_t>(config::Table::kImage), 1, encoder.Encode(image)));
    return builder.Finish({.epoch = 1, .number = 7});
  }

  std::string directory_;
};

TEST_F(StoreTest, DigestTextGoesBothWays) {
  const auto digest = ParseDigest(kAbc);
  ASSERT_TRUE(digest);
  EXPECT_EQ(ToText(*digest), kAbc);
  EXPECT_FALSE(ParseDigest("ba78"));
  EXPECT_FALSE(ParseDigest(std::string(63, 'a') + "g"));
  EXPECT_FALSE(ParseDigest("../" + std::string(61, 'a')));
}

TEST_F(StoreTest, ImportedObjectIsFoundByItsDigest) {
  const auto store = Store::Open(directory_);
  ASSERT_TRUE(store);
  const auto imported = ImportText(*store, "abc");
  ASSERT_TRUE(imported);
  EXPECT_EQ(ToText(imported->digest), kAbc);
  EXPECT_EQ(imported->bytes, 3U);
  const auto opened = store->OpenObject(imported->digest);
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->bytes(), 3U);
  EXPECT_TRUE(store->Verify(imported->digest));
  EXPECT_TRUE(ImportText(*store, "abc")) << "importing it again is no error";
  // Nothing but the object is left.
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory_)) {
    files += entry.is_regular_file() ? 1U : 0U;
  }
  EXPECT_EQ(files, 1U);
}

TEST_F(StoreTest, MissingAndDamagedObjectsAreTold) {
  const auto store = Store::Open(directory_);
  ASSERT_TRUE(store);
  const Digest digest = *ParseDigest(kAbc);
  EXPECT_EQ(store->OpenObject(digest).error().code, ErrorCode::kNotFound);
  ASSERT_TRUE(ImportText(*store, "abc"));
  const std::string path = directory_ + "/sha256/ba/" + std::string(kAbc);
  std::filesystem::resize_file(path, 2);
  EXPECT_EQ(store->Verify(digest).error().code, ErrorCode::kCorrupt);
}

TEST_F(StoreTest, SymbolicLinksAreNotFollowed) {
  const auto store = Store::Open(directory_);
  ASSERT_TRUE(store);
  std::filesystem::create_directories(directory_ + "/sha256/ba");
  std::filesystem::create_symlink("/etc/passwd", directory_ + "/sha256/ba/" + std::string(kAbc));
  EXPECT_EQ(store->OpenObject(*ParseDigest(kAbc)).error().code, ErrorCode::kDenied);
}

TEST_F(StoreTest, FoldersAreNoObjects) {
  const auto store = Store::Open(directory_);
  ASSERT_TRUE(store);
  std::filesystem::create_directories(directory_ + "/sha256/ba/" + std::string(kAbc));
  EXPECT_EQ(store->OpenObject(*ParseDigest(kAbc)).error().code, ErrorCode::kDenied);
}

TEST_F(StoreTest, TableServesWhatIsThereAndNamesWhatIsNot) {
  const auto store = Store::Open(directory_);
  ASSERT_TRUE(store);
  const Digest digest = *ParseDigest(kAbc);
  const auto before = ObjectTable::Build(*SnapshotWith("f", digest, 3), *store, {});
  ASSERT_TRUE(before);
  EXPECT_EQ((*before)->Find("loaders/f"), nullptr);
  ASSERT_EQ((*before)->missing().size(), 1U);
  EXPECT_EQ((*before)->missing()[0], (MissingObject{.name = "loaders/f", .damaged = false}));
  ASSERT_TRUE(ImportText(*store, "abc"));
  const auto after = ObjectTable::Build(*SnapshotWith("f", digest, 3), *store, *before);
  ASSERT_TRUE(after);
  const Object* const object = (*after)->Find("loaders/f");
  ASSERT_NE(object, nullptr);
  EXPECT_EQ(AsText(object->mapping), "abc");
  EXPECT_TRUE((*after)->missing().empty());
  EXPECT_EQ((*after)->generation().number, 7U);
  EXPECT_EQ((*after)->Find("loaders/g"), nullptr);
}

TEST_F(StoreTest, NextTableSharesOpenObjects) {
  const auto store = Store::Open(directory_);
  ASSERT_TRUE(store);
  ASSERT_TRUE(ImportText(*store, "abc"));
  const Digest digest = *ParseDigest(kAbc);
  auto first = ObjectTable::Build(*SnapshotWith("f", digest, 3), *store, {});
  ASSERT_TRUE(first);
  const auto second = ObjectTable::Build(*SnapshotWith("renamed", digest, 3), *store, *first);
  ASSERT_TRUE(second);
  EXPECT_EQ((*first)->Find("loaders/f"), (*second)->Find("loaders/renamed"));
  *first = {};
  EXPECT_EQ(AsText((*second)->Find("loaders/renamed")->mapping), "abc");
}

TEST_F(StoreTest, ObjectOfAnotherSizeCountsAsMissing) {
  const auto store = Store::Open(directory_);
  ASSERT_TRUE(store);
  ASSERT_TRUE(ImportText(*store, "abc"));
  const auto table = ObjectTable::Build(*SnapshotWith("f", *ParseDigest(kAbc), 4), *store, {});
  ASSERT_TRUE(table);
  EXPECT_EQ((*table)->Find("loaders/f"), nullptr);
  ASSERT_EQ((*table)->missing().size(), 1U);
  EXPECT_TRUE((*table)->missing()[0].damaged);
}

}  // namespace
}  // namespace slipway::images
