#include "dataplane/main/rack.h"

#include <malloc.h>
#include <poll.h>
#include <sched.h>
#include <sodium/core.h>
#include <sodium/randombytes.h>
#include <sodium/utils.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <fstream>
#include <thread>
#include <utility>

#include "dataplane/base/posix_disk.h"
#include "dataplane/epoll/epoll_driver.h"
#include "dataplane/journal/journal_thread.h"
#include "dataplane/link/rack_end.h"
#include "dataplane/link/rack_identity.h"
#include "dataplane/main/admin_socket.h"
#include "dataplane/main/fact_source.h"
#include "dataplane/main/interface_monitor.h"
#include "dataplane/main/journal_events.h"
#include "dataplane/main/pair_link.h"
#include "dataplane/main/pair_store.h"
#include "dataplane/main/privileges.h"
#include "dataplane/main/query_desk.h"
#include "dataplane/main/rack_metrics.h"
#include "dataplane/main/serving_publisher.h"
#include "dataplane/main/shard_set.h"
#include "dataplane/main/snapshot_owner.h"
#include "dataplane/ring/ring_driver.h"
#include "dataplane/ring/ring_probe.h"
#include "dataplane/shard/seal.h"
#include "dataplane/shard/socket.h"

namespace slipway::rack {
namespace {

constexpr int kPollMillis = 1000;
// Commits come by the thousand in a second; the link hears of them no more often than this.
constexpr Duration kFactsEvery = Duration::Millis(10);

// The outbox of the journal thread.
class ThreadOutbox final : public OutboxJournal {
 public:
  explicit ThreadOutbox(journal::JournalThread* thread) : thread_(thread) {}

  journal::ClassCursor Cursor(journal::FactClass fact_class) override {
    return thread_->cursor(fact_class);
  }

  Result<std::uint64_t> ReadCommitted(journal::FactClass fact_class, std::uint64_t from,
                                      std::size_t bytes_max,
                                      journal::RecordVisitor& visitor) override {
    return thread_->ReadCommitted(fact_class, from, bytes_max, visitor);
  }

  Result<void> Acknowledge(journal::FactClass fact_class, std::uint64_t epoch,
                           std::uint64_t next) override {
    return thread_->Acknowledge(fact_class, epoch, next);
  }

  Result<std::uint64_t> ReadLeaseTable(journal::RecoveryVisitor& visitor) override {
    return thread_->ReadLeaseTable(visitor);
  }

 private:
  journal::JournalThread* thread_;
};

// Puts the journal's leases back into the table.
class LeaseRestorer final : public journal::RecoveryVisitor {
 public:
  // `durable`: the records survive another crash.
  LeaseRestorer(ShardSet& shards, const lease::Now& now, bool durable)
      : shards_(shards), now_(now), durable_(durable) {}

  void OnCheckpointLease(ByteSpan payload) override { Take(payload); }

  void OnRecord(journal::FactClass /*fact_class*/, std::uint64_t /*sequence*/,
                ByteSpan payload) override {
    Take(payload);
  }

  [[nodiscard]] std::uint64_t taken() const { return taken_; }

  [[nodiscard]] std::uint64_t refused() const { return refused_; }

 private:
  void Take(ByteSpan payload) {
    auto restored = lease::DecodeLease(payload);
    if (restored) {
      restored->durable = durable_;
    }
    const bool put = restored && shards_.Restore(*restored, now_);
    (put ? taken_ : refused_) += 1;
  }

