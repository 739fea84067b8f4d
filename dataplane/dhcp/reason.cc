#include "dataplane/dhcp/engine.h"

namespace slipway::dhcp {

std::string_view ToString(Reason reason) noexcept {
  static constexpr std::array<std::string_view, static_cast<std::size_t>(Reason::kCount)> kNames = {
      "offered",           "acked",
      "acked-from-memory", "naked",
      "informed",          "bootp-answered",
      "proxy-offered",     "proxy-acked",
      "released",          "declined",
      "truncated",         "malformed",
      "not-a-request",     "too-many-hops",
      "unknown-type",      "no-client-address",
      "unserved-link",     "no-server-address",
      "policy-ignore",     "bootp-unknown",
      "other-server",      "no-pool",
      "pool-exhausted",    "reserved-in-use",
      "not-holder",        "unknown-lease",
      "quarantine-full",   "reply-too-large",
      "foreign-server",    "main-server",
      "dhcp-off",          "no-boot-data",
      "pair-recovering",   "partners-turn",
      "partners-to-say",
  };
  static_assert(!kNames.back().empty());
  return reason < Reason::kCount ? kNames[static_cast<std::size_t>(reason)] : "unknown";
}

}  // namespace slipway::dhcp
