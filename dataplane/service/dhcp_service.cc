#include "dataplane/service/dhcp_service.h"

#include <algorithm>

#include "dataplane/dhcp/question.h"
#include "dataplane/net/arp.h"
#include "dataplane/service/reception.h"

namespace slipway::service {
namespace {

constexpr std::uint16_t kServerPort = 67;  // RFC 2131 4.1
constexpr std::uint16_t kClientPort = 68;

static_assert((kRepliesWaitingMax & (kRepliesWaitingMax - 1)) == 0);
static_assert((kIntakeMax & (kIntakeMax - 1)) == 0);

}  // namespace

// Not cleared: memory that is never used is never touched.
DhcpService::DhcpService(const Parts& parts)
    : parts_(parts),
      intake_(std::make_unique_for_overwrite<Kept[]>(kIntakeMax)),
      held_(std::make_unique_for_overwrite<Held[]>(kRepliesWaitingMax)) {}

Result<void> DhcpService::Start(const Ports& ports, Instant now) {
  ports_ = ports;
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

const Serving* DhcpService::Follow() {
  const Serving* const serving = parts_.serving->current();
  if (serving == nullptr || !serving->snapshot) {
    return nullptr;
  }
  if (generation_ != parts_.serving->generation()) {
    generation_ = parts_.serving->generation();
    (void)parts_.leases->Rebuild(*serving->snapshot);
  }
  return serving;
}

void DhcpService::OnPackets(shard::PortId port, std::span<shard::Packet> packets, Instant now) {
  if (port == ports_.arp_replies) {
    return OnArpReplies(packets, now);
  }
  const Serving* const serving = Follow();
  if (serving == nullptr) {
    counters_.before_snapshot.Add(packets.size());
    return;
  }
  const lease::Now stamp = ReadNow(now);
  for (const shard::Packet& packet : packets) {
    if (intake_count_ == 0 && HasRoom()) {
      OnPacket(port, packet, *serving, stamp);
    } else {
      Keep(port, packet);
    }
  }
}

bool DhcpService::HasRoom() {
  if (tx_.empty() && turn_packets_ < kPacketsPerTurnMax) {
    tx_ = parts_.shard->driver().AllocateTx();
  }
  return tx_.size() >= sizeof(ReplyBuffer) && turn_packets_ < kPacketsPerTurnMax &&
         HeldUsed() < kRepliesWaitingMax;
}

void DhcpService::Keep(shard::PortId port, const shard::Packet& packet) {
  if (intake_count_ == kIntakeMax) {
    counters_.dropped_oldest.Add();
    ++intake_head_;
    --intake_count_;
  }
  Kept& kept = intake_[(intake_head_ + intake_count_) & (kIntakeMax - 1)];
  ++intake_count_;
  SLIP_CHECK(packet.data.size() <= kept.bytes.size());
  std::copy(packet.data.begin(), packet.data.end(), kept.bytes.begin());
  kept.size = static_cast<std::uint32_t>(packet.data.size());
  kept.port = port;
  kept.ifindex = packet.ifindex;
  kept.source = packet.source;
  kept.destination = packet.destination;
  kept.source_port = packet.source_port;
}

// Packets that waited, oldest first.
void DhcpService::WorkOff(Instant now) {
  const Serving* const serving = intake_count_ > 0 ? Follow() : nullptr;
  if (serving != nullptr) {
    const lease::Now stamp = ReadNow(now);
    while (intake_count_ > 0 && HasRoom()) {
      Kept& kept = intake_[intake_head_ & (kIntakeMax - 1)];
      shard::Packet packet;
      packet.data = MutableByteSpan(kept.bytes).first(kept.size);
      packet.source = kept.source;
      packet.destination = kept.destination;
      packet.ifindex = kept.ifindex;
      packet.source_port = kept.source_port;
      OnPacket(kept.port, packet, *serving, stamp);
      ++intake_head_;
      --intake_count_;
    }
  }
  counters_.packets_waiting.Set(intake_count_);
}

void DhcpService::OnPacket(shard::PortId port, const shard::Packet& packet, const Serving& serving,
                           const lease::Now& now) {
  ++turn_packets_;
  if (parts_.facts->failing()) {
    counters_.dropped_journal_down.Add();
    return;
  }
  static constexpr ServedLink kNoLink;
  const Reception reception(serving, {.ifindex = packet.ifindex,
                                      .source = packet.source.v4(),
                                      .source_port = packet.source_port,
                                      .destination = packet.destination.v4(),
                                      .boot_server_port = port == ports_.boot_server});
  const ServedLink& link = reception.link() != nullptr ? *reception.link() : kNoLink;
  // The reply is built where it is sent from; one that has to wait is moved.
  parts_.engine->Handle(packet.data, reception.context(), *serving.snapshot, now,
                        tx_.subspan(net::kUdp4FrameHeaderBytes, dhcp::kMessageBytesMax), effects_);
  KeepPacket(port, packet, now);
  if (effects_.reason == dhcp::Reason::kForeignServer) {
    parts_.watch->OnForeignServer(effects_.foreign, packet.source.v4(), packet.ifindex,
                                  reception.link(), now.instant);
  }
  Dispatch(port, link);
}

void DhcpService::Dispatch(shard::PortId port, const ServedLink& link) {
  std::uint64_t position = 0;
  if (!effects_.record.empty() &&
      !parts_.facts->Submit(schema::FactClass::Lease, lease::JournalKey(effects_.ticket.address),
                            effects_.record, position)) {
    // Not logged, so not promised: the client asks again.
    counters_.dropped_queue_full.Add();
    return;
  }
  RecordSteps();
  TellPeers(link);
  if (effects_.reason == dhcp::Reason::kDeclined) {
    parts_.events->Report(EventCode::kAddressConflict, ToText(effects_.ticket.address),
                          "declined by its client");
  }
  SendProbe(link);
  if (effects_.reply.delivery == dhcp::Delivery::kNone) {
    return;
  }
  const Envelope envelope{
      .reply = effects_.reply, .ifindex = link.ifindex, .port = port, .source_mac = link.mac};
  if (envelope.reply.wait_durable) {
    Hold(envelope, position);
  } else if (Transmit(envelope, tx_) == Sent::kQueued) {
    tx_ = {};
  } else {
    counters_.dropped_send.Add();
  }
}

void DhcpService::Hold(const Envelope& envelope, std::uint64_t position) {
  SLIP_CHECK(HeldUsed() < kRepliesWaitingMax);
  Held& held = held_[(held_head_ + held_count_) & (kRepliesWaitingMax - 1)];
  held.position = position;
  held.ticket = effects_.ticket;
  held.envelope = envelope;
  std::copy_n(tx_.begin() + net::kUdp4FrameHeaderBytes, envelope.reply.bytes,
              held.bytes.begin() + net::kUdp4FrameHeaderBytes);
  ++held_count_;
  counters_.replies_waiting.Set(held_count_);
}

DhcpService::Sent DhcpService::Transmit(const Envelope& envelope, MutableByteSpan bytes) {
  const dhcp::Reply& reply = envelope.reply;
  shard::Driver& driver = parts_.shard->driver();
  const std::uint64_t full_before = driver.counters().send_dropped.value();
  const MutableByteSpan message = bytes.subspan(net::kUdp4FrameHeaderBytes, reply.bytes);
  bool sent = false;
  if (reply.delivery == dhcp::Delivery::kFrame) {
    // RFC 2131 4.1: a client without an address is reached by its hardware address, or broadcast.
    const auto size = net::BuildUdp4Frame(
        bytes, {.mac = envelope.source_mac, .address = reply.source, .port = kServerPort},
        {.mac = reply.mac, .address = reply.address, .port = kClientPort}, message);
    sent = size &&
           driver.Send(parts_.raw_port, {.data = bytes.first(*size), .ifindex = envelope.ifindex});
  } else {
    // A relay's replies are of one size, mostly.
    sent = driver.Send(envelope.port, {.data = message,
                                       .destination = reply.address,
                                       .source = reply.source,
                                       .destination_port = reply.port,
                                       .join = true});
  }
  if (sent) {
    counters_.replies_sent.Add();
    return Sent::kQueued;
  }
  return driver.counters().send_dropped.value() == full_before ? Sent::kRefused : Sent::kFull;
}

void DhcpService::KeepPacket(shard::PortId port, const shard::Packet& packet,
                             const lease::Now& now) {
  const MacAddress mac = dhcp::PeekMac(packet.data);
  if (mac.is_zero() || effects_.reason == dhcp::Reason::kForeignServer) {
    return;
  }
  SeenPacket& seen = parts_.packets->Keep(mac, packet.data);
  seen.known = effects_.machine != 0;
  seen.ifindex = packet.ifindex;
  seen.source = packet.source.v4();
  seen.destination = packet.destination.v4();
  seen.source_port = packet.source_port;
  seen.boot_server_port = port == ports_.boot_server;
  seen.reason = effects_.reason;
  seen.address = effects_.ticket.address;
  seen.at = now.wall;
}

void DhcpService::SendProbe(const ServedLink& link) {
  if (effects_.probe.is_any()) {
    return;
  }
  shard::Driver& driver = parts_.shard->driver();
  const MutableByteSpan tx = driver.AllocateTx();
  const auto size = net::BuildArpProbe(tx, link.mac, effects_.probe);
  if (size) {
    (void)driver.Send(parts_.raw_port, {.data = tx.first(*size), .ifindex = link.ifindex});
  }
}

void DhcpService::OnArpReplies(std::span<shard::Packet> packets, Instant now) {
  const lease::Now stamp = ReadNow(now);
  for (const shard::Packet& packet : packets) {
    const auto reply = net::ParseArpFrame(packet.data);
    if (!reply || reply->operation != net::ArpOperation::kReply || parts_.facts->failing()) {
      continue;
    }
    if (!parts_.engine->OnArpReply(reply->sender, reply->sender_mac, packet.ifindex, stamp,
                                   effects_)) {
      continue;
    }
    parts_.events->Report(EventCode::kAddressConflict, ToText(reply->sender),
                          ToText(reply->sender_mac));
    std::uint64_t ignored = 0;
    if (!parts_.facts->Submit(schema::FactClass::Lease, lease::JournalKey(effects_.ticket.address),
                              effects_.record, ignored)) {
      counters_.dropped_queue_full.Add();
    }
  }
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
  if (!effects_.peer.address.is_any()) {
    parts_.peers->OnPeer({.address = effects_.peer.address,
                          .mac = effects_.peer.mac,
                          .vlan = effects_.peer.vlan,
                          .ifindex = link.ifindex});
  }
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

void DhcpService::OnTurn(Instant now) {
  // What was sent from their places before the last turn has left.
  held_sending_ = held_released_;
  held_released_ = 0;
  ReleaseDurable();
  WorkOff(now);
  // Transmit buffers are the turn's: the next one gives new ones.
  tx_ = {};
  turn_packets_ = 0;
  if (intake_count_ > 0 && HeldUsed() < kRepliesWaitingMax) {
    parts_.shard->RequestTurn();
  }
}

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
    const Sent sent = stands ? Transmit(held.envelope, held.bytes) : Sent::kRefused;
    if (sent == Sent::kFull) {
      // A group of records came back larger than the driver's queue: the rest goes next turn.
      parts_.shard->RequestTurn();
      break;
    }
    if (sent == Sent::kRefused) {
      (stands ? counters_.dropped_send : counters_.dropped_stale).Add();
    }
    parts_.engine->OnDurable(held.ticket);
    ++held_head_;
    --held_count_;
    ++held_released_;
  }
  counters_.replies_waiting.Set(held_count_);
}

void DhcpService::OnTimer(std::uint64_t /*cookie*/, Instant now) {
  wall_synchronised_ = parts_.clock->WallIsSynchronised();
  if (const Serving* const serving = Follow(); serving != nullptr) {
    Expire(ReadNow(now));
    Maintain(*serving);
    parts_.watch->LookAtPools(*serving->snapshot, kPoolsPerTick);
    ProbeForeign(*serving, now);
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

// A DISCOVER as if through a relay that has our address: whoever answers does so to port 67, where
// we listen, and is no server of ours.
void DhcpService::ProbeForeign(const Serving& serving, Instant now) {
  if (parts_.probe_interval <= Duration{} || now < probe_due_) {
    return;
  }
  probe_due_ = now + parts_.probe_interval;
  shard::Driver& driver = parts_.shard->driver();
  for (const ServedLink& link : serving.links.links()) {
    const Ipv4Address own = link.Ipv4Near({});
    std::array<std::byte, dhcp::kMessageBytesMin> message{};
    const auto bytes = dhcp::EncodeQuestion(message, {.mac = link.mac, .relay = own});
    const MutableByteSpan tx = driver.AllocateTx();
    if (own.is_any() || !bytes || tx.empty()) {
      continue;
    }
    const auto size =
        net::BuildUdp4Frame(tx, {.mac = link.mac, .address = own, .port = kServerPort},
                            {.mac = kBroadcastMac, .address = {0xFFFF'FFFF}, .port = kServerPort},
                            ByteSpan(message).first(*bytes));
    if (size && driver.Send(parts_.raw_port, {.data = tx.first(*size), .ifindex = link.ifindex})) {
      counters_.foreign_probes.Add();
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
