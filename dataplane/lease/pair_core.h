// One rack of a pair: the conversation with the partner and the states, as a pure core
// (docs/adr/0009-pair-of-racks.md says what is promised and why it is safe). Bytes and the present
// in; messages, records and a state out, through PairPort. It knows no socket, file or clock, and
// allocates only at construction.
//
// The bytes may be lost, doubled, reordered: each message has its session and number, and a gap
// ends the session. Owner: the shard that owns the lease table; its thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "dataplane/base/bounded.h"
#include "dataplane/base/counter.h"
#include "dataplane/base/cursor.h"
#include "dataplane/base/seams.h"
#include "dataplane/base/table_memory.h"
#include "dataplane/base/time.h"
#include "dataplane/lease/lease_table.h"
#include "dataplane/lease/pair_message.h"
#include "dataplane/lease/pair_rules.h"

namespace slipway::lease {

inline constexpr Duration kPairAlive = Duration::Seconds(1);
// Without a message for so long the partner is not there: the takeover begins.
inline constexpr Duration kPairDead = Duration::Seconds(3);
// A Hello that answers one: at most each so often.
inline constexpr Duration kPairReplyMin = Duration::Millis(50);
// After the journal had no room for what is still to be logged.
inline constexpr Duration kPairLogAgain = Duration::Millis(50);
// Sent and not acknowledged: batches, and the leases in them. The partner logs as many at once.
inline constexpr std::size_t kPairBatchesMax = 64;
inline constexpr std::size_t kPairInFlightMax = kPairBatchesMax * kPairLeasesPerMessage;
// New leases that wait for this rack's own disk before the partner hears of them.
inline constexpr std::size_t kPairWaitingMax = 16'384;
// Slots looked at per Flush while all leases are gone through.
inline constexpr std::uint32_t kPairScanMax = 16'384;

// What the core asks of its shell.
class PairPort {
 public:
  virtual ~PairPort() = default;
  // To the partner; bytes are valid during the call. What cannot be sent is lost.
  virtual void SendToPartner(ByteSpan message) = 0;
  // Logs a lease that came from the partner or was judged between the two. False: the journal has
  // no room. `position` is what OnDurable passes.
  [[nodiscard]] virtual bool Log(const Lease& lease, std::uint64_t& position) = 0;
  // Keep it: it is given back as Identity::partner_store after a restart. Then call OnRemembered.
  virtual void RememberPartner(std::uint64_t store) = 0;
  virtual void OnPairState(PairState from, PairState to) = 0;
  // Both racks had promised one address: only after a wrong word that the partner is down, or two
  // racks that served one VLAN before they were a pair. `kept` has it now.
  virtual void OnPairConflict(const Lease& kept) = 0;
};

struct PairOptions {
  std::uint64_t pair = 0;  // id of its record; not 0
  unsigned side = 0;
  Duration mclt = Duration::Seconds(3600);
  bool formed = false;   // both racks have been in state normal before
  unsigned founder = 0;  // the side that served first: it need not wait for the other to begin
};

struct PairIdentity {
  std::uint64_t store = 0;          // made with the state directory
  std::uint64_t partner_store = 0;  // the last one remembered; 0: none
  std::uint64_t incarnation = 0;    // random, of this process
};

// How the table came to be what it is.
struct PairRestart {
  bool serving = false;  // no restart: this rack serves already, and becomes one of a pair now
  // What is left of MCLT since the last stamp made while HasFullRight() was true, if that much is
  // proven (lease_clock.h); else nothing. Leases' records prove nothing: some are made in recover.
  Duration authority;
};

// The region's word on which rack is down (by a person or its timer): one at a time.
struct PairOrder {
  std::uint64_t term = 0;  // grows; 0: no order
  unsigned down_side = 0;
  // The rack that is not down was itself declared down before, and the two have not met since.
  bool survivor_stale = false;
};

enum class PairReject : std::uint8_t {
  kMalformed,   // not verifiable, or a field outside its bounds
  kOtherPair,   // of another pair, or of the same side
  kStale,       // of another session
  kReplayed,    // a number seen before
  kGap,         // a number too high: the session is over
  kUnexpected,  // a batch out of order, an acknowledgement of nothing: the session is over
  kCount,
};

struct PairCounters {
  std::array<Counter, static_cast<std::size_t>(PairReject::kCount)> rejected;
  Counter sessions;
  Counter resets;  // sessions that this side ended for a broken rule, or a full journal
  Counter leases_sent;
  Counter leases_taken;
  Counter leases_refused;
  Counter conflicts;
};

// For people.
struct PairReport {
  PairState state = PairState::kOff;
  PairState partner_state = PairState::kOff;  // as it said last; off: not in a session
  bool in_session = false;
  bool serves = false;
  unsigned side = 0;
  Duration mclt;
  Duration in_state;         // since when
  Duration wait;             // until MCLT is over, where the state waits for that
  Duration serves_for;       // without the partner or the region; Duration{INT64_MAX}: without end
  std::uint64_t untold = 0;  // leases that the partner has not confirmed
};

// What is left of MCLT since `right` was true for the last time: PairRestart::authority. Nothing
// unless it is proven how much time went by. `right.boot_id` 0: it never was.
[[nodiscard]] Duration AuthorityLeft(const Stamp& right, Duration mclt, const Now& now) noexcept;

class PairCore {
 public:
  enum class Leave : std::uint8_t { kWait, kSend, kDrop };

