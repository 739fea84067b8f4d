// The envelope and both cores. The input is a row of messages: receiver (even: region, odd: rack),
// length (2 bytes, little-endian), flatbuffer. Checksum, sequence and connection are made right, so
// that the bytes get as far as a message of a peer with a good key can.
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "tests/unit/dataplane/link/pair.h"

namespace slipway::link::test {
namespace {

constexpr std::size_t kMessagesMax = 16;

const schema::Envelope* LastOf(EnvelopeReader& reader, const std::string& message) {
  const auto envelope = reader.Read(AsBytes(message));
  return envelope ? *envelope : nullptr;
}

void Patch(flatbuffers::Table* table, flatbuffers::voffset_t field, std::uint64_t value) {
  table->SetField<std::uint64_t>(field, value, 0);
}

// The message as the peer would send it next, or as it is if it is no envelope at all.
std::vector<std::byte> Dress(ByteSpan body, const std::string& last_of_peer) {
  std::vector<std::uint64_t> aligned((body.size() + 7) / 8 + 1);
  if (!body.empty()) {
    std::memcpy(aligned.data(), body.data(), body.size());
  }
  auto* raw = reinterpret_cast<std::uint8_t*>(aligned.data());
  flatbuffers::Verifier verifier(raw, body.size(), kVerifierDepthMax, kVerifierTablesMax);
  EnvelopeReader reader;
  const schema::Envelope* last = LastOf(reader, last_of_peer);
  if (verifier.VerifyBuffer<schema::Envelope>(schema::EnvelopeIdentifier()) && last != nullptr) {
    auto* table = flatbuffers::GetMutableRoot<flatbuffers::Table>(raw);
    Patch(table, schema::Envelope::VT_SEQUENCE, last->sequence() + 1);
    Patch(table, schema::Envelope::VT_ACKNOWLEDGED, last->acknowledged());
    Patch(table, schema::Envelope::VT_CONNECTION, last->connection());
  }
  std::vector<std::byte> message(kChecksumBytes + body.size());
  std::memcpy(message.data() + kChecksumBytes, raw, body.size());
  StoreLittle<std::uint64_t>(message.data(),
                             XXH3_64bits(message.data() + kChecksumBytes, body.size()));
  return message;
}

void Run(ByteSpan input) {
  Pair pair(1);
  pair.snapshots.Publish({{{1, 1}, "a"}, {{2, 2}, "b"}});
  pair.link.Start(pair.now);
  pair.RunFor(Duration::Millis(400));
  // The envelope alone sees the bytes as they are.
  EnvelopeReader reader;
  (void)reader.Read(input);
  for (std::size_t i = 0; i < kMessagesMax && input.size() >= 3; ++i) {
    const bool to_rack = (std::to_integer<unsigned>(input[0]) & 1) != 0;
    const std::size_t size =
        std::min<std::size_t>(LoadLittle<std::uint16_t>(input.data() + 1), input.size() - 3);
    const ByteSpan body = input.subspan(3, size);
    input = input.subspan(3 + size);
    if (to_rack && !pair.sent_by_region.empty()) {
      pair.link.OnMessage(Dress(body, pair.sent_by_region.back()), pair.now);
    } else if (!to_rack && !pair.sent_by_rack.empty()) {
      pair.Inject(Dress(body, pair.sent_by_rack.back()));
    }
    pair.RunFor(Duration::Millis(5));
  }
  pair.RunFor(Duration::Seconds(1));
}

}  // namespace
}  // namespace slipway::link::test

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  slipway::link::test::Run(std::as_bytes(std::span(data, size)));
  return 0;
}
