#include "dataplane/dhcp/engine6.h"

namespace slipway::dhcp {

std::string_view ToString(Reason6 reason) noexcept {
  static constexpr std::array<std::string_view, static_cast<std::size_t>(Reason6::kCount)> kNames =
      {
          "advertised",      "replied",         "replied-from-memory",
          "rapid-committed", "confirmed",       "not-on-link",
          "no-address",      "taken-back",      "no-binding",
          "informed",        "released",        "declined",
          "quarantine-full", "use-multicast",   "truncated",
          "malformed",       "too-many-relays", "not-a-request",
          "no-client-id",    "server-id-wrong", "not-by-unicast",
          "unserved-link",   "policy-ignore",   "other-server",
          "no-subnet",       "unknown-lease",   "reply-too-large",
          "pair-recovering", "partners-turn",   "partners-to-say",
          "foreign-server",  "main-server",
      };
  static_assert(!kNames.back().empty());
  return reason < Reason6::kCount ? kNames[static_cast<std::size_t>(reason)] : "unknown";
}

std::string_view ToString(MessageType6 type) noexcept {
  static constexpr std::array<std::string_view, 14> kNames = {
      "other",         "solicit",    "advertise", "request", "confirm",     "renew",
      "rebind",        "reply",      "release",   "decline", "reconfigure", "information-request",
      "relay-forward", "relay-reply"};
  const auto index = static_cast<std::size_t>(type);
  return kNames[index < kNames.size() ? index : 0];
}

}  // namespace slipway::dhcp
