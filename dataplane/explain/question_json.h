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
  bool last = false;  // about the last packet of the MAC, as it came
  dhcp::Question question;
  FixedString<limits::kInterfaceNameBytesMax> interface;  // where it is heard; empty: not said
  config::RecordId vlan = 0;                              // likewise
};

struct Misread {
  std::string field;
  std::string problem;
};

// Members: type (discover, request, inform, release, decline, bootp), mac (required), last ("1"),
// arch (a code, or a name of the architecture table with hyphens), vendor_class, user_class,
// client_id (hex, with its type byte), ciaddr, requested, server, relay, link_selection, interface,
// vlan (an id, as a number in text).
[[nodiscard]] std::expected<AskedPacket, Misread> ReadQuestion(const boost::json::object& question);

}  // namespace slipway::explain
