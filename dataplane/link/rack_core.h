// The rack's half of the control link as a pure state machine: enrolment, connection and failover,
// snapshots down, facts up. Bytes and times in, bytes and calls out; the ZeroMQ end
// (rack_end.h) and the simulator drive it. One thread. Holds no more than one message.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/base/seams.h"
#include "dataplane/base/time.h"
#include "dataplane/link/channel.h"
#include "dataplane/link/interfaces.h"

namespace slipway::link {

// The connections of the rack's end. Calls come from inside RackLink's methods; answers must not
// call back into it before those return.
class RackTransport : public MessageOutput {
 public:
  // Opens a connection to the region's n-th endpoint, with the join token's key or the rack's own.
  // Messages may be sent at once; they are queued until the handshake is done.
  virtual void Connect(std::size_t endpoint, bool with_token) = 0;
  // Drops the connection and what is queued.
  virtual void Close() = 0;
};

// What the rack learns from the link.
class RackLinkObserver {
 public:
  virtual ~RackLinkObserver() = default;
  // The region knows the rack's own key now: keep it. Comes before the first OnUp.
  virtual void OnEnrolled(RackId rack) = 0;
  virtual void OnUp(std::size_t endpoint) = 0;
  // Also for attempts that failed; `reason` is a short phrase.
  virtual void OnDown(std::string_view reason) = 0;

  // The region says that what is live here is its newest generation for this rack. With each of its
  // heartbeats while that is so.
  virtual void OnCurrent(Instant /*now*/) {}

  // Answer with RackLink::Answer, now or later, at most kQueriesOutstandingMax at a time.
  virtual void OnQuery(std::uint64_t id, std::string_view topic, std::string_view argument) = 0;
};

struct RackLinkOptions {
  std::string name;      // proposed at enrolment
  std::string software;  // "slipway-rack 0.1.0"
  std::uint64_t boot_id = 0;
  PublicKey public_key;  // the rack's own
  std::size_t endpoint_count = 1;
  bool enrolled = false;   // the region knows public_key
  bool has_token = false;  // not enrolled: connect with the token's key first
};

class RackLink {
 public:
  enum class State : std::uint8_t { kIdle, kWaiting, kEnrolling, kGreeting, kUp };

  // All references outlive the link.
  RackLink(RackLinkOptions options, RackTransport& transport, RackLinkObserver& observer,
           SnapshotSink& snapshots, FactSource& facts, Random& random);
  RackLink(const RackLink&) = delete;
  RackLink& operator=(const RackLink&) = delete;

  // ---- driven by the transport ----
  // The first attempt comes within kReconnectMin.
  void Start(Instant now);
  void OnMessage(ByteSpan message, Instant now);
  // The transport lost the connection, or the region's ZAP denied it.
  void OnClosed(std::string_view reason, Instant now);
  void OnTimer(Instant now);
  [[nodiscard]] Instant NextDeadline() const noexcept;
  // Stops: no more attempts; tells the region why.
  void Stop(std::string_view reason, Instant now);

  // ---- driven by the owners (on the same thread) ----
  // The sink's Live() has moved: durable and live on all shards.
  void OnGenerationLive(Instant now);
  // A generation that was taken could not be made durable or live: asks for a whole snapshot, at
  // most one in kResyncInterval.
  void OnGenerationFailed(std::string_view reason, Instant now);
  // The source has new records.
  void OnFactsReady(Instant now);
  void SetInterfaces(std::vector<InterfaceInfo> interfaces, Instant now);
  // `json` beyond kAnswerBytesMax becomes an error answer.
  void Answer(std::uint64_t id, bool ok, std::string_view json, Instant now);

  [[nodiscard]] State state() const noexcept { return state_; }

  [[nodiscard]] bool enrolled() const noexcept { return options_.enrolled; }

  [[nodiscard]] std::size_t endpoint() const noexcept { return endpoint_; }

  [[nodiscard]] const LinkCounters& counters() const noexcept { return counters_; }

 private:
  struct Outbox {
    FactCursor sent;                   // the next record to send
    std::uint32_t table_position = 0;  // parts of the table sent, while it is sent
  };

  void Attempt(Instant now);
  // Ends the connection, if there is one, and plans the next attempt.
  void Down(std::string_view reason, Instant now);
  // The peer broke a rule: says so, then Down.
  void Broken(RejectReason reason, Instant now);
  template <typename Table>
  bool Send(flatbuffers::Offset<Table> body, Instant now);
  void SendEnrol(Instant now);
  void SendHello(Instant now);
  void Deliver(const schema::Envelope& envelope, std::uint64_t bytes, Instant now);
  void DeliverUp(const schema::Envelope& envelope, std::uint64_t bytes, Instant now);
  void DeliverDown(const schema::Envelope& envelope, std::uint64_t bytes, Instant now);
  void OnEnrolled(const schema::Enrolled& enrolled, Instant now);
  void OnWelcome(const schema::Welcome& welcome, Instant now);
  void OnHeartbeat(const schema::Heartbeat& heartbeat, Instant now);
  void OnReject(const schema::Reject& reject, Instant now);
  void Established(const schema::Welcome& welcome, Instant now);
  void Consumed(std::uint64_t bytes, Instant now);
  // rack_snapshot.cc
  void OnSnapshotBegin(const schema::SnapshotBegin& begin, Instant now);
  void OnSnapshotChunk(const schema::SnapshotChunk& chunk, Instant now);
  void OnSnapshotEnd(const schema::SnapshotEnd& end, Instant now);
  void OnDelta(const schema::Delta& delta, Instant now);
  [[nodiscard]] bool ReadRecords(
      const flatbuffers::Vector<flatbuffers::Offset<schema::LinkRecord>>* records);
  void Resync(std::string_view reason, Instant now);
  void SendResync(Instant now);
  void SendLive(Instant now);
  // rack_facts.cc
  void StartOutboxes(const schema::Welcome& welcome);
  void PumpFacts(Instant now);
  [[nodiscard]] bool SendFacts(FactClass fact_class, Instant now);
  void OnFactsCommitted(const schema::FactsCommitted& committed, Instant now);
  void OnQuery(const schema::Query& query, Instant now);

  RackLinkOptions options_;
  RackTransport& transport_;
  RackLinkObserver& observer_;
  SnapshotSink& snapshots_;
  FactSource& facts_;
  Random& random_;
  LinkCounters counters_;
  Channel channel_;
  State state_ = State::kIdle;
  std::size_t endpoint_ = 0;
  bool with_token_ = false;
  std::uint64_t nonce_ = 0;
  Duration backoff_ = kReconnectMin;
  Instant deadline_ = Instant::Never();  // of the wait or of the handshake
  Instant up_since_;
  // Snapshots.
  bool awaiting_snapshot_ = false;         // nothing but a whole snapshot is of use
  Instant resync_due_ = Instant::Never();  // a resync that waits for its time
  Instant resync_allowed_;
  std::string resync_reason_;
  bool incoming_ = false;  // a generation in chunks is under way
  config::Generation incoming_generation_;
  std::uint32_t incoming_chunks_ = 0;
  GenerationState told_live_;
  std::vector<RecordView> records_;
  // Facts and questions.
  std::array<Outbox, kFactClasses.size()> outboxes_{};
  FactBatch batch_;
  std::vector<std::uint64_t> queries_;  // asked and not answered
  std::vector<InterfaceInfo> interfaces_;
};

}  // namespace slipway::link
