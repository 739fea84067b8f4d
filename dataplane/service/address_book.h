// Who has which address, for the services that see only a peer's address: filled by the DHCP shard
// with each lease it grants or restores, read by the shard that serves files.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "dataplane/base/address.h"
#include "dataplane/base/time.h"
#include "dataplane/config/records.h"

namespace slipway::service {

struct Peer {
  IpAddress address;
  MacAddress mac;
  config::RecordId vlan = 0;
  std::uint32_t ifindex = 0;  // where it was heard; 0: restored, not heard yet
};

class PeerSink {
 public:
  virtual ~PeerSink() = default;
  virtual void OnPeer(const Peer& peer) = 0;
};

// A set-associative table with fixed memory: a new peer of a full set takes the place of the one
// that was put in longest ago. Sets are filled to a quarter, so that this befalls about one set in
// a million while there are no more than `peers_max`. Thread: its shard.
class AddressBook final : public PeerSink {
 public:
  // Takes 160 to 320 bytes for each of `peers_max`.
  explicit AddressBook(std::uint32_t peers_max);

  void OnPeer(const Peer& peer) override;
  // Null: not known. Valid until the next OnPeer.
  [[nodiscard]] const Peer* Find(const IpAddress& address) const noexcept;

 private:
  static constexpr std::uint32_t kWays = 16;

  struct Way {
    Peer peer;
    std::uint64_t order = 0;  // 0: free
  };

  [[nodiscard]] Way* SetOf(const IpAddress& address) const noexcept;

  std::uint32_t sets_;  // a power of two
  std::unique_ptr<Way[]> ways_;
  std::uint64_t order_ = 0;
};

}  // namespace slipway::service
