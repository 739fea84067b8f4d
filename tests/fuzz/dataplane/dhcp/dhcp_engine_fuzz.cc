// A sequence of packets and clock steps against one engine. Input: records of one control byte and
// two length bytes, then the packet.
//   bits 0-2  how the packet came: link, relay, unserved, other policy
//   bit  3    its record becomes durable
//   bits 4-7  seconds that pass before, as 2^n - 1
#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "dataplane/base/check.h"
#include "dataplane/dhcp/engine.h"
#include "dataplane/dhcp/trace.h"
#include "tests/support/boot_lab.h"

namespace {

using namespace slipway;  // NOLINT(google-build-using-namespace): a test program

struct World {
  World() : table(Options()), engine({}, &table) {
    test::BootLab lab;
    lab.range.last = test::V4("10.77.0.107");
    lab.AddNetwork().AddRelayedNetwork().AddImages().AddMachine(
        5, "52:54:00:e2:01:01", config::BootTarget::kLauncher, "10.77.0.101");
    snapshot = lab.Finish();
    table.Rebuild(*snapshot);
  }

  static lease::TableOptions Options() {
    lease::TableOptions options;
    options.leases_max = 12;  // fewer than there are addresses
    options.pools_max = 4;
    options.ranges_max = 8;
    options.pool_addresses_max = 256;
    return options;
  }

  void Step(std::uint8_t control, ByteSpan packet) {
    const int seconds = (1 << (control >> 4)) - 1;
    now.instant = now.instant + Duration::Seconds(seconds);
    for (int i = 0; i < 16 && engine.ExpireOne(now, effects); ++i) {
    }
    dhcp::ReceiveContext context;
    context.vlan = (control & 1) != 0 ? nullptr : snapshot->VlanById(test::kVlan);
    context.local_addresses = local;
    context.destination = (control & 2) != 0 ? test::kRack : Ipv4Address{0xFFFF'FFFF};
    context.source = (control & 4) != 0 ? test::kPoolFirst : Ipv4Address{};
    // What is explained is what happens next.
    engine.Explain(packet, context, *snapshot, now, out, effects, trace);
    const dhcp::Reason told = effects.reason;
    const ByteSpan head = ByteSpan(out).first(effects.reply.bytes);
    const std::vector<std::byte> reply(head.begin(), head.end());
    engine.Handle(packet, context, *snapshot, now, out, effects);
    SLIP_CHECK(effects.reason == told);
    SLIP_CHECK(std::ranges::equal(reply, std::span(out).first(effects.reply.bytes)));
    SLIP_CHECK(effects.reply.bytes <= out.size());
    SLIP_CHECK((effects.reply.delivery == dhcp::Delivery::kNone) == (effects.reply.bytes == 0));
    SLIP_CHECK(!effects.reply.wait_durable || !effects.record.empty());
    if ((control & 8) != 0 && !effects.record.empty()) {
      engine.OnDurable(effects.ticket);
    }
    table.Maintain(*snapshot, local, 8);
  }

  config::SnapshotRef snapshot;
  lease::LeaseTable table;
  dhcp::Dhcp4Engine engine;
  dhcp::Effects effects;
  dhcp::DecisionTrace trace;
  std::array<IpAddress, 1> local{test::kRack};
  std::array<std::byte, dhcp::kMessageBytesMax> out{};
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
