#include "dataplane/images/object_table.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <utility>

namespace slipway::images {
namespace {

void CloseObject(const Object* object) noexcept {
  if (!object->mapping.empty()) {
    // munmap takes what mmap gave.
    (void)munmap(const_cast<std::byte*>(object->mapping.data()), object->mapping.size());
  }
  if (object->fd >= 0) {
    (void)close(object->fd);
  }
  delete object;
}

// Takes over the descriptor.
[[nodiscard]] Result<std::shared_ptr<const Object>> MakeObject(const Digest& digest,
                                                               const OwnedObject& opened) {
  const int fd = dup(opened.fd());
  if (fd < 0) {
    return FailErrno(errno);
  }
  auto* const object =
      new Object{.digest = digest, .bytes = opened.bytes(), .fd = fd, .mapping = {}};
  std::shared_ptr<const Object> owned(object, CloseObject);
  if (object->bytes > 0 && object->bytes <= kMappedBytesMax) {
    void* const mapping = mmap(nullptr, object->bytes, PROT_READ, MAP_SHARED, fd, 0);
    if (mapping == MAP_FAILED) {
      return FailErrno(errno);
    }
    object->mapping = ByteSpan(static_cast<const std::byte*>(mapping), object->bytes);
  }
  return owned;
}

}  // namespace

ObjectTableRef::ObjectTableRef(const ObjectTable* table) noexcept : table_(table) {}

ObjectTableRef::ObjectTableRef(const ObjectTableRef& other) noexcept : table_(other.table_) {
  if (table_ != nullptr) {
    table_->refs_.fetch_add(1, std::memory_order_relaxed);
  }
}

ObjectTableRef::ObjectTableRef(ObjectTableRef&& other) noexcept
    : table_(std::exchange(other.table_, nullptr)) {}

ObjectTableRef& ObjectTableRef::operator=(ObjectTableRef other) noexcept {
  std::swap(table_, other.table_);
  return *this;
}

ObjectTableRef::~ObjectTableRef() {
  if (table_ != nullptr && table_->refs_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    delete table_;
  }
}

Result<ObjectTableRef> ObjectTable::Build(const config::Snapshot& snapshot, const Store& store,
                                          const ObjectTableRef& previous) {
  auto* const table = new ObjectTable;
  ObjectTableRef built(table);
  table->generation_ = snapshot.generation();
  std::map<Digest, std::shared_ptr<const Object>> known;
  if (previous) {
    for (const Entry& entry : previous->entries_) {
      known[entry.object->digest] = entry.object;
    }
  }
  for (const config::ImageRecord& image : snapshot.images()) {
    for (const config::ImageFile& file : image.files) {
      std::string name(image.name.view());
      name.append("/").append(file.name.view());
      if (table->entries_.size() + table->missing_.size() >= kObjectsMax) {
        return Fail(ErrorCode::kFull, static_cast<std::uint32_t>(kObjectsMax));
      }
      bool damaged = false;
      std::shared_ptr<const Object>& object = known[file.sha256];
      if (object == nullptr) {
        const auto opened = store.OpenObject(file.sha256);
        damaged = opened && opened->bytes() != file.bytes;
        if (!opened && opened.error().code == ErrorCode::kSystem) {
          return std::unexpected(opened.error());
        }
        if (opened && !damaged) {
          object = SLIP_TRY(MakeObject(file.sha256, *opened));
        }
      }
      if (object == nullptr || object->bytes != file.bytes) {
        table->missing_.push_back({std::move(name), damaged || object != nullptr});
      } else {
        table->entries_.push_back({std::move(name), object});
      }
    }
  }
  const auto by_name = [](const Entry& a, const Entry& b) { return a.name < b.name; };
  std::sort(table->entries_.begin(), table->entries_.end(), by_name);
  std::sort(table->missing_.begin(), table->missing_.end(),
            [](const MissingObject& a, const MissingObject& b) { return a.name < b.name; });
  return built;
}

const Object* ObjectTable::Find(std::string_view name) const noexcept {
  const auto at = std::lower_bound(
      entries_.begin(), entries_.end(), name,
      [](const Entry& entry, std::string_view wanted) { return entry.name < wanted; });
  return at != entries_.end() && at->name == name ? at->object.get() : nullptr;
}

}  // namespace slipway::images
