// All leases of a shard, IPv4 and IPv6 by the same rules: the link groups (a VLAN and its relayed
// subnets) that it owns, with one pool per subnet. A link group is a key here, not an object, so
// that VLANs come and go without taking memory. Overlapping subnets are not supported (the model
// refuses them).
//
// A pool is dense or sparse. A dense one has a bit per address and finds the next free one after
// the client's hash, however full it is. A sparse one (IPv6 ranges larger than kSparseFactor times
// the table) has no memory of its own: an address without an entry is free, and as at most a share
// of 1/kSparseFactor can have entries, a few hashes of the client find one.
//
// Owner: the shard that owns the groups; one thread. All memory is taken at construction. Nothing
// here reads a clock or allocates afterwards.
//
// Invariants (checked by CheckInvariants and the property tests): an address has at most one entry;
// a client key has at most one entry per VLAN; every entry inside a dense pool has its bit taken;
// entries that end are in a heap; entries that may be reused are in their pool's list, oldest
// first.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "dataplane/base/address.h"
#include "dataplane/base/bounded.h"
#include "dataplane/base/result.h"
#include "dataplane/base/table_memory.h"
#include "dataplane/base/time.h"
#include "dataplane/config/snapshot.h"
#include "dataplane/lease/address_number.h"
#include "dataplane/lease/detail_arena.h"
#include "dataplane/lease/free_map.h"
#include "dataplane/lease/lease.h"
#include "dataplane/lease/lease_clock.h"
#include "dataplane/lease/slot_index.h"

namespace slipway::lease {

// A sum of named terms; LeaseTable::MemoryBytes(options) is printed at start.
struct TableOptions {
  std::uint32_t leases_max = limits::kLeasesMax;
  std::uint32_t pools_max = limits::kSubnetsMax;
  std::uint32_t ranges_max = 2 * limits::kRangesMax;
  // Addresses in all dense pools together. IPv4 ranges beyond it are cut (see RebuildResult); IPv6
  // pools beyond it become sparse.
  std::uint32_t pool_addresses_max = std::uint32_t{1} << 22;
  std::uint64_t hash_seed = 0;  // random per process: clients must not choose their neighbours
};

// An offer is held this long. Firmware collects offers for 4 s before it takes one.
inline constexpr Duration kOfferHold = Duration::Seconds(30);
// An exhausted pool takes the oldest offer away only if it is older than this.
inline constexpr Duration kOfferHoldMin = Duration::Seconds(5);
inline constexpr Duration kQuarantine = Duration::Seconds(600);
// Unknown clients leave this share of each pool, and of the table, to known machines (1/n; defence
// against starvation).
inline constexpr std::uint32_t kKnownShare = 16;
// Quarantined addresses are at most this share of a pool (1/n): a flood never empties it.
inline constexpr std::uint32_t kQuarantineShare = 10;
// Addresses looked at for one offer, where reservations lie inside a range.
inline constexpr int kProbesMax = 1024;
// An IPv6 pool of more than so many times the table's leases is sparse.
inline constexpr std::uint64_t kSparseFactor = 2;
// Of these, how many may be not settled between two racks.
inline constexpr int kUnsettledProbesMax = 16;
// Hashes tried in a sparse pool: that all of them are taken has a chance of 2^-64.
inline constexpr int kSparseProbesMax = 64;
// Of a pool's addresses, so that sums of positions fit; a larger range is cut without loss.
inline constexpr std::uint64_t kPoolAddressesMax = std::uint64_t{1} << 62;

// Room for details: a client id and a host name of 40 bytes on the average, more than fleets need.
[[nodiscard]] constexpr std::uint32_t DetailChunksFor(std::uint32_t leases_max) noexcept {
  return leases_max + leases_max / 2;
}

struct Client {
  ClientKey key;
  MacAddress mac;
  RecordId vlan = 0;
  RecordId machine = 0;  // 0: unknown
};

struct OfferRequest {
  Client client;
  RecordId subnet = 0;
  IpAddress reserved;                   // set: this address or none
  IpAddress requested;                  // set: preferred, if it is free and in the pool
  std::span<const IpAddress> excluded;  // the rack's own addresses
};

// By which rule an offered address is found, in the order in which they are tried.
enum class OfferRule : std::uint8_t {
  kReservation,
  kOwn,        // what the client has or had
  kRequested,  // what it asks for
  kHash,       // a free one by a keyed hash of its identity
  kLongestOver,
  kOldOffer,  // older than kOfferHoldMin
};

// What Offer would do for a request.
struct Choice {
  ErrorCode refused = ErrorCode::kNone;  // as Offer fails
  OfferRule rule = OfferRule::kReservation;
  IpAddress address;
  bool kept_for_known = false;  // refused: what is left is for known machines (kKnownShare)
  std::uint32_t skipped = 0;    // free addresses that may not be given, before the one chosen
};

struct PoolCounts {
  std::uint64_t size = 0;  // dynamic addresses
  std::uint64_t free = 0;  // never used or forgotten
  std::uint32_t offered = 0;
  std::uint32_t bound = 0;
  std::uint32_t reusable = 0;  // released or expired
  std::uint32_t declined = 0;
};

struct RebuildResult {
  bool changed = false;  // subnets or ranges differ from before
  std::uint32_t pools = 0;
  std::uint32_t sparse_pools = 0;
  std::uint32_t addresses = 0;      // in dense pools
  std::uint64_t addresses_cut = 0;  // in ranges beyond pool_addresses_max or ranges_max
  std::uint32_t pools_cut = 0;
};

struct BindResult {
  const Lease* lease = nullptr;
  bool needs_log = false;  // the reply may leave only after the record of lease->version is durable
};

// A lease read back from a record.
struct RestoredLease {
  Lease lease;  // address, state, mac, vlan, subnet, machine, version, lease
  LeaseDetail detail;
  Stamp stamp;
  Duration horizon;
  // The record survives another crash. If not, a renewal is not answered from memory: it is logged
  // anew.
  bool durable = true;
};

class PairRules;

class LeaseTable {
 public:
  explicit LeaseTable(const TableOptions& options);
  LeaseTable(const LeaseTable&) = delete;
  LeaseTable& operator=(const LeaseTable&) = delete;

