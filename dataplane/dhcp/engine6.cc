#include "dataplane/dhcp/engine6.h"

#include <algorithm>

#include "dataplane/dhcp/exchange6.h"
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

Reason6 Validate(const Message6& message, const Duid& server_id, bool unicast) {
  const auto* const row = std::ranges::find(kTypes, message.type, &TypeRow::type);
  const bool relays_ask =
      std::ranges::all_of(message.relays, [](const RelayHop& hop) { return hop.forward; });
  if (row == kTypes.end() || !relays_ask) {
    return Reason6::kNotRequest;
  }
  if (row->client_id && !message.Has(Option6::kClientId)) {
    return Reason6::kNoClientId;
  }
  const ByteSpan named = message.Get(Option6::kServerId);
  const bool has_server_id = message.Has(Option6::kServerId);
  if ((row->server_id == ServerId::kNone && has_server_id) ||
      (row->server_id == ServerId::kOurs && !has_server_id)) {
    return Reason6::kServerIdWrong;
  }
  if (has_server_id && !std::ranges::equal(named, server_id)) {
    return Reason6::kOtherServer;
  }
  if (message.type == MessageType6::kInformationRequest && !message.ias.empty()) {
    return Reason6::kMalformed;  // RFC 8415 16.12
  }
  if (unicast && row->unicast_is_refused) {
    return Reason6::kNotByUnicast;
  }
  return kGoOn;
}

// The VLAN that the client is on, and its subnet where a relay names it: the innermost relay that
// says, for those on the client's own link may not (RFC 6221 5.3.1).
Reason6 FindLink(Exchange& exchange) {
  exchange.vlan = exchange.context.vlan;
  for (std::size_t i = exchange.message.relays.size(); i-- > 0;) {
    const Ipv6Address& link = exchange.message.relays[i].link;
    if (!link.is_any() && !link.is_link_local()) {
      exchange.link_subnet = FindSubnet6(exchange.snapshot, link);
      exchange.vlan = exchange.link_subnet == nullptr
                          ? nullptr
                          : exchange.snapshot.VlanById(exchange.link_subnet->vlan);
      break;
    }
  }
  return exchange.vlan == nullptr ? Reason6::kUnservedLink : kGoOn;
}

