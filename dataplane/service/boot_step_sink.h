// Where services put the steps of a boot: facts of class BootStep on their way to the journal.
#pragma once

#include <cstdint>
#include <string_view>

#include "dataplane/base/address.h"
#include "dataplane/base/time.h"
#include "schemas/facts_generated.h"

namespace slipway::service {

struct BootStep {
  schema::BootStepKind kind{};
  MacAddress mac;         // all zero: not known, the sink looks it up by the peer's lease
  IpAddress peer;         // not set: the client has no address yet
  std::string_view name;  // file, script, message or reason; valid during the call
  std::uint64_t bytes = 0;
  Duration duration{};
  bool ok = true;
};

class BootStepSink {
 public:
  virtual ~BootStepSink() = default;
  // Never blocks; drops and counts when its queue is full (oldest first: design section 4).
  virtual void Record(const BootStep& step, Instant now) = 0;
};

}  // namespace slipway::service
