// The facts store in memory, for simulation and tests.
#pragma once

#include <memory>

#include "controlplane/store/facts_store.h"

namespace slipway::store {

[[nodiscard]] std::unique_ptr<FactsStore> MakeMemoryFacts(const FactsLimits& limits = {});

}  // namespace slipway::store
