// What the shard that owns the leases notices about its networks and tells as events: pools that
// fill up, and DHCP servers that are not ours.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "dataplane/base/address.h"
#include "dataplane/base/bounded.h"
#include "dataplane/base/time.h"
#include "dataplane/config/snapshot.h"
#include "dataplane/lease/lease_table.h"
#include "dataplane/service/interface_table.h"
#include "dataplane/service/rack_event.h"

namespace slipway::service {

// Events of one foreign server on one interface are at least this far apart.
inline constexpr Duration kForeignRepeat = Duration::Seconds(3600);
inline constexpr std::size_t kForeignServersMax = 64;
// How long the event waits for the server's MAC.
inline constexpr Duration kMacWait = Duration::Seconds(1);

// How full a pool is, as people are told. A pool must be clearly emptier again to leave a level.
enum class PoolLevel : std::uint8_t { kFine, kFilling, kNearlyFull, kExhausted };

// The level of a pool that was at `before`: up at 80 %, at 95 %, and when nothing is left; down
// below 75 %, 90 % and 98 %. A pool without addresses is fine.
[[nodiscard]] PoolLevel NextLevel(PoolLevel before, const lease::PoolCounts& counts) noexcept;

// Thread: the shard that owns the leases. All memory at construction.
class DhcpWatch {
 public:
  // Both outlive this.
  DhcpWatch(EventSink* events, const lease::LeaseTable* leases);

  // Looks at the next `budget` subnets; it goes round.
  void LookAtPools(const config::Snapshot& snapshot, std::size_t budget);

  // What was heard of a server that is not ours.
  struct Foreign {
    IpAddress server;  // what it calls itself, or where it speaks from
    IpAddress source;
    IpAddress offered;
    IpAddress relay;  // to which it spoke; not set: to us
    MacAddress mac;   // zero: not known
    std::uint32_t ifindex = 0;
    const ServedLink* link = nullptr;  // nullptr: one that is not served
  };

  // True if it is news, and its MAC would be good to know: ask who has its source address. It is
  // told when OnMac says so, or kMacWait later without.
  [[nodiscard]] bool OnForeignServer(const Foreign& foreign, Instant now);
  // Somebody says on that interface that the address is theirs.
  void OnMac(const IpAddress& address, MacAddress mac, std::uint32_t ifindex);
  // Call now and then: tells what has waited for a MAC long enough.
  void TellWaiting(Instant now);

 private:
  struct Watched {
    config::RecordId subnet = 0;  // 0: free
    PoolLevel level = PoolLevel::kFine;
  };

  struct Told {
    IpAddress server;
    std::uint32_t ifindex = 0;
    Instant at;
    bool waits = false;  // for a MAC: then what follows is to be told
    IpAddress source;
    InterfaceName interface;  // empty: not served
    IpAddress offered;
    IpAddress relay;
  };

  void Tell(Told& told, MacAddress mac);

  [[nodiscard]] PoolLevel& LevelOf(config::RecordId subnet) noexcept;
  void TellPool(const config::SubnetRecord& subnet, PoolLevel level,
                const lease::PoolCounts& counts);

  EventSink* events_;
  const lease::LeaseTable* leases_;
  std::vector<Watched> watched_;  // open addressing
  std::size_t watched_count_ = 0;
  std::size_t next_ = 0;
  FixedVector<Told, kForeignServersMax> told_;
};

}  // namespace slipway::service
