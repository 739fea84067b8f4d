// The region's end of the control link: one thread with the ROUTER, the ZAP handler, and a
// RegionSession per connection. The only place in the region that knows ZeroMQ.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/base/counter.h"
#include "dataplane/base/log.h"
#include "dataplane/base/result.h"
#include "dataplane/base/seams.h"
#include "dataplane/link/interfaces.h"
#include "dataplane/link/join_token.h"
#include "dataplane/link/region_core.h"

namespace slipway::region_link {

using link::RackId;

struct RegionEndOptions {
  std::string bind = "tcp://*:5250";  // port 0 or "*": any free one, see endpoint()
  link::KeyPair key;                  // link::LoadOrCreateKeyPair
  std::uint64_t epoch = 0;            // of the store
  std::size_t connections_max = 4096;
  // Of one address, before their handshake is done; more are cut off at once.
  std::size_t half_open_per_address_max = 32;
};

// All outlive the end. Called on the link thread.
struct RegionEndOwners {
  link::RackDirectory* directory = nullptr;
  link::RackObserver* observer = nullptr;
  link::SnapshotSource* snapshots = nullptr;
  link::FactSink* facts = nullptr;
  Clock* clock = nullptr;
  Random* random = nullptr;
  LogSink* log = nullptr;  // may be null
};

enum class ZapResult : std::uint8_t {
  kRackAdmitted,
  kTokenAdmitted,
  kUnknownKey,
  kRevoked,
  kTokenUsed,
  kTokenExpired,
  kMechanism,  // not CURVE
  kMalformed,  // a request that is not ZAP 1.0
  kCount,
};

struct RegionEndCounters {
  link::LinkCounters link;
  std::array<Counter, static_cast<std::size_t>(ZapResult::kCount)> zap;
  Counter connections_refused;  // over a limit
  Counter handshakes_failed;
  Counter racks_up;     // now
  Counter connections;  // TCP connections now

  [[nodiscard]] std::uint64_t Zap(ZapResult result) const noexcept {
    return zap[static_cast<std::size_t>(result)].value();
  }
};

class RegionEnd {
 public:
  // Binds (limits and security are set before); kBusy if the port is taken. No thread yet.
  [[nodiscard]] static Result<std::unique_ptr<RegionEnd>> Create(RegionEndOptions options,
                                                                 RegionEndOwners owners);
  RegionEnd(const RegionEnd&) = delete;
  RegionEnd& operator=(const RegionEnd&) = delete;
  ~RegionEnd();

  [[nodiscard]] Result<void> Start();
  // Tells the racks, closes, joins. No call to the owners afterwards.
  void Stop();

  // Where it is bound: "tcp://0.0.0.0:5250".
  [[nodiscard]] std::string endpoint() const;
  [[nodiscard]] link::PublicKey public_key() const;

  // ---- any thread ----
  // The snapshot source has something newer, for one rack or (0) for all. Merged while on its way.
  void NotifyPublished(RackId rack = 0);
  // The directory has changed: sessions that it no longer admits are closed now. (Messages are
  // checked anyway, each one.)
  void NotifyDirectory();
  // Asks a rack; `done` is called on the link thread, or at once with kFull or kUnavailable.
  void Query(RackId rack, std::string topic, std::string argument, link::QueryDone done);

  [[nodiscard]] const RegionEndCounters& counters() const noexcept;

  static constexpr std::size_t kTasksMax = 16'384;

 private:
  class Impl;
  explicit RegionEnd(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace slipway::region_link
