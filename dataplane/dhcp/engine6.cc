#include "dataplane/dhcp/engine6.h"

#include <algorithm>

#include "dataplane/dhcp/exchange6.h"
#include "dataplane/dhcp/lease_access.h"
#include "dataplane/dhcp/rules.h"

namespace slipway::dhcp {
namespace {

using Exchange = Dhcp6Engine::Exchange;

// Stays kCount while nothing speaks against an answer.
constexpr Reason6 kGoOn = Reason6::kCount;

enum class ServerId : std::uint8_t { kNone, kOurs, kOptional };

// What RFC 8415 16 wants of each message that clients send.
struct TypeRow {
  MessageType6 type;
  bool client_id;           // must be there
  ServerId server_id;       // may it be there, must it?
  bool unicast_is_refused;  // dropped if it came by unicast, else answered with UseMulticast
};

constexpr std::array kTypes = std::to_array<TypeRow>({
    {MessageType6::kSolicit, true, ServerId::kNone, true},
    {MessageType6::kRequest, true, ServerId::kOurs, false},
    {MessageType6::kConfirm, true, ServerId::kNone, true},
    {MessageType6::kRenew, true, ServerId::kOurs, false},
    {MessageType6::kRebind, true, ServerId::kNone, true},
    {MessageType6::kRelease, true, ServerId::kOurs, false},
    {MessageType6::kDecline, true, ServerId::kOurs, false},
    {MessageType6::kInformationRequest, false, ServerId::kOptional, true},
});

Reason6 Validate(const Exchange& exchange, bool unicast) {
  const Message6& message = exchange.message;
  const Duid& server_id = exchange.server_id;
  const auto* const row = std::ranges::find(kTypes, message.type, &TypeRow::type);
  const bool relays_ask =
      std::ranges::all_of(message.relays, [](const RelayHop& hop) { return hop.forward; });
  if (!exchange.Note(row != kTypes.end() && relays_ask, "message-is-request", "it is a request")) {
    return Reason6::kNotRequest;
  }
  if (!exchange.Note(!row->client_id || message.Has(Option6::kClientId), "client-id-there",
                     "it has a client identifier, or needs none")) {
    return Reason6::kNoClientId;
  }
  const ByteSpan named = message.Get(Option6::kServerId);
  const bool has_server_id = message.Has(Option6::kServerId);
  const bool fits =
      row->server_id == ServerId::kOptional || (row->server_id == ServerId::kOurs) == has_server_id;
  if (!exchange.Note(fits, "server-id-fits", "it names a server where its type must, only there")) {
    return Reason6::kServerIdWrong;
  }
  if (!exchange.Note(!has_server_id || std::ranges::equal(named, server_id), "server-id-ours",
                     "it names no other server")) {
    return Reason6::kOtherServer;
  }
  if (message.type == MessageType6::kInformationRequest && !message.ias.empty()) {
    return Reason6::kMalformed;  // RFC 8415 16.12
  }
  if (!exchange.Note(!unicast || !row->unicast_is_refused, "by-multicast",
                     "it came by multicast or a relay, as its type must")) {
    return Reason6::kNotByUnicast;
  }
  return kGoOn;
}

// The VLAN that the client is on, and its subnet where a relay names it: the innermost relay that
// says, for those on the client's own link may not (RFC 6221 5.3.1). A VLAN may list relays whose
// address is in no subnet: an anycast gateway's loopback.
Reason6 FindLink(Exchange& exchange) {
  const config::Snapshot& snapshot = exchange.snapshot;
  exchange.vlan = exchange.context.vlan;
  for (std::size_t i = exchange.message.relays.size(); i-- > 0;) {
    const Ipv6Address& link = exchange.message.relays[i].link;
    if (link.is_any() || link.is_link_local()) {
      continue;
    }
    exchange.Note(true, "link-by-relay", "a relay passed it on (giaddr, or its link-address)",
                  link);
    exchange.link_subnet = FindSubnet6(snapshot, link);
    if (exchange.Note(exchange.link_subnet != nullptr, "link-not-by-interface",
                      "what it says counts, not the interface it came in on",
                      exchange.link_subnet)) {
      exchange.vlan = snapshot.VlanById(exchange.link_subnet->vlan);
    } else {
      exchange.vlan = FindListedVlan(snapshot, link);
      exchange.Note(exchange.vlan != nullptr, "relay-listed",
                    "a VLAN lists the relay among its own", exchange.vlan);
    }
    break;
  }
  const bool served =
      exchange.Note(exchange.vlan != nullptr, "vlan-served",
                    "its link belongs to a VLAN that is served here", exchange.vlan);
  return served ? kGoOn : Reason6::kUnservedLink;
}

// The subnet to begin with: the reservation's, what the client asks for, the relay's, the first.
const config::SubnetRecord* FirstSubnet(const Exchange& exchange) {
  if (exchange.Note(exchange.reserved_subnet != nullptr, "subnet-of-reservation",
                    "the subnet of its reservation", exchange.reserved_subnet)) {
    return exchange.reserved_subnet;
  }
  const config::SubnetRecord* const asked =
      FindSubnet6(exchange.snapshot, exchange.vlan->id, exchange.wanted().v6());
  if (exchange.Note(asked != nullptr, "subnet-of-wanted-address",
                    "the subnet of the address that it has or asks for", asked)) {
    return asked;
  }
  if (exchange.Note(exchange.link_subnet != nullptr, "subnet-of-relay",
                    "the subnet that the relay names", exchange.link_subnet)) {
    return exchange.link_subnet;
  }
  const config::SubnetRecord* const first = FirstSubnet6(exchange.snapshot, exchange.vlan->id);
  exchange.Note(first != nullptr, "subnet-first", "the first subnet of the VLAN and the family",
                first);
  return first;
}

// The address is the other rack's of the pair, on the VLAN that the packet came in on.
bool IsPartner(const Exchange& exchange, const IpAddress& address) {
  const config::PartnerVlan* const partner =
      FindPartner(exchange.snapshot, exchange.context.vlan->id);
  return partner != nullptr && partner->address6 == address;
}

// An answer to a question that this rack asked as a relay does: of the server that the VLAN belongs
// to, or of one that should not be there.
Reason6 HearReply(Exchange& exchange) {
  const Message6& message = exchange.message;
  const ByteSpan server = message.Get(Option6::kServerId);
  const bool answers =
      message.type == MessageType6::kAdvertise || message.type == MessageType6::kReply;
  const bool to_us = message.relays.size() == 1 && !message.relays[0].forward;
  if (!answers || !to_us || server.empty() || std::ranges::equal(server, exchange.server_id)) {
    return Reason6::kNotRequest;
  }
  const config::VlanRecord* const vlan = exchange.context.vlan;
  const bool expected = vlan != nullptr && (vlan->dhcp != config::DhcpMode::kOn ||
                                            IsPartner(exchange, exchange.context.source));
  if (exchange.Note(expected, "server-expected", "the VLAN's addresses are another server's too",
                    vlan)) {
    return Reason6::kMainServer;
  }
  exchange.effects.foreign.duid = server;
  for (const Ia& ia : message.ias) {
    if (!ia.addresses.empty()) {
      exchange.effects.foreign.offered = ia.addresses[0];
      break;
    }
  }
  return Reason6::kForeignServer;
}

void EndLoop(Exchange& exchange) {
  exchange.loop = true;
  GiveNoBootFile(exchange.plan);
}

LeaseAccess Access(const Exchange& exchange, lease::LeaseTable* leases) {
  return {leases, &exchange.snapshot, exchange.now.instant, exchange.trace};
}

// By now the address is another's, or another is the client's.
bool IsReservedOtherwise(const Exchange& exchange, const lease::LeaseTable& leases,
                         const IpAddress& address) {
  return exchange.Note(IsAnothers(exchange.snapshot, address, exchange.client.mac),
                       "address-reserved-for-another",
                       "by now the address is reserved for another") ||
         exchange.Note(MustMove(leases, exchange.client.key, exchange.reserved, address),
                       "client-must-move", "by now another address is reserved for it, and free",
                       exchange.reserved);
}

}  // namespace

Duid DuidFromUuid(const config::Uuid& uuid) noexcept {
  Duid duid;
  (void)duid.push_back(std::byte{0});
  (void)duid.push_back(static_cast<std::byte>(kDuidUuid));
  for (const std::uint8_t octet : uuid) {
    (void)duid.push_back(static_cast<std::byte>(octet));
  }
  return duid;
}

Dhcp6Engine::Dhcp6Engine(const EngineOptions6& options, lease::LeaseTable* leases)
    : server_id_(options.server_id),
      leases_(leases),
      pair_(options.pair),
      loops_(options.loops),
      step_gate_(options.steps) {}

void Dhcp6Engine::Handle(ByteSpan packet, const ReceiveContext6& context,
                         const config::Snapshot& snapshot, const lease::Now& now,
                         MutableByteSpan reply, Effects6& effects) {
  effects.reason = Run(packet, context, snapshot, now, reply, effects, nullptr);
  counters_.by_reason[static_cast<std::size_t>(effects.reason)].Add();
}

void Dhcp6Engine::Explain(ByteSpan packet, const ReceiveContext6& context,
                          const config::Snapshot& snapshot, const lease::Now& now,
                          MutableByteSpan reply, Effects6& effects, DecisionTrace& trace) {
  trace = {};
  effects.reason = Run(packet, context, snapshot, now, reply, effects, &trace);
}

Reason6 Dhcp6Engine::Run(ByteSpan packet, const ReceiveContext6& context,
                         const config::Snapshot& snapshot, const lease::Now& now,
                         MutableByteSpan reply, Effects6& effects, DecisionTrace* trace) {
  effects.Clear();
  if (const Result<void> decoded = Decode6(packet, message_); !decoded) {
    const ErrorCode code = decoded.error().code;
    return code == ErrorCode::kTruncated  ? Reason6::kTruncated
           : code == ErrorCode::kTooLarge ? Reason6::kTooManyRelays
                                          : Reason6::kMalformed;
  }
  if (trace == nullptr) [[likely]] {
    const auto type = static_cast<std::size_t>(message_.type);
    counters_.by_type[type < counters_.by_type.size() ? type : 0].Add();
  }
  plan_.Clear();
  Exchange exchange{.message = message_,
                    .context = context,
                    .snapshot = snapshot,
                    .now = now,
                    .server_id = server_id_,
                    .packet_bytes = packet.size(),
                    .out = reply,
                    .effects = effects,
                    .options = options_,
                    .plan = plan_,
                    .trace = trace};
  effects.mac = FindShownMac(message_, context.source).mac;
  effects.duid = message_.Get(Option6::kClientId);
  const Reason6 reason = Dispatch(exchange);
  if (exchange.explaining()) [[unlikely]] {
    trace->Summarise(exchange);
  }
  if (effects.reply.bytes == 0) {
    TraceSilence(exchange, reason);
  }
  return reason;
}

Reason6 Dhcp6Engine::Dispatch(Exchange& exchange) {
  const Message6& message = exchange.message;
  const bool unicast = !message.relayed() && !exchange.context.destination.is_multicast();
  if (const Reason6 reason = Validate(exchange, unicast); reason != kGoOn) {
    return reason == Reason6::kNotRequest ? HearReply(exchange) : reason;
  }
  if (const Reason6 reason = FindLink(exchange); reason != kGoOn) {
    return reason;
  }
  FindClient6(exchange, *leases_);
  exchange.ChooseSubnet(FirstSubnet(exchange));
  TraceArrival(exchange);
  if (!exchange.Note(exchange.plan.answer, "policy-answers",
                     "the machine is known, or the VLAN answers unknown ones")) {
    return Reason6::kPolicyIgnore;
  }
  if (!exchange.Note(exchange.vlan->dhcp == config::DhcpMode::kOn, "vlan-dhcp-on",
                     "the VLAN is served by DHCP") ||
      !exchange.Note(exchange.subnet != nullptr, "link-has-subnet",
                     "the VLAN has a subnet of the family", exchange.subnet)) {
    return Reason6::kNoSubnet;
  }
  exchange.Note(true, "message-type", ToString(message.type));
  if (exchange.Note(unicast, "use-multicast", "its type is not for our address: told so")) {
    return Send(exchange,
                {.has_ias = false,
                 .has_options = false,
                 .has_status = true,
                 .status = Status6::kUseMulticast},
                Reason6::kUseMulticast);
  }
  if (IsPaired(pair_)) [[unlikely]] {
    if (const Reason6 reason = AskPair(exchange); reason != kGoOn) {
      return reason;
    }
  }
  switch (message.type) {
    case MessageType6::kSolicit:
      return OnSolicit(exchange);
    case MessageType6::kRequest:
      return OnRequest(exchange);
    case MessageType6::kRenew:
    case MessageType6::kRebind:
      return OnRenew(exchange);
    case MessageType6::kConfirm:
      return OnConfirm(exchange);
    case MessageType6::kRelease:
    case MessageType6::kDecline:
      return OnEnd(exchange);
    default:
      return OnInformationRequest(exchange);
  }
}

// Both racks hear all messages; those that name a server were dropped already if it is the other
// one. Of the rest Solicit and Rebind are about an address, so that one rack is to answer.
Reason6 Dhcp6Engine::AskPair(Exchange& exchange) {
  const MessageType6 type = exchange.message.type;
  const PairSays says = dhcp::AskPair(
      *pair_, {.snapshot = exchange.snapshot,
               .leases = *leases_,
               .client = exchange.client,
               .to_both = type == MessageType6::kSolicit || type == MessageType6::kRebind,
               .now = exchange.now.instant,
               .preview = exchange.explaining()});
  if (!exchange.Note(says != PairSays::kRecovering, "pair-serves",
                     "of a pair of racks, this one has caught up")) {
    return Reason6::kPairRecovering;
  }
  return exchange.Note(says == PairSays::kAnswer, "pair-turn",
                       "of a pair of racks, this one answers the client")
             ? kGoOn
             : Reason6::kPartnersTurn;
}

// Holds an address for the client: on the subnet that was chosen, else on another of the link.
Result<IpAddress> Dhcp6Engine::Offer(Exchange& exchange, const IpAddress& wanted) {
  LeaseAccess access = Access(exchange, leases_);
  const lease::Lease* const held = leases_->ByClient(exchange.client.key, exchange.client.vlan);
  exchange.Note(held != nullptr, "lease-on-record", "the client has or had an address on this VLAN",
                held == nullptr ? IpAddress() : held->address);
  if (held != nullptr && !exchange.reserved.is_set()) {
    const config::SubnetRecord* const subnet = exchange.snapshot.SubnetById(held->subnet);
    if (exchange.Note(subnet != nullptr && subnet->vlan == exchange.vlan->id, "subnet-of-lease",
                      "the subnet of that address is still on this link", subnet)) {
      exchange.ChooseSubnet(subnet);
    }
  }
  Result<IpAddress> offer = access.Offer(exchange.OfferRequestFor(*exchange.subnet, wanted));
  if (offer) {
    return offer;
  }
  // Several subnets may share a link; and a reservation that is not free yet gets an address of the
  // pool meanwhile.
  const bool reserved_in_use = offer.error().code == ErrorCode::kConflict;
  const config::SubnetRecord* const tried = reserved_in_use ? nullptr : exchange.subnet;
  exchange.reserved_subnet = nullptr;
  for (const config::SubnetRecord& subnet : exchange.snapshot.SubnetsOf(exchange.vlan->id)) {
    if (&subnet == tried || subnet.prefix.address.is_v4()) {
      continue;
    }
    exchange.Note(true, "subnet-next", "another subnet of the link is tried", &subnet);
    offer = access.Offer(exchange.OfferRequestFor(subnet, {}));
    if (offer) {
      exchange.ChooseSubnet(&subnet);
      break;
    }
  }
  return offer;
}

bool Dhcp6Engine::Claim(const Exchange& exchange, const config::SubnetRecord& subnet,
                        const IpAddress& address) {
  LeaseAccess access = Access(exchange, leases_);
  return access.IsClients(exchange.client, address) ||
         access.Claim(exchange.OfferRequestFor(subnet, address), address);
}

// Only where the wire is ours: the client is on it, and no relay.
void Dhcp6Engine::ProbeOffer(const Exchange& exchange, const IpAddress& address) {
  if (!exchange.message.relayed() &&
      Access(exchange, leases_)
          .MayProbe(exchange.client, address, exchange.context.ifindex, probes_)) {
    counters_.probes.Add();
    exchange.effects.probe = address;
  }
}

bool Dhcp6Engine::OnNeighbour(const IpAddress& address, MacAddress by, std::uint32_t ifindex,
                              const lease::Now& now, Effects6& effects) {
  effects.Clear();
  const Result<const lease::Lease*> ended =
      TakeBackOffer(*leases_, probes_, address, by, ifindex, now.instant);
  if (!ended) {
    counters_.conflicts_late.Add();
    return false;
  }
  if (*ended == nullptr) {
    return false;
  }
  counters_.conflicts.Add();
  Log(**ended, now, effects);
  return true;
}

// RFC 8415 18.3.1, 18.3.9.
Reason6 Dhcp6Engine::OnSolicit(Exchange& exchange) {
  const bool rapid = exchange.message.Has(Option6::kRapidCommit);
  const bool asks = exchange.Note(exchange.ia != nullptr, "asks-for-address",
                                  "it asks for an address (IA_NA)", exchange.wanted());
  const Result<IpAddress> offer =
      asks ? Offer(exchange, exchange.wanted()) : Result<IpAddress>(Fail(ErrorCode::kNotFound));
  if (!offer) {
    return Send(exchange, {.type = MessageType6::kAdvertise}, Reason6::kNoAddress);
  }
  if (exchange.Note(rapid, "rapid-commit", "it takes two messages for four")) {
    Answer6 answer{.rapid_commit = true};
    return Grant(exchange, *offer, answer);
  }
  exchange.effects.ticket = {*offer, 0};
  if (exchange.plan.kind == boot::PlanKind::kLoader &&
      exchange.Note(loops_.IsBlocked(exchange.client.mac, exchange.now.instant), "boot-loop",
                    "it was given the same loader again and again")) {
    EndLoop(exchange);
  }
  const Reason6 reason =
      Send(exchange,
           {.type = MessageType6::kAdvertise,
            .address = *offer,
            .lease = PairLease(pair_, LeaseFor(*exchange.subnet, exchange.boot.firmware),
                               exchange.now.instant)},
           Reason6::kAdvertised);
  AddStep(exchange, boot::StepKind::kDhcpOffer, exchange.plan.file, !exchange.loop);
  ProbeOffer(exchange, *offer);
  return reason;
}

// RFC 8415 18.3.2.
Reason6 Dhcp6Engine::OnRequest(Exchange& exchange) {
  const IpAddress wanted = exchange.wanted();
  if (!exchange.Note(exchange.ia != nullptr, "asks-for-address", "it asks for an address (IA_NA)",
                     wanted)) {
    return Send(exchange, {}, Reason6::kNoAddress);
  }
  Answer6 answer;
  if (wanted.is_set()) {
    if (!exchange.Note(FindSubnet6(exchange.snapshot, exchange.vlan->id, wanted.v6()) != nullptr,
                       "address-on-link", "a subnet of this link has the address", wanted)) {
      return Send(exchange, {.ia_status = Status6::kNotOnLink}, Reason6::kNotOnLink);
    }
    // Our offer; or we no longer know of it (restarted, or it lapsed) but it is free.
    if (!IsReservedOtherwise(exchange, *leases_, wanted) &&
        Claim(exchange, *exchange.subnet, wanted)) {
      return Grant(exchange, wanted, answer);
    }
  }
  const Result<IpAddress> offer = Offer(exchange, {});
  return offer ? Grant(exchange, *offer, answer) : Send(exchange, {}, Reason6::kNoAddress);
}

// RFC 8415 18.3.4, 18.3.5: Renew names us, Rebind asks anybody.
Reason6 Dhcp6Engine::OnRenew(Exchange& exchange) {
  const IpAddress wanted = exchange.wanted();
  const bool rebind = exchange.message.type == MessageType6::kRebind;
  Answer6 answer{.ia_status = Status6::kNoBinding, .other_status = Status6::kNoBinding};
  if (!exchange.Note(exchange.ia != nullptr, "asks-for-address", "it asks for an address (IA_NA)",
                     wanted)) {
    return Send(exchange, answer, Reason6::kNoBinding);
  }
  if (!wanted.is_set()) {
    return OnRequest(exchange);
  }
  const config::SubnetRecord* const subnet = FindSubnet6(exchange.snapshot, wanted.v6());
  if (!exchange.Note(subnet != nullptr, "address-published", "a published subnet has the address",
                     subnet) &&
      rebind) {
    return Reason6::kUnknownLease;
  }
  if (!exchange.Note(subnet != nullptr && subnet->vlan == exchange.vlan->id, "address-on-link",
                     "a subnet of this link has the address", wanted)) {
    return TakeBack(exchange, wanted);
  }
  if (!Claim(exchange, *subnet, wanted)) {
    return Refuse(exchange, wanted);
  }
  if (IsReservedOtherwise(exchange, *leases_, wanted)) {
    return EndAndTakeBack(exchange, wanted);
  }
  return Grant(exchange, wanted, answer);
}

// Binds what Check, Claim or Offer allowed.
Reason6 Dhcp6Engine::Grant(Exchange& exchange, const IpAddress& address, Answer6& answer) {
  const config::SubnetRecord* const subnet =
      FindSubnet6(exchange.snapshot, exchange.vlan->id, address.v6());
  if (subnet == nullptr) {
    return Send(exchange, answer, Reason6::kNoAddress);
  }
  if (subnet != exchange.subnet) {
    exchange.ChooseSubnet(subnet);
  }
  exchange.effects.ticket = {address, 0};
  GuardLoop(exchange);
  Duration lease =
      PairLease(pair_, LeaseFor(*exchange.subnet, exchange.boot.firmware), exchange.now.instant);
  const lease::Lease* const held = leases_->ByAddress(address);
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
      return EndAndTakeBack(exchange, address);
    }
    lease = std::min(lease, Duration::Seconds(left.seconds()));
  }
  const Result<LeaseAccess::Bound> bound =
      Access(exchange, leases_).Bind(exchange.client, address, lease, exchange.detail);
  if (!bound) {
    return Send(exchange, answer, Reason6::kNoAddress);
  }
  if (bound->lease != nullptr) {
    exchange.effects.ticket = {address, bound->lease->version};
    if (bound->needs_record) {
      Log(*bound->lease, exchange.now, exchange.effects);
    }
  }
  answer.address = address;
  answer.lease = lease;
  const Reason6 reason = Send(exchange, answer,
                              answer.rapid_commit   ? Reason6::kRapidCommitted
                              : bound->needs_record ? Reason6::kReplied
                                                    : Reason6::kRepliedFromMemory);
  exchange.effects.reply.wait_durable = bound->needs_record && exchange.effects.reply.bytes != 0;
  AddStep(exchange, boot::StepKind::kDhcpAck, exchange.plan.file, !exchange.loop);
  return reason;
}

