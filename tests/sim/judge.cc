#include "tests/sim/judge.h"

#include <algorithm>

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

void Judge::OnLeaseDurable(Ipv4Address address, MacAddress mac, bool bound, Instant until) {
  durable_[address] = {.mac = mac, .bound = bound, .until = until};
  // A RELEASE may be overtaken on the wire by what the client asked before or right after it: the
  // server cannot know, and with the record the promise ends after all.
  const auto released = released_.find({mac, address});
  const auto held = promises_.find(address);
  if (!bound && released != released_.end() && world_->now() - released->second < kReleaseLateMax &&
      held != promises_.end() && held->second.mac == mac) {
    promises_.erase(held);
    beliefs_.erase(address);
  }
}

void Judge::OnAckSent(MacAddress mac, std::uint32_t xid, Ipv4Address address, Duration lease) {
  ++acks_sent_;
  const Instant now = world_->now();
  const auto request = requests_.find({mac, xid});
  Require(request != requests_.end(), "an ACK to " + Text(mac) + " that nobody asked for");
  const Instant until = (request != requests_.end() ? request->second : now) + lease;
  const auto durable = durable_.find(address);
  Require(durable != durable_.end() && durable->second.bound && durable->second.mac == mac &&
              durable->second.until >= until,
          "2: ACK of " + Text(address) + " to " + Text(mac) + " left before it was durable: " +
              (durable == durable_.end()
                   ? std::string("nothing is")
                   : Text(durable->second.mac) + (durable->second.bound ? " bound" : " not bound") +
                         " until " + std::to_string(durable->second.until.ns / 1'000'000) +
                         " ms, promised until " + std::to_string(until.ns / 1'000'000)));
  const auto held = promises_.find(address);
  Require(held == promises_.end() || held->second.mac == mac || held->second.until <= now,
          "1: ACK of " + Text(address) + " to " + Text(mac) + ", which is promised to another");
  for (auto at = promises_.begin(); at != promises_.end();) {
    const bool moved = at->second.mac == mac && at->first != address;
    if (moved) {
      Require(at->second.until <= now || MayMove(mac),
              "4: " + Text(mac) + " got " + Text(address) + " while it had " + Text(at->first));
    }
    at = moved ? promises_.erase(at) : std::next(at);
  }
  Promise& promise = promises_[address];
  promise = {.mac = mac, .until = promise.mac == mac ? std::max(promise.until, until) : until};
}

void Judge::OnBound(MacAddress mac, Ipv4Address address, Instant until) {
  ++acks_received_;
  const auto held = beliefs_.find(address);
  Require(held == beliefs_.end() || held->second.mac == mac || held->second.until <= world_->now(),
          "1: two clients have " + Text(address) + ": " + Text(mac) + " and another");
  std::erase_if(beliefs_, [&](const auto& one) { return one.second.mac == mac; });
  beliefs_[address] = {.mac = mac, .until = until};
}

void Judge::OnNak(MacAddress mac, Ipv4Address address) {
  const auto held = promises_.find(address);
  const bool valid =
      held != promises_.end() && held->second.mac == mac && held->second.until > world_->now();
  Require(!valid || MayMove(mac), "5: NAK to " + Text(mac) + ", which has " + Text(address));
  if (held != promises_.end() && held->second.mac == mac) {
    promises_.erase(held);
  }
  std::erase_if(beliefs_, [&](const auto& one) { return one.second.mac == mac; });
}

void Judge::OnReleased(MacAddress mac, Ipv4Address address) {
  released_[{mac, address}] = world_->now();
  const auto held = promises_.find(address);
  if (held != promises_.end() && held->second.mac == mac) {
    promises_.erase(held);
  }
  std::erase_if(beliefs_, [&](const auto& one) { return one.second.mac == mac; });
}

