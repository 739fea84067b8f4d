// A flood of a million clients that nobody knows, as fast as the rack decides, into pools that are
// too small for them: known machines get their address in the same turn, or the next one, also when
// they come last. A turn is what the rack decides before it looks at its sockets again: some
// milliseconds.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "dataplane/base/random.h"
#include "dataplane/service/dhcp6_service.h"
#include "dataplane/service/dhcp_service.h"
#include "tests/support/dhcp6_lab.h"
#include "tests/support/dhcp_lab.h"
#include "tests/support/dhcp_service_lab.h"

namespace slipway::service {
namespace {

constexpr std::uint64_t kUnknown = 1'000'000;
constexpr std::size_t kBatch = limits::kPacketBatchMax;
constexpr int kMachines = 6;  // the smaller pool keeps 100 / kKnownShare for them

MacAddress MachineMac(int machine) {
  return MacAddress::FromU64(0x5254'0000'0000 + static_cast<std::uint64_t>(machine));
}

config::SnapshotRef Snapshot() {
  test::BootLab lab;
  test::Dhcp6Lab::AddNetworks(lab);
  for (int i = 0; i < kMachines; ++i) {
    lab.AddMachine(50 + static_cast<std::uint64_t>(i), ToText(MachineMac(i)).view(),
                   config::BootTarget::kLocal, "", "node" + std::to_string(i));
  }
  return lab.Finish();
}

ServedLink Link() {
  ServedLink link{.ifindex = test::kServiceIfindex,
                  .name = {},
                  .mac = {},
                  .vlan = test::kVlan,
                  .addresses = {}};
  (void)link.addresses.push_back(*IpPrefix::Parse("10.77.0.1/24"));
  (void)link.addresses.push_back({.address = test::kRackLinkLocal, .bits = 64});
  (void)link.addresses.push_back({.address = test::kRack6, .bits = 64});
  return link;
}

// Of one family: what differs is how a client asks.
template <typename Service>
class Flood {
 public:
  using Packet = std::vector<std::byte>;

  Flood(Service* service, test::DhcpServiceLab* around, IpAddress destination)
      : service_(service), around_(around), destination_(destination) {
    around_->driver->buffers.resize(kPacketsPerTurnMax + 64);
  }

  // `unknown(n)` is the question of the n-th client; `known(i)` that of a machine, and
  // `answered(datagram, i)` says that it is its answer.
  template <typename Unknown, typename Known, typename Answered>
  void Run(Unknown unknown, Known known, Answered answered) {
    constexpr std::uint64_t kTurnsApart = kUnknown / kPacketsPerTurnMax / kMachines;
    std::uint64_t turn = 0;
    int machine = 0;
    for (std::uint64_t sent = 0; sent < kUnknown; ++turn) {
      for (std::uint32_t i = 0; i < kPacketsPerTurnMax; i += kBatch) {
        Receive(kBatch, [&] { return unknown(sent++); });
      }
      // Behind all of the turn's others.
      const bool asks = machine < kMachines && turn % kTurnsApart == kTurnsApart - 1;
      if (asks) {
        Receive(1, [&] { return known(machine); });
      }
      bool found = Turn(answered, machine);
      found = asks && !found ? Turn(answered, machine) : found;
      ASSERT_EQ(found, asks) << "turn " << turn << " machine " << machine;
      machine += asks ? 1 : 0;
    }
    EXPECT_EQ(machine, kMachines);
  }

 private:
  template <typename Make>
  void Receive(std::size_t count, Make make) {
    std::vector<Packet> bytes(count);
    std::vector<shard::Packet> packets(count);
    for (std::size_t i = 0; i < count; ++i) {
      bytes[i] = make();
      packets[i].data = bytes[i];
      packets[i].ifindex = test::kServiceIfindex;
      packets[i].destination = destination_;
      if (!destination_.is_v4()) {
        packets[i].source = test::V6("fe80::c1:1e");
      }
    }
    service_->OnPackets(0, packets, around_->driver->now);
  }