  ShardSet& shards_;
  lease::Now now_;
  bool durable_;
  std::uint64_t taken_ = 0;
  std::uint64_t refused_ = 0;
};

[[nodiscard]] std::vector<link::InterfaceInfo> Describe(const service::HostInterfaces& all) {
  std::vector<link::InterfaceInfo> infos;
  for (const service::HostInterface& one : all) {
    link::InterfaceInfo info{.name = std::string(one.name.view()),
                             .index = one.index,
                             .mac = one.mac.ToU64(),
                             .vlan_id = one.vlan_id,
                             .parent = std::string(one.parent.view()),
                             .up = one.up};
    for (const IpPrefix& prefix : one.addresses) {
      info.addresses.emplace_back(ToText(prefix).view());
    }
    infos.push_back(std::move(info));
  }
  return infos;
}

[[nodiscard]] std::string HostName() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? std::string(name.data()) : "rack";
}

// Those that this process may use: a second shard on one core would only be switched to and fro.
[[nodiscard]] std::size_t CoresAllowed() {
  cpu_set_t set;
  CPU_ZERO(&set);
  const bool known = sched_getaffinity(0, sizeof(set), &set) == 0;
  return known ? static_cast<std::size_t>(std::max(1, CPU_COUNT(&set)))
               : std::max(1U, std::thread::hardware_concurrency());
}

// Random bytes in a 0600 file, made at first start.
template <std::size_t N>
[[nodiscard]] Result<std::array<std::uint8_t, N>> LoadRandomBytes(const std::string& path) {
  std::array<std::uint8_t, N> key{};
  std::array<char, 2 * N + 1> hex{};
  Result<std::string> text = link::ReadSecretFile(path);
  if (!text && text.error().code == ErrorCode::kNotFound) {
    randombytes_buf(key.data(), key.size());
    (void)sodium_bin2hex(hex.data(), hex.size(), key.data(), key.size());
    SLIP_TRY(link::WriteSecretFile(path, hex.data()));
    return key;
  }
  if (!text) {
    return std::unexpected(text.error());
  }
  std::size_t size = 0;
  if (sodium_hex2bin(key.data(), key.size(), text->data(), text->size(), "\n", &size, nullptr) !=
          0 ||
      size != key.size()) {
    return Fail(ErrorCode::kCorrupt);
  }
  return key;
}

[[nodiscard]] std::string Reason(const Error& error) {
  std::string text(ToString(error.code));
  const bool has_errno = error.code == ErrorCode::kSystem || error.code == ErrorCode::kNoSpace ||
                         error.code == ErrorCode::kReadOnly || error.code == ErrorCode::kDenied ||
                         error.code == ErrorCode::kUnavailable;
  if (has_errno && error.detail != 0) {
    text += ": " + std::string(std::strerror(static_cast<int>(error.detail)));
  }
  return text;
}

}  // namespace

// In the order in which they are made; destroyed in reverse.
struct Rack::Parts {
  const settings::Values* values = nullptr;
  LogSink* log = nullptr;
  PosixClock clock;
  PosixRandom random;
  std::unique_ptr<PosixDisk> lock_disk;
  std::unique_ptr<PosixDisk> journal_disk;
  std::unique_ptr<PosixDisk> link_disk;
  std::unique_ptr<images::Store> images;
  std::unique_ptr<InterfaceMonitor> monitor;
  service::HostInterfaces interfaces;
  std::vector<std::uint32_t> joined;  // interfaces that listen for solicitations
  int icmpv6_fd = -1;                 // the driver's
  int dhcp6_fd = -1;                  // likewise
  bool journal_is_new = false;
  std::unique_ptr<journal::JournalThread> journal;
  std::unique_ptr<PairStore> pair_store;
  std::unique_ptr<ShardSet> shards;
  std::unique_ptr<shard::Wake> wake;
  std::unique_ptr<JournalEvents> events;
  std::unique_ptr<SnapshotSlot> slot;
  std::unique_ptr<ServingPublisher> publisher;
  std::unique_ptr<SnapshotOwner> snapshots;
  std::unique_ptr<ThreadOutbox> outbox;
  std::unique_ptr<JournalFactSource> facts;
  std::unique_ptr<QueryDesk> queries;
  std::unique_ptr<link::RackEnd> link;
  std::unique_ptr<PairMail> pair_mail;
  std::unique_ptr<link::PairEnd> pair_end;
  std::unique_ptr<RackMetrics> metrics;
  std::unique_ptr<AdminSocket> admin;
  shard::OwnedFd signals;
  bool journal_failing = false;  // as last said in the log

