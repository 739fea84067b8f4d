// Compiles the model into what each rack needs to know: record sets, content hashes, deltas and
// snapshots. Pure: no sockets, threads or clocks.
//
// A rack sees the VLANs bound to its served interfaces, their subnets and ranges, the interfaces in
// those VLANs (and those without a VLAN) with their machines, all images and DHCP classes, the DHCP
// options set on any of these or on all, and its own served interfaces. A change costs what it
// changes: nothing is recompiled, and no encoded set is kept.
//
// Owner: whoever owns the LiveModel; as an observer it runs under the model's exclusive lock. The
// other functions take its own lock, so that the link thread may call them at any time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "controlplane/model/live_model.h"
#include "dataplane/config/snapshot.h"

namespace slipway::publish {

// One record as on the wire (link.fbs LinkRecord). Tables as in config.fbs RecordTable.
struct PublishedRecord {
  std::uint8_t table = 0;
  config::RecordId id = 0;
  std::optional<std::string> body;  // absent: removed
};

struct PublishedDelta {
  config::Generation base;
  config::Generation generation;
  config::ContentHash hash;              // after it
  std::uint64_t bytes = 0;               // of all bodies
  std::vector<PublishedRecord> records;  // each (table, id) once, in this order
};

struct RackStatus {
  config::Generation generation;
  config::ContentHash hash;
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;  // of all bodies
};

struct PublisherLimits {
  std::size_t ring_deltas_max = 1024;                 // per rack
  std::size_t ring_bytes_max = std::size_t{4} << 20;  // per rack
  std::size_t delta_records_max = 20'000;             // beyond: a snapshot is cheaper
};

class Publisher;

// A snapshot being sent to one rack: records in (table, id) order, as of one generation, while the
// model moves on underneath. Used by one thread. It may outlive the rack, not the publisher.
class SnapshotCursor {
 public:
  ~SnapshotCursor();
  SnapshotCursor(const SnapshotCursor&) = delete;
  SnapshotCursor& operator=(const SnapshotCursor&) = delete;

  [[nodiscard]] config::Generation generation() const noexcept { return generation_; }

  [[nodiscard]] config::ContentHash hash() const noexcept { return hash_; }

  [[nodiscard]] std::uint64_t record_count() const noexcept { return record_count_; }

  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }

  // Gives records to `take` until it returns false (that record comes again next time) or all were
  // given. True: something is left. kExpired: too much has changed meanwhile; start another one.
  [[nodiscard]] Result<bool> Next(const std::function<bool(const PublishedRecord&)>& take);

 private:
  friend class Publisher;
  SnapshotCursor() = default;

  Publisher* publisher_ = nullptr;
  std::uint64_t rack_ = 0;
  config::Generation generation_;
  config::ContentHash hash_;
  std::uint64_t record_count_ = 0;
  std::uint64_t bytes_ = 0;
  std::pair<std::uint8_t, config::RecordId> position_{0, 0};  // last one given
  bool expired_ = false;
  // What changed after the generation and before the cursor came by: as it was.
  std::map<std::pair<std::uint8_t, config::RecordId>, std::optional<std::string>> before_;
};

class Publisher final : public model::ModelObserver {
 public:
  // Called with the racks whose generation has moved, without the publisher's lock but under the
  // model's: wake the link thread, nothing more.
  using Listener = std::function<void(std::uint64_t rack, config::Generation generation)>;

  // `epoch` is the store's.
  explicit Publisher(std::uint64_t epoch, PublisherLimits limits = {});
  ~Publisher() override;
  Publisher(const Publisher&) = delete;
  Publisher& operator=(const Publisher&) = delete;

  // Compiles everything: once, right after LiveModel::Start (add the observer before), inside
  // LiveModel::Read. Changes seen earlier are ignored. Keeps a reference to
  // the index for snapshots: those must be read under the model's lock too (see SetReadGuard).
  void Load(const model::ModelIndex& index);
  // How cursors get shared access to the model while they read: set by the owner, called with the
  // work to do. Default: call it at once (tests, simulation on one thread).
  void SetReadGuard(std::function<void(const std::function<void()>&)> guard);
  void SetListener(Listener listener);

  void OnChange(const model::ModelIndex& index, const model::ModelChange& change) override;
  void OnRevision(const model::ModelIndex& index, store::Revision revision) override;

  // kNotFound: no such rack.
  [[nodiscard]] Result<RackStatus> StatusOf(std::uint64_t rack) const;
  // All that changed since `base`, in one delta. If `base_hash` is the current hash the delta is
  // empty and only renames the generation. kExpired: `base` is unknown or too old, or its hash is
  // not what was published: send a snapshot. kNotFound: no such rack.
  [[nodiscard]] Result<PublishedDelta> DeltaSince(std::uint64_t rack, config::Generation base,
                                                  config::ContentHash base_hash) const;
  [[nodiscard]] Result<std::unique_ptr<SnapshotCursor>> StartSnapshot(std::uint64_t rack);

 private:
  friend class SnapshotCursor;
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace slipway::publish
