// A sequence of DHCPv6 packets and clock steps against one engine. Input: records of one control
// byte and two length bytes, then the packet.
//   bit  0    the link is not served
//   bit  1    to the rack's own address instead of the group
//   bit  2    from a relay's address
//   bit  3    its record becomes durable
//   bits 4-7  seconds that pass before, as 2^n - 1
// A first offer to a packet of odd length meets a neighbour that has the address.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "dataplane/base/check.h"
#include "dataplane/dhcp/engine6.h"
#include "dataplane/dhcp/trace.h"
#include "tests/support/dhcp6_lab.h"

namespace {

using namespace slipway;  // NOLINT(google-build-using-namespace): a test program

struct World {
  World()
      : table(Options()), engine({.server_id = test::Dhcp6Lab::ServerId(), .loops = {}}, &table) {
    test::BootLab lab;
    lab.range6.last = test::V6("2001:db8:77::1:7");
    test::Dhcp6Lab::AddNetworks(lab).AddMachine(5, "52:54:00:e2:01:01",
                                                config::BootTarget::kLauncher);
    snapshot = lab.Finish();
    table.Rebuild(*snapshot);
  }

  static lease::TableOptions Options() {
    lease::TableOptions options;
    options.leases_max = 12;  // fewer than clients
    options.pools_max = 8;
    options.ranges_max = 16;
    options.pool_addresses_max = 256;
    return options;
  }

  void Step(std::uint8_t control, ByteSpan packet) {
    now.instant = now.instant + Duration::Seconds((1 << (control >> 4)) - 1);
    std::array<const lease::Lease*, 16> ended{};
    (void)table.Expire(now.instant, ended);
    dhcp::ReceiveContext6 context;
    context.vlan = (control & 1) != 0 ? nullptr : snapshot->VlanById(test::kVlan);
    context.local_addresses = local;
    context.link_local = test::kRackLinkLocal;
    context.destination = (control & 2) != 0 ? test::kRack6 : test::kAllDhcpServers;
    context.source = (control & 4) != 0 ? test::V6("2001:db8:88::1") : test::V6("fe80::5");
    context.source_port = dhcp::kServerPort6;
    // What is explained is what happens next.
    engine.Explain(packet, context, *snapshot, now, out, effects, trace);
    const dhcp::Reason6 told = effects.reason;
    const ByteSpan head = ByteSpan(out).first(effects.reply.bytes);
    const std::vector<std::byte> foretold(head.begin(), head.end());
    engine.Handle(packet, context, *snapshot, now, out, effects);
    SLIP_CHECK(effects.reason == told);
    SLIP_CHECK(std::ranges::equal(foretold, std::span(out).first(effects.reply.bytes)));
    SLIP_CHECK(effects.reply.bytes <= out.size());
    SLIP_CHECK(!effects.reply.wait_durable || !effects.record.empty());
    SLIP_CHECK(!effects.reply.wait_durable || effects.reply.bytes != 0);
    if ((control & 8) != 0 && !effects.record.empty()) {
      engine.OnDurable(effects.ticket);
    }
    if (effects.reply.bytes != 0) {
      auto reply = std::make_unique<dhcp::Message6>();
      SLIP_CHECK(dhcp::Decode6(std::span(out).first(effects.reply.bytes), *reply).has_value());
    }
    if (effects.probe.is_set() && packet.size() % 2 != 0) {
      const IpAddress address = effects.probe;
      const bool taken_back =
          engine.OnNeighbour(address, MacAddress::FromU64(9), context.ifindex, now, effects);
      SLIP_CHECK(taken_back == !effects.record.empty());
    }
    table.Maintain(*snapshot, local, 8);
  }

  config::SnapshotRef snapshot;
  lease::LeaseTable table;
  dhcp::Dhcp6Engine engine;
  dhcp::Effects6 effects;
  dhcp::DecisionTrace trace;
  std::array<IpAddress, 2> local{test::kRackLinkLocal, test::kRack6};
  std::array<std::byte, dhcp::kMessage6BytesMax> out{};
  lease::Now now{.instant = {1}, .wall = {1}, .boot_id = 1, .wall_synchronised = true};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto world = std::make_unique<World>();
  WireReader reader(std::as_bytes(std::span(data, size)));
  for (int i = 0; i < 64 && reader.left() >= 3; ++i) {
    const std::uint8_t control = reader.U8();
    const std::uint16_t length = reader.U16();
    world->Step(control, reader.Bytes(std::min<std::size_t>(length, reader.left())));
  }
  world->table.CheckInvariants();
  return 0;
}