  [[nodiscard]] static std::uint64_t MemoryBytes(const TableOptions& options) noexcept;

  // Takes over subnets and ranges of a new snapshot; leases stay, also those whose address is in no
  // range any more. Cheap if neither changed (the common case: a few microseconds); otherwise it
  // costs a pass over all leases. Call it at every swap of the snapshot.
  RebuildResult Rebuild(const config::Snapshot& snapshot);

  // ---- the client's side ----

  // The address for a client, by this order: its reservation; what it has or had; what it asks for;
  // by hash of its identity the next free one; the longest-released or -expired one; an offer older
  // than kOfferHoldMin. Holds it for kOfferHold. The same client gets the same answer. Errors:
  // kFull (no address, or no entry left), kNotFound (no such pool), kConflict (the reserved address
  // is another client's for now).
  [[nodiscard]] Result<const Lease*> Offer(const OfferRequest& request,
                                           const config::Snapshot& snapshot, Instant now);

  // May this client have this address? kNotFound: neither in the pool nor reserved for it, or never
  // offered; kConflict: another client's or quarantined; kBusy: the partner's to say.
  [[nodiscard]] Result<const Lease*> Check(const Client& client, IpAddress address) const;

  // Binds an address that the client has an entry for (Offer, or an earlier lease that Check
  // allows). The horizon rule: a renewal that ends inside the durable horizon needs no record.
  // Errors as Check.
  [[nodiscard]] Result<BindResult> Bind(const Client& client, IpAddress address, Duration lease,
                                        Instant now, const LeaseDetail& detail);

  // Makes an entry for an address without an offer, as INIT-REBOOT after lost state needs it.
  // REQUIRES nothing; errors: kConflict, kFull, kNotFound (not in a pool and not `reserved`).
  [[nodiscard]] Result<const Lease*> Claim(const OfferRequest& request, IpAddress address,
                                           const config::Snapshot& snapshot, Instant now);

