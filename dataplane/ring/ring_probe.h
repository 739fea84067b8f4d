// Says whether this kernel lets this process use the ring driver.
#pragma once

#include "dataplane/base/bounded.h"

namespace slipway::ring {

struct RingProbe {
  bool usable = false;
  // For the start-up line: why not, or what was checked.
  FixedString<200> reason;
};

// Makes a ring with the flags that the driver uses, asks for its operations, and runs a NOP and a
// buffer group through it. Takes a millisecond or so; start-up only.
[[nodiscard]] RingProbe ProbeRing() noexcept;

}  // namespace slipway::ring
