#include "tests/sim/rack_node.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "dataplane/dhcp/client.h"
#include "dataplane/dhcp/engine.h"
#include "dataplane/images/store.h"
#include "dataplane/lease/record.h"
#include "dataplane/main/fact_source.h"
#include "dataplane/main/journal_events.h"
#include "dataplane/main/pair_store.h"
#include "dataplane/main/serving_publisher.h"
#include "dataplane/main/snapshot_owner.h"
#include "dataplane/service/boot_content.h"
#include "dataplane/service/dhcp_service.h"
#include "dataplane/service/fact_events.h"
#include "dataplane/service/fact_steps.h"
#include "dataplane/service/inventory_service.h"
#include "dataplane/service/pair_service.h"
#include "dataplane/shard/shard.h"
#include "tests/sim/client.h"
#include "tests/sim/foreteller.h"
#include "tests/sim/sealed.h"
#include "tests/sim/sim_journal.h"

namespace slipway::sim {
namespace {

constexpr Duration kTick = Duration::Millis(25);
constexpr Duration kStartRetry = Duration::Seconds(1);
constexpr std::uint16_t kDhcpPort = 67;
constexpr std::uint16_t kBootServerPort = 4011;

// Small enough for its limits to be met in a short run, unless many leases are asked for.
[[nodiscard]] journal::JournalOptions SmallJournal(std::uint32_t leases_max) {
  const std::uint64_t scale = std::max<std::uint64_t>(1, leases_max / 1024);
  journal::JournalOptions options;
  options.segment_bytes = scale * (96 << 10);
  options.segments_max = 32;
  options.segments_tidy = 6;
  options.buffer_bytes = 48 << 10;
  options.record_bytes_max = 16 << 10;
  options.limits = {{{},
                     {scale * (512 << 10), std::uint64_t{4} * leases_max},
                     {scale * (512 << 10), scale * 1024},
                     {scale * (128 << 10), scale * 512},
                     {scale * (64 << 10), scale * 512}}};
  options.move_bytes_per_commit = 16 << 10;
  return options;
}

[[nodiscard]] service::HostInterfaces HostOf(const RackNode::Place& place) {
  service::HostInterface lan;
  lan.index = kServedIndex;
  lan.name = service::InterfaceName(kServedName);
  lan.mac = place.mac;
  lan.up = true;
  SLIP_CHECK(lan.addresses.push_back(place.address));
  service::HostInterfaces all;
  SLIP_CHECK(all.push_back(lan));
  return all;
}

class Restorer final : public journal::RecoveryVisitor {
 public:
  Restorer(lease::LeaseTable& leases, service::AddressBook& book, const lease::Now& now,
           bool durable)
      : leases_(leases), book_(book), now_(now), durable_(durable) {}

  void OnCheckpointLease(ByteSpan payload) override { Take(payload); }

  void OnRecord(journal::FactClass /*fact_class*/, std::uint64_t /*sequence*/,
                ByteSpan payload) override {
    Take(payload);
  }

  [[nodiscard]] bool complete() const { return complete_; }

  // All that was taken, in order.
  [[nodiscard]] const std::vector<std::vector<std::byte>>& payloads() const { return payloads_; }

 private:
  void Take(ByteSpan payload) {
    payloads_.emplace_back(payload.begin(), payload.end());
    auto restored = lease::DecodeLease(payload);
    if (restored) {
      restored->durable = durable_;
    }
    complete_ = complete_ && restored && leases_.Restore(*restored, now_);
    if (restored) {
      book_.OnPeer({.address = restored->lease.address,
                    .mac = restored->lease.mac,
                    .vlan = restored->lease.vlan});
    }
  }

