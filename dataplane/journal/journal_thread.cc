#include "dataplane/journal/journal_thread.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "dataplane/base/check.h"

namespace slipway::journal {
namespace {

// Drained from one mailbox before the next one has its turn.
inline constexpr std::size_t kDrainMax = 512;

// Leaves out what is not durable yet: the region must not know of a lease that a crash may undo.
class DurableOnly final : public RecoveryVisitor {
 public:
  DurableOnly(RecoveryVisitor& to, std::uint64_t durable_next)
      : to_(to), durable_next_(durable_next) {}

  void OnCheckpointLease(ByteSpan payload) override { to_.OnCheckpointLease(payload); }

  void OnRecord(FactClass fact_class, std::uint64_t sequence, ByteSpan payload) override {
    if (sequence < durable_next_) {
      to_.OnRecord(fact_class, sequence, payload);
    }
  }

 private:
  RecoveryVisitor& to_;
  std::uint64_t durable_next_;
};

}  // namespace

Submitter::Submitter(std::unique_ptr<shard::Mailbox<Submission>> down,
                     std::unique_ptr<shard::Mailbox<Completion>> up) noexcept
    : down_(std::move(down)), up_(std::move(up)) {}

Result<std::unique_ptr<Submitter>> Submitter::Create() {
  auto down = SLIP_TRY(shard::Mailbox<Submission>::Create(kSubmissionsMax));
  auto up = SLIP_TRY(shard::Mailbox<Completion>::Create(kCompletionsMax));
  return std::unique_ptr<Submitter>(new Submitter(std::move(down), std::move(up)));
}

// Only what the payload takes of a place is written: places are large, and there are many.
std::uint64_t Submitter::Push(SubmissionKind kind, FactClass fact_class, std::uint64_t key,
                              ByteSpan payload) noexcept {
  const bool pushed = down_->Emplace([&](Submission& submission) {
    submission.ticket = last_ticket_ + 1;
    submission.key = key;
    submission.external = nullptr;
    submission.size = static_cast<std::uint32_t>(payload.size());
    submission.fact_class = fact_class;
    submission.kind = kind;
    if (payload.size() > kInlineBytesMax) {
      submission.external = payload.data();
    } else {
      std::copy(payload.begin(), payload.end(), submission.bytes.begin());
    }
  });
  return pushed ? ++last_ticket_ : 0;
}

std::uint64_t Submitter::Submit(FactClass fact_class, std::uint64_t key,
                                ByteSpan payload) noexcept {
  SLIP_CHECK(fact_class != FactClass::kNone);
  return Push(SubmissionKind::kRecord, fact_class, key, payload);
}

std::uint64_t Submitter::SubmitCheckpoint(SubmissionKind kind, ByteSpan lease) noexcept {
  SLIP_CHECK(kind != SubmissionKind::kRecord);
  return Push(kind, FactClass::kNone, 0, lease);
}

const Completion& Submitter::Collect() noexcept {
  (void)up_->Drain(kCompletionsMax, [this](Completion& completion) {
    SLIP_DCHECK(completion.ticket >= completed_.ticket);
    completed_ = completion;
  });
  return completed_;
}

JournalThread::JournalThread(std::unique_ptr<Journal> journal, Clock& clock)
    : journal_(std::move(journal)), clock_(clock) {
  SLIP_CHECK(journal_ != nullptr);
  record_bytes_max_ = journal_->record_bytes_max();
}

JournalThread::~JournalThread() { Stop(); }

Result<Submitter*> JournalThread::AddSubmitter() {
  SLIP_CHECK(!thread_.joinable());
  submitters_.push_back(SLIP_TRY(Submitter::Create()));
  return submitters_.back().get();
}

Result<void> JournalThread::Start() {
  SLIP_CHECK(!thread_.joinable());
  wake_ = std::make_unique<shard::Wake>(SLIP_TRY(shard::Wake::OpenEvent()));
  committed_ = std::make_unique<shard::Wake>(SLIP_TRY(shard::Wake::OpenEvent()));
  thread_ = std::thread([this] { Run(); });
  return {};
}

void JournalThread::Stop() {
  if (!thread_.joinable()) {
    return;
  }
  stop_.store(true, std::memory_order_release);
  wake_->Notify();
  thread_.join();
}

Result<void> JournalThread::Append(FactClass fact_class, std::uint64_t key, ByteSpan payload) {
  SLIP_CHECK(fact_class != FactClass::kNone);
  if (payload.size() > record_bytes_max_) {
    return Fail(ErrorCode::kTooLarge, static_cast<std::uint32_t>(payload.size()));
  }
  {
    const std::lock_guard lock(mutex_);
    if (cold_.size() >= kColdRecordsMax) {
      return Fail(ErrorCode::kFull, kColdRecordsMax);
    }
    cold_.push_back({fact_class, key, std::vector<std::byte>(payload.begin(), payload.end())});
  }
  if (wake_ != nullptr) {  // made by Start
    wake_->Notify();
  }
  return {};
}

Result<std::uint64_t> JournalThread::ReadCommitted(FactClass fact_class, std::uint64_t from,
                                                   std::size_t bytes_max, RecordVisitor& visitor) {
  const std::lock_guard lock(mutex_);
  return journal_->ReadCommitted(fact_class, from, bytes_max, visitor);
}

Result<void> JournalThread::Acknowledge(FactClass fact_class, std::uint64_t epoch,
                                        std::uint64_t next) {
  const std::lock_guard lock(mutex_);
  return journal_->Acknowledge(fact_class, epoch, next);
}

ClassCursor JournalThread::cursor(FactClass fact_class) {
  const std::lock_guard lock(mutex_);
  return journal_->cursor(fact_class);
}

Result<std::uint64_t> JournalThread::ReadLeaseTable(RecoveryVisitor& visitor) {
  const std::lock_guard lock(mutex_);
  const std::uint64_t next = journal_->cursor(FactClass::kLease).durable_next;
  DurableOnly durable(visitor, next);
  // Perhaps beside a Flush: Recover only reads.
  SLIP_TRY(journal_->Recover(durable));
  return next;
}

Error JournalThread::failure() {
  const std::lock_guard lock(mutex_);
  return journal_->failure();
}

void JournalThread::Run() {
  bool last_round = false;
  while (true) {
    Pace();
    Take();
    const bool worked = CommitOnce();
    Post();
    if (last_round && (!more_ || counters_.failing.value() != 0)) {
      return;
    }
    if (stop_.load(std::memory_order_acquire)) {
      last_round = true;  // what came before the stop is still taken
    } else if (!worked || counters_.failing.value() != 0) {
      Wait();
    }
  }
}

void JournalThread::Take() {
  const std::lock_guard lock(mutex_);
  more_ = false;
  TakeCold();
  for (const auto& submitter : submitters_) {
    TakeFrom(*submitter);
  }
}

void JournalThread::TakeFrom(Submitter& from) {
  while (!from.held_.empty()) {
    if (!TakeOne(from, from.held_.front())) {
      more_ = true;
      return;
    }
    from.held_.pop_front();
  }
  const auto take = [this, &from](Submission& submission) {
    if (!from.held_.empty() || !TakeOne(from, submission)) {
      from.held_.push_back(submission);
    }
  };
  // The mailbox is emptied as far as the buffer has room: what is left waits there.
  while (from.held_.empty() && from.down_->DrainInPlace(kDrainMax, take) == kDrainMax) {
  }
  more_ = more_ || !from.held_.empty();
}

// False if the buffer has no room: commit first.
bool JournalThread::TakeOne(Submitter& from, const Submission& submission) {
  const ByteSpan payload = submission.payload();
  if (submission.kind != SubmissionKind::kRecord) {
    TakeCheckpoint(submission);
  } else if (payload.size() > record_bytes_max_) {
    counters_.too_large.Add();
  } else if (payload.size() > journal_->room()) {
    return false;
  } else {
    SLIP_CHECK(journal_->Append(submission.fact_class, submission.key, payload).has_value());
    counters_.records.Add();
    counters_.bytes.Add(payload.size());
  }
  from.taken_ticket_ = submission.ticket;
  return true;
}

// Errors are counted; the shard is asked again for a checkpoint, since none was made.
void JournalThread::TakeCheckpoint(const Submission& submission) {
  Result<void> done;
  switch (submission.kind) {
    case SubmissionKind::kCheckpointBegin:
      done = journal_->BeginCheckpoint();
      checkpoint_under_way_ = done.has_value();
      checkpoint_leases_ = 0;
      break;
    case SubmissionKind::kCheckpointLease:
      if (checkpoint_under_way_) {
        done = journal_->AddToCheckpoint(submission.payload());
        ++checkpoint_leases_;
      }
      break;
    case SubmissionKind::kCheckpointEnd:
      if (checkpoint_under_way_) {
        done = journal_->EndCheckpoint();
        checkpoint_under_way_ = false;
        last_checkpoint_leases_ = done ? checkpoint_leases_ : last_checkpoint_leases_;
        counters_.checkpoints.Add(done ? 1 : 0);
      }
      break;
    case SubmissionKind::kRecord:
      SLIP_CHECK(false);
  }
  if (!done) {
    checkpoint_under_way_ = false;
    journal_->AbortCheckpoint();
    counters_.checkpoint_failures.Add();
  }
}

void JournalThread::TakeCold() {
  while (!cold_.empty() && cold_.front().payload.size() <= journal_->room()) {
    const ColdRecord& record = cold_.front();
    SLIP_CHECK(journal_->Append(record.fact_class, record.key, record.payload).has_value());
    counters_.records.Add();
    counters_.bytes.Add(record.payload.size());
    cold_.pop_front();
  }
  more_ = more_ || !cold_.empty();
}

// True if something was written.
bool JournalThread::CommitOnce() {
  const Instant begin = clock_.Now();
  const std::uint64_t taken = counters_.records.value();
  const std::int64_t spans = (begin - commit_begun_).ns / (kPaceMicros * 1'000) + 1;
  thick_ = taken - commit_records_ >= kPaceRecords * static_cast<std::uint64_t>(spans);
  std::unique_lock lock(mutex_);
  const bool records = journal_->has_records();
  const bool failed_before = journal_->failure().code != ErrorCode::kNone;
  Result<bool> begun = journal_->BeginCommit();
  Result<void> flushed;
  if (begun && *begun) {
    lock.unlock();
    flushed = journal_->Flush();
    lock.lock();
  } else if (!begun) {
    flushed = std::unexpected(begun.error());
  } else {
    journal_->Maintain();
    return false;
  }
  journal_->FinishCommit(flushed);
  journal_->Maintain();
  lock.unlock();
  commit_begun_ = begin;
  commit_records_ = taken;
  const auto spent = static_cast<std::uint64_t>((clock_.Now() - begin).ns);
  counters_.commit_ns.Add(spent);
  counters_.commit_ns_max.Set(std::max(counters_.commit_ns_max.value(), spent));
  counters_.commits.Add(flushed ? 1 : 0);
  counters_.commit_failures.Add(flushed ? 0 : 1);
  counters_.failing.Set(flushed ? 0 : 1);
  if (flushed && (records || failed_before)) {
    committed_->Notify();
  }
  return true;
}

// Tells each shard what is durable. A full completion box only delays: the next one says it all.
void JournalThread::Post() {
  std::unique_lock lock(mutex_);
  const bool failing = journal_->failure().code != ErrorCode::kNone;
  const bool pending = journal_->has_records();
  const bool due = CheckpointIsDue();
  counters_.retained.Set(journal_->retained());
  lock.unlock();
  for (const auto& submitter : submitters_) {
    Submitter& to = *submitter;
    to.owed_.failing = failing;
    to.owed_.checkpoint_due = due;
    if (!pending) {
      to.owed_.ticket = to.taken_ticket_;
    }
    const bool news = to.owed_.ticket != to.posted_.ticket ||
                      to.owed_.failing != to.posted_.failing ||
                      to.owed_.checkpoint_due != to.posted_.checkpoint_due;
    Completion message = to.owed_;
    if (news && to.up_->Push(message)) {
      to.posted_ = to.owed_;
      to.up_->Notify();
    }
  }
}

// REQUIRES: the lock.
bool JournalThread::CheckpointIsDue() const {
  return !checkpoint_under_way_ &&
         journal_->records_since_checkpoint() >=
             std::max(kCheckpointAfterRecords, 2 * last_checkpoint_leases_);
}

// Lets records gather while they come thick. Stop and cold records cut it short.
void JournalThread::Pace() {
  if (!thick_ || more_ || counters_.failing.value() != 0) {
    return;
  }
  const std::int64_t left_ns = (commit_begun_ + Duration::Micros(kPaceMicros) - clock_.Now()).ns;
  if (left_ns > 0) {
    pollfd polled{.fd = wake_->fd(), .events = POLLIN, .revents = 0};
    const timespec timeout{.tv_sec = 0, .tv_nsec = left_ns};
    const int ready = ppoll(&polled, 1, &timeout, nullptr);
    SLIP_CHECK(ready >= 0 || errno == EINTR);
    wake_->Clear();
  }
}

void JournalThread::Wait() {
  std::vector<pollfd> polled;
  polled.push_back({.fd = wake_->fd(), .events = POLLIN, .revents = 0});
  const bool failing = counters_.failing.value() != 0;
  for (const auto& submitter : submitters_) {
    // While the disk fails, full mailboxes must not make the thread spin.
    if (!failing) {
      polled.push_back({.fd = submitter->down_->wake_fd(), .events = POLLIN, .revents = 0});
    }
  }
  if (more_ && !failing) {
    return;
  }
  // Acknowledgements are written with the next records, or after a second.
  const int timeout_ms = failing ? static_cast<int>(kRetryMillis) : 1000;
  const int ready = poll(polled.data(), polled.size(), timeout_ms);
  SLIP_CHECK(ready >= 0 || errno == EINTR);
  wake_->Clear();
}

}  // namespace slipway::journal
