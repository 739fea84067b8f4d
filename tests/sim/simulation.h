// One region, one rack and some clients on a segment: everything that a run is made of.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/client.h"
#include "tests/sim/judge.h"
#include "tests/sim/rack_node.h"
#include "tests/sim/region_node.h"
#include "tests/sim/segment.h"
#include "tests/sim/wire.h"
#include "tests/sim/world.h"

namespace slipway::sim {

struct SimulationOptions {
  std::uint64_t seed = 1;
  std::size_t clients = 4;
  std::uint32_t lease_seconds = 60;
};

// Within this after the last fault all is well again: a client that was refused at the wrong moment
// waits for its back-off, and one that lost the rack for its rebinding time.
inline constexpr Duration kHealingTime = Duration::Seconds(90);

class Simulation {
 public:
  explicit Simulation(const SimulationOptions& options);
  Simulation(const Simulation&) = delete;
  Simulation& operator=(const Simulation&) = delete;

  // Region, model, join token, rack; then until the rack serves. No client is on.
  void SetUp();
  // Stops early when the judge has found something.
  void RunFor(Duration span);

  // Runs until `done` holds, at most for `span`; says whether it did.
  template <typename Done>
  bool RunUntil(Duration span, Done&& done) {
    const Instant end = world.now() + span;
    while (judge.ok() && world.now() < end && !done()) {
      world.RunFor(Duration::Millis(100));
    }
    return judge.ok() && done();
  }

  // Powers a client on; it posts its inventory once it has an address.
  void Boot(SimClient& client, bool keeps_address = false);
  void BootAll();
  [[nodiscard]] bool AllBound() const;

  // Takes all faults away and brings all up.
  void Heal();
  // What is not well yet; empty: the rack serves what is published, nothing waits, every client
  // that is on has an address.
  [[nodiscard]] std::string Unwell();
  // Heals, waits for it, and checks what must hold at rest.
  void Finish();

  // Reserves `address` for a client: a machine and an interface, or a change of the one there is.
  void Reserve(SimClient& client, Ipv4Address address);

  World world;
  Judge judge;
  Segment segment;
  Wire wire;
  RegionNode region;
  RackNode rack;
  std::vector<std::unique_ptr<SimClient>> clients;
  model::EntityId vlan;
  model::EntityId subnet;

  // MACs whose inventory a rack has accepted.
  std::set<MacAddress> enlisted;
  // How many boot scripts were fetched, that start something.
  std::uint64_t scripts = 0;

 private:
  // From iPXE to the launcher: the script, then the inventory with the script's token.
  void FetchScript(SimClient& client);
  void PostInventory(SimClient& client, const std::string& token);
  void CheckEnlisted();

  SimulationOptions options_;
};

}  // namespace slipway::sim
