// The client's side, for the launcher and for test clients: messages out, answers in. States and
// time-outs are the caller's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "dataplane/base/address.h"
#include "dataplane/base/bounded.h"
#include "dataplane/base/cursor.h"
#include "dataplane/base/result.h"
#include "dataplane/dhcp/message.h"

namespace slipway::dhcp {

struct ClientRequest {
  MessageType type = MessageType::kDiscover;  // or kRequest, kRelease, kDecline, kInform
  std::uint32_t xid = 0;
  std::uint16_t secs = 0;
  MacAddress mac;
  Ipv4Address ciaddr;     // RENEWING, REBINDING, RELEASE, INFORM
  Ipv4Address requested;  // SELECTING, INIT-REBOOT, DECLINE
  Ipv4Address server;     // SELECTING, RELEASE, DECLINE
  std::string_view vendor_class = "slipway-launcher";
  std::string_view hostname;
  bool broadcast = false;
};

// Returns the length; at least kBootpBytesMin. kTooLarge if `out` is smaller than that.
[[nodiscard]] Result<std::size_t> EncodeRequest(MutableByteSpan out,
                                                const ClientRequest& request) noexcept;

struct ClientLease {
  MessageType type = MessageType::kNone;  // kOffer, kAck or kNak
  Ipv4Address address;
  Ipv4Address server;  // its identifier
  std::uint8_t prefix_bits = 0;
  Ipv4Address router;  // any: none
  FixedVector<Ipv4Address, 4> dns_servers;
  FixedVector<Ipv4Address, 4> ntp_servers;
  FixedString<253> domain;
  FixedString<63> hostname;
  std::uint32_t lease_seconds = 0;
  std::uint32_t renewal_seconds = 0;    // T1; computed if the server does not say
  std::uint32_t rebinding_seconds = 0;  // T2
};

// Reads a reply to `xid` and `mac`. Errors: as Decode; kNotFound if it is for somebody else or no
// reply; kMalformed if it lacks what it must have (server identifier, lease time, mask).
[[nodiscard]] Result<ClientLease> DecodeReply(ByteSpan packet, std::uint32_t xid,
                                              MacAddress mac) noexcept;

}  // namespace slipway::dhcp