  lease::LeaseTable& leases_;
  service::AddressBook& book_;
  lease::Now now_;
  bool durable_;
  bool complete_ = true;
  std::vector<std::vector<std::byte>> payloads_;
};

}  // namespace

// In the order of rack.cc; destroyed in reverse.
struct RackNode::Process final : link::RackTransport,
                                 link::RackLinkObserver,
                                 service::InventoryCompletion {
  explicit Process(RackNode& owner)
      : node(owner),
        wake(*shard::Wake::OpenEvent()),
        slot(&wake),
        leases({.leases_max = owner.place_.leases_max,
                .pools_max = 64,
                .ranges_max = 256,
                .pool_addresses_max = 1 << 16,
                .hash_seed = owner.random_.U64()}),
        rules(owner.place_.leases_max),
        engine({.pair = &rules}, &leases),
        book(owner.place_.leases_max),
        tokens({}, owner.clock_.BootId()),
        images(*images::Store::OpenReadOnly(SLIPWAY_SOURCE_DIR)) {}

  // False: the disk does not let it start now.
  [[nodiscard]] bool Open();
  [[nodiscard]] bool Restore(journal::Journal& from);
  void MakeShard();
  void MakeLink();

  void Turn();
  // The pair link's thread, and the control thread's part of the pair.
  void Mail();
  void RequestTurn(Duration delay);
  void Pump();
  void Tick();
  void OnSent(const Frame& frame);
  [[nodiscard]] lease::Now Now() const;

  [[nodiscard]] Instant now() const { return node.clock_.Now(); }

  // ---- RackTransport ----
  void Connect(std::size_t /*endpoint*/, bool with_token) override {
    connection =
        node.parts_.wire->Connect(with_token ? node.place_.token_key : node.place_.own_key);
  }

  [[nodiscard]] bool Send(ByteSpan message) override {
    return node.parts_.wire->Send(connection, true, message);
  }

  void Close() override { node.parts_.wire->Close(std::exchange(connection, 0), true); }

  // ---- RackLinkObserver ----
  void OnEnrolled(link::RackId rack) override {
    node.enrolled_ = true;
    node.parts_.judge->OnEnrolled(node.place_.index, rack);
    node.log_.Write(LogLevel::kInfo, "link-enrolled", std::to_string(rack));
  }

  void OnUp(std::size_t /*endpoint*/) override { node.log_.Write(LogLevel::kInfo, "link-up", ""); }

  void OnDown(std::string_view reason) override {
    node.log_.Write(LogLevel::kWarn, "link-down", reason);
  }

  void OnCurrent(Instant now) override {
    (void)pair_box->from_region->Push(now);
    pair_box->from_region->Notify();
    RequestTurn(Duration::Micros(20));
  }

  void OnQuery(std::uint64_t /*id*/, std::string_view /*topic*/,
               std::string_view /*argument*/) override {}

  // ---- InventoryCompletion ----
  void OnInventoryDone(std::uint64_t handle, bool durable, Instant /*now*/) override {
    const Unsealed simulator;
    auto found = posts.extract(handle);
    SLIP_CHECK(!found.empty());
    Answer(std::move(found.mapped()),
           durable ? service::InventoryVerdict::kAccepted : service::InventoryVerdict::kBusy);
  }

  void Answer(PostDone done, service::InventoryVerdict verdict) {
    node.Later(Duration::Micros(100), [done = std::move(done), verdict] { done(verdict); });
  }

  // Invariant 12: what the packet says is what the boot decision says of the same snapshot.
  void CheckPlan(MacAddress mac, ByteSpan payload);

  RackNode& node;
  shard::Wake wake;
  rack::SnapshotSlot slot;
  lease::LeaseTable leases;
  lease::PairRules rules;
  dhcp::Dhcp4Engine engine;
  service::AddressBook book;
  service::MachineTokens tokens;
  boot::LoopGuard loops{{}};  // of scripts
  images::Store images;
  std::unique_ptr<SimJournal> journal;
  SimDriver* driver = nullptr;  // the shard's
  std::unique_ptr<shard::Shard> shard;
  std::unique_ptr<service::ServingView> serving;
  std::unique_ptr<service::FactEvents> shard_events;
  service::PacketLog packets{64};
  std::unique_ptr<service::DhcpWatch> watch;
  std::unique_ptr<Foreteller> foreteller;
  std::unique_ptr<rack::JournalEvents> events;  // of the link and control threads
  std::unique_ptr<service::FactSteps> steps;
  std::unique_ptr<service::BootContent> content;
  std::unique_ptr<service::PairBox> pair_box = *service::PairBox::Create();
  std::unique_ptr<rack::PairStore> pair_store;
  std::unique_ptr<service::PairService> pair;
  bool journal_is_new = false;
  std::unique_ptr<service::DhcpShared> dhcp_shared;
  std::unique_ptr<service::DhcpService> dhcp;
  std::unique_ptr<service::InventoryService> inventories;
  std::unique_ptr<rack::ServingPublisher> publisher;
  std::unique_ptr<rack::SnapshotOwner> snapshots;
  std::unique_ptr<rack::JournalFactSource> facts;
  std::unique_ptr<link::RackLink> link;
  ConnectionId connection = 0;
  bool turn_requested = false;
  std::map<std::uint64_t, PostDone> posts;
  std::map<std::uint64_t, std::string> documents;  // of posts: valid until answered
  std::uint64_t last_post = 0;
  std::uint32_t timers_at_start = 0;
  std::vector<std::vector<std::byte>> recovered;  // lease records, between Restore and the journal
  bool recovered_durable = false;
};

lease::Now RackNode::Process::Now() const {
  return {.instant = now(),
          .wall = node.clock_.WallNow(),
          .boot_id = node.clock_.BootId(),
          .wall_synchronised = node.clock_.WallIsSynchronised()};
}

bool RackNode::Process::Restore(journal::Journal& from) {
  recovered_durable = from.Commit().has_value();
  Restorer restorer(leases, book, Now(), recovered_durable);
  const Result<void> read = from.Recover(restorer);
  if (!read) {
    node.parts_.judge->Require(read.error().code != ErrorCode::kCorrupt,
                               "2: the journal's leases cannot be read back");
    return false;
  }
  node.parts_.judge->Require(restorer.complete(), "2: a lease does not fit the table");
  recovered = restorer.payloads();
  return true;
}

bool RackNode::Process::Open() {
  journal::OpenReport report;
  auto opened = journal::Journal::Open(node.disk_, node.random_,
                                       SmallJournal(node.place_.leases_max), report);
  if (!opened) {
    node.parts_.judge->Require(
        opened.error().code != ErrorCode::kCorrupt && opened.error().code != ErrorCode::kBadVersion,
        "2: the journal cannot be opened: " + std::string(report.file.view()) + " at " +
            std::to_string(report.offset) + ": " + std::string(report.reason.view()));
    return false;
  }
  journal_is_new = report.created;
  if (!Restore(**opened)) {
    return false;
  }
  journal = std::make_unique<SimJournal>(
      std::move(*opened),
      SimJournal::Parts{
          .world = node.parts_.world,
          .judge = node.parts_.judge,
          .rack = node.place_.index,
          .clock = &node.clock_,
          .later = [this](Duration delay,
                          World::Event event) { node.Later(delay, std::move(event)); },
          .on_completion = [this] { Turn(); },
          .on_committed =
              [this] { node.Later(Duration::Micros(50), [this] { link->OnFactsReady(now()); }); }});
  journal->OnRecovered(std::exchange(recovered, {}), recovered_durable);
  MakeShard();
  MakeLink();
  return true;
}

void RackNode::Process::MakeShard() {
  auto made = std::make_unique<SimDriver>(node.parts_.world, &node.clock_, node.parts_.segment,
                                          node.place_.mac, node.address(), kServedIndex);
  driver = made.get();
  driver->SetWaker([this] { RequestTurn(Duration::Micros(20)); });
  driver->SetTap([this](const Frame& frame) { OnSent(frame); });
  shard = *shard::Shard::Create({.seal = false}, std::move(made), now());
  serving = *service::ServingView::Create();
  SLIP_CHECK(serving->Attach(*driver).has_value());
  shard_events = std::make_unique<service::FactEvents>(shard.get(), journal.get(), &node.clock_);
  SLIP_CHECK(shard_events->Start(now()).has_value());
  inventories = std::make_unique<service::InventoryService>(
      service::InventoryService::Parts{.serving = serving.get(),
                                       .tokens = &tokens,
                                       .peers = &book,
                                       .facts = journal.get(),
                                       .loops = &loops,
                                       .clock = &node.clock_});
  inventories->SetCompletion(this);
  SLIP_CHECK(shard->AddHook(inventories.get()).has_value());
  watch = std::make_unique<service::DhcpWatch>(shard_events.get(), &leases);
  pair_store = std::make_unique<rack::PairStore>(&node.disk_, &node.clock_, &node.random_);
  pair = std::make_unique<service::PairService>(
      service::PairService::Parts{.shard = shard.get(),
                                  .serving = serving.get(),
                                  .leases = &leases,
                                  .rules = &rules,
                                  .facts = journal.get(),
                                  .peers = &book,
                                  .events = shard_events.get(),
                                  .clock = &node.clock_,
                                  .random = &node.random_,
                                  .box = pair_box.get(),
                                  .memory = pair_store->Load(journal_is_new)});
  dhcp_shared =
      std::make_unique<service::DhcpShared>(service::DhcpShared::Parts{.serving = serving.get(),
                                                                       .leases = &leases,
                                                                       .facts = journal.get(),
                                                                       .peers = &book,
                                                                       .events = shard_events.get(),
                                                                       .clock = &node.clock_,
                                                                       .pair = pair.get()});
  dhcp = std::make_unique<service::DhcpService>(
      service::DhcpService::Parts{.shard = shard.get(),
                                  .raw_port = driver->BindRaw(),
                                  .shared = dhcp_shared.get(),
                                  .engine = &engine,
                                  .packets = &packets,
                                  .watch = watch.get()});
  foreteller = std::make_unique<Foreteller>(Foreteller::Parts{.judge = node.parts_.judge,
                                                              .serving = serving.get(),
                                                              .engine = &engine,
                                                              .leases = &leases,
                                                              .clock = &node.clock_});
  const shard::PortId udp = driver->BindUdp(kDhcpPort, foreteller.get());
  const shard::PortId boot_server = driver->BindUdp(kBootServerPort, foreteller.get());
  foreteller->SetService(dhcp.get(), boot_server);
  SLIP_CHECK(dhcp->Start({.dhcp = udp, .boot_server = boot_server}, now()).has_value());
  SLIP_CHECK(pair->Start().has_value());
  steps = std::make_unique<service::FactSteps>(journal.get(), &book, serving.get(), &node.clock_);
  content = std::make_unique<service::BootContent>(
      service::BootContent::Parts{.serving = serving.get(),
                                  .peers = &book,
                                  .tokens = &tokens,
                                  .steps = steps.get(),
                                  .events = shard_events.get(),
                                  .loops = &loops,
                                  .random = &node.random_});
  timers_at_start = shard->timers().size();
}

void RackNode::Process::MakeLink() {
  events = std::make_unique<rack::JournalEvents>(
      [this](ByteSpan fact) {
        std::uint64_t ignored = 0;
        return journal->Submit(schema::FactClass::Event, 0, fact, ignored);
      },
      &node.clock_, &node.log_);
  publisher = std::make_unique<rack::ServingPublisher>(
      std::vector<service::ServingView*>{serving.get()}, &images,
      std::vector<std::string>{std::string(kServedName)}, events.get());
  publisher->SetInterfaces(HostOf(node.place_));
  snapshots = std::make_unique<rack::SnapshotOwner>(
      node.disk_,
      [this](config::SnapshotRef snapshot) {
        slot.Put(std::move(snapshot));
        RequestTurn(Duration::Micros(50));
      },
      events.get(), &node.log_);
  (void)snapshots->Load();
  node.parts_.judge->OnLoaded(node.place_.index, snapshots->Tip().generation);
  facts = std::make_unique<rack::JournalFactSource>(journal.get(), &node.disk_, &node.random_);
  link = std::make_unique<link::RackLink>(link::RackLinkOptions{.name = node.place_.name,
                                                                .software = "slipway-rack sim",
                                                                .boot_id = node.clock_.BootId(),
                                                                .public_key = node.place_.own_key,
                                                                .enrolled = node.enrolled_,
                                                                .has_token = !node.enrolled_},
                                          *this, *this, *snapshots, *facts, node.random_);
  link->Start(now());
  Pump();
}

void RackNode::Process::RequestTurn(Duration delay) {
  if (!std::exchange(turn_requested, true)) {
    node.Later(delay, [this] { Turn(); });
  }
}

void RackNode::Process::Turn() {
  turn_requested = false;
  const std::uint64_t durable = journal->Collect();
  {
    const Sealed sealed;
    dhcp->OnDurable(durable, now());
    pair->OnDurable(durable, now());
    inventories->OnDurable(durable, now());
    SLIP_CHECK(shard->RunTurn().has_value());
  }
  journal->Checkpoint(leases, Now());
  Mail();
  Pump();
  if (driver->pending()) {
    RequestTurn(Duration::Micros(20));
  }
}

void RackNode::Process::Mail() {
  (void)pair_box->to_partner->DrainInPlace(
      service::kPairParcelsMax, [this](const service::PairParcel& parcel) {
        if (node.parts_.pair_wire != nullptr) {
          node.parts_.pair_wire->Send(node.place_.index, ByteSpan(parcel.bytes).first(parcel.size));
        }
      });
  pair_store->Serve(*pair_box);
}

void RackNode::Process::Pump() {
  config::SnapshotRef fresh;
  if (slot.Take(fresh)) {
    publisher->SetSnapshot(std::move(fresh));
  }
  if (publisher->Pump()) {
    snapshots->SetLive(publisher->live());
    // Served even while a failing disk keeps it from being acknowledged.
    const link::GenerationState tip = snapshots->Tip();
    if (tip.generation == publisher->live()) {
      node.parts_.judge->OnServed(node.place_.index, tip.generation, tip.hash);
    }
    node.log_.Write(LogLevel::kInfo, "serves", std::to_string(publisher->live().number));
    node.Later(Duration::Micros(20), [this] { link->OnGenerationLive(now()); });
  }
  if (driver->pending()) {
    RequestTurn(Duration::Micros(20));
  }
}

void RackNode::Process::Tick() {
  if (link->NextDeadline() <= now()) {
    link->OnTimer(now());
  }
  journal->Tick();
  events->Tick();
  Turn();
}

void RackNode::Process::OnSent(const Frame& frame) {
  const auto view = net::ParseUdp4Frame(frame);
  if (!view || view->source.port != kDhcpPort || view->payload.size() < 240) {
    return;
  }
  WireReader in(view->payload.subspan(4));
  const std::uint32_t xid = in.U32();
  MacAddress mac;
  WireReader hardware(view->payload.subspan(28));
  hardware.Copy(std::as_writable_bytes(std::span(mac.octets)));
  const auto reply = dhcp::DecodeReply(view->payload, xid, mac);
  if (reply && reply->type != dhcp::MessageType::kNak) {
    CheckPlan(mac, view->payload);
  }
  if (reply && reply->type == dhcp::MessageType::kAck && reply->lease_seconds != 0) {
    node.parts_.judge->OnAckSent(node.place_.index, mac, xid, reply->address,
                                 Duration::Seconds(reply->lease_seconds),
                                 {.paired = rules.state() != lease::PairState::kOff,
                                  .normal = rules.state() == lease::PairState::kNormal,
                                  .mclt = Duration::Seconds(kMcltSeconds)});
  }
}

void RackNode::Process::CheckPlan(MacAddress mac, ByteSpan payload) {
  const service::Serving* const serves = serving->current();
  const auto message = std::make_unique<dhcp::Message>();
  SLIP_CHECK(dhcp::Decode(payload, *message).has_value());
  // Of the address that is given: it may be a relay's.
  const auto subnets = serves->snapshot->subnets();
  const auto subnet = std::find_if(subnets.begin(), subnets.end(), [&](const auto& one) {
    return one.prefix.Contains(message->yiaddr);
  });
  boot::BootRequest ask{
      .mac = mac,
      .vlan = subnet != subnets.end() ? serves->snapshot->VlanById(subnet->vlan) : nullptr,
      .firmware = FirmwareOf(mac),
      .server = node.address()};
  ask.stage = ask.firmware.ipxe ? boot::Stage::kIpxe : boot::Stage::kFirmware;
  boot::FindMachine(*serves->snapshot, ask);
  const boot::BootPlan plan = boot::Decide(ask, *serves->snapshot);
  // A machine that is found going in circles gets no file for a while, whatever was decided.
  const bool broken = engine.counters().loops_found.value() > 0 && message->file.empty();
  node.parts_.judge->Require(AsText(message->file) == plan.file || broken,
                             "12: " + std::string(ToText(mac).view()) + " was told '" +
                                 std::string(AsText(message->file)) + "', decided is '" +
                                 std::string(plan.file.view()) + "'");
}

RackNode::RackNode(const Parts& parts, const Place& place, std::uint64_t seed)
    : parts_(parts),
      place_(place),
      random_(Mix64(seed ^ (place.index << 8))),
      disk_(Mix64(seed ^ 1 ^ (place.index << 8))),
      clock_(parts.world),
      log_(parts.world, place.name) {}

RackNode::~RackNode() = default;

void RackNode::Later(Duration delay, World::Event event) {
  parts_.world->After(delay, [this, life = life_, task = std::move(event)]() mutable {
    if (life != life_ || process_ == nullptr) {
      return;
    }
    if (parts_.world->now() < asleep_until_) {
      Later(asleep_until_ - parts_.world->now(), std::move(task));
    } else {
      task();
    }
  });
}

void RackNode::Pause(Duration span) {
  log_.Write(LogLevel::kInfo, "sleeps", std::to_string(span.millis()) + " ms");
  asleep_until_ = std::max(asleep_until_, parts_.world->now() + span);
}

// Through Later: a sleeper reads what has arrived when it wakes.
void RackNode::OnPairMessage(ByteSpan message) {
  Later(Duration::Micros(10),
        [this, bytes = std::vector<std::byte>(message.begin(), message.end())] {
          (void)process_->pair_box->from_partner->Emplace([&](service::PairParcel& parcel) {
            parcel.size = static_cast<std::uint32_t>(bytes.size());
            std::ranges::copy(bytes, parcel.bytes.begin());
          });
          process_->pair_box->from_partner->Notify();
          process_->RequestTurn(Duration::Micros(20));
        });
}

void RackNode::OnPairDown() {
  Later(Duration::Micros(10), [this] {
    (void)process_->pair_box->from_partner->Emplace(
        [](service::PairParcel& parcel) { parcel.size = 0; });
    process_->pair_box->from_partner->Notify();
    process_->RequestTurn(Duration::Micros(20));
  });
}

lease::PairState RackNode::pair_state() const {
  return process_ == nullptr ? lease::PairState::kOff : process_->rules.state();
}

std::string RackNode::PairJson() const {
  if (process_ == nullptr || parts_.world->now() < asleep_until_) {
    return {};
  }
  const auto report = process_->pair->Describe(process_->now());
  return R"({"pair":)" + std::to_string(report.setting.options.pair) + R"(,"term":)" +
         std::to_string(report.setting.order.term) + R"(,"state":")" +
         std::string(lease::ToString(process_->rules.state())) + "\"}";
}

