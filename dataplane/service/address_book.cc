#include "dataplane/service/address_book.h"

#include <bit>

#include "dataplane/base/cursor.h"
#include "dataplane/base/random.h"

namespace slipway::service {

AddressBook::AddressBook(std::uint32_t peers_max)
    : sets_(std::bit_ceil(4 * peers_max / kWays + 1)),
      ways_(std::make_unique<Way[]>(std::size_t{sets_} * kWays)) {}

AddressBook::Way* AddressBook::SetOf(const IpAddress& address) const noexcept {
  const auto bytes = std::as_bytes(std::span(address.v6().octets));
  const std::uint64_t hash =
      Mix64(LoadBig<std::uint64_t>(bytes.data()) ^ Mix64(LoadBig<std::uint64_t>(bytes.data() + 8)));
  return &ways_[(hash & (sets_ - 1)) * kWays];
}

void AddressBook::OnPeer(const Peer& peer) {
  Way* const set = SetOf(peer.address);
  Way* chosen = set;
  for (std::uint32_t i = 0; i < kWays; ++i) {
    if (set[i].order != 0 && set[i].peer.address == peer.address) {
      chosen = &set[i];
      break;
    }
    if (set[i].order < chosen->order) {
      chosen = &set[i];
    }
  }
  *chosen = {.peer = peer, .order = ++order_};
}

const Peer* AddressBook::Find(const IpAddress& address) const noexcept {
  const Way* const set = SetOf(address);
  for (std::uint32_t i = 0; i < kWays; ++i) {
    if (set[i].order != 0 && set[i].peer.address == address) {
      return &set[i].peer;
    }
  }
  return nullptr;
}

}  // namespace slipway::service
