// What a DHCP engine is told about where a packet came in: from the driver's packet, from one
// kept in the log, or from somebody's description.
#pragma once

#include <cstdint>

#include "dataplane/base/address.h"
#include "dataplane/base/bounded.h"
#include "dataplane/dhcp/engine.h"
#include "dataplane/dhcp/engine6.h"
#include "dataplane/service/serving.h"

namespace slipway::service {

// Valid as long as the serving value that it was made from. Neither copied nor moved: the context
// points into it.
class Reception {
 public:
  struct From {
    std::uint32_t ifindex = 0;
    Ipv4Address source;
    std::uint16_t source_port = 0;
    Ipv4Address destination;
    bool boot_server_port = false;
  };

  // REQUIRES: serving.snapshot.
  Reception(const Serving& serving, const From& from) noexcept
      : link_(serving.links.ByIndex(from.ifindex)) {
    if (link_ != nullptr) {
      for (const IpPrefix& prefix : link_->addresses) {
        if (prefix.address.is_v4()) {
          (void)local_.push_back(prefix.address);
        }
      }
    }
    context_ = {.ifindex = from.ifindex,
                .vlan = link_ != nullptr ? serving.snapshot->VlanById(link_->vlan) : nullptr,
                .local_addresses = {local_.data(), local_.size()},
                .source = from.source,
                .source_port = from.source_port,
                .destination = from.destination,
                .boot_server_port = from.boot_server_port};
  }

  Reception(const Reception&) = delete;
  Reception& operator=(const Reception&) = delete;

  // nullptr: the interface is not served.
  [[nodiscard]] const ServedLink* link() const noexcept { return link_; }

  [[nodiscard]] const dhcp::ReceiveContext& context() const noexcept { return context_; }

 private:
  const ServedLink* link_;
  FixedVector<IpAddress, kAddressesPerInterfaceMax> local_;
  dhcp::ReceiveContext context_;
};

// Likewise for DHCPv6.
class Reception6 {
 public:
  struct From {
    std::uint32_t ifindex = 0;
    Ipv6Address source;
    std::uint16_t source_port = 0;
    Ipv6Address destination;
  };

  // REQUIRES: serving.snapshot.
  Reception6(const Serving& serving, const From& from) noexcept
      : link_(serving.links.ByIndex(from.ifindex)) {
    if (link_ != nullptr) {
      for (const IpPrefix& prefix : link_->addresses) {
        if (!prefix.address.is_v4()) {
          (void)local_.push_back(prefix.address);
        }
      }
    }
    context_ = {.ifindex = from.ifindex,
                .vlan = link_ != nullptr ? serving.snapshot->VlanById(link_->vlan) : nullptr,
                .local_addresses = {local_.data(), local_.size()},
                .link_local = link_ != nullptr ? link_->LinkLocal() : Ipv6Address{},
                .source = from.source,
                .source_port = from.source_port,
                .destination = from.destination};
  }

  Reception6(const Reception6&) = delete;
  Reception6& operator=(const Reception6&) = delete;

  // nullptr: the interface is not served.
  [[nodiscard]] const ServedLink* link() const noexcept { return link_; }

  [[nodiscard]] const dhcp::ReceiveContext6& context() const noexcept { return context_; }

 private:
  const ServedLink* link_;
  FixedVector<IpAddress, kAddressesPerInterfaceMax> local_;
  dhcp::ReceiveContext6 context_;
};

}  // namespace slipway::service
