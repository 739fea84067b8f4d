// Sees what leaves a rack, what reaches a client, what is durable and what the region applies, and
// says when two of these contradict each other. The numbers are those of docs/testing.md.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/store/facts_store.h"
#include "dataplane/config/snapshot.h"
#include "dataplane/journal/format.h"
#include "dataplane/lease/lease_table.h"
#include "tests/sim/world.h"

namespace slipway::sim {

// All times are the world's.
class Judge {
 public:
  // A lease as somebody relies on it.
  struct Promise {
    MacAddress mac;
    Instant until;
  };

  explicit Judge(World* world) : world_(world) {}

  // ---- leases ----
  // A lease record is on the medium: the address is `mac`'s until then (not bound: nobody's).
  void OnLeaseDurable(Ipv4Address address, MacAddress mac, bool bound, Instant until);

  // A client sends the first DHCPREQUEST of an exchange: its lease counts from here (RFC
  // 2131 4.4.1).
  void OnRequest(MacAddress mac, std::uint32_t xid) {
    requests_.try_emplace({mac, xid}, world_->now());
  }

  // An ACK leaves the rack.
  void OnAckSent(MacAddress mac, std::uint32_t xid, Ipv4Address address, Duration lease);
  // A client holds the address from now on.
  void OnBound(MacAddress mac, Ipv4Address address, Instant until);
  void OnNak(MacAddress mac, Ipv4Address address);
  // The client gave it back, before the message left.
  void OnReleased(MacAddress mac, Ipv4Address address);

  // The client's reservation has changed: it may be moved.
  void OnMayMove(MacAddress mac) { may_move_[mac] = world_->now(); }

  // The table of a rack, just read back or at rest: all that was promised is there.
  void CheckTable(const lease::LeaseTable& table, Instant rack_now);

  // ---- generations ----
  void OnPublished(const config::Generation& generation, const config::ContentHash& hash);
  // Served by all shards.
  void OnServed(const config::Generation& generation, const config::ContentHash& hash);
  void OnAcknowledged(const config::Generation& generation);
  // What a start found on disk.
  void OnLoaded(const config::Generation& generation);

  // ---- facts ----
  void OnAppended(journal::FactClass fact_class, std::uint64_t sequence, std::uint64_t key,
                  ByteSpan payload);
  // Applied at the region: sequences of the link, that begin at 1.
  void OnApplied(const store::FactsBatch& batch, const store::FactsCursor& before,
                 const store::FactsApplied& result);

  [[nodiscard]] std::uint64_t applied(store::FactClass fact_class) const {
    return applied_[static_cast<std::size_t>(fact_class)];
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

  [[nodiscard]] bool MayMove(MacAddress mac) const { return may_move_.contains(mac); }

  [[nodiscard]] bool MayBeMissing(std::size_t fact_class, std::uint64_t sequence) const;

  World* world_;
  std::map<Ipv4Address, Durable> durable_;
  std::map<Ipv4Address, Promise> promises_;  // of ACKs that left
  // When a client last sent a RELEASE; how long the wire and the disk may take to it.
  std::map<std::pair<MacAddress, Ipv4Address>, Instant> released_;
  static constexpr Duration kReleaseLateMax = Duration::Seconds(5);
  std::map<Ipv4Address, Promise> beliefs_;  // of ACKs that arrived
  std::map<std::pair<MacAddress, std::uint32_t>, Instant> requests_;
  std::map<MacAddress, Instant> may_move_;
  std::map<std::pair<std::uint64_t, std::uint64_t>, config::ContentHash> published_;
  config::Generation acknowledged_;
  std::array<std::map<std::uint64_t, Record>, journal::kClasses> records_;
  std::array<std::map<std::uint64_t, std::uint64_t>, journal::kClasses> newest_of_key_;
  std::array<std::uint64_t, journal::kClasses> epochs_{};
  std::array<std::uint64_t, journal::kClasses> next_{};
  std::array<std::uint64_t, journal::kClasses> applied_{};
  std::uint64_t acks_sent_ = 0;
  std::uint64_t acks_received_ = 0;
  std::string broken_;
};

}  // namespace slipway::sim
