// The facts store on LMDB: an environment of its own, one writer thread with group commit. Queries
// are short read transactions on any thread.
#pragma once

#include <memory>

#include "controlplane/store/facts_store.h"
#include "controlplane/store/lmdb_store.h"

namespace slipway::store {

// Takes the directory's lock and checks the schema version, as LmdbStore::Open. Of the options
// `directory`, `map_bytes` and `queue_batches_max` count.
[[nodiscard]] std::expected<std::unique_ptr<FactsStore>, OpenFailure> OpenLmdbFacts(
    const LmdbOptions& options, const FactsLimits& limits = {});

}  // namespace slipway::store
