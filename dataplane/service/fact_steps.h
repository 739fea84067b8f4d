// Boot steps of the file services as facts on their way to the journal.
#pragma once

#include "dataplane/base/counter.h"
#include "dataplane/base/seams.h"
#include "dataplane/boot/step.h"
#include "dataplane/boot/step_gate.h"
#include "dataplane/service/address_book.h"
#include "dataplane/service/boot_step_sink.h"
#include "dataplane/service/fact_port.h"
#include "dataplane/service/serving.h"

namespace slipway::service {

// One per shard; its thread. Completes what a service does not know: who the peer is, which machine
// that is, and when it was. What a client repeats is told seldom (dataplane/boot/step_gate.h).
class FactSteps final : public BootStepSink {
 public:
  // All outlive this; `peers` may be null where steps name the MAC.
  FactSteps(FactPort* facts, const PeerBook* peers, const ServingView* serving,
            Clock* clock) noexcept
      : facts_(facts), peers_(peers), serving_(serving), clock_(clock) {}

  void Record(const BootStep& step, Instant now) override;

  // Steps that the journal's queue had no room for.
  [[nodiscard]] const Counter& dropped() const noexcept { return dropped_; }

 private:
  FactPort* facts_;
  const PeerBook* peers_;
  const ServingView* serving_;
  Clock* clock_;
  boot::StepGate gate_{{}};
  boot::StepEncoder encoder_;
  Counter dropped_;
};

}  // namespace slipway::service