void RackNode::Start() {
  if (process_ != nullptr) {
    return;
  }
  asleep_until_ = {};
  ++life_;
  if (!TryStart()) {
    process_.reset();
    log_.Write(LogLevel::kError, "start-failed", "");
    parts_.world->After(kStartRetry, [this, life = life_] {
      if (life == life_) {
        Start();
      }
    });
    return;
  }
  log_.Write(LogLevel::kInfo, "up", std::to_string(process_->leases.size()) + " leases");
  parts_.wire->SetRack(this);
  if (parts_.pair_wire != nullptr) {
    parts_.pair_wire->SetEnd(place_.index, this);
  }
  Later(kTick, [this] { Tick(); });
}

bool RackNode::TryStart() {
  process_ = std::make_unique<Process>(*this);
  if (!process_->Open()) {
    return false;
  }
  CheckLeases();
  return true;
}

void RackNode::Tick() {
  process_->Tick();
  Later(kTick, [this] { Tick(); });
}

void RackNode::Kill(bool power) {
  log_.Write(LogLevel::kInfo, power ? "power-cut" : "killed", "");
  ++life_;
  if (process_ != nullptr) {
    process_->journal->Die(parts_.world->OneIn(2));
    parts_.wire->SetRack(nullptr);
    if (parts_.pair_wire != nullptr) {
      parts_.pair_wire->SetEnd(place_.index, nullptr);
    }
    process_.reset();
  }
  if (power) {
    disk_.Crash();
  }
}

