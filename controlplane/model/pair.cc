#include "controlplane/model/pair.h"

#include <algorithm>
#include <charconv>
#include <iterator>

#include "dataplane/base/check.h"

namespace slipway::model {

namespace {

Result<std::uint16_t> ParsePort(std::string_view text) noexcept {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port == 0) {
    return Fail(ErrorCode::kMalformed);
  }
  return port;
}

bool IsHost(const IpAddress& address) noexcept {
  if (!address.is_set()) {
    return false;
  }
  return address.is_v4() ? !address.v4().is_multicast() && !address.v4().is_broadcast()
                         : !address.v6().is_multicast() && !address.v6().is_link_local();
}

// The subnet of the VLAN that the address lies in.
const Subnet* SubnetOn(const ModelIndex& index, EntityId vlan, const IpAddress& address) {
  for (const EntityId id : index.ChildrenOf({.kind = Kind::kVlan, .id = vlan}, Kind::kSubnet)) {
    const auto* subnet = index.Get<Subnet>(Kind::kSubnet, id);
    if (subnet != nullptr && subnet->cidr.address.is_v4() == address.is_v4() &&
        subnet->cidr.Contains(address)) {
      return subnet;
    }
  }
  return nullptr;
}

}  // namespace

Result<PairEndpoint> ParsePairEndpoint(std::string_view text) noexcept {
  PairEndpoint endpoint;
  std::string_view host = text;
  std::size_t colon = std::string_view::npos;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) {
      return Fail(ErrorCode::kMalformed);
    }
    host = text.substr(1, end - 1);
    if (end + 1 < text.size()) {
      colon = end + 1;
    }
  } else if (std::ranges::count(text, ':') == 1) {
    colon = text.find(':');
    host = text.substr(0, colon);
  }
  if (colon != std::string_view::npos) {
    if (text[colon] != ':') {
      return Fail(ErrorCode::kMalformed);
    }
    endpoint.port = SLIP_TRY(ParsePort(text.substr(colon + 1)));
  }
  endpoint.address = SLIP_TRY(IpAddress::Parse(host));
  if (!IsHost(endpoint.address)) {
    return Fail(ErrorCode::kMalformed);
  }
  return endpoint;
}

std::string FormatPairEndpoint(const PairEndpoint& endpoint) {
  const std::string host(ToText(endpoint.address).view());
  return (endpoint.address.is_v4() ? host : "[" + host + "]") + ":" + std::to_string(endpoint.port);
}

const Row* PairOfRack(const ModelIndex& index, EntityId rack) {
  const auto& pairs = index.ChildrenOf({.kind = Kind::kRack, .id = rack}, Kind::kRackPair);
  return pairs.empty() ? nullptr : index.Find(Kind::kRackPair, *pairs.begin());
}

unsigned SideOf(const RackPair& pair, EntityId rack) noexcept {
  SLIP_CHECK(rack == pair.rack_a || rack == pair.rack_b);
  return rack == pair.rack_a ? 0U : 1U;
}

EntityId PartnerOf(const RackPair& pair, EntityId rack) noexcept {
  return SideOf(pair, rack) == 0 ? pair.rack_b : pair.rack_a;
}

std::set<EntityId> VlansOfRack(const ModelIndex& index, EntityId rack) {
  std::set<EntityId> vlans;
  for (const EntityId id :
       index.ChildrenOf({.kind = Kind::kRack, .id = rack}, Kind::kServedInterface)) {
    if (const auto* served = index.Get<ServedInterface>(Kind::kServedInterface, id)) {
      vlans.insert(served->vlan);
    }
  }
  return vlans;
}

IpAddress AddressOn(const ModelIndex& index, EntityId rack, EntityId vlan, const IpPrefix& near) {
  IpAddress found;
  for (const EntityId id :
       index.ChildrenOf({.kind = Kind::kRack, .id = rack}, Kind::kServedInterface)) {
    const auto* served = index.Get<ServedInterface>(Kind::kServedInterface, id);
    if (served == nullptr || served->vlan != vlan) {
      continue;
    }
    for (const IpAddress& address : served->addresses) {
      if (address.is_v4() != near.address.is_v4()) {
        continue;
      }
      if (near.Contains(address)) {
        return address;
      }
      if (!found.is_set() && SubnetOn(index, vlan, address) != nullptr) {
        found = address;
      }
    }
  }
  return found;
}

std::vector<IpAddress> ServersOfBoth(const ModelIndex& index, EntityId vlan,
                                     const std::vector<IpAddress>& servers) {
  std::vector<IpAddress> both;
  const auto add = [&](const IpAddress& address) {
    if (address.is_set() && std::ranges::find(both, address) == both.end()) {
      both.push_back(address);
    }
  };
  for (const IpAddress& server : servers) {
    add(server);
    for (const EntityId id :
         index.ChildrenOf({.kind = Kind::kVlan, .id = vlan}, Kind::kServedInterface)) {
      const auto* served = index.Get<ServedInterface>(Kind::kServedInterface, id);
      const Row* pair = served == nullptr ? nullptr : PairOfRack(index, served->rack);
      const Subnet* subnet = SubnetOn(index, vlan, server);
      if (pair != nullptr && subnet != nullptr &&
          std::ranges::find(served->addresses, server) != served->addresses.end()) {
        add(AddressOn(index, PartnerOf(pair->as<RackPair>(), served->rack), vlan, subnet->cidr));
      }
    }
  }
  return both;
}

std::set<EntityId> SharedVlans(const ModelIndex& index, const RackPair& pair) {
  const std::set<EntityId> a = VlansOfRack(index, pair.rack_a);
  const std::set<EntityId> b = VlansOfRack(index, pair.rack_b);
  std::set<EntityId> shared;
  std::ranges::set_intersection(a, b, std::inserter(shared, shared.end()));
  return shared;
}

}  // namespace slipway::model