  // True if the machine's answer was among what was sent.
  template <typename Answered>
  bool Turn(Answered answered, int machine) {
    around_->driver->now = around_->driver->now + Duration::Millis(5);
    EXPECT_TRUE(around_->shard->RunTurn().has_value());
    bool found = false;
    for (const test::FakeDriver::Datagram& datagram : around_->driver->sent) {
      found = found || answered(datagram, machine);
    }
    around_->driver->sent.clear();
    return found;
  }

  Service* service_;
  test::DhcpServiceLab* around_;
  IpAddress destination_;
};

TEST(DhcpFloodPropertyTest, KnownMachinesAreServedV4) {
  const config::SnapshotRef snapshot = Snapshot();
  test::DhcpLab lab(snapshot, test::DhcpLab::SmallTable());
  test::DhcpServiceLab around(snapshot, &lab.table, Link());
  PacketLog packets;
  DhcpWatch watch(&around.events, &lab.table);
  DhcpService service({.shard = around.shard.get(),
                       .raw_port = 1,
                       .shared = around.shared.get(),
                       .engine = &lab.engine,
                       .packets = &packets,
                       .watch = &watch});
  ASSERT_TRUE(service.Start({.dhcp = 0, .boot_server = 2, .arp_replies = {}}, around.driver->now)
                  .has_value());
  Flood<DhcpService> flood(&service, &around, Ipv4Address{0xFFFF'FFFF});
  flood.Run(
      [](std::uint64_t n) {
        return test::Request(dhcp::MessageType::kDiscover,
                             MacAddress::FromU64(0x0200'0000'0000 + n), 1)
            .Build();
      },
      [](int machine) {
        return test::Request(dhcp::MessageType::kDiscover, MachineMac(machine), 2).Build();
      },
      [](const test::FakeDriver::Datagram& datagram, int machine) {
        dhcp::Message reply;
        return datagram.bytes.size() > net::kUdp4FrameHeaderBytes + dhcp::kHeaderBytes &&
               dhcp::Decode(ByteSpan(datagram.bytes).subspan(net::kUdp4FrameHeaderBytes), reply) &&
               reply.mac() == MachineMac(machine) && !reply.yiaddr.is_any();
      });
  EXPECT_EQ(service.intake().dropped_oldest.value(), 0U);
}

TEST(DhcpFloodPropertyTest, KnownMachinesAreServedV6) {
  const config::SnapshotRef snapshot = Snapshot();
  test::Dhcp6Lab lab(snapshot);
  test::DhcpServiceLab around(snapshot, &lab.table, Link());
  PacketLog packets;
  Dhcp6Service service({.shard = around.shard.get(),
                        .raw_port = 1,
                        .shared = around.shared.get(),
                        .engine = &lab.engine,
                        .packets = &packets});
  ASSERT_TRUE(service.Start(0, around.driver->now).has_value());
  Flood<Dhcp6Service> flood(&service, &around, test::kAllDhcpServers);
  flood.Run(
      [](std::uint64_t n) {
        std::vector<std::byte> duid = test::DuidEn(0);
        StoreBig(duid.data() + 6, n);
        return test::Request6(dhcp::MessageType6::kSolicit, 1).Client(duid).IaNa().Build();
      },
      [](int machine) {
        return test::Request6(dhcp::MessageType6::kSolicit, 2)
            .Client(test::DuidLl(MachineMac(machine)))
            .IaNa()
            .Build();
      },
      [](const test::FakeDriver::Datagram& datagram, int machine) {
        dhcp::Message6 reply;
        return dhcp::Decode6(datagram.bytes, reply) &&
               dhcp::MacOfDuid(reply.Get(dhcp::Option6::kClientId)) == MachineMac(machine) &&
               !reply.ias.empty() && !reply.ias[0].addresses.empty();
      });
  EXPECT_EQ(service.intake().dropped_oldest.value(), 0U);
}

}  // namespace
}  // namespace slipway::service