  // All outlive the core. `rules` has the table's size.
  PairCore(LeaseTable* table, PairRules* rules, PairPort* port, Random* random);
  PairCore(const PairCore&) = delete;
  PairCore& operator=(const PairCore&) = delete;

  [[nodiscard]] static std::uint64_t MemoryBytes(std::uint32_t leases_max) noexcept;

  // The rack is one of this pair from now on. After the table was restored.
  void Start(const PairOptions& options, const PairIdentity& identity, const PairRestart& restart,
             const Now& now);
  // No pair any more: everything is this rack's again. The region says so only of a rack that is to
  // serve the VLAN alone.
  void Stop(const Now& now);

  void OnMessage(ByteSpan message, const Now& now);
  // The transport knows that the partner is gone.
  void OnLinkDown(const Now& now);
  void OnTimer(const Now& now);
  [[nodiscard]] Instant next_deadline() const noexcept;
  // Sends what has come together: once a turn, and after OnMessage.
  void Flush(const Now& now);

  // The table has a new version of this lease, and its record has this position in the journal.
  // False: too much waits; the reply must not be sent.
  [[nodiscard]] bool OnChanged(const Lease& lease, std::uint64_t position);
  // It has a new version that could not be logged. It is logged as soon as there is room.
  void OnUnlogged(const Lease& lease);
  // All records below `durable` are on this rack's disk.
  void OnDurable(std::uint64_t durable);
  // A reply that waited for this version, whose record is on this rack's disk.
  [[nodiscard]] Leave MayLeave(const Lease* lease, std::uint64_t version, Instant now) const;

  // The region's word, as of now: this rack is connected to it.
  void OnRegion(const PairOrder& order, const Now& now);
  void OnRemembered(std::uint64_t store, const Now& now);

  [[nodiscard]] PairState state() const noexcept { return rules_->state(); }

  [[nodiscard]] PairState partner_state() const noexcept { return partner_state_; }

  [[nodiscard]] bool in_session() const noexcept { return session_ != 0; }

  // The shell keeps a stamp on disk of when this was last true: see PairRestart. Not so while the
  // rack only goes on by such a stamp, or it would go on for ever.
  [[nodiscard]] bool HasFullRight() const noexcept { return rules_->ServesWithoutEnd(); }

  // Nothing is left to tell the partner.
  [[nodiscard]] bool idle() const noexcept;

  [[nodiscard]] PairReport Report(Instant now) const noexcept;

  [[nodiscard]] const PairCounters& counters() const noexcept { return counters_; }

 private:
  struct InFlight {
    std::uint64_t batch = 0;
    std::uint64_t version = 0;
    std::uint32_t slot = 0;
  };

  struct SentBatch {
    std::uint64_t batch = 0;
    std::uint64_t through = 0;
    Instant sent;
  };

  struct TakenBatch {
    std::uint64_t batch = 0;
    std::uint64_t position = 0;
    std::uint64_t through = 0;
    FixedVector<std::uint16_t, kPairLeasesPerMessage> refused;
  };

  struct Waiting {
    std::uint64_t position = 0;
    std::uint64_t version = 0;
    std::uint32_t slot = 0;
  };

  enum class Verdict : std::uint8_t { kSame, kTake, kRefuse };

  // pair_core.cc: states and sending.
  void SetState(PairState state, Instant now);
  void Advance(Instant now);
  void AdvanceTogether(Instant now);
  void AdvanceAlone(Instant now);
  [[nodiscard]] bool IsSynced() const noexcept;
  [[nodiscard]] bool HasAuthority(const IpAddress& address) const noexcept;
  void Push(std::uint32_t slot);
  [[nodiscard]] std::uint32_t PopQueued() noexcept;
  void Rescan() noexcept;
  void DoubtRestored();
  void LogAgain(Instant now);
  void Scan();
  [[nodiscard]] bool NeedsSending(std::uint32_t slot, const Lease& lease) const noexcept;
  [[nodiscard]] bool SendBatch(Instant now);
  [[nodiscard]] bool AddToBatch(std::uint32_t slot, Instant now);
  // What the batch that is being made completes; 0: nothing.
  [[nodiscard]] std::uint64_t Through() noexcept;
  [[nodiscard]] PairHeader NextHeader() noexcept;

