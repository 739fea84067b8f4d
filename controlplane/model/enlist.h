// Machine identity in the region (design: section 6): which machine an inventory is of, and what it
// changes. Conflicts make a separate machine and an event, never a merge.
#pragma once

#include <string>
#include <vector>

#include "controlplane/model/mutations.h"

namespace slipway::model {

struct InventoryReport {
  EntityId rack;
  MacAddress mac;             // that the request came from
  EntityId vlan;              // where it was seen; may be not set
  std::string_view document;  // JSON, as posted
  WallTime time;
};

struct EnlistEvent {
  std::string code;     // stable id: "machine-enlisted", "identity-conflict"
  std::string subject;  // machine id text
  std::string detail;
};

struct EnlistResult {
  EntityId machine;
  bool created = false;
  std::vector<EnlistEvent> events;
};

// The fields of a document that the model keeps. Unknown fields are skipped, missing ones are
// empty, odd ones too; MACs that are zero or multicast are left out. kMalformed: not a JSON object;
// kTooLarge.
struct ParsedInventory {
  Inventory inventory;
  Uuid uuid{};
};

[[nodiscard]] Result<ParsedInventory> ParseInventory(std::string_view document);

// Plans the creation or update of the machine, its interfaces and its inventory. Refusals:
// kInvalid with the reason when the document is of no use.
[[nodiscard]] std::expected<EnlistResult, Refusal> ApplyInventory(Plan& plan,
                                                                  const InventoryReport& report);

// "2026-11-22T21:30:05Z".
[[nodiscard]] std::string Rfc3339(WallTime time);

}  // namespace slipway::model