  [[nodiscard]] bool OpenState(RackFailure& failure);
  [[nodiscard]] bool MakeShards(RackFailure& failure);
  [[nodiscard]] Result<std::unique_ptr<shard::Driver>> MakeDriver(bool use_ring);
  [[nodiscard]] bool ChooseDriver(bool& use_ring, RackFailure& failure);
  [[nodiscard]] bool MakeJournal(std::unique_ptr<journal::Journal>& journal, RackFailure& failure);
  [[nodiscard]] bool RestoreLeases(journal::Journal& journal, RackFailure& failure);
  [[nodiscard]] bool MakeLink(RackFailure& failure);
  [[nodiscard]] bool MakePairEnd(RackFailure& failure);
  [[nodiscard]] bool Launch(RackFailure& failure);
  void FollowInterfaces();
  void JoinRouters();
  void WatchJournal();
  void Pump();
  void Stop();
};

namespace {

[[nodiscard]] bool Fails(RackFailure& failure, std::string text) {
  failure.text = std::move(text);
  return false;
}

}  // namespace

bool Rack::Parts::OpenState(RackFailure& failure) {
  const std::string& directory = values->Text("state_dir");
  for (auto* const disk : {&lock_disk, &journal_disk, &link_disk}) {
    Result<PosixDisk> opened = PosixDisk::Create(directory);
    if (!opened) {
      return Fails(failure, "state_dir " + directory + " cannot be opened: " +
                                Reason(opened.error()) + "; make it, or change state_dir");
    }
    *disk = std::make_unique<PosixDisk>(std::move(*opened));
  }
  if (const Result<void> locked = lock_disk->Lock(); !locked) {
    const bool busy = locked.error().code == ErrorCode::kBusy;
    return Fails(failure, "state_dir " + directory + " cannot be locked: " +
                              (busy ? "another slipway-rack uses it; stop that one first"
                                    : Reason(locked.error()) + "; it must be writable"));
  }
  Result<images::Store> store = images::Store::OpenReadOnly(values->Text("images_dir"));
  if (!store) {
    return Fails(failure, "images_dir " + values->Text("images_dir") + " cannot be opened: " +
                              Reason(store.error()) + "; make it, or change images_dir");
  }
  images = std::make_unique<images::Store>(std::move(*store));
  Result<InterfaceMonitor> made = InterfaceMonitor::Create();
  if (!made || !made->Read(interfaces)) {
    return Fails(failure, "the kernel's interfaces cannot be read by rtnetlink");
  }
  monitor = std::make_unique<InterfaceMonitor>(std::move(*made));
  return true;
}

bool Rack::Parts::ChooseDriver(bool& use_ring, RackFailure& failure) {
  const auto choice = shard::ParseIoChoice(values->Text("io"));
  if (!choice) {
    return Fails(failure, "io must be auto, ring or epoll, not '" + values->Text("io") + "'");
  }
  use_ring = false;
  std::string why = "asked for";
  if (*choice != shard::IoChoice::kEpoll) {
    const ring::RingProbe probe = ring::ProbeRing();
    if (!probe.usable && *choice == shard::IoChoice::kRing) {
      return Fails(failure, "io = ring, but io_uring cannot be used: " +
                                std::string(probe.reason.view()) + "; use io = auto");
    }
    use_ring = probe.usable;
    why = std::string(*choice == shard::IoChoice::kRing ? "asked for; " : "") +
          std::string(probe.reason.view());
  }
  log->Write(LogLevel::kInfo, "io-driver", std::string(use_ring ? "ring" : "epoll") + ": " + why);
  return true;
}

Result<std::unique_ptr<shard::Driver>> Rack::Parts::MakeDriver(bool use_ring) {
  return use_ring ? ring::CreateRingDriver(clock, {}) : epoll::CreateEpollDriver(clock);
}

