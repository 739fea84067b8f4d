// Limits of the shards and of their drivers; docs/limits.md lists them with their reasons.
#pragma once

#include <cstddef>
#include <cstdint>

#include "dataplane/base/limits.h"

namespace slipway::shard {

// Packet sockets of one driver: 67, 547, 4011, 69, 53, 123 and a pool of TFTP source ports.
inline constexpr std::uint32_t kPortsMax = 320;
// Watched descriptors of one driver: HTTP connections, listeners, mailboxes.
inline constexpr std::uint32_t kWatchesMax = 8192;
// Datagrams queued by a driver between two waits. More are refused and counted (send_dropped).
inline constexpr std::uint32_t kTxQueueMax = 1536;
// Transmit buffers of a driver (AllocateTx).
inline constexpr std::uint32_t kTxBuffersMax = 1024;
// Queued datagrams that may have more than one part.
inline constexpr std::uint32_t kTxGathersMax = 256;
// Datagrams that leave in one send; the kernel takes 64 and 64 KiB.
inline constexpr std::uint32_t kTxJoinMax = 32;
inline constexpr std::size_t kTxJoinBytesMax = 60'000;
// Control data of a received datagram: PKTINFO and SO_RXQ_OVFL, either family.
inline constexpr std::size_t kRxControlBytes = 80;
// Timers fired or moved between levels in one turn.
inline constexpr std::size_t kTimerStepsPerTurnMax = 1024;
inline constexpr std::size_t kTurnHooksMax = 16;
// Wanted receive buffer of the DHCP sockets (SO_RCVBUFFORCE).
inline constexpr std::uint32_t kDhcpReceiveBufferBytes = std::uint32_t{32} << 20;

}  // namespace slipway::shard