// The same loader again and again, and never iPXE's own question: give no boot file for a while, so
// that the firmware goes on, and say so.
void Dhcp6Engine::GuardLoop(Exchange& exchange) {
  const boot::LoopVerdict verdict =
      dhcp::GuardLoop(loops_, exchange.client.mac, exchange.boot.firmware, exchange.plan,
                      exchange.message.xid, exchange.now.instant, exchange.explaining());
  if (!exchange.Note(verdict != boot::LoopVerdict::kFine, "boot-loop",
                     "it was given the same loader again and again")) {
    return;
  }
  if (verdict == boot::LoopVerdict::kLoopFound) {
    counters_.loops_found.Add(exchange.explaining() ? 0 : 1);
    AddStep(exchange, boot::StepKind::kLoop, exchange.plan.file, false);
  }
  EndLoop(exchange);
}

Reason6 Dhcp6Engine::EndAndTakeBack(Exchange& exchange, const IpAddress& address) {
  if (IsPaired(pair_) &&
      !exchange.Note(pair_->MayTakeBack(address), "pair-may-take-back",
                     "this rack knows all that was promised of the address", address)) {
    return Reason6::kPartnersToSay;
  }
  const Result<const lease::Lease*> ended = Access(exchange, leases_).End(exchange.client, address);
  if (ended && *ended != nullptr) {
    Log(**ended, exchange.now, exchange.effects);
  }
  const Reason6 reason = TakeBack(exchange, address);
  exchange.effects.reply.wait_durable = ended.has_value() && exchange.effects.reply.bytes != 0;
  return reason;
}

