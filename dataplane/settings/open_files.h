// How many descriptors a process may have.
#pragma once

#include <cstdint>

namespace slipway::settings {

// Raises the soft limit of open files to `wanted`, as far as the hard limit allows. Returns the
// limit that is in force afterwards.
std::uint64_t RaiseOpenFiles(std::uint64_t wanted);

}  // namespace slipway::settings
