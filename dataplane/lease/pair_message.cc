#include "dataplane/lease/pair_message.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "dataplane/base/check.h"

namespace slipway::lease {
namespace {

// An Updates message has a table per lease; nothing is nested deeper than that.
constexpr std::uint32_t kVerifierTablesMax = kPairLeasesPerMessage + 8;
constexpr std::uint32_t kVerifierDepthMax = 8;
// Nothing we write is longer, and sums do not overflow.
constexpr std::int64_t kLeftNsMax = std::int64_t{1} << 61;

static_assert(static_cast<unsigned>(PairState::kPartnerDown) ==
              static_cast<unsigned>(schema::PairStateCode::MAX));

}  // namespace

PairEncoder::PairEncoder() { added_.reserve(kPairLeasesPerMessage); }

template <typename Body>
ByteSpan PairEncoder::Finish(const PairHeader& header, flatbuffers::Offset<Body> body) {
  flatbuffers::FlatBufferBuilder& message = *message_;
  message.Finish(schema::CreatePairMessage(message, header.session, header.sequence,
                                           static_cast<schema::PairStateCode>(header.state),
                                           header.last_version,
                                           schema::PairBodyTraits<Body>::enum_value, body.Union()),
                 schema::PairMessageIdentifier());
  return {reinterpret_cast<const std::byte*>(message.GetBufferPointer()), message.GetSize()};
}

ByteSpan PairEncoder::Hello(const PairHeader& header, const PairHello& hello) {
  message_ = &builder_.Start();
  return Finish(
      header, schema::CreatePairHello(*message_, hello.pair, static_cast<std::uint8_t>(hello.side),
                                      hello.nonce, hello.echo, hello.store, hello.partner_store,
                                      hello.incarnation, hello.restored, hello.through));
}

ByteSpan PairEncoder::Alive(const PairHeader& header) {
  message_ = &builder_.Start();
  return Finish(header, schema::CreatePairAlive(*message_));
}

ByteSpan PairEncoder::Acked(const PairHeader& header, std::uint64_t batch,
                            std::span<const std::uint16_t> refused) {
  message_ = &builder_.Start();
  const auto indices = message_->CreateVector(refused.data(), refused.size());
  return Finish(header, schema::CreatePairAcked(*message_, batch, indices));
}

void PairEncoder::BeginUpdates() {
  message_ = &builder_.Start();
  added_.clear();
}

void PairEncoder::AddLease(const Lease& lease, const LeaseDetail& detail, Instant now) {
  SLIP_CHECK(added_.size() < kPairLeasesPerMessage);
  // Counted from the beginning of a clock that nobody has: only what is left remains.
  Lease left = lease;
  left.granted = {};
  left.horizon = Instant{std::max<std::int64_t>(0, (lease.horizon - now).ns)};
  const std::int64_t left_ns = std::max<std::int64_t>(0, (lease.ends - now).ns);
  const ByteSpan fact = leases_.Encode(left, detail, {});
  const auto bytes =
      message_->CreateVector(reinterpret_cast<const std::uint8_t*>(fact.data()), fact.size());
  added_.push_back(schema::CreatePairLease(*message_, bytes, left_ns));
}

ByteSpan PairEncoder::FinishUpdates(const PairHeader& header, std::uint64_t batch,
                                    std::uint64_t through) {
  const auto leases = message_->CreateVector(added_.data(), added_.size());
  return Finish(header, schema::CreatePairUpdates(*message_, batch, through, leases));
}

PairReader::PairReader() : aligned_(kPairMessageBytesMax / sizeof(std::uint64_t)) {}

Result<const schema::PairMessage*> PairReader::Read(ByteSpan message) {
  if (message.size() > kPairMessageBytesMax) {
    return Fail(ErrorCode::kTooLarge, static_cast<std::uint32_t>(message.size()));
  }
  std::ranges::copy(message, std::as_writable_bytes(std::span(aligned_)).begin());
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(aligned_.data());
  flatbuffers::Verifier verifier(bytes, message.size(), kVerifierDepthMax, kVerifierTablesMax);
  if (!schema::VerifyPairMessageBuffer(verifier)) {
    return Fail(ErrorCode::kMalformed);
  }
  return schema::GetPairMessage(bytes);
}

PairState StateFrom(schema::PairStateCode code) noexcept {
  return code > schema::PairStateCode::MAX ? PairState::kOff : static_cast<PairState>(code);
}

Result<RestoredLease> DecodePairLease(const schema::PairLease& lease) {
  if (lease.fact() == nullptr || lease.left_ns() < 0 || lease.left_ns() > kLeftNsMax) {
    return Fail(ErrorCode::kMalformed);
  }
  // Facts are verified on their own, which wants them aligned.
  alignas(16) std::array<std::byte, kLeaseFactBytesMax> fact;
  const std::size_t size = lease.fact()->size();
  if (size > fact.size()) {
    return Fail(ErrorCode::kTooLarge, static_cast<std::uint32_t>(size));
  }
  std::memcpy(fact.data(), lease.fact()->data(), size);
  RestoredLease restored = SLIP_TRY(DecodeLease(ByteSpan(fact).first(size)));
  restored.lease.ends = Instant{lease.left_ns()};
  return restored;
}

}  // namespace slipway::lease
