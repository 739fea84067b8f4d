#include "dataplane/service/dhcp6_service.h"

#include <algorithm>

namespace slipway::service {

Result<void> Dhcp6Service::Start(shard::PortId udp_port) {
  udp_port_ = udp_port;
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
  const ServedLink* const found = serving.links.ByIndex(packet.ifindex);
  const ServedLink& link = found != nullptr ? *found : kNoLink;
  FixedVector<IpAddress, kAddressesPerInterfaceMax> local;
  for (const IpPrefix& prefix : link.addresses) {
    if (!prefix.address.is_v4()) {
      (void)local.push_back(prefix.address);
    }
  }
  const dhcp::ReceiveContext6 context{
      .ifindex = packet.ifindex,
      .vlan = found != nullptr ? serving.snapshot->VlanById(link.vlan) : nullptr,
      .local_addresses = {local.data(), local.size()},
      .link_local = link.LinkLocal(),
      .source = packet.source.v6(),
      .source_port = packet.source_port,
      .destination = packet.destination.v6()};
  // The reply is built where it is sent from; one that has to wait is moved.
  parts_.engine->Handle(packet.data, context, *serving.snapshot, now,
                        intake_.tx().first(dhcp::kMessage6BytesMax), effects_);
  Dispatch(packet.ifindex);
}

void Dhcp6Service::Dispatch(std::uint32_t ifindex) {
  std::uint64_t position = 0;
  if (!effects_.record.empty() &&
      !parts_.shared->log().Log(effects_.ticket.address, effects_.record, position)) {
    // Not logged, so not promised: the client asks again.
    counters_.dropped_queue_full.Add();
    return;
  }
  parts_.shared->Record(effects_.steps);
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
