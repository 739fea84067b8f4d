// An open loop of DHCP exchanges: one client begins every so often, whatever the server does.
#pragma once

#include <cstdint>
#include <vector>

#include "bench/load/dhcp_wire.h"

namespace slipway::bench {

struct DoraOptions {
  std::uint32_t first_host = 0;
  std::uint32_t hosts = 1000;
  double rate = 1000;           // exchanges begun per second
  std::int64_t tail_ms = 2000;  // after the last one began
  int tries = 1;                // DISCOVERs and REQUESTs of a client, 500 ms apart
};

struct DoraResult {
  std::uint64_t begun = 0;
  std::uint64_t offered = 0;
  std::uint64_t acked = 0;
  std::uint64_t naked = 0;
  std::uint64_t wrong = 0;       // an address that is not the client's
  double seconds = 0;            // first beginning to last ACK
  std::vector<double> ack_ms;    // when the exchange was due to begin, to its ACK
  std::vector<double> offer_ms;  // to its OFFER
};

// The calling thread spins.
[[nodiscard]] DoraResult RunDora(DhcpWire& wire, const DoraOptions& options);

}  // namespace slipway::bench