void RackNode::Reboot(Duration wall_error, bool synchronised) {
  Kill(true);
  clock_.Reboot();
  clock_.SetWall(wall_error, synchronised);
}

std::string RackNode::FetchScript(Ipv4Address address) {
  if (process_ == nullptr) {
    return {};
  }
  std::array<std::byte, service::kGeneratedBytesMax> scratch;
  service::Content content;
  {
    const Sealed sealed;
    content = process_->content->Resolve(
        {.space = service::ContentSpace::kBootScript, .peer = address, .local = this->address()},
        scratch, process_->now());
  }
  process_->RequestTurn(Duration::Micros(20));
  return content.kind == service::ContentKind::kMemory
             ? std::string(AsText(ByteSpan(scratch).first(static_cast<std::size_t>(content.bytes))))
             : std::string();
}

void RackNode::PostInventory(Ipv4Address address, std::string_view token, std::string document,
                             PostDone done) {
  if (process_ == nullptr) {
    return;
  }
  Process& process = *process_;
  const std::uint64_t handle = ++process.last_post;
  process.documents[handle] = std::move(document);
  process.posts[handle] = std::move(done);
  service::InventoryVerdict verdict{};
  {
    const Sealed sealed;
    verdict = process.inventories->Submit({.peer = address,
                                           .local = this->address(),
                                           .token = token,
                                           .body = AsBytes(process.documents[handle]),
                                           .handle = handle},
                                          process.now());
  }
  process.RequestTurn(Duration::Micros(20));
  if (verdict != service::InventoryVerdict::kAccepted) {
    process.Answer(std::move(process.posts.extract(handle).mapped()), verdict);
  }
}

