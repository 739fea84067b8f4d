// A question about DHCP as it travels: {"mac": "...", "arch": "x64-uefi", ...}, all members text.
// Read in the same way at the region, which checks what people ask, and at the rack, which answers.
#pragma once

#include <boost/json/object.hpp>

#include <cstdint>
#include <expected>
#include <string>

#include "dataplane/base/limits.h"
#include "dataplane/config/records.h"
#include "dataplane/dhcp/question.h"

namespace slipway::explain {

struct AskedPacket {
  bool last = false;                            // about the last packet of the MAC, as it came
  config::Family family = config::Family::kV4;  // which of the two questions counts
  dhcp::Question question;
  dhcp::Question6 question6;
  FixedString<limits::kInterfaceNameBytesMax> interface;  // where it is heard; empty: not said
  config::RecordId vlan = 0;                              // likewise
};

struct Misread {
  std::string field;
  std::string problem;
};

// Members: family (v4, the default, or v6), type (discover, request, inform, release, decline,
// bootp; of v6 solicit, request, renew, rebind, confirm, release, decline, information-request),
// mac (required, but for v6 with duid), last ("1"), arch (a code, or a name of the architecture
// table with hyphens), vendor_class, user_class, client_id (hex, with its type byte), duid (of v6,
// hex), ciaddr, requested (of v6: what it has, or asks for), server, relay (of v6: its
// link-address), link_selection, interface, vlan (an id, as a number in text).
[[nodiscard]] std::expected<AskedPacket, Misread> ReadQuestion(const boost::json::object& question);

}  // namespace slipway::explain
