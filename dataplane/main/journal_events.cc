#include "dataplane/main/journal_events.h"

#include <string>

namespace slipway::rack {

void JournalEvents::Report(service::EventCode code, std::string_view subject,
                           std::string_view detail) {
  const std::scoped_lock lock(mutex_);
  const service::RackEvent* const told =
      filter_.Observe(service::MakeEvent(code, subject, detail, clock_->WallNow()), clock_->Now());
  if (told != nullptr) {
    Submit(*told);
  }
}

void JournalEvents::Tick() {
  const std::scoped_lock lock(mutex_);
  while (const service::RackEvent* const due = filter_.Due(clock_->Now())) {
    Submit(*due);
  }
}

void JournalEvents::Submit(const service::RackEvent& event) {
  std::string line(event.subject.view());
  line.append(line.empty() ? "" : ": ").append(DetailOf(event).view());
  log_->Write(LevelOf(event.code), ToString(event.code), line);
  if (!append_(encoder_.Encode(event))) {
    refused_.Add();
  }
}

}  // namespace slipway::rack
