// A pair of racks in the terms of the model: who is whose partner, and where each is reached.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/model/index.h"
#include "dataplane/base/address.h"
#include "dataplane/base/result.h"

namespace slipway::model {

inline constexpr std::uint16_t kPairPort = 5252;

struct PairEndpoint {
  IpAddress address;
  std::uint16_t port = kPairPort;
};

// "10.0.0.2", "10.0.0.2:5252", "2001:db8::2", "[2001:db8::2]:5252". kMalformed: anything else, a
// port 0, or an address that is not one host's.
[[nodiscard]] Result<PairEndpoint> ParsePairEndpoint(std::string_view text) noexcept;
// With its port.
[[nodiscard]] std::string FormatPairEndpoint(const PairEndpoint& endpoint);

// The pair that a rack is one of; nullptr: none.
[[nodiscard]] const Row* PairOfRack(const ModelIndex& index, EntityId rack);
// 0: rack_a, the founder. REQUIRES: it is one of the two.
[[nodiscard]] unsigned SideOf(const RackPair& pair, EntityId rack) noexcept;
[[nodiscard]] EntityId PartnerOf(const RackPair& pair, EntityId rack) noexcept;

[[nodiscard]] std::set<EntityId> VlansOfRack(const ModelIndex& index, EntityId rack);
// An address of the rack on a VLAN, as it last reported: one in `near` if there is one, else one in
// any subnet of the VLAN. Not set: none is known.
[[nodiscard]] IpAddress AddressOn(const ModelIndex& index, EntityId rack, EntityId vlan,
                                  const IpPrefix& near);
// Servers of a subnet as clients get them: behind an address of one rack of a pair stands that of
// its partner, if both serve the VLAN.
[[nodiscard]] std::vector<IpAddress> ServersOfBoth(const ModelIndex& index, EntityId vlan,
                                                   const std::vector<IpAddress>& servers);
// The VLANs that both serve.
[[nodiscard]] std::set<EntityId> SharedVlans(const ModelIndex& index, const RackPair& pair);

}  // namespace slipway::model
