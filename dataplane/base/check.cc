#include "dataplane/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace slipway {

void CheckFailed(const char* file, int line, const char* what) noexcept {
  // Nothing can be done when stderr is gone as well.
  (void)std::fprintf(stderr, "slipway: invariant broken at %s:%d: %s\n", file, line, what);
  std::abort();
}

}  // namespace slipway
