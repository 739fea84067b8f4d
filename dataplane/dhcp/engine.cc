#include "dataplane/dhcp/engine.h"

#include <algorithm>

#include "dataplane/base/random.h"
#include "dataplane/boot/identity.h"
#include "dataplane/dhcp/exchange.h"

namespace slipway::dhcp {
namespace {

using Exchange = Dhcp4Engine::Exchange;

// Shorter ones would renew more often than anybody can want.
constexpr std::uint32_t kLeaseSecondsMin = 30;

// Stays kCount while nothing speaks against an answer.
constexpr Reason kGoOn = Reason::kCount;

// The VLAN that the client is on, and its subnet where a relay or the client itself names it.
Reason FindLink(Exchange& exchange) {
  const Message& message = exchange.message;
  const config::Snapshot& snapshot = exchange.snapshot;
  Ipv4Address at = message.giaddr;
  if (exchange.relayed()) {
    // RFC 3527 3: the link that the client is on, where giaddr only tells how to reach the relay.
    const ByteSpan link =
        FindSubOption(message.Get(Option::kRelayAgentInformation), kRelayLinkSelection);
    if (link.size() == 4) {
      at = {LoadBig<std::uint32_t>(link.data())};
    }
  } else if (!message.ciaddr.is_any() && exchange.context.source == message.ciaddr &&
             !exchange.context.destination.is_broadcast()) {
    at = message.ciaddr;  // A renewal that was routed to us, maybe from another link.
  }
  exchange.relay_subnet = FindSubnet(snapshot, at);
  exchange.vlan = exchange.context.vlan;
  if (exchange.relayed() || exchange.relay_subnet != nullptr) {
    exchange.vlan =
        exchange.relay_subnet == nullptr ? nullptr : snapshot.VlanById(exchange.relay_subnet->vlan);
  }
  return exchange.vlan == nullptr ? Reason::kUnservedLink : kGoOn;
}

boot::Firmware ReadFirmware(const Message& message) {
  return boot::FirmwareFromOptions({.vendor_class = message.Get(Option::kVendorClass),
                                    .user_class = message.Get(Option::kUserClass),
                                    .architecture = message.Get(Option::kClientArchitecture),
                                    .uuid = message.Get(Option::kClientUuid),
                                    .ipxe = message.Get(Option::kIpxe)});
}

// Who it is: the machine of its MAC, its reservation on this link, and its key in the lease table.
Reason FindClient(Exchange& exchange) {
  const Message& message = exchange.message;
  const ByteSpan client_id = message.Get(Option::kClientIdentifier);
  const bool id_fits = exchange.detail.client_id.Assign(client_id);
  const MacAddress mac = message.mac();
  if (mac.is_zero() && (client_id.empty() || !id_fits)) {
    return Reason::kNoClientAddress;
  }
  boot::BootRequest& boot = exchange.boot;
  boot.mac = mac;
  boot.vlan = exchange.vlan;
  boot.firmware = ReadFirmware(message);
  boot.transport = boot::Transport::kDhcp;
  boot.stage = boot.firmware.ipxe ? boot::Stage::kIpxe : boot::Stage::kFirmware;
  boot::FindMachine(exchange.snapshot, boot);
  exchange.client = {.key = mac.is_zero() ? lease::ClientKey::FromClientId(client_id)
                                          : lease::ClientKey::FromMac(mac),
                     .mac = mac,
                     .vlan = exchange.vlan->id,
                     .machine = boot.machine == nullptr ? 0 : boot.machine->id};
  exchange.detail.hostname = boot.machine == nullptr
                                 ? FilterHostName(message.Get(Option::kHostName))
                                 : boot.machine->hostname;
  if (boot.interface != nullptr && boot.interface->address.is_set() &&
      boot.interface->address.is_v4()) {
    const Ipv4Address address = boot.interface->address.v4();
    exchange.reserved_subnet = FindSubnet(exchange.snapshot, exchange.vlan->id, address);
    exchange.reserved = exchange.reserved_subnet == nullptr ? Ipv4Address{} : address;
  }
  return kGoOn;
}

// The subnet to begin with: what the relay says, the reservation, what the client asks for or is,
// the first of the link.
const config::SubnetRecord* FirstSubnet(const Exchange& exchange, Ipv4Address wanted) {
  if (exchange.reserved_subnet != nullptr) {
    return exchange.reserved_subnet;
  }
  const config::SubnetRecord* asked = FindSubnet(exchange.snapshot, exchange.vlan->id, wanted);
  if (asked != nullptr) {
    return asked;
  }
  if (exchange.relay_subnet != nullptr) {
    return exchange.relay_subnet;
  }
  for (const config::SubnetRecord& subnet : exchange.snapshot.SubnetsOf(exchange.vlan->id)) {
    if (subnet.prefix.address.is_v4()) {
      return &subnet;
    }
  }
  return nullptr;
}

Duration LeaseFor(const Exchange& exchange) {
  const bool boots = exchange.boot.firmware.boots();
  return Duration::Seconds(std::max(kLeaseSecondsMin, boots ? exchange.subnet->boot_lease_seconds
                                                            : exchange.subnet->lease_seconds));
}

// Reserved for somebody else by now.
bool IsAnothers(const Exchange& exchange, Ipv4Address address) {
  const config::InterfaceRecord* owner = exchange.snapshot.InterfaceByAddress(address);
  return owner != nullptr && owner->mac != exchange.client.mac;
}

// It has a reservation by now, which nobody else holds.
bool MustMove(const Exchange& exchange, const lease::LeaseTable& leases, Ipv4Address address) {
  if (exchange.reserved.is_any() || exchange.reserved == address) {
    return false;
  }
  const lease::Lease* there = leases.ByAddress(exchange.reserved);
  return there == nullptr || there->client == exchange.client.key ||
         (there->state != lease::State::kBound && there->state != lease::State::kDeclined);
}

// One step per packet of a machine that boots: its trace. Plain clients make none.
void AddStep(Exchange& exchange, boot::StepKind kind, std::string_view name, bool ok) {
  if (!exchange.boot.firmware.boots()) {
    return;
  }
  boot::BootStep step;
  step.mac = exchange.client.mac;
  step.machine = exchange.client.machine;
  step.vlan = exchange.vlan->id;
  step.address = exchange.effects.ticket.address;
  step.realtime = exchange.now.wall;
  step.kind = kind;
  (void)step.name.Assign(name);
  step.bytes = exchange.effects.reply.bytes;
  step.ok = ok;
  (void)exchange.effects.steps.push_back(step);
}

void GiveNoBootFile(Exchange& exchange) {
  exchange.loop = true;
  exchange.plan.kind = boot::PlanKind::kNothing;
  exchange.plan.reason = "boot-loop";
  exchange.plan.file.clear();
}

Ipv4Address WantedAddress(const Message& message) {
  const Ipv4Address requested = message.GetAddress(Option::kRequestedAddress);
  return requested.is_any() ? message.ciaddr : requested;
}

}  // namespace

Dhcp4Engine::Dhcp4Engine(const EngineOptions& options, lease::LeaseTable* leases)
    : leases_(leases), loops_(options.loops) {}

void Dhcp4Engine::Handle(ByteSpan packet, const ReceiveContext& context,
                         const config::Snapshot& snapshot, const lease::Now& now,
                         MutableByteSpan reply, Effects& effects) {
  effects.reply = {};
  effects.record = {};
  effects.ticket = {};
  effects.steps.clear();
  if (const Result<void> decoded = Decode(packet, message_); !decoded) {
    effects.reason =
        decoded.error().code == ErrorCode::kTruncated ? Reason::kTruncated : Reason::kMalformed;
  } else {
    Exchange exchange{.message = message_,
                      .context = context,
                      .snapshot = snapshot,
                      .now = now,
                      .out = reply,
                      .effects = effects};
    effects.reason = Dispatch(exchange);
  }
  counters_.by_reason[static_cast<std::size_t>(effects.reason)].Add();
}

Reason Dhcp4Engine::Dispatch(Exchange& exchange) {
  const Message& message = exchange.message;
  if (message.op != kBootRequest) {
    const bool foreign = message.op == kBootReply &&
                         (message.type == MessageType::kOffer || message.type == MessageType::kAck);
    return foreign ? Reason::kForeignServer : Reason::kNotRequest;
  }
  if (message.hops > kHopsMax) {
    return Reason::kTooManyHops;
  }
  if (const Reason reason = FindLink(exchange); reason != kGoOn) {
    return reason;
  }
  if (const Reason reason = FindClient(exchange); reason != kGoOn) {
    return reason;
  }
  exchange.ChooseSubnet(FirstSubnet(exchange, WantedAddress(message)));
  if (!exchange.plan.answer) {
    return Reason::kPolicyIgnore;
  }
  if (exchange.subnet == nullptr) {
    return Reason::kNoPool;
  }
  if (exchange.server.is_any()) {
    return Reason::kNoServerAddress;
  }
  switch (message.type) {
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
  if (message.Has(Option::kServerIdentifier)) {
    if (!exchange.IsOurs(message.GetAddress(Option::kServerIdentifier))) {
      return Reason::kOtherServer;
    }
    return OnSelecting(exchange, requested.is_any() ? message.ciaddr : requested);
  }
  if (!message.ciaddr.is_any()) {
    return OnRenew(exchange);
  }
  return requested.is_any() ? Reason::kMalformed : OnReboot(exchange, requested);
}

Reason Dhcp4Engine::OnDiscover(Exchange& exchange) {
  const Ipv4Address requested = exchange.message.GetAddress(Option::kRequestedAddress);
  const Instant now = exchange.now.instant;
  const lease::Lease* held = leases_->ByClient(exchange.client.key, exchange.client.vlan);
  if (held != nullptr && exchange.reserved.is_any()) {
    const config::SubnetRecord* subnet = exchange.snapshot.SubnetById(held->subnet);
    if (subnet != nullptr && subnet->vlan == exchange.vlan->id &&
        (exchange.relay_subnet == nullptr || exchange.relay_subnet == subnet)) {
      exchange.ChooseSubnet(subnet);
    }
  }
  Result<const lease::Lease*> offer =
      leases_->Offer(exchange.OfferRequestFor(*exchange.subnet, requested), exchange.snapshot, now);
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
      offer = leases_->Offer(exchange.OfferRequestFor(subnet, {}), exchange.snapshot, now);
      if (offer) {
        exchange.ChooseSubnet(&subnet);
        break;
      }
    }
  }
  if (!offer) {
    return reserved_in_use ? Reason::kReservedInUse : Reason::kPoolExhausted;
  }
  exchange.effects.ticket = {(*offer)->address, 0};
  if (exchange.plan.kind == boot::PlanKind::kLoader && loops_.IsBlocked(exchange.client.mac, now)) {
    GiveNoBootFile(exchange);
  }
  const Reason reason = Send(exchange,
                             {.type = MessageType::kOffer,
                              .yiaddr = (*offer)->address.v4(),
                              .lease = LeaseFor(exchange),
                              .message = {}},
                             Reason::kOffered);
  AddStep(exchange, boot::StepKind::kDhcpOffer, exchange.plan.file, !exchange.loop);
  return reason;
}

