// Opens the sockets that shards own. Cold code, done before privileges are dropped; all sockets are
// non-blocking and close-on-exec.
//
// Errors of every function here: kBusy (EADDRINUSE: somebody else holds the port), kDenied (EPERM,
// EACCES: a privilege is missing), kNotFound (ENODEV, EADDRNOTAVAIL: no such interface or address),
// kUnavailable (the kernel lacks the family), kOutOfRange (an option that cannot be), else kSystem.
// The detail is the errno.
#pragma once

#include <cstdint>
#include <string_view>

#include "dataplane/base/address.h"
#include "dataplane/base/result.h"
#include "dataplane/shard/fd.h"

namespace slipway::shard {

struct UdpOptions {
  IpAddress bind = Ipv4Address{};  // its family is the socket's; 0.0.0.0 or :: for the wildcard
  std::uint16_t port = 0;          // 0: the kernel chooses, see LocalAddress
  std::string_view device;         // SO_BINDTODEVICE; empty: every interface
  bool reuse_port = false;         // SO_REUSEPORT: one socket per shard (never shrink a live group)
  bool broadcast = false;          // may send to broadcast addresses
  bool hears_itself = true;        // what it sends to IPv6 groups that it is in
  // SO_RCVBUFFORCE, or SO_RCVBUF (cut at net.core.rmem_max) without the privilege. 0: default.
  std::uint32_t receive_buffer_bytes = 0;
};

// A bound socket with PKTINFO and SO_RXQ_OVFL on, IPv6 sockets see IPv6 only. For Driver::AddUdp.
[[nodiscard]] Result<OwnedFd> OpenUdp(const UdpOptions& options) noexcept;

struct LocalEnd {
  IpAddress address;
  std::uint16_t port = 0;
};

[[nodiscard]] Result<LocalEnd> LocalAddress(int fd) noexcept;

// An AF_PACKET socket that hears ARP replies on every interface. Needs CAP_NET_RAW. For
// Driver::AddUdp: packets carry the whole frame and the interface.
[[nodiscard]] Result<OwnedFd> OpenArpReceive() noexcept;

// An AF_PACKET socket that only sends (protocol 0: it receives nothing), on any interface, past the
// queueing discipline. Needs CAP_NET_RAW. For Driver::AddRaw.
[[nodiscard]] Result<OwnedFd> OpenRawTransmit() noexcept;

// An ICMPv6 socket that receives router solicitations and advertisements with hop limit 255 only
// (RFC 4861 6.1: others have crossed a router), and sends with hop limit 255. Needs CAP_NET_RAW.
// For Driver::AddUdp: Packet::data is the ICMPv6 message; send with destination_port 0 and the
// interface in Outgoing::ifindex; the kernel fills in the checksum.
[[nodiscard]] Result<OwnedFd> OpenRawIcmpv6() noexcept;

// Joins ff02::2 (all routers, RFC 4291 2.7.1) on an interface, so that solicitations arrive. A
// second join of the same interface succeeds.
[[nodiscard]] Result<void> JoinAllRouters(int icmpv6_fd, std::uint32_t ifindex) noexcept;
// Likewise for the groups of DHCPv6 servers, ff02::1:2 and ff05::1:3 (RFC 8415 7.1).
[[nodiscard]] Result<void> JoinDhcpServers(int udp6_fd, std::uint32_t ifindex) noexcept;

struct TcpListenerOptions {
  IpAddress bind = Ipv4Address{};
  std::uint16_t port = 0;
  std::string_view device;
  bool reuse_port = false;
  std::uint32_t backlog = 1024;
};

// A listening socket with SO_REUSEADDR; IPv6 sockets see IPv6 only.
[[nodiscard]] Result<OwnedFd> OpenTcpListener(const TcpListenerOptions& options) noexcept;

}  // namespace slipway::shard
