#include "controlplane/store/lmdb_env.h"

#include <linux/magic.h>
#include <sys/statfs.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "dataplane/base/cursor.h"

namespace slipway::store {

namespace {

constexpr unsigned kDatabasesMax = 16;
constexpr unsigned kReadersMax = 126;
constexpr mdb_mode_t kFileMode = 0600;
constexpr long kCifsMagic = 0xFF53'4D42;
constexpr long kSmb2Magic = 0xFE53'4D42;

std::unexpected<OpenFailure> Refuse(Error error, std::string reason) {
  return std::unexpected(OpenFailure{.error = error, .reason = std::move(reason)});
}

std::string Because(const Error& error) {
  switch (error.code) {
    case ErrorCode::kNoSpace:
      return "the disk is full: free space and start again";
    case ErrorCode::kReadOnly:
      return "it cannot be written: check the mount and the owner (mode 0700)";
    case ErrorCode::kBusy:
      return "another process has it open: stop that one first";
    case ErrorCode::kCorrupt:
      return "its contents are damaged: restore a backup";
    default:
      return std::string(ToString(error.code)) +
             (error.detail != 0 ? std::string(": ") + std::strerror(static_cast<int>(error.detail))
                                : std::string());
  }
}

bool IsRemote(const std::string& directory) {
  struct statfs info {};

  if (statfs(directory.c_str(), &info) != 0) {
    return false;
  }
  const auto type = info.f_type;
  return type == NFS_SUPER_MAGIC || type == SMB_SUPER_MAGIC || type == kCifsMagic ||
         type == kSmb2Magic;
}

}  // namespace

std::unexpected<Error> FailLmdb(int code) noexcept {
  switch (code) {
    case MDB_MAP_FULL:
    case MDB_TXN_FULL:
      return Fail(ErrorCode::kNoSpace, ENOSPC);
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_PANIC:
    case MDB_INVALID:
      return Fail(ErrorCode::kCorrupt);
    case MDB_VERSION_MISMATCH:
      return Fail(ErrorCode::kBadVersion);
    case MDB_READERS_FULL:
      return Fail(ErrorCode::kFull);
    case EACCES:
    case EPERM:
      return Fail(ErrorCode::kReadOnly, static_cast<std::uint32_t>(code));
    default:
      return code > 0 ? FailErrno(code)
                      : Fail(ErrorCode::kSystem, static_cast<std::uint32_t>(-code));
  }
}

void AppendBig64(std::string& out, std::uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>((value >> shift) & 0xFF));
  }
}

void AppendBig32(std::string& out, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>((value >> shift) & 0xFF));
  }
}

std::uint64_t ReadBig64(std::string_view bytes, std::size_t offset) noexcept {
  return LoadBig<std::uint64_t>(AsBytes(bytes).data() + offset);
}

std::uint32_t ReadBig32(std::string_view bytes, std::size_t offset) noexcept {
  return LoadBig<std::uint32_t>(AsBytes(bytes).data() + offset);
}

// ---- transactions ----

Result<LmdbTxn> LmdbTxn::Begin(MDB_env* env, bool write) {
  MDB_txn* txn = nullptr;
  const int code =
      mdb_txn_begin(env, nullptr, write ? 0U : static_cast<unsigned>(MDB_RDONLY), &txn);
  if (code != 0) {
    return FailLmdb(code);
  }
  return LmdbTxn(txn);
}

LmdbTxn::LmdbTxn(LmdbTxn&& other) noexcept : txn_(std::exchange(other.txn_, nullptr)) {}

LmdbTxn::~LmdbTxn() {
  if (txn_ != nullptr) {
    mdb_txn_abort(txn_);
  }
}

Result<std::optional<std::string_view>> LmdbTxn::Get(MDB_dbi dbi, std::string_view key) {
  MDB_val key_val = ToVal(key);
  MDB_val value{};
  const int code = mdb_get(txn_, dbi, &key_val, &value);
  if (code == MDB_NOTFOUND) {
    return std::optional<std::string_view>();
  }
  if (code != 0) {
    return FailLmdb(code);
  }
  return FromVal(value);
}

Result<void> LmdbTxn::Put(MDB_dbi dbi, std::string_view key, std::string_view value,
                          unsigned flags) {
  MDB_val key_val = ToVal(key);
  MDB_val value_val = ToVal(value);
  const int code = mdb_put(txn_, dbi, &key_val, &value_val, flags);
  if (code != 0) {
    return FailLmdb(code);
  }
  return {};
}

Result<bool> LmdbTxn::Delete(MDB_dbi dbi, std::string_view key) {
  MDB_val key_val = ToVal(key);
  const int code = mdb_del(txn_, dbi, &key_val, nullptr);
  if (code == MDB_NOTFOUND) {
    return false;
  }
  if (code != 0) {
    return FailLmdb(code);
  }
  return true;
}

Result<void> LmdbTxn::Commit() {
  const int code = mdb_txn_commit(std::exchange(txn_, nullptr));
  if (code != 0) {
    return FailLmdb(code);
  }
  return {};
}

// ---- cursors ----

Result<LmdbCursor> LmdbCursor::Open(LmdbTxn& txn, MDB_dbi dbi) {
  MDB_cursor* cursor = nullptr;
  const int code = mdb_cursor_open(txn.get(), dbi, &cursor);
  if (code != 0) {
    return FailLmdb(code);
  }
  return LmdbCursor(cursor);
}

LmdbCursor::LmdbCursor(LmdbCursor&& other) noexcept
    : cursor_(std::exchange(other.cursor_, nullptr)) {}