  // pair_session.cc: the conversation.
  void SendHello(Instant now);
  void ReplyHello(Instant now);
  void SendAlive(Instant now);
  void EndSession(Instant now);
  void Open(Instant now);
  [[nodiscard]] std::uint64_t SessionId() const noexcept;
  void Reject(PairReject reason) noexcept;
  void OnHello(const schema::PairHello& hello, Instant now);
  void Learn(const schema::PairHello& hello);
  [[nodiscard]] bool OnNumbered(const schema::PairMessage& message, Instant now);
  [[nodiscard]] bool OnUpdates(const schema::PairUpdates& updates, const Now& now);
  [[nodiscard]] bool OnAcked(const schema::PairAcked& acked);
  void Reset(PairReject reason, Instant now);
  [[nodiscard]] bool TakeLease(const RestoredLease& theirs, std::uint16_t index, TakenBatch& batch,
                               const Now& now);
  [[nodiscard]] Verdict Judge(const RestoredLease& theirs, const Lease* ours, Instant now) const;
  [[nodiscard]] bool Take(const RestoredLease& theirs, const Lease* ours, const Now& now);
  [[nodiscard]] bool Refuse(const RestoredLease& theirs, const Lease& ours, const Now& now);
  [[nodiscard]] bool LogLease(const Lease& lease);
  void Acknowledge(Instant now);

  LeaseTable* table_;
  PairRules* rules_;
  PairPort* port_;
  Random* random_;
  PairEncoder encoder_;
  PairReader reader_;
  PairOptions options_;
  PairIdentity identity_;
  PairOrder order_;
  std::uint64_t restored_ = 0;
  std::uint64_t spent_term_ = 0;  // the order that the pair has come back from
  Instant started_;
  Instant ordered_;
  bool region_heard_ = false;
  bool lost_ = false;  // this rack's disk is not the one that the partner knew
  Instant authority_ends_;
  bool asked_to_remember_ = false;
  bool any_unlogged_ = false;
  std::uint32_t log_scan_ = 0;  // the next slot that LogAgain looks at
  Instant log_due_;

  // The session.
  std::uint64_t session_ = 0;  // 0: none
  std::uint64_t nonce_ = 0;
  std::uint64_t partner_nonce_ = 0;
  std::uint64_t partner_store_ = 0;  // as it said in its Hello
  std::uint64_t partner_incarnation_ = 0;
  std::uint64_t partner_restored_ = 0;
  std::uint64_t partner_through_ = 0;  // of what we made, by its Hello
  bool partner_lost_ = false;  // its disk is not the one that we knew, and it has not waited yet
  bool recheck_ = false;       // it restarted: it may have lost the last of what it told us
  std::uint64_t agreed_store_ = 0;  // whose disk the rules' agreed versions are on
  PairState partner_state_ = PairState::kOff;
  std::uint64_t sent_ = 0;
  std::uint64_t received_ = 0;
  Instant heard_;
  Instant next_send_;
  Instant next_reply_;
  bool told_state_ = true;

  // Out.
  UntouchedTable<std::uint32_t> ring_;  // slots to send, each once
  std::uint32_t ring_head_ = 0;
  std::uint32_t ring_count_ = 0;
  std::uint32_t scan_ = 0;  // the next slot to look at; capacity(): all are
  bool end_told_ = false;   // a batch of this session said `through`
  std::uint64_t batch_ = 0;
  FixedRing<SentBatch, kPairBatchesMax> sent_batches_;
  FixedRing<InFlight, kPairInFlightMax> in_flight_;
  FixedRing<Waiting, kPairWaitingMax> waiting_;
  bool partner_has_all_ = false;
  std::uint64_t untold_ = UINT64_MAX;  // the lowest version that found no room in waiting_

  // In.
  std::uint64_t taken_ = 0;  // batch
  FixedRing<TakenBatch, kPairBatchesMax> taken_batches_;
  std::uint64_t durable_ = 0;
  std::uint64_t last_position_ = 0;  // of the journal, plus 1
  std::uint64_t through_ = 0;        // all that the partner made up to it is here, on disk
  std::uint64_t through_store_ = 0;  // whose
  bool refused_any_ = false;         // in this session: `through` would promise too much
  bool have_all_ = false;

  PairCounters counters_;
};

}  // namespace slipway::lease