  // Ends a lease; the binding stays for the same client. Errors as Check. The version grows.
  [[nodiscard]] Result<const Lease*> Release(const Client& client, IpAddress address, Instant now);
  // Quarantines an address for kQuarantine. Errors as Check, and kFull if too much of the pool is
  // quarantined already: the lease then just ends.
  [[nodiscard]] Result<const Lease*> Decline(const Client& client, IpAddress address, Instant now);
  // Likewise of an offer, whose address turned out to be in use; kFull leaves the offer.
  [[nodiscard]] Result<const Lease*> DeclineOffer(const Client& client, IpAddress address,
                                                  Instant now);

  // ---- what the above would do, without doing it (lease_preview.cc) ----

  [[nodiscard]] Choice Choose(const OfferRequest& request, const config::Snapshot& snapshot,
                              Instant now) const noexcept;
  // Whether Claim would succeed; its errors.
  [[nodiscard]] Result<void> CheckClaim(const OfferRequest& request, IpAddress address,
                                        const config::Snapshot& snapshot,
                                        Instant now) const noexcept;
  // Whether Bind would need a record. REQUIRES: Check or CheckClaim allows the address.
  [[nodiscard]] bool NeedsRecord(const Client& client, IpAddress address, Duration lease,
                                 Instant now, const LeaseDetail& detail) const noexcept;
  // Whether Release or Decline would succeed; their errors.
  [[nodiscard]] Result<void> CheckEnd(const Client& client, IpAddress address) const noexcept;
  [[nodiscard]] Result<void> CheckDecline(const Client& client, IpAddress address) const noexcept;

  // ---- time and durability ----

  // Ends what is due, at most `out.size()` entries; returns how many leases ended (state kExpired,
  // version grown) and puts them into `out` to be logged. Offers and quarantines that end are not
  // reported. Call again while it fills `out`.
  [[nodiscard]] std::size_t Expire(Instant now, std::span<const Lease*> out);
  // Instant::Never() if nothing is to end.
  [[nodiscard]] Instant next_deadline() const noexcept;
  // The record of that version is on disk. Ignored if the entry has moved on.
  void MarkDurable(IpAddress address, std::uint64_t version) noexcept;
  // Looks at `budget` pool positions and gives back those whose reservation is gone. Call it now
  // and then (each second); it goes round.
  void Maintain(const config::Snapshot& snapshot, std::span<const IpAddress> excluded,
                std::uint32_t budget) noexcept;

  // ---- looking ----

  [[nodiscard]] const Lease* ByAddress(IpAddress address) const noexcept;
  [[nodiscard]] const Lease* ByClient(const ClientKey& key, RecordId vlan) const noexcept;
  // REQUIRES: a lease of this table.
  [[nodiscard]] LeaseDetail DetailOf(const Lease& lease) const noexcept;
  [[nodiscard]] PoolCounts CountsOf(RecordId subnet) const noexcept;

  // Details that found no room (see DetailArena), since the start.
  [[nodiscard]] std::uint64_t details_dropped() const noexcept { return details_.dropped(); }

  [[nodiscard]] std::uint32_t size() const noexcept { return used_; }

  [[nodiscard]] std::uint32_t capacity() const noexcept {
    return static_cast<std::uint32_t>(entries_.size());
  }

  // For checkpoints and lists: slots 0..capacity()-1, nullptr for a free one. An entry keeps its
  // slot while it lives.
  [[nodiscard]] const Lease* At(std::uint32_t slot) const noexcept;

  // REQUIRES: a lease of this table.
  [[nodiscard]] std::uint32_t SlotOf(const Lease& lease) const noexcept;

  // ---- pair of racks (lease_pair.cc) ----

  // From now on the rules are asked what may be given, and versions are of the rules' side: even or
  // odd, above `version_floor`, so that two racks never make the same one. No renewal is answered
  // from memory on the strength of what is there now.
  void SetPair(const PairRules* rules, std::uint64_t version_floor) noexcept;

  [[nodiscard]] std::uint64_t last_version() const noexcept { return last_version_; }

  // The partner has this version: the next one here is higher.
  void ObserveVersion(std::uint64_t version) noexcept;
  // Takes over what the partner says, whatever is here. `from.horizon` is what is left of the lease
  // now; its stamp is not looked at. Errors: kFull.
  [[nodiscard]] Result<const Lease*> Adopt(const RestoredLease& from, const Now& now);
  // The same lease as a new version, until `until` at least. REQUIRES: an entry with a record.
  const Lease* Reassert(IpAddress address, Instant until, Instant now) noexcept;

