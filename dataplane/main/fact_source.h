// The journal as the link's outbox. Link thread.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "dataplane/base/seams.h"
#include "dataplane/journal/journal_thread.h"
#include "dataplane/link/interfaces.h"

namespace slipway::rack {

// What the source needs of the journal: the journal thread in production, the journal itself in the
// simulator.
class OutboxJournal {
 public:
  virtual ~OutboxJournal() = default;
  [[nodiscard]] virtual journal::ClassCursor Cursor(journal::FactClass fact_class) = 0;
  [[nodiscard]] virtual Result<std::uint64_t> ReadCommitted(journal::FactClass fact_class,
                                                            std::uint64_t from,
                                                            std::size_t bytes_max,
                                                            journal::RecordVisitor& visitor) = 0;
  [[nodiscard]] virtual Result<void> Acknowledge(journal::FactClass fact_class, std::uint64_t epoch,
                                                 std::uint64_t next) = 0;
  // The lease table on disk, and the sequence after the last one that is surely in it.
  [[nodiscard]] virtual Result<std::uint64_t> ReadLeaseTable(journal::RecoveryVisitor& visitor) = 0;
};

// Reads ahead no more than one batch. The region may have been restored to an older state, or have
// seen records that a restored rack lost: the first is answered with the lease table, the second
// with a new epoch, which is kept in the file `outbox` beside the journal, so that the journal's
// own epoch (and with it the checkpoint) stays as it is.
class JournalFactSource final : public link::FactSource {
 public:
  // All outlive the source. A file that is missing or damaged means new epochs: facts are then sent
  // again, and the region replaces its cursors.
  JournalFactSource(OutboxJournal* journal, Disk* disk, Random* random);

  [[nodiscard]] link::FactCursor End(link::FactClass fact_class) override;
  void Peek(link::FactClass fact_class, std::uint64_t from, std::uint64_t table_position,
            std::size_t bytes_max, link::FactBatch& out) override;
  void Committed(link::FactClass fact_class, link::FactCursor cursor) override;
  void StartNewEpoch(link::FactClass fact_class) override;

  // Reads that failed: the records stay where they are and are tried again.
  [[nodiscard]] std::uint64_t read_failures() const noexcept { return read_failures_; }

 private:
  static constexpr std::size_t kSalts = link::kFactClasses.size();

  [[nodiscard]] std::uint64_t EpochOf(link::FactClass fact_class,
                                      const journal::ClassCursor& cursor) const noexcept;
  void PeekTable(std::uint64_t table_position, std::size_t bytes_max, link::FactBatch& out);
  void LoadSalts();
  void StoreSalts();

  OutboxJournal* journal_;
  Disk* disk_;
  Random* random_;
  std::array<std::uint64_t, kSalts> salts_{};
  std::vector<std::byte> bytes_;               // what the last batch points into
  std::vector<std::vector<std::byte>> table_;  // the lease table, while it is being sent
  std::vector<std::size_t> parts_;             // where each part of it begins
  std::uint64_t table_as_of_ = 0;
  std::uint64_t read_failures_ = 0;
};

}  // namespace slipway::rack
