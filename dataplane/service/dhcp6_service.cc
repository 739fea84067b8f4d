#include "dataplane/service/dhcp6_service.h"

#include <algorithm>

#include "dataplane/dhcp/question.h"
#include "dataplane/service/reception.h"

namespace slipway::service {

Result<void> Dhcp6Service::Start(shard::PortId udp_port, Instant now) {
  udp_port_ = udp_port;
  if (parts_.probe_interval > Duration{}) {
    SLIP_TRY(parts_.shard->timers().Add(now + parts_.probe_interval, this, 0));
  }
  return parts_.shard->AddHook(this);
}

void Dhcp6Service::OnPackets(shard::PortId port, std::span<shard::Packet> packets, Instant now) {
  const Serving* const serving = parts_.shared->Follow();
  if (serving == nullptr) {
    counters_.before_snapshot.Add(packets.size());
    return;
  }
  const lease::Now stamp = parts_.shared->ReadNow(now);
  intake_.Receive(
      port, packets, [this] { return !held_.full(); },
      [&](shard::PortId /*at*/, const shard::Packet& packet) {
        OnPacket(packet, *serving, stamp);
      });
}

void Dhcp6Service::OnPacket(const shard::Packet& packet, const Serving& serving,
                            const lease::Now& now) {
  if (parts_.shared->failing()) {
    counters_.dropped_journal_down.Add();
    return;
  }
  static constexpr ServedLink kNoLink;
  const Reception6 reception(serving, {.ifindex = packet.ifindex,
                                       .source = packet.source.v6(),
                                       .source_port = packet.source_port,
                                       .destination = packet.destination.v6()});
  // The reply is built where it is sent from; one that has to wait is moved.
  parts_.engine->Handle(packet.data, reception.context(), *serving.snapshot, now,
                        intake_.tx().first(dhcp::kMessage6BytesMax), effects_);
  KeepPacket(packet, now);
  if (effects_.reason == dhcp::Reason6::kForeignServer) {
    HearForeign(packet, reception.link(), now.instant);
  }
  Dispatch(reception.link() != nullptr ? *reception.link() : kNoLink, packet.ifindex);
}

void Dhcp6Service::KeepPacket(const shard::Packet& packet, const lease::Now& now) {
  const MacAddress mac = effects_.mac.is_zero() ? TagOf(effects_.duid) : effects_.mac;
  if (mac.is_zero() || effects_.reason == dhcp::Reason6::kForeignServer) {
    return;
  }
  SeenPacket& seen = parts_.packets->Keep(mac, packet.data);
  seen.known = effects_.machine != 0;
  seen.ifindex = packet.ifindex;
  seen.source = packet.source;
  seen.destination = packet.destination;
  seen.source_port = packet.source_port;
  seen.reason6 = effects_.reason;
  seen.address = effects_.ticket.address;
  seen.at = now.wall;
}

void Dhcp6Service::HearForeign(const shard::Packet& packet, const ServedLink* link, Instant now) {
  const MacAddress by_duid = dhcp::MacOfDuid(effects_.foreign.duid);
  (void)parts_.watch->OnForeignServer(
      {.server = packet.source,
       .source = packet.source,
       .offered = effects_.foreign.offered,
       .relay = {},
       .mac = by_duid.is_zero() ? dhcp::MacOfEui64(packet.source.v6()) : by_duid,
       .ifindex = packet.ifindex,
       .link = link},
      now);
}

void Dhcp6Service::OnTimer(std::uint64_t /*cookie*/, Instant now) {
  if (const Serving* const serving = parts_.shared->Follow(); serving != nullptr) {
    ProbeForeign(*serving);
  }
  // The timer that just fired has left its place free.
  SLIP_CHECK(parts_.shard->timers().Add(now + parts_.probe_interval, this, 0).has_value());
}

// A Solicit as if through a relay that has our address: whoever answers does so to port 547, where
// we listen, and is no server of ours. The socket does not hear what it sends itself.
void Dhcp6Service::ProbeForeign(const Serving& serving) {
  shard::Driver& driver = parts_.shard->driver();
  for (const ServedLink& link : serving.links.links()) {
    const auto own = std::ranges::find_if(link.addresses, [](const IpPrefix& prefix) {
      return !prefix.address.is_v4() && !prefix.address.v6().is_link_local();
    });
    const MutableByteSpan tx = driver.AllocateTx();
    if (own == link.addresses.end() || tx.empty()) {
      continue;
    }
    const auto bytes = dhcp::EncodeQuestion6(tx, {.mac = link.mac, .relay = own->address.v6()});
    if (bytes && driver.Send(udp_port_, {.data = tx.first(*bytes),
                                         .destination = dhcp::kAllDhcpServers,
                                         .source = own->address,
                                         .ifindex = link.ifindex,
                                         .destination_port = dhcp::kServerPort6})) {
      counters_.foreign_probes.Add();
    }
  }
}

void Dhcp6Service::Dispatch(const ServedLink& link, std::uint32_t ifindex) {
  std::uint64_t position = 0;
  if (!effects_.record.empty() &&
      !parts_.shared->log().Log(effects_.ticket.address, effects_.record, position)) {
    // Not logged, so not promised: the client asks again.
    counters_.dropped_queue_full.Add();
    return;
  }
  parts_.shared->Record(effects_.steps);
  if (effects_.reason == dhcp::Reason6::kDeclined) {
    parts_.shared->events().Report(EventCode::kAddressConflict, ToText(effects_.ticket.address),
                                   "declined by its client");
  }
  SendProbe(link);
  const dhcp::Reply6& reply = effects_.reply;
  if (reply.bytes == 0) {
    return;
  }
  parts_.shared->TellHolder(effects_.ticket.address, ifindex);
  if (reply.wait_durable) {
    Held& held = held_.Add();
    held.position = position;
    held.ticket = effects_.ticket;
    held.reply = reply;
    held.ifindex = ifindex;
    std::copy_n(intake_.tx().begin(), reply.bytes, held.bytes.begin());
  } else if (Transmit(reply, ifindex, intake_.tx()) == Sent::kQueued) {
    intake_.TxGiven();
  } else {
    counters_.dropped_send.Add();
  }
}

void Dhcp6Service::SendProbe(const ServedLink& link) {
  if (!effects_.probe.is_set() || link.LinkLocal().is_any()) {
    return;
  }
  shard::Driver& driver = parts_.shard->driver();
  const MutableByteSpan tx = driver.AllocateTx();
  const auto size =
      net::BuildNeighbourSolicitation(tx, link.mac, link.LinkLocal(), effects_.probe.v6());
  if (size) {
    (void)driver.Send(parts_.raw_port, {.data = tx.first(*size), .ifindex = link.ifindex});
  }
}

void Dhcp6Service::OnNeighbour(const Ipv6Address& address, MacAddress by, std::uint32_t ifindex,
                               Instant now) {
  if (parts_.shared->failing() ||
      !parts_.engine->OnNeighbour(address, by, ifindex, parts_.shared->ReadNow(now), effects_)) {
    return;
  }
  parts_.shared->events().Report(EventCode::kAddressConflict, ToText(address), ToText(by));
  std::uint64_t ignored = 0;
  if (!parts_.shared->log().Log(effects_.ticket.address, effects_.record, ignored)) {
    counters_.dropped_queue_full.Add();
  }
}

Sent Dhcp6Service::Transmit(const dhcp::Reply6& reply, std::uint32_t ifindex, ByteSpan bytes) {
  shard::Driver& driver = parts_.shard->driver();
  // Link-local addresses mean nothing without their interface; others go by route.
  const bool link_local = reply.address.is_link_local();
  const Sent sent = TrySend(driver, [&] {
    return driver.Send(udp_port_, {.data = bytes.first(reply.bytes),
                                   .destination = reply.address,
                                   .source = reply.source,
                                   .ifindex = link_local ? ifindex : 0,
                                   .destination_port = reply.port,
                                   .join = !link_local});
  });
  counters_.replies_sent.Add(sent == Sent::kQueued ? 1 : 0);
  return sent;
}

void Dhcp6Service::OnDurable(std::uint64_t durable, Instant now) {
  durable_ = durable;
  ReleaseDurable(now);
}

void Dhcp6Service::OnTurn(Instant now) {
  held_.OnTurn();
  ReleaseDurable(now);
  const auto room = [this] { return !held_.full(); };
  const Serving* const serving = intake_.empty() ? nullptr : parts_.shared->Follow();
  if (serving != nullptr) {
    const lease::Now stamp = parts_.shared->ReadNow(now);
    intake_.WorkOff(room, [&](shard::PortId /*port*/, const shard::Packet& packet) {
      OnPacket(packet, *serving, stamp);
    });
  }
  intake_.EndTurn(room);
}

void Dhcp6Service::ReleaseDurable(Instant now) {
  const bool all = held_.Release(
      durable_, parts_.shared->log(), now,
      [this](const Held& held) {
        const Sent sent = Transmit(held.reply, held.ifindex, held.bytes);
        counters_.dropped_send.Add(sent == Sent::kRefused ? 1 : 0);
        return sent;
      },
      [this](const dhcp::Ticket& ticket) { parts_.engine->OnDurable(ticket); });
  if (!all) {
    // A group of records came back larger than the driver's queue: the rest goes next turn.
    parts_.shard->RequestTurn();
  }
}

}  // namespace slipway::service
