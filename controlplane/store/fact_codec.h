// Facts on disk and in rows: schema payloads in, stored bytes out and back. Used by both facts
// stores.
#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "controlplane/store/facts_store.h"

namespace slipway::store {

using FactRow = std::variant<LeaseRow, InventoryRow, BootStepRow, EventRow>;

// Verifies a schema Fact of the class and reads it; positions and the rack are set by the caller.
// kMalformed: it does not verify, or is of another class.
[[nodiscard]] Result<FactRow> DecodeFact(FactClass fact_class, std::string_view payload);

// Stored values: a format byte, then the fields. Decoding gives kCorrupt.
[[nodiscard]] std::string EncodeRow(const LeaseRow& row);
[[nodiscard]] std::string EncodeRow(const InventoryRow& row);
[[nodiscard]] std::string EncodeRow(const BootStepRow& row);
[[nodiscard]] std::string EncodeRow(const EventRow& row);
[[nodiscard]] Result<void> DecodeRow(std::string_view bytes, LeaseRow& row);
[[nodiscard]] Result<void> DecodeRow(std::string_view bytes, InventoryRow& row);
[[nodiscard]] Result<void> DecodeRow(std::string_view bytes, BootStepRow& row);
[[nodiscard]] Result<void> DecodeRow(std::string_view bytes, EventRow& row);

}  // namespace slipway::store
