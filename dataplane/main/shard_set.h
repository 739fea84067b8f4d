// The shards of a rack and the services on them, wired but not yet running.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "dataplane/base/log.h"
#include "dataplane/base/seams.h"
#include "dataplane/dhcp/engine.h"
#include "dataplane/lease/lease_table.h"
#include "dataplane/main/sockets.h"
#include "dataplane/service/address_book.h"
#include "dataplane/service/boot_content.h"
#include "dataplane/service/dhcp6_service.h"
#include "dataplane/service/dhcp_desk.h"
#include "dataplane/service/dhcp_service.h"
#include "dataplane/service/fact_events.h"
#include "dataplane/service/fact_steps.h"
#include "dataplane/service/http_service.h"
#include "dataplane/service/inventory_service.h"
#include "dataplane/service/journal_port.h"
#include "dataplane/service/machine_token.h"
#include "dataplane/service/packet_log.h"
#include "dataplane/service/pair_service.h"
#include "dataplane/service/ra_service.h"
#include "dataplane/service/serving.h"
#include "dataplane/service/shard_box.h"
#include "dataplane/service/tftp_service.h"
#include "dataplane/shard/driver_choice.h"
#include "dataplane/shard/shard.h"

namespace slipway::rack {

// A shard with its way to the journal: made before the services that use it.
struct ShardSeat {
  std::unique_ptr<shard::Shard> shard;
  std::unique_ptr<service::ServingView> serving;
  std::unique_ptr<service::JournalPort> journal;
};

struct ShardSetOptions {
  std::uint32_t leases_max = limits::kLeasesMax;
  Duration probe_interval{};  // for foreign DHCP servers; 0: never
  service::TokenKey token_key{};
  config::Uuid server_uuid{};  // of the DHCPv6 server identifier
  service::PairMemory pair;
};

// Passes the journal's answers on to HTTP.
class HttpCompletion final : public service::InventoryCompletion {
 public:
  void SetService(service::HttpService* http) noexcept { http_ = http; }

  void OnInventoryDone(std::uint64_t handle, bool durable, Instant now) override {
    http_->CompleteInventory(handle, durable, now);
  }

 private:
  service::HttpService* http_ = nullptr;
};

// DHCP and router advertisements on the first seat, TFTP and HTTP on the last; with one seat all on
// that one. Built on the start-up thread; Start gives each shard its own.
class ShardSet {
 public:
  // All references outlive the set. Takes the sockets over.
  [[nodiscard]] static Result<std::unique_ptr<ShardSet>> Create(const ShardSetOptions& options,
                                                                std::vector<ShardSeat> seats,
                                                                RackSockets sockets, Clock& clock,
                                                                Random& random);
  ~ShardSet();
  ShardSet(const ShardSet&) = delete;
  ShardSet& operator=(const ShardSet&) = delete;

  // Before Start: leases read back from the journal. kFull if memory was taken for fewer.
  [[nodiscard]] Result<void> Restore(const lease::RestoredLease& restored, const lease::Now& now);
  void Start();
  // Any thread. Joins all shard threads.
  void Stop();

  // Set if a shard's driver could not go on.
  [[nodiscard]] bool failed() const noexcept { return failed_; }

  [[nodiscard]] std::vector<service::ServingView*> hand_overs() const;

  // Between the DHCP shard, the pair link's thread and the control thread.
  [[nodiscard]] service::PairBox* pair_box() noexcept { return pair_box_.get(); }

  [[nodiscard]] const service::PairService& pair() const noexcept { return *pair_; }

  // Asked by the link thread, its answers taken by the control thread.
  [[nodiscard]] service::DhcpDesk* desk() noexcept { return desk_.get(); }

  // For metrics; counters may be read from any thread.
  [[nodiscard]] const service::DhcpService& dhcp() const noexcept { return *dhcp_; }

  [[nodiscard]] const dhcp::Dhcp4Engine& engine() const noexcept { return *engine_; }

  [[nodiscard]] const service::Dhcp6Service& dhcp6() const noexcept { return *dhcp6_; }

  [[nodiscard]] const dhcp::Dhcp6Engine& engine6() const noexcept { return *engine6_; }

  [[nodiscard]] const service::RaService& ra() const noexcept { return *ra_; }

