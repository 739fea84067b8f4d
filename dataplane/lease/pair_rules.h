// What a rack of a pair may give to clients by itself (docs/adr/0009-pair-of-racks.md), and what it
// knows of its partner's knowledge. Asked by the lease table and the engines; set by PairCore.
//
// Shares: the lowest bit of an address says whose share it lies in. It depends on nothing that the
// two racks could know at different times (ranges, generations), is the same for both families, and
// is the same for ever.
#pragma once

#include <cstdint>
#include <limits>
#include <string_view>
#include <utility>
#include <vector>

#include "dataplane/base/table_memory.h"
#include "dataplane/base/time.h"
#include "dataplane/lease/lease.h"

namespace slipway::lease {

// As operators know them from DHCP failover.
enum class PairState : std::uint8_t {
  kOff = 0,      // no pair: everything is this rack's
  kRecover,      // started, or declared down: answers nobody until it has caught up
  kRecoverWait,  // lost its disk: caught up, but what it had promised alone is not over yet
  kNormal,       // what is promised is on both disks first
  kInterrupted,  // the partner is not heard: own share, and renewals within MCLT
  kPartnerDown,  // the partner is known to be down: after MCLT, its share too
};

[[nodiscard]] std::string_view ToString(PairState state) noexcept;

// Clocks of racks and clients may differ by 1 in 256 and nothing breaks. Waits are longer, and what
// the partner has promised counts as longer, by this.
[[nodiscard]] constexpr Duration WithSlack(Duration span) noexcept { return span + span / 128; }

// With less left to promise a rack that goes on by its stamp alone is silent.
inline constexpr Duration kPromiseMin = Duration::Seconds(5);

// Another rack may have answered a client in this time; then it is our turn.
inline constexpr Duration kSecondAnswerAfter = Duration::Seconds(3);
inline constexpr Duration kSecondAnswerWithin = Duration::Seconds(60);
inline constexpr std::uint32_t kPassedOverMax = 4096;  // clients remembered for it; a power of two

// One per lease table; its thread. Memory: 24 bytes per lease once there is a pair, none before.
class PairRules {
 public:
  explicit PairRules(std::uint32_t leases_max);

  [[nodiscard]] static std::uint64_t MemoryBytes(std::uint32_t leases_max) noexcept {
    return std::uint64_t{leases_max} * sizeof(Known) + kPassedOverMax * sizeof(PassedOver);
  }

  // ---- the rules; `slot` is the table's ----

  [[nodiscard]] PairState state() const noexcept { return state_; }

  [[nodiscard]] unsigned side() const noexcept { return side_; }

  [[nodiscard]] static unsigned ShareOf(const IpAddress& address) noexcept {
    return address.v6().octets.back() & 1U;
  }

  [[nodiscard]] bool IsOwn(const IpAddress& address) const noexcept {
    return state_ == PairState::kOff || ShareOf(address) == side_;
  }

  // Answers anybody at all.
  [[nodiscard]] bool MayServe(Instant now) const noexcept;

  [[nodiscard]] bool ServesWithoutEnd() const noexcept {
    return MayServe(Instant{}) && serves_until_ == Instant::Never();
  }

  // An address that has no entry, to anybody.
  [[nodiscard]] bool MayGive(const IpAddress& address) const noexcept {
    return IsOwn(address) || partner_over_;
  }

  // Both shares.
  [[nodiscard]] bool MayGiveAll() const noexcept {
    return state_ == PairState::kOff || partner_over_;
  }

  // The address of a lease that is over, to another client.
  [[nodiscard]] bool MayReassign(std::uint32_t slot, const Lease& lease) const noexcept;
  // The address of a lease, to its own client once more.
  [[nodiscard]] bool MayKeep(const Lease& lease) const noexcept;

  // A NAK about an address: only he who could have given it elsewhere knows that it is not the
  // client's; and not to the client that had it last, which the partner may have given it to again.
  [[nodiscard]] bool MayRefuse(const IpAddress& address, const Lease* there,
                               const ClientKey& client) const noexcept;

  // Taking an address back from the client that holds it, with a NAK: not where only the partner
  // knows what it has promised since.
  [[nodiscard]] bool MayTakeBack(const IpAddress& address) const noexcept {
    return state_ == PairState::kNormal || MayGive(address);
  }

