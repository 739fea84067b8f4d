// A disk in memory that misbehaves as real ones do: what is not synced may be lost in part and in
// any order, torn at sectors; writes and syncs fail on demand. The simulator's disk, too.
//
// Model: a file is what readers see (the page cache) and what is on the medium. A write goes to the
// cache and is remembered per sector of 512 bytes; Sync brings it to the medium; Crash brings any
// subset of what is not synced there, then forgets the rest. A Sync that fails marks everything
// clean although only a random part reached the medium (as Linux does): the next Sync succeeds
// and proves nothing. Names made by Open are durable once the directory was synced, which Rename
// and Remove do; before, a crash may lose them.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/base/random.h"
#include "dataplane/base/seams.h"

namespace slipway::test {

class MemoryDisk final : public Disk {
 public:
  static constexpr std::size_t kSectorBytes = 512;

  explicit MemoryDisk(std::uint64_t seed) : random_(seed) {}

  // ---- faults ----

  // Of the next operations that change something; 0 in 2^32 is never.
  void FailWrites(std::uint32_t per_million) { write_fail_per_million_ = per_million; }

  void FailSyncs(std::uint32_t per_million) { sync_fail_per_million_ = per_million; }

  void SetReadOnly(bool on) { read_only_ = on; }

  // Bytes that all files together may take; a write that makes a file longer fails beyond.
  void SetCapacity(std::uint64_t bytes) { capacity_ = bytes; }

  // Power is cut: only the medium survives. All open files are gone.
  void Crash() {
    ++crashes_;
    std::map<std::string, std::shared_ptr<Inode>> survivors = durable_names_;
    for (const auto& [name, inode] : names_) {
      if (!survivors.contains(name) && random_.Below(2) == 0) {
        survivors[name] = inode;  // the journal of the file system got that far
      }
    }
    for (const auto& [name, inode] : survivors) {
      Settle(*inode);
      inode->cache = inode->medium;
    }
    names_ = survivors;
    durable_names_ = survivors;
    files_.clear();
  }

  // Flips a bit of the medium and of the cache.
  bool Damage(std::string_view name, std::uint64_t offset, unsigned bit = 0) {
    const auto at = names_.find(std::string(name));
    if (at == names_.end() || offset >= at->second->cache.size()) {
      return false;
    }
    for (std::vector<std::byte>* bytes : {&at->second->cache, &at->second->medium}) {
      if (offset < bytes->size()) {
        (*bytes)[offset] ^= static_cast<std::byte>(1U << bit);
      }
    }
    return true;
  }

  // The contents of a file as a reader sees it; empty if there is none.
  [[nodiscard]] std::vector<std::byte> Contents(std::string_view name) const {
    const auto at = names_.find(std::string(name));
    return at == names_.end() ? std::vector<std::byte>{} : at->second->cache;
  }

  // Puts a file there, durable.
  void SetContents(std::string_view name, ByteSpan bytes) {
    auto inode = std::make_shared<Inode>();
    inode->cache.assign(bytes.begin(), bytes.end());
    inode->medium = inode->cache;
    names_[std::string(name)] = inode;
    durable_names_[std::string(name)] = inode;
  }

  [[nodiscard]] bool Exists(std::string_view name) const {
    return names_.contains(std::string(name));
  }

  [[nodiscard]] std::uint64_t syncs() const { return syncs_; }

  [[nodiscard]] std::size_t open_files() const { return files_.size(); }

  // ---- Disk ----

  [[nodiscard]] Result<FileId> Open(std::string_view name, OpenMode mode) override {
    const auto at = names_.find(std::string(name));
    if (mode != OpenMode::kRead && read_only_) {
      return Fail(ErrorCode::kReadOnly, EROFS);
    }
    std::shared_ptr<Inode> inode;
    if (mode == OpenMode::kCreate) {
      SLIP_TRY(WriteFault());
      inode = at != names_.end() ? at->second : std::make_shared<Inode>();
      Resize(*inode, 0);
      names_[std::string(name)] = inode;
    } else if (at == names_.end()) {
      return Fail(ErrorCode::kNotFound);
    } else {
      inode = at->second;
    }
    files_[++last_file_] = inode;
    return last_file_;
  }

  void Close(FileId file) noexcept override { files_.erase(file); }

  [[nodiscard]] Result<std::uint64_t> SizeOf(FileId file) override {
    return (*SLIP_TRY(Find(file))).cache.size();
  }

  [[nodiscard]] Result<std::size_t> ReadAt(FileId file, std::uint64_t offset,
                                           MutableByteSpan out) override {
    const Inode& inode = *SLIP_TRY(Find(file));
    if (offset >= inode.cache.size()) {
      return std::size_t{0};
    }
    const std::size_t size = std::min<std::size_t>(out.size(), inode.cache.size() - offset);
    std::copy_n(inode.cache.begin() + static_cast<std::ptrdiff_t>(offset), size, out.begin());
    return size;
  }