// The subnet to begin with: the reservation's, what the client asks for, the relay's, the first.
const config::SubnetRecord* FirstSubnet(const Exchange& exchange) {
  if (exchange.reserved_subnet != nullptr) {
    return exchange.reserved_subnet;
  }
  const config::SubnetRecord* const asked =
      FindSubnet6(exchange.snapshot, exchange.vlan->id, exchange.wanted().v6());
  if (asked != nullptr) {
    return asked;
  }
  return exchange.link_subnet != nullptr ? exchange.link_subnet
                                         : FirstSubnet6(exchange.snapshot, exchange.vlan->id);
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

void EndLoop(Exchange& exchange) {
  exchange.loop = true;
  GiveNoBootFile(exchange.plan);
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
    : server_id_(options.server_id), leases_(leases), pair_(options.pair), loops_(options.loops) {}

void Dhcp6Engine::Handle(ByteSpan packet, const ReceiveContext6& context,
                         const config::Snapshot& snapshot, const lease::Now& now,
                         MutableByteSpan reply, Effects6& effects) {
  effects.reply = {};
  effects.record = {};
  effects.ticket = {};
  effects.steps.clear();
  if (const Result<void> decoded = Decode6(packet, message_); !decoded) {
    const ErrorCode code = decoded.error().code;
    effects.reason = code == ErrorCode::kTruncated  ? Reason6::kTruncated
                     : code == ErrorCode::kTooLarge ? Reason6::kTooManyRelays
                                                    : Reason6::kMalformed;
  } else {
    const auto type = static_cast<std::size_t>(message_.type);
    counters_.by_type[type < counters_.by_type.size() ? type : 0].Add();
    plan_.Clear();
    Exchange exchange{.message = message_,
                      .context = context,
                      .snapshot = snapshot,
                      .now = now,
                      .server_id = server_id_,
                      .out = reply,
                      .effects = effects,
                      .options = options_,
                      .plan = plan_};
    effects.reason = Dispatch(exchange);
  }
  counters_.by_reason[static_cast<std::size_t>(effects.reason)].Add();
}

Reason6 Dhcp6Engine::Dispatch(Exchange& exchange) {
  const Message6& message = exchange.message;
  const bool unicast = !message.relayed() && !exchange.context.destination.is_multicast();
  if (const Reason6 reason = Validate(message, server_id_, unicast); reason != kGoOn) {
    return reason;
  }
  if (const Reason6 reason = FindLink(exchange); reason != kGoOn) {
    return reason;
  }
  FindClient6(exchange, *leases_);
  exchange.ChooseSubnet(FirstSubnet(exchange));
  if (!exchange.plan.answer) {
    return Reason6::kPolicyIgnore;
  }
  if (exchange.subnet == nullptr || exchange.vlan->dhcp != config::DhcpMode::kOn) {
    return Reason6::kNoSubnet;
  }
  if (unicast) {
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
Reason6 Dhcp6Engine::AskPair(const Exchange& exchange) {
  const MessageType6 type = exchange.message.type;
  switch (dhcp::AskPair(*pair_,
                        {.snapshot = exchange.snapshot,
                         .leases = *leases_,
                         .client = exchange.client,
                         .to_both = type == MessageType6::kSolicit || type == MessageType6::kRebind,
                         .now = exchange.now.instant})) {
    case PairSays::kRecovering:
      return Reason6::kPairRecovering;
    case PairSays::kPartnersTurn:
      return Reason6::kPartnersTurn;
    case PairSays::kAnswer:
      break;
  }
  return kGoOn;
}

// Holds an address for the client: on the subnet that was chosen, else on another of the link.
const lease::Lease* Dhcp6Engine::Offer(Exchange& exchange, const IpAddress& wanted) {
  const Instant now = exchange.now.instant;
  const lease::Lease* const held = leases_->ByClient(exchange.client.key, exchange.client.vlan);
  if (held != nullptr && !exchange.reserved.is_set()) {
    const config::SubnetRecord* const subnet = exchange.snapshot.SubnetById(held->subnet);
    if (subnet != nullptr && subnet->vlan == exchange.vlan->id) {
      exchange.ChooseSubnet(subnet);
    }
  }
  Result<const lease::Lease*> offer =
      leases_->Offer(exchange.OfferRequestFor(*exchange.subnet, wanted), exchange.snapshot, now);
  if (offer) {
    return *offer;
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
    offer = leases_->Offer(exchange.OfferRequestFor(subnet, {}), exchange.snapshot, now);
    if (offer) {
      exchange.ChooseSubnet(&subnet);
      return *offer;
    }
  }
  return nullptr;
}

// RFC 8415 18.3.1, 18.3.9.
Reason6 Dhcp6Engine::OnSolicit(Exchange& exchange) {
  const bool rapid = exchange.message.Has(Option6::kRapidCommit);
  const lease::Lease* const offer =
      exchange.ia == nullptr ? nullptr : Offer(exchange, exchange.wanted());
  if (offer == nullptr) {
    return Send(exchange, {.type = MessageType6::kAdvertise}, Reason6::kNoAddress);
  }
  if (rapid) {
    Answer6 answer{.rapid_commit = true};
    return Grant(exchange, offer->address, answer);
  }
  exchange.effects.ticket = {offer->address, 0};
  if (exchange.plan.kind == boot::PlanKind::kLoader &&
      loops_.IsBlocked(exchange.client.mac, exchange.now.instant)) {
    EndLoop(exchange);
  }
  const Reason6 reason =
      Send(exchange,
           {.type = MessageType6::kAdvertise,
            .address = offer->address,
            .lease = PairLease(pair_, LeaseFor(*exchange.subnet, exchange.boot.firmware))},
           Reason6::kAdvertised);
  AddStep(exchange, boot::StepKind::kDhcpOffer, exchange.plan.file, !exchange.loop);
  return reason;
}

// RFC 8415 18.3.2.
Reason6 Dhcp6Engine::OnRequest(Exchange& exchange) {
  const IpAddress wanted = exchange.wanted();
  if (exchange.ia == nullptr) {
    return Send(exchange, {}, Reason6::kNoAddress);
  }
  Answer6 answer;
  if (wanted.is_set()) {
    if (FindSubnet6(exchange.snapshot, exchange.vlan->id, wanted.v6()) == nullptr) {
      return Send(exchange, {.ia_status = Status6::kNotOnLink}, Reason6::kNotOnLink);
    }
    const bool fits = !IsAnothers(exchange.snapshot, wanted, exchange.client.mac) &&
                      !MustMove(*leases_, exchange.client.key, exchange.reserved, wanted);
    // Our offer; or we no longer know of it (restarted, or it lapsed) but it is free.
    if (fits && (leases_->Check(exchange.client, wanted) ||
                 leases_->Claim(exchange.OfferRequestFor(*exchange.subnet, wanted), wanted,
                                exchange.snapshot, exchange.now.instant))) {
      return Grant(exchange, wanted, answer);
    }
  }
  const lease::Lease* const offer = Offer(exchange, {});
  return offer == nullptr ? Send(exchange, {}, Reason6::kNoAddress)
                          : Grant(exchange, offer->address, answer);
}

// RFC 8415 18.3.4, 18.3.5: Renew names us, Rebind asks anybody.
Reason6 Dhcp6Engine::OnRenew(Exchange& exchange) {
  const IpAddress wanted = exchange.wanted();
  const bool rebind = exchange.message.type == MessageType6::kRebind;
  Answer6 answer{.ia_status = Status6::kNoBinding, .other_status = Status6::kNoBinding};
  if (exchange.ia == nullptr) {
    return Send(exchange, answer, Reason6::kNoBinding);
  }
  if (!wanted.is_set()) {
    return OnRequest(exchange);
  }
  const config::SubnetRecord* const subnet = FindSubnet6(exchange.snapshot, wanted.v6());
  if (subnet == nullptr && rebind) {
    return Reason6::kUnknownLease;
  }
  if (subnet == nullptr || subnet->vlan != exchange.vlan->id) {
    return TakeBack(exchange, wanted);
  }
  if (!leases_->Check(exchange.client, wanted) &&
      !leases_->Claim(exchange.OfferRequestFor(*subnet, wanted), wanted, exchange.snapshot,
                      exchange.now.instant)) {
    return Refuse(exchange, wanted);
  }
  if (IsAnothers(exchange.snapshot, wanted, exchange.client.mac) ||
      MustMove(*leases_, exchange.client.key, exchange.reserved, wanted)) {
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
  const boot::LoopVerdict verdict =
      GuardLoop(loops_, exchange.client.mac, exchange.boot.firmware, exchange.plan,
                exchange.message.xid, exchange.now.instant, false);
  exchange.effects.ticket = {address, 0};
  if (verdict == boot::LoopVerdict::kLoopFound) {
    counters_.loops_found.Add();
    AddStep(exchange, boot::StepKind::kLoop, exchange.plan.file, false);
  }
  if (verdict != boot::LoopVerdict::kFine) {
    EndLoop(exchange);
  }
  Duration lease = PairLease(pair_, LeaseFor(*exchange.subnet, exchange.boot.firmware));
  const lease::Lease* const held = leases_->ByAddress(address);
  if (IsLeaving(held, exchange.reserved)) {
    // What was promised is kept and not prolonged, unless the range is revoked.
    const bool kept = !IsRevoked(exchange.snapshot, subnet->id, address);
    const Duration left =
        held->state == lease::State::kBound ? held->ends - exchange.now.instant : Duration{};
    if (!kept || left < Duration::Seconds(kLeaseSecondsMin)) {
      return EndAndTakeBack(exchange, address);
    }
    lease = std::min(lease, Duration::Seconds(left.seconds()));
  }
  const Result<lease::BindResult> bound =
      leases_->Bind(exchange.client, address, lease, exchange.now.instant, exchange.detail);
  if (!bound) {
    return Send(exchange, answer, Reason6::kNoAddress);
  }
  exchange.effects.ticket = {address, bound->lease->version};
  if (bound->needs_log) {
    Log(exchange, *bound->lease);
  }
  answer.address = address;
  answer.lease = lease;
  const Reason6 reason = Send(exchange, answer,
                              answer.rapid_commit ? Reason6::kRapidCommitted
                              : bound->needs_log  ? Reason6::kReplied
                                                  : Reason6::kRepliedFromMemory);
  exchange.effects.reply.wait_durable = bound->needs_log && exchange.effects.reply.bytes != 0;
  AddStep(exchange, boot::StepKind::kDhcpAck, exchange.plan.file, !exchange.loop);
  return reason;
}

Reason6 Dhcp6Engine::EndAndTakeBack(Exchange& exchange, const IpAddress& address) {
  if (pair_ != nullptr && !pair_->MayTakeBack(address)) {
    return Reason6::kPartnersToSay;
  }
  const Result<const lease::Lease*> ended =
      leases_->Release(exchange.client, address, exchange.now.instant);
  if (ended) {
    Log(exchange, **ended);
  }
  return TakeBack(exchange, address);
}

// The address is not the client's, as far as this rack knows.
Reason6 Dhcp6Engine::Refuse(Exchange& exchange, const IpAddress& address) {
  return MayRefuse(pair_, *leases_, address, exchange.client.key) ? TakeBack(exchange, address)
                                                                  : Reason6::kPartnersToSay;
}

// RFC 8415 18.3.4: an address that is not the client's any more comes back with lifetimes of 0.
Reason6 Dhcp6Engine::TakeBack(Exchange& exchange, const IpAddress& address) {
  const Reason6 reason = Send(exchange, {.address = address, .other_status = Status6::kNoBinding},
                              Reason6::kTakenBack);
  exchange.effects.reply.wait_durable =
      !exchange.effects.record.empty() && exchange.effects.reply.bytes != 0;
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
      const Result<const lease::Lease*> ended =
          decline ? leases_->Decline(exchange.client, address, exchange.now.instant)
                  : leases_->Release(exchange.client, address, exchange.now.instant);
      if (ended) {
        reason = decline ? Reason6::kDeclined : Reason6::kReleased;
        Log(exchange, **ended);
      } else if (ended.error().code == ErrorCode::kFull) {
        reason = Reason6::kQuarantineFull;
        if (const lease::Lease* const released = leases_->ByAddress(address)) {
          Log(exchange, *released);
        }
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
  exchange.effects.reply.wait_durable =
      !exchange.effects.record.empty() && exchange.effects.reply.bytes != 0;
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
  if (!left_out) {
    exchange.effects.reply = {};
    return Reason6::kReplyTooLarge;
  }
  counters_.options_left_out.Add(*left_out);
  return reason;
}

void Dhcp6Engine::Log(Exchange& exchange, const lease::Lease& lease) {
  exchange.effects.record = encoder_.Encode(lease, leases_->DetailOf(lease), exchange.now);
  exchange.effects.ticket = {lease.address, lease.version};
}

}  // namespace slipway::dhcp
