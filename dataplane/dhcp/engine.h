// The DHCPv4 server as a pure core: packet in, effects out (RFC 2131, RFC 951, RFC 3046). It knows
// no socket, file or clock. The shell sends replies, logs records, and tells when they are durable.
//
// One engine per shard that owns link groups; one thread; no allocation after construction.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "dataplane/base/address.h"
#include "dataplane/base/bounded.h"
#include "dataplane/base/counter.h"
#include "dataplane/base/cursor.h"
#include "dataplane/boot/decide.h"
#include "dataplane/boot/loop_guard.h"
#include "dataplane/boot/step.h"
#include "dataplane/boot/step_gate.h"
#include "dataplane/config/snapshot.h"
#include "dataplane/dhcp/conflict_probes.h"
#include "dataplane/dhcp/message.h"
#include "dataplane/dhcp/option_set.h"
#include "dataplane/lease/lease_clock.h"
#include "dataplane/lease/lease_table.h"
#include "dataplane/lease/pair_rules.h"
#include "dataplane/lease/record.h"

namespace slipway::dhcp {

// Why a packet got its answer or its silence. Every packet gets exactly one; counted by it.
enum class Reason : std::uint8_t {
  // Answered.
  kOffered,
  kAcked,            // a new or changed lease, or one whose horizon was used up: logged first
  kAckedFromMemory,  // a renewal inside the horizon
  kNaked,
  kInformed,
  kBootpAnswered,
  kProxyOffered,  // boot data only: the VLAN's addresses are another server's
  kProxyAcked,    // likewise, asked for on port 4011
  kReleased,
  kDeclined,
  // Silent.
  kTruncated,
  kMalformed,
  kNotRequest,  // a reply, or not BOOTP at all
  kTooManyHops,
  kUnknownType,
  kNoClientAddress,  // no usable chaddr and no client id
  kUnservedLink,     // the interface is bound to no VLAN, or the relay's subnet is not served
  kNoServerAddress,  // the rack has no address there
  kPolicyIgnore,     // unknown machine, policy `ignore`
  kBootpUnknown,     // BOOTP is for reservations only
  kOtherServer,      // the client took another server's offer
  kNoPool,           // no subnet with addresses on this link
  kPoolExhausted,
  kReservedInUse,  // its reservation is another client's for now, and there is no pool
  kNotHolder,      // RELEASE, DECLINE from somebody else or for another server
  kUnknownLease,   // REQUEST for a lease that we know nothing of: another server's perhaps
  kQuarantineFull,
  kReplyTooLarge,
  kForeignServer,   // an OFFER or ACK of another server was heard
  kMainServer,      // likewise, of the server that the VLAN belongs to
  kDhcpOff,         // the VLAN is served without DHCP
  kNoBootData,      // ProxyDHCP: there is nothing to tell this client
  kPairRecovering,  // one of a pair of racks that has not caught up: the other one answers
  kPartnersTurn,    // the other rack of the pair answers this client
  kPartnersToSay,   // whether the address is the client's only the other rack knows
  kCount,
};

[[nodiscard]] std::string_view ToString(Reason reason) noexcept;

struct Counters {
  std::array<Counter, static_cast<std::size_t>(Reason::kCount)> by_reason;
  std::array<Counter, kMessageKinds> received;  // that could be read, by KindOf
  std::array<Counter, kMessageKinds> answered;
  Counter loops_found;
  Counter options_left_out;
  Counter expired;
  Counter probes;          // ARP questions beside an offer
  Counter conflicts;       // answered by somebody else: the address is quarantined
  Counter conflicts_late;  // likewise, but it was bound already, or too many are quarantined
};

// Where a packet came in and what the rack is there.
struct ReceiveContext {
  std::uint32_t ifindex = 0;
  const config::VlanRecord* vlan = nullptr;    // the interface's; nullptr: not served
  std::span<const IpAddress> local_addresses;  // the rack's IPv4 ones on that interface
  Ipv4Address source;
  std::uint16_t source_port = 0;
  Ipv4Address destination;        // by PKTINFO
  bool boot_server_port = false;  // came to port 4011 (PXE 2.1, 2.2.4)
};

enum class Delivery : std::uint8_t {
  kNone,
  kFrame,  // raw Ethernet frame on the interface: to `mac`, `address`, port 68
  kUdp,    // an ordinary datagram to `address`:`port` (relays, renewing clients)
};

struct Reply {
  Delivery delivery = Delivery::kNone;
  std::size_t bytes = 0;  // in the caller's span
  MacAddress mac;         // kFrame: broadcast or the client's
  Ipv4Address address;
  std::uint16_t port = 0;
  Ipv4Address source;         // the server identifier
  bool wait_durable = false;  // leaves only after OnDurable(ticket)
};

// Names one record of one address.
struct Ticket {
  IpAddress address;
  std::uint64_t version = 0;
};

inline constexpr std::size_t kStepsMax = 4;  // asked, a loop, answered or silent

// Another DHCP server, as its OFFER or ACK tells.
struct ForeignServer {
  Ipv4Address identifier;  // any: it does not say
  Ipv4Address offered;
  Ipv4Address relay;  // to which it went
};

// An address that another server gave: by it the machine is known to our other services.
struct HeardPeer {
  Ipv4Address address;
  MacAddress mac;
  config::RecordId vlan = 0;
};

// What Handle wants done. The shell owns one and uses it again.
struct Effects {
  Reason reason = Reason::kMalformed;
  Reply reply;
  // Not empty: to be logged as a Lease fact; valid until the engine's next call.
  ByteSpan record;
  Ticket ticket;
  config::RecordId machine = 0;  // 0: unknown, or not looked for
  ForeignServer foreign;         // with kForeignServer
  FixedVector<boot::BootStep, kStepsMax> steps;
  HeardPeer peer;     // address not any: tell the other services
  Ipv4Address probe;  // not any: ask by ARP whether anybody has it, on the packet's interface

