#include "dataplane/service/address_book.h"

#include <algorithm>
#include <bit>

#include "dataplane/base/cursor.h"
#include "dataplane/base/random.h"

namespace slipway::service {

AddressBook::AddressBook(std::uint32_t peers_max)
    : sets_(std::bit_ceil(std::max(2 * (peers_max / kWays), 2U))),
      tags_(std::make_unique<Tags[]>(sets_)),
      ways_(std::make_unique<Way[]>(std::size_t{sets_} * kWays)) {}

AddressBook::Home AddressBook::HomeOf(const IpAddress& address) const noexcept {
  const auto bytes = std::as_bytes(std::span(address.v6().octets));
  const std::uint64_t hash =
      Mix64(LoadBig<std::uint64_t>(bytes.data()) ^ Mix64(LoadBig<std::uint64_t>(bytes.data() + 8)));
  const auto first = static_cast<std::uint32_t>(hash) & (sets_ - 1);
  // Another set, whatever the hash: the distance is odd.
  const auto distance = static_cast<std::uint32_t>(hash >> 32) | 1U;
  return {.sets = {first, (first + distance) & (sets_ - 1)},
          .tag = static_cast<std::uint8_t>((hash >> 24 & 0xFF) | 1U)};
}

std::uint32_t AddressBook::WayOf(const IpAddress& address, const Home& home) const noexcept {
  for (const std::uint32_t set : home.sets) {
    for (std::uint32_t i = 0; i < kWays; ++i) {
      if (tags_[set][i] == home.tag && ways_[set * kWays + i].address == address) {
        return set * kWays + i;
      }
    }
  }
  return kNowhere;
}

// An empty way of the emptier set, or the oldest of both.
std::uint32_t AddressBook::Choose(const Home& home) const noexcept {
  const auto empty_ways = [this](std::uint32_t set) {
    return std::ranges::count(tags_[set], std::uint8_t{0});
  };
  const bool second = empty_ways(home.sets[1]) > empty_ways(home.sets[0]);
  const std::uint32_t set = home.sets[second ? 1 : 0];
  const auto empty = std::ranges::find(tags_[set], std::uint8_t{0});
  if (empty != tags_[set].end()) {
    return set * kWays + static_cast<std::uint32_t>(empty - tags_[set].begin());
  }
  std::uint32_t oldest = set * kWays;
  for (const std::uint32_t full : home.sets) {
    for (std::uint32_t at = full * kWays; at < (full + 1) * kWays; ++at) {
      // By age, not by number: the order may have wrapped.
      if (order_ - ways_[at].order > order_ - ways_[oldest].order) {
        oldest = at;
      }
    }
  }
  return oldest;
}

void AddressBook::OnPeer(const Peer& peer) {
  const Home home = HomeOf(peer.address);
  std::uint32_t at = WayOf(peer.address, home);
  if (at == kNowhere) {
    at = Choose(home);
    tags_[at / kWays][at % kWays] = home.tag;
  }
  ways_[at] = {.address = peer.address,
               .vlan = peer.vlan,
               .ifindex = peer.ifindex,
               .order = ++order_,
               .mac = peer.mac};
}

const Peer* AddressBook::Find(const IpAddress& address) const noexcept {
  const std::uint32_t at = WayOf(address, HomeOf(address));
  if (at == kNowhere) {
    return nullptr;
  }
  const Way& way = ways_[at];
  found_ = {.address = way.address, .mac = way.mac, .vlan = way.vlan, .ifindex = way.ifindex};
  return &found_;
}

}  // namespace slipway::service
