// The files of one snapshot, opened: what shards serve. Built off-shard per generation and handed
// over like the snapshot itself; a shard never opens, maps or closes a file.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/base/cursor.h"
#include "dataplane/base/result.h"
#include "dataplane/config/snapshot.h"
#include "dataplane/images/store.h"

namespace slipway::images {

// Objects up to this size are mapped, so that TFTP can gather blocks from memory; above only HTTP
// serves them, by descriptor.
inline constexpr std::uint64_t kMappedBytesMax = std::uint64_t{64} << 20;
inline constexpr std::size_t kObjectsMax = limits::kImagesMax * config::kFilesPerImageMax;

// One open object; shared by all tables whose snapshots name it.
struct Object {
  Digest digest{};
  std::uint64_t bytes = 0;
  int fd = -1;
  ByteSpan mapping;  // empty: too large, or empty itself
};

class ObjectTable;

// Counts references atomically; the last one closes what no other table uses. Free on the builder's
// thread: shards hand old references back.
class ObjectTableRef {
 public:
  ObjectTableRef() = default;
  explicit ObjectTableRef(const ObjectTable* table) noexcept;  // takes over one reference
  ObjectTableRef(const ObjectTableRef& other) noexcept;
  ObjectTableRef(ObjectTableRef&& other) noexcept;
  ObjectTableRef& operator=(ObjectTableRef other) noexcept;
  ~ObjectTableRef();

  [[nodiscard]] explicit operator bool() const noexcept { return table_ != nullptr; }

  [[nodiscard]] const ObjectTable& operator*() const noexcept { return *table_; }

  [[nodiscard]] const ObjectTable* operator->() const noexcept { return table_; }

  [[nodiscard]] const ObjectTable* get() const noexcept { return table_; }

 private:
  const ObjectTable* table_ = nullptr;
};

struct MissingObject {
  std::string name;      // "<image>/<file>"
  bool damaged = false;  // it is there, and has another size

  friend bool operator==(const MissingObject&, const MissingObject&) = default;
};

class ObjectTable {
 public:
  // Opens every file that the snapshot names. Objects that `previous` has are shared, not opened
  // again. What is not there, or has another size than the snapshot says, is in missing(); that is
  // no error. kFull above kObjectsMax; kSystem if descriptors run out.
  [[nodiscard]] static Result<ObjectTableRef> Build(const config::Snapshot& snapshot,
                                                    const Store& store,
                                                    const ObjectTableRef& previous);
  ObjectTable(const ObjectTable&) = delete;
  ObjectTable& operator=(const ObjectTable&) = delete;

  // By "<image>/<file>"; nullptr if there is no such file or it is missing. Does not allocate. Any
  // thread that holds a reference.
  [[nodiscard]] const Object* Find(std::string_view name) const noexcept;

  // What the snapshot has and the store has not, by name.
  [[nodiscard]] const std::vector<MissingObject>& missing() const noexcept { return missing_; }

  [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }

  [[nodiscard]] config::Generation generation() const noexcept { return generation_; }

 private:
  friend class ObjectTableRef;

  struct Entry {
    std::string name;
    std::shared_ptr<const Object> object;
  };

  ObjectTable() = default;
  ~ObjectTable() = default;

  mutable std::atomic<std::uint32_t> refs_{1};
  config::Generation generation_;
  std::vector<Entry> entries_;  // by name
  std::vector<MissingObject> missing_;
};

}  // namespace slipway::images
