#include "dataplane/shard/socket.h"

#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <bit>
#include <cerrno>
#include <cstring>

#include "dataplane/base/limits.h"

namespace slipway::shard {

namespace {

std::unexpected<Error> FailSocket(int error_number) noexcept {
  const auto detail = static_cast<std::uint32_t>(error_number);
  switch (error_number) {
    case EADDRINUSE:
      return Fail(ErrorCode::kBusy, detail);
    case EPERM:
    case EACCES:
      return Fail(ErrorCode::kDenied, detail);
    case ENODEV:
    case EADDRNOTAVAIL:
      return Fail(ErrorCode::kNotFound, detail);
    case EAFNOSUPPORT:
    case EPROTONOSUPPORT:
      return Fail(ErrorCode::kUnavailable, detail);
    default:
      return FailErrno(error_number);
  }
}

Result<OwnedFd> Open(int family, int type, int protocol) noexcept {
  const int fd = ::socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
  if (fd < 0) {
    return FailSocket(errno);
  }
  return OwnedFd(fd);
}

template <typename T>
Result<void> SetOption(const OwnedFd& fd, int level, int name, const T& value) noexcept {
  if (::setsockopt(fd.get(), level, name, &value, sizeof(value)) != 0) {
    return FailSocket(errno);
  }
  return {};
}

Result<void> BindDevice(const OwnedFd& fd, std::string_view device) noexcept {
  if (device.empty()) {
    return {};
  }
  if (device.size() > limits::kInterfaceNameBytesMax) {
    return Fail(ErrorCode::kOutOfRange, static_cast<std::uint32_t>(device.size()));
  }
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_BINDTODEVICE, device.data(),
                   static_cast<socklen_t>(device.size())) != 0) {
    return FailSocket(errno);
  }
  return {};
}

Result<void> Bind(const OwnedFd& fd, const IpAddress& address, std::uint16_t port) noexcept {
  sockaddr_in v4{};
  sockaddr_in6 v6{};
  const sockaddr* name = nullptr;
  socklen_t bytes = 0;
  if (address.is_v4()) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    v4.sin_addr.s_addr = htonl(address.v4().value);
    name = reinterpret_cast<const sockaddr*>(&v4);
    bytes = sizeof(v4);
  } else {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    v6.sin6_addr = std::bit_cast<in6_addr>(address.v6());
    name = reinterpret_cast<const sockaddr*>(&v6);
    bytes = sizeof(v6);
  }
  if (::bind(fd.get(), name, bytes) != 0) {
    return FailSocket(errno);
  }
  return {};
}

// Without the privilege the kernel cuts the size at net.core.rmem_max, which is no error.
void SetReceiveBuffer(const OwnedFd& fd, std::uint32_t bytes) noexcept {
  const int size = static_cast<int>(bytes);
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) != 0) {
    (void)::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
  }
}

Result<void> SetFamilyOptions(const OwnedFd& fd, bool v4) noexcept {
  if (v4) {
    return SetOption(fd, IPPROTO_IP, IP_PKTINFO, 1);
  }
  SLIP_TRY(SetOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1));
  return SetOption(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
}

Result<void> Join(int fd, std::uint32_t ifindex, const Ipv6Address& group) noexcept {
  ipv6_mreq request{};
  request.ipv6mr_multiaddr = std::bit_cast<in6_addr>(group);
  request.ipv6mr_interface = ifindex;
  if (::setsockopt(fd, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &request, sizeof(request)) != 0 &&
      errno != EADDRINUSE) {
    return FailSocket(errno);
  }
  return {};
}