  // Of the two, the one to answer a broadcast, so that a client gets one answer: he whose share has
  // the client's address, or the client's hash. The other one answers a client that asks again
  // after kSecondAnswerAfter: no answer came. `known` may be nullptr.
  [[nodiscard]] bool MayAnswer(const ClientKey& client, const Lease* known, Instant now) noexcept;
  // What MayAnswer would say; remembers nothing.
  [[nodiscard]] bool WouldAnswer(const ClientKey& client, const Lease* known,
                                 Instant now) const noexcept;
  // The longest promise that may be made at `now`. A rack that goes on by its stamp may have been
  // declared down since: what it promises ends before the partner gives its addresses away.
  [[nodiscard]] Duration LeaseMax(Instant now) const noexcept;

  // ---- what the partner knows ----

  // The partner has this version on its disk.
  [[nodiscard]] bool IsAgreed(std::uint32_t slot, const Lease& lease) const noexcept {
    return known_[slot].agreed == lease.version && lease.version != 0;
  }

  // The partner has something else, and will tell.
  [[nodiscard]] bool IsRefused(std::uint32_t slot, const Lease& lease) const noexcept {
    return known_[slot].agreed == (lease.version | kRefusedBit);
  }

  // This rack has on its disk that this client has this address: the partner may hear of it.
  [[nodiscard]] bool MayTell(std::uint32_t slot, const Lease& lease) const noexcept {
    return known_[slot].holder == HolderOf(lease);
  }

  // The partner may have heard of it.
  [[nodiscard]] bool IsTold(std::uint32_t slot, const Lease& lease) const noexcept {
    return known_[slot].told && MayTell(slot, lease);
  }

  // ---- for PairCore ----

  void SetState(PairState state, Instant since) noexcept;
  // Time goes by.
  void Update(Instant now) noexcept;

  [[nodiscard]] Instant since() const noexcept { return since_; }

  [[nodiscard]] Instant serves_until() const noexcept { return serves_until_; }

  [[nodiscard]] Instant partner_over_at() const noexcept { return since_ + WithSlack(mclt_); }

  void SetPair(unsigned side, Duration mclt) noexcept;

  void SetPartnerServes(bool serves) noexcept { partner_serves_ = serves; }

  // Nobody is answered from then on (a rack that came back alone, and cannot know more).
  void SetServesUntil(Instant until) noexcept { serves_until_ = until; }

  void SetMayTell(std::uint32_t slot, const Lease& lease) noexcept;
  void SetTold(std::uint32_t slot, const Lease& lease) noexcept;
  void SetAgreed(std::uint32_t slot, std::uint64_t version) noexcept;
  void SetRefused(std::uint32_t slot, std::uint64_t version) noexcept;
  // What the partner knew of is gone there.
  void ForgetAgreed() noexcept;

  // The table has a version that the journal has not.
  [[nodiscard]] bool IsUnlogged(std::uint32_t slot) const noexcept { return known_[slot].unlogged; }

  void SetUnlogged(std::uint32_t slot, bool unlogged) noexcept { known_[slot].unlogged = unlogged; }

  // Returns what it was.
  [[nodiscard]] bool TakeQueued(std::uint32_t slot, bool queued) noexcept;

 private:
  static constexpr std::uint64_t kRefusedBit = std::uint64_t{1} << 63;

  struct Known {
    std::uint64_t agreed = 0;  // version
    std::uint64_t holder = 0;  // HolderOf
    bool told = false;         // of that holder
    bool unlogged = false;
    bool queued = false;  // PairCore is to send it
  };

  struct PassedOver {
    std::uint64_t client = 0;
    Instant first;
  };

  [[nodiscard]] static std::uint64_t HolderOf(const Lease& lease) noexcept;

  PairState state_ = PairState::kOff;
  unsigned side_ = 0;
  Duration mclt_;
  Instant since_;              // of the state
  bool partner_over_ = false;  // what it promised alone, before it was down, is over
  Instant serves_until_ = Instant::Never();
  bool partner_serves_ = false;
  UntouchedTable<Known> known_;  // by slot of the table
  std::vector<PassedOver> passed_over_;
};

}  // namespace slipway::lease
