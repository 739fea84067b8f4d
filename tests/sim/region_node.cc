#include "tests/sim/region_node.h"

#include <boost/json.hpp>

#include <algorithm>
#include <deque>
#include <map>
#include <utility>
#include <vector>

#include "controlplane/main/enlister.h"
#include "controlplane/main/link_owners.h"
#include "controlplane/main/pair_keeper.h"
#include "controlplane/model/enrol.h"
#include "controlplane/model/pair_watch.h"
#include "dataplane/link/region_core.h"

namespace slipway::sim {
namespace {

constexpr Duration kTick = Duration::Millis(25);
constexpr Duration kDrop = Duration::Millis(200);  // from last words to the end of a connection

[[nodiscard]] boost::json::object Parse(std::string_view body) {
  return boost::json::parse(boost::json::string_view(body.data(), body.size())).as_object();
}

}  // namespace

// Outlives the processes: watchers of the stores post to it for ever.
class RegionNode::Executor final : public api::Executor {
 public:
  explicit Executor(World* world) : world_(world) {}

  void Post(Task task) override { world_->After(Duration::Micros(5), std::move(task)); }

  void After(Duration delay, Task task) override { world_->After(delay, std::move(task)); }

 private:
  World* world_;
};

// Applies what racks send after the time that a disk takes; what the process had not finished when
// it died was not applied.
class RegionNode::Sink final : public link::FactSink {
 public:
  explicit Sink(RegionNode* node) : node_(node) {}

  [[nodiscard]] link::FactCursor Cursor(link::RackId rack, link::FactClass fact_class) override {
    const store::FactsCursor cursor =
        node_->facts_->Cursor(rack, static_cast<store::FactClass>(fact_class));
    return {.epoch = cursor.epoch, .next = cursor.next};
  }

  void Commit(link::RackId rack, const link::FactBatch& batch, link::CommitDone done) override {
    queue_.push_back({.batch = region::ToStore(rack, batch), .done = std::move(done)});
    if (queue_.size() == 1) {
      Schedule();
    }
  }

 private:
  struct Waiting {
    store::FactsBatch batch;
    link::CommitDone done;
  };

  void Schedule() {
    const auto spread = static_cast<std::int64_t>(node_->parts_.world->random().Below(4000));
    node_->Later(Duration::Micros(200 + spread), [this] { ApplyOne(); });
  }

  void ApplyOne() {
    Waiting waiting = std::move(queue_.front());
    queue_.pop_front();
    if (!queue_.empty()) {
      Schedule();
    }
    if (node_->facts_failing_ && node_->parts_.world->OneIn(2)) {
      node_->log_.Write(LogLevel::kError, "facts-refused", "");
      waiting.done(slipway::Fail(ErrorCode::kNoSpace));
      return;
    }
    const store::FactsBatch seen = waiting.batch;
    const store::FactsCursor before = node_->facts_->Cursor(seen.rack, seen.fact_class);
    node_->facts_->Apply(std::move(waiting.batch), [this, &seen, &before,
                                                    &waiting](Result<store::FactsApplied> applied) {
      if (!applied) {
        waiting.done(std::unexpected(applied.error()));
        return;
      }
      node_->parts_.judge->OnApplied(seen, before, *applied);
      waiting.done(link::FactCursor{.epoch = applied->cursor.epoch, .next = applied->cursor.next});
    });
  }

  RegionNode* node_;
  std::deque<Waiting> queue_;
};

// The publisher's, with a witness.
class RegionNode::Source final : public link::SnapshotSource {
 public:
  Source(publish::Publisher& publisher, Judge* judge) : real_(publisher), judge_(judge) {}

  [[nodiscard]] link::GenerationState Current(link::RackId rack) override {
    const link::GenerationState current = real_.Current(rack);
    judge_->OnPublished(rack, current.generation, current.hash);
    return current;
  }

  [[nodiscard]] std::unique_ptr<link::SnapshotStream> OpenSnapshot(link::RackId rack) override {
    return Witnessed(rack, real_.OpenSnapshot(rack));
  }

  [[nodiscard]] std::unique_ptr<link::SnapshotStream> OpenDelta(
      link::RackId rack, const link::GenerationState& base) override {
    return Witnessed(rack, real_.OpenDelta(rack, base));
  }

 private:
  [[nodiscard]] std::unique_ptr<link::SnapshotStream> Witnessed(
      link::RackId rack, std::unique_ptr<link::SnapshotStream> stream) {
    if (stream != nullptr) {
      judge_->OnPublished(rack, stream->target().generation, stream->target().hash);
    }
    return stream;
  }

