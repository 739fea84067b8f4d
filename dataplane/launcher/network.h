// The network interface that the machine was booted from: up, addressed, and kept so.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "dataplane/base/address.h"
#include "dataplane/base/result.h"
#include "dataplane/launcher/dhcp_client.h"

namespace slipway::launcher {

// Sets every Ethernet interface up, so that links and speeds can be read.
void BringUpAll();

// The interface with this address; without one the first Ethernet interface whose link is up.
// "" if there is none (yet).
[[nodiscard]] std::string FindInterface(std::optional<MacAddress> mac);

// One interface with a DHCP client on it. One thread; owns its socket.
class Network {
 public:
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;
  Network(Network&&) noexcept;
  Network& operator=(Network&&) = delete;
  ~Network();

  // Binds UDP port 68 to the interface. kSystem: errno.
  [[nodiscard]] static Result<Network> Create(const std::string& name);

  // The socket, for poll().
  [[nodiscard]] int fd() const noexcept { return fd_; }

  [[nodiscard]] std::int64_t deadline_ms() const noexcept { return client_.deadline_ms(); }

  [[nodiscard]] const DhcpBinding& binding() const noexcept { return client_.binding(); }

  [[nodiscard]] MacAddress mac() const noexcept { return mac_; }

  [[nodiscard]] const std::string& name() const noexcept { return name_; }

  // Does what is due and takes what has come in. Never blocks. True if the machine has an address.
  bool Step();

 private:
  Network(int fd, std::string name, MacAddress mac);

  void Send(const DhcpClient& client, MutableByteSpan packet) const;
  void Apply();

  int fd_;
  std::string name_;
  MacAddress mac_;
  DhcpClient client_;
  Ipv4Address configured_;  // what the interface has now
};

}  // namespace slipway::launcher
