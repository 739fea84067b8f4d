// Connection, enrolment, failover and liveness. Snapshots: rack_snapshot.cc; facts and questions:
// rack_facts.cc.
#include "dataplane/link/rack_core.h"

#include <algorithm>
#include <utility>

#include "dataplane/base/check.h"
#include "dataplane/link/convert.h"
#include "dataplane/link/rack_send.h"

namespace slipway::link {

RackLink::RackLink(RackLinkOptions options, RackTransport& transport, RackLinkObserver& observer,
                   SnapshotSink& snapshots, FactSource& facts, Random& random)
    : options_(std::move(options)),
      transport_(transport),
      observer_(observer),
      snapshots_(snapshots),
      facts_(facts),
      random_(random),
      channel_(counters_),
      with_token_(options_.has_token) {
  SLIP_CHECK(options_.endpoint_count > 0);
}

void RackLink::Start(Instant now) {
  SLIP_CHECK(state_ == State::kIdle);
  state_ = State::kWaiting;
  const auto bound = static_cast<std::uint64_t>(kReconnectMin.ns);
  deadline_ = now + Duration::Nanos(static_cast<std::int64_t>(random_.Below(bound)));
}

void RackLink::Stop(std::string_view reason, Instant now) {
  if (state_ == State::kUp) {
    auto& builder = channel_.builder();
    (void)Send(schema::CreateReject(builder, AddText(builder, reason, kReasonBytesMax)), now);
  }
  if (state_ != State::kIdle && state_ != State::kWaiting) {
    transport_.Close();
    snapshots_.Abandon();
  }
  state_ = State::kIdle;
  deadline_ = Instant::Never();
}

void RackLink::Attempt(Instant now) {
  with_token_ = with_token_ && !options_.enrolled;
  nonce_ = random_.U64();
  channel_.Open(nonce_, now);
  deadline_ = now + kWelcomeTimeout;
  state_ = with_token_ ? State::kEnrolling : State::kGreeting;
  transport_.Connect(endpoint_, with_token_);
  if (with_token_) {
    SendEnrol(now);
  } else {
    SendHello(now);
  }
}

void RackLink::Down(std::string_view reason, Instant now) {
  if (state_ == State::kIdle || state_ == State::kWaiting) {
    return;
  }
  const bool was_up = state_ == State::kUp;
  state_ = State::kWaiting;
  transport_.Close();
  snapshots_.Abandon();
  incoming_ = false;
  queries_.clear();
  resync_due_ = Instant::Never();
  // A session that ends soon after it began is a failure too: without this a region that cannot
  // commit would be asked four times a second.
  if (was_up && now - up_since_ >= kPeerDead) {
    backoff_ = kReconnectMin;
  }
  // A rack that is not enrolled tries the token's key and then its own at each region: the answer
  // to its enrolment may have been lost.
  const bool try_own_key = with_token_ && !options_.enrolled;
  if (!try_own_key) {
    endpoint_ = (endpoint_ + 1) % options_.endpoint_count;
  }
  with_token_ = options_.has_token && !options_.enrolled && !try_own_key;
  const auto jitter = random_.Below(static_cast<std::uint64_t>(backoff_.ns));
  deadline_ = now + Duration::Nanos(static_cast<std::int64_t>(jitter));
  backoff_ = std::min(backoff_ * 2, kReconnectMax);
  observer_.OnDown(reason);
}

void RackLink::Broken(RejectReason reason, Instant now) {
  counters_.resets.Add();
  auto& builder = channel_.builder();
  const auto text = AddText(builder, ToString(reason), kReasonBytesMax);
  // Best effort: the connection goes away in any case.
  (void)channel_.Send(transport_, schema::CreateReject(builder, text));
  Down(ToString(reason), now);
}

void RackLink::SendEnrol(Instant now) {
  auto& builder = channel_.builder();
  const auto name = AddText(builder, options_.name, kRackNameBytesMax);
  const auto key = AddBytes(builder, options_.public_key.bytes);
  const auto software = AddText(builder, options_.software, kSoftwareBytesMax);
  (void)Send(schema::CreateEnrol(builder, name, key, software), now);
}

void RackLink::SendHello(Instant now) {
  auto& builder = channel_.builder();
  std::vector<flatbuffers::Offset<schema::FactCursor>> cursors;
  for (const FactClass fact_class : kFactClasses) {
    const FactCursor end = facts_.End(fact_class);
    cursors.push_back(
        schema::CreateFactCursor(builder, std::to_underlying(fact_class), end.epoch, end.next));
  }
  std::vector<flatbuffers::Offset<schema::NetworkInterface>> interfaces;
  for (const InterfaceInfo& info : interfaces_) {
    std::vector<flatbuffers::Offset<flatbuffers::String>> addresses;
    for (const std::string& address : info.addresses) {
      addresses.push_back(AddText(builder, address, kAddressTextBytesMax));
    }
    const auto name = AddText(builder, info.name, limits::kInterfaceNameBytesMax);
    const auto parent = AddText(builder, info.parent, limits::kInterfaceNameBytesMax);
    interfaces.push_back(schema::CreateNetworkInterface(builder, name, info.index, info.mac,
                                                        info.vlan_id, parent, info.up,
                                                        builder.CreateVector(addresses)));
  }
  told_live_ = snapshots_.Live();
  const GenerationState tip = snapshots_.Tip();
  const auto live_generation = ToSchema(told_live_.generation);
  const auto live_hash = ToSchema(told_live_.hash);
  const auto tip_generation = ToSchema(tip.generation);
  const auto tip_hash = ToSchema(tip.hash);
  const auto software = AddText(builder, options_.software, kSoftwareBytesMax);
  const auto interface_vector = builder.CreateVector(interfaces);
  const auto cursor_vector = builder.CreateVector(cursors);
  (void)Send(schema::CreateHello(builder, software, options_.boot_id, &live_generation, &live_hash,
                                 interface_vector, cursor_vector, &tip_generation, &tip_hash),
             now);
}

void RackLink::OnMessage(ByteSpan message, Instant now) {
  if (state_ == State::kIdle || state_ == State::kWaiting) {
    counters_.Reject(RejectReason::kStale);
    return;
  }
  const Channel::Received received = channel_.Receive(message, false, now);
  if (received.verdict == Channel::Verdict::kDeliver) {
    Deliver(*received.envelope, message.size(), now);
  } else if (received.verdict == Channel::Verdict::kReset) {
    Broken(received.reason, now);
  }
}

void RackLink::Deliver(const schema::Envelope& envelope, std::uint64_t bytes, Instant now) {
  if (const auto* reject = envelope.body_as_Reject()) {
    counters_.handled.Add();
    OnReject(*reject, now);
    return;
  }
  if (state_ == State::kUp) {
    DeliverUp(envelope, bytes, now);
    return;
  }
  const auto* enrolled = envelope.body_as_Enrolled();
  const auto* welcome = envelope.body_as_Welcome();
  if (state_ == State::kEnrolling && enrolled != nullptr) {
    counters_.handled.Add();
    OnEnrolled(*enrolled, now);
  } else if (state_ == State::kGreeting && welcome != nullptr) {
    counters_.handled.Add();
    OnWelcome(*welcome, now);
  } else {
    counters_.Reject(RejectReason::kUnexpected);
    Broken(RejectReason::kUnexpected, now);
  }
}

void RackLink::DeliverUp(const schema::Envelope& envelope, std::uint64_t bytes, Instant now) {
  counters_.handled.Add();
  switch (envelope.body_type()) {
    case schema::LinkBody::Credit:
      if (!channel_.TakeCredit(envelope.body_as_Credit()->bytes())) {
        Broken(RejectReason::kOverCredit, now);
        return;
      }
      break;
    case schema::LinkBody::FactsCommitted:
      OnFactsCommitted(*envelope.body_as_FactsCommitted(), now);
      break;
    case schema::LinkBody::Heartbeat:
      OnHeartbeat(*envelope.body_as_Heartbeat(), now);
      break;
    case schema::LinkBody::Query:
      OnQuery(*envelope.body_as_Query(), now);
      break;
    default:
      DeliverDown(envelope, bytes, now);
      break;
  }
  // Each message acknowledges, and so may open the way for more facts.
  PumpFacts(now);
}

// What comes down: snapshots and deltas.
void RackLink::DeliverDown(const schema::Envelope& envelope, std::uint64_t bytes, Instant now) {
  switch (envelope.body_type()) {
    case schema::LinkBody::SnapshotBegin:
      OnSnapshotBegin(*envelope.body_as_SnapshotBegin(), now);
      return;
    case schema::LinkBody::SnapshotChunk:
      OnSnapshotChunk(*envelope.body_as_SnapshotChunk(), now);
      Consumed(bytes, now);
      return;
    case schema::LinkBody::SnapshotEnd:
      OnSnapshotEnd(*envelope.body_as_SnapshotEnd(), now);
      return;
    case schema::LinkBody::Delta:
      OnDelta(*envelope.body_as_Delta(), now);
      Consumed(bytes, now);
      return;
    default:
      counters_.Reject(RejectReason::kUnexpected);
      Broken(RejectReason::kUnexpected, now);
      return;
  }
}

void RackLink::Consumed(std::uint64_t bytes, Instant now) {
  if (state_ == State::kUp && !channel_.Consumed(transport_, bytes)) {
    Down("send failed", now);
  }
}

void RackLink::OnEnrolled(const schema::Enrolled& enrolled, Instant now) {
  if (enrolled.rack() == 0) {
    counters_.Reject(RejectReason::kBadField);
    Broken(RejectReason::kBadField, now);
    return;
  }
  options_.enrolled = true;
  with_token_ = false;
  transport_.Close();
  state_ = State::kWaiting;
  deadline_ = now;
  observer_.OnEnrolled(enrolled.rack());
}

void RackLink::OnWelcome(const schema::Welcome& welcome, Instant now) {
  if (welcome.rack() == 0) {
    counters_.Reject(RejectReason::kBadField);
    Broken(RejectReason::kBadField, now);
    return;
  }
  channel_.Rename(ConnectionId(nonce_, welcome.nonce()));
  state_ = State::kUp;
  up_since_ = now;
  deadline_ = Instant::Never();
  awaiting_snapshot_ = false;
  incoming_ = false;
  counters_.sessions.Add();
  if (!options_.enrolled) {
    // The answer to our enrolment had been lost.
    options_.enrolled = true;
    observer_.OnEnrolled(welcome.rack());
  }
  Established(welcome, now);
}

void RackLink::Established(const schema::Welcome& welcome, Instant now) {
  // The first message under both nonces: it shows the region that Hello was no replay.
  if (!channel_.GrantAll(transport_)) {
    Down("send failed", now);
    return;
  }
  StartOutboxes(welcome);
  observer_.OnUp(endpoint_);
  SendLive(now);
}

void RackLink::OnHeartbeat(const schema::Heartbeat& heartbeat, Instant now) {
  if (heartbeat.current() != nullptr &&
      FromSchema(heartbeat.current()) == snapshots_.Live().generation) {
    observer_.OnCurrent(now);
  }
}

void RackLink::OnReject(const schema::Reject& reject, Instant now) {
  const std::string reason{View(reject.reason()).substr(0, kReasonBytesMax)};
  Down("region: " + reason, now);
}

void RackLink::OnClosed(std::string_view reason, Instant now) { Down(reason, now); }

void RackLink::OnTimer(Instant now) {
  switch (state_) {
    case State::kIdle:
      return;
    case State::kWaiting:
      if (now >= deadline_) {
        Attempt(now);
      }
      return;
    case State::kEnrolling:
    case State::kGreeting:
      if (now >= deadline_) {
        Down("no answer", now);
      }
      return;
    case State::kUp:
      break;
  }
  if (channel_.IsDead(now)) {
    Down("silent", now);
    return;
  }
  if (!channel_.SendHeartbeatIfDue(transport_, now)) {
    Down("send failed", now);
    return;
  }
  if (now >= resync_due_) {
    SendResync(now);
  }
}

Instant RackLink::NextDeadline() const noexcept {
  return state_ == State::kUp ? std::min(channel_.next_deadline(), resync_due_) : deadline_;
}

void RackLink::SetInterfaces(std::vector<InterfaceInfo> interfaces, Instant now) {
  if (interfaces.size() > kInterfacesMax) {
    interfaces.resize(kInterfacesMax);
  }
  for (InterfaceInfo& info : interfaces) {
    if (info.addresses.size() > kInterfaceAddressesMax) {
      info.addresses.resize(kInterfaceAddressesMax);
    }
  }
  if (interfaces == interfaces_) {
    return;
  }
  interfaces_ = std::move(interfaces);
  if (state_ == State::kUp) {
    SendHello(now);
  }
}

}  // namespace slipway::link
