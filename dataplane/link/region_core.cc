// Admission, enrolment, greeting and liveness. Snapshots: region_snapshot.cc; facts and questions:
// region_facts.cc.
#include "dataplane/link/region_core.h"

#include <algorithm>
#include <utility>

#include "dataplane/base/check.h"
#include "dataplane/link/convert.h"
#include "dataplane/link/region_send.h"

namespace slipway::link {
namespace {

constexpr Duration kGreetingTimeout = kPeerDead;
constexpr Duration kEnrolTimeout = Duration::Seconds(10);

bool ReadInterface(const schema::NetworkInterface& from, InterfaceInfo& to) {
  to.name = View(from.name());
  to.parent = View(from.parent());
  to.index = from.index();
  to.mac = from.mac();
  to.vlan_id = from.vlan_id();
  to.up = from.up();
  if (to.name.empty() || to.name.size() > limits::kInterfaceNameBytesMax ||
      to.parent.size() > limits::kInterfaceNameBytesMax) {
    return false;
  }
  if (from.addresses() == nullptr) {
    return true;
  }
  if (from.addresses()->size() > kInterfaceAddressesMax) {
    return false;
  }
  for (const flatbuffers::String* address : *from.addresses()) {
    if (address->size() > kAddressTextBytesMax) {
      return false;
    }
    to.addresses.emplace_back(View(address));
  }
  return true;
}

}  // namespace

RegionSession::RegionSession(PeerStatus peer, const RegionServices& services,
                             RegionSessionHost& host, Instant now)
    : peer_(peer),
      services_(services),
      host_(host),
      channel_(*services.counters),
      deadline_(now + kGreetingTimeout),
      snapshot_allowed_(now) {
  SLIP_CHECK(peer.kind == PeerKind::kRack || peer.kind == PeerKind::kToken);
  channel_.Open(0, now);
}

RegionSession::~RegionSession() { End("closed"); }

bool RegionSession::IsAdmitted(WallTime wall_now) {
  if (peer_.kind == PeerKind::kRack) {
    return services_.directory->StatusOfRack(peer_.id).kind == PeerKind::kRack;
  }
  return services_.directory->StatusOfToken(peer_.id, wall_now).kind == PeerKind::kToken;
}

void RegionSession::OnMessage(ByteSpan message, WallTime wall_now, Instant now) {
  if (state_ == State::kClosed) {
    services_.counters->Reject(RejectReason::kStale);
    return;
  }
  if (!IsAdmitted(wall_now)) {
    services_.counters->Reject(RejectReason::kUnauthorised);
    Close("not admitted");
    return;
  }
  const Channel::Received received = channel_.Receive(message, state_ == State::kNew, now);
  if (received.verdict == Channel::Verdict::kDeliver) {
    Deliver(*received.envelope, message.size(), wall_now, now);
  } else if (received.verdict == Channel::Verdict::kReset) {
    Broken(received.reason);
  }
}

void RegionSession::Deliver(const schema::Envelope& envelope, std::uint64_t bytes,
                            WallTime wall_now, Instant now) {
  switch (state_) {
    case State::kNew:
      DeliverFirst(envelope, wall_now, now);
      return;
    case State::kGreeting:
      // It came under both nonces: the rack is on this very connection, and Hello was no replay.
      OnEstablished(now);
      break;
    case State::kUp:
      break;
    case State::kEnrolling:
    case State::kClosed:
      services_.counters->Reject(RejectReason::kUnexpected);
      return;
  }
  if (state_ == State::kUp) {
    DeliverUp(envelope, bytes, now);
  }
}

// A token may say Enrol and a rack Hello; nothing else opens a session.
void RegionSession::DeliverFirst(const schema::Envelope& envelope, WallTime wall_now, Instant now) {
  channel_.Rename(envelope.connection());
  const auto* enrol = envelope.body_as_Enrol();
  const auto* hello = envelope.body_as_Hello();
  if (peer_.kind == PeerKind::kToken && enrol != nullptr) {
    OnEnrol(*enrol, wall_now, now);
  } else if (peer_.kind == PeerKind::kRack && hello != nullptr) {
    OnHello(*hello, envelope.connection(), now);
  } else {
    const RejectReason reason =
        peer_.kind == PeerKind::kToken ? RejectReason::kUnauthorised : RejectReason::kUnexpected;
    services_.counters->Reject(reason);
    Broken(reason);
  }
}

void RegionSession::DeliverUp(const schema::Envelope& envelope, std::uint64_t bytes, Instant now) {
  services_.counters->handled.Add();
  switch (envelope.body_type()) {
    case schema::LinkBody::Credit:
      if (!channel_.TakeCredit(envelope.body_as_Credit()->bytes())) {
        Broken(RejectReason::kOverCredit);
        return;
      }
      break;
    case schema::LinkBody::Heartbeat:
      break;
    case schema::LinkBody::Facts:
      OnFacts(*envelope.body_as_Facts(), bytes, now);
      break;
    case schema::LinkBody::GenerationLive:
      OnGenerationLive(*envelope.body_as_GenerationLive(), now);
      break;
    case schema::LinkBody::Resync:
      OnResync(now);
      break;
    case schema::LinkBody::QueryAnswer:
      OnQueryAnswer(*envelope.body_as_QueryAnswer());
      break;
    case schema::LinkBody::Hello:
      if (!ReadHello(*envelope.body_as_Hello())) {
        services_.counters->Reject(RejectReason::kBadField);
        Broken(RejectReason::kBadField);
        return;
      }
      services_.observer->OnInterfaces(peer_.id, interfaces_);
      break;
    case schema::LinkBody::Reject:
      End("left");
      return;
    default:
      services_.counters->Reject(RejectReason::kUnexpected);
      Broken(RejectReason::kUnexpected);
      return;
  }
  // Each message acknowledges, and so may open the way for more chunks.
  Pump(now);
}

void RegionSession::OnEnrol(const schema::Enrol& enrol, WallTime wall_now, Instant now) {
  const std::string_view name = View(enrol.name());
  const Result<PublicKey> key = PublicKey::FromBytes(Bytes(enrol.public_key()));
  if (name.empty() || name.size() > kRackNameBytesMax || !key || key->is_zero()) {
    services_.counters->Reject(RejectReason::kBadField);
    Broken(RejectReason::kBadField);
    return;
  }
  services_.counters->handled.Add();
  state_ = State::kEnrolling;
  deadline_ = now + kEnrolTimeout;
  services_.directory->EnrolRack(peer_.id, name, *key, wall_now, host_.MakeEnrolDone());
}

void RegionSession::OnRackEnrolled(const Result<RackId>& rack, Instant now) {
  (void)now;
  if (state_ != State::kEnrolling) {
    return;
  }
  if (!rack) {
    Close(ToString(rack.error().code));
    return;
  }
  if (Send(schema::CreateEnrolled(channel_.builder(), *rack))) {
    End("enrolled");
  }
}

bool RegionSession::ReadHello(const schema::Hello& hello) {
  software_ = View(hello.software()).substr(0, kSoftwareBytesMax);
  boot_id_ = hello.boot_id();
  interfaces_.clear();
  if (hello.interfaces() == nullptr) {
    return true;
  }
  if (hello.interfaces()->size() > kInterfacesMax) {
    return false;
  }
  return std::all_of(hello.interfaces()->begin(), hello.interfaces()->end(),
                     [this](const schema::NetworkInterface* from) {
                       return ReadInterface(*from, interfaces_.emplace_back());
                     });
}

void RegionSession::OnHello(const schema::Hello& hello, std::uint64_t nonce, Instant now) {
  if (!ReadHello(hello)) {
    services_.counters->Reject(RejectReason::kBadField);
    Broken(RejectReason::kBadField);
    return;
  }
  live_ = FromSchema(hello.live(), hello.live_hash());
  tip_ = FromSchema(hello.tip(), hello.tip_hash());
  if (tip_.generation == config::Generation{}) {
    tip_ = live_;
  }
  if (!(tip_ == live_)) {
    unconfirmed_.push_back(tip_);
  }
  auto& builder = channel_.builder();
  std::vector<flatbuffers::Offset<schema::FactCursor>> cursors;
  for (const FactClass fact_class : kFactClasses) {
    const FactCursor cursor = services_.facts->Cursor(peer_.id, fact_class);
    received_[IndexOf(fact_class)] = cursor;
    cursors.push_back(schema::CreateFactCursor(builder, std::to_underlying(fact_class),
                                               cursor.epoch, cursor.next));
  }
  const std::uint64_t own_nonce = services_.random->U64();
  state_ = State::kGreeting;
  deadline_ = now + kGreetingTimeout;
  const auto vector = builder.CreateVector(cursors);
  if (Send(schema::CreateWelcome(builder, peer_.id, services_.epoch, vector,
                                 static_cast<std::uint32_t>(kHeartbeat.millis()), own_nonce))) {
    channel_.Rename(ConnectionId(nonce, own_nonce));
  }
}

void RegionSession::OnEstablished(Instant now) {
  state_ = State::kUp;
  services_.counters->sessions.Add();
  host_.OnEstablished(peer_.id);
  services_.observer->OnRackUp(peer_.id, software_, boot_id_);
  services_.observer->OnInterfaces(peer_.id, interfaces_);
  if (!(live_ == GenerationState{})) {
    services_.observer->OnGenerationLive(peer_.id, live_);
  }
  if (!channel_.GrantAll(host_)) {
    End("send failed");
    return;
  }
  Pump(now);
}

void RegionSession::OnTimer(Instant now) {
  if (state_ == State::kClosed) {
    return;
  }
  if (state_ != State::kUp) {
    if (now >= deadline_) {
      Close("no greeting");
    }
    return;
  }
  if (channel_.IsDead(now)) {
    Close("silent");
    return;
  }
  const config::Generation current = services_.snapshots->Current(peer_.id).generation;
  const schema::LinkGeneration told = ToSchema(current);
  if (!channel_.SendHeartbeatIfDue(host_, now, current == config::Generation{} ? nullptr : &told)) {
    End("send failed");
    return;
  }
  ExpireQueries(now);
  Pump(now);
}

Instant RegionSession::NextDeadline() const noexcept {
  if (state_ == State::kClosed) {
    return Instant::Never();
  }
  if (state_ != State::kUp) {
    return deadline_;
  }
  Instant deadline = channel_.next_deadline();
  for (const PendingQuery& query : queries_) {
    deadline = std::min(deadline, query.deadline);
  }
  if (need_snapshot_ && stream_ == nullptr && paced_) {
    deadline = std::min(deadline, snapshot_allowed_);
  }
  return deadline;
}

void RegionSession::Broken(RejectReason reason) {
  services_.counters->resets.Add();
  Close(ToString(reason));
}

void RegionSession::Close(std::string_view reason) {
  if (state_ == State::kClosed) {
    return;
  }
  auto& builder = channel_.builder();
  const auto text = AddText(builder, reason, kReasonBytesMax);
  // Best effort: the connection goes away in any case.
  (void)channel_.Send(host_, schema::CreateReject(builder, text));
  End(reason);
}

void RegionSession::End(std::string_view reason) {
  if (state_ == State::kClosed) {
    return;
  }
  const bool was_up = state_ == State::kUp;
  state_ = State::kClosed;
  stream_.reset();
  for (PendingQuery& query : std::exchange(queries_, {})) {
    query.done(Fail(ErrorCode::kClosed));
  }
  if (was_up) {
    services_.observer->OnRackDown(peer_.id, reason);
  }
}

}  // namespace slipway::link
