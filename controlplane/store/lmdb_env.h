// LMDB behind RAII and Result: environment, transactions, keys. Rules kept here: one open per
// process (directory lock), no remote file system, MDB_NOTLS, stale readers cleared at open,
// MAP_FULL and ENOSPC told apart from corruption.
#pragma once

#include <lmdb.h>

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "controlplane/store/lmdb_store.h"
#include "dataplane/base/posix_disk.h"
#include "dataplane/base/result.h"

namespace slipway::store {

// Maps an LMDB return code: MAP_FULL and ENOSPC -> kNoSpace, EROFS/EACCES -> kReadOnly, damaged
// files -> kCorrupt, anything else -> kSystem with the code.
[[nodiscard]] std::unexpected<Error> FailLmdb(int code) noexcept;

[[nodiscard]] inline MDB_val ToVal(std::string_view bytes) noexcept {
  // LMDB does not write through the pointers of keys and values that it is given.
  return {bytes.size(), const_cast<char*>(bytes.data())};
}

[[nodiscard]] inline std::string_view FromVal(const MDB_val& value) noexcept {
  return {static_cast<const char*>(value.mv_data), value.mv_size};
}

// Appends integers to keys (big-endian, so that key order is number order) and values.
void AppendBig64(std::string& out, std::uint64_t value);
void AppendBig32(std::string& out, std::uint32_t value);
// REQUIRES: bytes.size() >= offset + 8 (4).
[[nodiscard]] std::uint64_t ReadBig64(std::string_view bytes, std::size_t offset = 0) noexcept;
[[nodiscard]] std::uint32_t ReadBig32(std::string_view bytes, std::size_t offset = 0) noexcept;

// One transaction; aborted unless Commit was called. Values read are valid until its end or, in a
// write transaction, the next write.
class LmdbTxn {
 public:
  [[nodiscard]] static Result<LmdbTxn> Begin(MDB_env* env, bool write);
  LmdbTxn(LmdbTxn&& other) noexcept;
  LmdbTxn& operator=(LmdbTxn&&) = delete;
  ~LmdbTxn();

  [[nodiscard]] MDB_txn* get() const noexcept { return txn_; }

  // Not found: an empty optional.
  [[nodiscard]] Result<std::optional<std::string_view>> Get(MDB_dbi dbi, std::string_view key);
  [[nodiscard]] Result<void> Put(MDB_dbi dbi, std::string_view key, std::string_view value,
                                 unsigned flags = 0);
  // True if it was there.
  [[nodiscard]] Result<bool> Delete(MDB_dbi dbi, std::string_view key);
  [[nodiscard]] Result<void> Commit();

 private:
  explicit LmdbTxn(MDB_txn* txn) noexcept : txn_(txn) {}

  MDB_txn* txn_ = nullptr;
};

// Must end before its transaction.
class LmdbCursor {
 public:
  struct Item {
    std::string_view key;
    std::string_view value;
  };

  [[nodiscard]] static Result<LmdbCursor> Open(LmdbTxn& txn, MDB_dbi dbi);
  LmdbCursor(LmdbCursor&& other) noexcept;
  LmdbCursor& operator=(LmdbCursor&&) = delete;
  ~LmdbCursor();

  [[nodiscard]] Result<std::optional<Item>> SeekAtLeast(std::string_view key);

  [[nodiscard]] Result<std::optional<Item>> First() { return Move(MDB_FIRST); }

  [[nodiscard]] Result<std::optional<Item>> Last() { return Move(MDB_LAST); }

  [[nodiscard]] Result<std::optional<Item>> Next() { return Move(MDB_NEXT); }

  [[nodiscard]] Result<std::optional<Item>> Previous() { return Move(MDB_PREV); }

  // Deletes the item it stands on; Next then gives the one after.
  [[nodiscard]] Result<void> Delete();

 private:
  explicit LmdbCursor(MDB_cursor* cursor) noexcept : cursor_(cursor) {}

  [[nodiscard]] Result<std::optional<Item>> Move(MDB_cursor_op op);

  MDB_cursor* cursor_ = nullptr;
};

// One open environment with its directory lock.
class LmdbEnv {
 public:
  // `schema` names the contents and `version` its format: checked, or written when new. Databases
  // are opened by name and must be at most 16.
  [[nodiscard]] static std::expected<LmdbEnv, OpenFailure> Open(const std::string& directory,
                                                                std::size_t map_bytes,
                                                                std::string_view schema,
                                                                std::uint32_t version);
  LmdbEnv(LmdbEnv&& other) noexcept;
  LmdbEnv& operator=(LmdbEnv&&) = delete;
  ~LmdbEnv();

  [[nodiscard]] MDB_env* get() const noexcept { return env_; }

  // Creates the database if it is missing.
  [[nodiscard]] Result<MDB_dbi> OpenDatabase(LmdbTxn& txn, const char* name);

  [[nodiscard]] MDB_dbi meta() const noexcept { return meta_; }

 private:
  LmdbEnv(PosixDisk lock, MDB_env* env) noexcept : lock_(std::move(lock)), env_(env) {}

  [[nodiscard]] std::expected<void, OpenFailure> CheckSchema(const std::string& directory,
                                                             std::string_view schema,
                                                             std::uint32_t version);

  PosixDisk lock_;
  MDB_env* env_ = nullptr;
  MDB_dbi meta_ = 0;
};

}  // namespace slipway::store
