// The journal of a simulated rack: the real one over a simulated disk, driven as JournalThread
// drives it, with virtual time between submission, flush and answer.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "dataplane/base/seams.h"
#include "dataplane/journal/journal.h"
#include "dataplane/lease/lease_table.h"
#include "dataplane/lease/record.h"
#include "dataplane/main/fact_source.h"
#include "dataplane/service/fact_port.h"
#include "tests/sim/judge.h"
#include "tests/sim/world.h"

namespace slipway::sim {

// Runs a task after a delay, unless the process has died before.
using Later = std::function<void(Duration, World::Event)>;

class SimJournal final : public service::FactPort, public rack::OutboxJournal {
 public:
  static constexpr std::size_t kSubmissionsMax = 4096;

  struct Parts {
    World* world = nullptr;
    Judge* judge = nullptr;
    RackIndex rack = 0;
    Clock* clock = nullptr;
    Later later;
    std::function<void()> on_completion;  // something for the shard
    std::function<void()> on_committed;   // something for the link
  };

  SimJournal(std::unique_ptr<journal::Journal> journal, Parts parts);

  // ---- shard ----
  [[nodiscard]] bool Submit(schema::FactClass fact_class, std::uint64_t key, ByteSpan fact,
                            std::uint64_t& position) override;
  [[nodiscard]] bool SubmitBorrowed(schema::FactClass fact_class, std::uint64_t key, ByteSpan fact,
                                    std::uint64_t& position) override;

  [[nodiscard]] bool failing() const noexcept override { return told_.failing; }

  // What the shard's mailbox brings: all positions below are durable.
  [[nodiscard]] std::uint64_t Collect();
  // Streams the table into a checkpoint if one is due.
  void Checkpoint(const lease::LeaseTable& leases, const lease::Now& now);

  // ---- link ----
  [[nodiscard]] journal::ClassCursor Cursor(journal::FactClass fact_class) override;
  [[nodiscard]] Result<std::uint64_t> ReadCommitted(journal::FactClass fact_class,
                                                    std::uint64_t from, std::size_t bytes_max,
                                                    journal::RecordVisitor& visitor) override;
  [[nodiscard]] Result<void> Acknowledge(journal::FactClass fact_class, std::uint64_t epoch,
                                         std::uint64_t next) override;
  [[nodiscard]] Result<std::uint64_t> ReadLeaseTable(journal::RecoveryVisitor& visitor) override;

  // ---- the journal's own time ----
  // Now and then: acknowledgements, and what could not be written before.
  void Tick();
  // The process dies: a flush that was under way may have done part of its work.
  void Die(bool in_flush);

  // The lease records that Open found: durable for sure after the first commit.
  void OnRecovered(std::vector<std::vector<std::byte>> payloads, bool durable) {
    undurable_ = std::move(payloads);
    if (durable) {
      TellJudge();
    }
  }

  [[nodiscard]] bool idle() const { return queue_.empty() && !journal_->has_records(); }

  [[nodiscard]] std::uint64_t checkpoints() const { return checkpoints_; }

 private:
  enum class Kind : std::uint8_t { kRecord, kCheckpointBegin, kCheckpointLease, kCheckpointEnd };

  struct Submission {
    Kind kind = Kind::kRecord;
    journal::FactClass fact_class = journal::FactClass::kNone;
    std::uint64_t key = 0;
    std::uint64_t ticket = 0;
    std::vector<std::byte> bytes;
    ByteSpan borrowed;

    [[nodiscard]] ByteSpan payload() const { return borrowed.empty() ? ByteSpan(bytes) : borrowed; }
  };

  struct Told {
    std::uint64_t ticket = 0;
    bool failing = false;
    bool checkpoint_due = false;
  };

  void Wake(Duration delay);
  void Round();
  void Take();
  [[nodiscard]] bool TakeOne(const Submission& submission);
  void TakeCheckpoint(const Submission& submission);
  void Begin();
  void Finish(const Result<void>& flushed);
  void Post();
  void TellJudge();
  [[nodiscard]] Duration FlushTime();

  std::unique_ptr<journal::Journal> journal_;
  Parts parts_;
  std::deque<Submission> queue_;
  std::uint64_t last_ticket_ = 0;
  std::uint64_t taken_ = 0;
  Told owed_;
  Told told_;  // as the shard knows it
  bool awake_ = false;
  bool in_flight_ = false;
  bool checkpoint_under_way_ = false;
  std::uint64_t checkpoints_ = 0;
  std::vector<std::vector<std::byte>> undurable_;  // lease records appended, not durable yet
  lease::LeaseEncoder encoder_;
};

}  // namespace slipway::sim
