#include "dataplane/lease/record.h"

#include <algorithm>

#include "dataplane/base/check.h"
#include "schemas/facts_generated.h"

namespace slipway::lease {
namespace {

schema::LeaseState WireState(State state) {
  switch (state) {
    case State::kReleased:
      return schema::LeaseState::Released;
    case State::kExpired:
      return schema::LeaseState::Expired;
    case State::kDeclined:
      return schema::LeaseState::Declined;
    default:
      return schema::LeaseState::Bound;
  }
}

State StateOf(schema::LeaseState state) {
  switch (state) {
    case schema::LeaseState::Bound:
      return State::kBound;
    case schema::LeaseState::Released:
      return State::kReleased;
    case schema::LeaseState::Expired:
      return State::kExpired;
    case schema::LeaseState::Declined:
      return State::kDeclined;
  }
  return State::kFree;
}

schema::FactAddress WireAddress(const IpAddress& address) {
  return schema::FactAddress(
      flatbuffers::span<const std::uint8_t, 16>(address.v6().octets.data(), std::size_t{16}));
}

Result<IpAddress> AddressOf(const schema::FactAddress& wire) {
  Ipv6Address bytes;
  for (unsigned i = 0; i < bytes.octets.size(); ++i) {
    bytes.octets[i] = wire.bytes()->Get(i);
  }
  const IpAddress address(bytes);
  if (!address.is_set() || (!address.is_v4() && bytes.is_multicast())) {
    return Fail(ErrorCode::kCorrupt);
  }
  return address;
}

// The key that a record implies; others are written down.
ClientKey ImpliedKey(const Lease& lease, const LeaseDetail& detail) {
  return lease.mac.is_zero() ? ClientKey::FromClientId(detail.client_id.view(), lease.family())
                             : ClientKey::FromMac(lease.mac, lease.family());
}

// Sums of stored durations must not overflow: nothing we write is longer than this.
constexpr std::int64_t kSpanNsMax = std::int64_t{1} << 61;

bool IsSane(const schema::LeaseStamp& stamp) {
  const auto in_range = [](std::int64_t ns) { return ns >= 0 && ns <= kSpanNsMax; };
  return in_range(stamp.lease_ns()) && in_range(stamp.horizon_ns()) &&
         in_range(stamp.boottime_ns()) && in_range(stamp.realtime_ns()) &&
         stamp.mac() < (std::uint64_t{1} << 48);
}

}  // namespace

ByteSpan LeaseEncoder::Encode(const Lease& lease, const LeaseDetail& detail, const Now& now) {
  SLIP_CHECK(lease.state != State::kFree);
  SLIP_CHECK(lease.state != State::kOffered);
  // The record counts from the grant, also when it is written later (a checkpoint); but never from
  // before this boot, where a restored lease may have begun.
  const Instant from = std::max(Instant{}, lease.granted);
  const Duration age = now.instant - from;
  const Duration horizon = std::max(Duration{}, lease.horizon - from);
  flatbuffers::FlatBufferBuilder& builder = builder_.Start();
  const ByteSpan id = detail.client_id.view();
  const auto client_id =
      builder.CreateVector(reinterpret_cast<const std::uint8_t*>(id.data()), id.size());
  const auto hostname = builder.CreateString(detail.hostname.data(), detail.hostname.size());
  const schema::LeaseStamp stamp(WireAddress(lease.address), lease.mac.ToU64(), lease.subnet,
                                 lease.vlan, lease.machine, lease.version, now.boot_id, from.ns,
                                 std::max<std::int64_t>(0, now.wall.ns - age.ns), lease.lease.ns,
                                 horizon.ns, WireState(lease.state));
  const schema::LeaseKey key(lease.client.high, lease.client.low);
  const bool implied = lease.client == ImpliedKey(lease, detail);
  const auto body = schema::CreateLease(builder, &stamp, client_id, hostname, now.wall_synchronised,
                                        implied ? nullptr : &key);
  builder.Finish(schema::CreateFact(builder, schema::FactBody::Lease, body.Union()));
  return {reinterpret_cast<const std::byte*>(builder.GetBufferPointer()), builder.GetSize()};
}

Result<RestoredLease> DecodeLease(ByteSpan fact) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(fact.data());
  flatbuffers::Verifier verifier(bytes, fact.size());
  if (!schema::VerifyFactBuffer(verifier)) {
    return Fail(ErrorCode::kCorrupt);
  }
  const schema::Fact* root = schema::GetFact(bytes);
  const schema::Lease* body = root->body_as_Lease();
  if (body == nullptr) {
    return Fail(ErrorCode::kUnsupported, static_cast<std::uint32_t>(root->body_type()));
  }
  const schema::LeaseStamp* stamp = body->stamp();
  if (stamp == nullptr || !IsSane(*stamp)) {
    return Fail(ErrorCode::kCorrupt);
  }
  RestoredLease restored;
  Lease& lease = restored.lease;
  lease.address = SLIP_TRY(AddressOf(stamp->address()));
  lease.state = StateOf(stamp->state());
  if (lease.state == State::kFree) {
    return Fail(ErrorCode::kCorrupt);
  }
  if (body->client_id() != nullptr) {
    (void)restored.detail.client_id.Assign(
        std::as_bytes(std::span(body->client_id()->data(), body->client_id()->size())));
  }
  if (body->hostname() != nullptr) {
    (void)restored.detail.hostname.Assign(
        std::string_view(body->hostname()->c_str(), body->hostname()->size()));
  }
  lease.mac = MacAddress::FromU64(stamp->mac());
  lease.client = body->key() == nullptr
                     ? ImpliedKey(lease, restored.detail)
                     : ClientKey{.high = body->key()->high(), .low = body->key()->low()};
  lease.subnet = stamp->subnet();
  lease.vlan = stamp->vlan();
  lease.machine = stamp->machine();
  lease.version = stamp->version();
  lease.lease = {stamp->lease_ns()};
  restored.stamp = {.boot_id = stamp->boot_id(),
                    .boottime = {stamp->boottime_ns()},
                    .realtime = {stamp->realtime_ns()},
                    .realtime_trusted = body->realtime_trusted()};
  restored.horizon = {stamp->horizon_ns()};
  return restored;
}

}  // namespace slipway::lease
