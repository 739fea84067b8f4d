// The kinds of the model in ONE table: store keys, REST paths and the command line all read it.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "dataplane/base/result.h"
#include "dataplane/base/seams.h"

namespace slipway::model {

// The order is that of the variant Entity (entities.h). Event is last: events are facts, not
// desired state, so that they have a row here and no place in the state store.
enum class Kind : std::uint8_t {
  kFabric,
  kVlan,
  kSubnet,
  kRange,
  kMachine,
  kInterface,
  kImage,
  kRack,
  kServedInterface,
  kDhcpClass,
  kDhcpOption,
  kRackPair,
  kEvent,
};

inline constexpr std::size_t kKindCount = 13;
inline constexpr std::size_t kStoredKindCount = 12;

struct KindInfo {
  Kind kind = Kind::kFabric;
  std::string_view name;        // "served-interface": messages, command line
  std::string_view plural;      // "served-interfaces": REST path /v1/<plural>
  std::string_view prefix;      // "srv": text form of ids
  std::string_view key_prefix;  // "m/srv/": keys in the state store
  std::string_view name_field;  // the field that FindByName looks at; empty: ids only
  bool stored = true;
};

[[nodiscard]] const KindInfo& InfoOf(Kind kind) noexcept;
[[nodiscard]] const std::array<KindInfo, kKindCount>& AllKinds() noexcept;
// By name or plural. kNotFound.
[[nodiscard]] Result<Kind> KindByName(std::string_view name) noexcept;

inline constexpr std::uint64_t kEntityIdMax = (std::uint64_t{1} << 40) - 1;

// Unique within a kind, random, never 0, never reused (40 random bits and the compare on create).
struct EntityId {
  std::uint64_t value = 0;

  [[nodiscard]] constexpr bool is_set() const noexcept { return value != 0; }

  friend constexpr auto operator<=>(const EntityId&, const EntityId&) = default;
};

struct EntityRef {
  Kind kind = Kind::kFabric;
  EntityId id;

  friend constexpr auto operator<=>(const EntityRef&, const EntityRef&) = default;
};

// "<prefix>-" and 8 digits of base32 (Crockford's alphabet in lower case: no i, l, o, u), most
// significant first, so that text order is number order. REQUIRES: id.value <= kEntityIdMax.
[[nodiscard]] std::string FormatId(Kind kind, EntityId id);
// kMalformed: not of this form or of another kind; kOutOfRange: the id 0.
[[nodiscard]] Result<EntityId> ParseId(Kind kind, std::string_view text) noexcept;
// Of any kind, told by the prefix.
[[nodiscard]] Result<EntityRef> ParseAnyId(std::string_view text) noexcept;

// The key of an entity in the state store ("m/sub/0123abcd"), and back.
[[nodiscard]] std::string StoreKey(Kind kind, EntityId id);
// kNotFound: not the key of an entity.
[[nodiscard]] Result<EntityRef> ParseStoreKey(std::string_view key) noexcept;

[[nodiscard]] EntityId RandomId(Random& random) noexcept;

}  // namespace slipway::model
