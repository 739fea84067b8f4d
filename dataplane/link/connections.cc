#include "dataplane/link/connections.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>
#include <utility>

namespace slipway::link {
namespace {

// Copies the fields out: sockaddr_storage holds either family.
std::uint16_t PortOf(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &address, sizeof(v4));
    return ntohs(v4.sin_port);
  }
  if (address.ss_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &address, sizeof(v6));
    return ntohs(v6.sin6_port);
  }
  return 0;
}

std::string HostOf(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &address, sizeof(v4));
    return {reinterpret_cast<const char*>(&v4.sin_addr), sizeof(v4.sin_addr)};
  }
  sockaddr_in6 v6{};
  std::memcpy(&v6, &address, sizeof(v6));
  return {reinterpret_cast<const char*>(&v6.sin6_addr), sizeof(v6.sin6_addr)};
}

}  // namespace

bool Connections::OnAccepted(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return true;  // Gone already; its end follows or has been told.
  }
  OnDisconnected(fd);  // The descriptor is new: what we knew of it is old.
  Peer peer{.address = HostOf(address), .serial = next_serial_++};
  std::size_t& half_open = half_open_[peer.address];
  const bool fits = peers_.size() < connections_max_ && half_open < half_open_max_;
  ++half_open;
  const std::uint64_t serial = peer.serial;
  peers_.emplace(fd, std::move(peer));
  if (!fits) {
    Shut(fd, serial);
  }
  return fits;
}

void Connections::OnDisconnected(int fd) {
  const auto found = peers_.find(fd);
  if (found == peers_.end()) {
    return;
  }
  Forget(found->second);
  peers_.erase(found);
}

void Connections::OnAuthenticated(int fd) {
  const auto found = peers_.find(fd);
  if (found != peers_.end() && found->second.half_open) {
    Forget(found->second);
    found->second.half_open = false;
  }
}

void Connections::Forget(const Peer& peer) {
  if (!peer.half_open) {
    return;
  }
  const auto found = half_open_.find(peer.address);
  if (found != half_open_.end() && --found->second == 0) {
    half_open_.erase(found);
  }
}

std::uint64_t Connections::SerialOf(int fd) const {
  const auto found = peers_.find(fd);
  return found == peers_.end() ? 0 : found->second.serial;
}

void Connections::Shut(int fd, std::uint64_t serial) const {
  if (serial == 0 || SerialOf(fd) != serial) {
    return;
  }
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0 &&
      PortOf(address) == port_) {
    (void)shutdown(fd, SHUT_RDWR);
  }
}

}  // namespace slipway::link
