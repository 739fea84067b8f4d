// A shard's events as facts on their way to the journal.
#pragma once

#include "dataplane/base/seams.h"
#include "dataplane/service/fact_port.h"
#include "dataplane/service/rack_event.h"
#include "dataplane/shard/shard.h"

namespace slipway::service {

// One per shard; its thread.
class FactEvents final : public EventSink, public shard::TimerHandler {
 public:
  // All outlive this.
  FactEvents(shard::Shard* shard, FactPort* facts, Clock* clock) noexcept
      : shard_(shard), facts_(facts), clock_(clock), filter_(EventLimits{}) {}

  // Before the shard is sealed: begins to look for events that were held back.
  [[nodiscard]] Result<void> Start(Instant now);

  void Report(EventCode code, std::string_view subject, std::string_view detail) override;
  void OnTimer(std::uint64_t cookie, Instant now) override;

  // Told to nobody, or not taken by the journal's queue.
  [[nodiscard]] std::uint64_t dropped() const noexcept {
    return filter_.dropped().value() + refused_.value();
  }

 private:
  void Submit(const RackEvent& event);

  shard::Shard* shard_;
  FactPort* facts_;
  Clock* clock_;
  EventFilter filter_;
  EventEncoder encoder_;
  Counter refused_;
};

}  // namespace slipway::service
