// Notices a client that fetches the same stage for ever, and says so once it is sure. Pure: no
// clock; a fixed table, the stalest entry of a bucket gives way.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "dataplane/base/address.h"
#include "dataplane/base/time.h"

namespace slipway::boot {

struct LoopOptions {
  std::size_t clients_max = 4096;  // rounded up to a power of two
  std::uint8_t repeats_max = 6;    // the same stage so often in a row, within the window
  Duration window = Duration::Seconds(300);
  Duration cool_down = Duration::Seconds(60);  // silence about boot files after a loop
};

enum class LoopVerdict : std::uint8_t {
  kFine,
  kLoopFound,  // this observation made it a loop: report it
  kLoop,       // still cooling down: give no boot file
};

// One thread. All memory at construction.
class LoopGuard {
 public:
  explicit LoopGuard(const LoopOptions& options);

  // A client was handed `stage_key` (a hash of what it was told to fetch). Another key than last
  // time is progress and starts over. The same `attempt` (a transaction id) as last time is a
  // retransmission and counts once.
  [[nodiscard]] LoopVerdict Observe(MacAddress mac, std::uint64_t stage_key, std::uint32_t attempt,
                                    Instant now) noexcept;
  // What Observe would say, without observing.
  [[nodiscard]] LoopVerdict Preview(MacAddress mac, std::uint64_t stage_key, std::uint32_t attempt,
                                    Instant now) const noexcept;
  // True while a client that was found looping cools down.
  [[nodiscard]] bool IsBlocked(MacAddress mac, Instant now) const noexcept;
  // The client got further than any stage (its inventory arrived, its OS asked for a lease).
  void Progress(MacAddress mac) noexcept;

 private:
  static constexpr std::size_t kWays = 4;

  struct Entry {
    std::uint64_t mac = 0;  // 0: free
    std::uint64_t stage_key = 0;
    Instant first;
    Instant last;
    Instant blocked_until;
    std::uint32_t attempt = 0;
    std::uint8_t repeats = 0;
  };

  [[nodiscard]] std::size_t BucketOf(std::uint64_t mac) const noexcept;
  [[nodiscard]] const Entry* Find(std::uint64_t mac) const noexcept;
  [[nodiscard]] Entry& FindOrTake(std::uint64_t mac) noexcept;

  [[nodiscard]] LoopVerdict Advance(Entry& entry, std::uint64_t stage_key, std::uint32_t attempt,
                                    Instant now) const noexcept;

  LoopOptions options_;
  std::vector<Entry> entries_;
};

}  // namespace slipway::boot