// The address is not the client's, as far as this rack knows.
Reason6 Dhcp6Engine::Refuse(Exchange& exchange, const IpAddress& address) {
  if (IsPaired(pair_) &&
      !exchange.Note(MayRefuse(pair_, *leases_, address, exchange.client.key), "pair-may-refuse",
                     "this rack would be the one to give the address", address)) {
    return Reason6::kPartnersToSay;
  }
  return TakeBack(exchange, address);
}

// RFC 8415 18.3.4: an address that is not the client's any more comes back with lifetimes of 0.
Reason6 Dhcp6Engine::TakeBack(Exchange& exchange, const IpAddress& address) {
  const Reason6 reason = Send(exchange, {.address = address, .other_status = Status6::kNoBinding},
                              Reason6::kTakenBack);
  AddStep(exchange, boot::StepKind::kDhcpNak, "address taken back", false);
  return reason;
}

// RFC 8415 18.3.3: only whether the addresses fit the link.
Reason6 Dhcp6Engine::OnConfirm(Exchange& exchange) {
  bool any = false;
  bool all_fit = true;
  for (const Ia& ia : exchange.message.ias) {
    for (const Ipv6Address& address : ia.addresses) {
      any = true;
      all_fit = all_fit && FindSubnet6(exchange.snapshot, exchange.vlan->id, address) != nullptr;
    }
  }
  if (!any) {
    return Reason6::kMalformed;
  }
  exchange.Note(all_fit, "addresses-fit-link", "the addresses that it has are of this link");
  return Send(exchange,
              {.has_ias = false,
               .has_status = true,
               .status = all_fit ? Status6::kSuccess : Status6::kNotOnLink},
              all_fit ? Reason6::kConfirmed : Reason6::kNotOnLink);
}

