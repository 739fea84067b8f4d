// One DHCPv6 packet on its way through the engine. Internal to dataplane/dhcp.
#pragma once

#include <cstdint>
#include <span>

#include "dataplane/boot/decide.h"
#include "dataplane/dhcp/engine6.h"
#include "dataplane/dhcp/trace.h"

namespace slipway::dhcp {

struct Dhcp6Engine::Exchange {
  const Message6& message;
  const ReceiveContext6& context;
  const config::Snapshot& snapshot;
  const lease::Now& now;
  const Duid& server_id;
  std::size_t packet_bytes = 0;
  MutableByteSpan out;
  Effects6& effects;
  OptionSet& options;    // filled when the reply is written
  boot::BootPlan& plan;  // clear until a subnet is chosen
  // Somebody asks why: take the rules down. nullptr: nobody does.
  DecisionTrace* trace = nullptr;

  // The link: found by interface or by a relay's link-address.
  const config::VlanRecord* vlan = nullptr;
  const config::SubnetRecord* subnet = nullptr;       // the one the answer is about
  const config::SubnetRecord* link_subnet = nullptr;  // of the relay's link-address
  IpAddress server{};  // ours towards this client, for URLs; not set: we have none

  // The client.
  lease::Client client{};
  const Ia* ia = nullptr;  // the first IA_NA: the one that gets the address
  boot::BootRequest boot{};
  IpAddress reserved{};  // its reservation on this link
  const config::SubnetRecord* reserved_subnet = nullptr;
  lease::LeaseDetail detail{};
  bool loop = false;
  Duration asked_for{};  // since the first message of this transaction; set for what boots

  // Only looked at: nothing may change.
  [[nodiscard]] bool explaining() const noexcept { return trace != nullptr; }

  // As the function of that name (trace.h).
  template <typename Value = NoTraceValue>
  bool Note(bool matched, std::string_view rule, std::string_view reason,
            const Value& value = {}) const noexcept {
    return dhcp::Note(trace, matched, rule, reason, value);
  }

  // The first address in the client's IA; not set if it names none.
  [[nodiscard]] IpAddress wanted() const noexcept {
    return ia == nullptr || ia->addresses.empty() ? IpAddress() : IpAddress(ia->addresses[0]);
  }

  // The subnet to answer for, our address there, and the plan that goes with it.
  void ChooseSubnet(const config::SubnetRecord* chosen) noexcept;
  [[nodiscard]] lease::OfferRequest OfferRequestFor(const config::SubnetRecord& wanted_subnet,
                                                    const IpAddress& requested) const noexcept;
};

// The IPv6 subnet of the snapshot that has the address; nullptr if none has.
[[nodiscard]] const config::SubnetRecord* FindSubnet6(const config::Snapshot& snapshot,
                                                      const Ipv6Address& address) noexcept;
// Likewise, among those of one VLAN.
[[nodiscard]] const config::SubnetRecord* FindSubnet6(const config::Snapshot& snapshot,
                                                      config::RecordId vlan,
                                                      const Ipv6Address& address) noexcept;
// The first IPv6 subnet of a VLAN; nullptr if it has none.
[[nodiscard]] const config::SubnetRecord* FirstSubnet6(const config::Snapshot& snapshot,
                                                       config::RecordId vlan) noexcept;

// The MAC that the client shows: as its relay saw it, as its own address has it, as its DUID has
// it; zero if there is none (dataplane/dhcp/client_of6.cc).
struct ShownMac {
  MacAddress mac;
  bool by_duid = false;
};

[[nodiscard]] ShownMac FindShownMac(const Message6& message, const Ipv6Address& source) noexcept;

// Who the client is: its link-layer address, identity in the lease table, firmware and reservation
// (dataplane/dhcp/client_of6.cc).
void FindClient6(Dhcp6Engine::Exchange& exchange, const lease::LeaseTable& leases) noexcept;

struct Answer6 {
  MessageType6 type = MessageType6::kReply;
  bool rapid_commit = false;
  bool has_ias = true;      // the client's IAs are answered, each with address or status
  bool has_options = true;  // boot and network
  // For the client's IA: an address with its lease (zero: it is taken back), or a status.
  IpAddress address;
  Duration lease;
  Status6 ia_status = Status6::kNoAddrsAvail;
  // For IAs that we never serve, and all of a kind where nothing is given out.
  Status6 other_status = Status6::kNoAddrsAvail;
  bool has_status = false;  // of the whole message
  Status6 status = Status6::kSuccess;
};

// Encodes the answer into exchange.out, with the way back through the relays, and says where it
// goes. Returns the number of options left out; kTooLarge if not even what must be there fits.
[[nodiscard]] Result<std::uint32_t> WriteAnswer6(const Dhcp6Engine::Exchange& exchange,
                                                 const Answer6& answer, Reply6& reply) noexcept;

}  // namespace slipway::dhcp
