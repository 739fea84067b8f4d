// One packet on its way through the engine. Internal to dataplane/dhcp.
#pragma once

#include <cstdint>
#include <span>

#include "dataplane/boot/decide.h"
#include "dataplane/dhcp/engine.h"
#include "dataplane/dhcp/trace.h"

namespace slipway::dhcp {

struct Dhcp4Engine::Exchange {
  const Message& message;
  const ReceiveContext& context;
  const config::Snapshot& snapshot;
  const lease::Now& now;
  std::size_t packet_bytes = 0;
  MutableByteSpan out;
  Effects& effects;
  OptionSet& options;    // filled when the reply is written
  boot::BootPlan& plan;  // clear until a subnet is chosen
  // Somebody asks why: take the rules down. nullptr: nobody does.
  DecisionTrace* trace = nullptr;

  // The link: found by interface, relay address or the client's own address.
  const config::VlanRecord* vlan = nullptr;
  const config::SubnetRecord* subnet = nullptr;        // the one the answer is about
  const config::SubnetRecord* relay_subnet = nullptr;  // set by a relay or routed renewal
  Ipv4Address server{};                                // our identifier towards this client
  Ipv4Address source{};  // where replies come from: an address of ours

  // The client.
  lease::Client client{};
  boot::BootRequest boot{};
  Ipv4Address reserved{};  // its reservation on this link
  const config::SubnetRecord* reserved_subnet = nullptr;
  lease::LeaseDetail detail{};
  bool loop = false;
  Duration asked_for{};  // since the first message of this transaction; set for what boots

  [[nodiscard]] bool relayed() const noexcept { return !message.giaddr.is_any(); }

  // Only looked at: nothing may change.
  [[nodiscard]] bool explaining() const noexcept { return trace != nullptr; }

  // As the function of that name (trace.h).
  template <typename Value = NoTraceValue>
  bool Note(bool matched, std::string_view rule, std::string_view reason,
            const Value& value = {}) const noexcept {
    return dhcp::Note(trace, matched, rule, reason, value);
  }

  // True if an address in a message names us.
  [[nodiscard]] bool IsOurs(Ipv4Address address) const noexcept;
  // The subnet to answer for, our identifier there, and the plan that goes with it.
  void ChooseSubnet(const config::SubnetRecord* chosen) noexcept;
  [[nodiscard]] lease::OfferRequest OfferRequestFor(const config::SubnetRecord& wanted,
                                                    Ipv4Address requested) const noexcept;
};

// The IPv4 subnet of the snapshot that has the address; nullptr if none has.
[[nodiscard]] const config::SubnetRecord* FindSubnet(const config::Snapshot& snapshot,
                                                     Ipv4Address address) noexcept;
// Likewise, among those of one VLAN.
[[nodiscard]] const config::SubnetRecord* FindSubnet(const config::Snapshot& snapshot,
                                                     config::RecordId vlan,
                                                     Ipv4Address address) noexcept;

// What the client asks for, or has; any if it says nothing.
[[nodiscard]] Ipv4Address WantedAddress(const Message& message) noexcept;

// Lower-case letters, digits and inner hyphens of one label (RFC 1123 2.1); empty if the text has
// anything else in it.
[[nodiscard]] config::HostName FilterHostName(ByteSpan text) noexcept;

struct Answer {
  MessageType type = MessageType::kNone;  // kNone: BOOTP
  Ipv4Address yiaddr;
  Duration lease;            // zero: no lease times (INFORM, NAK, BOOTP)
  std::string_view message;  // of a NAK
  bool proxy = false;        // boot data only: the address comes from another server
};

// Encodes the answer into exchange.out and says how it travels (RFC 2131 4.1). Returns the number
// of options left out; kTooLarge if not even the fixed part fits.
[[nodiscard]] Result<std::uint32_t> WriteAnswer(const Dhcp4Engine::Exchange& exchange,
                                                const Answer& answer, Reply& reply) noexcept;

}  // namespace slipway::dhcp