  // ---- restart ----

  // Puts back a lease from its record; a lower version than what is there is ignored. The horizon
  // counts as the lease's end. Records of pools that are gone are kept. Errors: kFull.
  [[nodiscard]] Result<void> Restore(const RestoredLease& restored, const Now& now);

  // Aborts on a broken invariant. Linear: for tests and the simulator.
  void CheckInvariants() const;

 private:
  static constexpr std::uint64_t kNoPosition = UINT64_MAX;

  struct Segment {  // a run of dynamic addresses of a pool
    AddressNumber first;
    std::uint64_t count = 0;
    // Addresses of the pool's segments before this one: all; even and odd ones.
    std::uint64_t before = 0;
    std::array<std::uint64_t, 2> before_in_share{};

    // Until the first address of that share.
    [[nodiscard]] std::uint64_t StepsTo(unsigned share) const noexcept {
      return (first.low & 1) == share ? 0 : 1;
    }

    [[nodiscard]] std::uint64_t CountOf(unsigned share) const noexcept {
      return count > StepsTo(share) ? (count - StepsTo(share) + 1) / 2 : 0;
    }
  };

  // Positions [first, last) of a pool.
  struct Run {
    std::uint64_t first = 0;
    std::uint64_t last = 0;
  };

  enum List : std::uint8_t { kReusable = 0, kReusableOdd = 1, kOffers = 2 };

  struct ListEnds {
    std::uint32_t head = kNone;
    std::uint32_t tail = kNone;
  };

  // Heaps of entries by their ends, in one array: what is bound or quarantined from its front,
  // offers from its back. Offers come and go while they are few; among a million leases that end
  // later each would have a long way.
  enum Heap : std::uint8_t { kLong = 0, kShort = 1 };

  struct Pool {
    RecordId subnet = 0;
    IpPrefix prefix;
    IpAddress gateway;
    std::uint32_t segment_first = 0;
    std::uint32_t segment_count = 0;
    std::uint64_t size = 0;
    std::uint64_t evens = 0;  // even addresses: they have the first positions
    bool dense = true;
    FreeMap map;  // of a dense pool
    std::array<ListEnds, 3> lists;
    std::array<std::uint32_t, 6> counts{};  // by State, of entries inside the map
  };

  // lease_table.cc: entries.
  [[nodiscard]] Lease* Find(IpAddress address) noexcept;
  [[nodiscard]] std::uint32_t FindSlot(IpAddress address) const noexcept;
  [[nodiscard]] std::uint32_t FindSlot(const ClientKey& key, RecordId vlan) const noexcept;
  // Likewise, by the indexes alone.
  [[nodiscard]] std::uint32_t LookUp(IpAddress address) const noexcept;
  [[nodiscard]] std::uint32_t LookUp(const ClientKey& key, RecordId vlan) const noexcept;
  [[nodiscard]] std::uint64_t HashAddress(IpAddress address) const noexcept;
  [[nodiscard]] std::uint64_t HashClient(const ClientKey& key, RecordId vlan) const noexcept;
  // nullptr: no entry is left. Unknown clients leave some to known machines.
  [[nodiscard]] Lease* Insert(IpAddress address, RecordId subnet, bool known, Instant now) noexcept;
  void Forget(Lease& lease) noexcept;
  void SetSubnet(Lease& lease, RecordId subnet) noexcept;
  void SetState(Lease& lease, State state, Instant ends) noexcept;
  void Index(Lease& lease) noexcept;
  void Unindex(Lease& lease) noexcept;
  void AssignClient(Lease& lease, const Client& client) noexcept;
  void EndHold(Lease& lease, Instant now) noexcept;
  [[nodiscard]] bool HasQuarantineRoom(const Lease& lease) const noexcept;
  [[nodiscard]] const Lease* Quarantine(Lease& lease, Instant now) noexcept;
  void MoveAway(Lease& lease, Instant now) noexcept;
  [[nodiscard]] Lease* Hold(Lease& lease, const Client& client, Instant now) noexcept;
  [[nodiscard]] Lease* TakeOver(Lease& lease, const OfferRequest& request, Instant now) noexcept;
  [[nodiscard]] std::uint32_t OldestOver(Instant now) const noexcept;

