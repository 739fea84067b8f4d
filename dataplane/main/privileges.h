// Giving up what the rack no longer needs once its sockets are open (design: section 5).
#pragma once

#include <cstdint>
#include <string_view>

#include "dataplane/base/result.h"

namespace slipway::rack {

// Changes to `user` if it is not empty, empties every capability set, and sets no-new-privs.
// Call after all privileged sockets are open and before other threads start. kNotFound: no such
// user.
[[nodiscard]] Result<void> DropPrivileges(std::string_view user);

// Makes the calls that no part of the rack makes fail with EPERM: starting programs, mounting,
// tracing, loading kernel modules, setting the clock. For all threads; after the rings are set up.
[[nodiscard]] Result<void> InstallSystemCallFilter();

// True if the effective, permitted and inheritable capability sets are empty and a filter is
// active.
[[nodiscard]] bool PrivilegesAreDropped();

}  // namespace slipway::rack
