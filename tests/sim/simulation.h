// A region, racks, and clients on two segments: everything that a run is made of.
//
//   lan  10.77.0.0/16  rack-a 10.77.0.1, clients, sometimes a rival server
//   far  10.78.0.0/16  clients behind relays to rack-a, or with rack-b 10.78.0.1
// Of a pair, rack-b is at 10.77.0.2, and relays speak to both.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/client.h"
#include "tests/sim/judge.h"
#include "tests/sim/rack_node.h"
#include "tests/sim/region_node.h"
#include "tests/sim/relay.h"
#include "tests/sim/rival.h"
#include "tests/sim/segment.h"
#include "tests/sim/wire.h"
#include "tests/sim/world.h"

namespace slipway::sim {

struct SimulationOptions {
  std::uint64_t seed = 1;
  std::size_t clients = 4;      // on the first segment
  std::size_t far_clients = 0;  // on the other one
  std::size_t racks = 1;        // 2: the other segment has its own
  bool pair = false;            // two racks that serve together
  std::size_t relays = 0;  // from the other segment to the first rack; each forwards all it hears
  std::uint32_t lease_seconds = 60;
  std::uint32_t leases_max = 1024;
  std::string_view range_end = "2.100";  // of both segments' range, which begins at .1.1
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
      Step(Duration::Millis(100));
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

  [[nodiscard]] RackNode& rack(std::size_t index = 0) { return *racks_[index]; }

  [[nodiscard]] Wire& wire(std::size_t index = 0) { return *wires_[index]; }

  [[nodiscard]] RackNode& AnyRack() { return *racks_[world.random().Below(racks_.size())]; }

  [[nodiscard]] Wire& AnyWire() { return *wires_[world.random().Below(wires_.size())]; }

  [[nodiscard]] Segment& AnySegment() { return far_used() && world.OneIn(2) ? far : lan; }

  [[nodiscard]] bool far_used() const { return options_.far_clients > 0; }

  World world;
  Judge judge;
  Segment lan;
  Segment far;
  RivalServer rival;
  PairWire pair_wire;
  RegionNode region;
  std::vector<std::unique_ptr<SimClient>> clients;
  model::EntityId vlan;
  model::EntityId subnet;

  // MACs whose inventory a rack has accepted.
  std::set<MacAddress> enlisted;
  // How many boot scripts were fetched, that start something.
  std::uint64_t scripts = 0;

 private:
  static constexpr Ipv4Address kRivalAddress{0x0A4D'00FE};

  [[nodiscard]] bool MakeModel();
  [[nodiscard]] bool BindInterfaces();
  [[nodiscard]] bool MakePair();
  [[nodiscard]] std::string UnwellPair();
  [[nodiscard]] std::string PairJsonOf(std::string_view name);
  void AddRelays(std::size_t count);
  // And has the judge look at all tables.
  void Step(Duration span);
  void AddClients(std::size_t count, Segment* segment);
  // The one that gave the client its address; null: a rival.
  [[nodiscard]] RackNode* RackOf(const SimClient& client);
  [[nodiscard]] std::string Unwell(RackNode& rack);
  // From iPXE to the launcher: the script, then the inventory with the script's token.
  void FetchScript(SimClient& client);
  void PostInventory(SimClient& client, const std::string& token);
  void CheckEnlisted();

  SimulationOptions options_;
  std::vector<std::unique_ptr<Wire>> wires_;
  std::vector<std::unique_ptr<RelayAgent>> relays_;
  std::vector<std::unique_ptr<RackNode>> racks_;
};

}  // namespace slipway::sim
