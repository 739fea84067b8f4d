#include "dataplane/link/channel.h"

#include <algorithm>
#include <utility>

#include "dataplane/base/check.h"
#include "dataplane/base/random.h"

namespace slipway::link {

std::uint64_t ConnectionId(std::uint64_t rack_nonce, std::uint64_t region_nonce) noexcept {
  return Mix64(Mix64(rack_nonce) ^ region_nonce);
}

bool IsData(schema::LinkBody type) noexcept {
  return type == schema::LinkBody::SnapshotChunk || type == schema::LinkBody::Delta ||
         type == schema::LinkBody::Facts;
}

void Channel::Open(std::uint64_t id, Instant now) noexcept {
  id_ = id;
  sent_ = 0;
  acknowledged_ = 0;
  received_ = 0;
  send_credit_ = 0;
  receive_credit_ = 0;
  consumed_ = 0;
  last_heard_ = now;
  next_heartbeat_ = now + kHeartbeat;
}

Channel::Received Channel::Judge(const schema::Envelope& envelope, std::size_t bytes,
                                 bool any_connection) const {
  if (!any_connection && envelope.connection() != id_) {
    return {.verdict = Verdict::kIgnore, .reason = RejectReason::kStale};
  }
  if (envelope.sequence() <= received_) {
    return {.verdict = Verdict::kIgnore, .reason = RejectReason::kReplayed};
  }
  if (envelope.sequence() - received_ != 1) {
    return {.verdict = Verdict::kReset, .reason = RejectReason::kGap};
  }
  if (envelope.acknowledged() > sent_ || envelope.acknowledged() < acknowledged_) {
    return {.verdict = Verdict::kReset, .reason = RejectReason::kBadAck};
  }
  if (IsData(envelope.body_type()) && bytes > receive_credit_) {
    return {.verdict = Verdict::kReset, .reason = RejectReason::kOverCredit};
  }
  return {.verdict = Verdict::kDeliver, .envelope = &envelope};
}

Channel::Received Channel::Receive(ByteSpan message, bool any_connection, Instant now) {
  const auto envelope = reader_.Read(message);
  if (!envelope) {
    counters_.Reject(envelope.error());
    return {.verdict = Verdict::kIgnore, .reason = envelope.error()};
  }
  Received received = Judge(**envelope, message.size(), any_connection);
  if (received.verdict != Verdict::kDeliver) {
    counters_.Reject(received.reason);
    return received;
  }
  received_ = (*envelope)->sequence();
  acknowledged_ = (*envelope)->acknowledged();
  last_heard_ = now;
  counters_.messages_received.Add();
  counters_.bytes_received.Add(message.size());
  if (!HasKnownBody(**envelope)) {
    // A peer that is a minor version ahead may say things that we do not know.
    counters_.Reject(RejectReason::kUnknownBody);
    return {.verdict = Verdict::kIgnore, .reason = RejectReason::kUnknownBody};
  }
  if (IsData((*envelope)->body_type())) {
    receive_credit_ -= message.size();
  }
  return received;
}

bool Channel::SendUnion(MessageOutput& out, schema::LinkBody type, flatbuffers::Offset<void> body,
                        std::uint64_t trace) {
  const EnvelopeHeader header{
      .sequence = sent_ + 1, .acknowledged = received_, .trace = trace, .connection = id_};
  const Result<ByteSpan> message = writer_.FinishUnion(header, type, body);
  if (!message) {
    counters_.Reject(RejectReason::kTooLarge);
    return false;
  }
  if (IsData(type)) {
    SLIP_CHECK(message->size() <= send_credit_);
    send_credit_ -= message->size();
  }
  if (!out.Send(*message)) {
    return false;
  }
  ++sent_;
  counters_.messages_sent.Add();
  counters_.bytes_sent.Add(message->size());
  return true;
}

bool Channel::MaySendData() const noexcept {
  return send_credit_ >= kMessageBytesMax && sent_ - acknowledged_ < kDataMessagesInFlightMax;
}

bool Channel::TakeCredit(std::uint64_t bytes) noexcept {
  if (bytes > kCreditBytes || send_credit_ > kCreditBytes - bytes) {
    counters_.Reject(RejectReason::kOverCredit);
    return false;
  }
  send_credit_ += bytes;
  return true;
}

bool Channel::Grant(MessageOutput& out, std::uint64_t bytes) {
  receive_credit_ += bytes;
  SLIP_CHECK(receive_credit_ <= kCreditBytes);
  return Send(out, schema::CreateCredit(builder(), bytes));
}

bool Channel::GrantAll(MessageOutput& out) {
  SLIP_CHECK(receive_credit_ == 0);
  return Grant(out, kCreditBytes);
}

bool Channel::Consumed(MessageOutput& out, std::uint64_t bytes) {
  consumed_ += bytes;
  if (consumed_ < kCreditStepBytes) {
    return true;
  }
  return Grant(out, std::exchange(consumed_, 0));
}

bool Channel::SendHeartbeatIfDue(MessageOutput& out, Instant now,
                                 const schema::LinkGeneration* current) {
  if (now < next_heartbeat_) {
    return true;
  }
  next_heartbeat_ = now + kHeartbeat;
  return Send(out, schema::CreateHeartbeat(builder(), now.ns, current));
}

Instant Channel::next_deadline() const noexcept {
  return std::min(next_heartbeat_, last_heard_ + kPeerDead);
}

}  // namespace slipway::link