  [[nodiscard]] Result<void> WriteAt(FileId file, std::uint64_t offset, ByteSpan data) override {
    Inode& inode = *SLIP_TRY(Find(file));
    if (read_only_) {
      return Fail(ErrorCode::kReadOnly, EROFS);
    }
    const std::uint64_t end = std::max<std::uint64_t>(inode.cache.size(), offset + data.size());
    if (Used() + (end - inode.cache.size()) > capacity_) {
      return Fail(ErrorCode::kNoSpace, ENOSPC);
    }
    const Result<void> fault = WriteFault();
    if (!fault) {
      data = data.first(random_.Below(data.size() + 1));  // a part may be there
    }
    if (!data.empty()) {
      inode.cache.resize(std::max<std::uint64_t>(inode.cache.size(), offset + data.size()));
      std::copy(data.begin(), data.end(),
                inode.cache.begin() + static_cast<std::ptrdiff_t>(offset));
      const std::uint64_t last = (offset + data.size() - 1) / kSectorBytes;
      for (std::uint64_t sector = offset / kSectorBytes; sector <= last; ++sector) {
        inode.dirty.insert(sector);
      }
    }
    return fault;
  }

  [[nodiscard]] Result<void> Preallocate(FileId file, std::uint64_t bytes) override {
    return WriteAt(file, 0, std::vector<std::byte>(bytes));
  }

  [[nodiscard]] Result<void> Truncate(FileId file, std::uint64_t bytes) override {
    Inode& inode = *SLIP_TRY(Find(file));
    SLIP_TRY(WriteFault());
    Resize(inode, bytes);
    return {};
  }

  [[nodiscard]] Result<void> Sync(FileId file) override {
    Inode& inode = *SLIP_TRY(Find(file));
    if (read_only_) {
      return Fail(ErrorCode::kReadOnly, EROFS);
    }
    if (random_.Below(1'000'000) < sync_fail_per_million_) {
      Settle(inode);
      return Fail(ErrorCode::kSystem, EIO);
    }
    ++syncs_;
    inode.medium.resize(inode.cache.size());
    for (const std::uint64_t sector : inode.dirty) {
      CopySector(inode, sector);
    }
    inode.dirty.clear();
    return {};
  }

  [[nodiscard]] Result<void> Rename(std::string_view from, std::string_view to) override {
    SLIP_TRY(WriteFault());
    const auto at = names_.find(std::string(from));
    if (at == names_.end()) {
      return Fail(ErrorCode::kNotFound);
    }
    names_[std::string(to)] = at->second;
    names_.erase(std::string(from));
    durable_names_ = names_;
    return {};
  }

  [[nodiscard]] Result<void> Remove(std::string_view name) override {
    if (!names_.contains(std::string(name))) {
      return Fail(ErrorCode::kNotFound);
    }
    SLIP_TRY(WriteFault());
    names_.erase(std::string(name));
    durable_names_ = names_;
    return {};
  }

  [[nodiscard]] Result<void> List(Visitor& visitor) override {
    for (const auto& [name, inode] : names_) {
      visitor.OnFile(name, inode->cache.size());
    }
    return {};
  }

 private:
  struct Inode {
    std::vector<std::byte> cache;
    std::vector<std::byte> medium;
    std::set<std::uint64_t> dirty;  // sectors that differ, perhaps
  };

  [[nodiscard]] Result<Inode*> Find(FileId file) {
    const auto at = files_.find(file);
    if (at == files_.end()) {
      return Fail(ErrorCode::kSystem, EBADF);
    }
    return at->second.get();
  }

  [[nodiscard]] Result<void> WriteFault() {
    if (read_only_) {
      return Fail(ErrorCode::kReadOnly, EROFS);
    }
    if (random_.Below(1'000'000) < write_fail_per_million_) {
      return Fail(ErrorCode::kSystem, EIO);
    }
    return {};
  }

  [[nodiscard]] std::uint64_t Used() const {
    std::uint64_t used = 0;
    for (const auto& [name, inode] : names_) {
      used += inode->cache.size();
    }
    return used;
  }

  // A random part of what is dirty reaches the medium; the rest is never written.
  void Settle(Inode& inode) {
    if (inode.cache.size() != inode.medium.size() && random_.Below(2) == 0) {
      inode.medium.resize(inode.cache.size());
    }
    for (const std::uint64_t sector : inode.dirty) {
      if (random_.Below(2) == 0) {
        CopySector(inode, sector);
      }
    }
    inode.dirty.clear();
  }

  static void CopySector(Inode& inode, std::uint64_t sector) {
    const std::uint64_t from = sector * kSectorBytes;
    const std::uint64_t size = std::min<std::uint64_t>(inode.cache.size(), inode.medium.size());
    if (from < size) {
      std::copy_n(inode.cache.begin() + static_cast<std::ptrdiff_t>(from),
                  std::min<std::uint64_t>(kSectorBytes, size - from),
                  inode.medium.begin() + static_cast<std::ptrdiff_t>(from));
    }
  }

  static void Resize(Inode& inode, std::uint64_t bytes) {
    inode.cache.resize(bytes);
    if (bytes < inode.medium.size()) {
      inode.medium.resize(bytes);
    }
  }

  SeededRandom random_;
  std::map<std::string, std::shared_ptr<Inode>> names_;
  std::map<std::string, std::shared_ptr<Inode>> durable_names_;
  std::map<FileId, std::shared_ptr<Inode>> files_;
  FileId last_file_ = 2;
  std::uint32_t write_fail_per_million_ = 0;
  std::uint32_t sync_fail_per_million_ = 0;
  bool read_only_ = false;
  std::uint64_t capacity_ = UINT64_MAX;
  std::uint64_t syncs_ = 0;
  std::uint64_t crashes_ = 0;
};

}  // namespace slipway::test