bool Rack::Parts::MakeJournal(std::unique_ptr<journal::Journal>& opened, RackFailure& failure) {
  journal::OpenReport report;
  Result<std::unique_ptr<journal::Journal>> made = journal::Journal::Open(
      *journal_disk, random,
      journal::OptionsFor(static_cast<std::uint32_t>(values->Integer("leases_max"))), report);
  if (!made) {
    return Fails(failure, "the journal cannot be opened: " + Reason(made.error()) +
                              (report.file.empty() ? ""
                                                   : ", " + std::string(report.file.view()) +
                                                         " at " + std::to_string(report.offset) +
                                                         ": " + std::string(report.reason.view())) +
                              "; leases may be in it: mend the disk or restore state_dir");
  }
  opened = std::move(*made);
  journal_is_new = report.created;
  log->Write(LogLevel::kInfo, "journal-open",
             std::to_string(report.records) + " records in " + std::to_string(report.segments) +
                 " segments" + (report.created ? "; it is new" : ""));
  return true;
}

bool Rack::Parts::RestoreLeases(journal::Journal& from, RackFailure& failure) {
  const lease::Now now{.instant = clock.Now(),
                       .wall = clock.WallNow(),
                       .boot_id = clock.BootId(),
                       .wall_synchronised = clock.WallIsSynchronised()};
  // The tail of the log may be in the page cache only: a renewal answered from memory on its word
  // would be lost with it in a second crash. A disk that cannot be written stops no start, but each
  // lease is logged anew then before it is promised again.
  const bool durable = from.Commit().has_value();
  LeaseRestorer restorer(*shards, now, durable);
  if (const Result<void> read = from.Recover(restorer); !read) {
    return Fails(failure, "leases cannot be read back from the journal: " + Reason(read.error()));
  }
  if (restorer.refused() > 0) {
    return Fails(failure, std::to_string(restorer.refused()) +
                              " leases of the journal do not fit: raise leases_max");
  }
  log->Write(LogLevel::kInfo, "leases-restored",
             std::to_string(restorer.taken()) + " lease records");
  return true;
}

bool Rack::Parts::MakeShards(RackFailure& failure) {
  bool use_ring = false;
  if (!ChooseDriver(use_ring, failure)) {
    return false;
  }
  std::string why;
  Result<RackSockets> sockets =
      OpenRackSockets(static_cast<std::uint16_t>(values->Integer("http.port")), why);
  if (!sockets) {
    return Fails(failure, why);
  }
  icmpv6_fd = sockets->icmpv6.get();
  dhcp6_fd = sockets->dhcp6.get();
  std::unique_ptr<journal::Journal> opened;
  if (!MakeJournal(opened, failure)) {
    return false;
  }
  // Leases are read back through the table before the journal goes to its thread.
  journal::Journal* const recovered = opened.get();
  journal = std::make_unique<journal::JournalThread>(std::move(opened), clock);
  const auto wanted = static_cast<std::size_t>(values->Integer("shards"));
  const std::size_t cores = CoresAllowed();
  const std::size_t count = wanted != 0 ? wanted : std::min<std::size_t>(2, cores);
  std::vector<ShardSeat> seats(count);
  for (std::size_t i = 0; i < count; ++i) {
    auto driver = MakeDriver(use_ring);
    auto submitter = journal->AddSubmitter();
    auto serving = service::ServingView::Create();
    if (!driver || !submitter || !serving) {
      return Fails(failure,
                   "a shard cannot be made: " +
                       Reason(!driver ? driver.error()
                                      : (!submitter ? submitter.error() : serving.error())));
    }
    auto made = shard::Shard::Create({.index = static_cast<std::uint32_t>(i)}, std::move(*driver),
                                     clock.Now());
    if (!made) {
      return Fails(failure, "a shard cannot be made: " + Reason(made.error()));
    }
    seats[i] = {.shard = std::move(*made),
                .serving = std::move(*serving),
                .journal = std::make_unique<service::JournalPort>(*submitter)};
  }
  constexpr std::size_t kTokenKeyBytes = std::tuple_size_v<service::TokenKey>;
  const auto key = LoadRandomBytes<kTokenKeyBytes>(values->Text("state_dir") + "/token.key");
  if (!key) {
    return Fails(failure, "token.key in state_dir cannot be used: " + Reason(key.error()));
  }
  // Clients know the rack by it: it stays the same over restarts.
  const auto uuid =
      LoadRandomBytes<std::tuple_size_v<config::Uuid>>(values->Text("state_dir") + "/dhcp6.uuid");
  if (!uuid) {
    return Fails(failure, "dhcp6.uuid in state_dir cannot be used: " + Reason(uuid.error()));
  }
  pair_store = std::make_unique<PairStore>(lock_disk.get(), &clock, &random);
  auto set =
      ShardSet::Create({.leases_max = static_cast<std::uint32_t>(values->Integer("leases_max")),
                        .probe_interval = Duration::Seconds(values->Integer("dhcp.probe_seconds")),
                        .token_key = *key,
                        .server_uuid = *uuid,
                        .pair = pair_store->Load(journal_is_new)},
                       std::move(seats), std::move(*sockets), clock, random);
  if (!set) {
    return Fails(failure, "the services cannot be made: " + Reason(set.error()));
  }
  shards = std::move(*set);
  return RestoreLeases(*recovered, failure);
}

