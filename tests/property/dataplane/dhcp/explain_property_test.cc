// For any packet, at any moment: what Explain says is what Handle does next, and explaining changes
// nothing. Every rule that shows up is in the documentation.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "dataplane/base/random.h"
#include "dataplane/dhcp/trace.h"
#include "tests/support/dhcp_lab.h"
#include "tests/support/seed.h"
#include "tests/support/table_fingerprint.h"

namespace slipway::dhcp {
namespace {

using test::BootLab;
using test::DhcpLab;
using test::kRack;
using test::kRelay;
using test::Request;
using test::V4;

constexpr std::uint64_t kClients = 60;

MacAddress MacOf(std::uint64_t client) { return MacAddress::FromU64(0x0200'0000'0000 + client); }

// Ranges that are too small for all, reservations inside and outside of them, a second subnet on
// the VLAN, machines that move: differently for each number.
config::SnapshotRef SnapshotOf(std::uint64_t number) {
  BootLab lab;
  lab.range.last = Ipv4Address{lab.range.first.v4().value + 23};
  config::SubnetRecord second = lab.subnet;
  second.id = 11;
  second.prefix = *IpPrefix::Parse("10.78.0.0/24");
  config::RangeRecord more = lab.range;
  more.id = 101;
  more.subnet = second.id;
  more.first = V4("10.78.0.10");
  more.last = V4("10.78.0.17");
  lab.vlan.unknown_policy =
      number % 4 == 3 ? config::UnknownPolicy::kIgnore : config::UnknownPolicy::kEnlist;
  lab.AddNetwork().AddRelayedNetwork().AddImages();
  if (number % 2 == 0) {
    lab.Put(second).Put(more);
  }
  for (std::uint64_t i = 0; i < 12; ++i) {
    const Ipv4Address inside{test::kPoolFirst.value + static_cast<std::uint32_t>(i + number)};
    const Ipv4Address outside{test::kRack.value + 10 + static_cast<std::uint32_t>(i)};
    const std::string address(i % 3 == 0   ? ""
                              : i % 3 == 1 ? ToText(inside).view()
                                           : ToText(outside).view());
    lab.AddMachine(50 + i, ToText(MacOf(i)).view(),
                   i % 2 == 0 ? config::BootTarget::kLauncher : config::BootTarget::kLocal, address,
                   "node" + std::to_string(i));
  }
  return lab.Finish();
}

// All that explaining must leave alone.
std::uint64_t Fingerprint(const DhcpLab& lab) {
  std::uint64_t hash = test::Fingerprint(lab.table, *lab.snapshot);
  const auto mix = [&hash](std::uint64_t value) { hash = Mix64(hash ^ value); };
  for (const Counter& counter : lab.engine.counters().by_reason) {
    mix(counter.value());
  }
  mix(lab.engine.counters().loops_found.value());
  return hash;
}

// Every other table is smaller than its pools.
lease::TableOptions TableOf(std::uint64_t seed) {
  lease::TableOptions options = DhcpLab::SmallTable();
  options.leases_max = seed % 2 == 0 ? 20 : options.leases_max;
  return options;
}

class Asker {
 public:
  explicit Asker(std::uint64_t seed) : random_(seed), lab_(SnapshotOf(0), TableOf(seed)) {}

  void Step() {
    switch (random_.Below(24)) {
      case 0:
        lab_.Pass(Duration::Seconds(static_cast<std::int64_t>(random_.Below(400))));
        while (lab_.engine.ExpireOne(lab_.now, lab_.effects)) {
        }
        return;
      case 1:
        return lab_.Use(SnapshotOf(random_.Below(8)));
      case 2:
        return lab_.table.Maintain(*lab_.snapshot, lab_.local, 64);
      default:
        return Ask(RandomPacket());
    }
  }

  [[nodiscard]] const std::set<std::string>& rules() const { return rules_; }

 private:
  Ipv4Address RandomAddress() {
    const std::uint32_t base[] = {test::kPoolFirst.value, V4("10.78.0.8").value,
                                  V4("10.88.0.100").value, test::kRack.value + 10,
                                  V4("192.0.2.1").value};
    return {base[random_.Below(5)] + static_cast<std::uint32_t>(random_.Below(26))};
  }

