// Faults and changes at random times, all from the world's generator.
#pragma once

#include "tests/sim/simulation.h"

namespace slipway::sim {

// Plans `count` of them within `span` from now.
void PlanChaos(Simulation& sim, Duration span, std::size_t count);
// Likewise, of what only a pair of racks has.
void PlanPairChaos(Simulation& sim, Duration span, std::size_t count);

}  // namespace slipway::sim
