#include "tests/sim/sim_journal.h"

#include <utility>

#include "tests/sim/sealed.h"

namespace slipway::sim {
namespace {

constexpr std::uint64_t kCheckpointAfter = 48;  // records: small, so that runs make some
constexpr Duration kRetry = Duration::Millis(250);

}  // namespace

SimJournal::SimJournal(std::unique_ptr<journal::Journal> journal, Parts parts)
    : journal_(std::move(journal)), parts_(std::move(parts)) {
  Wake(Duration::Micros(100));
}

Duration SimJournal::FlushTime() {
  return Duration::Micros(100 + static_cast<std::int64_t>(parts_.world->random().Below(
                                    parts_.world->OneIn(20) ? 30'000 : 2'000)));
}

// ---- shard ----

bool SimJournal::Submit(schema::FactClass fact_class, std::uint64_t key, ByteSpan fact,
                        std::uint64_t& position) {
  const Unsealed simulator;
  if (queue_.size() >= kSubmissionsMax) {
    return false;
  }
  position = ++last_ticket_;
  queue_.push_back({.fact_class = static_cast<journal::FactClass>(fact_class),
                    .key = key,
                    .ticket = position,
                    .bytes = {fact.begin(), fact.end()}});
  Wake(Duration::Micros(10));
  return true;
}

bool SimJournal::SubmitBorrowed(schema::FactClass fact_class, std::uint64_t key, ByteSpan fact,
                                std::uint64_t& position) {
  if (!Submit(fact_class, key, {}, position)) {
    return false;
  }
  queue_.back().borrowed = fact;
  return true;
}

std::uint64_t SimJournal::Collect() {
  told_ = owed_;
  return told_.ticket + 1;
}

void SimJournal::Checkpoint(const lease::LeaseTable& leases, const lease::Now& now) {
  if (!std::exchange(told_.checkpoint_due, false) || queue_.size() > kSubmissionsMax / 2) {
    return;
  }
  owed_.checkpoint_due = false;
  queue_.push_back({.kind = Kind::kCheckpointBegin, .ticket = ++last_ticket_});
  for (std::uint32_t slot = 0; slot < leases.capacity(); ++slot) {
    const lease::Lease* const lease = leases.At(slot);
    if (lease == nullptr || lease->state == lease::State::kOffered) {
      continue;
    }
    const ByteSpan fact = encoder_.Encode(*lease, leases.DetailOf(*lease), now);
    queue_.push_back({.kind = Kind::kCheckpointLease,
                      .ticket = ++last_ticket_,
                      .bytes = {fact.begin(), fact.end()}});
  }
  queue_.push_back({.kind = Kind::kCheckpointEnd, .ticket = ++last_ticket_});
  Wake(Duration::Micros(10));
}

// ---- link ----

journal::ClassCursor SimJournal::Cursor(journal::FactClass fact_class) {
  return journal_->cursor(fact_class);
}

Result<std::uint64_t> SimJournal::ReadCommitted(journal::FactClass fact_class, std::uint64_t from,
                                                std::size_t bytes_max,
                                                journal::RecordVisitor& visitor) {
  return journal_->ReadCommitted(fact_class, from, bytes_max, visitor);
}

Result<void> SimJournal::Acknowledge(journal::FactClass fact_class, std::uint64_t epoch,
                                     std::uint64_t next) {
  return journal_->Acknowledge(fact_class, epoch, next);
}

Result<std::uint64_t> SimJournal::ReadLeaseTable(journal::RecoveryVisitor& visitor) {
  const std::uint64_t next = journal_->cursor(journal::FactClass::kLease).durable_next;
  SLIP_TRY(journal_->Recover(visitor));
  return next;
}

// ---- the journal's own time ----

void SimJournal::Wake(Duration delay) {
  if (!std::exchange(awake_, true)) {
    parts_.later(delay, [this] { Round(); });
  }
}

void SimJournal::Tick() {
  if (!in_flight_ && journal_->has_changes()) {
    Wake(Duration::Micros(10));
  }
}

void SimJournal::Round() {
  awake_ = false;
  if (in_flight_) {
    return;  // the end of the flush wakes
  }
  Take();
  Begin();
}

void SimJournal::Take() {
  while (!queue_.empty() && TakeOne(queue_.front())) {
    taken_ = queue_.front().ticket;
    queue_.pop_front();
  }
}

// False if the buffer has no room: commit first.
bool SimJournal::TakeOne(const Submission& submission) {
  if (submission.kind != Kind::kRecord) {
    TakeCheckpoint(submission);
    return true;
  }
  const ByteSpan payload = submission.payload();
  if (payload.size() > journal_->room()) {
    return false;
  }
  const auto sequence = journal_->Append(submission.fact_class, submission.key, payload);
  SLIP_CHECK(sequence.has_value());
  parts_.judge->OnAppended(parts_.rack, submission.fact_class, *sequence, submission.key, payload);
  if (submission.fact_class == journal::FactClass::kLease) {
    undurable_.emplace_back(payload.begin(), payload.end());
  }
  return true;
}

void SimJournal::TakeCheckpoint(const Submission& submission) {
  Result<void> done;
  if (submission.kind == Kind::kCheckpointBegin) {
    done = journal_->BeginCheckpoint();
    checkpoint_under_way_ = done.has_value();
  } else if (checkpoint_under_way_ && submission.kind == Kind::kCheckpointLease) {
    done = journal_->AddToCheckpoint(submission.payload());
  } else if (checkpoint_under_way_) {
    done = journal_->EndCheckpoint();
    checkpoint_under_way_ = false;
    checkpoints_ += done ? 1U : 0U;
  }
  if (!done) {
    checkpoint_under_way_ = false;
    journal_->AbortCheckpoint();
  }
}

void SimJournal::Begin() {
  const Result<bool> begun = journal_->BeginCommit();
  if (!begun) {
    Finish(std::unexpected(begun.error()));
    return;
  }
  if (!*begun) {
    journal_->Maintain();
    // EndCheckpoint commits, too.
    Post();
    return;
  }
  in_flight_ = true;
  parts_.later(FlushTime(), [this] {
    const Result<void> flushed = journal_->Flush();
    in_flight_ = false;
    Finish(flushed);
  });
}

void SimJournal::Finish(const Result<void>& flushed) {
  journal_->FinishCommit(flushed);
  journal_->Maintain();
  Post();
  if (flushed && parts_.on_committed) {
    parts_.on_committed();
  }
  if (!flushed) {
    Wake(kRetry);
  } else if (!queue_.empty() || journal_->has_records()) {
    Wake(Duration::Micros(10));
  }
}

void SimJournal::Post() {
  owed_.failing = journal_->failure().code != ErrorCode::kNone;
  owed_.checkpoint_due =
      !checkpoint_under_way_ && journal_->records_since_checkpoint() >= kCheckpointAfter;
  if (!journal_->has_records()) {
    owed_.ticket = taken_;
    TellJudge();
  }
  parts_.later(Duration::Micros(20), [this] { parts_.on_completion(); });
}

void SimJournal::TellJudge() {
  const lease::Now now{.instant = parts_.clock->Now(),
                       .wall = parts_.clock->WallNow(),
                       .boot_id = parts_.clock->BootId(),
                       .wall_synchronised = parts_.clock->WallIsSynchronised()};
  const Duration offset = parts_.world->now() - now.instant;
  for (const std::vector<std::byte>& bytes : undurable_) {
    const auto restored = lease::DecodeLease(bytes);
    SLIP_CHECK(restored.has_value());
    parts_.judge->OnLeaseDurable(parts_.rack, restored->lease.address.v4(), restored->lease.mac,
                                 restored->lease.state == lease::State::kBound,
                                 lease::EndOf(restored->stamp, restored->horizon, now) + offset);
  }
  undurable_.clear();
}

void SimJournal::Die(bool in_flush) {
  if (in_flight_ && in_flush) {
    // What the kernel has been given is there, at least in the page cache.
    (void)journal_->Flush();
  }
}

}  // namespace slipway::sim
