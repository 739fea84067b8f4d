#include "dataplane/service/dhcp6_service.h"

namespace slipway::service {
namespace {

constexpr Duration kWallAskedEach = Duration::Millis(500);

}  // namespace

Result<void> Dhcp6Service::Start(shard::PortId udp_port) {
  udp_port_ = udp_port;
  return parts_.shard->AddHook(this);
}

void Dhcp6Service::OnPackets(shard::PortId /*port*/, std::span<shard::Packet> packets,
                             Instant now) {
  const Serving* const serving = parts_.serving->current();
  if (serving == nullptr || !serving->snapshot) {
    counters_.before_snapshot.Add(packets.size());
    return;
  }
  if (generation_ != parts_.serving->generation()) {
    generation_ = parts_.serving->generation();
    (void)parts_.leases->Rebuild(*serving->snapshot);
  }
  const lease::Now stamp = ReadNow(now);
  for (const shard::Packet& packet : packets) {
    OnPacket(packet, *serving, stamp);
  }
}

lease::Now Dhcp6Service::ReadNow(Instant now) {
  if (now - wall_asked_ >= kWallAskedEach) {
    wall_asked_ = now;
    wall_synchronised_ = parts_.clock->WallIsSynchronised();
  }
  return {.instant = now,
          .wall = parts_.clock->WallNow(),
          .boot_id = parts_.clock->BootId(),
          .wall_synchronised = wall_synchronised_};
}

void Dhcp6Service::OnPacket(const shard::Packet& packet, const Serving& serving,
                            const lease::Now& now) {
  if (packet.truncated) {
    counters_.dropped_truncated.Add();
    return;
  }
  if (parts_.facts->failing()) {
    counters_.dropped_journal_down.Add();
    return;
  }
  if (waiting_.full()) {
    counters_.dropped_queue_full.Add();
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
  Held& held = waiting_.Next();
  parts_.engine->Handle(packet.data, context, *serving.snapshot, now, held.bytes, effects_);
  held.reply = effects_.reply;
  held.ticket = effects_.ticket;
  held.ifindex = packet.ifindex;
  Dispatch(held);
}

void Dhcp6Service::Dispatch(Held& held) {
  RecordSteps();
  if (!effects_.record.empty() &&
      !parts_.facts->Submit(schema::FactClass::Lease, lease::JournalKey(effects_.ticket.address),
                            effects_.record, held.position)) {
    // Not logged, so not promised: the client asks again.
    counters_.dropped_queue_full.Add();
    return;
  }
  if (held.reply.bytes == 0) {
    return;
  }
  TellPeers(held);
  if (held.reply.wait_durable) {
    waiting_.Keep();
    counters_.replies_waiting.Set(waiting_.count());
  } else if (!Transmit(held)) {
    counters_.dropped_send.Add();
  }
}

bool Dhcp6Service::Transmit(const Held& held) {
  shard::Driver& driver = parts_.shard->driver();
  const MutableByteSpan tx = driver.AllocateTx();
  if (tx.size() < held.reply.bytes) {
    return false;
  }
  const ByteSpan message = ByteSpan(held.bytes).first(held.reply.bytes);
  std::copy(message.begin(), message.end(), tx.begin());
  // Link-local addresses mean nothing without their interface; others go by route.
  const bool link_local = held.reply.address.is_link_local();
  const bool sent = driver.Send(udp_port_, {.data = tx.first(message.size()),
                                            .destination = held.reply.address,
                                            .source = held.reply.source,
                                            .ifindex = link_local ? held.ifindex : 0,
                                            .destination_port = held.reply.port});
  (sent ? counters_.replies_sent : counters_.dropped_send).Add();
  return true;
}

void Dhcp6Service::RecordSteps() {
  for (const boot::BootStep& step : effects_.steps) {
    std::uint64_t ignored = 0;
    if (!parts_.facts->Submit(schema::FactClass::BootStep, 0, step_encoder_.Encode(step),
                              ignored)) {
      counters_.steps_dropped.Add();
    }
  }
}

void Dhcp6Service::TellPeers(const Held& held) {
  const lease::Lease* const lease = parts_.leases->ByAddress(held.ticket.address);
  if (lease != nullptr && lease->state == lease::State::kBound) {
    parts_.peers->OnPeer({.address = lease->address,
                          .mac = lease->mac,
                          .vlan = lease->vlan,
                          .ifindex = held.ifindex});
  }
}

void Dhcp6Service::OnDurable(std::uint64_t durable, Instant /*now*/) {
  durable_ = durable;
  ReleaseDurable();
}

void Dhcp6Service::OnTurn(Instant /*now*/) { ReleaseDurable(); }

void Dhcp6Service::ReleaseDurable() {
  const bool all = waiting_.Release(
      durable_, *parts_.leases, counters_.dropped_stale,
      [this](const Held& held) { return Transmit(held); },
      [this](const dhcp::Ticket& ticket) { parts_.engine->OnDurable(ticket); });
  if (!all) {
    // A group of records came back larger than the driver's buffers: the rest goes next turn.
    parts_.shard->RequestTurn();
  }
  counters_.replies_waiting.Set(waiting_.count());
}

}  // namespace slipway::service
