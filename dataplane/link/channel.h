// What both ends' sessions share: numbering, acknowledgement, credit, heartbeat and liveness of one
// connection. Pure: bytes and a time in, verified bodies out.
#pragma once

#include <cstdint>

#include "dataplane/base/time.h"
#include "dataplane/link/envelope.h"

namespace slipway::link {

// How the bytes of a message leave. False: the connection is gone or its queue is full; the
// session ends.
class MessageOutput {
 public:
  virtual ~MessageOutput() = default;
  [[nodiscard]] virtual bool Send(ByteSpan message) = 0;
};

class Channel {
 public:
  enum class Verdict : std::uint8_t {
    kDeliver,  // `envelope` may go to a handler
    kIgnore,   // counted; nothing else happens
    kReset,    // counted; the session must end
  };

  struct Received {
    Verdict verdict = Verdict::kIgnore;
    const schema::Envelope* envelope = nullptr;
    RejectReason reason = RejectReason::kCount;
  };

  explicit Channel(LinkCounters& counters) noexcept : counters_(counters) {}

  // A new connection: all numbers from the start. `id` goes into each message.
  void Open(std::uint64_t id, Instant now) noexcept;

  // After the handshake: the numbers go on under the id that both nonces make.
  void Rename(std::uint64_t id) noexcept { id_ = id; }

  // Checks one message: envelope, connection, sequence, acknowledgement, credit of data messages.
  // With `any_connection` the id is not compared (the region's first message).
  [[nodiscard]] Received Receive(ByteSpan message, bool any_connection, Instant now);

  template <typename Table>
  [[nodiscard]] bool Send(MessageOutput& out, flatbuffers::Offset<Table> body,
                          std::uint64_t trace = 0) {
    constexpr schema::LinkBody kType = schema::LinkBodyTraits<Table>::enum_value;
    return SendUnion(out, kType, body.Union(), trace);
  }

  // False: it could not be sent.
  [[nodiscard]] bool SendUnion(MessageOutput& out, schema::LinkBody type,
                               flatbuffers::Offset<void> body, std::uint64_t trace);

  [[nodiscard]] flatbuffers::FlatBufferBuilder& builder() { return writer_.Begin(); }

  // One more data message of any size may leave.
  [[nodiscard]] bool MaySendData() const noexcept;
  // The peer grants; false if that is more than it may.
  [[nodiscard]] bool TakeCredit(std::uint64_t bytes) noexcept;
  // The first grant of a session.
  [[nodiscard]] bool GrantAll(MessageOutput& out);
  // `bytes` of received data are applied: grants again when a step has come together.
  [[nodiscard]] bool Consumed(MessageOutput& out, std::uint64_t bytes);
  [[nodiscard]] bool SendHeartbeatIfDue(MessageOutput& out, Instant now,
                                        const schema::LinkGeneration* current = nullptr);

  [[nodiscard]] bool IsDead(Instant now) const noexcept { return now - last_heard_ >= kPeerDead; }

  // The next heartbeat or the peer's death, whichever comes first.
  [[nodiscard]] Instant next_deadline() const noexcept;

  [[nodiscard]] std::uint64_t id() const noexcept { return id_; }

 private:
  [[nodiscard]] Received Judge(const schema::Envelope& envelope, std::size_t bytes,
                               bool any_connection) const;
  [[nodiscard]] bool Grant(MessageOutput& out, std::uint64_t bytes);

  LinkCounters& counters_;
  EnvelopeReader reader_;
  EnvelopeWriter writer_;
  std::uint64_t id_ = 0;
  std::uint64_t sent_ = 0;            // sequence of our last message
  std::uint64_t acknowledged_ = 0;    // by the peer
  std::uint64_t received_ = 0;        // sequence of the peer's last message
  std::uint64_t data_unacked_ = 0;    // upper bound of our data messages not acknowledged
  std::uint64_t send_credit_ = 0;     // bytes that we may still send
  std::uint64_t receive_credit_ = 0;  // bytes that the peer may still send
  std::uint64_t consumed_ = 0;        // applied, not granted again yet
  Instant last_heard_;
  Instant next_heartbeat_;
};

// Both nonces in one connection id.
[[nodiscard]] std::uint64_t ConnectionId(std::uint64_t rack_nonce,
                                         std::uint64_t region_nonce) noexcept;

// True for the bodies that credit counts.
[[nodiscard]] bool IsData(schema::LinkBody type) noexcept;

}  // namespace slipway::link
