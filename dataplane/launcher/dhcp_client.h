// The launcher's DHCPv4 client (RFC 2131 section 4.4) for one interface: pure. Packets and times
// come in, packets to send come out; network.h owns the socket.
#pragma once

#include <cstdint>

#include "dataplane/base/address.h"
#include "dataplane/base/cursor.h"
#include "dataplane/base/result.h"
#include "dataplane/dhcp/client.h"

namespace slipway::launcher {

struct DhcpBinding {
  Ipv4Address address;
  Ipv4Address server;
  Ipv4Address router;  // any: none given
  std::uint8_t prefix_bits = 24;
  std::int64_t renew_at_ms = 0;
  std::int64_t rebind_at_ms = 0;
  std::int64_t expires_at_ms = 0;
};

// One thread. Time is milliseconds of any clock that does not jump.
class DhcpClient {
 public:
  enum class State : std::uint8_t { kSelecting, kRequesting, kBound, kRenewing, kRebinding };

  DhcpClient(MacAddress mac, std::uint32_t xid, std::int64_t now_ms) noexcept
      : mac_(mac), xid_(xid), started_ms_(now_ms), deadline_ms_(now_ms) {}

  [[nodiscard]] State state() const noexcept { return state_; }

  [[nodiscard]] const DhcpBinding& binding() const noexcept { return binding_; }

  // When OnTimer wants to be called.
  [[nodiscard]] std::int64_t deadline_ms() const noexcept { return deadline_ms_; }

  // Where a packet goes that OnTimer or OnPacket wrote: broadcast, or the server for a renewal.
  [[nodiscard]] Ipv4Address destination() const noexcept;

  // Writes the packet that is due now into `out` and returns its length; 0: nothing is due.
  // REQUIRES: room for 576 bytes.
  [[nodiscard]] std::size_t OnTimer(std::int64_t now_ms, MutableByteSpan out);

  // Takes a datagram from port 67. Returns the length of the answer in `out`, 0 for none: look at
  // state() for what changed. Errors (those of dhcp::DecodeReply; kUnsupported: not now) leave
  // everything as it was.
  [[nodiscard]] Result<std::size_t> OnPacket(ByteSpan packet, std::int64_t now_ms,
                                             MutableByteSpan out);

 private:
  [[nodiscard]] std::size_t Send(std::int64_t now_ms, MutableByteSpan out);
  void Restart(std::int64_t now_ms) noexcept;
  [[nodiscard]] Result<std::size_t> OnOffer(const dhcp::ClientLease& reply, std::int64_t now_ms,
                                            MutableByteSpan out);
  [[nodiscard]] Result<std::size_t> OnAck(const dhcp::ClientLease& reply, std::int64_t now_ms);

  MacAddress mac_;
  std::uint32_t xid_;
  std::int64_t started_ms_;
  std::int64_t deadline_ms_;
  State state_ = State::kSelecting;
  std::uint32_t tries_ = 0;
  DhcpBinding binding_;
};

}  // namespace slipway::launcher
