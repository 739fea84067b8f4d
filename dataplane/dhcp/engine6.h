// The DHCPv6 server as a pure core: packet in, effects out (RFC 8415 18.3). It knows no socket,
// file or clock, and keeps its leases in the table that it shares with DHCPv4.
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
#include "dataplane/dhcp/engine.h"
#include "dataplane/dhcp/message6.h"
#include "dataplane/dhcp/option_set.h"
#include "dataplane/lease/lease_clock.h"
#include "dataplane/lease/lease_table.h"
#include "dataplane/lease/pair_rules.h"
#include "dataplane/lease/record.h"

namespace slipway::dhcp {

// Why a packet got its answer or its silence. Every packet gets exactly one; counted by it.
enum class Reason6 : std::uint8_t {
  // Answered.
  kAdvertised,
  kReplied,            // a new or changed lease, or one whose horizon was used up: logged first
  kRepliedFromMemory,  // a renewal inside the horizon
  kRapidCommitted,
  kConfirmed,
  kNotOnLink,  // a client that came from elsewhere is told so
  kNoAddress,  // the answer says that there is no address
  kTakenBack,  // a lease that does not stand any more is told with lifetimes of 0
  kNoBinding,  // the answer says that we know no such lease
  kInformed,
  kReleased,
  kDeclined,
  kQuarantineFull,  // declined, but the lease only ends
  kUseMulticast,
  // Silent.
  kTruncated,
  kMalformed,
  kTooManyRelays,
  kNotRequest,     // of a type that servers send, or none that we know
  kNoClientId,     // required, and missing
  kServerIdWrong,  // one where none may be, or none where one must be
  kNotByUnicast,   // of a type that clients may only send to all
  kUnservedLink,   // the interface is bound to no VLAN, or the relay's link is not served
  kPolicyIgnore,   // unknown machine, policy `ignore`
  kOtherServer,    // the client took another server's offer
  kNoSubnet,       // no IPv6 subnet on this link, or its addresses are not ours to give
  kUnknownLease,   // for addresses of networks that are not ours: another server's perhaps
  kReplyTooLarge,
  kPairRecovering,  // one of a pair of racks that has not caught up: the other one answers
  kPartnersTurn,    // the other rack of the pair answers this client
  kPartnersToSay,   // whether the address is the client's only the other rack knows
  kForeignServer,   // an Advertise or Reply of another server was heard
  kMainServer,      // likewise, of the server that the VLAN belongs to
  kCount,
};

[[nodiscard]] std::string_view ToString(Reason6 reason) noexcept;
// "solicit"; "other" for what the table does not know.
[[nodiscard]] std::string_view ToString(MessageType6 type) noexcept;

struct Counters6 {
  std::array<Counter, static_cast<std::size_t>(Reason6::kCount)> by_reason;
  std::array<Counter, 14> by_type;  // by message type as received; [0]: others
  Counter loops_found;
  Counter options_left_out;
  Counter probes;          // neighbour solicitations beside an Advertise
  Counter conflicts;       // answered by somebody else: the address is quarantined
  Counter conflicts_late;  // likewise, but it was bound already, or too many are quarantined
};

// Where a packet came in and what the rack is there.
struct ReceiveContext6 {
  std::uint32_t ifindex = 0;
  const config::VlanRecord* vlan = nullptr;    // the interface's; nullptr: not served
  std::span<const IpAddress> local_addresses;  // the rack's IPv6 ones on that interface
  Ipv6Address link_local;                      // the rack's there: answers to clients come from it
  Ipv6Address source;
  std::uint16_t source_port = 0;
  Ipv6Address destination;  // by PKTINFO; multicast as it was sent
};

struct Reply6 {
  std::size_t bytes = 0;  // in the caller's span; 0: none
  Ipv6Address address;
  std::uint16_t port = 0;
  Ipv6Address source;
  bool wait_durable = false;  // leaves only after OnDurable(ticket)
};

// Another DHCPv6 server, as its answer to a question of ours tells. Views into the packet.
struct ForeignServer6 {
  ByteSpan duid;
  Ipv6Address offered;  // any: none
};

// What Handle wants done. The shell owns one and uses it again.
struct Effects6 {
  Reason6 reason = Reason6::kMalformed;
  Reply6 reply;
  // Not empty: to be logged as a Lease fact; valid until the engine's next call.
  ByteSpan record;
  Ticket ticket;
  config::RecordId machine = 0;  // 0: unknown, or not looked for
  MacAddress mac;                // that the client shows; zero: none
  ByteSpan duid;                 // its identifier, in the packet
  ForeignServer6 foreign;        // with kForeignServer
  FixedVector<boot::BootStep, kStepsMax> steps;
  IpAddress probe;  // set: ask by neighbour solicitation whether anybody has it, on the interface