Reason Dhcp4Engine::OnSelecting(Exchange& exchange, Ipv4Address address) {
  if (address.is_any()) {
    return Reason::kMalformed;
  }
  if (leases_->Check(exchange.client, address)) {
    return Grant(exchange, address);
  }
  // Our offer, but we no longer know of it (restarted, or it lapsed): still ours to give if free.
  const Result<const lease::Lease*> claimed =
      leases_->Claim(exchange.OfferRequestFor(*exchange.subnet, address), address,
                     exchange.snapshot, exchange.now.instant);
  return claimed ? Grant(exchange, address) : Nak(exchange, "address not available");
}

Reason Dhcp4Engine::OnReboot(Exchange& exchange, Ipv4Address address) {
  const config::SubnetRecord* subnet = FindSubnet(exchange.snapshot, address);
  if (subnet == nullptr) {
    return Reason::kUnknownLease;  // Not our network: another server may know it.
  }
  if (subnet->vlan != exchange.vlan->id) {
    return Nak(exchange, "wrong network");
  }
  if (leases_->Check(exchange.client, address)) {
    return Grant(exchange, address);
  }
  if (leases_->ByAddress(address) == nullptr &&
      leases_->ByClient(exchange.client.key, exchange.client.vlan) == nullptr) {
    return Reason::kUnknownLease;  // RFC 2131 4.3.2: no record of this client, no answer.
  }
  return Nak(exchange, "not your address");
}

