#include "controlplane/main/region.h"

#include <fmt/format.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "controlplane/api/api.h"
#include "controlplane/api/http_head.h"
#include "controlplane/api/http_server.h"
#include "controlplane/api/routes.h"
#include "controlplane/link/region_end.h"
#include "controlplane/link/tokens.h"
#include "controlplane/main/admin_token.h"
#include "controlplane/main/enlister.h"
#include "controlplane/main/link_owners.h"
#include "controlplane/main/pair_keeper.h"
#include "controlplane/main/region_metrics.h"
#include "controlplane/main/worker.h"
#include "controlplane/model/live_model.h"
#include "controlplane/publish/publisher.h"
#include "controlplane/store/lmdb_facts.h"
#include "controlplane/store/lmdb_store.h"
#include "dataplane/base/posix_disk.h"
#include "dataplane/link/keys.h"

namespace slipway::region {
namespace {

using settings::Values;
using Started = std::expected<void, StartFailure>;

[[nodiscard]] std::unexpected<StartFailure> FailStart(std::string reason, int exit_code = 1) {
  return std::unexpected(StartFailure{.exit_code = exit_code, .reason = std::move(reason)});
}

constexpr std::uint64_t kStartBytesMin = std::uint64_t{1} << 20;

[[nodiscard]] bool IsLoopback(const IpAddress& address) {
  if (address.is_v4()) {
    return address.v4().value >> 24 == 127;
  }
  const auto loopback = Ipv6Address::Parse("::1");
  return loopback && address.v6() == *loopback;
}

// Wakes the link when a rack's admission may have changed.
class DirectoryWatch final : public model::ModelObserver {
 public:
  void OnChange(const model::ModelIndex& /*index*/, const model::ModelChange& change) override {
    changed_ = changed_ || change.ref.kind == model::Kind::kRack;
  }

  void OnRevision(const model::ModelIndex& /*index*/, store::Revision /*revision*/) override {
    if (std::exchange(changed_, false) && end_ != nullptr) {
      end_->NotifyDirectory();
    }
  }

  void SetEnd(region_link::RegionEnd* end) { end_ = end; }

 private:
  bool changed_ = false;
  region_link::RegionEnd* end_ = nullptr;
};

}  // namespace

// In the order of construction; the end of the process takes them down by Stop, then in reverse.
struct Region::Parts final : api::RackControl {
  Parts(const Values& settings_in, settings::ProcessLog& log_in)
      : settings(settings_in), log(log_in) {}

  const Values& settings;
  settings::ProcessLog& log;
  std::string state_dir;
  PosixClock clock;
  PosixRandom random;
  std::optional<PosixDisk> directory;  // holds the lock
  std::unique_ptr<store::LmdbStore> store;
  std::unique_ptr<store::FactsStore> facts;
  std::unique_ptr<model::LiveModel> model;
  std::unique_ptr<publish::Publisher> publisher;
  DirectoryWatch directory_watch;
  std::unique_ptr<ModelDirectory> racks;
  std::unique_ptr<PublishedSnapshots> snapshots;
  std::unique_ptr<StoredFacts> fact_sink;
  std::unique_ptr<RackBoard> board;
  std::unique_ptr<region_link::RegionEnd> link;
  std::vector<std::string> link_endpoints;
  std::unique_ptr<api::Api> api;
  std::unique_ptr<api::HttpServer> http;
  std::unique_ptr<PairKeeper> pairs;
  std::unique_ptr<Enlister> enlister;
  std::unique_ptr<RegionMetrics> metrics;
  std::unique_ptr<Worker> worker;
  std::thread http_thread;

  [[nodiscard]] Started OpenDirectory();
  [[nodiscard]] Started OpenStores();
  [[nodiscard]] Started LoadModel();
  [[nodiscard]] Started OpenLink();
  [[nodiscard]] Started OpenApi();
  void ChooseEndpoints();
  void SayUp();

  // ---- api::RackControl ----
  [[nodiscard]] api::RackLinkStatus StatusOf(std::uint64_t rack) override {
    return board->StatusOf(rack);
  }