void RackNode::OnWireMessage(ConnectionId connection, ByteSpan message) {
  if (parts_.world->now() < asleep_until_) {
    Later(asleep_until_ - parts_.world->now(),
          [this, connection, bytes = std::vector<std::byte>(message.begin(), message.end())] {
            OnWireMessage(connection, bytes);
          });
    return;
  }
  if (process_ != nullptr && process_->connection == connection) {
    process_->link->OnMessage(message, process_->now());
  }
}

void RackNode::OnWireClosed(ConnectionId connection, std::string_view reason) {
  if (process_ != nullptr && process_->connection == connection) {
    process_->link->OnClosed(reason, process_->now());
  }
}

link::GenerationState RackNode::live() { return process_->snapshots->Live(); }

bool RackNode::link_up() const {
  return process_ != nullptr && process_->link->state() == link::RackLink::State::kUp;
}

bool RackNode::outbox_empty() {
  if (!process_->journal->idle()) {
    return false;
  }
  return std::all_of(
      link::kFactClasses.begin(), link::kFactClasses.end(), [&](link::FactClass fact_class) {
        const journal::ClassCursor cursor =
            process_->journal->Cursor(static_cast<journal::FactClass>(fact_class));
        return cursor.acknowledged == cursor.durable_next && cursor.durable_next == cursor.next;
      });
}