Reason Dhcp4Engine::OnRenew(Exchange& exchange) {
  const Ipv4Address address = exchange.message.ciaddr;
  const config::SubnetRecord* subnet = FindSubnet(exchange.snapshot, address);
  if (subnet == nullptr) {
    return Reason::kUnknownLease;
  }
  if (subnet->vlan != exchange.vlan->id) {
    return Nak(exchange, "wrong network");
  }
  if (!leases_->Check(exchange.client, address)) {
    const Result<const lease::Lease*> claimed =
        leases_->Claim(exchange.OfferRequestFor(*subnet, address), address, exchange.snapshot,
                       exchange.now.instant);
    if (!claimed) {
      return Nak(exchange, "address not available");
    }
  }
  return Grant(exchange, address);
}

// Binds what Check or Claim allowed, unless the model says otherwise by now.
Reason Dhcp4Engine::Grant(Exchange& exchange, Ipv4Address address) {
  if (IsAnothers(exchange, address) || MustMove(exchange, *leases_, address)) {
    // A client that moves leaves its old address at once (RFC 2131 3.1).
    const Result<const lease::Lease*> ended =
        leases_->Release(exchange.client, address, exchange.now.instant);
    if (ended) {
      Log(**ended, exchange.now, exchange.effects);
    }
    return Nak(exchange, "reserved otherwise");
  }
  const config::SubnetRecord* subnet = FindSubnet(exchange.snapshot, exchange.vlan->id, address);
  if (subnet == nullptr) {
    return Nak(exchange, "wrong network");
  }
  if (subnet != exchange.subnet) {
    exchange.ChooseSubnet(subnet);
  }
  GuardLoop(exchange);
  const Duration lease = LeaseFor(exchange);
  const Result<lease::BindResult> bound =
      leases_->Bind(exchange.client, address, lease, exchange.now.instant, exchange.detail);
  if (!bound) {
    return Nak(exchange, "address not available");
  }
  exchange.effects.ticket = {address, bound->lease->version};
  if (bound->needs_log) {
    Log(*bound->lease, exchange.now, exchange.effects);
  }
  const Reason reason =
      Send(exchange, {.type = MessageType::kAck, .yiaddr = address, .lease = lease, .message = {}},
           bound->needs_log ? Reason::kAcked : Reason::kAckedFromMemory);
  exchange.effects.reply.wait_durable = bound->needs_log;
  AddStep(exchange, boot::StepKind::kDhcpAck, exchange.plan.file, !exchange.loop);
  return reason;
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
  const Ipv4Address address = message.GetAddress(Option::kRequestedAddress);
  const Result<const lease::Lease*> declined =
      leases_->Decline(exchange.client, address, exchange.now.instant);
  if (declined) {
    Log(**declined, exchange.now, exchange.effects);
    return Reason::kDeclined;
  }
  if (declined.error().code != ErrorCode::kFull) {
    return Reason::kNotHolder;
  }
  const lease::Lease* ended = leases_->ByAddress(address);
  if (ended != nullptr) {
    Log(*ended, exchange.now, exchange.effects);
  }
  return Reason::kQuarantineFull;
}

