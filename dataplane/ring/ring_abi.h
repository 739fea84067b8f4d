// The io_uring binary interface as this driver relies on it: layouts checked, constants that Debian
// 12's liburing 2.3 lacks defined. Nothing newer than Linux 6.1 is used so far; a newer operation
// gets its constant here, with the kernel that brought it.
#pragma once

#include <liburing.h>
#include <poll.h>

#include <cstddef>
#include <cstdint>

#include "dataplane/base/limits.h"
#include "dataplane/shard/driver.h"
#include "dataplane/shard/limits.h"
#include "dataplane/shard/message.h"

namespace slipway::ring {

static_assert(sizeof(io_uring_sqe) == 64);
static_assert(sizeof(io_uring_cqe) == 16);
static_assert(sizeof(io_uring_buf) == 16);
static_assert(sizeof(io_uring_buf_reg) == 40);
static_assert(sizeof(io_uring_recvmsg_out) == 16);
static_assert(sizeof(io_uring_getevents_arg) == 24);
// The kernel's own header, compiled as C++, puts the buffers at offset 8, and they would go to the
// wrong place in silence: this must be liburing's.
static_assert(offsetof(io_uring_buf_ring, bufs) == 0);
static_assert(offsetof(io_uring_buf_ring, tail) == 14);

// The kernel writes header, name and control data before the payload: together they are the
// headroom that the packet interface promises.
static_assert(sizeof(io_uring_recvmsg_out) + shard::kRxNameBytes + shard::kRxControlBytes ==
              limits::kPacketHeadroomBytes);
static_assert((sizeof(io_uring_recvmsg_out) + shard::kRxNameBytes) % alignof(cmsghdr) == 0);

static_assert(static_cast<std::uint32_t>(POLLIN) == static_cast<std::uint32_t>(shard::kReadable));
static_assert(static_cast<std::uint32_t>(POLLOUT) == static_cast<std::uint32_t>(shard::kWritable));
static_assert(static_cast<std::uint32_t>(POLLHUP) == static_cast<std::uint32_t>(shard::kHangup));

// All of Linux 6.1 or older: 6.1 DEFER_TASKRUN, 6.0 SINGLE_ISSUER and multishot receive, 5.19
// buffer rings and cancel-any, 5.18 SUBMIT_ALL.
inline constexpr unsigned kSetupFlags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                                        IORING_SETUP_R_DISABLED | IORING_SETUP_SUBMIT_ALL |
                                        IORING_SETUP_CQSIZE;

inline constexpr unsigned kSqEntries = 2048;
// At least the receive buffers, the watches and the sends that may fail, all at once.
inline constexpr unsigned kCqEntries = 16'384;
inline constexpr unsigned kRxBuffersMax = 4096;
static_assert(kCqEntries >= kRxBuffersMax + shard::kWatchesMax + shard::kTxQueueMax);
static_assert(kSqEntries >= shard::kTxQueueMax + shard::kPortsMax);

inline constexpr std::uint16_t kBufferGroup = 0;

// user_data: what the operation is, the place it belongs to, and the place's tenant. Never a
// pointer.
enum class Op : std::uint8_t {
  kIgnore = 0,  // cancellations: their outcome changes nothing
  kReceive = 1,
  kSend = 2,
  kPoll = 3,
  kProbe = 4,
};

inline constexpr std::uint32_t kGenerationMask = 0xFF'FFFF;

[[nodiscard]] constexpr std::uint64_t UserData(Op op, std::uint32_t index,
                                               std::uint32_t generation) noexcept {
  return std::uint64_t{index} << 32 | std::uint64_t{generation & kGenerationMask} << 8 |
         static_cast<std::uint8_t>(op);
}

[[nodiscard]] constexpr Op OpOf(std::uint64_t user_data) noexcept {
  return static_cast<Op>(user_data & 0xFF);
}

[[nodiscard]] constexpr std::uint32_t IndexOf(std::uint64_t user_data) noexcept {
  return static_cast<std::uint32_t>(user_data >> 32);
}

[[nodiscard]] constexpr std::uint32_t GenerationOf(std::uint64_t user_data) noexcept {
  return static_cast<std::uint32_t>(user_data >> 8) & kGenerationMask;
}

}  // namespace slipway::ring