bool RackNode::journal_failing() const { return process_->journal->failing(); }

std::uint64_t RackNode::replies_waiting() const {
  return process_->dhcp->waiting().waiting.value();
}

std::uint32_t RackNode::leases_bound() const {
  std::uint32_t bound = 0;
  for (std::uint32_t slot = 0; slot < process_->leases.capacity(); ++slot) {
    const lease::Lease* const lease = process_->leases.At(slot);
    bound += lease != nullptr && lease->state == lease::State::kBound ? 1 : 0;
  }
  return bound;
}

std::uint64_t RackNode::checkpoints() const { return process_->journal->checkpoints(); }

void RackNode::CheckAtRest() {
  Judge& judge = *parts_.judge;
  judge.Require(replies_waiting() == 0, "14: replies wait for ever");
  const service::InventoryCounters& inventories = process_->inventories->counters();
  judge.Require(process_->posts.empty(), "14: an inventory waits for ever");
  judge.Require(inventories.accepted.value() == inventories.durable.value(),
                "14: a place for an inventory is not given back");
  // One of a pair has a timer for its partner.
  const std::uint32_t of_pair = pair_state() == lease::PairState::kOff ? 0 : 1;
  judge.Require(process_->shard->timers().size() == process_->timers_at_start + of_pair,
                "14: timers are left over");
  judge.Require(!process_->driver->pending(), "14: packets or messages wait for ever");
  CheckLeases();
}

void RackNode::CheckLeases() {
  parts_.judge->CheckTable(place_.index, process_->leases, process_->now());
}

}  // namespace slipway::sim
