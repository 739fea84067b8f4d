#include "dataplane/service/fact_events.h"

#include "dataplane/base/check.h"

namespace slipway::service {
namespace {

constexpr Duration kDueInterval = Duration::Seconds(1);

}  // namespace

Result<void> FactEvents::Start(Instant now) {
  SLIP_TRY(shard_->timers().Add(now + kDueInterval, this, 0));
  return {};
}

void FactEvents::Report(EventCode code, std::string_view subject, std::string_view detail) {
  const RackEvent* const told =
      filter_.Observe(MakeEvent(code, subject, detail, clock_->WallNow()), clock_->Now());
  if (told != nullptr) {
    Submit(*told);
  }
}

void FactEvents::OnTimer(std::uint64_t /*cookie*/, Instant now) {
  while (const RackEvent* const due = filter_.Due(now)) {
    Submit(*due);
  }
  // The timer that just fired has left its place free.
  SLIP_CHECK(shard_->timers().Add(now + kDueInterval, this, 0).has_value());
}

void FactEvents::Submit(const RackEvent& event) {
  std::uint64_t ignored = 0;
  if (!facts_->Submit(schema::FactClass::Event, 0, encoder_.Encode(event), ignored)) {
    refused_.Add();
  }
}

}  // namespace slipway::service
