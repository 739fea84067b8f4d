// Between the packet interface and the socket interface: names and control data, for both drivers.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/base/cursor.h"
#include "dataplane/shard/driver.h"
#include "dataplane/shard/limits.h"

namespace slipway::shard {

// Room for the sender's name: sockaddr_in6, kept a multiple of 8 so that control data after it is
// aligned.
inline constexpr std::size_t kRxNameBytes = 32;
static_assert(kRxNameBytes >= sizeof(sockaddr_in6));

// Fills source, source_port, destination and ifindex, and raises `kernel_drops` to the socket's
// SO_RXQ_OVFL value if there is one. Unknown or broken control data is passed over.
void DecodeEnvelope(std::span<const std::byte> name, std::span<const std::byte> control,
                    Packet& packet, std::uint32_t& kernel_drops) noexcept;

// What a queued msghdr points to.
struct TxEnvelope {
  std::array<std::byte, kRxNameBytes> name;
  iovec data;
  // PKTINFO (CMSG_SPACE(20) = 40) and UDP_SEGMENT (CMSG_SPACE(2) = 24).
  alignas(cmsghdr) std::array<std::byte, 64> control;
};

// Adds to an encoded datagram that it is to be cut into ones of `bytes`, as the last control item.
void AppendSegment(TxEnvelope& envelope, msghdr& header, std::uint16_t bytes) noexcept;
// Takes it away again.
void RemoveSegment(msghdr& header) noexcept;

// Makes `header` describe `out` for a socket of `family` (AF_INET, AF_INET6 or AF_PACKET). The
// header points into `envelope` and, with parts, into `gather` (1 + parts.size() elements). False
// if the destination or source is not of the family, or a frame is too short to be one.
[[nodiscard]] bool EncodeEnvelope(int family, const Outgoing& out, TxEnvelope& envelope,
                                  std::span<iovec> gather, msghdr& header) noexcept;

}  // namespace slipway::shard
