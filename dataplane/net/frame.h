// UDP over IPv4 over Ethernet II, built for clients that have no address yet, and parsed for tests
// and tools.
//
//   0               6               12    14
//   +---------------+---------------+-----+
//   | destination   | source        |0800 |   Ethernet II
//   +---+---+-------+-----+---------+-----+
//   |45 |tos| length| id  |DF, 0    |         IPv4, RFC 791 3.1, no options
//   |ttl|17 | check | source | dest  |
//   +-------+-------+-------+-------+
//   | sport | dport | length| check |         UDP, RFC 768
//   +-------+-------+-------+-------+
#pragma once

#include <cstddef>
#include <cstdint>

#include "dataplane/base/address.h"
#include "dataplane/base/cursor.h"
#include "dataplane/base/result.h"

namespace slipway::net {

inline constexpr std::size_t kEthernetHeaderBytes = 14;
inline constexpr std::size_t kIpv4HeaderBytes = 20;
inline constexpr std::size_t kUdpHeaderBytes = 8;
inline constexpr std::size_t kUdp4FrameHeaderBytes =
    kEthernetHeaderBytes + kIpv4HeaderBytes + kUdpHeaderBytes;
inline constexpr std::uint16_t kEtherTypeIpv4 = 0x0800;
inline constexpr std::uint16_t kEtherTypeIpv6 = 0x86DD;

struct Udp4Endpoint {
  MacAddress mac;
  Ipv4Address address;
  std::uint16_t port = 0;

  friend constexpr bool operator==(const Udp4Endpoint&, const Udp4Endpoint&) = default;
};

// Writes a frame without a VLAN tag and returns its length. `payload` may already stand in its
// place, at out + kUdp4FrameHeaderBytes; it must not overlap the headers otherwise. Errors:
// kTooLarge if it does not fit `out` or an IPv4 packet.
[[nodiscard]] Result<std::size_t> BuildUdp4Frame(MutableByteSpan out, const Udp4Endpoint& source,
                                                 const Udp4Endpoint& destination,
                                                 ByteSpan payload) noexcept;

struct Udp4View {
  Udp4Endpoint source;
  Udp4Endpoint destination;
  ByteSpan payload;
};

// Checks lengths and checksums (a UDP checksum of 0 counts as none). Errors: kTruncated,
// kMalformed, kBadChecksum; kUnsupported for what is not unfragmented UDP over IPv4 over Ethernet
// II.
[[nodiscard]] Result<Udp4View> ParseUdp4Frame(ByteSpan frame) noexcept;

}  // namespace slipway::net
