// One entity of the model as the record that racks get: table, id, body.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "controlplane/model/index.h"
#include "dataplane/config/encode.h"
#include "dataplane/config/snapshot.h"

namespace slipway::publish {

// Table and id: the order in which snapshots are sent.
using RecordKey = std::pair<std::uint8_t, config::RecordId>;

struct RecordBody {
  std::string bytes;
  config::ContentHash hash;  // of table, id and bytes
};

// Table::kNone for kinds that racks do not see (fabrics, racks).
[[nodiscard]] config::Table TableOf(model::Kind kind) noexcept;
[[nodiscard]] RecordKey KeyOf(model::EntityRef ref) noexcept;
// Kinds in table order.
[[nodiscard]] model::Kind KindOfTable(config::Table table) noexcept;

// REQUIRES: TableOf(kind of entity) is neither kNone nor kRackPair. The same entity gives the same
// bytes; of a subnet, as long as the racks of its VLAN are the same pair with the same addresses.
[[nodiscard]] RecordBody EncodeEntity(config::RecordEncoder& encoder,
                                      const model::ModelIndex& index, config::RecordId id,
                                      const model::Entity& entity);
// A pair as the rack sees it, which is one of the two: made of the pair, its partner and what both
// serve. Nothing: the partner does not exist.
[[nodiscard]] std::optional<RecordBody> EncodePair(config::RecordEncoder& encoder,
                                                   const model::ModelIndex& index,
                                                   const model::Row& row, model::EntityId rack);

}  // namespace slipway::publish
