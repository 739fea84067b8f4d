#include "dataplane/service/fact_steps.h"

#include <type_traits>

namespace slipway::service {

static_assert(static_cast<int>(schema::BootStepKind::MAX) ==
              static_cast<int>(boot::StepKind::kLauncher));

void FactSteps::Record(const BootStep& step, Instant now) {
  const Peer* const peer =
      peers_ != nullptr && step.peer.is_set() ? peers_->Find(step.peer) : nullptr;
  boot::BootStep fact{.mac = step.mac,
                      .address = step.peer,
                      .realtime = clock_->WallNow(),
                      .kind = static_cast<boot::StepKind>(step.kind),
                      .name = step.name,
                      .bytes = step.bytes,
                      .duration = step.duration,
                      .ok = step.ok};
  if (peer != nullptr) {
    fact.vlan = peer->vlan;
    if (fact.mac.is_zero()) {
      fact.mac = peer->mac;
    }
  }
  const Serving* const serving = serving_->current();
  if (serving != nullptr && serving->snapshot) {
    const config::InterfaceRecord* const interface = serving->snapshot->InterfaceByMac(fact.mac);
    fact.machine = interface != nullptr ? interface->machine : 0;
  }
  if (!gate_.Admit(fact, now)) {
    return;
  }
  std::uint64_t ignored = 0;
  if (!facts_->Submit(schema::FactClass::BootStep, 0, encoder_.Encode(fact), ignored)) {
    dropped_.Add();
  }
}

}  // namespace slipway::service
