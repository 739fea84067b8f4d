// Answers about DHCP as JSON. Ids of VLANs, subnets and machines are numbers here, times are
// nanoseconds since 1970 in members that end in _ns: the region shows them as people know them.
#pragma once

#include <boost/json/object.hpp>

#include <cstdint>
#include <string_view>

#include "dataplane/base/cursor.h"
#include "dataplane/base/time.h"
#include "dataplane/dhcp/engine.h"
#include "dataplane/dhcp/engine6.h"
#include "dataplane/dhcp/trace.h"
#include "dataplane/lease/lease_table.h"

namespace slipway::explain {

struct Explained {
  std::string_view interface;  // where the packet is heard; empty: not served
  ByteSpan packet;
  config::Family family = config::Family::kV4;
  dhcp::Reason reason = dhcp::Reason::kMalformed;
  dhcp::Reply reply;
  // Of a DHCPv6 packet.
  dhcp::Reason6 reason6 = dhcp::Reason6::kMalformed;
  dhcp::Reply6 reply6;
  MacAddress mac;  // that the client shows
  const dhcp::DecisionTrace* trace = nullptr;
};

[[nodiscard]] boost::json::object ToJson(const Explained& explained);

// What became of a packet at its time.
struct Then {
  WallTime at;
  config::Family family = config::Family::kV4;
  dhcp::Reason reason = dhcp::Reason::kMalformed;
  dhcp::Reason6 reason6 = dhcp::Reason6::kMalformed;
  IpAddress address;
  bool cut = false;  // only the packet's beginning was kept
};

[[nodiscard]] boost::json::object ToJson(const Then& then);

// `now` and `wall` are the same moment.
[[nodiscard]] boost::json::object ToJson(const lease::Lease& lease,
                                         const lease::LeaseDetail& detail, Instant now,
                                         WallTime wall);
[[nodiscard]] boost::json::object ToJson(config::RecordId subnet, const lease::PoolCounts& counts);

}  // namespace slipway::explain
