// Which part of a run is the product on its sealed shard, and which is the simulator around it: an
// allocation within Sealed and outside Unsealed ends the run (dataplane/shard/seal.h).
#pragma once

#include "dataplane/shard/seal.h"

namespace slipway::sim {

// The shard's own code runs.
class Sealed {
 public:
  Sealed() noexcept : before_(shard::IsSealed()) { shard::Seal(); }

  Sealed(const Sealed&) = delete;
  Sealed& operator=(const Sealed&) = delete;

  ~Sealed() {
    if (!before_) {
      shard::Unseal();
    }
  }

 private:
  const bool before_;
};

// What the shard has called is the simulator's: in place of kernel, disk and other threads.
class Unsealed {
 public:
  Unsealed() noexcept : before_(shard::IsSealed()) { shard::Unseal(); }

  Unsealed(const Unsealed&) = delete;
  Unsealed& operator=(const Unsealed&) = delete;

  ~Unsealed() {
    if (before_) {
      shard::Seal();
    }
  }

 private:
  const bool before_;
};

}  // namespace slipway::sim
