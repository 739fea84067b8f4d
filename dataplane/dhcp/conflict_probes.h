// Questions on the wire whether an address that is being offered is in use (RFC 5227 2.1.1 for
// IPv4, RFC 4861 7.2.2 for IPv6, sent by the server): asked beside the offer, which does not wait.
// Pure: no frame and no clock.
//
// Owner: the engine; one thread. All memory at construction. Bound: kProbesPerSecondMax.
#pragma once

#include <cstdint>
#include <vector>

#include "dataplane/base/address.h"
#include "dataplane/base/time.h"

namespace slipway::dhcp {

inline constexpr std::uint32_t kProbesPerSecondMax = 256;
// Answers count for this long, and the same address is not asked for again before.
inline constexpr Duration kProbeLife = Duration::Seconds(2);

class ConflictProbes {
 public:
  ConflictProbes();

  // True if the question is to be sent: it is within the budget and was not asked just now.
  [[nodiscard]] bool Begin(const IpAddress& address, MacAddress client, std::uint32_t ifindex,
                           Instant now) noexcept;

  // Somebody says that the address is theirs. Returns the client that it was offered to if that is
  // an answer to a question of ours and a conflict; zero otherwise. An answer counts once.
  [[nodiscard]] MacAddress Answered(const IpAddress& address, MacAddress by, std::uint32_t ifindex,
                                    Instant now) noexcept;

 private:
  struct Probe {
    IpAddress address;  // not set: free
    std::uint32_t ifindex = 0;
    MacAddress client;
    Instant asked;
  };

  [[nodiscard]] Probe& SlotOf(const IpAddress& address) noexcept;

  std::vector<Probe> probes_;  // by address; a newer one takes an older one's place
  Instant second_;             // when the budget was last filled
  std::uint32_t used_ = 0;     // of it
};

}  // namespace slipway::dhcp
