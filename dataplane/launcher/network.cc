#include "dataplane/launcher/network.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <net/route.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "dataplane/launcher/console.h"
#include "dataplane/launcher/files.h"

namespace slipway::launcher {
namespace {

constexpr std::uint16_t kServerPort = 67;
constexpr std::uint16_t kClientPort = 68;
constexpr std::size_t kPacketBytesMax = 1500;

ifreq RequestFor(std::string_view name) {
  ifreq request{};
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  return request;
}

sockaddr_in SocketAddress(Ipv4Address address, std::uint16_t port) {
  sockaddr_in result{};
  result.sin_family = AF_INET;
  result.sin_port = htons(port);
  result.sin_addr.s_addr = htonl(address.value);
  return result;
}

void SetUp(const std::string& name) {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq request = RequestFor(name);
  if (ioctl(fd, SIOCGIFFLAGS, &request) == 0 && (request.ifr_flags & IFF_UP) == 0) {
    request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
    if (ioctl(fd, SIOCSIFFLAGS, &request) != 0) {
      Say("cannot bring up " + name + ": " + std::strerror(errno));
    }
  }
  close(fd);
}

bool IsEthernet(const std::string& name) {
  const std::string folder = "/sys/class/net/" + name;
  return ReadNumber(folder + "/type") == ARPHRD_ETHER;
}

// Sets one address field of an interface.
bool SetField(int fd, const std::string& name, unsigned long what, Ipv4Address value) {
  ifreq request = RequestFor(name);
  const sockaddr_in address = SocketAddress(value, 0);
  std::memcpy(&request.ifr_addr, &address, sizeof(address));
  return ioctl(fd, what, &request) == 0;
}

bool AddDefaultRoute(int fd, std::string name, Ipv4Address router) {
  rtentry route{};
  const sockaddr_in any = SocketAddress({}, 0);
  const sockaddr_in gateway = SocketAddress(router, 0);
  std::memcpy(&route.rt_dst, &any, sizeof(any));
  std::memcpy(&route.rt_genmask, &any, sizeof(any));
  std::memcpy(&route.rt_gateway, &gateway, sizeof(gateway));
  route.rt_flags = RTF_UP | RTF_GATEWAY;
  route.rt_dev = name.data();
  return ioctl(fd, SIOCADDRT, &route) == 0 || errno == EEXIST;
}

std::uint32_t RandomId() {
  std::uint32_t value = 0;
  if (getrandom(&value, sizeof(value), GRND_NONBLOCK) != sizeof(value)) {
    // No entropy yet: the clock and the MAC make xids differ well enough.
    value = static_cast<std::uint32_t>(UptimeMs());
  }
  return value;
}

}  // namespace

void BringUpAll() {
  for (const std::string& name : ListFolder("/sys/class/net")) {
    if (IsEthernet(name)) {
      SetUp(name);
    }
  }
}

std::string FindInterface(std::optional<MacAddress> mac) {
  for (const std::string& name : ListFolder("/sys/class/net")) {
    const std::string folder = "/sys/class/net/" + name;
    if (!IsEthernet(name)) {
      continue;
    }
    if (mac ? ReadText(folder + "/address") == ToText(*mac).view()
            : ReadNumber(folder + "/carrier") == 1) {
      return name;
    }
  }
  return {};
}

Network::Network(int fd, std::string name, MacAddress mac)
    : fd_(fd),
      name_(std::move(name)),
      mac_(mac),
      client_(mac, RandomId() ^ static_cast<std::uint32_t>(mac.ToU64()), UptimeMs()) {}

Network::Network(Network&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      name_(std::move(other.name_)),
      mac_(other.mac_),
      client_(other.client_),
      configured_(other.configured_) {}

Network::~Network() {
  if (fd_ >= 0) {
    close(fd_);
  }
}

Result<Network> Network::Create(const std::string& name) {
  const MacAddress mac =
      SLIP_TRY(MacAddress::Parse(ReadText("/sys/class/net/" + name + "/address")));
  SetUp(name);
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) {
    return FailErrno(errno);
  }
  Network network(fd, name, mac);
  constexpr int kOn = 1;
  const sockaddr_in any = SocketAddress({}, kClientPort);
  if (setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &kOn, sizeof(kOn)) != 0 ||
      setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &kOn, sizeof(kOn)) != 0 ||
      setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name.c_str(),
                 static_cast<socklen_t>(name.size())) != 0 ||
      bind(fd, reinterpret_cast<const sockaddr*>(&any), sizeof(any)) != 0) {
    return FailErrno(errno);
  }
  return network;
}

void Network::Send(const DhcpClient& client, MutableByteSpan packet) const {
  if (packet.empty()) {
    return;
  }
  const sockaddr_in to = SocketAddress(client.destination(), kServerPort);
  // A packet that cannot leave (the link is down) is sent again when its timer fires.
  (void)sendto(fd_, packet.data(), packet.size(), 0, reinterpret_cast<const sockaddr*>(&to),
               sizeof(to));
}

void Network::Apply() {
  const DhcpBinding& binding = client_.binding();
  if (binding.address == configured_) {
    return;
  }
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const bool done = SetField(fd, name_, SIOCSIFADDR, binding.address) &&
                    SetField(fd, name_, SIOCSIFNETMASK, Ipv4Mask(binding.prefix_bits)) &&
                    (binding.router.is_any() || AddDefaultRoute(fd, name_, binding.router));
  if (!done) {
    Say("cannot configure " + name_ + ": " + std::strerror(errno));
  }
  close(fd);
  configured_ = binding.address;
  const IpPrefix prefix{.address = binding.address, .bits = binding.prefix_bits};
  Say("network " + name_ + " " + std::string(ToText(mac_).view()) + " " +
      std::string(ToText(prefix).view()));
}

bool Network::Step() {
  std::array<std::byte, kPacketBytesMax> in{};
  std::array<std::byte, kPacketBytesMax> out{};
  constexpr int kPacketsPerStepMax = 32;
  for (int i = 0; i < kPacketsPerStepMax; ++i) {
    const ssize_t size = recv(fd_, in.data(), in.size(), 0);
    if (size <= 0) {
      break;
    }
    const Result<std::size_t> answer =
        client_.OnPacket(std::span(in).first(static_cast<std::size_t>(size)), UptimeMs(), out);
    if (answer) {
      Send(client_, std::span(out).first(*answer));
    }
  }
  const std::size_t due = client_.OnTimer(UptimeMs(), out);
  Send(client_, std::span(out).first(due));
  const bool has_address = client_.state() != DhcpClient::State::kSelecting &&
                           client_.state() != DhcpClient::State::kRequesting;
  if (has_address) {
    Apply();
  }
  return has_address;
}

}  // namespace slipway::launcher
