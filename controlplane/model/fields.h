// The field tables: one per kind, read by the REST surface, the store's codec, the command line and
// the documentation. A new field is one row in fields.cc and one member in entities.h.
#pragma once

#include <boost/json/fwd.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/model/entities.h"

namespace slipway::model {

// What is wrong with one field of a request, for people. `cure` says what to do.
struct Problem {
  std::string field;
  std::string problem;
  std::string cure;
  bool taken = false;  // nothing is wrong with the value itself: another entity is in the way
};

using Problems = std::vector<Problem>;

enum class FieldType : std::uint8_t {
  kText,  // any text up to max_length, no control characters
  kName,  // LDH label: letters, digits, hyphens, 1..63, lower case
  kBool,
  kUnsigned,  // minimum..maximum
  kEnum,      // one of `values`
  kRef,       // id text of kind `target`; its name is accepted on input
  kMac,
  kIp,      // null: none
  kPrefix,  // CIDR
  kIpList,
  kUnsignedList,
  kUuid,  // null: none
  kSha256,
  kRecord,      // an object of `record`; null: none
  kRecordList,  // an array of such objects
};

enum class FieldMode : std::uint8_t {
  kOptional,   // may be given at create and patched
  kRequired,   // must be given at create, may be patched
  kImmutable,  // may be given at create, never patched
  kFixed,      // must be given at create, never patched
  kReadOnly,   // shown only
};

struct Field;

// Gets and sets one member of a struct as JSON. `object` points to the struct the table is for.
struct FieldAccess {
  void (*get)(const Field& field, const void* object, boost::json::value& out) = nullptr;
  // False if the value does not fit; `problem` says why.
  bool (*set)(const Field& field, void* object, const boost::json::value& value,
              Problem& problem) = nullptr;
  // True if the member has its default: such fields are not stored.
  bool (*is_default)(const Field& field, const void* object) = nullptr;
};

struct Field {
  std::string_view name;
  FieldType type = FieldType::kText;
  FieldMode mode = FieldMode::kOptional;
  std::string_view doc;
  FieldAccess access;
  std::uint64_t minimum = 0;
  std::uint64_t maximum = 0;    // of the number, the text's bytes or the list's items
  Kind target = Kind::kFabric;  // kRef
  std::span<const std::string_view> values = {};  // kEnum: by number
  std::span<const Field> record = {};             // kRecord, kRecordList

  [[nodiscard]] bool required() const noexcept {
    return mode == FieldMode::kRequired || mode == FieldMode::kFixed;
  }

  [[nodiscard]] bool immutable() const noexcept {
    return mode == FieldMode::kImmutable || mode == FieldMode::kFixed;
  }

  [[nodiscard]] bool read_only() const noexcept { return mode == FieldMode::kReadOnly; }
};

// In the order in which they are shown. Empty for a kind that is not stored.
[[nodiscard]] std::span<const Field> FieldsOf(Kind kind) noexcept;
[[nodiscard]] const Field* FindField(Kind kind, std::string_view name) noexcept;
// "text", "name", ...: for documentation and OpenAPI.
[[nodiscard]] std::string_view ToString(FieldType type) noexcept;
// The default of a field as JSON (null: none), for documentation and OpenAPI.
[[nodiscard]] boost::json::value DefaultOf(Kind kind, const Field& field);

// Turns names into ids while a request is parsed (ModelIndex implements it). An id that is not set
// means that nothing has that name.
class NameResolver {
 public:
  virtual ~NameResolver() = default;
  [[nodiscard]] virtual EntityId Resolve(Kind kind, std::string_view name) const = 0;
};

enum class ParseMode : std::uint8_t {
  kCreate,    // required fields must be there, read-only ones must not
  kPatch,     // changes `entity` in place; immutable and read-only ones must not change
  kInternal,  // our own mutations: anything goes
};

// Sets the fields of `entity` from a JSON object. Unknown fields are problems (with the nearest
// name), so are values that do not fit. Fields "id", "kind", "created" and "modified" are skipped:
// what was read can be sent back. Rules between entities are not looked at (validate.h).
[[nodiscard]] Problems ParseFields(const boost::json::object& from, ParseMode mode,
                                   const NameResolver* resolver, Entity& entity);

// Every field of the table, as REST shows it, without id and revisions.
[[nodiscard]] boost::json::object RenderFields(const Entity& entity);

// The stored form: a JSON object with "v" (kStoredVersion) and the fields that are not at their
// default.
inline constexpr std::uint64_t kStoredVersion = 1;
[[nodiscard]] std::string EncodeStored(const Entity& entity);
// kMalformed, kBadVersion (a newer version wrote it). Unknown fields are skipped: a minor version
// newer may have written them.
[[nodiscard]] Result<Entity> DecodeStored(Kind kind, std::string_view bytes);

// The nearest of the candidates by edit distance; empty if none is near.
[[nodiscard]] std::string_view Nearest(std::string_view word,
                                       std::span<const std::string_view> candidates);

}  // namespace slipway::model
