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

// Where the services look.
class PeerBook : public PeerSink {
 public:
  // Null: not known. Valid until the next call.
  [[nodiscard]] virtual const Peer* Find(const IpAddress& address) const noexcept = 0;
};

// A set-associative table with fixed memory, where each address may be in either of two sets and
// goes to the emptier one: half full, as it is with `peers_max` peers, none of the sets ever
// overflows in practice. If both are full, the peer that was put in longest ago makes room. Thread:
// its shard.
class AddressBook final : public PeerBook {
 public:
  // Takes 82 to 164 bytes for each of `peers_max`.
  explicit AddressBook(std::uint32_t peers_max);

  void OnPeer(const Peer& peer) override;
  [[nodiscard]] const Peer* Find(const IpAddress& address) const noexcept override;

 private:
  static constexpr std::uint32_t kWays = 16;
  static constexpr std::uint32_t kNowhere = 0xFFFF'FFFF;

  // A peer without the gaps, and when it came.
  struct Way {
    IpAddress address;
    config::RecordId vlan = 0;
    std::uint32_t ifindex = 0;
    std::uint32_t order = 0;  // may wrap: then the wrong one makes room once
    MacAddress mac;
  };

  static_assert(sizeof(Way) == 40);

  // Eight bits of each way's hash, 0 for an empty one: most ways need not be looked at.
  using Tags = std::array<std::uint8_t, kWays>;

  struct Home {
    std::array<std::uint32_t, 2> sets{};
    std::uint8_t tag = 0;
  };

  [[nodiscard]] Home HomeOf(const IpAddress& address) const noexcept;
  // The way of the address, or kNowhere.
  [[nodiscard]] std::uint32_t WayOf(const IpAddress& address, const Home& home) const noexcept;
  [[nodiscard]] std::uint32_t Choose(const Home& home) const noexcept;

  std::uint32_t sets_;  // a power of two
  std::unique_ptr<Tags[]> tags_;
  std::unique_ptr<Way[]> ways_;
  std::uint32_t order_ = 0;
  mutable Peer found_;
};

}  // namespace slipway::service
