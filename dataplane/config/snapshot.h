// The immutable snapshot that shards answer from, and the builder that makes the next one by
// copying only the pages that change. Built off-shard; shards look things up and never change it.
//
// Ownership: SnapshotRef counts references atomically; the last one frees the pages that no other
// snapshot shares. Shards hold one reference each and swap it between turns, so that the count is
// never touched per packet. Free on the builder's thread: shards hand old references back by
// mailbox.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "dataplane/base/result.h"
#include "dataplane/config/records.h"

namespace slipway::config {

// Which published state this is. Epochs change when a region is restored from a backup.
struct Generation {
  std::uint64_t epoch = 0;
  std::uint64_t number = 0;

  friend constexpr auto operator<=>(const Generation&, const Generation&) = default;
};

// Order-free sum modulo 2^128 of keyed hashes of all records: a delta updates it.
struct ContentHash {
  std::uint64_t low = 0;
  std::uint64_t high = 0;

  void Add(ContentHash other) noexcept;
  void Subtract(ContentHash other) noexcept;

  friend constexpr bool operator==(const ContentHash&, const ContentHash&) = default;
};

// The keyed hash of one record as it is on the wire. `table` as in schemas/config.fbs RecordTable.
[[nodiscard]] ContentHash HashRecord(std::uint8_t table, RecordId id, ByteSpan body) noexcept;

// A file that machines may fetch. `name` is "<image name>/<file name>".
struct FileRef {
  const ImageRecord* image = nullptr;
  const ImageFile* file = nullptr;
};

class OptionTable;  // dataplane/config/option_table.h
class SnapshotBuilder;

// Lookups return pointers that live as long as the snapshot, or nullptr. None of them allocates.
class Snapshot {
 public:
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;

  [[nodiscard]] Generation generation() const noexcept;
  [[nodiscard]] ContentHash hash() const noexcept;
  [[nodiscard]] std::uint64_t record_count() const noexcept;
  // Bytes of all pages, shared ones included.
  [[nodiscard]] std::uint64_t memory_bytes() const noexcept;

  [[nodiscard]] const InterfaceRecord* InterfaceByMac(MacAddress mac) const noexcept;
  // The interface that has this address reserved.
  [[nodiscard]] const InterfaceRecord* InterfaceByAddress(IpAddress address) const noexcept;
  [[nodiscard]] const InterfaceRecord* InterfaceById(RecordId id) const noexcept;
  [[nodiscard]] const MachineRecord* MachineById(RecordId id) const noexcept;
  // All zero is not looked up: nullptr.
  [[nodiscard]] const MachineRecord* MachineByUuid(const Uuid& uuid) const noexcept;
  [[nodiscard]] const VlanRecord* VlanById(RecordId id) const noexcept;
  [[nodiscard]] const SubnetRecord* SubnetById(RecordId id) const noexcept;
  [[nodiscard]] const ImageRecord* ImageById(RecordId id) const noexcept;
  // The launcher environment of an architecture ("amd64").
  [[nodiscard]] const ImageRecord* LauncherFor(std::string_view architecture) const noexcept;
  [[nodiscard]] FileRef FileByName(std::string_view name) const noexcept;
  [[nodiscard]] const ServedInterfaceRecord* ServedInterface(std::string_view name) const noexcept;

  // Ordered by id. Subnets and ranges are ordered by (vlan, id) and (subnet, id).
  [[nodiscard]] std::span<const VlanRecord> vlans() const noexcept;
  [[nodiscard]] std::span<const SubnetRecord> subnets() const noexcept;
  [[nodiscard]] std::span<const SubnetRecord> SubnetsOf(RecordId vlan) const noexcept;
  [[nodiscard]] std::span<const RangeRecord> RangesOf(RecordId subnet) const noexcept;
  [[nodiscard]] std::span<const ServedInterfaceRecord> served_interfaces() const noexcept;
  [[nodiscard]] std::span<const ImageRecord> images() const noexcept;
  // By falling priority, then id.
  [[nodiscard]] std::span<const DhcpClassRecord> dhcp_classes() const noexcept;
  [[nodiscard]] const OptionTable& dhcp_options() const noexcept;
  // The pair that this rack is one of; nullptr: none.
  [[nodiscard]] const RackPairRecord* rack_pair() const noexcept;

  // Pages of the tables that `other` does not share: what a delta cost. Linear; for tests and
  // figures.
  [[nodiscard]] std::uint64_t PagesNotIn(const Snapshot& other) const;

 private:
  friend class SnapshotBuilder;
  friend class SnapshotRef;
  struct Data;
  Snapshot() = default;
  ~Snapshot();
  std::unique_ptr<Data> data_;
};

class SnapshotRef {
 public:
  SnapshotRef() = default;
  SnapshotRef(const SnapshotRef& other) noexcept;
  SnapshotRef(SnapshotRef&& other) noexcept;
  SnapshotRef& operator=(SnapshotRef other) noexcept;
  ~SnapshotRef();

  [[nodiscard]] explicit operator bool() const noexcept { return snapshot_ != nullptr; }

  [[nodiscard]] const Snapshot& operator*() const noexcept { return *snapshot_; }

  [[nodiscard]] const Snapshot* operator->() const noexcept { return snapshot_; }

 private:
  friend class SnapshotBuilder;
  explicit SnapshotRef(const Snapshot* snapshot) noexcept;
  const Snapshot* snapshot_ = nullptr;
};

// One thread. Starts empty or from a snapshot, takes records, yields the next snapshot.
//
// The records of one delta may come in any order: where two interfaces name one MAC or one address
// (or two machines one UUID), the one put last is found by it. The model does not allow such pairs,
// but a delta that moves a MAC passes through one.
class SnapshotBuilder {
 public:
  // An empty reference starts from nothing.
  explicit SnapshotBuilder(const SnapshotRef& base);
  SnapshotBuilder(const SnapshotBuilder&) = delete;
  SnapshotBuilder& operator=(const SnapshotBuilder&) = delete;
  ~SnapshotBuilder();

  // Verifies the body (flatbuffers verifier, named limits), validates bounds, and puts or replaces
  // the record. An unknown table counts for the hash only. Errors: kMalformed, kTooLarge, kFull,
  // kOutOfRange; the record is then not applied and the builder stays usable.
  [[nodiscard]] Result<void> Put(std::uint8_t table, RecordId id, ByteSpan body);
  // Removing what is not there is an error (kNotFound): base and delta do not belong together.
  [[nodiscard]] Result<void> Remove(std::uint8_t table, RecordId id);
  [[nodiscard]] ContentHash hash() const noexcept;
  // The builder is empty afterwards.
  [[nodiscard]] SnapshotRef Finish(Generation generation);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace slipway::config
