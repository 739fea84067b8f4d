// The TCP connections below the ROUTER, as its monitor tells them: bounds their number, and the
// number of each address that have not got through the handshake. libzmq has no such limits and no
// call that drops a peer; it does tell the descriptors, and a shut-down descriptor is a lost peer
// to it. Descriptors are reused: each connection has a serial, and a descriptor is shut only while
// it still is that connection, as far as the monitor has told, and a connection of our port. So the
// worst a race can do is to drop another peer of the link, which comes again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>

namespace slipway::link {

class Connections {
 public:
  Connections(std::size_t connections_max, std::size_t half_open_per_address_max)
      : connections_max_(connections_max), half_open_max_(half_open_per_address_max) {}

  // The port that we are bound to.
  void set_port(std::uint16_t port) noexcept { port_ = port; }

  // False: over a limit; it was shut.
  [[nodiscard]] bool OnAccepted(int fd);
  void OnDisconnected(int fd);
  // A message came by it: its handshake is done.
  void OnAuthenticated(int fd);
  // Of the connection that has the descriptor now; 0: none that we know.
  [[nodiscard]] std::uint64_t SerialOf(int fd) const;
  // Drops the peer if the connection still is there.
  void Shut(int fd, std::uint64_t serial) const;

  [[nodiscard]] std::size_t size() const noexcept { return peers_.size(); }

 private:
  struct Peer {
    std::string address;
    std::uint64_t serial = 0;
    bool half_open = true;
  };

  void Forget(const Peer& peer);

  const std::size_t connections_max_;
  const std::size_t half_open_max_;
  std::uint16_t port_ = 0;
  std::uint64_t next_serial_ = 1;
  std::unordered_map<int, Peer> peers_;
  std::unordered_map<std::string, std::size_t> half_open_;
};

}  // namespace slipway::link