  // Before each call of the engine: all but the reason.
  void Clear() noexcept {
    reply = {};
    record = {};
    ticket = {};
    machine = 0;
    foreign = {};
    steps.clear();
    peer = {};
    probe = {};
  }
};

struct EngineOptions {
  lease::PairRules* pair = nullptr;  // outlives the engine; nullptr: this rack is alone
  boot::LoopOptions loops;
  boot::StepLimits steps;
};

struct Answer;
struct DecisionTrace;

class Dhcp4Engine {
 public:
  struct Exchange;  // internal: dataplane/dhcp/exchange.h

  // `leases` outlives the engine and is changed by it alone.
  Dhcp4Engine(const EngineOptions& options, lease::LeaseTable* leases);
  Dhcp4Engine(const Dhcp4Engine&) = delete;
  Dhcp4Engine& operator=(const Dhcp4Engine&) = delete;

  // Decides about one packet. `reply` takes the DHCP message; it must not overlap `packet` and
  // should have kMessageBytesMax bytes (headroom for frame headers is the caller's). Never fails:
  // `effects.reason` says what happened.
  void Handle(ByteSpan packet, const ReceiveContext& context, const config::Snapshot& snapshot,
              const lease::Now& now, MutableByteSpan reply, Effects& effects);

  // What Handle would do with the packet now, by the same code, and why. Nothing changes: no offer
  // is held, nothing is to be logged, no counter moves; `effects` and `reply` are what Handle would
  // give, without record and version.
  void Explain(ByteSpan packet, const ReceiveContext& context, const config::Snapshot& snapshot,
               const lease::Now& now, MutableByteSpan reply, Effects& effects,
               DecisionTrace& trace);

  // The record of this ticket is on disk: renewals may rely on it. Send the reply that waited.
  void OnDurable(const Ticket& ticket) noexcept;

  // Ends one lease that is due. True if there was one: `record` and `ticket` of `effects` are then
  // to be logged (no reply). Call until false, within the turn's budget.
  [[nodiscard]] bool ExpireOne(const lease::Now& now, Effects& effects);

  // Somebody in charge ends the lease of an address: `record` and `ticket` of `effects` are to be
  // logged. kNotFound, kConflict: nobody holds a lease of it.
  [[nodiscard]] Result<void> EndLease(IpAddress address, const lease::Now& now, Effects& effects);

