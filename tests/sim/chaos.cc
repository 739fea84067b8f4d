#include "tests/sim/chaos.h"

#include <array>

namespace slipway::sim {
namespace {

[[nodiscard]] Duration Between(Simulation& sim, std::int64_t from_ms, std::int64_t to_ms) {
  return Duration::Millis(from_ms + static_cast<std::int64_t>(sim.world.random().Below(
                                        static_cast<std::uint64_t>(to_ms - from_ms + 1))));
}

// ---- nodes ----

void KillRegion(Simulation& sim) {
  sim.region.Kill();
  sim.world.After(Between(sim, 200, 20'000), [&sim] { sim.region.Start(); });
}

void KillRack(Simulation& sim) {
  RackNode& rack = sim.AnyRack();
  rack.Kill(false);
  sim.world.After(Between(sim, 50, 3'000), [&rack] { rack.Start(); });
}

void CutPower(Simulation& sim) {
  RackNode& rack = sim.AnyRack();
  rack.Kill(true);
  sim.world.After(Between(sim, 50, 3'000), [&rack] { rack.Start(); });
}

// A host without a battery comes up with a wrong clock, which a time service may set later.
void RebootRack(Simulation& sim) {
  constexpr std::array kErrors = {Duration::Seconds(0), Duration::Seconds(3600),
                                  Duration::Seconds(-7200), Duration::Seconds(86'400LL * 400),
                                  Duration::Seconds(-86'400LL * 4)};
  const Duration error = kErrors[sim.world.random().Below(kErrors.size())];
  RackNode& rack = sim.AnyRack();
  rack.Reboot(error, error.ns == 0 && sim.world.OneIn(2));
  sim.world.After(Between(sim, 500, 15'000), [&rack] { rack.Start(); });
  sim.world.After(Between(sim, 500, 60'000), [&rack] { rack.clock().SetWall(Duration{}, true); });
}

// ---- the rack's disk ----

void FillDisk(Simulation& sim) {
  RackNode& rack = sim.AnyRack();
  sim.world.Log("disk full");
  rack.disk().SetCapacity(sim.world.random().Below(64 << 10));
  sim.world.After(Between(sim, 500, 10'000), [&sim, &rack] {
    sim.world.Log("disk has room");
    rack.disk().SetCapacity(UINT64_MAX);
  });
}

void FailWrites(Simulation& sim) {
  RackNode& rack = sim.AnyRack();
  sim.world.Log("writes fail");
  rack.disk().FailWrites(static_cast<std::uint32_t>(50'000 + sim.world.random().Below(950'000)));
  sim.world.After(Between(sim, 200, 6'000), [&rack] { rack.disk().FailWrites(0); });
}

void FailSyncs(Simulation& sim) {
  RackNode& rack = sim.AnyRack();
  sim.world.Log("syncs fail");
  rack.disk().FailSyncs(static_cast<std::uint32_t>(50'000 + sim.world.random().Below(950'000)));
  sim.world.After(Between(sim, 200, 6'000), [&rack] { rack.disk().FailSyncs(0); });
}

void ReadOnly(Simulation& sim) {
  RackNode& rack = sim.AnyRack();
  sim.world.Log("disk is read-only");
  rack.disk().SetReadOnly(true);
  sim.world.After(Between(sim, 200, 6'000), [&rack] { rack.disk().SetReadOnly(false); });
}

// ---- the wire ----

void Partition(Simulation& sim) {
  const std::uint64_t sides = 1 + sim.world.random().Below(3);
  Wire& wire = sim.AnyWire();
  WireFaults faults = wire.faults();
  faults.up_blocked = (sides & 1) != 0;
  faults.down_blocked = (sides & 2) != 0;
  sim.world.Log("partition " + std::to_string(sides));
  wire.SetFaults(faults);
  sim.world.After(Between(sim, 200, 15'000), [&sim, &wire] {
    WireFaults healed = wire.faults();
    healed.up_blocked = false;
    healed.down_blocked = false;
    sim.world.Log("partition ends");
    wire.SetFaults(healed);
  });
}

void Disturb(Simulation& sim) {
  Wire& wire = sim.AnyWire();
  WireFaults faults = wire.faults();
  faults.break_one_in = 10 + sim.world.random().Below(100);
  faults.damage_one_in = 10 + sim.world.random().Below(100);
  faults.delay_max = Between(sim, 1, 200);
  wire.SetFaults(faults);
  sim.world.After(Between(sim, 1'000, 15'000), [&wire] {
    WireFaults calm{.up_blocked = wire.faults().up_blocked,
                    .down_blocked = wire.faults().down_blocked};
    wire.SetFaults(calm);
  });
}

void FailFacts(Simulation& sim) {
  sim.region.SetFactsFailing(true);
  sim.world.After(Between(sim, 500, 8'000), [&sim] { sim.region.SetFactsFailing(false); });
}

// ---- the segment and its clients ----

void LoseFrames(Simulation& sim) {
  Segment& segment = sim.AnySegment();
  segment.SetFaults({.lose_one_in = 2 + sim.world.random().Below(20),
                     .double_one_in = 2 + sim.world.random().Below(20),
                     .delay_max = Between(sim, 0, 80)});
  sim.world.After(Between(sim, 1'000, 15'000), [&segment] { segment.SetFaults({}); });
}

// Somebody plugs another DHCP server in.
void PlugRivalIn(Simulation& sim) {
  sim.world.Log("a rival server");
  sim.rival.SetOn(true);
  sim.world.After(Between(sim, 1'000, 20'000), [&sim] { sim.rival.SetOn(false); });
}

void DisturbClients(Simulation& sim) {
  const std::size_t count = 1 + sim.world.random().Below(1 + sim.clients.size() / 2);
  for (std::size_t i = 0; i < count; ++i) {
    SimClient& client = *sim.clients[sim.world.random().Below(sim.clients.size())];
    const std::uint64_t what = sim.world.random().Below(4);
    if (what == 0) {
      client.Release();
      sim.world.After(Between(sim, 1'000, 8'000), [&client] {
        if (client.off()) {
          client.Boot();
        }
      });
    } else {
      client.Boot(what == 1);
    }
  }
}

// ---- the model ----

[[nodiscard]] std::string Spare(Simulation& sim, const SimClient& client) {
  return std::string(client.segment() == &sim.far ? "10.78." : "10.77.") +
         std::to_string(16 + sim.world.random().Below(100)) + "." +
         std::to_string(1 + sim.world.random().Below(250));
}

void ChangeModel(Simulation& sim) {
  using model::Kind;
  const std::string number = std::to_string(sim.world.random().Below(200));
  sim.world.Log("model changes");
  switch (sim.world.random().Below(5)) {
    case 0: {
      SimClient& client = *sim.clients[sim.world.random().Below(sim.clients.size())];
      sim.Reserve(client, *Ipv4Address::Parse(Spare(sim, client)));
      break;
    }
    case 1:
      (void)sim.region.Create(
          Kind::kSubnet,
          R"({"name":"s)" + number + R"(","vlan":"boot","cidr":"10.)" + number + R"(.0.0/24"})");
      break;
    case 2:
      (void)sim.region.Create(Kind::kRange, R"({"subnet":"net-boot","first":"10.77.200.)" + number +
                                                R"(","last":"10.77.200.)" + number + "\"}");
      break;
    case 3:
      (void)sim.region.Create(Kind::kMachine, R"({"hostname":"m)" + number + "\"}");
      break;
    default:
      (void)sim.region.Patch(
          {.kind = Kind::kSubnet, .id = sim.subnet},
          R"({"lease_seconds":)" + std::to_string(60 + sim.world.random().Below(60)) + "}");
      break;
  }
}

void ChangeMuch(Simulation& sim) {
  for (int i = 0; i < 20; ++i) {
    ChangeModel(sim);
  }
}

// ---- the pair ----

void CutPair(Simulation& sim) {
  PairWireFaults faults = sim.pair_wire.faults();
  const std::uint64_t sides = 1 + sim.world.random().Below(3);
  faults.blocked = {(sides & 1) != 0, (sides & 2) != 0};
  sim.world.Log("the pair is cut " + std::to_string(sides));
  sim.pair_wire.SetFaults(faults);
  sim.world.After(Between(sim, 200, 40'000), [&sim] {
    PairWireFaults healed = sim.pair_wire.faults();
    healed.blocked = {};
    sim.world.Log("the pair is whole");
    sim.pair_wire.SetFaults(healed);
  });
}

void DisturbPair(Simulation& sim) {
  PairWireFaults faults = sim.pair_wire.faults();
  faults.lose_one_in = 5 + sim.world.random().Below(50);
  faults.double_one_in = 5 + sim.world.random().Below(50);
  faults.delay_max = Between(sim, 1, 300);
  sim.pair_wire.SetFaults(faults);
  sim.world.After(Between(sim, 1'000, 15'000),
                  [&sim] { sim.pair_wire.SetFaults({.blocked = sim.pair_wire.faults().blocked}); });
}

void Pause(Simulation& sim) { sim.AnyRack().Pause(Between(sim, 500, 20'000)); }

// Dead for long enough that its partner may be told so.
void LongDeath(Simulation& sim) {
  RackNode& rack = sim.AnyRack();
  rack.Kill(true);
  const Duration away = Between(sim, 4'000, 50'000);
  sim.world.After(Between(sim, 3'500, 10'000), [&sim, &rack] {
    if (!rack.is_up() && sim.world.OneIn(2)) {
      sim.world.Log("declared down: " + rack.name());
      (void)sim.region.DeclareDown(rack.name());
    }
  });
  sim.world.After(away, [&rack] { rack.Start(); });
}

}  // namespace

void PlanPairChaos(Simulation& sim, Duration span, std::size_t count) {
  constexpr std::array kFaults = {&CutPair, &CutPair, &DisturbPair, &Pause, &LongDeath};
  for (std::size_t i = 0; i < count; ++i) {
    const auto fault = kFaults[sim.world.random().Below(kFaults.size())];
    sim.world.After(Between(sim, 0, span.millis()), [&sim, fault] { fault(sim); });
  }
}

void PlanChaos(Simulation& sim, Duration span, std::size_t count) {
  constexpr std::array kFaults = {&KillRegion,  &KillRack,    &CutPower,       &RebootRack,
                                  &FillDisk,    &FailWrites,  &FailSyncs,      &ReadOnly,
                                  &Partition,   &Partition,   &Disturb,        &FailFacts,
                                  &LoseFrames,  &PlugRivalIn, &DisturbClients, &DisturbClients,
                                  &ChangeModel, &ChangeModel, &ChangeMuch};
  for (std::size_t i = 0; i < count; ++i) {
    const auto fault = kFaults[sim.world.random().Below(kFaults.size())];
    sim.world.After(Between(sim, 0, span.millis()), [&sim, fault] { fault(sim); });
  }
}

}  // namespace slipway::sim
