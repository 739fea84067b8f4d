// Everything that makes up a running rack, put together: sockets, shards with their services, the
// journal, the link, and the control loop. Owned by main.
#pragma once

#include <memory>
#include <string>

#include "dataplane/base/log.h"
#include "dataplane/settings/settings.h"

namespace slipway::rack {

// Why the rack did not start or had to stop: one line for a person (what, likely cause, what to
// do).
struct RackFailure {
  std::string text;
};

class Rack {
 public:
  // Opens, recovers and wires everything, drops privileges, and starts all threads. Null with
  // `failure` set if anything is wrong: nothing is left running then.
  [[nodiscard]] static std::unique_ptr<Rack> Start(const settings::Values& values, LogSink* log,
                                                   RackFailure& failure);
  ~Rack();
  Rack(const Rack&) = delete;
  Rack& operator=(const Rack&) = delete;

  // The control loop; returns after SIGTERM or SIGINT, or when the rack cannot go on. False with
  // `failure` set in the latter case. Stops all threads, flushes the journal; under 2 s.
  [[nodiscard]] bool Run(RackFailure& failure);

 private:
  struct Parts;
  explicit Rack(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace slipway::rack