void Judge::CheckTable(const lease::LeaseTable& table, Instant rack_now) {
  table.CheckInvariants();
  for (const auto& [address, promise] : promises_) {
    if (promise.until <= world_->now()) {
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

void Judge::OnPublished(const config::Generation& generation, const config::ContentHash& hash) {
  const auto [at, is_new] = published_.try_emplace({generation.epoch, generation.number}, hash);
  Require(is_new || at->second == hash, "8: one generation was published with two contents");
}

void Judge::OnServed(const config::Generation& generation, const config::ContentHash& hash) {
  const auto at = published_.find({generation.epoch, generation.number});
  Require(at != published_.end(), "7: the rack serves a generation that was never published");
  Require(at == published_.end() || at->second == hash,
          "8: the rack serves other contents than were published");
}

void Judge::OnAcknowledged(const config::Generation& generation) {
  Require(acknowledged_.epoch == 0 || generation.number >= acknowledged_.number,
          "7: an older generation was acknowledged than before");
  acknowledged_ = generation;
}

void Judge::OnLoaded(const config::Generation& generation) {
  Require(generation.number >= acknowledged_.number,
          "7: the acknowledged generation " + std::to_string(acknowledged_.number) +
              " is not on disk, but " + std::to_string(generation.number));
}

// ---- facts ----

void Judge::OnAppended(journal::FactClass fact_class, std::uint64_t sequence, std::uint64_t key,
                       ByteSpan payload) {
  const auto at = static_cast<std::size_t>(fact_class);
  records_[at][sequence + 1] = {.key = key, .hash = HashOf(payload)};
  if (key != 0) {
    newest_of_key_[at][key] = sequence + 1;
  }
}

bool Judge::MayBeMissing(std::size_t fact_class, std::uint64_t sequence) const {
  if (fact_class == static_cast<std::size_t>(store::FactClass::kBootStep) ||
      fact_class == static_cast<std::size_t>(store::FactClass::kEvent)) {
    return true;  // bounded classes: the oldest go, counted
  }
  const auto record = records_[fact_class].find(sequence);
  if (record == records_[fact_class].end()) {
    return false;
  }
  const auto newest = newest_of_key_[fact_class].find(record->second.key);
  return newest != newest_of_key_[fact_class].end() && newest->second > sequence;
}

void Judge::OnApplied(const store::FactsBatch& batch, const store::FactsCursor& before,
                      const store::FactsApplied& result) {
  const auto at = static_cast<std::size_t>(batch.fact_class);
  const std::string name = "9: facts of class " + std::to_string(at);
  Require(epochs_[at] == 0 || epochs_[at] == batch.epoch, name + " began a new epoch");
  epochs_[at] = batch.epoch;
  if (batch.table_as_of != 0) {
    return;
  }
  const std::uint64_t next = std::max<std::uint64_t>(1, next_[at]);
  Require(before.epoch == 0 || before.next == next, name + ": the cursor jumped");
  std::uint64_t fresh = 0;
  for (std::size_t i = 0; i < batch.payloads.size(); ++i) {
    const std::uint64_t sequence = batch.first + i;
    if (sequence < next) {
      continue;
    }
    const auto record = records_[at].find(sequence);
    Require(
        record != records_[at].end() && record->second.hash == HashOf(AsBytes(batch.payloads[i])),
        name + ": record " + std::to_string(sequence) + " is not what was written");
    ++fresh;
  }
  for (std::uint64_t sequence = next; sequence < batch.first; ++sequence) {
    Require(MayBeMissing(at, sequence), name + ": record " + std::to_string(sequence) + " is lost");
  }
  Require(result.applied == fresh, name + ": applied " + std::to_string(result.applied) + " of " +
                                       std::to_string(fresh) + " new records");
  Require(result.malformed == 0, name + ": malformed");
  next_[at] = std::max(next, batch.first + batch.payloads.size());
  Require(result.cursor.next == next_[at], name + ": the cursor is not behind the last record");
  applied_[at] += fresh;
}

}  // namespace slipway::sim
