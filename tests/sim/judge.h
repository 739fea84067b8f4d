// Sees what leaves a rack, what reaches a client, what is durable and what the region applies, and
// says when two of these contradict each other. The numbers are those of docs/testing.md.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/store/facts_store.h"
#include "dataplane/config/snapshot.h"
#include "dataplane/journal/format.h"
#include "dataplane/lease/lease_table.h"
#include "tests/sim/world.h"

namespace slipway::sim {

// Which of the run's racks, from 0.
using RackIndex = std::size_t;

// How a rack may make a promise at the moment.
struct PairView {
  bool paired = false;
  bool normal = false;  // only what its partner, the other rack, has on its disk too
  Duration mclt;        // else at most this
};

// All times are the world's.
class Judge {
 public:
  // A lease as somebody relies on it.
  struct Promise {
    MacAddress mac;
    Instant until;
    RackIndex rack = 0;  // that made it
  };

  Judge(World* world, std::size_t racks) : world_(world), racks_(racks) {}

  // Of a rack; other servers are no business of ours.
  void AddServer(Ipv4Address address) { servers_.insert(address); }

  // The region knows the rack by this id. What is said of an id before is kept.
  void OnEnrolled(RackIndex rack, std::uint64_t id) { index_of_[id] = rack; }

  // ---- leases ----
  // A lease record is on the medium of a rack: the address is `mac`'s until then (not bound:
  // nobody's).
  void OnLeaseDurable(RackIndex rack, Ipv4Address address, MacAddress mac, bool bound,
                      Instant until);

  // A client sends the first DHCPREQUEST of an exchange: its lease counts from here (RFC
  // 2131 4.4.1).
  void OnRequest(MacAddress mac, std::uint32_t xid) {
    requests_.try_emplace({mac, xid}, world_->now());
  }

  // An ACK leaves a rack.
  void OnAckSent(RackIndex rack, MacAddress mac, std::uint32_t xid, Ipv4Address address,
                 Duration lease, const PairView& pair);
  // A client holds the address from now on.
  void OnBound(MacAddress mac, Ipv4Address address, Instant until);
  // A NAK has arrived, from this server.
  void OnNak(Ipv4Address server, MacAddress mac, Ipv4Address address);
  // The client gave it back, before the message left.
  void OnReleased(MacAddress mac, Ipv4Address address);

  // The client's reservation has changed: it may be moved.
  void OnMayMove(MacAddress mac) { may_move_[mac] = world_->now(); }

  // The table of a rack, just read back or at rest: all that it promised is there.
  void CheckTable(RackIndex rack, const lease::LeaseTable& table, Instant rack_now);

  // ---- generations; racks by the region's id, and at the region ----
  void OnPublished(std::uint64_t id, const config::Generation& generation,
                   const config::ContentHash& hash);
  // Served by all shards, as the region hears it.
  void OnReported(std::uint64_t id, const config::Generation& generation,
                  const config::ContentHash& hash);

  // ---- generations, at a rack ----
  // Served by all shards.
  void OnServed(RackIndex rack, const config::Generation& generation,
                const config::ContentHash& hash);
  // What a start found on disk.
  void OnLoaded(RackIndex rack, const config::Generation& generation);

  // ---- facts ----
  void OnAppended(RackIndex rack, journal::FactClass fact_class, std::uint64_t sequence,
                  std::uint64_t key, ByteSpan payload);
  // Applied at the region: sequences of the link, that begin at 1.
  void OnApplied(const store::FactsBatch& batch, const store::FactsCursor& before,
                 const store::FactsApplied& result);

  [[nodiscard]] std::uint64_t applied(store::FactClass fact_class) const {
    std::uint64_t sum = 0;
    for (const OfRack& rack : racks_) {
      sum += rack.applied[static_cast<std::size_t>(fact_class)];
    }
    return sum;
  }

  // ---- verdict ----
  void Require(bool holds, std::string_view what);

  [[nodiscard]] bool ok() const { return broken_.empty(); }

  // What was broken, and the log before it.
  [[nodiscard]] const std::string& report() const { return broken_; }

  [[nodiscard]] std::uint64_t acks_sent() const { return acks_sent_; }

  [[nodiscard]] std::uint64_t acks_received() const { return acks_received_; }

 private:
  struct Durable {
    MacAddress mac;
    bool bound = false;
    Instant until;
  };

  struct Record {
    std::uint64_t key = 0;
    std::uint64_t hash = 0;
  };

  struct OfRack {
    std::map<Ipv4Address, Durable> durable;
    config::Generation acknowledged;
    std::array<std::map<std::uint64_t, Record>, journal::kClasses> records;
    std::array<std::map<std::uint64_t, std::uint64_t>, journal::kClasses> newest_of_key;
    std::array<std::uint64_t, journal::kClasses> epochs{};
    std::array<std::uint64_t, journal::kClasses> next{};
    std::array<std::uint64_t, journal::kClasses> applied{};
  };

  using Promises = std::map<Ipv4Address, Promise>;

  [[nodiscard]] bool MayMove(MacAddress mac) const { return may_move_.contains(mac); }

  [[nodiscard]] bool Covers(RackIndex rack, MacAddress mac, Ipv4Address address,
                            Instant until) const;
  [[nodiscard]] std::string DurableText(RackIndex rack, Ipv4Address address) const;
  [[nodiscard]] static bool MayBeMissing(const OfRack& rack, std::size_t fact_class,
                                         std::uint64_t sequence);
  void CheckServed(std::uint64_t id, const config::Generation& generation,
                   const config::ContentHash& hash);
  // The addresses that a client has in `promises`, but `address`.
  [[nodiscard]] static std::vector<Ipv4Address> Others(
      const std::map<MacAddress, std::set<Ipv4Address>>& of, MacAddress mac, Ipv4Address address);
  void PutPromise(Ipv4Address address, const Promise& promise);
  void ErasePromise(Ipv4Address address);
  void EraseBelief(MacAddress mac);

  World* world_;
  std::vector<OfRack> racks_;
  std::set<Ipv4Address> servers_;
  std::map<std::uint64_t, RackIndex> index_of_;
  Promises promises_;  // of ACKs that left
  std::map<MacAddress, std::set<Ipv4Address>> promised_to_;
  // When a client last sent a RELEASE; how long the wire and the disk may take to it.
  std::map<std::pair<MacAddress, Ipv4Address>, Instant> released_;
  static constexpr Duration kReleaseLateMax = Duration::Seconds(5);
  Promises beliefs_;  // of ACKs that arrived
  std::map<MacAddress, Ipv4Address> believed_;
  std::map<std::pair<MacAddress, std::uint32_t>, Instant> requests_;
  std::map<MacAddress, Instant> may_move_;
  // By the rack's id, epoch, number.
  std::map<std::array<std::uint64_t, 3>, config::ContentHash> published_;
  std::uint64_t acks_sent_ = 0;
  std::uint64_t acks_received_ = 0;
  std::string broken_;
};

}  // namespace slipway::sim
