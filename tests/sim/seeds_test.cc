// Random runs. SLIPWAY_SIM_SEEDS=N runs N seeds in place of 200, SLIPWAY_SIM_SEED=K only that one;
// a failure prints its seed and the log before it.
#include <gtest/gtest.h>

#include <cstdlib>

#include "dataplane/shard/seal.h"
#include "tests/sim/chaos.h"

namespace slipway::sim {
namespace {

constexpr std::uint64_t kSeeds = 200;
constexpr std::uint64_t kSeedsLong = 5000;
constexpr Duration kTrouble = Duration::Seconds(80);

[[nodiscard]] std::uint64_t FromEnvironment(const char* name, std::uint64_t fallback) {
  const char* const text = std::getenv(name);
  return text == nullptr ? fallback : std::strtoull(text, nullptr, 0);
}

constexpr std::uint64_t kPairSeeds = 200;
constexpr std::uint64_t kPairSeedsLong = 5000;

struct Outcome {
  std::uint64_t hash = 0;
  std::uint64_t lines = 0;
  std::uint64_t acks = 0;
  std::string report;
};

[[nodiscard]] Outcome OutcomeOf(Simulation& sim) {
  if (sim.judge.ok()) {
    sim.Finish();
  }
  return {.hash = sim.world.log_hash(),
          .lines = sim.world.log_lines(),
          .acks = sim.judge.acks_received(),
          .report = sim.judge.report()};
}

// Two racks as a pair: the faults of one, and those of two.
[[nodiscard]] Outcome RunPairSeed(std::uint64_t seed) {
  SeededRandom shape(seed ^ 0x9A12);
  SimulationOptions options{
      .seed = seed, .clients = 1 + shape.Below(shape.Below(10) == 0 ? 100 : 12), .pair = true};
  if (shape.Below(3) == 0) {
    options.far_clients = 1 + shape.Below(8);
    options.relays = 1 + shape.Below(2);
  }
  Simulation sim(options);
  sim.SetUp();
  sim.BootAll();
  PlanChaos(sim, kTrouble, shape.Below(16));
  PlanPairChaos(sim, kTrouble, 1 + shape.Below(12));
  sim.RunFor(kTrouble);
  return OutcomeOf(sim);
}

[[nodiscard]] Outcome RunSeed(std::uint64_t seed) {
  SeededRandom shape(seed ^ 0x51AB);
  const std::size_t clients = 1 + shape.Below(shape.Below(10) == 0 ? 200 : 16);
  SimulationOptions options{.seed = seed, .clients = clients};
  // Half of the runs have clients behind one or two relays, some of them a second rack there.
  if (shape.Below(2) == 0) {
    options.far_clients = 1 + shape.Below(12);
    options.relays = shape.Below(3);
    options.racks = options.relays == 0 ? 2 : 1;
  }
  Simulation sim(options);
  sim.SetUp();
  sim.BootAll();
  PlanChaos(sim, kTrouble, 2 + shape.Below(24));
  sim.RunFor(kTrouble);
  return OutcomeOf(sim);
}

void RunSeeds(Outcome (*run)(std::uint64_t seed), std::uint64_t usual, std::uint64_t usual_long) {
  const std::uint64_t only = FromEnvironment("SLIPWAY_SIM_SEED", 0);
  const bool is_long = std::getenv("SLIPWAY_LONG") != nullptr;
  const std::uint64_t count = FromEnvironment("SLIPWAY_SIM_SEEDS", is_long ? usual_long : usual);
  std::uint64_t acks = 0;
  for (std::uint64_t seed = only != 0 ? only : 1; seed <= (only != 0 ? only : count); ++seed) {
    // A broken check ends the process: the last number is the seed then.
    std::fprintf(stderr, "%llu%c", static_cast<unsigned long long>(seed),
                 seed % 20 == 0 ? '\n' : ' ');
    const Outcome outcome = run(seed);
    acks += outcome.acks;
    ASSERT_EQ(outcome.report, "") << "SLIPWAY_SIM_SEED=" << seed << " repeats it";
  }
  EXPECT_GT(acks, 0U);
  std::printf("%llu acknowledged leases\n", static_cast<unsigned long long>(acks));
}

TEST(SimSeedsTest, RandomFaultsBreakNothing) { RunSeeds(&RunSeed, kSeeds, kSeedsLong); }

TEST(SimSeedsTest, RandomFaultsBreakNoPair) { RunSeeds(&RunPairSeed, kPairSeeds, kPairSeedsLong); }

TEST(SimSeedsTest, AllocationsOfTheShardAreSeen) { EXPECT_TRUE(shard::SealIsHooked()); }

TEST(SimSeedsTest, SameSeedGivesTheSameLog) {
  const std::uint64_t seed = FromEnvironment("SLIPWAY_SIM_SEED", 7);
  const Outcome first = RunSeed(seed);
  const Outcome second = RunSeed(seed);
  EXPECT_EQ(first.hash, second.hash);
  EXPECT_EQ(first.lines, second.lines);
  EXPECT_GT(first.lines, 10U);
  EXPECT_NE(first.hash, RunSeed(seed + 1).hash);
  EXPECT_EQ(RunPairSeed(seed).hash, RunPairSeed(seed).hash);
}

}  // namespace
}  // namespace slipway::sim
