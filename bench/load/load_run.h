// The generator of `slipway-bench dhcp`: one thread that spins, because one that sleeps bills its
// wake-ups to the server.
#pragma once

#include <cstdint>
#include <vector>

#include "bench/load/load_wire.h"

namespace slipway::bench {

struct LoadClient {
  IpAddress address;  // what it was offered or has
  enum class At : std::uint8_t { kIdle, kDiscovering, kRequesting, kDone } at = At::kIdle;
  std::int64_t due_ns = 0;  // when it was to begin
};

struct LoadOptions {
  enum class Work : std::uint8_t {
    kDora,      // DISCOVER to ACK, of clients that were never seen
    kRenew,     // REQUEST to ACK, of clients that have a lease
    kDiscover,  // DISCOVER to OFFER
  } work = Work::kDora;
  std::uint32_t first = 0;  // clients first .. first + count - 1, each once
  std::uint32_t count = 0;
  double rate = 0;             // begun per second, whatever the server does (open loop);
  std::uint32_t window = 128;  // or, with rate 0, as many under way (closed loop)
  std::int64_t time_ms = 1000;
  std::int64_t lost_ms = 1000;  // an exchange that has not ended then is lost; nothing is repeated
};

struct LoadResult {
  std::uint64_t begun = 0;
  std::uint64_t done = 0;
  std::uint64_t naked = 0;
  std::uint64_t wrong = 0;  // an address that is not the client's or that another one has
  double seconds = 0;       // first beginning to last end
  double busy_us = 0;       // of the generator, for each exchange
  std::vector<double> ms;   // from due to the end
};

// `clients` has room for all of them and keeps what they were given.
[[nodiscard]] LoadResult RunLoad(LoadWire& wire, std::vector<LoadClient>& clients,
                                 const LoadOptions& options);

}  // namespace slipway::bench
