// Notices a client that fetches the same stage for ever, and says so once it is sure. Pure: no
// clock; a fixed table, the stalest entry of a bucket gives way.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "dataplane/base/address.h"
#include "dataplane/base/time.h"
#include "dataplane/boot/client_table.h"

namespace slipway::boot {

struct LoopOptions {
  std::size_t clients_max = 4096;  // rounded up to a power of two
  std::uint8_t repeats_max = 6;    // the same stage so often in a row, within its window
  Duration cool_down = Duration::Seconds(60);  // silence about boot files after a loop
};

// What a client is told to fetch next.
struct LoopStage {
  std::uint64_t key = 0;  // StageKey of what it is
  Duration window;        // repeats within this count; as long as some rounds of such a loop take
};

// Loader after loader takes seconds.
inline constexpr Duration kLoaderWindow = Duration::Seconds(300);
// A kernel with its environment takes minutes until it gives up.
inline constexpr Duration kScriptWindow = Duration::Seconds(1800);

[[nodiscard]] std::uint64_t StageKey(std::string_view what) noexcept;

// The reason of a plan that the guard has changed.
inline constexpr std::string_view kLoopReason = "boot-loop";

enum class LoopVerdict : std::uint8_t {
  kFine,
  kLoopFound,  // this observation made it a loop: report it
  kLoop,       // still cooling down: give no boot file
};

// One thread. All memory at construction.
class LoopGuard {
 public:
  explicit LoopGuard(const LoopOptions& options);

  // A client was handed `stage`. Another key than last time is progress and starts over. The same
  // `attempt` (a transaction id) as last time is a retransmission and counts once.
  [[nodiscard]] LoopVerdict Observe(MacAddress mac, const LoopStage& stage, std::uint32_t attempt,
                                    Instant now) noexcept;
  // What Observe would say, without observing.
  [[nodiscard]] LoopVerdict Preview(MacAddress mac, const LoopStage& stage, std::uint32_t attempt,
                                    Instant now) const noexcept;
  // True while a client that was found looping cools down.
  [[nodiscard]] bool IsBlocked(MacAddress mac, Instant now) const noexcept;
  // The client got further than any stage (its inventory arrived, its OS asked for a lease).
  void Progress(MacAddress mac) noexcept;

 private:
  struct Entry {
    std::uint64_t mac = 0;  // 0: free
    std::uint64_t stage_key = 0;
    Instant first;
    Instant last;
    Instant blocked_until;
    std::uint32_t attempt = 0;
    std::uint8_t repeats = 0;
  };

  [[nodiscard]] LoopVerdict Advance(Entry& entry, const LoopStage& stage, std::uint32_t attempt,
                                    Instant now) const noexcept;

  LoopOptions options_;
  ClientTable<Entry> clients_;
};

}  // namespace slipway::boot
