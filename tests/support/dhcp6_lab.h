// A DHCPv6 engine with its lease table, and the packets of clients and relays, for tests.
#pragma once

#include <array>
#include <cstdint>
#include <cstdlib>
#include <initializer_list>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "dataplane/dhcp/engine6.h"
#include "tests/support/boot_lab.h"

namespace slipway::test {

using dhcp::kAllDhcpServers;

inline std::vector<std::byte> Bytes(std::initializer_list<int> values) {
  std::vector<std::byte> bytes;
  for (const int value : values) {
    bytes.push_back(static_cast<std::byte>(value));
  }
  return bytes;
}

// RFC 8415 11.4.
inline std::vector<std::byte> DuidLl(MacAddress mac) {
  std::vector<std::byte> duid = Bytes({0, 3, 0, 1});
  for (const std::uint8_t octet : mac.octets) {
    duid.push_back(static_cast<std::byte>(octet));
  }
  return duid;
}

// What a machine installs may make up (RFC 8415 11.3).
inline std::vector<std::byte> DuidEn(std::uint8_t tail) {
  return Bytes({0, 2, 0, 0, 0xAB, 0x11, 1, 2, 3, 4, 5, 6, 7, tail});
}

inline Ipv6Address LinkLocalOf(MacAddress mac) {
  const auto& m = mac.octets;
  return {{0xFE, 0x80, 0, 0, 0, 0, 0, 0, static_cast<std::uint8_t>(m[0] ^ 2), m[1], m[2], 0xFF,
           0xFE, m[3], m[4], m[5]}};
}

// One message under construction: relays (outermost first), header, then options in the order of
// the calls.
class Request6 {
 public:
  explicit Request6(dhcp::MessageType6 type, std::uint32_t xid = 0x12'3456,
                    const std::vector<dhcp::RelayHop>& relays = {})
      : bytes_(std::make_shared<Buffer>()), writer_(*bytes_, bytes_->size()) {
    for (const dhcp::RelayHop& hop : relays) {
      writer_.RelayForward(hop);
    }
    writer_.Header(type, xid);
  }

  Request6& Client(const std::vector<std::byte>& duid) {
    return Option(dhcp::Option6::kClientId, duid);
  }

  Request6& Server(const dhcp::Duid& duid) {
    writer_.Bytes(dhcp::Option6::kServerId, {duid.data(), duid.size()});
    return *this;
  }

  Request6& IaOf(dhcp::Option6 type, std::uint32_t iaid,
                 const std::vector<Ipv6Address>& addresses = {}) {
    writer_.Begin(type);
    writer_.RawU32(iaid);
    if (type != dhcp::Option6::kIaTa) {
      writer_.RawU32(0);
      writer_.RawU32(0);
    }
    for (const Ipv6Address& address : addresses) {
      writer_.Begin(dhcp::Option6::kIaAddress);
      writer_.Raw(std::as_bytes(std::span(address.octets)));
      writer_.RawU32(0);
      writer_.RawU32(0);
      writer_.End();
    }
    writer_.End();
    return *this;
  }

  Request6& IaNa(std::uint32_t iaid = 1, const std::vector<Ipv6Address>& addresses = {}) {
    return IaOf(dhcp::Option6::kIaNa, iaid, addresses);
  }

  Request6& Asks(std::initializer_list<dhcp::Option6> options) {
    std::vector<std::byte> list;
    for (const dhcp::Option6 option : options) {
      list.push_back(static_cast<std::byte>(static_cast<std::uint16_t>(option) >> 8));
      list.push_back(static_cast<std::byte>(static_cast<std::uint16_t>(option) & 0xFF));
    }
    return Option(dhcp::Option6::kOptionRequest, list);
  }

  Request6& Option(dhcp::Option6 option, const std::vector<std::byte>& value = {}) {
    writer_.Bytes(option, value);
    return *this;
  }

  Request6& Architecture(std::uint8_t code) {
    return Option(dhcp::Option6::kClientArchitecture, Bytes({0, code}));
  }

  // One item, after the enterprise number of a vendor class.
  Request6& Class(dhcp::Option6 option, std::string_view item) {
    std::vector<std::byte> value;
    if (option == dhcp::Option6::kVendorClass) {
      value = Bytes({0, 0, 1, 0x57});
    }
    value.push_back(std::byte{0});
    value.push_back(static_cast<std::byte>(item.size()));
    for (const char c : item) {
      value.push_back(static_cast<std::byte>(c));
    }
    return Option(option, value);
  }

  std::vector<std::byte> Build() {
    const std::size_t size = writer_.Finish().value_or(0);
    return {bytes_->begin(), bytes_->begin() + static_cast<std::ptrdiff_t>(size)};
  }

 private:
  using Buffer = std::array<std::byte, 2048>;