  void MintToken(Duration life, TokenDone done) override;
  void Ask(std::uint64_t rack, std::string topic, std::string argument, AskDone done) override;
  [[nodiscard]] config::SnapshotRef SnapshotOf(std::uint64_t rack) const;
};

Started Region::Parts::OpenDirectory() {
  state_dir = settings.Text("state_dir");
  auto disk = PosixDisk::Create(state_dir);
  if (!disk) {
    return FailStart(
        fmt::format("cannot open the state directory {} ({}): its parent must exist "
                    "and be writable; set state_dir",
                    state_dir, std::strerror(static_cast<int>(disk.error().detail))));
  }
  directory.emplace(*std::move(disk));
  if (const auto locked = directory->Lock(); !locked) {
    if (locked.error().code == ErrorCode::kBusy) {
      return FailStart(
          fmt::format("another slipway-region uses {}: stop it, or set state_dir", state_dir));
    }
    return FailStart(
        fmt::format("cannot write in the state directory {} ({}): it must be "
                    "writable and have space",
                    state_dir, std::strerror(static_cast<int>(locked.error().detail))));
  }

  // LMDB maps its lock table: on a disk without room the first write into it would be a SIGBUS.
  struct statvfs space {};

  if (statvfs(state_dir.c_str(), &space) == 0 &&
      std::uint64_t{space.f_bavail} * space.f_frsize < kStartBytesMin) {
    return FailStart(
        fmt::format("the disk of the state directory {} is full: free at least 1 MiB", state_dir));
  }
  return {};
}

Started Region::Parts::OpenStores() {
  store::LmdbOptions options;
  options.directory = state_dir + "/state";
  options.map_bytes = static_cast<std::size_t>(settings.Integer("store.map_gib")) << 30;
  auto opened = store::LmdbStore::Open(options);
  if (!opened) {
    return FailStart(opened.error().reason);
  }
  store = *std::move(opened);
  options.directory = state_dir + "/facts";
  auto facts_opened = store::OpenLmdbFacts(options);
  if (!facts_opened) {
    return FailStart(facts_opened.error().reason);
  }
  facts = *std::move(facts_opened);
  return {};
}

Started Region::Parts::LoadModel() {
  model = std::make_unique<model::LiveModel>(*store, random);
  if (const auto started = model->Start(); !started) {
    return FailStart(fmt::format("cannot load the model from {}/state ({}): restore a backup",
                                 state_dir, ToString(started.error().code)));
  }
  publisher = std::make_unique<publish::Publisher>(store->epoch());
  publisher->SetReadGuard([this](const std::function<void()>& work) {
    model->Read([&work](const model::ModelIndex&) {
      work();
      return 0;
    });
  });
  model->Read([this](const model::ModelIndex& index) {
    publisher->Load(index);
    return 0;
  });
  model->AddObserver(*publisher);
  model->AddObserver(directory_watch);
  return {};
}

Started Region::Parts::OpenLink() {
  auto key = link::LoadOrCreateKeyPair(state_dir + "/link.key");
  if (!key) {
    return FailStart(
        fmt::format("cannot use {}/link.key ({}): it must be ours alone (mode 0600) "
                    "and unbroken; racks know the region by it",
                    state_dir, ToString(key.error().code)));
  }
  racks = std::make_unique<ModelDirectory>(*model);
  snapshots = std::make_unique<PublishedSnapshots>(*publisher);
  fact_sink = std::make_unique<StoredFacts>(*facts);
  board = std::make_unique<RackBoard>(*facts, *publisher, clock);
  region_link::RegionEndOptions options;
  const std::int64_t port = settings.Integer("link.port");
  options.bind = fmt::format("tcp://{}:{}", settings.Text("link.listen"),
                             port == 0 ? std::string("*") : std::to_string(port));
  options.key = *key;
  options.epoch = store->epoch();
  auto end = region_link::RegionEnd::Create(std::move(options), {.directory = racks.get(),
                                                                 .observer = board.get(),
                                                                 .snapshots = snapshots.get(),
                                                                 .facts = fact_sink.get(),
                                                                 .clock = &clock,
                                                                 .random = &random,
                                                                 .log = &log});
  if (!end) {
    return FailStart(
        fmt::format("cannot listen for racks on {}:{} ({}): set link.listen and "
                    "link.port, or see with 'ss -ltnp' who has the port",
                    settings.Text("link.listen"), port, ToString(end.error().code)));
  }
  link = *std::move(end);
  directory_watch.SetEnd(link.get());
  publisher->SetListener(
      [this](std::uint64_t rack, config::Generation) { link->NotifyPublished(rack); });
  ChooseEndpoints();
  return {};
}

void Region::Parts::ChooseEndpoints() {
  link_endpoints = settings.TextList("link.endpoints");
  if (!link_endpoints.empty()) {
    return;
  }
  const std::string bound = link->endpoint();
  const std::string port = bound.substr(bound.rfind(':') + 1);
  std::string host = settings.Text("link.listen");
  if (host == "*" || host == "0.0.0.0") {
    std::array<char, 256> name{};
    host = gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "localhost";
  }
  link_endpoints = {fmt::format("tcp://{}:{}", host, port)};
}

void Region::Parts::MintToken(Duration life, TokenDone done) {
  const std::uint64_t id = random.U64() | 1;
  auto token =
      region_link::MakeToken(id, link->public_key(), link_endpoints, clock.WallNow(), life);
  if (!token) {
    done(std::unexpected(token.error()));
    return;
  }
  const std::int64_t expires_ns = token->record.expires.ns;
  racks->AddToken(token->record, [text = std::move(token->text), expires_ns,
                                  answer = std::move(done)](Result<void> stored) mutable {
    if (stored) {
      answer(api::MintedToken{.text = std::move(text), .expires_ns = expires_ns});
    } else {
      answer(std::unexpected(stored.error()));
    }
  });
}

void Region::Parts::Ask(std::uint64_t rack, std::string topic, std::string argument, AskDone done) {
  link->Query(rack, std::move(topic), std::move(argument),
              [answer = std::move(done)](Result<link::QueryAnswer> said) mutable {
                if (said) {
                  answer(api::RackAnswer{.ok = said->ok, .json = std::move(said->json)});
                } else {
                  answer(std::unexpected(said.error()));
                }
              });
}

config::SnapshotRef Region::Parts::SnapshotOf(std::uint64_t rack) const {
  auto cursor = publisher->StartSnapshot(rack);
  if (!cursor) {
    return {};
  }
  config::SnapshotBuilder builder{config::SnapshotRef{}};
  bool whole = true;
  const auto more = (*cursor)->Next([&](const publish::PublishedRecord& record) {
    const std::string& body = *record.body;
    whole =
        whole && builder.Put(record.table, record.id, std::as_bytes(std::span(body))).has_value();
    return true;
  });
  return more && !*more && whole ? builder.Finish((*cursor)->generation()) : config::SnapshotRef{};
}

Started Region::Parts::OpenApi() {
  auto token = LoadOrCreateToken(state_dir);
  if (!token) {
    return FailStart(std::move(token.error()));
  }
  worker = std::make_unique<Worker>();
  api::ApiParts parts;
  parts.model = model.get();
  parts.store = store.get();
  parts.facts = facts.get();
  parts.racks = this;
  parts.background = worker.get();
  parts.clock = &clock;
  parts.random = &random;
  parts.log = &log;
  parts.images_dir = settings.Text("images.dir");
  parts.token = *std::move(token);
  parts.snapshot_of = [this](std::uint64_t rack) { return SnapshotOf(rack); };
  parts.checks = [this](std::vector<api::Check>& checks) {
    checks.push_back(
        {.name = "link",
         .ok = true,
         .detail = fmt::format("{}, {} racks connected", link->endpoint(), board->connected())});
  };
  api = std::make_unique<api::Api>(std::move(parts));
  api::ServerLimits limits;
  limits.connections_max = static_cast<std::size_t>(settings.Integer("api.connections_max"));
  const auto address = IpAddress::Parse(settings.Text("api.listen"));
  const auto port = static_cast<std::uint16_t>(settings.Integer("api.port"));
  auto server = api::HttpServer::Create(*address, port, limits, *api, log);
  if (!server) {
    const bool busy = server.error().code == ErrorCode::kBusy;
    return FailStart(fmt::format(
        "cannot listen on {}:{} ({}): {}", settings.Text("api.listen"), port,
        busy ? "the port is taken" : std::strerror(static_cast<int>(server.error().detail)),
        "set api.port, or see with 'ss -ltnp' who has it"));
  }
  http = *std::move(server);
  metrics = std::make_unique<RegionMetrics>(http->counters(), link->counters(), *board);
  enlister = std::make_unique<Enlister>(Enlister::Parts{.model = model.get(),
                                                        .store = store.get(),
                                                        .facts = facts.get(),
                                                        .executor = &http->executor(),
                                                        .clock = &clock,
                                                        .log = &log});
  pairs = std::make_unique<PairKeeper>(PairKeeper::Parts{.model = model.get(),
                                                         .facts = facts.get(),
                                                         .racks = this,
                                                         .executor = &http->executor(),
                                                         .clock = &clock,
                                                         .log = &log});
  api->parts().pairs = pairs.get();
  api->AddMetrics(*metrics);
  api->AddMetrics(*pairs);
  api->AddMetrics(*enlister);
  return {};
}

void Region::Parts::SayUp() {
  std::size_t machines = 0;
  model->Read([&](const model::ModelIndex& index) {
    machines = index.CountOf(model::Kind::kMachine);
    return 0;
  });
  std::string endpoints;
  for (const std::string& endpoint : link_endpoints) {
    endpoints += (endpoints.empty() ? "" : ",") + endpoint;
  }
  log.Write(LogLevel::kInfo, "region-up",
            fmt::format("version={} api=http://{}:{} link={} racks-join={} state={} images={} "
                        "revision={} machines={} connections-max={} head-bytes-max={} "
                        "body-bytes-max={} bulk-bytes-max={}",
                        SLIPWAY_VERSION, settings.Text("api.listen"), http->port(),
                        link->endpoint(), endpoints, state_dir, settings.Text("images.dir"),
                        store->revision(), machines, settings.Integer("api.connections_max"),
                        api::kHeadBytesMax, api::kBodyBytesMax, api::kBulkBytesMax));
}

Started Region::Check(const Values& values) {
  const auto address = IpAddress::Parse(values.Text("api.listen"));
  if (!address) {
    return FailStart(fmt::format("{}: 'api.listen' must be an address, as 127.0.0.1",
                                 values.Origin("api.listen")),
                     2);
  }
  if (!IsLoopback(*address)) {
    return FailStart(
        fmt::format("{}: 'api.listen' must be a loopback address: the API has no TLS yet, and its "
                    "token would cross the network readable; use 127.0.0.1, and a tunnel (ssh -L) "
                    "from elsewhere",
                    values.Origin("api.listen")),
        2);
  }
  constexpr std::array<std::string_view, 4> kLevels = {"debug", "info", "warn", "error"};
  if (std::find(kLevels.begin(), kLevels.end(), values.Text("log.level")) == kLevels.end()) {
    return FailStart(fmt::format("{}: 'log.level' must be debug, info, warn or error",
                                 values.Origin("log.level")),
                     2);
  }
  for (const std::string& endpoint : values.TextList("link.endpoints")) {
    if (!link::IsEndpoint(endpoint)) {
      return FailStart(fmt::format("{}: 'link.endpoints' must be like tcp://host:5250, not '{}'",
                                   values.Origin("link.endpoints"), endpoint),
                       2);
    }
  }
  return {};
}

Region::Region(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Region::~Region() { Stop(); }

std::expected<std::unique_ptr<Region>, StartFailure> Region::Create(const Values& values,
                                                                    settings::ProcessLog& log) {
  auto parts = std::make_unique<Parts>(values, log);
  constexpr std::array kSteps = {&Parts::OpenDirectory, &Parts::OpenStores, &Parts::LoadModel,
                                 &Parts::OpenLink, &Parts::OpenApi};
  for (const auto step : kSteps) {
    if (auto done = (*parts.*step)(); !done) {
      return std::unexpected(std::move(done.error()));
    }
  }
  return std::unique_ptr<Region>(new Region(std::move(parts)));
}

Started Region::Start() {
  Parts& parts = *parts_;
  if (const auto started = parts.link->Start(); !started) {
    return FailStart(
        fmt::format("the control link did not start ({})", ToString(started.error().code)));
  }
  const auto events = parts.api->Start(parts.http->executor());
  const auto enlisting = parts.enlister->Start();
  if (!events || !enlisting) {
    return FailStart("the stores refuse to be watched");
  }
  parts.pairs->Start();
  parts.http_thread = std::thread([&parts] { parts.http->Run(); });
  parts.SayUp();
  return {};
}

void Region::Stop() {
  if (parts_ == nullptr) {
    return;
  }
  Parts& parts = *parts_;
  if (parts.http_thread.joinable()) {
    parts.http->Stop();
    parts.http_thread.join();
  }
  parts.worker.reset();
  parts.enlister.reset();
  parts.pairs.reset();
  if (parts.link != nullptr) {
    parts.link->Stop();
  }
  // What is queued is committed now, while those who asked for it are still there.
  parts.facts.reset();
  parts.store.reset();
  parts.log.Write(LogLevel::kInfo, "region-down", "everything acknowledged is on disk");
  parts_.reset();
}

}  // namespace slipway::region
