// Another generator against the same server, so that ours can be believed: perfdhcp, of Kea.
#pragma once

#include <cstdint>
#include <string>

namespace slipway::bench {

// What perfdhcp says of its four-message exchanges.
struct PerfDhcpReport {
  std::uint64_t begun = 0;  // DISCOVERs sent
  std::uint64_t done = 0;   // ACKs received
  double offer_ms = 0;      // mean, DISCOVER to OFFER
  double ack_ms = 0;        // mean, REQUEST to ACK
};

// Reads its report. Zeros where it says nothing.
[[nodiscard]] PerfDhcpReport ReadPerfDhcp(const std::string& text);

}  // namespace slipway::bench