// RFC 8415 18.3.7, 18.3.8: RELEASE and DECLINE, from the holder, on the link of the lease (Check
// looks at it). A client has one lease, so one address at most ends.
Reason6 Dhcp6Engine::OnEnd(Exchange& exchange) {
  const bool decline = exchange.message.type == MessageType6::kDecline;
  Reason6 reason = Reason6::kNoBinding;
  for (const Ia& ia : exchange.message.ias) {
    for (const Ipv6Address& address : ia.addresses) {
      if (reason != Reason6::kNoBinding) {
        continue;
      }
      LeaseAccess access = Access(exchange, leases_);
      const Result<const lease::Lease*> ended =
          decline ? access.Decline(exchange.client, address) : access.End(exchange.client, address);
      const bool full = !ended && ended.error().code == ErrorCode::kFull;
      if (!ended && !full) {
        continue;
      }
      reason = full ? Reason6::kQuarantineFull : decline ? Reason6::kDeclined : Reason6::kReleased;
      const lease::Lease* const over = full ? leases_->ByAddress(address) : *ended;
      if (over != nullptr && !exchange.explaining()) {
        Log(*over, exchange.now, exchange.effects);
      }
    }
  }
  const bool none = reason == Reason6::kNoBinding;
  const Reason6 sent = Send(exchange,
                            {.has_ias = none,
                             .has_options = false,
                             .ia_status = Status6::kNoBinding,
                             .other_status = Status6::kNoBinding,
                             .has_status = true},
                            reason);
  exchange.effects.reply.wait_durable = !none && exchange.effects.reply.bytes != 0;
  return sent;
}

