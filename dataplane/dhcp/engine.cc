#include "dataplane/dhcp/engine.h"

#include <algorithm>

#include "dataplane/boot/identity.h"
#include "dataplane/dhcp/exchange.h"
#include "dataplane/dhcp/fqdn.h"
#include "dataplane/dhcp/rules.h"

namespace slipway::dhcp {
namespace {

using Exchange = Dhcp4Engine::Exchange;

// Stays kCount while nothing speaks against an answer.
constexpr Reason kGoOn = Reason::kCount;

// The VLAN that lists the relay, whose address is in no subnet: an anycast gateway's loopback. A
// link that the relay names and that is not served stays so.
const config::VlanRecord* ListedVlan(const Exchange& exchange, Ipv4Address link) {
  const config::VlanRecord* const found =
      link == exchange.message.giaddr ? FindListedVlan(exchange.snapshot, link) : nullptr;
  exchange.Note(found != nullptr, "relay-listed", "a VLAN lists the relay among its own", found);
  return found;
}

// The VLAN that the client is on, and its subnet where a relay or the client itself names it.
Reason FindLink(Exchange& exchange) {
  const Message& message = exchange.message;
  const config::Snapshot& snapshot = exchange.snapshot;
  Ipv4Address at = message.giaddr;
  if (exchange.Note(exchange.relayed(), "link-by-relay",
                    "a relay passed it on (giaddr, or its link-address)", message.giaddr)) {
    // RFC 3527 3: the link that the client is on, where giaddr only tells how to reach the relay.
    const ByteSpan link =
        FindSubOption(message.Get(Option::kRelayAgentInformation), kRelayLinkSelection);
    if (link.size() == 4) {
      at = {LoadBig<std::uint32_t>(link.data())};
    }
    exchange.Note(link.size() == 4, "link-selection",
                  "the relay says on which link the client is (option 82.5)", at);
  } else if (!message.ciaddr.is_any() && exchange.context.source == message.ciaddr &&
             !exchange.context.destination.is_broadcast()) {
    at = message.ciaddr;  // A renewal that was routed to us, maybe from another link.
    exchange.Note(true, "link-by-renewal", "a renewal by unicast: its own address tells the link",
                  at);
  }
  exchange.relay_subnet = FindSubnet(snapshot, at);
  exchange.vlan = exchange.context.vlan;
  if (exchange.Note(exchange.relayed() || exchange.relay_subnet != nullptr, "link-not-by-interface",
                    "what it says counts, not the interface it came in on",
                    exchange.relay_subnet)) {
    exchange.vlan = exchange.relay_subnet != nullptr
                        ? snapshot.VlanById(exchange.relay_subnet->vlan)
                        : ListedVlan(exchange, at);
  }
  const bool served =
      exchange.Note(exchange.vlan != nullptr, "vlan-served",
                    "its link belongs to a VLAN that is served here", exchange.vlan);
  return served ? kGoOn : Reason::kUnservedLink;
}

boot::Firmware ReadFirmware(const Message& message) {
  return boot::FirmwareFromOptions({.vendor_class = message.Get(Option::kVendorClass),
                                    .user_class = message.Get(Option::kUserClass),
                                    .architecture = message.Get(Option::kClientArchitecture),
                                    .uuid = message.Get(Option::kClientUuid),
                                    .vendor_info = message.Get(Option::kVendorIdentifyingInfo),
                                    .ipxe = message.Get(Option::kIpxe)});
}

// RFC 4702 4: with both options, option 12 is ignored.
config::HostName NameOf(const Message& message) {
  const config::HostName name = HostNameOfFqdn(message.Get(Option::kClientFqdn));
  return name.empty() ? FilterHostName(message.Get(Option::kHostName)) : name;
}

// Who it is: the machine of its MAC, its reservation on this link, and its key in the lease table.
Reason FindClient(Exchange& exchange) {
  const Message& message = exchange.message;
  const ByteSpan client_id = message.Get(Option::kClientIdentifier);
  const bool id_fits = exchange.detail.client_id.Assign(client_id);
  const MacAddress mac = message.mac();
  if (!exchange.Note(!mac.is_zero(), "client-by-mac",
                     "the client is known by its MAC (chaddr, relay, address or DUID)", mac) &&
      !exchange.Note(!client_id.empty() && id_fits, "client-by-id",
                     "the client is known by its client identifier")) {
    return Reason::kNoClientAddress;
  }
  boot::BootRequest& boot = exchange.boot;
  boot.mac = mac;
  boot.vlan = exchange.vlan;
  boot.firmware = ReadFirmware(message);
  boot.transport = boot::Transport::kDhcp;
  boot.stage = boot.firmware.ipxe ? boot::Stage::kIpxe : boot::Stage::kFirmware;
  boot::FindMachine(exchange.snapshot, boot);
  exchange.Note(boot.machine != nullptr, "machine-by-mac",
                "the MAC belongs to an interface of a machine, on this VLAN", boot.machine);
  exchange.client = {.key = mac.is_zero() ? lease::ClientKey::FromClientId(client_id)
                                          : lease::ClientKey::FromMac(mac),
                     .mac = mac,
                     .vlan = exchange.vlan->id,
                     .machine = boot.machine == nullptr ? 0 : boot.machine->id};
  exchange.effects.machine = exchange.client.machine;
  exchange.detail.hostname = boot.machine == nullptr ? NameOf(message) : boot.machine->hostname;
  if (boot.interface != nullptr && boot.interface->address.is_set() &&
      boot.interface->address.is_v4()) {
    const Ipv4Address address = boot.interface->address.v4();
    exchange.reserved_subnet = FindSubnet(exchange.snapshot, exchange.vlan->id, address);
    exchange.reserved = exchange.reserved_subnet == nullptr ? Ipv4Address{} : address;
    exchange.Note(!exchange.reserved.is_any(), "reservation-on-link",
                  "the address reserved for it is on this link", address);
  }
  return kGoOn;
}

// The subnet to begin with: what the relay says, the reservation, what the client asks for or is,
// the first of the link.
const config::SubnetRecord* FirstSubnet(const Exchange& exchange, Ipv4Address wanted) {
  if (exchange.Note(exchange.reserved_subnet != nullptr, "subnet-of-reservation",
                    "the subnet of its reservation", exchange.reserved_subnet)) {
    return exchange.reserved_subnet;
  }
  const config::SubnetRecord* asked = FindSubnet(exchange.snapshot, exchange.vlan->id, wanted);
  if (exchange.Note(asked != nullptr, "subnet-of-wanted-address",
                    "the subnet of the address that it has or asks for", asked)) {
    return asked;
  }
  if (exchange.Note(exchange.relay_subnet != nullptr, "subnet-of-relay",
                    "the subnet that the relay names", exchange.relay_subnet)) {
    return exchange.relay_subnet;
  }
  const config::SubnetRecord* first = nullptr;
  for (const config::SubnetRecord& subnet : exchange.snapshot.SubnetsOf(exchange.vlan->id)) {
    if (subnet.prefix.address.is_v4()) {
      first = &subnet;
      break;
    }
  }
  exchange.Note(first != nullptr, "subnet-first", "the first subnet of the VLAN and the family",
                first);
  return first;
}

void EndLoop(Exchange& exchange) {
  exchange.loop = true;
  GiveNoBootFile(exchange.plan);
}

// An OFFER or ACK of somebody: of the server that the VLAN belongs to, or of one that should not be
// there.
Reason HearReply(Exchange& exchange) {
  const Message& message = exchange.message;
  if (message.op != kBootReply ||
      (message.type != MessageType::kOffer && message.type != MessageType::kAck)) {
    return Reason::kNotRequest;
  }
  const config::VlanRecord* vlan = exchange.context.vlan;
  if (exchange.Note(vlan != nullptr && vlan->dhcp != config::DhcpMode::kOn, "server-expected",
                    "the VLAN's addresses are another server's", vlan)) {
    return Reason::kMainServer;
  }
  const Ipv4Address server = message.GetAddress(Option::kServerIdentifier);
  const config::PartnerVlan* partner =
      vlan == nullptr ? nullptr : FindPartner(exchange.snapshot, vlan->id);
  if (partner != nullptr && exchange.Note(partner->address == IpAddress(server), "pair-turn",
                                          "it is of the other rack of the pair", server)) {
    return Reason::kPartnersTurn;
  }
  exchange.effects.foreign = {
      .identifier = server, .offered = message.yiaddr, .relay = message.giaddr};
  return Reason::kForeignServer;
}

std::string_view TypeText(MessageType type) {
  switch (type) {
    case MessageType::kNone:
      return "no message type: BOOTP";
    case MessageType::kDiscover:
      return "DHCPDISCOVER";
    case MessageType::kRequest:
      return "DHCPREQUEST";
    case MessageType::kDecline:
      return "DHCPDECLINE";
    case MessageType::kRelease:
      return "DHCPRELEASE";
    case MessageType::kInform:
      return "DHCPINFORM";
    default:
      return "a type that clients do not send to servers";
  }
}

}  // namespace

Dhcp4Engine::Dhcp4Engine(const EngineOptions& options, lease::LeaseTable* leases)
    : leases_(leases), pair_(options.pair), loops_(options.loops), step_gate_(options.steps) {}

void Dhcp4Engine::Handle(ByteSpan packet, const ReceiveContext& context,
                         const config::Snapshot& snapshot, const lease::Now& now,
                         MutableByteSpan reply, Effects& effects) {
  effects.reason = Run(packet, context, snapshot, now, reply, effects, nullptr);
  counters_.by_reason[static_cast<std::size_t>(effects.reason)].Add();
}

void Dhcp4Engine::Explain(ByteSpan packet, const ReceiveContext& context,
                          const config::Snapshot& snapshot, const lease::Now& now,
                          MutableByteSpan reply, Effects& effects, DecisionTrace& trace) {
  trace = {};
  effects.reason = Run(packet, context, snapshot, now, reply, effects, &trace);
}

Reason Dhcp4Engine::Run(ByteSpan packet, const ReceiveContext& context,
                        const config::Snapshot& snapshot, const lease::Now& now,
                        MutableByteSpan reply, Effects& effects, DecisionTrace* trace) {
  effects.Clear();
  if (const Result<void> decoded = Decode(packet, message_); !decoded) {
    return decoded.error().code == ErrorCode::kTruncated ? Reason::kTruncated : Reason::kMalformed;
  }
  if (trace == nullptr) [[likely]] {
    counters_.received[KindOf(message_.type)].Add();
  }
  plan_.Clear();
  Exchange exchange{.message = message_,
                    .context = context,
                    .snapshot = snapshot,
                    .now = now,
                    .packet_bytes = packet.size(),
                    .out = reply,
                    .effects = effects,
                    .options = options_,
                    .plan = plan_,
                    .trace = trace};
  const Reason reason = Dispatch(exchange);
  if (exchange.explaining()) [[unlikely]] {
    trace->Summarise(exchange);
  }
  if (effects.reply.delivery == Delivery::kNone) {
    TraceSilence(exchange, reason);
  }
  return reason;
}

Reason Dhcp4Engine::Dispatch(Exchange& exchange) {
  const Message& message = exchange.message;
  if (!exchange.Note(message.op == kBootRequest, "message-is-request", "it is a request")) {
    return HearReply(exchange);
  }
  if (!exchange.Note(message.hops <= kHopsMax, "hops-within-limit",
                     "it came through at most 16 relays", message.hops)) {
    return Reason::kTooManyHops;
  }
  if (const Reason reason = FindLink(exchange); reason != kGoOn) {
    return reason;
  }
  if (!exchange.Note(exchange.vlan->dhcp != config::DhcpMode::kOff, "vlan-dhcp-on",
                     "the VLAN is served by DHCP")) {
    return Reason::kDhcpOff;
  }
  if (const Reason reason = FindClient(exchange); reason != kGoOn) {
    return reason;
  }
  exchange.ChooseSubnet(FirstSubnet(exchange, WantedAddress(message)));
  TraceArrival(exchange);
  if (!exchange.Note(exchange.plan.answer, "policy-answers",
                     "the machine is known, or the VLAN answers unknown ones")) {
    return Reason::kPolicyIgnore;
  }
  if (!exchange.Note(!exchange.source.is_any(), "rack-has-address",
                     "the rack has an address towards the client", exchange.source)) {
    return Reason::kNoServerAddress;
  }
  exchange.Note(true, "message-type", TypeText(message.type));
  if (exchange.Note(exchange.context.boot_server_port, "boot-server-port",
                    "it came to port 4011: boot data only") ||
      exchange.Note(exchange.vlan->dhcp == config::DhcpMode::kProxy, "vlan-proxy",
                    "the VLAN's addresses are another server's: boot data only")) {
    return OnProxy(exchange);
  }
  if (!exchange.Note(exchange.subnet != nullptr, "link-has-subnet",
                     "the VLAN has a subnet of the family", exchange.subnet)) {
    return Reason::kNoPool;
  }
  if (IsPaired(pair_)) [[unlikely]] {
    if (const Reason reason = AskPair(exchange); reason != kGoOn) {
      return reason;
    }
  }
  return Serve(exchange);
}

// Both racks hear what is broadcast and what relays pass on; one that is named by its identifier,
// or asked by unicast, answers for itself.
Reason Dhcp4Engine::AskPair(Exchange& exchange) {
  const Message& message = exchange.message;
  const bool to_both =
      (exchange.relayed() || exchange.context.destination.is_broadcast() ||
       message.ciaddr.is_any()) &&
      (message.type == MessageType::kNone || message.type == MessageType::kDiscover ||
       (message.type == MessageType::kRequest && !message.Has(Option::kServerIdentifier)));
  const PairSays says = dhcp::AskPair(*pair_, {.snapshot = exchange.snapshot,
                                               .leases = *leases_,
                                               .client = exchange.client,
                                               .to_both = to_both,
                                               .now = exchange.now.instant,
                                               .preview = exchange.explaining()});
  if (!exchange.Note(says != PairSays::kRecovering, "pair-serves",
                     "of a pair of racks, this one has caught up")) {
    return Reason::kPairRecovering;
  }
  return exchange.Note(says == PairSays::kAnswer, "pair-turn",
                       "of a pair of racks, this one answers the client")
             ? kGoOn
             : Reason::kPartnersTurn;
}

Reason Dhcp4Engine::Serve(Exchange& exchange) {
  switch (exchange.message.type) {
    case MessageType::kNone:
      return OnBootp(exchange);
    case MessageType::kDiscover:
      return OnDiscover(exchange);
    case MessageType::kRequest:
      return DispatchRequest(exchange);
    case MessageType::kDecline:
      return OnDecline(exchange);
    case MessageType::kRelease:
      return OnRelease(exchange);
    case MessageType::kInform:
      return OnInform(exchange);
    default:
      return Reason::kUnknownType;
  }
}

// RFC 2131 4.3.2, table 4: the states are told apart by the fields that are filled in.
Reason Dhcp4Engine::DispatchRequest(Exchange& exchange) {
  const Message& message = exchange.message;
  const Ipv4Address requested = message.GetAddress(Option::kRequestedAddress);
  const Ipv4Address server = message.GetAddress(Option::kServerIdentifier);
  if (exchange.Note(message.Has(Option::kServerIdentifier), "request-selecting",
                    "it names a server (option 54): SELECTING", server)) {
    if (!exchange.IsOurs(server)) {
      return Reason::kOtherServer;
    }
    return OnSelecting(exchange, requested.is_any() ? message.ciaddr : requested);
  }
  if (exchange.Note(!message.ciaddr.is_any(), "request-renewing",
                    "it has its address already (ciaddr): RENEWING or REBINDING", message.ciaddr)) {
    return OnRenew(exchange);
  }
  exchange.Note(!requested.is_any(), "request-init-reboot",
                "it asks for an address it had (option 50): INIT-REBOOT", requested);
  return requested.is_any() ? Reason::kMalformed : OnReboot(exchange, requested);
}

Reason Dhcp4Engine::OnDiscover(Exchange& exchange) {
  const Ipv4Address requested = exchange.message.GetAddress(Option::kRequestedAddress);
  const Instant now = exchange.now.instant;
  const lease::Lease* held = leases_->ByClient(exchange.client.key, exchange.client.vlan);
  exchange.Note(held != nullptr, "lease-on-record", "the client has or had an address on this VLAN",
                held == nullptr ? Ipv4Address{} : held->address);
  if (held != nullptr && exchange.reserved.is_any()) {
    const config::SubnetRecord* subnet = exchange.snapshot.SubnetById(held->subnet);
    if (exchange.Note(subnet != nullptr && subnet->vlan == exchange.vlan->id &&
                          (exchange.relay_subnet == nullptr || exchange.relay_subnet == subnet),
                      "subnet-of-lease", "the subnet of that address is still on this link",
                      subnet)) {
      exchange.ChooseSubnet(subnet);
    }
  }
  Result<Ipv4Address> offer = Offer(exchange, *exchange.subnet, requested);
  const bool reserved_in_use = !offer && offer.error().code == ErrorCode::kConflict;
  if (!offer) {
    // Several subnets may share a segment; and a reservation that is not free yet gets an address
    // of the pool meanwhile.
    const config::SubnetRecord* tried = reserved_in_use ? nullptr : exchange.subnet;
    exchange.reserved_subnet = nullptr;
    for (const config::SubnetRecord& subnet : exchange.snapshot.SubnetsOf(exchange.vlan->id)) {
      if (&subnet == tried || !subnet.prefix.address.is_v4()) {
        continue;
      }
      exchange.Note(true, "subnet-next", "another subnet of the link is tried", &subnet);
      offer = Offer(exchange, subnet, {});
      if (offer) {
        exchange.ChooseSubnet(&subnet);
        break;
      }
    }
  }
  if (!offer) {
    return reserved_in_use ? Reason::kReservedInUse : Reason::kPoolExhausted;
  }
  exchange.effects.ticket = {*offer, 0};
  if (exchange.plan.kind == boot::PlanKind::kLoader &&
      exchange.Note(loops_.IsBlocked(exchange.client.mac, now), "boot-loop",
                    "it was given the same loader again and again")) {
    EndLoop(exchange);
  }
  const Reason reason =
      Send(exchange,
           {.type = MessageType::kOffer,
            .yiaddr = *offer,
            .lease = PairLease(pair_, LeaseFor(*exchange.subnet, exchange.boot.firmware),
                               exchange.now.instant),
            .message = {}},
           Reason::kOffered);
  AddStep(exchange, boot::StepKind::kDhcpOffer, exchange.plan.file, !exchange.loop);
  ProbeOffer(exchange, *offer);
  return reason;
}

Reason Dhcp4Engine::OnSelecting(Exchange& exchange, Ipv4Address address) {
  if (address.is_any()) {
    return Reason::kMalformed;
  }
  // Our offer, but we no longer know of it (restarted, or it lapsed): still ours to give if free.
  return IsClients(exchange, address) || Claim(exchange, *exchange.subnet, address)
             ? Grant(exchange, address)
             : Refuse(exchange, address, "address not available");
}

Reason Dhcp4Engine::OnReboot(Exchange& exchange, Ipv4Address address) {
  const config::SubnetRecord* subnet = FindSubnet(exchange.snapshot, address);
  if (!exchange.Note(subnet != nullptr, "address-published", "a published subnet has the address",
                     subnet)) {
    return Reason::kUnknownLease;  // Not our network: another server may know it.
  }
  if (!exchange.Note(subnet->vlan == exchange.vlan->id, "address-on-link",
                     "that subnet is on this link")) {
    return Nak(exchange, "wrong network");
  }
  if (IsClients(exchange, address)) {
    return Grant(exchange, address);
  }
  if (!exchange.Note(leases_->ByAddress(address) != nullptr ||
                         leases_->ByClient(exchange.client.key, exchange.client.vlan) != nullptr,
                     "client-on-record", "the rack has a record of the client or the address")) {
    return Reason::kUnknownLease;  // RFC 2131 4.3.2: no record of this client, no answer.
  }
  return Refuse(exchange, address, "not your address");
}

Reason Dhcp4Engine::OnRenew(Exchange& exchange) {
  const Ipv4Address address = exchange.message.ciaddr;
  const config::SubnetRecord* subnet = FindSubnet(exchange.snapshot, address);
  if (!exchange.Note(subnet != nullptr, "address-published", "a published subnet has the address",
                     subnet)) {
    return Reason::kUnknownLease;
  }
  if (!exchange.Note(subnet->vlan == exchange.vlan->id, "address-on-link",
                     "that subnet is on this link")) {
    return Nak(exchange, "wrong network");
  }
  return IsClients(exchange, address) || Claim(exchange, *subnet, address)
             ? Grant(exchange, address)
             : Refuse(exchange, address, "address not available");
}

// Binds what Check or Claim allowed, unless the model says otherwise by now.
Reason Dhcp4Engine::Grant(Exchange& exchange, Ipv4Address address) {
  if (exchange.Note(IsAnothers(exchange.snapshot, address, exchange.client.mac),
                    "address-reserved-for-another", "by now the address is reserved for another") ||
      exchange.Note(MustMove(*leases_, exchange.client.key, exchange.reserved, address),
                    "client-must-move", "by now another address is reserved for it, and free",
                    exchange.reserved)) {
    return EndAndNak(exchange, address, "reserved otherwise");
  }
  const config::SubnetRecord* subnet = FindSubnet(exchange.snapshot, exchange.vlan->id, address);
  if (subnet == nullptr) {
    return Nak(exchange, "wrong network");
  }
  if (subnet != exchange.subnet) {
    exchange.ChooseSubnet(subnet);
  }
  Duration lease =
      PairLease(pair_, LeaseFor(*exchange.subnet, exchange.boot.firmware), exchange.now.instant);
  const lease::Lease* held = leases_->ByAddress(address);
  if (exchange.Note(IsLeaving(held, exchange.reserved), "address-leaves",
                    "its range is gone, drained or revoked, or its reservation is gone", address)) {
    // What was promised is kept and not prolonged, unless the range is revoked.
    const bool kept =
        exchange.Note(!IsRevoked(exchange.snapshot, subnet->id, address), "lease-runs-out",
                      "the range is not revoked: the lease runs out");
    const Duration left =
        held->state == lease::State::kBound ? held->ends - exchange.now.instant : Duration{};
    if (!exchange.Note(kept && left >= Duration::Seconds(kLeaseSecondsMin), "lease-has-rest",
                       "at least 30 s of it are left", left)) {
      return EndAndNak(exchange, address, "no longer in use");
    }
    lease = std::min(lease, Duration::Seconds(left.seconds()));
  }
  GuardLoop(exchange);
  const Result<bool> needs_record = Bind(exchange, address, lease);
  if (!needs_record) {
    return Refuse(exchange, address, "address not available");
  }
  const Reason reason =
      Send(exchange, {.type = MessageType::kAck, .yiaddr = address, .lease = lease, .message = {}},
           *needs_record ? Reason::kAcked : Reason::kAckedFromMemory);
  exchange.effects.reply.wait_durable = *needs_record;
  AddStep(exchange, boot::StepKind::kDhcpAck, exchange.plan.file, !exchange.loop);
  return reason;
}

// A client that moves leaves its old address at once (RFC 2131 3.1).
Reason Dhcp4Engine::EndAndNak(Exchange& exchange, Ipv4Address address, std::string_view message) {
  if (IsPaired(pair_) &&
      !exchange.Note(pair_->MayTakeBack(address), "pair-may-take-back",
                     "this rack knows all that was promised of the address", address)) {
    return Reason::kPartnersToSay;
  }
  (void)End(exchange, address);
  return Nak(exchange, message);
}

// The address is not the client's, as far as this rack knows.
Reason Dhcp4Engine::Refuse(Exchange& exchange, Ipv4Address address, std::string_view message) {
  if (IsPaired(pair_) &&
      !exchange.Note(MayRefuse(pair_, *leases_, address, exchange.client.key), "pair-may-refuse",
                     "this rack would be the one to give the address", address)) {
    return Reason::kPartnersToSay;
  }
  return Nak(exchange, message);
}

Reason Dhcp4Engine::Nak(Exchange& exchange, std::string_view message) {
  const Reason reason =
      Send(exchange, {.type = MessageType::kNak, .yiaddr = {}, .lease = {}, .message = message},
           Reason::kNaked);
  AddStep(exchange, boot::StepKind::kDhcpNak, message, false);
  return reason;
}

// Only from the holder, with our identifier, on the link of the lease (Check looks at it).
Reason Dhcp4Engine::OnDecline(Exchange& exchange) {
  const Message& message = exchange.message;
  if (!exchange.IsOurs(message.GetAddress(Option::kServerIdentifier))) {
    return Reason::kNotHolder;
  }
  const Result<void> declined = Decline(exchange, message.GetAddress(Option::kRequestedAddress));
  if (declined) {
    return Reason::kDeclined;
  }
  return declined.error().code == ErrorCode::kFull ? Reason::kQuarantineFull : Reason::kNotHolder;
}

Reason Dhcp4Engine::OnRelease(Exchange& exchange) {
  const Message& message = exchange.message;
  // RFC 2131 table 5 wants the identifier; systemd-networkd leaves it out. Sent to us from the
  // address that is given back, it is meant for us all the same.
  const bool plain =
      !message.Has(Option::kServerIdentifier) && exchange.context.source == message.ciaddr;
  if (!exchange.IsOurs(plain ? exchange.context.destination
                             : message.GetAddress(Option::kServerIdentifier))) {
    return Reason::kNotHolder;
  }
  return End(exchange, message.ciaddr) ? Reason::kReleased : Reason::kNotHolder;
}

// RFC 2131 4.3.5: options only, to an address that the client has from elsewhere. Some clients
// leave ciaddr empty: then it is where the message came from.
Reason Dhcp4Engine::OnInform(Exchange& exchange) {
  const Ipv4Address ciaddr = exchange.message.ciaddr;
  const Ipv4Address address =
      ciaddr.is_any() && !exchange.relayed() ? exchange.context.source : ciaddr;
  const config::SubnetRecord* subnet = FindSubnet(exchange.snapshot, exchange.vlan->id, address);
  if (!exchange.Note(subnet != nullptr, "address-on-link", "a subnet of this link has the address",
                     address)) {
    return Reason::kUnknownLease;
  }
  exchange.ChooseSubnet(subnet);
  const Reason reason =
      Send(exchange, {.type = MessageType::kAck, .yiaddr = {}, .lease = {}, .message = {}},
           Reason::kInformed);
  AddStep(exchange, boot::StepKind::kDhcpInform, exchange.plan.file, true);
  return reason;
}

// RFC 951, RFC 1534: an address for ever, so for reservations only.
Reason Dhcp4Engine::OnBootp(Exchange& exchange) {
  if (!exchange.Note(!exchange.reserved.is_any(), "bootp-reserved",
                     "an address is reserved for the BOOTP client", exchange.reserved)) {
    return Reason::kBootpUnknown;
  }
  return Send(exchange,
              {.type = MessageType::kNone, .yiaddr = exchange.reserved, .lease = {}, .message = {}},
              Reason::kBootpAnswered);
}

// PXE 2.1, 2.2: boot data beside another server's address. An OFFER without an address answers the
// DISCOVER of a boot client; its second question comes to port 4011 once it has its address. A
// REQUEST on port 67 is for the other server, and tells whose address is whose from then on.
Reason Dhcp4Engine::OnProxy(Exchange& exchange) {
  const Message& message = exchange.message;
  const bool asks = message.type == MessageType::kRequest || message.type == MessageType::kInform;
  const bool second = exchange.context.boot_server_port;
  const Ipv4Address address =
      second && message.ciaddr.is_any() ? exchange.context.source : WantedAddress(message);
  const config::SubnetRecord* subnet = FindSubnet(exchange.snapshot, address);
  if (asks && exchange.vlan->dhcp == config::DhcpMode::kProxy && !address.is_any() &&
      !exchange.client.mac.is_zero() && (subnet == nullptr || subnet->vlan == exchange.vlan->id)) {
    exchange.effects.peer = {address, exchange.client.mac, exchange.vlan->id};
  }
  if (!exchange.Note(second ? asks : message.type == MessageType::kDiscover, "proxy-asked",
                     "a DISCOVER on port 67, or a REQUEST or INFORM on port 4011")) {
    return Reason::kOtherServer;
  }
  if (!exchange.Note(!exchange.plan.file.empty(), "proxy-boot-data",
                     "there is a boot file for the client") ||
      (second && exchange.context.source.is_any())) {
    return Reason::kNoBootData;
  }
  if (!second) {
    GuardLoop(exchange);
  } else if (loops_.IsBlocked(exchange.client.mac, exchange.now.instant)) {
    EndLoop(exchange);
  }
  if (exchange.loop) {
    return Reason::kNoBootData;
  }
  const MessageType type = second ? MessageType::kAck : MessageType::kOffer;
  const Reason reason =
      Send(exchange, {.type = type, .yiaddr = {}, .lease = {}, .message = {}, .proxy = true},
           second ? Reason::kProxyAcked : Reason::kProxyOffered);
  AddStep(exchange, second ? boot::StepKind::kDhcpAck : boot::StepKind::kDhcpOffer,
          exchange.plan.file, true);
  return reason;
}

Reason Dhcp4Engine::Send(Exchange& exchange, const Answer& answer, Reason reason) {
  const Result<std::uint32_t> left_out = WriteAnswer(exchange, answer, exchange.effects.reply);
  if (!exchange.Note(left_out.has_value(), "reply-fits", "the reply fits what the client takes",
                     exchange.effects.reply.bytes)) {
    exchange.effects.reply = {};
    return Reason::kReplyTooLarge;
  }
  if (exchange.explaining()) [[unlikely]] {
    exchange.trace->decision.address = answer.yiaddr;
    exchange.trace->decision.lease = answer.lease;
  } else {
    counters_.answered[KindOf(answer.type)].Add();
    counters_.options_left_out.Add(*left_out);
  }
  return reason;
}

// The same loader again and again, and never iPXE's own question: give no boot file for a while, so
// that the firmware goes on, and say so.
void Dhcp4Engine::GuardLoop(Exchange& exchange) {
  const bool explaining = exchange.explaining();
  const boot::LoopVerdict verdict =
      dhcp::GuardLoop(loops_, exchange.client.mac, exchange.boot.firmware, exchange.plan,
                      exchange.message.xid, exchange.now.instant, explaining);
  if (!exchange.Note(verdict != boot::LoopVerdict::kFine, "boot-loop",
                     "it was given the same loader again and again")) {
    return;
  }
  if (verdict == boot::LoopVerdict::kLoopFound) {
    counters_.loops_found.Add(explaining ? 0 : 1);
    AddStep(exchange, boot::StepKind::kLoop, exchange.plan.file, false);
  }
  EndLoop(exchange);
}

}  // namespace slipway::dhcp
