// Bounds what one client can add to the boot trace, and with it to the outbox. Pure: no clock.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "dataplane/base/time.h"
#include "dataplane/boot/client_table.h"
#include "dataplane/boot/step.h"

namespace slipway::boot {

struct StepLimits {
  std::size_t clients_max = 2048;               // rounded up to a power of two
  Duration repeat_min = Duration::Seconds(1);   // between two equal steps: doubles with each, ...
  Duration repeat_max = Duration::Seconds(60);  // ... up to this
  Duration quiet = Duration::Seconds(120);      // after which a step is new again
  std::int64_t burst = 64;                      // steps of one client at once, ...
  Duration interval = Duration::Seconds(2);     // ... and one per so long in the long run
};

// Firmware repeats itself, and so does who floods: equal steps of a client (kind, name and outcome)
// are told ever more seldom while they go on, the next one with the number of those between. All
// steps of a client together have a bound as well. One thread. All memory at construction.
class StepGate {
 public:
  explicit StepGate(const StepLimits& limits);

  // False: not to be told, it is counted. A step that stands for others says so in its name.
  [[nodiscard]] bool Admit(BootStep& step, Instant now) noexcept;

  // Since the first message with this transaction id of the client: 0 for the first itself.
  [[nodiscard]] Duration SinceFirst(MacAddress mac, std::uint32_t xid, Instant now) noexcept;

 private:
  static constexpr std::size_t kKinds = 8;  // of different steps that are remembered of a client

  struct Told {
    std::uint32_t key = 0;  // 0: free
    std::uint16_t held = 0;
    std::uint8_t doublings = 0;
    Instant at;
  };

  struct Entry {
    std::uint64_t mac = 0;
    Instant last;
    Instant theoretical;  // the bound on all: generic cell rate
    std::uint32_t xid = 0;
    Instant first;  // message with this xid
    std::array<Told, kKinds> told;
  };

  [[nodiscard]] Told& FindTold(Entry& entry, std::uint32_t key) const noexcept;
  [[nodiscard]] bool IsTooSoon(Told& told, Instant now) const noexcept;

  StepLimits limits_;
  ClientTable<Entry> clients_;
};

}  // namespace slipway::boot
