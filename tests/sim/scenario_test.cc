// Named runs: what docs/architecture.md promises, one story each.
#include <gtest/gtest.h>

#include "tests/sim/simulation.h"

namespace slipway::sim {
namespace {

class SimScenarioTest : public testing::Test {
 protected:
  SimScenarioTest() { sim.SetUp(); }

  ~SimScenarioTest() override { EXPECT_EQ(sim.judge.report(), ""); }

  void BootAllAndWait() {
    sim.BootAll();
    ASSERT_TRUE(sim.RunUntil(Duration::Seconds(10), [&] { return sim.AllBound(); }));
  }

  Simulation sim{{.seed = 20'261'122, .clients = 8}};
};

TEST_F(SimScenarioTest, RegionKilled) {
  sim.region.Kill();
  BootAllAndWait();
  sim.RunFor(Duration::Seconds(20));
  // Invariant 12: without a region addresses, scripts and inventories go on.
  EXPECT_EQ(sim.enlisted.size(), sim.clients.size());
  EXPECT_EQ(sim.scripts, sim.clients.size());
  EXPECT_FALSE(sim.rack.outbox_empty());
  EXPECT_EQ(sim.judge.applied(store::FactClass::kInventory), 0U);
  sim.region.Start();
  EXPECT_TRUE(sim.RunUntil(Duration::Seconds(10), [&] { return sim.Unwell().empty(); }))
      << sim.Unwell();
  EXPECT_EQ(sim.judge.applied(store::FactClass::kInventory), sim.clients.size());
  sim.Finish();
}

TEST_F(SimScenarioTest, RackKilledRegionDown) {
  BootAllAndWait();
  ASSERT_TRUE(sim.RunUntil(Duration::Seconds(10), [&] { return sim.Unwell().empty(); }));
  const link::GenerationState acknowledged = sim.rack.live();
  sim.region.Kill();
  sim.rack.Kill(true);
  sim.rack.Start();
  ASSERT_TRUE(sim.rack.is_up());
  sim.RunFor(Duration::Millis(100));
  EXPECT_EQ(sim.rack.live(), acknowledged);
  EXPECT_EQ(sim.rack.leases_bound(), sim.clients.size());
  const std::uint64_t before = sim.judge.acks_received();
  BootAllAndWait();
  EXPECT_GE(sim.judge.acks_received(), before + sim.clients.size());
  sim.Finish();
}

TEST_F(SimScenarioTest, DiskFull) {
  BootAllAndWait();
  sim.rack.disk().SetCapacity(0);
  sim.rack.disk().FailWrites(1'000'000);  // what is preallocated has room, too
  sim.BootAll();
  sim.RunFor(Duration::Seconds(1));
  const std::uint64_t before = sim.judge.acks_sent();
  sim.RunFor(Duration::Seconds(20));
  EXPECT_EQ(sim.judge.acks_sent(), before);
  EXPECT_TRUE(sim.rack.journal_failing());
  sim.rack.disk().SetCapacity(UINT64_MAX);
  sim.rack.disk().FailWrites(0);
  EXPECT_TRUE(sim.RunUntil(Duration::Seconds(20), [&] { return sim.AllBound(); }));
  EXPECT_TRUE(sim.rack.is_up());
  sim.Finish();
}

TEST_F(SimScenarioTest, TornJournalTail) {
  for (int i = 0; i < 20; ++i) {
    sim.BootAll();
    sim.RunFor(Duration::Millis(1 + 7 * i));
    sim.rack.Kill(true);
    sim.rack.Start();
  }
  sim.Finish();
}

TEST_F(SimScenarioTest, ClockJumpAcrossReboot) {
  BootAllAndWait();
  sim.rack.Reboot(Duration::Seconds(86'400LL * 10), false);
  sim.RunFor(Duration::Seconds(5));
  sim.rack.Start();
  EXPECT_EQ(sim.rack.leases_bound(), sim.clients.size());
  sim.RunFor(Duration::Seconds(40));
  sim.rack.clock().SetWall({}, true);
  sim.Finish();
}

TEST_F(SimScenarioTest, DeltaDuringPartition) {
  BootAllAndWait();
  sim.wire.SetFaults({.up_blocked = true, .down_blocked = true});
  sim.Reserve(*sim.clients.front(), *Ipv4Address::Parse("10.77.40.1"));
  sim.RunFor(Duration::Seconds(10));
  EXPECT_NE(sim.rack.live().generation, sim.region.StatusOfRack().generation);
  sim.wire.SetFaults({});
  EXPECT_TRUE(sim.RunUntil(Duration::Seconds(6),
                           [&] { return sim.rack.live().hash == sim.region.StatusOfRack().hash; }));
  sim.Boot(*sim.clients.front());
  EXPECT_TRUE(sim.RunUntil(Duration::Seconds(5), [&] { return sim.clients.front()->bound(); }));
  EXPECT_EQ(sim.clients.front()->address(), *Ipv4Address::Parse("10.77.40.1"));
  sim.Finish();
}

}  // namespace
}  // namespace slipway::sim