  // Entries that are kept for known machines.
  [[nodiscard]] std::size_t SlotsKept(bool known) const noexcept {
    return known ? 0 : entries_.size() / kKnownShare;
  }

  [[nodiscard]] Result<Lease*> CheckOwn(const Client& client, IpAddress address) noexcept;
  [[nodiscard]] static bool IsReusable(State state) noexcept;

  // lease_pools.cc: pools and allocation.
  [[nodiscard]] std::uint16_t PoolOf(RecordId subnet) const noexcept;
  // kNoPosition: in none of its ranges.
  [[nodiscard]] std::uint64_t PositionOf(const Pool& pool, IpAddress address) const noexcept;
  [[nodiscard]] IpAddress AddressAt(const Pool& pool, std::uint64_t position) const noexcept;
  [[nodiscard]] bool IsFree(const Pool& pool, std::uint64_t position,
                            IpAddress address) const noexcept;
  // The entry left the pool: its bit is free again.
  void FreePosition(Pool& pool, IpAddress address) noexcept;
  [[nodiscard]] static std::uint64_t HashLayout(const config::Snapshot& snapshot) noexcept;
  void BuildPool(const config::SubnetRecord& subnet, const config::Snapshot& snapshot,
                 RebuildResult& result) noexcept;
  void AddSegments(Pool& pool, const config::SubnetRecord& subnet, const config::Snapshot& snapshot,
                   RebuildResult& result) noexcept;
  void AddSegment(Pool& pool, AddressNumber first, AddressNumber last,
                  RebuildResult& result) noexcept;
  void CutPool(Pool& pool, std::uint64_t size) noexcept;
  void NumberShares(Pool& pool) noexcept;
  void AttachAll() noexcept;
  [[nodiscard]] static bool IsHostAddress(const Pool& pool, IpAddress address) noexcept;
  [[nodiscard]] static bool IsExcluded(const Pool& pool, IpAddress address,
                                       std::span<const IpAddress> excluded,
                                       const config::Snapshot& snapshot) noexcept;
  [[nodiscard]] bool MayKeep(const Lease& own, const OfferRequest& request,
                             const config::Snapshot& snapshot) const noexcept;

  // May have the last entries of the table.
  [[nodiscard]] static bool MayFillUp(const OfferRequest& request) noexcept {
    return request.reserved.is_set() || request.client.machine != 0;
  }

  void TakeSkipped(Pool& pool, const Client& client, std::uint32_t skipped) noexcept;
  // `own` and `there` are the client's and the address's entries, if there are.
  [[nodiscard]] Result<const Lease*> HoldFor(const OfferRequest& request, IpAddress address,
                                             std::uint32_t own, std::uint32_t there,
                                             Instant now) noexcept;

  // lease_preview.cc: choices.
  // As Choose; `own` is the client's entry.
  [[nodiscard]] Choice ChooseFor(const OfferRequest& request, const Lease* own,
                                 const config::Snapshot& snapshot, Instant now) const noexcept;
  [[nodiscard]] Choice ChooseReserved(const OfferRequest& request, const Lease* own,
                                      Instant now) const noexcept;
  [[nodiscard]] Choice ChooseFromPool(const OfferRequest& request, const Pool& pool,
                                      const Lease* own, const config::Snapshot& snapshot,
                                      Instant now) const noexcept;
  void ChooseFree(const OfferRequest& request, const Pool& pool, const config::Snapshot& snapshot,
                  Choice& choice) const noexcept;
  void ChooseUsed(const OfferRequest& request, const Pool& pool, const config::Snapshot& snapshot,
                  Instant now, Choice& choice) const noexcept;
  [[nodiscard]] bool MayGive(const OfferRequest& request, const Pool& pool, IpAddress address,
                             const config::Snapshot& snapshot) const noexcept;
  [[nodiscard]] bool HasRoom(const OfferRequest& request, const Lease* own,
                             Instant now) const noexcept;
  // Of a dense pool: the next free position of the run at or after `from`, or else from its start.
  [[nodiscard]] static std::optional<std::uint32_t> NextFreeIn(const Pool& pool, Run run,
                                                               std::uint32_t from) noexcept;
  [[nodiscard]] std::uint32_t FirstProbe(Run run, const Client& client) const noexcept;
  [[nodiscard]] IpAddress ProbeRun(const OfferRequest& request, const Pool& pool, Run run,
                                   const config::Snapshot& snapshot,
                                   std::uint32_t& skipped) const noexcept;
  [[nodiscard]] IpAddress ProbeSparse(const OfferRequest& request, const Pool& pool, Run run,
                                      const config::Snapshot& snapshot) const noexcept;
  [[nodiscard]] std::uint32_t FindReusable(const OfferRequest& request, const Pool& pool, List list,
                                           const config::Snapshot& snapshot) const noexcept;