Reason Dhcp4Engine::OnRelease(Exchange& exchange) {
  const Message& message = exchange.message;
  if (!exchange.IsOurs(message.GetAddress(Option::kServerIdentifier))) {
    return Reason::kNotHolder;
  }
  const Result<const lease::Lease*> released =
      leases_->Release(exchange.client, message.ciaddr, exchange.now.instant);
  if (!released) {
    return Reason::kNotHolder;
  }
  Log(**released, exchange.now, exchange.effects);
  return Reason::kReleased;
}

// RFC 2131 4.3.5: options only, to an address that the client has from elsewhere.
Reason Dhcp4Engine::OnInform(Exchange& exchange) {
  const Ipv4Address address = exchange.message.ciaddr;
  const config::SubnetRecord* subnet = FindSubnet(exchange.snapshot, exchange.vlan->id, address);
  if (subnet == nullptr) {
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
  if (exchange.reserved.is_any()) {
    return Reason::kBootpUnknown;
  }
  return Send(exchange,
              {.type = MessageType::kNone, .yiaddr = exchange.reserved, .lease = {}, .message = {}},
              Reason::kBootpAnswered);
}

Reason Dhcp4Engine::Send(Exchange& exchange, const Answer& answer, Reason reason) {
  const Result<std::uint32_t> left_out = WriteAnswer(exchange, answer, exchange.effects.reply);
  if (!left_out) {
    exchange.effects.reply = {};
    return Reason::kReplyTooLarge;
  }
  counters_.options_left_out.Add(*left_out);
  return reason;
}

void Dhcp4Engine::Log(const lease::Lease& lease, const lease::Now& now, Effects& effects) {
  effects.record = encoder_.Encode(lease, leases_->DetailOf(lease), now);
  effects.ticket = {lease.address, lease.version};
}

// The same loader again and again, and never iPXE's own question: give no boot file for a while, so
// that the firmware goes on, and say so.
void Dhcp4Engine::GuardLoop(Exchange& exchange) {
  const MacAddress mac = exchange.client.mac;
  if (mac.is_zero() || !exchange.boot.firmware.boots()) {
    return;
  }
  if (exchange.plan.kind != boot::PlanKind::kLoader) {
    loops_.Progress(mac);
    return;
  }
  std::uint64_t key = 0;
  for (const char c : exchange.plan.file.view()) {
    key = Mix64(key ^ static_cast<std::uint64_t>(c));
  }
  const boot::LoopVerdict verdict =
      loops_.Observe(mac, key, exchange.message.xid, exchange.now.instant);
  if (verdict == boot::LoopVerdict::kFine) {
    return;
  }
  if (verdict == boot::LoopVerdict::kLoopFound) {
    counters_.loops_found.Add();
    AddStep(exchange, boot::StepKind::kLoop, exchange.plan.file, false);
  }
  GiveNoBootFile(exchange);
}

void Dhcp4Engine::OnDurable(const Ticket& ticket) noexcept {
  leases_->MarkDurable(ticket.address, ticket.version);
}

bool Dhcp4Engine::ExpireOne(const lease::Now& now, Effects& effects) {
  effects.reply = {};
  effects.record = {};
  effects.steps.clear();
  const lease::Lease* ended = nullptr;
  if (leases_->Expire(now.instant, std::span(&ended, 1)) == 0) {
    return false;
  }
  counters_.expired.Add();
  Log(*ended, now, effects);
  return true;
}

}  // namespace slipway::dhcp
