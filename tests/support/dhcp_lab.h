// A DHCP engine with its lease table, and the packets of a client, for tests.
#pragma once

#include <array>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "dataplane/dhcp/client.h"
#include "dataplane/dhcp/engine.h"
#include "tests/support/boot_lab.h"

namespace slipway::test {

// One packet under construction: header, then options in the order of the calls.
class Request {
 public:
  Request(dhcp::MessageType type, MacAddress mac, std::uint32_t xid = 0x1234'5678)
      : writer_(bytes_, bytes_.size()) {
    writer_.RequestHeader(xid, 0, false, {}, mac);
    if (type != dhcp::MessageType::kNone) {
      writer_.U8(dhcp::Option::kMessageType, static_cast<std::uint8_t>(type));
    }
  }

  Request& Ciaddr(Ipv4Address address) { return Header32(12, address.value); }

  Request& Giaddr(Ipv4Address address) { return Header32(24, address.value); }

  Request& Broadcast() {
    bytes_[10] = std::byte{0x80};
    return *this;
  }

  Request& Hops(std::uint8_t hops) {
    bytes_[3] = static_cast<std::byte>(hops);
    return *this;
  }

  Request& Address(dhcp::Option option, Ipv4Address address) {
    writer_.Address(option, address);
    return *this;
  }

  Request& Text(dhcp::Option option, std::string_view text) {
    writer_.Text(option, text);
    return *this;
  }

  Request& Bytes(dhcp::Option option, std::vector<std::uint8_t> value) {
    writer_.Bytes(option, std::as_bytes(std::span(value)));
    return *this;
  }

  std::vector<std::byte> Build() {
    const std::size_t size = writer_.Finish().value_or(0);
    return {bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(size)};
  }

 private:
  Request& Header32(std::size_t at, std::uint32_t value) {
    StoreBig(&bytes_[at], value);
    return *this;
  }

  std::array<std::byte, 1472> bytes_{};
  dhcp::Writer writer_;
};

class DhcpLab {
 public:
  explicit DhcpLab(config::SnapshotRef first = BootLab::Standard(),
                   lease::TableOptions options = SmallTable(), lease::PairRules* pair = nullptr)
      : snapshot(std::move(first)), table(options), engine({.pair = pair}, &table) {
    table.Rebuild(*snapshot);
    now.instant = {1'000'000'000};
    now.wall = {1'700'000'000'000'000'000};
    now.boot_id = 7;
    context.ifindex = 2;
    context.vlan = snapshot->VlanById(kVlan);
    context.local_addresses = local;
    context.destination = {0xFFFF'FFFF};
    context.source_port = 68;
  }

  static lease::TableOptions SmallTable() {
    lease::TableOptions options;
    options.leases_max = 1024;
    options.pools_max = 16;
    options.ranges_max = 64;
    options.pool_addresses_max = 1 << 16;
    options.hash_seed = 42;
    return options;
  }

  void Use(config::SnapshotRef next) {
    snapshot = std::move(next);
    context.vlan = snapshot->VlanById(kVlan);
    table.Rebuild(*snapshot);
  }

  dhcp::Reason Handle(const std::vector<std::byte>& packet) {
    engine.Handle(packet, context, *snapshot, now, out, effects);
    return effects.reason;
  }

  // Handle, and the record becomes durable at once.
  dhcp::Reason HandleDurably(const std::vector<std::byte>& packet) {
    const dhcp::Reason reason = Handle(packet);
    if (!effects.record.empty()) {
      engine.OnDurable(effects.ticket);
    }
    return reason;
  }

  // The reply, decoded.
  const dhcp::Message& Reply() {
    if (!dhcp::Decode(ReplyBytes(), *reply)) {
      std::abort();
    }
    return *reply;
  }

  ByteSpan ReplyBytes() const { return std::span(out).first(effects.reply.bytes); }

  // DISCOVER and REQUEST of a plain client; returns the address, or any on failure.
  Ipv4Address Dora(MacAddress mac) {
    if (Handle(Request(dhcp::MessageType::kDiscover, mac).Build()) != dhcp::Reason::kOffered) {
      return {};
    }
    const Ipv4Address address = Reply().yiaddr;
    const auto packet = Request(dhcp::MessageType::kRequest, mac)
                            .Address(dhcp::Option::kRequestedAddress, address)
                            .Address(dhcp::Option::kServerIdentifier, kRack)
                            .Build();
    return HandleDurably(packet) == dhcp::Reason::kAcked ? address : Ipv4Address{};
  }

  dhcp::Reason Renew(MacAddress mac, Ipv4Address address) {
    context.source = address;
    context.destination = kRack;
    const auto packet = Request(dhcp::MessageType::kRequest, mac).Ciaddr(address).Build();
    const dhcp::Reason reason = HandleDurably(packet);
    context.source = {};
    context.destination = {0xFFFF'FFFF};
    return reason;
  }

  void Pass(Duration duration) {
    now.instant = now.instant + duration;
    now.wall = {now.wall.ns + duration.ns};
  }

  std::array<IpAddress, 1> local{kRack};
  config::SnapshotRef snapshot;
  lease::LeaseTable table;
  dhcp::Dhcp4Engine engine;
  dhcp::ReceiveContext context;
  lease::Now now;
  dhcp::Effects effects;
  std::array<std::byte, dhcp::kMessageBytesMax> out{};
  std::unique_ptr<dhcp::Message> reply = std::make_unique<dhcp::Message>();
};

}  // namespace slipway::test