  // lease_pair.cc: what the rules of a pair allow; everything without them.
  [[nodiscard]] std::uint64_t NextVersion() noexcept;
  // Where free addresses may be taken from, the preferred ones first.
  [[nodiscard]] FixedVector<Run, 2> RunsOf(const Pool& pool) const noexcept;
  [[nodiscard]] bool IsGivable(const IpAddress& address) const noexcept;
  [[nodiscard]] bool MayReassign(const Lease& lease) const noexcept;
  [[nodiscard]] bool MayForget(const Lease& lease) const noexcept;
  [[nodiscard]] bool MayKeepBinding(const Lease& lease) const noexcept;
  [[nodiscard]] bool MayReserve(const OfferRequest& request, const Lease* there) const noexcept;
  [[nodiscard]] bool MustTell(const Lease& lease) const noexcept;

  // lease_order.cc: lists of a pool, the heaps by `ends`, and their checks.
  void Attach(Lease& lease) noexcept;
  void Detach(Lease& lease) noexcept;
  [[nodiscard]] ListEnds& EndsOf(const Lease& lease) noexcept;
  void ListAppend(Lease& lease) noexcept;
  void ListRemove(Lease& lease) noexcept;
  void HeapPush(Lease& lease) noexcept;
  void HeapRemove(Lease& lease) noexcept;
  // The end of a lease in the heap has changed.
  void HeapMove(Lease& lease) noexcept;
  void HeapPlace(Heap heap, std::uint32_t at, std::uint32_t slot) noexcept;
  void HeapUp(Heap heap, std::uint32_t at) noexcept;
  void HeapDown(Heap heap, std::uint32_t at) noexcept;

  [[nodiscard]] static Heap HeapOf(const Lease& lease) noexcept {
    return lease.state == State::kOffered ? kShort : kLong;
  }

  [[nodiscard]] std::size_t CellOf(Heap heap, std::uint32_t at) const noexcept {
    return heap == kLong ? at : heap_.size() - 1 - at;
  }

  [[nodiscard]] std::uint32_t HeapSlot(Heap heap, std::uint32_t at) const noexcept {
    return heap_[CellOf(heap, at)];
  }

  // The entry that ends first of all; nullptr: none is to end.
  [[nodiscard]] const Lease* FirstToEnd() const noexcept;
  void CheckEntry(const Lease& lease) const;

  TableOptions options_;
  std::vector<Lease, TableAllocator<Lease>> entries_;
  DetailArena details_;
  std::vector<std::uint32_t> free_slots_;  // a stack; never grows past leases_max
  SlotIndex by_address_;
  SlotIndex by_client_;
  mutable std::uint32_t last_found_ = 0;  // by FindSlot
  std::vector<std::uint32_t> heap_;       // slots of both heaps, earliest end first
  std::array<std::uint32_t, 2> heap_sizes_{};
  std::uint32_t used_ = 0;
  std::uint64_t last_version_ = 0;
  const PairRules* rules_ = nullptr;  // nullptr: no pair
  std::vector<Pool> pools_;           // ordered by subnet
  std::uint32_t pool_count_ = 0;
  std::vector<Segment> segments_;
  std::uint32_t segment_count_ = 0;
  std::vector<std::uint64_t> words_;
  std::size_t words_used_ = 0;
  std::vector<std::uint32_t> scratch_;  // of AttachAll
  std::uint64_t layout_hash_ = 0;
  // Reusable entries outside every pool: reservations and gone ranges; offers there.
  std::array<ListEnds, 3> strays_;
  std::uint32_t maintain_pool_ = 0;
  std::uint32_t maintain_position_ = 0;
};

}  // namespace slipway::lease