// Lets through what has hop limit 255. The raw socket's data starts at the ICMPv6 header; the
// network header is addressed from SKF_NET_OFF on, its hop limit is octet 7 (RFC 8200 3).
Result<void> AttachHopLimitFilter(const OwnedFd& fd) noexcept {
  std::array<sock_filter, 4> code{{
      {BPF_LD | BPF_B | BPF_ABS, 0, 0, static_cast<std::uint32_t>(SKF_NET_OFF + 7)},
      {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 255},
      {BPF_RET | BPF_K, 0, 0, 0xFFFF'FFFF},
      {BPF_RET | BPF_K, 0, 0, 0},
  }};
  sock_fprog program{};
  program.len = code.size();
  program.filter = code.data();
  return SetOption(fd, SOL_SOCKET, SO_ATTACH_FILTER, program);
}

// ARP replies only: requests are the bulk on a busy segment, and answer no question of ours.
Result<void> AttachArpReplyFilter(const OwnedFd& fd) noexcept {
  std::array<sock_filter, 4> code{{
      {BPF_LD | BPF_H | BPF_ABS, 0, 0, 20},
      {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 2},
      {BPF_RET | BPF_K, 0, 0, 0xFFFF'FFFF},
      {BPF_RET | BPF_K, 0, 0, 0},
  }};
  sock_fprog program{};
  program.len = code.size();
  program.filter = code.data();
  return SetOption(fd, SOL_SOCKET, SO_ATTACH_FILTER, program);
}

}  // namespace

Result<OwnedFd> OpenUdp(const UdpOptions& options) noexcept {
  const bool v4 = options.bind.is_v4();
  OwnedFd fd = SLIP_TRY(Open(v4 ? AF_INET : AF_INET6, SOCK_DGRAM, 0));
  SLIP_TRY(SetFamilyOptions(fd, v4));
  SLIP_TRY(SetOption(fd, SOL_SOCKET, SO_RXQ_OVFL, 1));
  if (options.reuse_port) {
    SLIP_TRY(SetOption(fd, SOL_SOCKET, SO_REUSEPORT, 1));
  }
  if (options.broadcast) {
    SLIP_TRY(SetOption(fd, SOL_SOCKET, SO_BROADCAST, 1));
  }
  if (!v4 && !options.hears_itself) {
    SLIP_TRY(SetOption(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0));
  }
  if (options.receive_buffer_bytes != 0) {
    if (options.receive_buffer_bytes > INT32_MAX / 2) {
      return Fail(ErrorCode::kOutOfRange, options.receive_buffer_bytes);
    }
    SetReceiveBuffer(fd, options.receive_buffer_bytes);
  }
  SLIP_TRY(BindDevice(fd, options.device));
  SLIP_TRY(Bind(fd, options.bind, options.port));
  return fd;
}

Result<LocalEnd> LocalAddress(int fd) noexcept {
  sockaddr_in6 name{};
  socklen_t bytes = sizeof(name);
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&name), &bytes) != 0) {
    return FailSocket(errno);
  }
  LocalEnd end;
  if (name.sin6_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &name, sizeof(v4));
    end.address = Ipv4Address{ntohl(v4.sin_addr.s_addr)};
    end.port = ntohs(v4.sin_port);
    return end;
  }
  if (name.sin6_family != AF_INET6) {
    return Fail(ErrorCode::kUnsupported, name.sin6_family);
  }
  end.address = std::bit_cast<Ipv6Address>(name.sin6_addr);
  end.port = ntohs(name.sin6_port);
  return end;
}

Result<OwnedFd> OpenRawTransmit() noexcept {
  OwnedFd fd = SLIP_TRY(Open(AF_PACKET, SOCK_RAW, 0));
  SLIP_TRY(SetOption(fd, SOL_PACKET, PACKET_QDISC_BYPASS, 1));
  return fd;
}

Result<OwnedFd> OpenArpReceive() noexcept {
  OwnedFd fd = SLIP_TRY(Open(AF_PACKET, SOCK_RAW, htons(ETH_P_ARP)));
  SLIP_TRY(AttachArpReplyFilter(fd));
  SLIP_TRY(SetOption(fd, SOL_SOCKET, SO_RXQ_OVFL, 1));
  return fd;
}

Result<OwnedFd> OpenRawIcmpv6() noexcept {
  OwnedFd fd = SLIP_TRY(Open(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6));
  icmp6_filter filter;
  ICMP6_FILTER_SETBLOCKALL(&filter);
  ICMP6_FILTER_SETPASS(ND_ROUTER_SOLICIT, &filter);
  ICMP6_FILTER_SETPASS(ND_ROUTER_ADVERT, &filter);
  ICMP6_FILTER_SETPASS(ND_NEIGHBOR_ADVERT, &filter);
  SLIP_TRY(SetOption(fd, IPPROTO_ICMPV6, ICMP6_FILTER, filter));
  SLIP_TRY(AttachHopLimitFilter(fd));
  SLIP_TRY(SetOption(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 255));
  SLIP_TRY(SetOption(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 255));
  SLIP_TRY(SetOption(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0));
  SLIP_TRY(SetOption(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1));
  SLIP_TRY(SetOption(fd, SOL_SOCKET, SO_RXQ_OVFL, 1));
  return fd;
}

Result<void> JoinAllRouters(int icmpv6_fd, std::uint32_t ifindex) noexcept {
  constexpr Ipv6Address kAllRouters{{0xFF, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2}};
  return Join(icmpv6_fd, ifindex, kAllRouters);
}

Result<void> JoinDhcpServers(int udp6_fd, std::uint32_t ifindex) noexcept {
  constexpr Ipv6Address kAgentsAndServers{{0xFF, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2}};
  constexpr Ipv6Address kServers{{0xFF, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 3}};
  SLIP_TRY(Join(udp6_fd, ifindex, kAgentsAndServers));
  return Join(udp6_fd, ifindex, kServers);
}

Result<OwnedFd> OpenTcpListener(const TcpListenerOptions& options) noexcept {
  const bool v4 = options.bind.is_v4();
  OwnedFd fd = SLIP_TRY(Open(v4 ? AF_INET : AF_INET6, SOCK_STREAM, 0));
  if (!v4) {
    SLIP_TRY(SetOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1));
  }
  SLIP_TRY(SetOption(fd, SOL_SOCKET, SO_REUSEADDR, 1));
  if (options.reuse_port) {
    SLIP_TRY(SetOption(fd, SOL_SOCKET, SO_REUSEPORT, 1));
  }
  SLIP_TRY(BindDevice(fd, options.device));
  SLIP_TRY(Bind(fd, options.bind, options.port));
  if (::listen(fd.get(), static_cast<int>(options.backlog)) != 0) {
    return FailSocket(errno);
  }
  return fd;
}

}  // namespace slipway::shard
