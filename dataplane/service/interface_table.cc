#include "dataplane/service/interface_table.h"

namespace slipway::service {

Ipv4Address ServedLink::Ipv4Near(const IpPrefix& prefix) const noexcept {
  Ipv4Address first;
  for (const IpPrefix& candidate : addresses) {
    if (!candidate.address.is_v4()) {
      continue;
    }
    if (prefix.Contains(candidate.address)) {
      return candidate.address.v4();
    }
    if (first.is_any()) {
      first = candidate.address.v4();
    }
  }
  return first;
}

Ipv6Address ServedLink::LinkLocal() const noexcept {
  for (const IpPrefix& candidate : addresses) {
    if (!candidate.address.is_v4() && candidate.address.v6().is_link_local()) {
      return candidate.address.v6();
    }
  }
  return {};
}

const ServedLink* ServedLinks::ByIndex(std::uint32_t ifindex) const noexcept {
  for (const ServedLink& link : links_) {
    if (link.ifindex == ifindex) {
      return &link;
    }
  }
  return nullptr;
}

const ServedLink* ServedLinks::ByVlan(config::RecordId vlan) const noexcept {
  for (const ServedLink& link : links_) {
    if (link.vlan == vlan) {
      return &link;
    }
  }
  return nullptr;
}

}  // namespace slipway::service
