// The address book of a rack whose one shard serves DHCP and files: the lease table knows who holds
// an address, and the same thread may ask it. Only addresses that other servers gave (ProxyDHCP)
// are kept apart.
#pragma once

#include <cstdint>

#include "dataplane/lease/lease_table.h"
#include "dataplane/service/address_book.h"

namespace slipway::service {

// Machines with addresses of other servers that are known at one time, on a rack with one shard.
inline constexpr std::uint32_t kOtherPeersMax = 32'768;

// Thread: the shard's.
class LeaseBook final : public PeerBook {
 public:
  // `leases` outlives this. `others_max`: peers without a lease, see AddressBook.
  LeaseBook(const lease::LeaseTable* leases, std::uint32_t others_max)
      : leases_(leases), others_(others_max) {}

  void OnPeer(const Peer& peer) override;
  [[nodiscard]] const Peer* Find(const IpAddress& address) const noexcept override;

 private:
  const lease::LeaseTable* leases_;
  AddressBook others_;
  mutable Peer found_;
};

}  // namespace slipway::service
