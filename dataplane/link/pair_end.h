// The link between the two racks of a pair: one thread, one TCP connection, CURVE, and nobody but
// the partner's key admitted. It carries bytes between two PairCores, which number and check them;
// what cannot be sent is lost. The rack of side 0 listens, the other one connects.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "dataplane/base/counter.h"
#include "dataplane/base/log.h"
#include "dataplane/base/result.h"
#include "dataplane/base/seams.h"
#include "dataplane/link/channel.h"
#include "dataplane/link/keys.h"

namespace slipway::link {

inline constexpr std::uint16_t kPairPort = 5252;

// Who the partner is, and where it is met.
struct PairPeer {
  bool listens = false;
  std::string endpoint;  // own, or the partner's: "tcp://10.0.0.2:5252"
  PublicKey key;         // the partner's

  friend bool operator==(const PairPeer&, const PairPeer&) = default;
};

// The two mailboxes to the shard. Called on the pair link's thread.
class PairTraffic {
 public:
  virtual ~PairTraffic() = default;
  // Readable when there is something to send.
  [[nodiscard]] virtual int outgoing_fd() const = 0;
  // Gives `out` what there is, a bounded number of messages.
  virtual void TakeOutgoing(MessageOutput& out) = 0;
  // False: there is no room now; it is offered again.
  [[nodiscard]] virtual bool OnMessage(ByteSpan message) = 0;
  // The connection is gone.
  virtual void OnDown() = 0;
};

struct PairEndCounters {
  Counter received;
  Counter sent;
  Counter not_sent;     // no connection, or its queue is full
  Counter malformed;    // not one part, or too large: dropped
  Counter unknown_key;  // handshakes of somebody else
  Counter handshakes_failed;
  Counter connections;          // made
  Counter connections_refused;  // over a limit
  Counter up;                   // 1 while connected
};

class PairEnd {
 public:
  struct Options {
    KeyPair key;  // the rack's own: the partner has it from the region
    std::size_t message_bytes_max = 0;
  };

  // All outlive the end. `log` may be null.
  PairEnd(const Options& options, PairTraffic* traffic, Clock* clock, LogSink* log);
  PairEnd(const PairEnd&) = delete;
  PairEnd& operator=(const PairEnd&) = delete;
  // Stops.
  ~PairEnd();

  [[nodiscard]] Result<void> Start();
  void Stop();

  // Any thread: the partner from now on; none. The same as before changes nothing.
  void SetPeer(std::optional<PairPeer> peer);

  [[nodiscard]] const PairEndCounters& counters() const noexcept;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace slipway::link