  std::shared_ptr<Buffer> bytes_;  // stays where it is when the request is copied
  dhcp::Writer6 writer_;
};

inline const Ipv6Address kRack6 = V6("2001:db8:77::1");
inline const Ipv6Address kRackLinkLocal = V6("fe80::1");

class Dhcp6Lab {
 public:
  explicit Dhcp6Lab(config::SnapshotRef first = Standard(),
                    lease::TableOptions options = SmallTable(), lease::PairRules* pair = nullptr)
      : snapshot(std::move(first)),
        table(options),
        engine({.server_id = ServerId(), .loops = {}, .pair = pair}, &table) {
    table.Rebuild(*snapshot);
    now.instant = {1'000'000'000};
    now.wall = {1'700'000'000'000'000'000};
    now.boot_id = 7;
    context.ifindex = 2;
    context.vlan = snapshot->VlanById(kVlan);
    context.local_addresses = local;
    context.link_local = kRackLinkLocal;
    context.destination = kAllDhcpServers;
    context.source = V6("fe80::c1:1e");  // no MAC in it
    context.source_port = dhcp::kClientPort6;
  }

  static dhcp::Duid ServerId() { return dhcp::DuidFromUuid({1, 2, 3, 4, 5, 6, 7, 8}); }

  static config::SnapshotRef Standard() {
    BootLab lab;
    return AddNetworks(lab).Finish();
  }

  // Both families on one VLAN, and an IPv6 network behind a relay.
  static BootLab& AddNetworks(BootLab& lab) {
    (void)lab.subnet6.dns_servers.push_back(kRack6);
    (void)lab.subnet6.ntp_servers.push_back(kRack6);
    lab.AddNetwork().AddNetwork6().AddRelayedNetwork().AddImages();
    config::SubnetRecord far = lab.subnet6;
    far.id = kRelaySubnet6;
    far.vlan = kRelayVlan;
    far.prefix = *IpPrefix::Parse("2001:db8:88::/64");
    config::RangeRecord range = lab.range6;
    range.id = 210;
    range.subnet = kRelaySubnet6;
    range.first = V6("2001:db8:88::");
    range.last = V6("2001:db8:88::ffff:ffff:ffff:ffff");
    return lab.Put(far).Put(range);
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

  dhcp::Reason6 Handle(const std::vector<std::byte>& packet) {
    engine.Handle(packet, context, *snapshot, now, out, effects);
    return effects.reason;
  }

  // Handle, and the record becomes durable at once.
  dhcp::Reason6 HandleDurably(const std::vector<std::byte>& packet) {
    const dhcp::Reason6 reason = Handle(packet);
    if (!effects.record.empty()) {
      engine.OnDurable(effects.ticket);
    }
    return reason;
  }

  ByteSpan ReplyBytes() const { return std::span(out).first(effects.reply.bytes); }

  // The reply, decoded; the same object each time.
  const dhcp::Message6& Reply() {
    if (!dhcp::Decode6(ReplyBytes(), *reply)) {
      std::abort();
    }
    return *reply;
  }

  // The address of the reply's first IA; not set if it has none with a lifetime.
  IpAddress ReplyAddress() {
    const dhcp::Message6& message = Reply();
    const bool given = !message.ias.empty() && !message.ias[0].addresses.empty() &&
                       message.ias[0].valid_seconds != 0;
    return given ? IpAddress(message.ias[0].addresses[0]) : IpAddress();
  }

  // Solicit and Request of a plain client; the address, not set on failure.
  IpAddress Exchange(const std::vector<std::byte>& duid, std::uint32_t iaid = 1) {
    if (Handle(Request6(dhcp::MessageType6::kSolicit).Client(duid).IaNa(iaid).Build()) !=
        dhcp::Reason6::kAdvertised) {
      return {};
    }
    const IpAddress address = ReplyAddress();
    const auto packet = Request6(dhcp::MessageType6::kRequest)
                            .Client(duid)
                            .Server(ServerId())
                            .IaNa(iaid, {address.v6()})
                            .Build();
    const dhcp::Reason6 reason = HandleDurably(packet);
    const bool bound =
        reason == dhcp::Reason6::kReplied || reason == dhcp::Reason6::kRepliedFromMemory;
    return bound ? ReplyAddress() : IpAddress();
  }

  dhcp::Reason6 Renew(const std::vector<std::byte>& duid, const IpAddress& address,
                      std::uint32_t iaid = 1) {
    return HandleDurably(Request6(dhcp::MessageType6::kRenew)
                             .Client(duid)
                             .Server(ServerId())
                             .IaNa(iaid, {address.v6()})
                             .Build());
  }

  void Pass(Duration duration) {
    now.instant = now.instant + duration;
    now.wall = {now.wall.ns + duration.ns};
  }

  std::array<IpAddress, 2> local{kRackLinkLocal, kRack6};
  config::SnapshotRef snapshot;
  lease::LeaseTable table;
  dhcp::Dhcp6Engine engine;
  dhcp::ReceiveContext6 context;
  lease::Now now;
  dhcp::Effects6 effects;
  std::array<std::byte, dhcp::kMessage6BytesMax> out{};
  std::unique_ptr<dhcp::Message6> reply = std::make_unique<dhcp::Message6>();
};

}  // namespace slipway::test
