#include "dataplane/main/shard_set.h"

#include <algorithm>
#include <utility>

#include "dataplane/base/random.h"
#include "dataplane/service/lease_book.h"
#include "dataplane/shard/socket.h"

namespace slipway::rack {

ShardSet::ShardSet(std::vector<ShardSeat> seats, Clock& clock, Random& random)
    : seats_(std::move(seats)), clock_(clock), random_(random) {
  for (std::size_t i = 0; i < seats_.size(); ++i) {
    fans_.push_back(std::make_unique<Fan>());
  }
}

ShardSet::~ShardSet() { Stop(); }

Result<std::unique_ptr<ShardSet>> ShardSet::Create(const ShardSetOptions& options,
                                                   std::vector<ShardSeat> seats,
                                                   RackSockets sockets, Clock& clock,
                                                   Random& random) {
  std::unique_ptr<ShardSet> set(new ShardSet(std::move(seats), clock, random));
  for (ShardSeat& seat : set->seats_) {
    SLIP_TRY(seat.serving->Attach(seat.shard->driver()));
    set->events_.push_back(
        std::make_unique<service::FactEvents>(seat.shard.get(), seat.journal.get(), &clock));
    SLIP_TRY(set->events_.back()->Start(clock.Now()));
  }
  set->leases_ = std::make_unique<lease::LeaseTable>(
      lease::TableOptions{.leases_max = options.leases_max, .hash_seed = set->random_.U64()});
  SLIP_TRY(set->WireFiles(options, sockets));
  SLIP_TRY(set->WireDhcp(options, sockets));
  SLIP_TRY(set->AttachJournals());
  return set;
}

Result<void> ShardSet::WireDhcp(const ShardSetOptions& options, RackSockets& sockets) {
  ShardSeat& seat = seats_.front();
  shard::Driver& driver = seat.shard->driver();
  service::PeerSink* peers = book_.get();
  if (seats_.size() > 1) {
    peer_box_ = SLIP_TRY(service::PeerBox::Create(book_.get()));
    SLIP_TRY(peer_box_->Attach(seats_.back().shard->driver()));
    peers = peer_box_.get();
  }
  SLIP_TRY(WirePair(options, peers));
  engine_ = std::make_unique<dhcp::Dhcp4Engine>(dhcp::EngineOptions{.pair = pair_rules_.get()},
                                                leases_.get());
  progress_box_ =
      SLIP_TRY(service::ShardBox<MacAddress>::Create(this, [](void* set, const MacAddress& mac) {
        static_cast<ShardSet*>(set)->OnProgress(mac);
      }));
  SLIP_TRY(progress_box_->Attach(driver));
  inventories_->SetProgress(progress_box_.get());
  const shard::PortId raw = SLIP_TRY(driver.AddRaw(sockets.raw.Release()));
  packets_ = std::make_unique<service::PacketLog>();
  packets6_ = std::make_unique<service::PacketLog>();
  watch_ = std::make_unique<service::DhcpWatch>(events_.front().get(), leases_.get());
  dhcp_shared_ = std::make_unique<service::DhcpShared>(
      service::DhcpShared::Parts{.serving = seat.serving.get(),
                                 .leases = leases_.get(),
                                 .facts = seat.journal.get(),
                                 .peers = peers,
                                 .events = events_.front().get(),
                                 .clock = &clock_,
                                 .pair = pair_.get()});
  dhcp_ = std::make_unique<service::DhcpService>(
      service::DhcpService::Parts{.shard = seat.shard.get(),
                                  .raw_port = raw,
                                  .shared = dhcp_shared_.get(),
                                  .engine = engine_.get(),
                                  .packets = packets_.get(),
                                  .watch = watch_.get(),
                                  .probe_interval = options.probe_interval});
  const shard::PortId udp = SLIP_TRY(driver.AddUdp(sockets.dhcp.Release(), dhcp_.get()));
  const shard::PortId boot_server =
      SLIP_TRY(driver.AddUdp(sockets.boot_server.Release(), dhcp_.get()));
  const shard::PortId arp = SLIP_TRY(driver.AddUdp(sockets.arp.Release(), dhcp_.get()));
  SLIP_TRY(
      dhcp_->Start({.dhcp = udp, .boot_server = boot_server, .arp_replies = arp}, clock_.Now()));
  SLIP_TRY(WireDhcp6(options, sockets, raw));
  SLIP_TRY(WireRouterAdvertisements(sockets, raw));
  checkpoints_ = std::make_unique<service::LeaseCheckpoints>(seat.shard.get(), seat.journal.get(),
                                                             leases_.get(), &clock_);
  desk_ = SLIP_TRY(service::DhcpDesk::Create({.serving = seat.serving.get(),
                                              .engine = engine_.get(),
                                              .engine6 = engine6_.get(),
                                              .leases = leases_.get(),
                                              .packets = packets_.get(),
                                              .packets6 = packets6_.get(),
                                              .facts = seat.journal.get(),
                                              .clock = &clock_,
                                              .pair = pair_.get()}));
  SLIP_TRY(desk_->Attach(driver));
  fans_.front()->Add(dhcp_.get());
  fans_.front()->Add(desk_.get());
  fans_.front()->Add(pair_.get());
  // After the services: what they have logged in a turn goes to the partner at its end.
  SLIP_TRY(pair_->Start());
  return seat.shard->AddHook(checkpoints_.get());
}

Result<void> ShardSet::WireRouterAdvertisements(RackSockets& sockets, shard::PortId raw) {
  ShardSeat& seat = seats_.front();
  shard::Driver& driver = seat.shard->driver();
  // Solicitations carry the asker's MAC: no address book is needed here.
  dhcp_steps_ = std::make_unique<service::FactSteps>(seat.journal.get(), nullptr,
                                                     seat.serving.get(), &clock_);
  ra_ = std::make_unique<service::RaService>(driver, raw, *seat.serving, *dhcp_steps_, *dhcp6_,
                                             random_.U64());
  SLIP_TRY(ra_->Start(seat.shard->timers(), clock_.Now()));
  SLIP_TRY(driver.AddUdp(sockets.icmpv6.Release(), ra_.get()));
  return {};
}

Result<void> ShardSet::WirePair(const ShardSetOptions& options, service::PeerSink* peers) {
  ShardSeat& seat = seats_.front();
  pair_rules_ = std::make_unique<lease::PairRules>(options.leases_max);
  pair_random_ = std::make_unique<SeededRandom>(random_.U64());
  pair_box_ = SLIP_TRY(service::PairBox::Create());
  pair_ = std::make_unique<service::PairService>(
      service::PairService::Parts{.shard = seat.shard.get(),
                                  .serving = seat.serving.get(),
                                  .leases = leases_.get(),
                                  .rules = pair_rules_.get(),
                                  .facts = seat.journal.get(),
                                  .peers = peers,
                                  .events = events_.front().get(),
                                  .clock = &clock_,
                                  .random = pair_random_.get(),
                                  .box = pair_box_.get(),
                                  .memory = options.pair});
  return {};
}

Result<void> ShardSet::WireDhcp6(const ShardSetOptions& options, RackSockets& sockets,
                                 shard::PortId raw) {
  ShardSeat& seat = seats_.front();
  engine6_ = std::make_unique<dhcp::Dhcp6Engine>(
      dhcp::EngineOptions6{.server_id = dhcp::DuidFromUuid(options.server_uuid),
                           .loops = {},
                           .pair = pair_rules_.get()},
      leases_.get());
  dhcp6_ = std::make_unique<service::Dhcp6Service>(
      service::Dhcp6Service::Parts{.shard = seat.shard.get(),
                                   .raw_port = raw,
                                   .shared = dhcp_shared_.get(),
                                   .engine = engine6_.get(),
                                   .packets = packets6_.get(),
                                   .watch = watch_.get(),
                                   .probe_interval = options.probe_interval});
  const shard::PortId udp =
      SLIP_TRY(seat.shard->driver().AddUdp(sockets.dhcp6.Release(), dhcp6_.get()));
  SLIP_TRY(dhcp6_->Start(udp, clock_.Now()));
  fans_.front()->Add(dhcp6_.get());
  return {};
}

Result<void> ShardSet::WireFiles(const ShardSetOptions& options, RackSockets& sockets) {
  ShardSeat& seat = seats_.back();
  if (seats_.size() > 1) {
    book_ = std::make_unique<service::AddressBook>(options.leases_max);
  } else {
    book_ = std::make_unique<service::LeaseBook>(
        leases_.get(), std::min(options.leases_max, service::kOtherPeersMax));
  }
  tokens_ = std::make_unique<service::MachineTokens>(options.token_key, clock_.BootId());
  nonces_ = std::make_unique<SeededRandom>(random_.U64());
  file_steps_ = std::make_unique<service::FactSteps>(seat.journal.get(), book_.get(),
                                                     seat.serving.get(), &clock_);
  script_loops_ = std::make_unique<boot::LoopGuard>(boot::LoopOptions{});
  content_ = std::make_unique<service::BootContent>(
      service::BootContent::Parts{.serving = seat.serving.get(),
                                  .peers = book_.get(),
                                  .tokens = tokens_.get(),
                                  .steps = file_steps_.get(),
                                  .events = events_.back().get(),
                                  .loops = script_loops_.get(),
                                  .random = nonces_.get()});
  inventories_ = std::make_unique<service::InventoryService>(
      service::InventoryService::Parts{.serving = seat.serving.get(),
                                       .tokens = tokens_.get(),
                                       .peers = book_.get(),
                                       .facts = seat.journal.get(),
                                       .loops = script_loops_.get(),
                                       .clock = &clock_});
  inventories_->SetCompletion(&completion_);
  tftp_ = SLIP_TRY(service::TftpService::Create({.hash_seed = random_.U64()}, *seat.shard,
                                                *content_, *file_steps_, nullptr, sockets.tftp,
                                                sockets.tftp_transfers));
  http_ = SLIP_TRY(service::HttpService::Create({.hash_seed = random_.U64()},
                                                {.shard = *seat.shard,
                                                 .clock = clock_,
                                                 .resolver = *content_,
                                                 .steps = *file_steps_,
                                                 .inventories = *inventories_},
                                                sockets.http));
  completion_.SetService(http_.get());
  fans_.back()->Add(inventories_.get());
  return seat.shard->AddHook(inventories_.get());
}

Result<void> ShardSet::AttachJournals() {
  // Last: its hook wakes the journal for all that the others submitted in the turn.
  for (std::size_t i = 0; i < seats_.size(); ++i) {
    SLIP_TRY(seats_[i].journal->Attach(*seats_[i].shard, fans_[i].get()));
  }
  return {};
}

Result<void> ShardSet::Restore(const lease::RestoredLease& restored, const lease::Now& now) {
  SLIP_TRY(leases_->Restore(restored, now));
  book_->OnPeer(
      {.address = restored.lease.address, .mac = restored.lease.mac, .vlan = restored.lease.vlan});
  return {};
}

void ShardSet::Start() {
  for (ShardSeat& seat : seats_) {
    threads_.emplace_back([this, shard = seat.shard.get()] {
      if (!shard->Run()) {
        failed_ = true;
      }
    });
  }
}

void ShardSet::Stop() {
  for (ShardSeat& seat : seats_) {
    seat.shard->Stop();
  }
  for (std::thread& thread : threads_) {
    thread.join();
  }
  threads_.clear();
}

std::uint64_t ShardSet::events_dropped() const noexcept {
  std::uint64_t dropped = 0;
  for (const auto& events : events_) {
    dropped += events->dropped();
  }
  return dropped;
}

std::vector<service::ServingView*> ShardSet::hand_overs() const {
  std::vector<service::ServingView*> all;
  for (const ShardSeat& seat : seats_) {
    all.push_back(seat.serving.get());
  }
  return all;
}

}  // namespace slipway::rack
