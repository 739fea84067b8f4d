// The open objects of a snapshot's images: built off-shard, immutable, handed to shards, so that no
// shard ever opens a file. A new table shares what the one before had open.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "dataplane/base/result.h"
#include "dataplane/config/snapshot.h"

namespace slipway::images {

class ImageStore;

// Files up to this size are mapped and read once when they are opened, so that TFTP can send from
// memory; larger ones are sent by descriptor.
inline constexpr std::uint64_t kMappedBytesMax = std::uint64_t{16} << 20;

// Stays open as long as a table that holds it.
struct Object {
  config::Sha256 sha256{};
  int fd = -1;
  std::uint64_t bytes = 0;
  const std::byte* mapping = nullptr;  // all of it, or nullptr
};

class ObjectTable;

// Counts references atomically; the last one closes what no other table shares.
class ObjectTableRef {
 public:
  ObjectTableRef() = default;
  ObjectTableRef(const ObjectTableRef& other) noexcept;
  ObjectTableRef(ObjectTableRef&& other) noexcept;
  ObjectTableRef& operator=(ObjectTableRef other) noexcept;
  ~ObjectTableRef();

  [[nodiscard]] explicit operator bool() const noexcept { return table_ != nullptr; }

  [[nodiscard]] const ObjectTable& operator*() const noexcept { return *table_; }

  [[nodiscard]] const ObjectTable* operator->() const noexcept { return table_; }

 private:
  friend class ObjectTable;
  explicit ObjectTableRef(const ObjectTable* table) noexcept;
  const ObjectTable* table_ = nullptr;
};

class ObjectTable {
 public:
  ObjectTable(const ObjectTable&) = delete;
  ObjectTable& operator=(const ObjectTable&) = delete;

  // Opens every file of the snapshot's images that is in the store with the size that the snapshot
  // says; shares what `before` has open. `missing` gets the names ("<image>/<file>") of those that
  // are not there or have another size. Never fails as a whole. Not for shards.
  [[nodiscard]] static ObjectTableRef Build(const config::Snapshot& snapshot, ImageStore& store,
                                            const ObjectTableRef& before,
                                            std::vector<std::string>& missing);

  // nullptr: not here. Lives as long as the table. No allocation.
  [[nodiscard]] const Object* Find(const config::Sha256& sha256) const noexcept;

  [[nodiscard]] std::size_t size() const noexcept;

 private:
  friend class ObjectTableRef;
  struct Data;
  ObjectTable();
  ~ObjectTable();
  std::unique_ptr<Data> data_;
};

}  // namespace slipway::images