  region::PublishedSnapshots real_;
  Judge* judge_;
};

// The board, with a witness.
class RegionNode::Observer final : public link::RackObserver {
 public:
  Observer(RegionNode* node, publish::Publisher& publisher)
      : board_(*node->facts_, publisher, node->clock_), node_(node) {}

  void OnRackUp(link::RackId rack, std::string_view software, std::uint64_t boot_id) override {
    node_->log_.Write(LogLevel::kInfo, "rack-up", "");
    board_.OnRackUp(rack, software, boot_id);
  }

  void OnRackDown(link::RackId rack, std::string_view reason) override {
    node_->log_.Write(LogLevel::kInfo, "rack-down", reason);
    board_.OnRackDown(rack, reason);
  }

  void OnInterfaces(link::RackId rack, std::span<const link::InterfaceInfo> interfaces) override {
    board_.OnInterfaces(rack, interfaces);
  }

  void OnGenerationLive(link::RackId rack, const link::GenerationState& live) override {
    if (live.generation.number != 0) {
      node_->parts_.judge->OnReported(rack, live.generation, live.hash);
    }
    board_.OnGenerationLive(rack, live);
  }

  [[nodiscard]] api::RackLinkStatus StatusOf(std::uint64_t rack) { return board_.StatusOf(rack); }

 private:
  region::RackBoard board_;
  RegionNode* node_;
};

// Questions to racks, without the link: what is asked of a rack that is connected it answers soon,
// if it is alive.
class RegionNode::Racks final : public api::RackControl {
 public:
  Racks(RegionNode* node, Observer* observer) : node_(node), observer_(observer) {}

  [[nodiscard]] api::RackLinkStatus StatusOf(std::uint64_t rack) override {
    return observer_->StatusOf(rack);
  }

  void MintToken(Duration /*life*/, TokenDone /*done*/) override {}

  void Ask(std::uint64_t rack, std::string /*topic*/, std::string /*argument*/,
           AskDone done) override {
    const bool connected = StatusOf(rack).connected;
    node_->Later(Duration::Millis(2), [this, rack, connected, answer = std::move(done)]() mutable {
      const std::string said =
          connected && node_->parts_.pair_show ? node_->parts_.pair_show(node_->NameOf(rack)) : "";
      answer(said.empty() ? Result<api::RackAnswer>(slipway::Fail(ErrorCode::kTimeout))
                          : Result<api::RackAnswer>(api::RackAnswer{.ok = true, .json = said}));
    });
  }

 private:
  RegionNode* node_;
  Observer* observer_;
};

// One connection: the host of its session.
class RegionNode::Peer final : public link::RegionSessionHost {
 public:
  Peer(RegionNode* node, ConnectionId connection, link::PeerStatus status);

  [[nodiscard]] bool Send(ByteSpan message) override {
    return node_->WireOf(connection_).Send(connection_, false, message);
  }

  [[nodiscard]] link::CommitDone MakeCommitDone(link::FactClass fact_class,
                                                std::uint64_t bytes) override;
  [[nodiscard]] link::EnrolDone MakeEnrolDone() override;
  void OnEstablished(link::RackId rack) override;

  [[nodiscard]] link::RegionSession& session() { return session_; }

  bool ending = false;

 private:
  RegionNode* node_;
  ConnectionId connection_;
  link::RegionSession session_;
};

struct RegionNode::Process {
  explicit Process(RegionNode& node)
      : publisher(node.store_.epoch()),
        live_model(node.store_, node.random_),
        directory(live_model),
        source(publisher, node.parts_.judge),
        sink(&node),
        observer(&node, publisher),
        services{.directory = &directory,
                 .observer = &observer,
                 .snapshots = &source,
                 .facts = &sink,
                 .random = &node.random_,
                 .counters = &counters,
                 .epoch = node.store_.epoch()},
        enlister({.model = &live_model,
                  .store = &node.store_,
                  .facts = node.facts_.get(),
                  .executor = node.executor_.get(),
                  .clock = &node.clock_,
                  .log = &node.log_}),
        racks(&node, &observer),
        keeper({.model = &live_model,
                .facts = node.facts_.get(),
                .racks = &racks,
                .executor = node.executor_.get(),
                .clock = &node.clock_,
                .log = &node.log_}) {
    live_model.AddObserver(publisher);
  }

  [[nodiscard]] Peer* Find(ConnectionId connection) {
    const auto found = peers.find(connection);
    return found == peers.end() ? nullptr : found->second.get();
  }

