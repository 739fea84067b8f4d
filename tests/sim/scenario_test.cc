// Named runs: what docs/architecture.md promises, one story each.
#include <gtest/gtest.h>

#include <map>
#include <set>

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
  EXPECT_FALSE(sim.rack().outbox_empty());
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
  const link::GenerationState acknowledged = sim.rack().live();
  sim.region.Kill();
  sim.rack().Kill(true);
  sim.rack().Start();
  ASSERT_TRUE(sim.rack().is_up());
  sim.RunFor(Duration::Millis(100));
  EXPECT_EQ(sim.rack().live(), acknowledged);
  EXPECT_EQ(sim.rack().leases_bound(), sim.clients.size());
  const std::uint64_t before = sim.judge.acks_received();
  BootAllAndWait();
  EXPECT_GE(sim.judge.acks_received(), before + sim.clients.size());
  sim.Finish();
}

TEST_F(SimScenarioTest, DiskFull) {
  BootAllAndWait();
  sim.rack().disk().SetCapacity(0);
  sim.rack().disk().FailWrites(1'000'000);  // what is preallocated has room, too
  sim.BootAll();
  sim.RunFor(Duration::Seconds(1));
  const std::uint64_t before = sim.judge.acks_sent();
  sim.RunFor(Duration::Seconds(20));
  EXPECT_EQ(sim.judge.acks_sent(), before);
  EXPECT_TRUE(sim.rack().journal_failing());
  sim.rack().disk().SetCapacity(UINT64_MAX);
  sim.rack().disk().FailWrites(0);
  EXPECT_TRUE(sim.RunUntil(Duration::Seconds(20), [&] { return sim.AllBound(); }));
  EXPECT_TRUE(sim.rack().is_up());
  sim.Finish();
}

TEST_F(SimScenarioTest, TornJournalTail) {
  for (int i = 0; i < 20; ++i) {
    sim.BootAll();
    sim.RunFor(Duration::Millis(1 + 7 * i));
    sim.rack().Kill(true);
    sim.rack().Start();
  }
  sim.Finish();
}