// RFC 8415 18.3.6: options only.
Reason6 Dhcp6Engine::OnInformationRequest(Exchange& exchange) {
  const Reason6 reason = Send(exchange, {.has_ias = false}, Reason6::kInformed);
  AddStep(exchange, boot::StepKind::kDhcpInform, exchange.plan.file, true);
  return reason;
}

Reason6 Dhcp6Engine::Send(Exchange& exchange, const Answer6& answer, Reason6 reason) {
  const Result<std::uint32_t> left_out = WriteAnswer6(exchange, answer, exchange.effects.reply);
  if (!exchange.Note(left_out.has_value(), "reply-fits", "the reply fits what the client takes",
                     exchange.effects.reply.bytes)) {
    exchange.effects.reply = {};
    return Reason6::kReplyTooLarge;
  }
  if (exchange.explaining()) [[unlikely]] {
    exchange.trace->decision.address = answer.address;
    exchange.trace->decision.lease = answer.lease;
  } else {
    counters_.options_left_out.Add(*left_out);
  }
  return reason;
}

void Dhcp6Engine::Log(const lease::Lease& lease, const lease::Now& now, Effects6& effects) {
  effects.record = encoder_.Encode(lease, leases_->DetailOf(lease), now);
  effects.ticket = {lease.address, lease.version};
}

}  // namespace slipway::dhcp
