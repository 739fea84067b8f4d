// The packet interface over recvmmsg, sendmmsg and epoll: for kernels and containers that deny
// io_uring. Of equal rank with dataplane/ring, and under the same tests.
#pragma once

#include <memory>

#include "dataplane/base/seams.h"
#include "dataplane/shard/driver.h"

namespace slipway::epoll {

// `clock` outlives the driver. kSystem with errno if the descriptors cannot be made. All memory is
// taken here.
[[nodiscard]] Result<std::unique_ptr<shard::Driver>> CreateEpollDriver(Clock& clock);

}  // namespace slipway::epoll
