#include "dataplane/images/object_table.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <unordered_map>
#include <utility>

#include "dataplane/images/store.h"

namespace slipway::images {
namespace {

// A digest is uniform already: its first bytes are the hash.
struct DigestHash {
  [[nodiscard]] std::size_t operator()(const config::Sha256& sha256) const noexcept {
    std::size_t value = 0;
    std::memcpy(&value, sha256.data(), sizeof(value));
    return value;
  }
};

// Closes and unmaps when the last table lets go.
class OpenObject {
 public:
  OpenObject(const config::Sha256& sha256, int fd, std::uint64_t bytes)
      : object_{.sha256 = sha256, .fd = fd, .bytes = bytes} {
    if (bytes == 0 || bytes > kMappedBytesMax) {
      // Large files are read ahead by the kernel as they are sent.
      (void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
      return;
    }
    void* const mapped = mmap(nullptr, bytes, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
    if (mapped != MAP_FAILED) {
      object_.mapping = static_cast<const std::byte*>(mapped);
    }
  }

  OpenObject(const OpenObject&) = delete;
  OpenObject& operator=(const OpenObject&) = delete;

  ~OpenObject() {
    if (object_.mapping != nullptr) {
      (void)munmap(const_cast<std::byte*>(object_.mapping), object_.bytes);
    }
    (void)close(object_.fd);
  }

  [[nodiscard]] const Object& object() const noexcept { return object_; }

 private:
  Object object_;
};

}  // namespace

struct ObjectTable::Data {
  std::unordered_map<config::Sha256, std::shared_ptr<OpenObject>, DigestHash> objects;
  mutable std::atomic<std::uint32_t> references{0};
};

ObjectTable::ObjectTable() : data_(std::make_unique<Data>()) {}

ObjectTable::~ObjectTable() = default;

ObjectTableRef ObjectTable::Build(const config::Snapshot& snapshot, ImageStore& store,
                                  const ObjectTableRef& before, std::vector<std::string>& missing) {
  missing.clear();
  ObjectTableRef result(new ObjectTable());
  auto& objects = result.table_->data_->objects;
  for (const config::ImageRecord& image : snapshot.images()) {
    for (const config::ImageFile& file : image.files) {
      if (objects.contains(file.sha256)) {
        continue;
      }
      if (before && before->data_->objects.contains(file.sha256)) {
        objects.emplace(file.sha256, before->data_->objects.at(file.sha256));
        continue;
      }
      if (const Result<int> fd = store.Open(file.sha256, file.bytes)) {
        objects.emplace(file.sha256, std::make_shared<OpenObject>(file.sha256, *fd, file.bytes));
      } else {
        missing.push_back(std::string(image.name.view()) + "/" + std::string(file.name.view()));
      }
    }
  }
  return result;
}

const Object* ObjectTable::Find(const config::Sha256& sha256) const noexcept {
  const auto found = data_->objects.find(sha256);
  return found != data_->objects.end() ? &found->second->object() : nullptr;
}

std::size_t ObjectTable::size() const noexcept { return data_->objects.size(); }

ObjectTableRef::ObjectTableRef(const ObjectTable* table) noexcept : table_(table) {
  table_->data_->references.fetch_add(1, std::memory_order_relaxed);
}

ObjectTableRef::ObjectTableRef(const ObjectTableRef& other) noexcept : table_(other.table_) {
  if (table_ != nullptr) {
    table_->data_->references.fetch_add(1, std::memory_order_relaxed);
  }
}

ObjectTableRef::ObjectTableRef(ObjectTableRef&& other) noexcept
    : table_(std::exchange(other.table_, nullptr)) {}

ObjectTableRef& ObjectTableRef::operator=(ObjectTableRef other) noexcept {
  std::swap(table_, other.table_);
  return *this;
}

ObjectTableRef::~ObjectTableRef() {
  if (table_ != nullptr && table_->data_->references.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    delete table_;
  }
}

}  // namespace slipway::images