TEST_F(SimScenarioTest, ClockJumpAcrossReboot) {
  BootAllAndWait();
  sim.rack().Reboot(Duration::Seconds(86'400LL * 10), false);
  sim.RunFor(Duration::Seconds(5));
  sim.rack().Start();
  EXPECT_EQ(sim.rack().leases_bound(), sim.clients.size());
  sim.RunFor(Duration::Seconds(40));
  sim.rack().clock().SetWall({}, true);
  sim.Finish();
}

TEST_F(SimScenarioTest, DeltaDuringPartition) {
  BootAllAndWait();
  sim.wire().SetFaults({.up_blocked = true, .down_blocked = true});
  sim.Reserve(*sim.clients.front(), *Ipv4Address::Parse("10.77.40.1"));
  sim.RunFor(Duration::Seconds(10));
  EXPECT_NE(sim.rack().live().generation, sim.region.StatusOf(sim.rack().name()).generation);
  sim.wire().SetFaults({});
  EXPECT_TRUE(sim.RunUntil(Duration::Seconds(6), [&] {
    return sim.rack().live().hash == sim.region.StatusOf(sim.rack().name()).hash;
  }));
  sim.Boot(*sim.clients.front());
  EXPECT_TRUE(sim.RunUntil(Duration::Seconds(5), [&] { return sim.clients.front()->bound(); }));
  EXPECT_EQ(sim.clients.front()->address(), *Ipv4Address::Parse("10.77.40.1"));
  sim.Finish();
}

// Two relays forward every broadcast: one lease for each client, and nobody is refused.
TEST(SimSitesTest, TwoRelaysOneLease) {
  Simulation sim({.seed = 3, .clients = 2, .far_clients = 12, .relays = 2});
  sim.SetUp();
  sim.BootAll();
  ASSERT_TRUE(sim.RunUntil(Duration::Seconds(20), [&] { return sim.AllBound(); }));
  EXPECT_EQ(sim.rack().leases_bound(), sim.clients.size());
  // Renewals go by unicast, past the relays' DHCP, through their routing. Firmware renews each 60
  // s, and by broadcast only after 105.
  const std::uint64_t before = sim.judge.acks_received();
  sim.RunFor(Duration::Seconds(130));
  EXPECT_GE(sim.judge.acks_received(), before + 2 * sim.clients.size());
  EXPECT_EQ(sim.rack().leases_bound(), sim.clients.size());
  sim.Finish();
  EXPECT_EQ(sim.judge.report(), "");
}

// Each rack is told of its own VLAN only, and has its own leases, journal and cursors.
TEST(SimSitesTest, TwoRacksOneRegion) {
  Simulation sim({.seed = 4, .clients = 6, .far_clients = 6, .racks = 2});
  sim.SetUp();
  sim.BootAll();
  ASSERT_TRUE(sim.RunUntil(Duration::Seconds(20), [&] { return sim.AllBound(); }));
  EXPECT_EQ(sim.rack(0).leases_bound(), 6U);
  EXPECT_EQ(sim.rack(1).leases_bound(), 6U);
  sim.rack(1).Kill(true);
  sim.RunFor(Duration::Seconds(40));
  EXPECT_EQ(sim.rack(0).leases_bound(), 6U);
  sim.Finish();
  EXPECT_EQ(sim.judge.report(), "");
}

// Whoever takes the rival's address comes back when its lease is over; nobody is lost for good.
TEST(SimSitesTest, RivalServer) {
  Simulation sim({.seed = 5, .clients = 12});
  sim.SetUp();
  sim.rival.SetOn(true);
  sim.BootAll();
  sim.RunFor(Duration::Seconds(30));
  EXPECT_GT(sim.rival.answers(), 0U);
  EXPECT_LT(sim.rack().leases_bound(), sim.clients.size());
  sim.rival.SetOn(false);
  sim.RunFor(Duration::Seconds(60));
  EXPECT_EQ(sim.rack().leases_bound(), sim.clients.size());
  sim.Finish();
  EXPECT_EQ(sim.judge.report(), "");
}

// A power cut in the middle of a site's whole morning.
TEST(SimSitesTest, TenThousandClients) {
  Simulation sim({.seed = 6,
                  .clients = 10'000,
                  .lease_seconds = 600,
                  .leases_max = 16'384,
                  .range_end = "60.255"});
  sim.SetUp();
  sim.BootAll();
  sim.RunFor(Duration::Millis(300));
  sim.rack().Kill(true);
  sim.rack().Start();
  ASSERT_TRUE(sim.RunUntil(Duration::Seconds(60), [&] { return sim.AllBound(); }));
  EXPECT_EQ(sim.rack().leases_bound(), sim.clients.size());
  sim.Finish();
  EXPECT_EQ(sim.judge.report(), "");
}

class SimPairTest : public testing::Test {
 protected:
  SimPairTest() {
    sim.SetUp();
    sim.BootAll();
    EXPECT_TRUE(sim.RunUntil(Duration::Seconds(10), [&] { return sim.AllBound(); }));
    EXPECT_TRUE(sim.RunUntil(Duration::Seconds(20), [&] { return sim.Unwell().empty(); }))
        << sim.Unwell();
  }

  ~SimPairTest() override { EXPECT_EQ(sim.judge.report(), ""); }

  Simulation sim{{.seed = 20'261'129, .clients = 8, .far_clients = 4, .pair = true, .relays = 2}};
};

TEST_F(SimPairTest, BothGiveAndBothKnow) {
  EXPECT_EQ(sim.rack(0).leases_bound(), sim.clients.size());
  EXPECT_EQ(sim.rack(1).leases_bound(), sim.clients.size());
  std::set<std::uint32_t> shares;
  for (const auto& client : sim.clients) {
    shares.insert(client->address().value % 2);
  }
  EXPECT_EQ(shares.size(), 2U);
  sim.Finish();
}

TEST_F(SimPairTest, TheOtherRackTakesOverWithinTenSeconds) {
  std::map<MacAddress, Ipv4Address> before;
  for (const auto& client : sim.clients) {
    before[client->mac()] = client->address();
  }
  sim.rack(0).Kill(true);
  sim.BootAll();
  EXPECT_TRUE(sim.RunUntil(Duration::Seconds(10), [&] { return sim.AllBound(); }));
  for (const auto& client : sim.clients) {
    EXPECT_EQ(client->address(), before[client->mac()]);
  }
  // Back again, it serves when it has caught up.
  sim.RunFor(Duration::Seconds(60));
  sim.rack(0).Start();
  EXPECT_TRUE(sim.RunUntil(Duration::Seconds(20), [&] { return sim.Unwell().empty(); }))
      << sim.Unwell();
  sim.Finish();
}

TEST_F(SimPairTest, TheWordThatARackIsDownStandsUntilTheyMeet) {
  sim.rack(1).Kill(true);
  ASSERT_TRUE(sim.region.DeclareDown(sim.rack(1).name()));
  EXPECT_TRUE(sim.RunUntil(Duration::Seconds(10), [&] {
    return sim.rack(0).pair_state() == lease::PairState::kPartnerDown;
  }));
  sim.RunFor(Duration::Seconds(2LL * kMcltSeconds));
  // All leave, and come again: what the dead rack could have given is given by the other one.
  sim.BootAll();
  EXPECT_TRUE(sim.RunUntil(Duration::Seconds(20), [&] { return sim.AllBound(); }));
  EXPECT_TRUE(sim.region.Pair()->down.is_set());
  sim.rack(1).Start();
  EXPECT_TRUE(sim.RunUntil(Duration::Seconds(60), [&] { return sim.Unwell().empty(); }))
      << sim.Unwell();
  EXPECT_FALSE(sim.region.Pair()->down.is_set());
  sim.Finish();
}

TEST_F(SimPairTest, CutOffInOneDirectionNobodyGetsAnAddressTwice) {
  for (const bool first : {true, false}) {
    sim.pair_wire.SetFaults({.blocked = {first, !first}});
    sim.BootAll();
    sim.RunFor(Duration::Seconds(40));
    EXPECT_TRUE(sim.AllBound());
    sim.pair_wire.SetFaults({});
    EXPECT_TRUE(sim.RunUntil(Duration::Seconds(20), [&] { return sim.Unwell().empty(); }))
        << sim.Unwell();
  }
  sim.Finish();
}

}  // namespace
}  // namespace slipway::sim
