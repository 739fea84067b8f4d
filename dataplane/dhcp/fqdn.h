// Option 81, the client's name for the DNS (RFC 4702). No name enters the DNS by it: the first
// label is recorded with the lease, and the answer says so.
//
//   flags (----NEOS) | rcode1 | rcode2 | domain name: wire form if E, else text
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "dataplane/base/cursor.h"
#include "dataplane/config/records.h"

namespace slipway::dhcp {

// Of the option's value: three bytes and a name.
inline constexpr std::size_t kFqdnBytesMax = 255;

// The first label of the client's name if the whole is a name of letters, digits and hyphens;
// empty otherwise.
[[nodiscard]] config::HostName HostNameOfFqdn(ByteSpan value) noexcept;

// Writes the answer to `asked` into `out` and returns its length: hostname.domain in the encoding
// that the client used, or no name if there is no hostname. REQUIRES: kFqdnBytesMax bytes in `out`,
// and 3 in `asked`.
[[nodiscard]] std::size_t AnswerFqdn(MutableByteSpan out, ByteSpan asked, std::string_view hostname,
                                     std::string_view domain) noexcept;

}  // namespace slipway::dhcp