  std::vector<std::byte> RandomPacket() {
    constexpr MessageType kTypes[] = {MessageType::kDiscover, MessageType::kDiscover,
                                      MessageType::kDiscover, MessageType::kRequest,
                                      MessageType::kRequest,  MessageType::kRequest,
                                      MessageType::kDecline,  MessageType::kRelease,
                                      MessageType::kInform,   MessageType::kNone};
    const MessageType type = kTypes[random_.Below(10)];
    const MacAddress mac = random_.Below(40) == 0 ? MacAddress{} : MacOf(random_.Below(kClients));
    const lease::Lease* held = lab_.table.ByClient(lease::ClientKey::FromMac(mac), test::kVlan);
    const Ipv4Address address =
        held != nullptr && random_.Below(4) != 0 ? held->address.v4() : RandomAddress();
    Request request(type, mac, static_cast<std::uint32_t>(random_.Below(3)));
    lab_.context.source = {};
    lab_.context.destination = {0xFFFF'FFFF};
    if (random_.Below(3) == 0) {
      request.Text(Option::kVendorClass, "PXEClient:Arch:00000:UNDI:002001")
          .Bytes(Option::kClientArchitecture, {0, static_cast<std::uint8_t>(random_.Below(2) * 7)});
    }
    if (random_.Below(8) == 0) {
      request.Text(Option::kUserClass, "iPXE");
    }
    const bool in_ciaddr = type == MessageType::kRelease || type == MessageType::kInform ||
                           (type == MessageType::kRequest && random_.Below(3) == 0);
    if (in_ciaddr) {
      request.Ciaddr(address);
      lab_.context.source = address;
      lab_.context.destination = kRack;
    } else if (type != MessageType::kDiscover || random_.Below(3) == 0) {
      request.Address(Option::kRequestedAddress, address);
    }
    const bool names_server =
        (type == MessageType::kRequest && !in_ciaddr && random_.Below(3) != 0) ||
        type == MessageType::kDecline || type == MessageType::kRelease;
    if (names_server) {
      request.Address(Option::kServerIdentifier, random_.Below(8) == 0 ? V4("192.0.2.9") : kRack);
    }
    return Deliver(request);
  }

  // Relays, hops, and damage.
  std::vector<std::byte> Deliver(Request& request) {
    if (random_.Below(5) == 0) {
      request.Giaddr(random_.Below(6) == 0 ? V4("192.0.2.1") : kRelay);
      lab_.context.source = kRelay;
      lab_.context.destination = kRack;
      if (random_.Below(3) == 0) {
        request.Bytes(Option::kRelayAgentInformation, {5, 4, 10, 77, 0, 0});
      }
    }
    if (random_.Below(30) == 0) {
      request.Hops(static_cast<std::uint8_t>(random_.Below(20)));
    }
    std::vector<std::byte> packet = request.Build();
    if (random_.Below(30) == 0) {
      packet[random_.Below(packet.size())] = static_cast<std::byte>(random_.Below(256));
    }
    return packet;
  }

  void Ask(const std::vector<std::byte>& packet) {
    const std::uint64_t before = Fingerprint(lab_);
    Effects told;
    std::array<std::byte, kMessageBytesMax> reply{};
    lab_.engine.Explain(packet, lab_.context, *lab_.snapshot, lab_.now, reply, told, trace_);
    ASSERT_EQ(before, Fingerprint(lab_)) << "explaining has changed something";
    ASSERT_EQ(trace_.left_out, 0U);
    for (const TracedRule& rule : trace_.rules) {
      rules_.emplace(rule.tried.rule);
    }
    const Reason reason = lab_.Handle(packet);
    const Effects& done = lab_.effects;
    ASSERT_EQ(ToString(told.reason), ToString(reason));
    ASSERT_EQ(told.reply.delivery, done.reply.delivery);
    ASSERT_EQ(told.reply.bytes, done.reply.bytes);
    ASSERT_EQ(told.reply.mac, done.reply.mac);
    ASSERT_EQ(told.reply.address, done.reply.address);
    ASSERT_EQ(told.reply.port, done.reply.port);
    ASSERT_EQ(told.reply.source, done.reply.source);
    ASSERT_EQ(told.reply.wait_durable, done.reply.wait_durable);
    ASSERT_TRUE(told.steps.empty());  // a question is no step of a boot
    ASSERT_TRUE(std::equal(reply.begin(), reply.begin() + static_cast<long>(told.reply.bytes),
                           lab_.out.begin()));
    if (!done.record.empty() && random_.Below(8) != 0) {
      lab_.engine.OnDurable(done.ticket);
    }
    lab_.table.CheckInvariants();
  }

  SeededRandom random_;
  DhcpLab lab_;
  DecisionTrace trace_;
  std::set<std::string> rules_;
};

TEST(ExplainPropertyTest, SaysWhatTheEngineDoesNext) {
  const std::uint64_t seed = test::TestSeed(1);
  std::set<std::string> rules;
  for (std::uint64_t run = 0; run < 10; ++run) {
    Asker asker(seed + run);
    for (int step = 0; step < 2000; ++step) {
      asker.Step();
      ASSERT_FALSE(testing::Test::HasFailure()) << "run " << run << " step " << step;
    }
    rules.insert(asker.rules().begin(), asker.rules().end());
  }
  EXPECT_GE(rules.size(), 40U);
  std::stringstream page;
  page << std::ifstream(SLIPWAY_SOURCE_DIR "/docs/protocols/dhcp.md").rdbuf();
  for (const std::string& rule : rules) {
    EXPECT_NE(page.str().find("`" + rule + "`"), std::string::npos)
        << "docs/protocols/dhcp.md does not explain " << rule;
  }
}

}  // namespace
}  // namespace slipway::dhcp
