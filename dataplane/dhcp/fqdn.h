// The client's name for the DNS: option 81 (RFC 4702), 39 of DHCPv6 (RFC 4704). No name enters the
// DNS by it: the first label is recorded with the lease, and the answer says so.
//
//   81: flags (----NEOS) | rcode1 | rcode2 | domain name: wire form if E, else text
//   39: flags (-----NOS) | domain name in wire form
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "dataplane/base/cursor.h"
#include "dataplane/config/records.h"
#include "dataplane/dhcp/domain_names.h"

namespace slipway::dhcp {

// Of option 81's value: three bytes and a name.
inline constexpr std::size_t kFqdnBytesMax = 255;

// The first label of the client's name if the whole is a name of letters, digits and hyphens;
// empty otherwise.
[[nodiscard]] config::HostName HostNameOfFqdn(ByteSpan value) noexcept;

// Likewise of a name in wire form alone; a partial one has no root label (RFC 4702 2.3.1).
[[nodiscard]] config::HostName HostNameOfWireName(ByteSpan name) noexcept;

// hostname.domain, or the hostname where there is no domain; empty without a hostname, or if it
// were longer than names can be.
[[nodiscard]] NameText FullName(std::string_view hostname, std::string_view domain) noexcept;

// Writes the answer to `asked`, of option 81, into `out` and returns its length: hostname.domain in
// the encoding that the client used, or no name if there is no hostname. REQUIRES: kFqdnBytesMax
// bytes in `out`, and 3 in `asked`.
[[nodiscard]] std::size_t AnswerFqdn(MutableByteSpan out, ByteSpan asked, std::string_view hostname,
                                     std::string_view domain) noexcept;

}  // namespace slipway::dhcp
