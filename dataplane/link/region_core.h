// The region's half of the control link for one connection of one peer: a rack, or a new rack with
// a join token. Pure like rack_core.h. Who the peer is was decided by ZAP before the first byte;
// no message changes it.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/base/seams.h"
#include "dataplane/base/time.h"
#include "dataplane/link/channel.h"
#include "dataplane/link/interfaces.h"

namespace slipway::link {

// The owner of the sessions: the region's ZeroMQ end or the simulator.
class RegionSessionHost : public MessageOutput {
 public:
  // Make callbacks that, whenever and on whatever thread they are called, bring their result to the
  // session's OnFactsCommitted or OnRackEnrolled on its own thread, if it still exists. They may
  // run inside the call that they were passed to: the host then defers them.
  [[nodiscard]] virtual CommitDone MakeCommitDone(FactClass fact_class,
                                                  std::uint64_t message_bytes) = 0;
  [[nodiscard]] virtual EnrolDone MakeEnrolDone() = 0;
  // The session is up: an older one of the same rack must be closed now.
  virtual void OnEstablished(RackId rack) = 0;
};

// What all sessions of a region share. All outlive the sessions.
struct RegionServices {
  RackDirectory* directory = nullptr;
  RackObserver* observer = nullptr;
  SnapshotSource* snapshots = nullptr;
  FactSink* facts = nullptr;
  Random* random = nullptr;
  LinkCounters* counters = nullptr;  // summed over all sessions of the region
  std::uint64_t epoch = 0;           // of the store
};

struct QueryAnswer {
  bool ok = false;
  std::string json;
};

using QueryDone = std::move_only_function<void(Result<QueryAnswer>)>;

class RegionSession {
 public:
  enum class State : std::uint8_t { kNew, kEnrolling, kGreeting, kUp, kClosed };

  // `peer` is a rack or a token: what ZAP admitted.
  RegionSession(PeerStatus peer, const RegionServices& services, RegionSessionHost& host,
                Instant now);
  RegionSession(const RegionSession&) = delete;
  RegionSession& operator=(const RegionSession&) = delete;
  ~RegionSession();

  // Asks the directory first whether the peer is (still) admitted, for each message.
  void OnMessage(ByteSpan message, WallTime wall_now, Instant now);
  void OnTimer(Instant now);
  [[nodiscard]] Instant NextDeadline() const noexcept;
  // The snapshot source has something newer for this rack.
  void OnPublished(Instant now);
  // Results of FactSink::Commit and RackDirectory::EnrolRack, brought by the host.
  void OnFactsCommitted(FactClass fact_class, std::uint64_t message_bytes,
                        const Result<FactCursor>& cursor, Instant now);
  void OnRackEnrolled(const Result<RackId>& rack, Instant now);
  // kFull beyond kQueriesOutstandingMax, kUnavailable unless up, kTimeout after kQueryTimeout,
  // kClosed when the session ends.
  void Query(std::string_view topic, std::string_view argument, QueryDone done, Instant now);
  // Ends the session: tells the peer why and calls OnRackDown if it was up. Nothing is sent or
  // handled afterwards; the host drops the connection.
  void Close(std::string_view reason);

  [[nodiscard]] State state() const noexcept { return state_; }

  [[nodiscard]] const PeerStatus& peer() const noexcept { return peer_; }

  // What the rack has told to be live.
  [[nodiscard]] const GenerationState& live() const noexcept { return live_; }

 private:
  struct PendingQuery {
    std::uint64_t id = 0;
    Instant deadline;
    QueryDone done;
  };

  // Of the class's table, while it comes in parts.
  struct TableProgress {
    std::uint64_t epoch = 0;
    std::uint64_t as_of = 0;
    std::uint32_t parts = 0;
  };

  [[nodiscard]] bool IsAdmitted(WallTime wall_now);
  void Deliver(const schema::Envelope& envelope, std::uint64_t bytes, WallTime wall_now,
               Instant now);
  void DeliverFirst(const schema::Envelope& envelope, WallTime wall_now, Instant now);
  void DeliverUp(const schema::Envelope& envelope, std::uint64_t bytes, Instant now);
  void OnEnrol(const schema::Enrol& enrol, WallTime wall_now, Instant now);
  void OnHello(const schema::Hello& hello, std::uint64_t nonce, Instant now);
  void OnEstablished(Instant now);
  [[nodiscard]] bool ReadHello(const schema::Hello& hello);
  // The peer broke a rule (counted already): says so, then Close.
  void Broken(RejectReason reason);
  // Ends without a word to the peer.
  void End(std::string_view reason);
  template <typename Table>
  bool Send(flatbuffers::Offset<Table> body);
  // region_facts.cc
  void OnFacts(const schema::Facts& facts, std::uint64_t bytes, Instant now);
  [[nodiscard]] bool ReadFacts(const schema::Facts& facts);
  // What to do with the batch just read, after the cursor of what was received before.
  enum class Place : std::uint8_t { kNew, kSeen, kGap };
  [[nodiscard]] Place PlaceBatch(FactCursor& received);
  [[nodiscard]] Place PlacePart(FactCursor& received);
  void SendFactsCommitted(FactClass fact_class, const FactCursor& cursor);
  void Consumed(std::uint64_t bytes);
  void OnQueryAnswer(const schema::QueryAnswer& answer);
  void ExpireQueries(Instant now);
  // region_snapshot.cc
  void OnGenerationLive(const schema::GenerationLive& live, Instant now);
  void OnResync(Instant now);
  void Pump(Instant now);
  void OpenStream(Instant now);
  void SendPart();
  void StreamSent();

  PeerStatus peer_;
  RegionServices services_;
  RegionSessionHost& host_;
  Channel channel_;
  State state_ = State::kNew;
  std::uint64_t nonce_ = 0;
  Instant deadline_;  // of the greeting
  // Hello, kept until the rack has shown that it is on this very connection.
  std::string software_;
  std::uint64_t boot_id_ = 0;
  std::vector<InterfaceInfo> interfaces_;
  std::array<FactCursor, kFactClasses.size()> received_{};  // passed to the sink
  std::array<TableProgress, kFactClasses.size()> tables_{};
  FactBatch batch_;
  GenerationState live_;
  GenerationState tip_;  // what the rack has when all that was sent has arrived
  std::vector<GenerationState> unconfirmed_;  // sent, not live yet; oldest first
  bool need_snapshot_ = false;
  Instant snapshot_allowed_;
  bool paced_ = false;  // a whole snapshot waits for snapshot_allowed_
  std::unique_ptr<SnapshotStream> stream_;
  bool stream_begun_ = false;  // its chunks are under way
  std::uint32_t chunks_ = 0;
  std::vector<PendingQuery> queries_;
  std::uint64_t next_query_ = 1;
};

}  // namespace slipway::link
