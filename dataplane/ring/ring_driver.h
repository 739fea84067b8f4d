// The packet interface over io_uring; floor: Linux 6.1 with liburing 2.3.
#pragma once

#include <cstdint>
#include <memory>

#include "dataplane/base/seams.h"
#include "dataplane/shard/driver.h"

namespace slipway::ring {

struct RingOptions {
  // Receive buffers of the driver, shared by its ports; a power of two, 64 to 4096. Packets wait
  // in the socket's buffer while all are in use.
  std::uint32_t rx_buffers = 256;
};

// `clock` outlives the driver. The ring is made here, disabled, and enabled by the first Turn: the
// thread that calls Turn first owns it from then on. Destroy the driver on that thread, or after
// that thread has ended. All memory is taken here.
// kUnavailable if the kernel denies or lacks a ring that will do (detail = errno): see ProbeRing;
// kOutOfRange for the options.
[[nodiscard]] Result<std::unique_ptr<shard::Driver>> CreateRingDriver(Clock& clock,
                                                                      const RingOptions& options);

}  // namespace slipway::ring