LmdbCursor::~LmdbCursor() {
  if (cursor_ != nullptr) {
    mdb_cursor_close(cursor_);
  }
}

Result<std::optional<LmdbCursor::Item>> LmdbCursor::SeekAtLeast(std::string_view key) {
  MDB_val key_val = ToVal(key);
  MDB_val value{};
  const int code = mdb_cursor_get(cursor_, &key_val, &value, MDB_SET_RANGE);
  if (code == MDB_NOTFOUND) {
    return std::optional<Item>();
  }
  if (code != 0) {
    return FailLmdb(code);
  }
  return Item{.key = FromVal(key_val), .value = FromVal(value)};
}

Result<std::optional<LmdbCursor::Item>> LmdbCursor::Move(MDB_cursor_op op) {
  MDB_val key{};
  MDB_val value{};
  const int code = mdb_cursor_get(cursor_, &key, &value, op);
  if (code == MDB_NOTFOUND) {
    return std::optional<Item>();
  }
  if (code != 0) {
    return FailLmdb(code);
  }
  return Item{.key = FromVal(key), .value = FromVal(value)};
}

Result<void> LmdbCursor::Delete() {
  const int code = mdb_cursor_del(cursor_, 0);
  if (code != 0) {
    return FailLmdb(code);
  }
  return {};
}

// ---- environment ----

std::expected<LmdbEnv, OpenFailure> LmdbEnv::Open(const std::string& directory,
                                                  std::size_t map_bytes, std::string_view schema,
                                                  std::uint32_t version) {
  const std::string where = "store directory " + directory + ": ";
  auto disk = PosixDisk::Create(directory);
  if (!disk) {
    return Refuse(disk.error(), where + Because(disk.error()));
  }
  if (const auto locked = disk->Lock(); !locked) {
    return Refuse(locked.error(), where + Because(locked.error()));
  }
  if (IsRemote(directory)) {
    return Refuse(Error{.code = ErrorCode::kUnsupported},
                  where +
                      "it is on a remote file system, where a memory map is not safe: use a "
                      "local disk");
  }
  MDB_env* raw = nullptr;
  if (const int code = mdb_env_create(&raw); code != 0) {
    return Refuse(FailLmdb(code).error(), where + mdb_strerror(code));
  }
  LmdbEnv env(*std::move(disk), raw);
  int code = mdb_env_set_mapsize(raw, map_bytes);
  code = code != 0 ? code : mdb_env_set_maxdbs(raw, kDatabasesMax);
  code = code != 0 ? code : mdb_env_set_maxreaders(raw, kReadersMax);
  // No MDB_WRITEMAP and no NOSYNC: a commit is on disk when it returns.
  code = code != 0
             ? code
             : mdb_env_open(raw, directory.c_str(), static_cast<unsigned>(MDB_NOTLS), kFileMode);
  int stale_readers = 0;
  code = code != 0 ? code : mdb_reader_check(raw, &stale_readers);
  if (code != 0) {
    const Error error = FailLmdb(code).error();
    return Refuse(error, where + Because(error) + " (" + mdb_strerror(code) + ")");
  }
  if (const auto checked = env.CheckSchema(directory, schema, version); !checked) {
    return std::unexpected(checked.error());
  }
  return env;
}

std::expected<void, OpenFailure> LmdbEnv::CheckSchema(const std::string& directory,
                                                      std::string_view schema,
                                                      std::uint32_t version) {
  const std::string where = "store directory " + directory + ": ";
  const auto check = [&]() -> Result<std::string> {
    LmdbTxn txn = SLIP_TRY(LmdbTxn::Begin(env_, true));
    meta_ = SLIP_TRY(OpenDatabase(txn, "meta"));
    const auto found = SLIP_TRY(txn.Get(meta_, "schema"));
    if (found) {
      return std::string(*found);
    }
    std::string value(schema);
    value.push_back(' ');
    value += std::to_string(version);
    SLIP_TRY(txn.Put(meta_, "schema", value));
    SLIP_TRY(txn.Commit());
    return value;
  };
  const Result<std::string> found = check();
  if (!found) {
    return Refuse(found.error(), where + Because(found.error()));
  }
  const std::string wanted = std::string(schema) + " " + std::to_string(version);
  if (*found == wanted) {
    // The handle must be opened by a transaction that commits.
    auto txn = LmdbTxn::Begin(env_, true);
    if (!txn || !OpenDatabase(*txn, "meta") || !txn->Commit()) {
      return Refuse(Error{.code = ErrorCode::kSystem}, where + "cannot be written");
    }
    return {};
  }
  return Refuse(Error{.code = ErrorCode::kBadVersion},
                where + "it holds \"" + *found + "\" and this version reads \"" + wanted +
                    "\": use the version that wrote it, or another directory");
}

LmdbEnv::LmdbEnv(LmdbEnv&& other) noexcept
    : lock_(std::move(other.lock_)), env_(std::exchange(other.env_, nullptr)), meta_(other.meta_) {}

LmdbEnv::~LmdbEnv() {
  if (env_ != nullptr) {
    mdb_env_close(env_);
  }
}

Result<MDB_dbi> LmdbEnv::OpenDatabase(LmdbTxn& txn, const char* name) {
  MDB_dbi dbi = 0;
  const int code = mdb_dbi_open(txn.get(), name, static_cast<unsigned>(MDB_CREATE), &dbi);
  if (code != 0) {
    return FailLmdb(code);
  }
  return dbi;
}

}  // namespace slipway::store
