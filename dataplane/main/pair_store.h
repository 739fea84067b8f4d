// What a rack of a pair keeps over restarts (docs/adr/0009-pair-of-racks.md): the id of its state
// directory, the partner's, and when it last served in its own right. In the file `pair` beside the
// journal; docs/formats.md has the form. Control thread.
#pragma once

#include <cstdint>

#include "dataplane/base/counter.h"
#include "dataplane/base/seams.h"
#include "dataplane/service/pair_box.h"
#include "dataplane/service/pair_service.h"

namespace slipway::rack {

class PairStore {
 public:
  // All outlive the store.
  PairStore(Disk* disk, Clock* clock, Random* random) noexcept
      : disk_(disk), clock_(clock), random_(random) {}

  // At start, before the shards are made. With a new journal all leases are forgotten, and so is
  // what the file says: the partner must know. A directory that cannot be written gets a new id at
  // the next start too, which has the same effect.
  [[nodiscard]] service::PairMemory Load(bool journal_is_new);

  // Takes what the shard wants kept, and tells it what is on disk. About once a second, and when
  // box.to_control is readable.
  void Serve(service::PairBox& box);

  [[nodiscard]] const Counter& write_failures() const noexcept { return write_failures_; }

 private:
  void Take(const service::PairWord& word);
  [[nodiscard]] bool Read(service::PairMemory& memory);
  [[nodiscard]] bool Write();

  Disk* disk_;
  Clock* clock_;
  Random* random_;
  service::PairMemory memory_;
  bool dirty_ = false;
  std::uint64_t owed_ = 0;  // the partner's store that the shard waits for
  Counter write_failures_;
};

}  // namespace slipway::rack
