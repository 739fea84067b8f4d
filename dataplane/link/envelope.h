// The envelope of the control link: checksum, version, sequence, body (schemas/link.fbs).
//
//    0               8
//   +---------------+--------------------------------------+
//   | xxh3-64 (LE)  | flatbuffer Envelope, identifier SLNK |
//   +---------------+--------------------------------------+
//
// Nothing is read from a message before size, checksum and the flatbuffers verifier have passed.
#pragma once

#include <flatbuffers/flatbuffers.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "dataplane/base/counter.h"
#include "dataplane/base/cursor.h"
#include "dataplane/base/result.h"
#include "dataplane/link/limits.h"
#include "schemas/link_generated.h"

namespace slipway::link {

// Why a message did not reach a handler, or a session was reset. Stable names: they are metrics.
enum class RejectReason : std::uint8_t {
  kTooLarge,      // beyond kMessageBytesMax
  kTruncated,     // shorter than any message
  kChecksum,      // bytes changed on the way
  kMalformed,     // the verifier refuses it
  kVersion,       // another major version, or minor versions more than one apart
  kUnknownBody,   // a body that this version does not know
  kStale,         // of another connection
  kReplayed,      // a sequence seen before
  kGap,           // a sequence too high: something was lost; the session is reset
  kBadAck,        // acknowledges what was never sent; reset
  kUnexpected,    // not in this state of the session, or not from this side
  kBadField,      // a field outside its bounds; reset
  kOverCredit,    // more data than granted, or more credit than allowed; reset
  kUnauthorised,  // ZAP's identity is missing, revoked, or may not send this
  kCount,
};

[[nodiscard]] std::string_view ToString(RejectReason reason) noexcept;

// Written by the thread that drives the core, read by any.
struct LinkCounters {
  std::array<Counter, std::to_underlying(RejectReason::kCount)> rejected;
  Counter messages_received;  // valid ones
  Counter messages_sent;
  Counter bytes_received;
  Counter bytes_sent;
  Counter handled;     // messages that reached a handler
  Counter facts_seen;  // messages of facts that were committed before (de-duplicated)
  Counter sessions;    // established
  Counter resets;      // sessions ended by this side for a broken rule

  void Reject(RejectReason reason) noexcept { rejected[std::to_underlying(reason)].Add(); }

  [[nodiscard]] std::uint64_t Rejected(RejectReason reason) const noexcept {
    return rejected[std::to_underlying(reason)].value();
  }

  [[nodiscard]] std::uint64_t RejectedTotal() const noexcept;
};

// The body is there, verified, and of a kind that this version knows.
[[nodiscard]] bool HasKnownBody(const schema::Envelope& envelope) noexcept;

// Same major version, minor versions at most one apart.
[[nodiscard]] bool VersionAccepted(std::uint16_t version) noexcept;

// Checks messages. One per thread: it keeps an aligned copy of a message that arrived unaligned.
class EnvelopeReader {
 public:
  // The envelope's body may be of a kind that this version does not know: see HasKnownBody. The
  // pointer is valid until the next call or until `message` goes, whichever comes first.
  [[nodiscard]] std::expected<const schema::Envelope*, RejectReason> Read(ByteSpan message);

 private:
  std::vector<std::uint64_t> aligned_;
};

struct EnvelopeHeader {
  std::uint64_t sequence = 0;
  std::uint64_t acknowledged = 0;
  std::uint64_t trace = 0;
  std::uint64_t connection = 0;
  std::uint16_t version = kProtocolVersion;
};

// Makes messages. Take builder(), create the body in it, Finish. Memory is kept between messages.
class EnvelopeWriter {
 public:
  // Cleared, ready for a body.
  [[nodiscard]] flatbuffers::FlatBufferBuilder& Begin();

  template <typename Table>
  [[nodiscard]] Result<ByteSpan> Finish(const EnvelopeHeader& header,
                                        flatbuffers::Offset<Table> body) {
    constexpr schema::LinkBody kType = schema::LinkBodyTraits<Table>::enum_value;
    return FinishUnion(header, kType, body.Union());
  }

  // The message, valid until the next Begin. kTooLarge beyond kMessageBytesMax.
  [[nodiscard]] Result<ByteSpan> FinishUnion(const EnvelopeHeader& header, schema::LinkBody type,
                                             flatbuffers::Offset<void> body);

 private:
  flatbuffers::FlatBufferBuilder builder_{4096};
  std::vector<std::byte> message_;
};

}  // namespace slipway::link
