// ARP for IPv4 over Ethernet (RFC 826): probes for an address (RFC 5227 2.1.1), and what is heard.
//
//   0               6               12    14          18  20
//   +---------------+---------------+-----+-----+-----+--+--+-----+
//   | destination   | source        |0806 |0001 |0800 |6 |4 | op  |
//   +---------------+-------+-------+-----+-----+-----+--+--+-----+
//   22 sender MAC    28 sender IPv4  32 target MAC   38 target IPv4
#pragma once

#include <cstddef>
#include <cstdint>

#include "dataplane/base/address.h"
#include "dataplane/base/cursor.h"
#include "dataplane/base/result.h"

namespace slipway::net {

inline constexpr std::uint16_t kEtherTypeArp = 0x0806;
inline constexpr std::size_t kArpFrameBytes = 42;

enum class ArpOperation : std::uint16_t { kRequest = 1, kReply = 2 };

struct ArpView {
  ArpOperation operation = ArpOperation::kRequest;
  MacAddress sender_mac;
  Ipv4Address sender;
  MacAddress target_mac;
  Ipv4Address target;
};

// Writes a broadcast question for `target` that claims no address for itself. Error: kTooLarge if
// it does not fit `out`.
[[nodiscard]] Result<std::size_t> BuildArpProbe(MutableByteSpan out, MacAddress sender,
                                                Ipv4Address target) noexcept;

// Errors: kTruncated; kUnsupported for what is not a request or reply for IPv4 over Ethernet.
[[nodiscard]] Result<ArpView> ParseArpFrame(ByteSpan frame) noexcept;

}  // namespace slipway::net
