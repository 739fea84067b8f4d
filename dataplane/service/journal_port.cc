#include "dataplane/service/journal_port.h"

namespace slipway::service {
namespace {

// What the journal and the schema number the same.
static_assert(static_cast<int>(journal::FactClass::kLease) ==
              static_cast<int>(schema::FactClass::Lease));
static_assert(static_cast<int>(journal::FactClass::kInventory) ==
              static_cast<int>(schema::FactClass::Inventory));
static_assert(static_cast<int>(journal::FactClass::kBootStep) ==
              static_cast<int>(schema::FactClass::BootStep));
static_assert(journal::kInlineBytesMax >= lease::kLeaseFactBytesMax);

}  // namespace

Result<void> JournalPort::Attach(shard::Shard& shard, FactListener* listener) {
  listener_ = listener;
  SLIP_TRY(shard.driver().AddWatch(submitter_->wake_fd(), shard::kReadable, this));
  return shard.AddHook(this);
}

bool JournalPort::Submit(schema::FactClass fact_class, std::uint64_t key, ByteSpan fact,
                         std::uint64_t& position) {
  if (fact.size() > journal::kInlineBytesMax) {
    oversize_.Add();
    return false;
  }
  return SubmitBorrowed(fact_class, key, fact, position);
}

bool JournalPort::SubmitBorrowed(schema::FactClass fact_class, std::uint64_t key, ByteSpan fact,
                                 std::uint64_t& position) {
  position = submitter_->Submit(static_cast<journal::FactClass>(fact_class), key, fact);
  dirty_ = dirty_ || position != 0;
  return position != 0;
}

void JournalPort::OnReady(shard::WatchId /*watch*/, std::uint32_t /*events*/, Instant now) {
  const journal::Completion& completed = submitter_->Collect();
  listener_->OnDurable(completed.ticket + 1, now);
}

void JournalPort::OnTurn(Instant /*now*/) {
  if (dirty_) {
    dirty_ = false;
    submitter_->Notify();
  }
}

void LeaseCheckpoints::OnTurn(Instant now) {
  if (!port_->checkpoint_due()) {
    asked_ = false;
  } else if (!under_way_ && !asked_) {
    asked_ = true;
    slot_ = 0;
    wall_synchronised_ = clock_->WallIsSynchronised();
    under_way_ =
        port_->submitter().SubmitCheckpoint(journal::SubmissionKind::kCheckpointBegin, {}) != 0;
    asked_ = under_way_;
  }
  // With all timers in use the next turn tries again.
  if (under_way_ && !armed_) {
    armed_ = shard_->timers().Add(now + kStep, this, 0).has_value();
  }
}

void LeaseCheckpoints::OnTimer(std::uint64_t /*cookie*/, Instant now) {
  armed_ = false;
  if (under_way_) {
    Continue(now);
    port_->MarkDirty();
  }
}

void LeaseCheckpoints::Continue(Instant now) {
  const lease::Now stamp{.instant = now,
                         .wall = clock_->WallNow(),
                         .boot_id = clock_->BootId(),
                         .wall_synchronised = wall_synchronised_};
  journal::Submitter& submitter = port_->submitter();
  std::uint32_t leases = 0;
  for (std::uint32_t i = 0;
       i < kSlotsPerStep && leases < kLeasesPerStep && slot_ < leases_->capacity(); ++i) {
    const lease::Lease* const lease = leases_->At(slot_);
    const bool is_lease = lease != nullptr && lease->state != lease::State::kFree &&
                          lease->state != lease::State::kOffered;
    if (is_lease) {
      const ByteSpan fact = encoder_.Encode(*lease, leases_->DetailOf(*lease), stamp);
      if (submitter.SubmitCheckpoint(journal::SubmissionKind::kCheckpointLease, fact) == 0) {
        return;  // The mailbox is full: the same lease in the next step.
      }
      ++leases;
    }
    ++slot_;
  }
  if (slot_ == leases_->capacity() &&
      submitter.SubmitCheckpoint(journal::SubmissionKind::kCheckpointEnd, {}) != 0) {
    under_way_ = false;
  }
}

}  // namespace slipway::service
