// Events of the threads that are no shards: into the log, and as facts into the journal.
#pragma once

#include <functional>
#include <mutex>

#include "dataplane/base/log.h"
#include "dataplane/base/result.h"
#include "dataplane/base/seams.h"
#include "dataplane/service/rack_event.h"

namespace slipway::rack {

// Thread-safe: the control thread and the link thread report here. While the journal cannot write,
// what is appended waits there; an event is then told late, with the time at which it happened.
class JournalEvents final : public service::EventSink {
 public:
  // Appends a fact of class Event; false if there was no room. Called under the lock of this
  // object.
  using Append = std::function<bool(ByteSpan fact)>;

  // All outlive this.
  JournalEvents(Append append, Clock* clock, LogSink* log)
      : append_(std::move(append)), clock_(clock), log_(log), filter_(service::EventLimits{}) {}

  // What is told is a log line as well, whose id is the code.
  void Report(service::EventCode code, std::string_view subject, std::string_view detail) override;
  // Tells what was held back; about once a second.
  void Tick();

  [[nodiscard]] std::uint64_t dropped() const noexcept {
    return filter_.dropped().value() + refused_.value();
  }

 private:
  void Submit(const service::RackEvent& event);

  const Append append_;
  Clock* const clock_;
  LogSink* const log_;
  std::mutex mutex_;  // of what follows
  service::EventFilter filter_;
  service::EventEncoder encoder_;
  Counter refused_;
};

}  // namespace slipway::rack