bool Rack::Parts::MakeLink(RackFailure& failure) {
  std::string token;
  const std::string& token_file = values->Text("join_token_file");
  if (!token_file.empty()) {
    const Result<std::string> text = link::ReadSecretFile(token_file);
    if (text) {
      token = *text;
    } else if (text.error().code != ErrorCode::kNotFound) {
      return Fails(failure, "join_token_file " + token_file + " cannot be read: " +
                                Reason(text.error()) + "; it must be readable by its owner only");
    }
  }
  queries = std::make_unique<QueryDesk>(shards->desk(), &clock);
  outbox = std::make_unique<ThreadOutbox>(journal.get());
  facts = std::make_unique<JournalFactSource>(outbox.get(), link_disk.get(), &random);
  const std::string& name = values->Text("name");
  auto made = link::RackEnd::Create({.state_directory = values->Text("state_dir"),
                                     .name = name.empty() ? HostName() : name,
                                     .software = std::string("slipway-rack ") + SLIPWAY_VERSION,
                                     .join_token = token,
                                     .endpoints = values->TextList("region.endpoints")},
                                    {.snapshots = snapshots.get(),
                                     .facts = facts.get(),
                                     .observer = queries.get(),
                                     .clock = &clock,
                                     .log = log});
  if (!made) {
    const bool no_token = made.error().code == ErrorCode::kNotFound;
    return Fails(failure, no_token ? "this rack was never enrolled and has no join token: run "
                                     "`slipway rack token` at the region and set join_token_file"
                                   : "the control link cannot start: " + Reason(made.error()) +
                                         "; is the join token whole?");
  }
  link = std::move(*made);
  queries->SetEnd(link.get());
  queries->SetPairBox(shards->pair_box());
  return MakePairEnd(failure);
}

bool Rack::Parts::MakePairEnd(RackFailure& failure) {
  // The key by which the region knows the rack is the one that it gives to the partner.
  const auto identity = link::RackIdentity::Load(values->Text("state_dir"));
  if (!identity) {
    return Fails(failure, "link.key in state_dir cannot be used: " + Reason(identity.error()));
  }
  pair_mail = std::make_unique<PairMail>(shards->pair_box());
  pair_end = std::make_unique<link::PairEnd>(
      link::PairEnd::Options{.key = identity->key,
                             .message_bytes_max = lease::kPairMessageBytesMax},
      pair_mail.get(), &clock, log);
  return true;
}

bool Rack::Parts::Launch(RackFailure& failure) {
  const std::string& socket_path = values->Text("admin_socket");
  metrics = std::make_unique<RackMetrics>(shards.get(), journal.get(), link.get(), pair_end.get(),
                                          events.get());
  auto made = AdminSocket::Create(
      socket_path.empty() ? values->Text("state_dir") + "/rack.sock" : socket_path,
      [this](std::string_view path) { return metrics->Answer(path); });
  if (!made) {
    return Fails(failure, "the admin socket cannot be made: " + Reason(made.error()));
  }
  admin = std::move(*made);
  if (const Result<void> dropped = DropPrivileges(values->Text("user")); !dropped) {
    return Fails(failure, "privileges cannot be dropped: " + Reason(dropped.error()));
  }
  if (const Result<void> started = journal->Start(); !started) {
    return Fails(failure, "the journal thread cannot start: " + Reason(started.error()));
  }
  shards->Start();
  if (const Result<void> started = link->Start(); !started) {
    return Fails(failure, "the link thread cannot start: " + Reason(started.error()));
  }
  if (const Result<void> started = pair_end->Start(); !started) {
    return Fails(failure, "the pair link's thread cannot start: " + Reason(started.error()));
  }
  if (const Result<void> filtered = InstallSystemCallFilter(); !filtered) {
    return Fails(failure,
                 "the system call filter cannot be installed: " + Reason(filtered.error()));
  }
  return true;
}

