// What the admin socket answers: liveness, readiness and the rack's counters as Prometheus text.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

#include "dataplane/config/snapshot.h"
#include "dataplane/journal/journal_thread.h"
#include "dataplane/link/pair_end.h"
#include "dataplane/link/rack_end.h"
#include "dataplane/main/admin_socket.h"
#include "dataplane/main/journal_events.h"
#include "dataplane/main/shard_set.h"

namespace slipway::rack {

class RackMetrics {
 public:
  // All outlive the metrics; only counters are read.
  RackMetrics(const ShardSet* shards, const journal::JournalThread* journal,
              const link::RackEnd* link, const link::PairEnd* pair_end,
              const JournalEvents* events) noexcept
      : shards_(shards), journal_(journal), link_(link), pair_end_(pair_end), events_(events) {}

  // Control thread.
  void SetServing(config::Generation live, std::size_t links, std::size_t missing_objects);

  // Admin thread. Ready means serving: a live snapshot, a journal that can write, and as one of a
  // pair of racks not in recover. Interfaces,
  // the region's link and missing objects are told, not required.
  [[nodiscard]] AdminAnswer Answer(std::string_view path) const;

 private:
  [[nodiscard]] AdminAnswer Ready() const;
  [[nodiscard]] std::string Metrics() const;

  const ShardSet* shards_;
  const journal::JournalThread* journal_;
  const link::RackEnd* link_;
  const link::PairEnd* pair_end_;
  const JournalEvents* events_;
  mutable std::mutex mutex_;
  config::Generation live_;
  std::size_t links_ = 0;
  std::size_t missing_objects_ = 0;
};

}  // namespace slipway::rack