  // Before each call of the engine: all but the reason.
  void Clear() noexcept {
    reply = {};
    record = {};
    ticket = {};
    machine = 0;
    mac = {};
    duid = {};
    foreign = {};
    steps.clear();
    probe = {};
  }
};

using Duid = FixedVector<std::byte, kDuidBytesMax>;

// The MAC that a link-local address is made of (RFC 4291 appendix A); zero if it is not.
[[nodiscard]] MacAddress MacOfEui64(const Ipv6Address& address) noexcept;

// The MAC of a DUID made of one (RFC 8415 11.2 and 11.4); zero if it is not.
[[nodiscard]] MacAddress MacOfDuid(ByteSpan duid) noexcept;

// DUID-UUID (RFC 6355).
[[nodiscard]] Duid DuidFromUuid(const config::Uuid& uuid) noexcept;

struct EngineOptions6 {
  Duid server_id;  // the same for the rack's life, also over restarts
  boot::LoopOptions loops;
  lease::PairRules* pair = nullptr;  // outlives the engine; nullptr: this rack is alone
  boot::StepLimits steps = {};
};

struct Answer6;
struct DecisionTrace;

class Dhcp6Engine {
 public:
  struct Exchange;  // internal: dataplane/dhcp/exchange6.h

  // `leases` outlives the engine; it is shared with the DHCPv4 engine of the same thread, which
  // also ends what is due (ExpireOne).
  Dhcp6Engine(const EngineOptions6& options, lease::LeaseTable* leases);
  Dhcp6Engine(const Dhcp6Engine&) = delete;
  Dhcp6Engine& operator=(const Dhcp6Engine&) = delete;

  // Decides about one packet. `reply` takes the message with its relay headers; it must not overlap
  // `packet` and should have kMessage6BytesMax bytes. Never fails: `effects.reason` says what
  // happened.
  void Handle(ByteSpan packet, const ReceiveContext6& context, const config::Snapshot& snapshot,
              const lease::Now& now, MutableByteSpan reply, Effects6& effects);

  // What Handle would do with the packet now, by the same code, and why. Nothing changes: no offer
  // is held, nothing is to be logged, no counter moves; `effects` and `reply` are what Handle would
  // give, without record and version.
  void Explain(ByteSpan packet, const ReceiveContext6& context, const config::Snapshot& snapshot,
               const lease::Now& now, MutableByteSpan reply, Effects6& effects,
               DecisionTrace& trace);

  // Somebody said by a neighbour advertisement on that interface that the address is theirs. True
  // if that ended an offer, which is quarantined now: `record` and `ticket` are to be logged (no
  // reply). What nobody asked changes nothing.
  [[nodiscard]] bool OnNeighbour(const IpAddress& address, MacAddress by, std::uint32_t ifindex,
                                 const lease::Now& now, Effects6& effects);

  // The record of this ticket is on disk: renewals may rely on it. Send the reply that waited.
  void OnDurable(const Ticket& ticket) noexcept {
    leases_->MarkDurable(ticket.address, ticket.version);
  }

  // The machine got further (its inventory arrived): its boot is no loop.
  void OnProgress(MacAddress mac) noexcept { loops_.Progress(mac); }

  [[nodiscard]] const Duid& server_id() const noexcept { return server_id_; }

  [[nodiscard]] const Counters6& counters() const noexcept { return counters_; }

 private:
  [[nodiscard]] Reason6 Run(ByteSpan packet, const ReceiveContext6& context,
                            const config::Snapshot& snapshot, const lease::Now& now,
                            MutableByteSpan reply, Effects6& effects, DecisionTrace* trace);
  [[nodiscard]] Reason6 Dispatch(Exchange& exchange);
  [[nodiscard]] Reason6 AskPair(Exchange& exchange);
  [[nodiscard]] Reason6 OnSolicit(Exchange& exchange);
  [[nodiscard]] Reason6 OnRequest(Exchange& exchange);
  [[nodiscard]] Reason6 OnRenew(Exchange& exchange);
  [[nodiscard]] Reason6 OnConfirm(Exchange& exchange);
  [[nodiscard]] Reason6 OnEnd(Exchange& exchange);
  [[nodiscard]] Reason6 OnInformationRequest(Exchange& exchange);
  [[nodiscard]] Result<IpAddress> Offer(Exchange& exchange, const IpAddress& wanted);
  void ProbeOffer(const Exchange& exchange, const IpAddress& address);
  [[nodiscard]] bool Claim(const Exchange& exchange, const config::SubnetRecord& subnet,
                           const IpAddress& address);
  void GuardLoop(Exchange& exchange);
  [[nodiscard]] Reason6 Grant(Exchange& exchange, const IpAddress& address, Answer6& answer);
  [[nodiscard]] Reason6 EndAndTakeBack(Exchange& exchange, const IpAddress& address);
  [[nodiscard]] Reason6 Refuse(Exchange& exchange, const IpAddress& address);
  [[nodiscard]] Reason6 TakeBack(Exchange& exchange, const IpAddress& address);
  [[nodiscard]] Reason6 Send(Exchange& exchange, const Answer6& answer, Reason6 reason);
  void Log(const lease::Lease& lease, const lease::Now& now, Effects6& effects);
  // boot_steps.cc
  void TraceArrival(Exchange& exchange) noexcept;
  void TraceSilence(Exchange& exchange, Reason6 reason) noexcept;
  void AddStep(Exchange& exchange, boot::StepKind kind, std::string_view name, bool ok) noexcept;

  Duid server_id_;
  Counters6 counters_;
  lease::LeaseTable* leases_;
  lease::PairRules* pair_;
  boot::LoopGuard loops_;
  ConflictProbes probes_;
  boot::StepGate step_gate_;
  lease::LeaseEncoder encoder_;
  Message6 message_;
  boot::BootPlan plan_;
  OptionSet options_;
};

}  // namespace slipway::dhcp