  // Somebody said by ARP on that interface that the address is theirs. True if that ended an offer,
  // which is quarantined now: `record` and `ticket` are to be logged (no reply). What nobody asked
  // changes nothing.
  [[nodiscard]] bool OnArpReply(Ipv4Address address, MacAddress by, std::uint32_t ifindex,
                                const lease::Now& now, Effects& effects);

  // The machine got further (its inventory arrived): its boot is no loop.
  void OnProgress(MacAddress mac) noexcept { loops_.Progress(mac); }

  [[nodiscard]] const Counters& counters() const noexcept { return counters_; }

  [[nodiscard]] const lease::LeaseTable& leases() const noexcept { return *leases_; }

 private:
  [[nodiscard]] Reason Run(ByteSpan packet, const ReceiveContext& context,
                           const config::Snapshot& snapshot, const lease::Now& now,
                           MutableByteSpan reply, Effects& effects, DecisionTrace* trace);
  [[nodiscard]] Reason Dispatch(Exchange& exchange);
  [[nodiscard]] Reason Serve(Exchange& exchange);
  [[nodiscard]] Reason AskPair(Exchange& exchange);
  [[nodiscard]] Reason DispatchRequest(Exchange& exchange);
  [[nodiscard]] Reason OnDiscover(Exchange& exchange);
  [[nodiscard]] Reason OnSelecting(Exchange& exchange, Ipv4Address address);
  [[nodiscard]] Reason OnReboot(Exchange& exchange, Ipv4Address address);
  [[nodiscard]] Reason OnRenew(Exchange& exchange);
  [[nodiscard]] Reason OnDecline(Exchange& exchange);
  [[nodiscard]] Reason OnRelease(Exchange& exchange);
  [[nodiscard]] Reason OnInform(Exchange& exchange);
  [[nodiscard]] Reason OnBootp(Exchange& exchange);
  [[nodiscard]] Reason OnProxy(Exchange& exchange);
  [[nodiscard]] Reason Grant(Exchange& exchange, Ipv4Address address);
  [[nodiscard]] Reason EndAndNak(Exchange& exchange, Ipv4Address address, std::string_view message);
  [[nodiscard]] Reason Refuse(Exchange& exchange, Ipv4Address address, std::string_view message);
  [[nodiscard]] Reason Nak(Exchange& exchange, std::string_view message);
  [[nodiscard]] Reason Send(Exchange& exchange, const Answer& answer, Reason reason);
  void GuardLoop(Exchange& exchange);
  // engine_leases.cc. Bind says whether the ACK must wait for a record.
  [[nodiscard]] Result<Ipv4Address> Offer(Exchange& exchange, const config::SubnetRecord& subnet,
                                          Ipv4Address requested);
  void ProbeOffer(const Exchange& exchange, Ipv4Address address);
  [[nodiscard]] bool IsClients(const Exchange& exchange, Ipv4Address address) const;
  [[nodiscard]] bool Claim(Exchange& exchange, const config::SubnetRecord& subnet,
                           Ipv4Address address);
  [[nodiscard]] Result<bool> Bind(Exchange& exchange, Ipv4Address address, Duration lease);
  [[nodiscard]] Result<void> End(Exchange& exchange, Ipv4Address address);
  [[nodiscard]] Result<void> Decline(Exchange& exchange, Ipv4Address address);
  void Log(const lease::Lease& lease, const lease::Now& now, Effects& effects);
  // boot_steps.cc
  void TraceArrival(Exchange& exchange) noexcept;
  void TraceSilence(Exchange& exchange, Reason reason) noexcept;
  void AddStep(Exchange& exchange, boot::StepKind kind, std::string_view name, bool ok) noexcept;

  Counters counters_;
  lease::LeaseTable* leases_;
  lease::PairRules* pair_;
  boot::LoopGuard loops_;
  ConflictProbes probes_;
  boot::StepGate step_gate_;
  lease::LeaseEncoder encoder_;
  Message message_;
  OptionSet options_;
  boot::BootPlan plan_;
};

}  // namespace slipway::dhcp
