// FactPort over the journal thread's mailboxes, and the streaming of the lease table into the
// journal's checkpoints.
#pragma once

#include <cstdint>

#include "dataplane/base/counter.h"
#include "dataplane/base/seams.h"
#include "dataplane/journal/journal_thread.h"
#include "dataplane/lease/lease_table.h"
#include "dataplane/lease/record.h"
#include "dataplane/service/fact_port.h"
#include "dataplane/shard/shard.h"

namespace slipway::service {

// One per shard; the shard's thread. Positions are the submitter's tickets.
class JournalPort final : public FactPort, public shard::WatchHandler, public shard::TurnHook {
 public:
  // `submitter` outlives the port.
  explicit JournalPort(journal::Submitter* submitter) noexcept : submitter_(submitter) {}

  // Before the shard is sealed. `listener` hears of durable facts.
  [[nodiscard]] Result<void> Attach(shard::Shard& shard, FactListener* listener);

  [[nodiscard]] bool Submit(schema::FactClass fact_class, std::uint64_t key, ByteSpan fact,
                            std::uint64_t& position) override;
  [[nodiscard]] bool SubmitBorrowed(schema::FactClass fact_class, std::uint64_t key, ByteSpan fact,
                                    std::uint64_t& position) override;

  [[nodiscard]] bool failing() const noexcept override { return submitter_->completed().failing; }

  [[nodiscard]] bool checkpoint_due() const noexcept {
    return submitter_->completed().checkpoint_due;
  }

  [[nodiscard]] journal::Submitter& submitter() noexcept { return *submitter_; }

  void OnReady(shard::WatchId watch, std::uint32_t events, Instant now) override;
  // One wake-up for all that a turn submitted.
  void OnTurn(Instant now) override;

  // Something was put into the submitter directly: wake the journal at the end of the turn.
  void MarkDirty() noexcept { dirty_ = true; }

  // Facts too large for the mailbox's places: a bug of a limit, not of input.
  [[nodiscard]] const Counter& oversize() const noexcept { return oversize_; }

 private:
  journal::Submitter* submitter_;
  FactListener* listener_ = nullptr;
  bool dirty_ = false;
  Counter oversize_;
};

// Feeds the lease table to the journal when a checkpoint is due, a few leases at a time, so that
// packets hardly notice: a table of a million leases takes a quarter of a minute.
class LeaseCheckpoints final : public shard::TurnHook, public shard::TimerHandler {
 public:
  static constexpr Duration kStep = Duration::Millis(2);
  static constexpr std::uint32_t kLeasesPerStep = 128;
  static constexpr std::uint32_t kSlotsPerStep = 8192;

  // All outlive this.
  LeaseCheckpoints(shard::Shard* shard, JournalPort* port, const lease::LeaseTable* leases,
                   Clock* clock) noexcept
      : shard_(shard), port_(port), leases_(leases), clock_(clock) {}

  void OnTurn(Instant now) override;
  void OnTimer(std::uint64_t cookie, Instant now) override;

 private:
  void Continue(Instant now);

  shard::Shard* shard_;
  JournalPort* port_;
  const lease::LeaseTable* leases_;
  Clock* clock_;
  lease::LeaseEncoder encoder_;
  bool under_way_ = false;
  bool armed_ = false;              // a timer runs
  bool wall_synchronised_ = false;  // at its beginning: too dear to ask for each turn
  bool asked_ = false;              // the journal's wish that was fulfilled last is still standing
  std::uint32_t slot_ = 0;
};

}  // namespace slipway::service