  publish::Publisher publisher;
  model::LiveModel live_model;
  region::ModelDirectory directory;
  Source source;
  Sink sink;
  Observer observer;
  link::LinkCounters counters;
  link::RegionServices services;
  region::Enlister enlister;
  Racks racks;
  region::PairKeeper keeper;
  std::map<ConnectionId, std::unique_ptr<Peer>> peers;
  std::map<link::RackId, ConnectionId> up;  // the sessions that count
};

RegionNode::Peer::Peer(RegionNode* node, ConnectionId connection, link::PeerStatus status)
    : node_(node),
      connection_(connection),
      session_(status, node->process_->services, *this, node->clock_.Now()) {}

link::CommitDone RegionNode::Peer::MakeCommitDone(link::FactClass fact_class, std::uint64_t bytes) {
  return [node = node_, id = connection_, fact_class, bytes](Result<link::FactCursor> cursor) {
    node->Later(Duration::Micros(5), [node, id, fact_class, bytes, cursor] {
      if (Peer* const peer = node->process_->Find(id); peer != nullptr && !peer->ending) {
        peer->session().OnFactsCommitted(fact_class, bytes, cursor, node->clock_.Now());
      }
    });
  };
}

link::EnrolDone RegionNode::Peer::MakeEnrolDone() {
  return [node = node_, id = connection_](Result<link::RackId> rack) {
    node->Later(Duration::Micros(5), [node, id, rack] {
      if (Peer* const peer = node->process_->Find(id); peer != nullptr && !peer->ending) {
        peer->session().OnRackEnrolled(rack, node->clock_.Now());
      }
    });
  };
}

void RegionNode::Peer::OnEstablished(link::RackId rack) {
  const ConnectionId older = std::exchange(node_->process_->up[rack], connection_);
  if (Peer* const peer = node_->process_->Find(older); peer != nullptr && peer != this) {
    peer->session().Close("a newer connection");
  }
}

RegionNode::RegionNode(const Parts& parts, std::uint64_t seed)
    : parts_(parts),
      random_(Mix64(seed ^ 2)),
      clock_(parts.world),
      log_(parts.world, "region"),
      facts_(store::MakeMemoryFacts()),
      executor_(std::make_unique<Executor>(parts.world)) {}

RegionNode::~RegionNode() = default;

void RegionNode::Later(Duration delay, World::Event event) {
  parts_.world->After(delay, [this, life = life_, task = std::move(event)]() mutable {
    if (life == life_ && process_ != nullptr) {
      task();
    }
  });
}

void RegionNode::Start() {
  if (process_ != nullptr || starts_ == kStartsMax) {
    return;
  }
  ++starts_;
  ++life_;
  process_ = std::make_unique<Process>(*this);
  SLIP_CHECK(process_->live_model.Start().has_value());
  process_->live_model.Read([&](const model::ModelIndex& index) {
    process_->publisher.Load(index);
    return 0;
  });
  process_->publisher.SetListener([this](std::uint64_t rack, config::Generation /*to*/) {
    Later(Duration::Micros(20), [this, rack] {
      if (Peer* const peer = process_->Find(process_->up[rack]); peer != nullptr && !peer->ending) {
        peer->session().OnPublished(clock_.Now());
      }
    });
  });
  SLIP_CHECK(process_->enlister.Start().has_value());
  process_->keeper.Start();
  log_.Write(LogLevel::kInfo, "up", "");
  for (Wire* const wire : wires_) {
    wire->SetRegion(this);
  }
  Later(kTick, [this] { Tick(); });
}

void RegionNode::Kill() {
  if (process_ == nullptr) {
    return;
  }
  log_.Write(LogLevel::kInfo, "killed", "");
  for (Wire* const wire : wires_) {
    wire->SetRegion(nullptr);
  }
  process_.reset();
  ++life_;
}

void RegionNode::Tick() {
  const Instant now = clock_.Now();
  for (auto& [id, peer] : process_->peers) {
    if (peer->ending) {
      continue;
    }
    if (peer->session().NextDeadline() <= now) {
      peer->session().OnTimer(now);
    }
    if (peer->session().state() == link::RegionSession::State::kClosed) {
      peer->ending = true;
      Later(kDrop, [this, connection = id] {
        WireOf(connection).Close(connection, false);
        process_->peers.erase(connection);
      });
    }
  }
  Later(kTick, [this] { Tick(); });
}

bool RegionNode::OnWireConnect(ConnectionId connection, const link::PublicKey& key) {
  const link::PeerStatus status = process_->directory.StatusOfKey(key, clock_.WallNow());
  // A used token is admitted: its rack may have lost the answer.
  if (status.kind != link::PeerKind::kRack && status.kind != link::PeerKind::kToken &&
      status.kind != link::PeerKind::kTokenUsed) {
    return false;
  }
  process_->peers[connection] = std::make_unique<Peer>(this, connection, status);
  return true;
}

void RegionNode::OnWireMessage(ConnectionId connection, ByteSpan message) {
  Peer* const peer = process_ != nullptr ? process_->Find(connection) : nullptr;
  if (peer != nullptr && !peer->ending) {
    peer->session().OnMessage(message, clock_.WallNow(), clock_.Now());
  }
}

void RegionNode::OnWireClosed(ConnectionId connection, std::string_view reason) {
  Peer* const peer = process_ != nullptr ? process_->Find(connection) : nullptr;
  if (peer != nullptr && !peer->ending) {
    peer->session().Close(reason);
  }
}

// ---- the model ----

bool RegionNode::Mutate(model::LiveModel::Planner planner, model::EntityId* id) {
  bool done = false;
  if (process_ == nullptr) {
    return false;
  }
  process_->live_model.Mutate(
      std::move(planner), [&done, id](std::expected<model::MutateResult, model::Refusal> result) {
        done = result.has_value();
        if (done && id != nullptr && !result->touched.empty()) {
          *id = result->touched.front().id;
        }
      });
  return done;
}

bool RegionNode::Create(model::Kind kind, std::string_view body, model::EntityId* id) {
  return Mutate(model::PlanCreate(kind, Parse(body)), id);
}

bool RegionNode::Patch(model::EntityRef ref, std::string_view body) {
  return Mutate(model::PlanPatch(ref, Parse(body), 0), nullptr);
}

bool RegionNode::Delete(model::EntityRef ref) { return Mutate(model::PlanDelete(ref, 0), nullptr); }

bool RegionNode::AddToken(std::uint64_t token, const link::PublicKey& key) {
  model::JoinTokenRow row;
  row.id = token;
  row.public_key = key.Text();
  row.expires_ns = clock_.WallNow().ns + Duration::Seconds(86'400).ns;
  return Mutate(
      [row, now = clock_.WallNow()](model::Plan& plan) { return model::AddToken(plan, row, now); },
      nullptr);
}

// ---- looking ----

model::EntityId RegionNode::FindRack(std::string_view name) {
  return process_->live_model.Read([&](const model::ModelIndex& index) {
    model::EntityId rack;
    for (const auto& [id, row] : index.All(model::Kind::kRack)) {
      rack = row.as<model::Rack>().name == name ? id : rack;
    }
    return rack;
  });
}

std::string RegionNode::NameOf(link::RackId rack) {
  return process_->live_model.Read([&](const model::ModelIndex& index) {
    const auto* row = index.Get<model::Rack>(model::Kind::kRack, {rack});
    return row == nullptr ? std::string() : row->name;
  });
}

std::optional<model::RackPair> RegionNode::Pair() {
  return process_->live_model.Read(
      [](const model::ModelIndex& index) -> std::optional<model::RackPair> {
        const auto& pairs = index.All(model::Kind::kRackPair);
        return pairs.empty() ? std::nullopt
                             : std::optional(pairs.begin()->second.as<model::RackPair>());
      });
}

bool RegionNode::DeclareDown(std::string_view rack) {
  if (process_ == nullptr) {
    return false;
  }
  const model::EntityId id = FindRack(rack);
  return Mutate(
      [id, now = clock_.WallNow()](model::Plan& plan) -> model::Outcome {
        const auto& pairs = plan.index().All(model::Kind::kRackPair);
        return pairs.empty() ? model::Outcome()
                             : model::DeclareDown(plan, pairs.begin()->first, id, "dead", now);
      },
      nullptr);
}

publish::RackStatus RegionNode::StatusOf(std::string_view rack) {
  const auto status = process_->publisher.StatusOf(FindRack(rack).value);
  return status ? *status : publish::RackStatus{};
}

std::size_t RegionNode::CountOf(model::Kind kind) {
  return process_->live_model.Read(
      [&](const model::ModelIndex& index) { return index.All(kind).size(); });
}

model::EntityId RegionNode::FindInterface(MacAddress mac) {
  if (process_ == nullptr) {
    return {};
  }
  return process_->live_model.Read([&](const model::ModelIndex& index) {
    const model::Row* const row = index.InterfaceByMac(mac);
    return row != nullptr ? row->id : model::EntityId{};
  });
}

bool RegionNode::HasMachine(MacAddress mac) {
  return process_->live_model.Read([&](const model::ModelIndex& index) {
    const model::Row* const row = index.InterfaceByMac(mac);
    return row != nullptr && row->as<model::Interface>().machine.is_set();
  });
}

}  // namespace slipway::sim
