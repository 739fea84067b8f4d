// A region: its stores, which survive, and the process over them, which may die at any time. The
// process is the real one but for its threads, sockets and LMDB.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/model/live_model.h"
#include "controlplane/publish/publisher.h"
#include "controlplane/store/memory_facts.h"
#include "controlplane/store/memory_store.h"
#include "tests/sim/judge.h"
#include "tests/sim/rack_node.h"
#include "tests/sim/wire.h"

namespace slipway::sim {

class RegionNode final : public RegionWireEnd {
 public:
  struct Parts {
    World* world = nullptr;
    Judge* judge = nullptr;
    // What the rack says to the region's pair.show; empty: nothing.
    std::function<std::string(std::string_view rack)> pair_show = {};
  };

  RegionNode(const Parts& parts, std::uint64_t seed);
  ~RegionNode() override;

  // Before the first start, in the order of their numbers. It outlives this.
  void AddWire(Wire* wire) { wires_.push_back(wire); }

  // At most kStartsMax times: the stores in memory remember their watchers.
  static constexpr int kStartsMax = 12;
  void Start();
  // kill -9: commits under way are lost, what was committed stays.
  void Kill();

  [[nodiscard]] bool is_up() const { return process_ != nullptr; }

  // The disk of the facts store fails now and then: commits of facts are answered with errors.
  void SetFactsFailing(bool failing) { facts_failing_ = failing; }

  // ---- the model, as handlers change it; false: refused ----
  bool Create(model::Kind kind, std::string_view body, model::EntityId* id = nullptr);
  bool Patch(model::EntityRef ref, std::string_view body);
  bool Delete(model::EntityRef ref);
  bool AddToken(std::uint64_t token, const link::PublicKey& key);
  // A person's word that the rack is down.
  bool DeclareDown(std::string_view rack);

  // ---- looking, while it is up ----
  [[nodiscard]] publish::RackStatus StatusOf(std::string_view rack);  // zero: none yet
  [[nodiscard]] std::size_t CountOf(model::Kind kind);
  [[nodiscard]] model::EntityId FindRack(std::string_view name);

  [[nodiscard]] store::FactsStore& facts() { return *facts_; }

  // The pair, if there is one.
  [[nodiscard]] std::optional<model::RackPair> Pair();
  [[nodiscard]] bool HasMachine(MacAddress mac);
  [[nodiscard]] model::EntityId FindInterface(MacAddress mac);

  bool OnWireConnect(ConnectionId connection, const link::PublicKey& key) override;
  void OnWireMessage(ConnectionId connection, ByteSpan message) override;
  void OnWireClosed(ConnectionId connection, std::string_view reason) override;

 private:
  struct Process;
  class Executor;
  class Peer;
  class Sink;
  class Source;
  class Observer;
  class Racks;

  [[nodiscard]] Wire& WireOf(ConnectionId connection) {
    return *wires_[Wire::NumberOf(connection)];
  }

  [[nodiscard]] std::string NameOf(link::RackId rack);
  bool Mutate(model::LiveModel::Planner planner, model::EntityId* id);
  void Tick();
  // For the process that lives now.
  void Later(Duration delay, World::Event event);

  Parts parts_;
  std::vector<Wire*> wires_;
  SeededRandom random_;
  SimClock clock_;
  WorldLog log_;
  store::MemoryStore store_;
  std::unique_ptr<store::FactsStore> facts_;
  std::unique_ptr<Executor> executor_;
  bool facts_failing_ = false;
  int starts_ = 0;
  std::uint64_t life_ = 0;
  std::unique_ptr<Process> process_;
};

}  // namespace slipway::sim
