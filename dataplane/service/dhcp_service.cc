#include "dataplane/service/dhcp_service.h"

#include <algorithm>

#include "dataplane/dhcp/question.h"
#include "dataplane/net/arp.h"
#include "dataplane/service/reception.h"

namespace slipway::service {
namespace {

constexpr std::uint16_t kServerPort = 67;  // RFC 2131 4.1
constexpr std::uint16_t kClientPort = 68;

}  // namespace

Result<void> DhcpService::Start(const Ports& ports, Instant now) {
  ports_ = ports;
  SLIP_TRY(parts_.shard->timers().Add(now + kDhcpTick, this, 0));
  return parts_.shard->AddHook(this);
}

void DhcpService::OnPackets(shard::PortId port, std::span<shard::Packet> packets, Instant now) {
  if (port == ports_.arp_replies) {
    return OnArpReplies(packets, now);
  }
  const Serving* const serving = parts_.shared->Follow();
  if (serving == nullptr) {
    counters_.before_snapshot.Add(packets.size());
    return;
  }
  const lease::Now stamp = parts_.shared->ReadNow(now);
  intake_.Receive(
      port, packets, [this] { return !held_.full(); },
      [&](shard::PortId at, const shard::Packet& packet) {
        OnPacket(at, packet, *serving, stamp);
      });
}

void DhcpService::OnPacket(shard::PortId port, const shard::Packet& packet, const Serving& serving,
                           const lease::Now& now) {
  if (parts_.shared->failing()) {
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
                        intake_.tx().subspan(net::kUdp4FrameHeaderBytes, dhcp::kMessageBytesMax),
                        effects_);
  KeepPacket(port, packet, now);
  if (effects_.reason == dhcp::Reason::kForeignServer) {
    HearForeign(packet, reception.link(), now.instant);
  }
  Dispatch(port, link);
}

void DhcpService::HearForeign(const shard::Packet& packet, const ServedLink* link, Instant now) {
  const dhcp::ForeignServer& foreign = effects_.foreign;
  const bool to_us = link != nullptr && std::ranges::any_of(link->addresses, [&](const auto& own) {
                       return own.address == IpAddress(foreign.relay);
                     });
  const bool asks = parts_.watch->OnForeignServer(
      {.server = foreign.identifier.is_any() ? packet.source : IpAddress(foreign.identifier),
       .source = packet.source,
       .offered = foreign.offered,
       .relay = to_us ? IpAddress() : IpAddress(foreign.relay),
       .ifindex = packet.ifindex,
       .link = link},
      now);
  if (asks && link != nullptr) {
    AskByArp(*link, packet.source.v4());
  }
}

void DhcpService::Dispatch(shard::PortId port, const ServedLink& link) {
  std::uint64_t position = 0;
  if (!effects_.record.empty() &&
      !parts_.shared->log().Log(effects_.ticket.address, effects_.record, position)) {
    // Not logged, so not promised: the client asks again.
    counters_.dropped_queue_full.Add();
    return;
  }
  parts_.shared->Record(effects_.steps);
  TellPeers(link);
  if (effects_.reason == dhcp::Reason::kDeclined) {
    parts_.shared->events().Report(EventCode::kAddressConflict, ToText(effects_.ticket.address),
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
  } else if (Transmit(envelope, intake_.tx()) == Sent::kQueued) {
    intake_.TxGiven();
  } else {
    counters_.dropped_send.Add();
  }
}

void DhcpService::Hold(const Envelope& envelope, std::uint64_t position) {
  Held& held = held_.Add();
  held.position = position;
  held.ticket = effects_.ticket;
  held.envelope = envelope;
  std::copy_n(intake_.tx().begin() + net::kUdp4FrameHeaderBytes, envelope.reply.bytes,
              held.bytes.begin() + net::kUdp4FrameHeaderBytes);
}

Sent DhcpService::Transmit(const Envelope& envelope, MutableByteSpan bytes) {
  const dhcp::Reply& reply = envelope.reply;
  shard::Driver& driver = parts_.shard->driver();
  const MutableByteSpan message = bytes.subspan(net::kUdp4FrameHeaderBytes, reply.bytes);
  const Sent sent = TrySend(driver, [&] {
    if (reply.delivery != dhcp::Delivery::kFrame) {
      // A relay's replies are of one size, mostly.
      return driver.Send(envelope.port, {.data = message,
                                         .destination = reply.address,
                                         .source = reply.source,
                                         .destination_port = reply.port,
                                         .join = true});
    }
    // RFC 2131 4.1: a client without an address is reached by its hardware address, or broadcast.
    const auto size = net::BuildUdp4Frame(
        bytes, {.mac = envelope.source_mac, .address = reply.source, .port = kServerPort},
        {.mac = reply.mac, .address = reply.address, .port = kClientPort}, message);
    return size &&
           driver.Send(parts_.raw_port, {.data = bytes.first(*size), .ifindex = envelope.ifindex});
  });
  counters_.replies_sent.Add(sent == Sent::kQueued ? 1 : 0);
  return sent;
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
  seen.source = packet.source;
  seen.destination = packet.destination;
  seen.source_port = packet.source_port;
  seen.boot_server_port = port == ports_.boot_server;
  seen.reason = effects_.reason;
  seen.address = effects_.ticket.address;
  seen.at = now.wall;
}

void DhcpService::SendProbe(const ServedLink& link) {
  if (!effects_.probe.is_any()) {
    AskByArp(link, effects_.probe);
  }
}

void DhcpService::AskByArp(const ServedLink& link, Ipv4Address address) {
  shard::Driver& driver = parts_.shard->driver();
  const MutableByteSpan tx = driver.AllocateTx();
  const auto size = net::BuildArpProbe(tx, link.mac, address);
  if (size) {
    (void)driver.Send(parts_.raw_port, {.data = tx.first(*size), .ifindex = link.ifindex});
  }
}

void DhcpService::OnArpReplies(std::span<shard::Packet> packets, Instant now) {
  const lease::Now stamp = parts_.shared->ReadNow(now);
  for (const shard::Packet& packet : packets) {
    const auto reply = net::ParseArpFrame(packet.data);
    if (!reply || reply->operation != net::ArpOperation::kReply) {
      continue;
    }
    parts_.watch->OnMac(reply->sender, reply->sender_mac, packet.ifindex);
    if (parts_.shared->failing()) {
      continue;
    }
    if (!parts_.engine->OnArpReply(reply->sender, reply->sender_mac, packet.ifindex, stamp,
                                   effects_)) {
      continue;
    }
    parts_.shared->events().Report(EventCode::kAddressConflict, ToText(reply->sender),
                                   ToText(reply->sender_mac));
    std::uint64_t ignored = 0;
    if (!parts_.shared->log().Log(effects_.ticket.address, effects_.record, ignored)) {
      counters_.dropped_queue_full.Add();
    }
  }
}

void DhcpService::TellPeers(const ServedLink& link) {
  if (!effects_.peer.address.is_any()) {
    parts_.shared->peers().OnPeer({.address = effects_.peer.address,
                                   .mac = effects_.peer.mac,
                                   .vlan = effects_.peer.vlan,
                                   .ifindex = link.ifindex});
  }
  if (effects_.reason == dhcp::Reason::kAcked ||
      effects_.reason == dhcp::Reason::kAckedFromMemory) {
    parts_.shared->TellHolder(effects_.ticket.address, link.ifindex);
  }
}

void DhcpService::OnDurable(std::uint64_t durable, Instant now) {
  durable_ = durable;
  ReleaseDurable(now);
}

void DhcpService::OnTurn(Instant now) {
  held_.OnTurn();
  ReleaseDurable(now);
  const auto room = [this] { return !held_.full(); };
  const Serving* const serving = intake_.empty() ? nullptr : parts_.shared->Follow();
  if (serving != nullptr) {
    const lease::Now stamp = parts_.shared->ReadNow(now);
    intake_.WorkOff(room, [&](shard::PortId port, const shard::Packet& packet) {
      OnPacket(port, packet, *serving, stamp);
    });
  }
  intake_.EndTurn(room);
}

void DhcpService::ReleaseDurable(Instant now) {
  const bool all = held_.Release(
      durable_, parts_.shared->log(), now,
      [this](Held& held) {
        const Sent sent = Transmit(held.envelope, held.bytes);
        counters_.dropped_send.Add(sent == Sent::kRefused ? 1 : 0);
        return sent;
      },
      [this](const dhcp::Ticket& ticket) { parts_.engine->OnDurable(ticket); });
  if (!all) {
    // A group of records came back larger than the driver's queue: the rest goes next turn.
    parts_.shard->RequestTurn();
  }
}

void DhcpService::OnTimer(std::uint64_t /*cookie*/, Instant now) {
  if (const Serving* const serving = parts_.shared->Follow(); serving != nullptr) {
    Expire(parts_.shared->ReadNow(now));
    Maintain(*serving);
    parts_.watch->TellWaiting(now);
    parts_.watch->LookAtPools(*serving->snapshot, kPoolsPerTick);
    ProbeForeign(*serving, now);
  }
  // The timer that just fired has left its place free.
  SLIP_CHECK(parts_.shard->timers().Add(now + kDhcpTick, this, 0).has_value());
}

void DhcpService::Expire(const lease::Now& now) {
  for (std::uint32_t i = 0; i < kExpiriesPerTickMax && !parts_.shared->failing(); ++i) {
    std::uint64_t ignored = 0;
    if (!parts_.engine->ExpireOne(now, effects_) ||
        !parts_.shared->log().Log(effects_.ticket.address, effects_.record, ignored)) {
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
  parts_.shared->leases().Maintain(*serving.snapshot, {own.data(), own.size()}, kMaintainPerTick);
}

}  // namespace slipway::service
