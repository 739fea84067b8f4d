#include "dataplane/link/envelope.h"

#include <cstring>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace slipway::link {
namespace {

std::uint64_t Checksum(const std::byte* bytes, std::size_t size) {
  return XXH3_64bits(bytes, size);
}

}  // namespace

std::string_view ToString(RejectReason reason) noexcept {
  switch (reason) {
    case RejectReason::kTooLarge:
      return "too-large";
    case RejectReason::kTruncated:
      return "truncated";
    case RejectReason::kChecksum:
      return "checksum";
    case RejectReason::kMalformed:
      return "malformed";
    case RejectReason::kVersion:
      return "version";
    case RejectReason::kUnknownBody:
      return "unknown-body";
    case RejectReason::kStale:
      return "stale";
    case RejectReason::kReplayed:
      return "replayed";
    case RejectReason::kGap:
      return "gap";
    case RejectReason::kBadAck:
      return "bad-acknowledgement";
    case RejectReason::kUnexpected:
      return "unexpected";
    case RejectReason::kBadField:
      return "bad-field";
    case RejectReason::kOverCredit:
      return "over-credit";
    case RejectReason::kUnauthorised:
      return "unauthorised";
    case RejectReason::kCount:
      break;
  }
  return "none";
}

std::uint64_t LinkCounters::RejectedTotal() const noexcept {
  std::uint64_t total = 0;
  for (const Counter& counter : rejected) {
    total += counter.value();
  }
  return total;
}

bool HasKnownBody(const schema::Envelope& envelope) noexcept {
  // The verifier lets the unions of a newer schema pass unseen: such a body is never looked at.
  return envelope.body_type() != schema::LinkBody::NONE &&
         envelope.body_type() <= schema::LinkBody::MAX && envelope.body() != nullptr;
}

bool VersionAccepted(std::uint16_t version) noexcept {
  const int major = version >> 8;
  const int minor = version & 0xFF;
  return major == kVersionMajor && minor >= kVersionMinor - 1 && minor <= kVersionMinor + 1;
}

std::expected<const schema::Envelope*, RejectReason> EnvelopeReader::Read(ByteSpan message) {
  if (message.size() > kMessageBytesMax) {
    return std::unexpected(RejectReason::kTooLarge);
  }
  if (message.size() < kMessageBytesMin) {
    return std::unexpected(RejectReason::kTruncated);
  }
  const std::byte* bytes = message.data() + kChecksumBytes;
  const std::size_t size = message.size() - kChecksumBytes;
  if (LoadLittle<std::uint64_t>(message.data()) != Checksum(bytes, size)) {
    return std::unexpected(RejectReason::kChecksum);
  }
  if (reinterpret_cast<std::uintptr_t>(bytes) % sizeof(std::uint64_t) != 0) {
    aligned_.resize((size + sizeof(std::uint64_t) - 1) / sizeof(std::uint64_t));
    std::memcpy(aligned_.data(), bytes, size);
    bytes = reinterpret_cast<const std::byte*>(aligned_.data());
  }
  const auto* raw = reinterpret_cast<const std::uint8_t*>(bytes);
  flatbuffers::Verifier verifier(raw, size, kVerifierDepthMax, kVerifierTablesMax);
  if (!verifier.VerifyBuffer<schema::Envelope>(schema::EnvelopeIdentifier())) {
    return std::unexpected(RejectReason::kMalformed);
  }
  const schema::Envelope* envelope = schema::GetEnvelope(raw);
  if (!VersionAccepted(envelope->version())) {
    return std::unexpected(RejectReason::kVersion);
  }
  return envelope;
}

flatbuffers::FlatBufferBuilder& EnvelopeWriter::Begin() {
  builder_.Clear();
  return builder_;
}

Result<ByteSpan> EnvelopeWriter::FinishUnion(const EnvelopeHeader& header, schema::LinkBody type,
                                             flatbuffers::Offset<void> body) {
  const auto root =
      schema::CreateEnvelope(builder_, header.version, header.sequence, header.acknowledged,
                             header.trace, type, body, header.connection);
  schema::FinishEnvelopeBuffer(builder_, root);
  const std::size_t size = builder_.GetSize();
  if (size > kMessageBytesMax - kChecksumBytes) {
    return Fail(ErrorCode::kTooLarge, static_cast<std::uint32_t>(size));
  }
  message_.resize(kChecksumBytes + size);
  std::memcpy(message_.data() + kChecksumBytes, builder_.GetBufferPointer(), size);
  StoreLittle<std::uint64_t>(message_.data(), Checksum(message_.data() + kChecksumBytes, size));
  return ByteSpan(message_);
}

}  // namespace slipway::link
