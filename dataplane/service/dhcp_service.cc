#include "dataplane/service/dhcp_service.h"

namespace slipway::service {
namespace {

constexpr std::uint16_t kServerPort = 67;  // RFC 2131 4.1
constexpr std::uint16_t kClientPort = 68;

static_assert((kRepliesWaitingMax & (kRepliesWaitingMax - 1)) == 0);

}  // namespace

DhcpService::DhcpService(const Parts& parts)
    : parts_(parts), held_(std::make_unique<Held[]>(kRepliesWaitingMax)) {}

Result<void> DhcpService::Start(shard::PortId udp_port, Instant now) {
  udp_port_ = udp_port;
  wall_synchronised_ = parts_.clock->WallIsSynchronised();
  SLIP_TRY(parts_.shard->timers().Add(now + kDhcpTick, this, 0));
  return parts_.shard->AddHook(this);
}

lease::Now DhcpService::ReadNow(Instant now) const {
  return {.instant = now,
          .wall = parts_.clock->WallNow(),
          .boot_id = parts_.clock->BootId(),
          .wall_synchronised = wall_synchronised_};
}

void DhcpService::FollowSnapshot(const Serving& serving) {
  if (generation_ != parts_.serving->generation()) {
    generation_ = parts_.serving->generation();
    (void)parts_.leases->Rebuild(*serving.snapshot);
  }
}

void DhcpService::OnPackets(shard::PortId /*port*/, std::span<shard::Packet> packets, Instant now) {
  const Serving* const serving = parts_.serving->current();
  if (serving == nullptr || !serving->snapshot) {
    counters_.before_snapshot.Add(packets.size());
    return;
  }
  FollowSnapshot(*serving);
  const lease::Now stamp = ReadNow(now);
  for (const shard::Packet& packet : packets) {
    OnPacket(packet, *serving, stamp);
  }
}

void DhcpService::OnPacket(const shard::Packet& packet, const Serving& serving,
                           const lease::Now& now) {
  if (parts_.facts->failing()) {
    counters_.dropped_journal_down.Add();
    return;
  }
  if (held_count_ == kRepliesWaitingMax) {
    counters_.dropped_queue_full.Add();
    return;
  }
  static constexpr ServedLink kNoLink;
  const ServedLink* found = serving.links.ByIndex(packet.ifindex);
  const ServedLink& link = found != nullptr ? *found : kNoLink;
  FixedVector<IpAddress, kAddressesPerInterfaceMax> local;
  for (const IpPrefix& prefix : link.addresses) {
    if (prefix.address.is_v4()) {
      (void)local.push_back(prefix.address);
    }
  }
  const dhcp::ReceiveContext context{
      .ifindex = packet.ifindex,
      .vlan = found != nullptr ? serving.snapshot->VlanById(link.vlan) : nullptr,
      .local_addresses = {local.data(), local.size()},
      .source = packet.source.v4(),
      .source_port = packet.source_port,
      .destination = packet.destination.v4()};
  // The reply is built where it would wait.
  Held& held = held_[(held_head_ + held_count_) & (kRepliesWaitingMax - 1)];
  parts_.engine->Handle(packet.data, context, *serving.snapshot, now,
                        MutableByteSpan(held.bytes).subspan(net::kUdp4FrameHeaderBytes), effects_);
  held.reply = effects_.reply;
  held.ticket = effects_.ticket;
  held.ifindex = packet.ifindex;
  held.source_mac = link.mac;
  Dispatch(link, now);
}

void DhcpService::Dispatch(const ServedLink& link, const lease::Now& /*now*/) {
  Held& held = held_[(held_head_ + held_count_) & (kRepliesWaitingMax - 1)];
  if (!effects_.record.empty() &&
      !parts_.facts->Submit(schema::FactClass::Lease, lease::JournalKey(effects_.ticket.address),
                            effects_.record, held.position)) {
    // Not logged, so not promised: the client asks again.
    counters_.dropped_queue_full.Add();
    return;
  }
  RecordSteps();
  if (held.reply.delivery == dhcp::Delivery::kNone) {
    return;
  }
  TellPeers(link);
  if (held.reply.wait_durable) {
    ++held_count_;
    counters_.replies_waiting.Set(held_count_);
    return;
  }
  if (!Transmit(held)) {
    counters_.dropped_send.Add();
  }
}

bool DhcpService::Transmit(Held& held) {
  const dhcp::Reply& reply = held.reply;
  shard::Driver& driver = parts_.shard->driver();
  const MutableByteSpan tx = driver.AllocateTx();
  const ByteSpan message = ByteSpan(held.bytes).subspan(net::kUdp4FrameHeaderBytes, reply.bytes);
  bool sent = false;
  if (tx.size() < held.bytes.size()) {
    return false;
  }
  if (reply.delivery == dhcp::Delivery::kFrame) {
    // RFC 2131 4.1: a client without an address is reached by its hardware address, or broadcast.
    const auto size = net::BuildUdp4Frame(
        tx, {.mac = held.source_mac, .address = reply.source, .port = kServerPort},
        {.mac = reply.mac, .address = reply.address, .port = kClientPort}, message);
    sent = size && driver.Send(parts_.raw_port, {.data = tx.first(*size), .ifindex = held.ifindex});
  } else {
    std::copy(message.begin(), message.end(), tx.begin());
    sent = driver.Send(udp_port_, {.data = tx.first(message.size()),
                                   .destination = reply.address,
                                   .source = reply.source,
                                   .destination_port = reply.port});
  }
  (sent ? counters_.replies_sent : counters_.dropped_send).Add();
  return true;
}

void DhcpService::RecordSteps() {
  for (const boot::BootStep& step : effects_.steps) {
    std::uint64_t ignored = 0;
    if (!parts_.facts->Submit(schema::FactClass::BootStep, 0, step_encoder_.Encode(step),
                              ignored)) {
      counters_.steps_dropped.Add();
    }
    if (step.kind == boot::StepKind::kLoop) {
      parts_.events->Report(EventCode::kBootLoop, ToText(step.mac), step.name);
    }
  }
}

void DhcpService::TellPeers(const ServedLink& link) {
  if (effects_.reason != dhcp::Reason::kAcked &&
      effects_.reason != dhcp::Reason::kAckedFromMemory) {
    return;
  }
  const lease::Lease* const lease = parts_.leases->ByAddress(effects_.ticket.address);
  if (lease != nullptr) {
    parts_.peers->OnPeer({.address = lease->address,
                          .mac = lease->mac,
                          .vlan = lease->vlan,
                          .ifindex = link.ifindex});
  }
}

void DhcpService::OnDurable(std::uint64_t durable, Instant /*now*/) {
  durable_ = durable;
  ReleaseDurable();
}

void DhcpService::OnTurn(Instant /*now*/) { ReleaseDurable(); }

void DhcpService::ReleaseDurable() {
  while (held_count_ > 0) {
    Held& held = held_[held_head_ & (kRepliesWaitingMax - 1)];
    if (held.position >= durable_) {
      break;
    }
    // The client may have released the address, or asked again, while its record was on its way: an
    // ACK of a binding that has moved on would promise what is no longer so.
    const lease::Lease* const lease = parts_.leases->ByAddress(held.ticket.address);
    const bool stands = lease != nullptr && lease->version == held.ticket.version &&
                        lease->state == lease::State::kBound;
    if (!stands) {
      counters_.dropped_stale.Add();
    } else if (!Transmit(held)) {
      // A group of records came back larger than the driver's buffers: the rest goes next turn.
      parts_.shard->RequestTurn();
      break;
    }
    parts_.engine->OnDurable(held.ticket);
    ++held_head_;
    --held_count_;
  }
  counters_.replies_waiting.Set(held_count_);
}

void DhcpService::OnTimer(std::uint64_t /*cookie*/, Instant now) {
  const Serving* const serving = parts_.serving->current();
  wall_synchronised_ = parts_.clock->WallIsSynchronised();
  const lease::Now stamp = ReadNow(now);
  if (serving != nullptr && serving->snapshot) {
    FollowSnapshot(*serving);
    Expire(stamp);
    Maintain(*serving);
  }
  // The timer that just fired has left its place free.
  SLIP_CHECK(parts_.shard->timers().Add(now + kDhcpTick, this, 0).has_value());
}

void DhcpService::Expire(const lease::Now& now) {
  for (std::uint32_t i = 0; i < kExpiriesPerTickMax && !parts_.facts->failing(); ++i) {
    std::uint64_t ignored = 0;
    if (!parts_.engine->ExpireOne(now, effects_) ||
        !parts_.facts->Submit(schema::FactClass::Lease, lease::JournalKey(effects_.ticket.address),
                              effects_.record, ignored)) {
      break;
    }
  }
}

void DhcpService::Maintain(const Serving& serving) {
  FixedVector<IpAddress, limits::kServedInterfacesMax * kAddressesPerInterfaceMax> own;
  for (const ServedLink& link : serving.links.links()) {
    for (const IpPrefix& prefix : link.addresses) {
      (void)own.push_back(prefix.address);
    }
  }
  parts_.leases->Maintain(*serving.snapshot, {own.data(), own.size()}, kMaintainPerTick);
}

}  // namespace slipway::service