std::unique_ptr<Rack> Rack::Start(const settings::Values& values, LogSink* log,
                                  RackFailure& failure) {
  SLIP_CHECK(sodium_init() >= 0);
  // Blocked before any thread starts, so that only the control loop sees them.
  sigset_t set;
  (void)sigemptyset(&set);
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGUSR1}) {
    (void)sigaddset(&set, number);
  }
  (void)pthread_sigmask(SIG_BLOCK, &set, nullptr);
  auto parts = std::make_unique<Parts>();
  parts->values = &values;
  parts->log = log;
  parts->signals = shard::OwnedFd(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
  auto event = shard::Wake::OpenEvent();
  if (!parts->signals.valid() || !event) {
    failure.text = "no descriptors left: raise the limit of open files";
    return nullptr;
  }
  parts->wake = std::make_unique<shard::Wake>(std::move(*event));
  parts->slot = std::make_unique<SnapshotSlot>(parts->wake.get());
  if (!parts->OpenState(failure) || !parts->MakeShards(failure)) {
    return nullptr;
  }
  parts->events = std::make_unique<JournalEvents>(
      [journal = parts->journal.get()](ByteSpan fact) {
        return journal->Append(journal::FactClass::kEvent, 0, fact).has_value();
      },
      &parts->clock, log);
  parts->publisher =
      std::make_unique<ServingPublisher>(parts->shards->hand_overs(), parts->images.get(),
                                         values.TextList("interfaces"), parts->events.get());
  parts->snapshots = std::make_unique<SnapshotOwner>(
      *parts->link_disk,
      [slot = parts->slot.get()](config::SnapshotRef snapshot) { slot->Put(std::move(snapshot)); },
      parts->events.get(), log);
  (void)parts->snapshots->Load();
  if (!parts->MakeLink(failure) || !parts->Launch(failure)) {
    parts->Stop();
    return nullptr;
  }
  parts->FollowInterfaces();
  parts->Pump();
  log->Write(LogLevel::kInfo, "rack-up",
             "listening: DHCP 67, DHCPv6 547, TFTP 69, HTTP " +
                 std::to_string(values.Integer("http.port")) + "; " +
                 std::to_string(parts->shards->seats().size()) + " shards, memory for " +
                 std::to_string(values.Integer("leases_max")) + " leases" +
                 (PrivilegesAreDropped() ? "; privileges dropped" : ""));
  return std::unique_ptr<Rack>(new Rack(std::move(parts)));
}

