// The sockets of a rack, opened before privileges are dropped, with errors that tell an operator
// what to do.
#pragma once

#include <string>
#include <vector>

#include "dataplane/base/result.h"
#include "dataplane/shard/fd.h"

namespace slipway::rack {

inline constexpr std::uint16_t kDhcpServerPort = 67;
inline constexpr std::uint16_t kDhcp6ServerPort = 547;
inline constexpr std::uint16_t kTftpPort = 69;
inline constexpr std::uint16_t kBootServerPort = 4011;  // PXE 2.1, 2.2.4
// Sockets that transfers answer from, for each family: distinct source ports, a small pool.
inline constexpr std::size_t kTftpTransferSockets = 32;

struct RackSockets {
  shard::OwnedFd dhcp;
  shard::OwnedFd boot_server;
  shard::OwnedFd dhcp6;
  shard::OwnedFd raw;  // AF_PACKET, transmit only
  shard::OwnedFd arp;  // AF_PACKET, hears ARP replies
  shard::OwnedFd icmpv6;
  std::vector<shard::OwnedFd> tftp;
  std::vector<shard::OwnedFd> tftp_transfers;
  std::vector<shard::OwnedFd> http;
};

// On failure `why` names the port, who holds it (as far as /proc tells) and the cure.
[[nodiscard]] Result<RackSockets> OpenRackSockets(std::uint16_t http_port, std::string& why);

// "dnsmasq (pid 812)", or "another process". Looks through /proc: needs root to see all.
[[nodiscard]] std::string OwnerOfPort(bool udp, std::uint16_t port);

}  // namespace slipway::rack
