// People's questions about DHCP, answered on the shard that owns the leases: by the same engine,
// from the live snapshot and lease table. Questions and answers are plain values in bounded
// mailboxes; whoever asks reads and writes text elsewhere.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <string_view>

#include "dataplane/base/bounded.h"
#include "dataplane/base/counter.h"
#include "dataplane/base/seams.h"
#include "dataplane/dhcp/engine.h"
#include "dataplane/dhcp/engine6.h"
#include "dataplane/dhcp/trace.h"
#include "dataplane/lease/lease_table.h"
#include "dataplane/service/fact_port.h"
#include "dataplane/service/lease_log.h"
#include "dataplane/service/packet_log.h"
#include "dataplane/service/pair_service.h"
#include "dataplane/service/serving.h"
#include "dataplane/shard/driver.h"
#include "dataplane/shard/mailbox.h"

namespace slipway::service {

// Questions under way at one time; the next one is refused.
inline constexpr std::uint32_t kAsksMax = 16;
// Of a turn: packets come first.
inline constexpr std::size_t kAsksPerTurnMax = 2;

enum class AskKind : std::uint8_t {
  kExplain,      // what would become of `packet`
  kExplainLast,  // of the last packet that came from `mac`
  kLease,        // the entry of `address`
  kRelease,      // end the lease of `address`: answered when that is on disk
  kPools,        // all pools, or the one of `subnet`
  kPair,         // the pair of racks that this one is in
};

struct DhcpAsk {
  std::uint64_t id = 0;       // comes back with the answer
  std::uint64_t session = 0;  // likewise
  AskKind kind = AskKind::kExplain;
  config::Family family = config::Family::kV4;  // of the packet
  MacAddress mac;                               // of the client, or TagOf its DUID
  InterfaceName interface;                      // where it is heard; empty: see `vlan`
  config::RecordId vlan = 0;                    // likewise; 0: where the client was seen or belongs
  IpAddress source;  // of the packet: a relay's, or the client's own; not set: it has none
  bool relayed = false;
  IpAddress address;
  config::RecordId subnet = 0;
  std::uint16_t bytes = 0;
  std::array<std::byte, dhcp::kMessageBytesMin> packet{};
};

struct PoolRow {
  config::RecordId subnet = 0;
  lease::PoolCounts counts;
};

struct DhcpAnswer {
  std::uint64_t id = 0;
  std::uint64_t session = 0;
  AskKind kind = AskKind::kExplain;
  config::Family family = config::Family::kV4;  // of the packet
  std::string_view problem;                     // static text; empty: answered
  ErrorCode code = ErrorCode::kNone;
  // kExplain, kExplainLast
  InterfaceName interface;
  dhcp::Reason reason = dhcp::Reason::kMalformed;
  dhcp::Reply reply;
  dhcp::Reason6 reason6 = dhcp::Reason6::kMalformed;
  dhcp::Reply6 reply6;
  MacAddress mac;  // that a DHCPv6 client shows
  dhcp::DecisionTrace trace;
  SeenPacket packet;  // as asked about; its reason and time are those of then
  // kLease, kRelease
  lease::Lease lease;
  lease::LeaseDetail detail;
  Instant now;
  // kPools
  FixedVector<PoolRow, limits::kSubnetsMax> pools;
  // kPair
  PairService::Report pair;
};

// Ask belongs to one asking thread, TakeAnswers to one answering thread, the rest to the shard.
class DhcpDesk final : public shard::WatchHandler, public FactListener {
 public:
  struct Parts {
    const ServingView* serving = nullptr;
    dhcp::Dhcp4Engine* engine = nullptr;
    dhcp::Dhcp6Engine* engine6 = nullptr;
    const lease::LeaseTable* leases = nullptr;
    const PacketLog* packets = nullptr;
    const PacketLog* packets6 = nullptr;
    FactPort* facts = nullptr;
    Clock* clock = nullptr;
    PairService* pair = nullptr;  // nullptr: this rack is alone
  };

  [[nodiscard]] static Result<std::unique_ptr<DhcpDesk>> Create(const Parts& parts);

  // Before the shard is sealed.
  [[nodiscard]] Result<void> Attach(shard::Driver& driver);

  // False: too many questions are under way.
  [[nodiscard]] bool Ask(DhcpAsk& ask) noexcept {
    const bool asked = asks_->Push(ask);
    asks_->Notify();
    return asked;
  }

  // Readable when there are answers.
  [[nodiscard]] int answers_fd() const noexcept { return answers_->wake_fd(); }

  template <typename Handle>
  void TakeAnswers(Handle&& handle) {
    (void)answers_->Drain(kAsksMax, handle);
  }

  void OnReady(shard::WatchId watch, std::uint32_t events, Instant now) override;
  void OnDurable(std::uint64_t durable, Instant now) override;

  // What DHCPv6 clients name this rack by. Any thread.
  [[nodiscard]] const dhcp::Duid& server_id() const noexcept { return parts_.engine6->server_id(); }

  [[nodiscard]] const Counter& answered() const noexcept { return answered_; }

 private:
  struct Pending {
    bool used = false;
    std::uint64_t id = 0;
    std::uint64_t session = 0;
    std::uint64_t position = 0;
    IpAddress address;
  };

  DhcpDesk(const Parts& parts, std::unique_ptr<shard::Mailbox<DhcpAsk>> asks,
           std::unique_ptr<shard::Mailbox<DhcpAnswer>> answers);
  void Handle(const DhcpAsk& ask, Instant now);
  void Explain(const DhcpAsk& ask, const Serving& serving, Instant now);
  void ExplainLast(const DhcpAsk& ask, const Serving& serving, Instant now);
  void Run(const Serving& serving, const SeenPacket& packet, Instant now);
  void Run6(const Serving& serving, const SeenPacket& packet, Instant now);

  [[nodiscard]] const PacketLog& PacketsOf(config::Family family) const noexcept {
    return family == config::Family::kV4 ? *parts_.packets : *parts_.packets6;
  }

  [[nodiscard]] const ServedLink* FindLink(const DhcpAsk& ask, const Serving& serving) const;
  void ShowLease(IpAddress address, Instant now);
  void Release(const DhcpAsk& ask, Instant now);
  void CountPools(const DhcpAsk& ask, const Serving& serving);
  void ShowPair(Instant now);
  void Refuse(ErrorCode code, std::string_view problem) noexcept;
  void Send();
  [[nodiscard]] lease::Now ReadNow(Instant now) const;

  Parts parts_;
  LeaseLog log_;
  std::unique_ptr<shard::Mailbox<DhcpAsk>> asks_;
  std::unique_ptr<shard::Mailbox<DhcpAnswer>> answers_;
  DhcpAnswer answer_;  // under construction
  dhcp::Effects effects_;
  dhcp::Effects6 effects6_;
  std::array<std::byte, std::max(dhcp::kMessageBytesMax, dhcp::kMessage6BytesMax)> reply_{};
  std::array<Pending, kAsksMax> releases_{};
  Counter answered_;
};

}  // namespace slipway::service
