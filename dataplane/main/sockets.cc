#include "dataplane/main/sockets.h"

#include <unistd.h>

#include <array>
#include <charconv>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string_view>
#include <thread>
#include <utility>

#include "dataplane/shard/limits.h"
#include "dataplane/shard/socket.h"

namespace slipway::rack {
namespace {

constexpr std::string_view kNobodySeen = "another process";
constexpr int kLetGoTries = 300;
constexpr std::chrono::milliseconds kLetGoPause{10};

// Inodes of the sockets that are bound to the port, from /proc/net/{udp,udp6,tcp,tcp6}.
void CollectInodes(const char* table, std::uint16_t port, std::set<std::string>& inodes) {
  std::ifstream in(table);
  std::string line;
  (void)std::getline(in, line);  // headings
  while (std::getline(in, line)) {
    std::istringstream fields(line);
    std::string slot;
    std::string local;
    std::string skipped;
    std::string inode;
    fields >> slot >> local;
    for (int i = 0; i < 7; ++i) {
      fields >> skipped;
    }
    fields >> inode;
    const std::size_t colon = local.rfind(':');
    std::uint16_t bound = 0;
    if (colon != std::string::npos) {
      (void)std::from_chars(local.data() + colon + 1, local.data() + local.size(), bound, 16);
    }
    if (bound == port) {
      inodes.insert("socket:[" + inode + "]");
    }
  }
}

[[nodiscard]] std::string OwnerOfSockets(const std::set<std::string>& inodes) {
  std::error_code ignored;  // Processes come and go while we look.
  for (const auto& process : std::filesystem::directory_iterator("/proc", ignored)) {
    const std::string pid = process.path().filename().string();
    if (pid.find_first_not_of("0123456789") != std::string::npos) {
      continue;
    }
    for (const auto& fd : std::filesystem::directory_iterator(process.path() / "fd", ignored)) {
      if (inodes.contains(std::filesystem::read_symlink(fd.path(), ignored).string())) {
        std::string name;
        std::ifstream comm(process.path() / "comm");
        (void)std::getline(comm, name);
        return name + " (pid " + pid + ")";
      }
    }
  }
  return std::string(kNobodySeen);
}

[[nodiscard]] std::string Explain(const char* what, bool udp, std::uint16_t port,
                                  const Error& error) {
  const std::string place =
      std::string(udp ? "UDP" : "TCP") + " port " + std::to_string(port) + " (" + what + ")";
  if (error.code == ErrorCode::kBusy) {
    return place + " is taken by " + OwnerOfPort(udp, port) +
           "; stop that service, or run the rack in a network namespace of its own";
  }
  if (error.code == ErrorCode::kDenied) {
    return place + " may not be opened: start slipway-rack as root, it gives the privilege up";
  }
  return place + " cannot be opened: " + std::string(ToString(error.code)) + ", " +
         std::strerror(static_cast<int>(error.detail));
}

// The kernel ends the ring of a killed process some time after the process, and with it the sockets
// that it held. A rack that is restarted at once waits for that; not for a port that has an owner.
template <typename Open>
[[nodiscard]] Result<shard::OwnedFd> OpenWhenLetGo(bool udp, std::uint16_t port, Open open) {
  Result<shard::OwnedFd> opened = open();
  for (int i = 0; i < kLetGoTries && !opened && opened.error().code == ErrorCode::kBusy; ++i) {
    if (OwnerOfPort(udp, port) != kNobodySeen) {
      break;
    }
    std::this_thread::sleep_for(kLetGoPause);
    opened = open();
  }
  return opened;
}

}  // namespace

std::string OwnerOfPort(bool udp, std::uint16_t port) {
  std::set<std::string> inodes;
  CollectInodes(udp ? "/proc/net/udp" : "/proc/net/tcp", port, inodes);
  CollectInodes(udp ? "/proc/net/udp6" : "/proc/net/tcp6", port, inodes);
  return OwnerOfSockets(inodes);
}

Result<RackSockets> OpenRackSockets(std::uint16_t http_port, std::string& why) {
  RackSockets sockets;
  // One UDP or TCP socket, or the reason why not.
  const auto udp = [&](const char* what, const shard::UdpOptions& options,
                       shard::OwnedFd& out) -> Result<void> {
    Result<shard::OwnedFd> opened =
        OpenWhenLetGo(true, options.port, [&] { return shard::OpenUdp(options); });
    if (!opened) {
      why = Explain(what, true, options.port, opened.error());
      return std::unexpected(opened.error());
    }
    out = std::move(*opened);
    return {};
  };
  SLIP_TRY(udp("DHCP",
               {.port = kDhcpServerPort,
                .broadcast = true,
                .receive_buffer_bytes = shard::kDhcpReceiveBufferBytes},
               sockets.dhcp));
  SLIP_TRY(udp("ProxyDHCP", {.port = kBootServerPort, .receive_buffer_bytes = 1 << 20},
               sockets.boot_server));
  SLIP_TRY(udp("DHCPv6",
               {.bind = Ipv6Address{},
                .port = kDhcp6ServerPort,
                .hears_itself = false,
                .receive_buffer_bytes = shard::kDhcpReceiveBufferBytes},
               sockets.dhcp6));
  for (const IpAddress& any : {IpAddress(Ipv4Address{}), IpAddress(Ipv6Address{})}) {
    SLIP_TRY(udp("TFTP", {.bind = any, .port = kTftpPort, .receive_buffer_bytes = 1 << 20},
                 sockets.tftp.emplace_back()));
    for (std::size_t i = 0; i < kTftpTransferSockets; ++i) {
      SLIP_TRY(udp("TFTP transfers", {.bind = any, .receive_buffer_bytes = 1 << 20},
                   sockets.tftp_transfers.emplace_back()));
    }
    Result<shard::OwnedFd> http = OpenWhenLetGo(
        false, http_port, [&] { return shard::OpenTcpListener({.bind = any, .port = http_port}); });
    if (!http) {
      why = Explain("HTTP", false, http_port, http.error());
      return std::unexpected(http.error());
    }
    sockets.http.push_back(std::move(*http));
  }
  Result<shard::OwnedFd> raw = shard::OpenRawTransmit();
  Result<shard::OwnedFd> icmpv6 = shard::OpenRawIcmpv6();
  Result<shard::OwnedFd> arp = shard::OpenArpReceive();
  if (!raw || !icmpv6 || !arp) {
    const Error error = !raw ? raw.error() : !icmpv6 ? icmpv6.error() : arp.error();
    why =
        "raw sockets may not be opened: start slipway-rack as root (it needs CAP_NET_RAW until its "
        "sockets are open): " +
        std::string(std::strerror(static_cast<int>(error.detail)));
    return std::unexpected(error);
  }
  sockets.raw = std::move(*raw);
  sockets.icmpv6 = std::move(*icmpv6);
  sockets.arp = std::move(*arp);
  return sockets;
}

}  // namespace slipway::rack
