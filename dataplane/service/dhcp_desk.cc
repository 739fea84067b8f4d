#include "dataplane/service/dhcp_desk.h"

#include <algorithm>

#include "dataplane/service/reception.h"

namespace slipway::service {
namespace {

static_assert(dhcp::kMessageBytesMin <= kPacketBytesKept);

constexpr std::uint16_t kServerPort = 67;  // RFC 2131 4.1
constexpr std::uint16_t kClientPort = 68;

// The rack's address there to which a packet from `source` goes: one in the sender's subnet, else
// the first of the family that is not link-local; not set if it has none.
IpAddress AddressNear(const Serving& serving, const ServedLink& link, const IpAddress& source) {
  IpAddress near;
  for (const IpPrefix& prefix : link.addresses) {
    const IpAddress& own = prefix.address;
    if (own.is_v4() != source.is_v4() || (!own.is_v4() && own.v6().is_link_local())) {
      continue;
    }
    for (const config::SubnetRecord& subnet : serving.snapshot->subnets()) {
      if (subnet.prefix.Contains(source) && subnet.prefix.Contains(own)) {
        return own;
      }
    }
    near = near.is_set() ? near : own;
  }
  return near;
}

}  // namespace

DhcpDesk::DhcpDesk(const Parts& parts, std::unique_ptr<shard::Mailbox<DhcpAsk>> asks,
                   std::unique_ptr<shard::Mailbox<DhcpAnswer>> answers)
    : parts_(parts),
      log_(parts.facts, parts.leases, parts.pair == nullptr ? nullptr : &parts.pair->core()),
      asks_(std::move(asks)),
      answers_(std::move(answers)) {}

Result<std::unique_ptr<DhcpDesk>> DhcpDesk::Create(const Parts& parts) {
  auto asks = SLIP_TRY(shard::Mailbox<DhcpAsk>::Create(kAsksMax));
  auto answers = SLIP_TRY(shard::Mailbox<DhcpAnswer>::Create(kAsksMax));
  return std::unique_ptr<DhcpDesk>(new DhcpDesk(parts, std::move(asks), std::move(answers)));
}

Result<void> DhcpDesk::Attach(shard::Driver& driver) {
  SLIP_TRY(driver.AddWatch(asks_->wake_fd(), shard::kReadable, this));
  return {};
}

void DhcpDesk::OnReady(shard::WatchId /*watch*/, std::uint32_t /*events*/, Instant now) {
  (void)asks_->Drain(kAsksPerTurnMax, [&](const DhcpAsk& ask) { Handle(ask, now); });
}

lease::Now DhcpDesk::ReadNow(Instant now) const {
  return {.instant = now,
          .wall = parts_.clock->WallNow(),
          .boot_id = parts_.clock->BootId(),
          .wall_synchronised = parts_.clock->WallIsSynchronised()};
}

void DhcpDesk::Handle(const DhcpAsk& ask, Instant now) {
  answer_ = {};
  answer_.id = ask.id;
  answer_.session = ask.session;
  answer_.kind = ask.kind;
  answer_.family = ask.family;
  answer_.now = now;
  const Serving* const serving = parts_.serving->current();
  if (serving == nullptr || !serving->snapshot) {
    Refuse(ErrorCode::kUnavailable, "the rack has no snapshot yet");
    return Send();
  }
  if (parts_.pair != nullptr) {
    parts_.pair->Follow();
  }
  switch (ask.kind) {
    case AskKind::kExplain:
      Explain(ask, *serving, now);
      break;
    case AskKind::kExplainLast:
      ExplainLast(ask, *serving, now);
      break;
    case AskKind::kLease:
      ShowLease(ask.address, now);
      break;
    case AskKind::kPools:
      CountPools(ask, *serving);
      break;
    case AskKind::kPair:
      ShowPair(now);
      break;
    case AskKind::kRelease:
      // Answered when its record is durable.
      return Release(ask, now);
  }
  Send();
}

// Where the packet is heard: as it is said; else where the client belongs, holds a lease or was
// seen last; else the only link there is. A relay's packet may come in anywhere.
const ServedLink* DhcpDesk::FindLink(const DhcpAsk& ask, const Serving& serving) const {
  const auto& links = serving.links.links();
  if (!ask.interface.empty() || ask.vlan != 0) {
    const auto found = std::ranges::find_if(links, [&](const ServedLink& link) {
      return ask.interface.empty() ? link.vlan == ask.vlan : link.name == ask.interface;
    });
    return found == links.end() ? nullptr : &*found;
  }
  const config::InterfaceRecord* const record = serving.snapshot->InterfaceByMac(ask.mac);
  if (record != nullptr && serving.links.ByVlan(record->vlan) != nullptr) {
    return serving.links.ByVlan(record->vlan);
  }
  const lease::ClientKey key = lease::ClientKey::FromMac(ask.mac, ask.family);
  const auto holds = std::ranges::find_if(links, [&](const ServedLink& link) {
    return parts_.leases->ByClient(key, link.vlan) != nullptr;
  });
  if (holds != links.end()) {
    return &*holds;
  }
  const SeenPacket* const seen = PacketsOf(ask.family).Find(ask.mac);
  if (seen != nullptr && serving.links.ByIndex(seen->ifindex) != nullptr) {
    return serving.links.ByIndex(seen->ifindex);
  }
  const bool routed = ask.relayed || (ask.family == config::Family::kV4 && ask.source.is_set());
  return links.size() == 1 || (!links.empty() && routed) ? &links[0] : nullptr;
}

void DhcpDesk::Explain(const DhcpAsk& ask, const Serving& serving, Instant now) {
  const ServedLink* const link = FindLink(ask, serving);
  if (link == nullptr) {
    Refuse(ErrorCode::kMalformed,
           ask.interface.empty() && ask.vlan == 0
               ? "the rack serves several interfaces: say which one, or its VLAN"
               : "the rack serves no such interface or VLAN");
    return;
  }
  SeenPacket& packet = answer_.packet;
  packet.mac = ask.mac;
  packet.ifindex = link->ifindex;
  packet.source = ask.source;
  if (ask.family == config::Family::kV6) {
    packet.source_port = ask.relayed ? dhcp::kServerPort6 : dhcp::kClientPort6;
    packet.destination = dhcp::kAllDhcpServers;
  } else {
    packet.source_port = kClientPort;
    packet.destination = Ipv4Address{0xFFFF'FFFF};
  }
  if (ask.relayed || (ask.family == config::Family::kV4 && ask.source.is_set())) {
    packet.destination = AddressNear(serving, *link, ask.source);
    packet.source_port = ask.family == config::Family::kV4 ? kServerPort : dhcp::kServerPort6;
  }
  packet.bytes = ask.bytes;
  std::copy_n(ask.packet.begin(), ask.bytes, packet.packet.begin());
  Run(serving, packet, now);
}

void DhcpDesk::ExplainLast(const DhcpAsk& ask, const Serving& serving, Instant now) {
  const SeenPacket* const seen = PacketsOf(ask.family).Find(ask.mac);
  if (seen == nullptr) {
    Refuse(ErrorCode::kNotFound, "the rack remembers no packet of this client");
    return;
  }
  answer_.packet = *seen;
  Run(serving, *seen, now);
}

void DhcpDesk::Run(const Serving& serving, const SeenPacket& packet, Instant now) {
  if (answer_.family == config::Family::kV6) {
    return Run6(serving, packet, now);
  }
  const Reception reception(serving, {.ifindex = packet.ifindex,
                                      .source = packet.source.v4(),
                                      .source_port = packet.source_port,
                                      .destination = packet.destination.v4(),
                                      .boot_server_port = packet.boot_server_port});
  if (reception.link() != nullptr) {
    answer_.interface = reception.link()->name;
  }
  parts_.engine->Explain(ByteSpan(packet.packet).first(packet.bytes), reception.context(),
                         *serving.snapshot, ReadNow(now), reply_, effects_, answer_.trace);
  answer_.reason = effects_.reason;
  answer_.reply = effects_.reply;
}

void DhcpDesk::Run6(const Serving& serving, const SeenPacket& packet, Instant now) {
  const Reception6 reception(serving, {.ifindex = packet.ifindex,
                                       .source = packet.source.v6(),
                                       .source_port = packet.source_port,
                                       .destination = packet.destination.v6()});
  if (reception.link() != nullptr) {
    answer_.interface = reception.link()->name;
  }
  parts_.engine6->Explain(ByteSpan(packet.packet).first(packet.bytes), reception.context(),
                          *serving.snapshot, ReadNow(now), reply_, effects6_, answer_.trace);
  answer_.reason6 = effects6_.reason;
  answer_.reply6 = effects6_.reply;
  answer_.mac = effects6_.mac;
}

void DhcpDesk::ShowLease(IpAddress address, Instant now) {
  const lease::Lease* const lease = parts_.leases->ByAddress(address);
  if (lease == nullptr) {
    Refuse(ErrorCode::kNotFound, "the rack has no lease or offer of this address");
    return;
  }
  answer_.lease = *lease;
  answer_.detail = parts_.leases->DetailOf(*lease);
  answer_.now = now;
}

void DhcpDesk::Release(const DhcpAsk& ask, Instant now) {
  Pending* const pending =
      std::ranges::find_if(releases_, [](const Pending& p) { return !p.used; });
  if (pending == releases_.end() || parts_.facts->failing()) {
    Refuse(ErrorCode::kFull, pending == releases_.end() ? "too many releases wait for the disk"
                                                        : "the journal cannot be written");
    return Send();
  }
  if (!parts_.engine->EndLease(ask.address, ReadNow(now), effects_)) {
    Refuse(ErrorCode::kNotFound, "nobody holds a lease of this address");
    return Send();
  }
  std::uint64_t position = 0;
  if (!log_.Log(ask.address, effects_.record, position)) {
    Refuse(ErrorCode::kFull, "the lease has ended, but may come back in a crash: ask again");
    return Send();
  }
  *pending = {.used = true,
              .id = ask.id,
              .session = ask.session,
              .position = position,
              .address = ask.address};
}

void DhcpDesk::OnDurable(std::uint64_t durable, Instant now) {
  for (Pending& pending : releases_) {
    if (!pending.used || pending.position >= durable) {
      continue;
    }
    answer_ = {};
    answer_.id = pending.id;
    answer_.session = pending.session;
    answer_.kind = AskKind::kRelease;
    ShowLease(pending.address, now);
    pending = {};
    Send();
  }
}

void DhcpDesk::CountPools(const DhcpAsk& ask, const Serving& serving) {
  for (const config::SubnetRecord& subnet : serving.snapshot->subnets()) {
    if (ask.subnet == 0 || subnet.id == ask.subnet) {
      (void)answer_.pools.push_back(
          {.subnet = subnet.id, .counts = parts_.leases->CountsOf(subnet.id)});
    }
  }
}

void DhcpDesk::ShowPair(Instant now) {
  if (parts_.pair == nullptr || parts_.pair->core().state() == lease::PairState::kOff) {
    return Refuse(ErrorCode::kNotFound, "this rack is in no pair");
  }
  answer_.pair = parts_.pair->Describe(now);
}

void DhcpDesk::Refuse(ErrorCode code, std::string_view problem) noexcept {
  answer_.code = code;
  answer_.problem = problem;
}

void DhcpDesk::Send() {
  // A full box loses the answer: the question times out.
  (void)answers_->Push(answer_);
  answers_->Notify();
  answered_.Add();
}

}  // namespace slipway::service