Rack::Rack(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Rack::~Rack() { parts_->Stop(); }

void Rack::Parts::FollowInterfaces() {
  service::HostInterfaces now;
  if (!monitor->Read(now)) {
    log->Write(LogLevel::kWarn, "interfaces-unreadable", "rtnetlink failed; using the last state");
    return;
  }
  interfaces = now;
  publisher->SetInterfaces(interfaces);
  (void)link->Post([infos = Describe(interfaces)](link::RackLink& rack_link, Instant when) mutable {
    rack_link.SetInterfaces(std::move(infos), when);
  });
}

void Rack::Parts::JoinRouters() {
  for (const service::ServedLink& served : publisher->links().links()) {
    if (std::find(joined.begin(), joined.end(), served.ifindex) == joined.end()) {
      const bool done = shard::JoinAllRouters(icmpv6_fd, served.ifindex).has_value() &&
                        shard::JoinDhcpServers(dhcp6_fd, served.ifindex).has_value();
      joined.push_back(served.ifindex);
      log->Write(done ? LogLevel::kInfo : LogLevel::kWarn, "interface-served",
                 std::string(served.name.view()) +
                     (done ? "" : "; router solicitations and DHCPv6 are not heard there"));
    }
  }
}

void Rack::Parts::WatchJournal() {
  const bool failing = journal->counters().failing.value() != 0;
  if (failing == journal_failing) {
    return;
  }
  journal_failing = failing;
  if (failing) {
    events->Report(service::EventCode::kJournalFailing, "journal",
                   "it cannot be written (" + Reason(journal->failure()) +
                       "): no lease is granted until it can; free space in state_dir or mend the "
                       "disk");
  } else {
    events->Report(service::EventCode::kJournalRecovered, "journal", "it can be written again");
  }
}

void Rack::Parts::Pump() {
  config::SnapshotRef fresh;
  if (slot->Take(fresh)) {
    pair_end->SetPeer(PairPeerOf(*fresh));
    publisher->SetSnapshot(std::move(fresh));
  }
  if (publisher->Pump()) {
    snapshots->SetLive(publisher->live());
    link->NotifyGenerationLive();
    if (snapshots->TookWhole()) {
      (void)malloc_trim(0);
    }
  }
  metrics->SetServing(publisher->live(), publisher->links().links().size(),
                      publisher->missing().size());
  JoinRouters();
}

bool Rack::Run(RackFailure& failure) {
  Parts& parts = *parts_;
  std::vector<pollfd> watched = {
      {.fd = parts.signals.get(), .events = POLLIN, .revents = 0},
      {.fd = parts.monitor->fd(), .events = POLLIN, .revents = 0},
      {.fd = parts.wake->fd(), .events = POLLIN, .revents = 0},
      {.fd = parts.journal->committed_fd(), .events = POLLIN, .revents = 0},
      {.fd = parts.shards->desk()->answers_fd(), .events = POLLIN, .revents = 0},
      {.fd = parts.shards->pair_box()->to_control->wake_fd(), .events = POLLIN, .revents = 0}};
  for (const service::ServingView* const hand_over : parts.shards->hand_overs()) {
    watched.push_back({.fd = hand_over->released_fd(), .events = POLLIN, .revents = 0});
  }
  pollfd& committed = watched[3];
  Instant facts_after;  // until then commits wake nobody
  while (!parts.shards->failed()) {
    const Duration mute = facts_after - parts.clock.Now();
    committed.fd = mute.ns > 0 ? -1 : parts.journal->committed_fd();
    const auto mute_ms = static_cast<int>(mute.ns / 1'000'000 + 1);
    (void)poll(watched.data(), watched.size(), mute.ns > 0 ? mute_ms : kPollMillis);
    signalfd_siginfo signal{};
    if (read(parts.signals.get(), &signal, sizeof(signal)) == sizeof(signal)) {
      const auto number = static_cast<int>(signal.ssi_signo);
      if (number == SIGTERM || number == SIGINT) {
        parts.log->Write(LogLevel::kInfo, "rack-stopping", "flushing the journal");
        return true;
      }
    }
    if (parts.monitor->Drain()) {
      parts.FollowInterfaces();
    }
    parts.wake->Clear();
    if (committed.fd >= 0) {
      if ((committed.revents & POLLIN) != 0) {
        facts_after = parts.clock.Now() + kFactsEvery;
      }
      parts.journal->ClearCommitted();
      parts.link->NotifyFacts();
    }
    parts.queries->PassAnswers();
    parts.pair_store->Serve(*parts.shards->pair_box());
    parts.WatchJournal();
    parts.Pump();
    parts.events->Tick();
  }
  failure.text = "a shard's driver failed; see the log, and try io = epoll";
  return false;
}

void Rack::Parts::Stop() {
  admin.reset();
  if (shards != nullptr) {
    shards->Stop();
  }
  if (link != nullptr) {
    link->Stop();
  }
  if (pair_end != nullptr) {
    pair_end->Stop();
  }
  if (journal != nullptr) {
    journal->Stop();
  }
}

}  // namespace slipway::rack
