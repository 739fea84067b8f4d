// The network interfaces of the rack's host as the kernel reports them, and which of them serve a
// VLAN. The table is immutable once built: the control thread builds a new one when the kernel or
// the snapshot changes it and hands it to the shards by mailbox. The rack never creates devices.
#pragma once

#include <cstdint>

#include "dataplane/base/address.h"
#include "dataplane/base/bounded.h"
#include "dataplane/base/limits.h"
#include "dataplane/config/records.h"

namespace slipway::service {

inline constexpr std::size_t kHostInterfacesMax = 256;
inline constexpr std::size_t kAddressesPerInterfaceMax = 8;

using InterfaceName = FixedString<limits::kInterfaceNameBytesMax>;

// One interface of the host.
struct HostInterface {
  std::uint32_t index = 0;
  InterfaceName name;
  MacAddress mac;
  std::uint16_t vlan_id = 0;  // of an 802.1Q device; 0: none
  InterfaceName parent;       // of an 802.1Q device
  bool up = false;
  FixedVector<IpPrefix, kAddressesPerInterfaceMax> addresses;

  friend bool operator==(const HostInterface&, const HostInterface&) = default;
};

using HostInterfaces = FixedVector<HostInterface, kHostInterfacesMax>;

// An interface that is bound to a VLAN and allowed by the local configuration.
struct ServedLink {
  std::uint32_t ifindex = 0;
  InterfaceName name;
  MacAddress mac;
  config::RecordId vlan = 0;
  FixedVector<IpPrefix, kAddressesPerInterfaceMax> addresses;

  // The first IPv4 address inside `prefix`, else the first IPv4 address, else not set.
  [[nodiscard]] Ipv4Address Ipv4Near(const IpPrefix& prefix) const noexcept;
  // The first link-local address, or not set.
  [[nodiscard]] Ipv6Address LinkLocal() const noexcept;
};

class ServedLinks {
 public:
  // False if kServedInterfacesMax links are in.
  [[nodiscard]] bool Add(const ServedLink& link) { return links_.push_back(link); }

  [[nodiscard]] const ServedLink* ByIndex(std::uint32_t ifindex) const noexcept;
  [[nodiscard]] const ServedLink* ByVlan(config::RecordId vlan) const noexcept;

  [[nodiscard]] const auto& links() const noexcept { return links_; }

 private:
  FixedVector<ServedLink, limits::kServedInterfacesMax> links_;
};

}  // namespace slipway::service