  [[nodiscard]] const service::TftpService& tftp() const noexcept { return *tftp_; }

  [[nodiscard]] const service::HttpService& http() const noexcept { return *http_; }

  [[nodiscard]] const service::BootContent& content() const noexcept { return *content_; }

  [[nodiscard]] const service::InventoryService& inventories() const noexcept {
    return *inventories_;
  }

  // Events of shards that were told to nobody.
  [[nodiscard]] std::uint64_t events_dropped() const noexcept;

  [[nodiscard]] const std::vector<ShardSeat>& seats() const noexcept { return seats_; }

 private:
  // Tells each listener of a seat, in turn.
  class Fan final : public service::FactListener {
   public:
    void Add(service::FactListener* listener) { SLIP_CHECK(listeners_.push_back(listener)); }

    void OnDurable(std::uint64_t durable, Instant now) override {
      for (service::FactListener* const listener : listeners_) {
        listener->OnDurable(durable, now);
      }
    }

   private:
    FixedVector<service::FactListener*, 8> listeners_;
  };

  ShardSet(std::vector<ShardSeat> seats, Clock& clock, Random& random);
  [[nodiscard]] Result<void> WireDhcp(const ShardSetOptions& options, RackSockets& sockets);
  [[nodiscard]] Result<void> WireRouterAdvertisements(RackSockets& sockets, shard::PortId raw);
  [[nodiscard]] Result<void> WirePair(const ShardSetOptions& options, service::PeerSink* peers);
  [[nodiscard]] Result<void> WireDhcp6(const ShardSetOptions& options, RackSockets& sockets,
                                       shard::PortId raw);

  // The machine got further: its boot is no loop, by either protocol.
  void OnProgress(const MacAddress& mac) noexcept {
    engine_->OnProgress(mac);
    engine6_->OnProgress(mac);
  }

  [[nodiscard]] Result<void> WireFiles(const ShardSetOptions& options, RackSockets& sockets);
  [[nodiscard]] Result<void> AttachJournals();

  std::vector<ShardSeat> seats_;
  Clock& clock_;
  Random& random_;
  std::vector<std::unique_ptr<Fan>> fans_;
  std::vector<std::unique_ptr<service::FactEvents>> events_;  // one per seat
  // The DHCP shard's.
  std::unique_ptr<lease::LeaseTable> leases_;
  std::unique_ptr<lease::PairRules> pair_rules_;
  std::unique_ptr<Random> pair_random_;
  std::unique_ptr<service::PairBox> pair_box_;
  std::unique_ptr<service::PairService> pair_;
  std::unique_ptr<dhcp::Dhcp4Engine> engine_;
  std::unique_ptr<dhcp::Dhcp6Engine> engine6_;
  std::unique_ptr<service::PeerBox> peer_box_;
  std::unique_ptr<service::ShardBox<MacAddress>> progress_box_;  // from the file shard
  std::unique_ptr<service::FactSteps> dhcp_steps_;
  std::unique_ptr<service::RaService> ra_;
  std::unique_ptr<service::PacketLog> packets_;
  std::unique_ptr<service::PacketLog> packets6_;
  std::unique_ptr<service::DhcpWatch> watch_;
  std::unique_ptr<service::DhcpShared> dhcp_shared_;
  std::unique_ptr<service::DhcpService> dhcp_;
  std::unique_ptr<service::DhcpDesk> desk_;
  std::unique_ptr<service::Dhcp6Service> dhcp6_;
  std::unique_ptr<service::LeaseCheckpoints> checkpoints_;
  // The file shard's.
  std::unique_ptr<service::PeerBook> book_;
  std::unique_ptr<service::MachineTokens> tokens_;
  std::unique_ptr<Random> nonces_;
  std::unique_ptr<service::FactSteps> file_steps_;
  std::unique_ptr<boot::LoopGuard> script_loops_;
  std::unique_ptr<service::BootContent> content_;
  std::unique_ptr<service::InventoryService> inventories_;
  HttpCompletion completion_;
  std::unique_ptr<service::TftpService> tftp_;
  std::unique_ptr<service::HttpService> http_;
  std::vector<std::thread> threads_;
  std::atomic<bool> failed_{false};
};

}  // namespace slipway::rack
