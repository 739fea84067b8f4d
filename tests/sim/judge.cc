#include "tests/sim/judge.h"

#include <algorithm>
#include <iterator>

namespace slipway::sim {
namespace {

[[nodiscard]] std::string Text(Ipv4Address address) { return std::string(ToText(address).view()); }

[[nodiscard]] std::string Text(MacAddress mac) { return std::string(ToText(mac).view()); }

[[nodiscard]] std::uint64_t HashOf(ByteSpan bytes) {
  std::uint64_t hash = bytes.size();
  for (const std::byte one : bytes) {
    hash = Mix64(hash ^ std::to_integer<std::uint64_t>(one));
  }
  return hash;
}

}  // namespace

void Judge::Require(bool holds, std::string_view what) {
  if (holds || !broken_.empty()) {
    return;
  }
  world_->Log("BROKEN: " + std::string(what));
  broken_ = std::string(what) + "\n" + world_->Tail();
}

// ---- leases ----

void Judge::PutPromise(Ipv4Address address, const Promise& promise) {
  ErasePromise(address);
  promises_[address] = promise;
  promised_to_[promise.mac].insert(address);
}

void Judge::ErasePromise(Ipv4Address address) {
  const auto held = promises_.find(address);
  if (held != promises_.end()) {
    promised_to_[held->second.mac].erase(address);
    promises_.erase(held);
  }
}

void Judge::EraseBelief(MacAddress mac) {
  const auto believed = believed_.find(mac);
  if (believed == believed_.end()) {
    return;
  }
  const auto held = beliefs_.find(believed->second);
  if (held != beliefs_.end() && held->second.mac == mac) {
    beliefs_.erase(held);
  }
  believed_.erase(believed);
}

void Judge::OnLeaseDurable(RackIndex rack, Ipv4Address address, MacAddress mac, bool bound,
                           Instant until) {
  racks_[rack].durable[address] = {.mac = mac, .bound = bound, .until = until};
  // A RELEASE may be overtaken on the wire by what the client asked before or right after it: the
  // server cannot know, and with the record the promise ends after all.
  const auto released = released_.find({mac, address});
  const auto held = promises_.find(address);
  if (!bound && released != released_.end() && world_->now() - released->second < kReleaseLateMax &&
      held != promises_.end() && held->second.mac == mac) {
    ErasePromise(address);
    beliefs_.erase(address);
  }
}

std::vector<Ipv4Address> Judge::Others(const std::map<MacAddress, std::set<Ipv4Address>>& of,
                                       MacAddress mac, Ipv4Address address) {
  std::vector<Ipv4Address> others;
  const auto found = of.find(mac);
  if (found != of.end()) {
    std::copy_if(found->second.begin(), found->second.end(), std::back_inserter(others),
                 [&](Ipv4Address one) { return one != address; });
  }
  return others;
}

bool Judge::Covers(RackIndex rack, MacAddress mac, Ipv4Address address, Instant until) const {
  const auto durable = racks_[rack].durable.find(address);
  return durable != racks_[rack].durable.end() && durable->second.bound &&
         durable->second.mac == mac && durable->second.until >= until;
}

std::string Judge::DurableText(RackIndex rack, Ipv4Address address) const {
  const auto durable = racks_[rack].durable.find(address);
  return durable == racks_[rack].durable.end()
             ? std::string("nothing is")
             : Text(durable->second.mac) + (durable->second.bound ? " bound" : " not bound") +
                   " until " + std::to_string(durable->second.until.ns / 1'000'000) + " ms";
}

void Judge::OnAckSent(RackIndex rack, MacAddress mac, std::uint32_t xid, Ipv4Address address,
                      Duration lease, const PairView& pair) {
  ++acks_sent_;
  const Instant now = world_->now();
  const auto request = requests_.find({mac, xid});
  Require(request != requests_.end(), "an ACK to " + Text(mac) + " that nobody asked for");
  const Instant until = (request != requests_.end() ? request->second : now) + lease;
  const std::string what = "2: ACK of " + Text(address) + " to " + Text(mac) + ", promised until " +
                           std::to_string(until.ns / 1'000'000) + ", left before it was durable";
  Require(Covers(rack, mac, address, until), what + ": " + DurableText(rack, address));
  if (pair.normal) {
    Require(Covers(1 - rack, mac, address, until),
            what + " at the partner: " + DurableText(1 - rack, address));
  } else if (pair.paired) {
    Require(lease <= pair.mclt, "2: alone, a rack promised " + Text(mac) +
                                    " more than MCLT: " + std::to_string(lease.seconds()) + " s");
  }
  const auto held = promises_.find(address);
  Require(held == promises_.end() || held->second.mac == mac || held->second.until <= now,
          "1: ACK of " + Text(address) + " to " + Text(mac) + ", which is promised to another");
  for (const Ipv4Address other : Others(promised_to_, mac, address)) {
    // Of a pair that is cut, one rack cannot know what the other one gave.
    Require(promises_[other].until <= now || MayMove(mac) ||
                (pair.paired && promises_[other].rack != rack),
            "4: " + Text(mac) + " got " + Text(address) + " while it had " + Text(other));
    ErasePromise(other);
  }
  const bool longer = held != promises_.end() && held->second.mac == mac;
  PutPromise(
      address,
      {.mac = mac, .until = longer ? std::max(held->second.until, until) : until, .rack = rack});
}

void Judge::OnBound(MacAddress mac, Ipv4Address address, Instant until) {
  ++acks_received_;
  const auto held = beliefs_.find(address);
  Require(held == beliefs_.end() || held->second.mac == mac || held->second.until <= world_->now(),
          "1: two clients have " + Text(address) + ": " + Text(mac) + " and another");
  EraseBelief(mac);
  beliefs_[address] = {.mac = mac, .until = until};
  believed_[mac] = address;
}

void Judge::OnNak(Ipv4Address server, MacAddress mac, Ipv4Address address) {
  if (!servers_.contains(server)) {
    EraseBelief(mac);
    return;
  }
  const auto held = promises_.find(address);
  const bool valid =
      held != promises_.end() && held->second.mac == mac && held->second.until > world_->now();
  Require(!valid || MayMove(mac), "5: NAK to " + Text(mac) + ", which has " + Text(address));
  if (held != promises_.end() && held->second.mac == mac) {
    ErasePromise(address);
  }
  EraseBelief(mac);
}

void Judge::OnReleased(MacAddress mac, Ipv4Address address) {
  released_[{mac, address}] = world_->now();
  const auto held = promises_.find(address);
  if (held != promises_.end() && held->second.mac == mac) {
    ErasePromise(address);
  }
  EraseBelief(mac);
}

void Judge::CheckTable(RackIndex rack, const lease::LeaseTable& table, Instant rack_now) {
  table.CheckInvariants();
  for (const auto& [address, promise] : promises_) {
    if (promise.rack != rack || promise.until <= world_->now()) {
      continue;
    }
    const lease::Lease* const lease = table.ByAddress(address);
    const bool kept =
        lease != nullptr && lease->state == lease::State::kBound && lease->mac == promise.mac;
    // A reservation made meanwhile moves its client: the lease ends with a NAK, which may get lost.
    Require(kept || MayMove(promise.mac),
            "2: the lease of " + Text(address) + " to " + Text(promise.mac) + " is lost");
    Require(!kept || lease->ends - rack_now >= promise.until - world_->now(),
            "3: the lease of " + Text(address) + " to " + Text(promise.mac) + " has shrunk");
  }
}

// ---- generations ----

void Judge::OnPublished(std::uint64_t id, const config::Generation& generation,
                        const config::ContentHash& hash) {
  const auto [at, is_new] = published_.try_emplace({id, generation.epoch, generation.number}, hash);
  Require(is_new || at->second == hash, "8: one generation was published with two contents");
}

void Judge::CheckServed(std::uint64_t id, const config::Generation& generation,
                        const config::ContentHash& hash) {
  const auto at = published_.find({id, generation.epoch, generation.number});
  Require(at != published_.end(), "7: the rack serves a generation that was never published");
  Require(at == published_.end() || at->second == hash,
          "8: the rack serves other contents than were published");
}

void Judge::OnReported(std::uint64_t id, const config::Generation& generation,
                       const config::ContentHash& hash) {
  CheckServed(id, generation, hash);
  config::Generation& acknowledged = racks_[index_of_.at(id)].acknowledged;
  Require(acknowledged.epoch == 0 || generation.number >= acknowledged.number,
          "7: an older generation was acknowledged than before");
  acknowledged = generation;
}

void Judge::OnServed(RackIndex rack, const config::Generation& generation,
                     const config::ContentHash& hash) {
  const auto known = std::find_if(index_of_.begin(), index_of_.end(),
                                  [&](const auto& one) { return one.second == rack; });
  Require(known != index_of_.end(), "7: a rack serves that never enrolled");
  if (known != index_of_.end()) {
    CheckServed(known->first, generation, hash);
  }
}

void Judge::OnLoaded(RackIndex rack, const config::Generation& generation) {
  const config::Generation& acknowledged = racks_[rack].acknowledged;
  Require(generation.number >= acknowledged.number,
          "7: the acknowledged generation " + std::to_string(acknowledged.number) +
              " is not on disk, but " + std::to_string(generation.number));
}

// ---- facts ----

void Judge::OnAppended(RackIndex rack, journal::FactClass fact_class, std::uint64_t sequence,
                       std::uint64_t key, ByteSpan payload) {
  const auto at = static_cast<std::size_t>(fact_class);
  racks_[rack].records[at][sequence + 1] = {.key = key, .hash = HashOf(payload)};
  if (key != 0) {
    racks_[rack].newest_of_key[at][key] = sequence + 1;
  }
}

bool Judge::MayBeMissing(const OfRack& rack, std::size_t fact_class, std::uint64_t sequence) {
  if (fact_class == static_cast<std::size_t>(store::FactClass::kBootStep) ||
      fact_class == static_cast<std::size_t>(store::FactClass::kEvent)) {
    return true;  // bounded classes: the oldest go, counted
  }
  const auto record = rack.records[fact_class].find(sequence);
  if (record == rack.records[fact_class].end()) {
    return false;
  }
  const auto newest = rack.newest_of_key[fact_class].find(record->second.key);
  return newest != rack.newest_of_key[fact_class].end() && newest->second > sequence;
}

void Judge::OnApplied(const store::FactsBatch& batch, const store::FactsCursor& before,
                      const store::FactsApplied& result) {
  const auto at = static_cast<std::size_t>(batch.fact_class);
  const std::string name = "9: facts of class " + std::to_string(at);
  OfRack& rack = racks_[index_of_.at(batch.rack)];
  Require(rack.epochs[at] == 0 || rack.epochs[at] == batch.epoch, name + " began a new epoch");
  rack.epochs[at] = batch.epoch;
  if (batch.table_as_of != 0) {
    return;
  }
  const std::uint64_t next = std::max<std::uint64_t>(1, rack.next[at]);
  Require(before.epoch == 0 || before.next == next, name + ": the cursor jumped");
  std::uint64_t fresh = 0;
  for (std::size_t i = 0; i < batch.payloads.size(); ++i) {
    const std::uint64_t sequence = batch.first + i;
    if (sequence < next) {
      continue;
    }
    const auto record = rack.records[at].find(sequence);
    Require(record != rack.records[at].end() &&
                record->second.hash == HashOf(AsBytes(batch.payloads[i])),
            name + ": record " + std::to_string(sequence) + " is not what was written");
    ++fresh;
  }
  for (std::uint64_t sequence = next; sequence < batch.first; ++sequence) {
    Require(MayBeMissing(rack, at, sequence),
            name + ": record " + std::to_string(sequence) + " is lost");
  }
  Require(result.applied == fresh, name + ": applied " + std::to_string(result.applied) + " of " +
                                       std::to_string(fresh) + " new records");
  Require(result.malformed == 0, name + ": malformed");
  rack.next[at] = std::max(next, batch.first + batch.payloads.size());
  Require(result.cursor.next == rack.next[at], name + ": the cursor is not behind the last record");
  rack.applied[at] += fresh;
}

}  // namespace slipway::sim
