// A client's packet as somebody describes it who asks what would become of it: the packet that such
// a client would send, for Dhcp4Engine::Explain.
#pragma once

#include <cstddef>
#include <cstdint>

#include "dataplane/base/address.h"
#include "dataplane/base/bounded.h"
#include "dataplane/base/cursor.h"
#include "dataplane/base/result.h"
#include "dataplane/dhcp/engine6.h"
#include "dataplane/dhcp/message.h"
#include "dataplane/lease/lease.h"

namespace slipway::dhcp {

using ClassText = FixedString<63>;

struct Question {
  MessageType type = MessageType::kDiscover;  // kNone: BOOTP
  MacAddress mac;
  bool has_architecture = false;
  std::uint16_t architecture = 0;  // option 93
  ClassText vendor_class;          // empty: what firmware of the architecture says
  ClassText user_class;            // "iPXE" brings iPXE's option 175 along
  lease::ClientId client_id;       // option 61, its type byte included; empty: none
  Ipv4Address ciaddr;              // it has this address: RENEWING, RELEASE, INFORM
  Ipv4Address requested;           // option 50
  Ipv4Address server;              // option 54
  Ipv4Address relay;               // giaddr
  Ipv4Address link_selection;      // option 82.5, with a relay
};

// A DHCPv6 client's, for Dhcp6Engine::Explain.
struct Question6 {
  MessageType6 type = MessageType6::kSolicit;
  MacAddress mac;        // zero: the client shows none
  lease::ClientId duid;  // empty: made of the MAC (RFC 8415 11.4)
  bool has_architecture = false;
  std::uint16_t architecture = 0;  // option 61
  ClassText vendor_class;          // empty: what firmware of the architecture says
  ClassText user_class;
  Ipv6Address address;  // that it has, or asks for
  Ipv6Address relay;    // its link-address; any: none
  Duid server;          // named by the types that name one; empty: by none
};

// Returns the length. kTooLarge if `out` is too small; kMessageBytesMin always suffices.
[[nodiscard]] Result<std::size_t> EncodeQuestion6(MutableByteSpan out,
                                                  const Question6& question) noexcept;
// Where such a packet comes from: its relay, or a link-local address of the client's MAC.
[[nodiscard]] Ipv6Address SourceOf(const Question6& question) noexcept;

// Returns the length. kTooLarge if `out` is too small; kMessageBytesMin always suffices.
[[nodiscard]] Result<std::size_t> EncodeQuestion(MutableByteSpan out,
                                                 const Question& question) noexcept;

}  // namespace slipway::dhcp
