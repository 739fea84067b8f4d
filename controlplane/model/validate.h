// The rules between entities, in one place; every surface goes through them (Plan calls this).
#pragma once

#include "controlplane/model/index.h"

namespace slipway::model {

// All problems of putting `entity` at `ref` into the index. `before`: what is there now, or
// nullptr. Rules: docs/model.md.
[[nodiscard]] Problems Validate(const ModelIndex& index, EntityRef ref, const Entity& entity);

// Why it may not be deleted: by whom it is referred to; empty: it may.
[[nodiscard]] Problems WhyNotDelete(const ModelIndex& index, EntityRef ref);

// The unique index keys of an entity ("u/mac/0123456789ab", "u/name/sub/lab", ...), with the field
// each stands for.
struct UniqueKey {
  std::string key;
  std::string_view field;
};

[[nodiscard]] std::vector<UniqueKey> UniqueKeysOf(EntityRef ref, const Entity& entity);

// Fills what follows from other fields: an empty name becomes the id's text, an address finds its
// subnet, a subnet gives the VLAN. Called before Validate.
void Complete(const ModelIndex& index, EntityRef ref, const Entity* before, Entity& entity);

}  // namespace slipway::model
