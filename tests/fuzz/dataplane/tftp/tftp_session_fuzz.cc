// A transfer against any sequence of packets and delays. Input: 4 bytes file size, 1 byte request
// length, the request, then (1 byte delay in 1/16 s, 1 byte length, packet) until the end.
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/base/check.h"
#include "dataplane/tftp/session.h"

namespace {

using namespace slipway;  // NOLINT(google-build-using-namespace): a fuzz target

void Check(tftp::TftpSession& session, const tftp::Step& step, std::uint64_t file_bytes) {
  std::array<std::byte, tftp::kControlPacketBytesMax> out;
  if (step.kind == tftp::StepKind::kSendOack) {
    SLIP_CHECK(session.EncodeOack(out) > 2);
  }
  if (step.kind != tftp::StepKind::kSendWindow) {
    return;
  }
  SLIP_CHECK(step.count >= 1 && step.count <= session.windowsize());
  SLIP_CHECK(step.offset <= file_bytes);
  SLIP_CHECK(step.bytes <= file_bytes - step.offset);
  if (session.netascii()) {
    const std::vector<std::byte> source(static_cast<std::size_t>(step.bytes), std::byte{'\n'});
    std::vector<std::byte> block(session.blksize());
    SLIP_CHECK(session.EncodeNetasciiBlock(source, block) <= block.size());
  } else {
    SLIP_CHECK(step.bytes <= std::uint64_t{step.count} * session.blksize());
    SLIP_CHECK(step.bytes + session.blksize() >= std::uint64_t{step.count} * session.blksize());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  WireReader reader(std::as_bytes(std::span(data, size)));
  const std::uint64_t file_bytes = reader.U32();
  const ByteSpan packet = reader.Bytes(reader.U8());
  const auto request = tftp::ParseRequest(packet);
  if (!reader.ok() || !request || request->write) {
    return 0;
  }
  Instant now{1};
  tftp::TftpSession session;
  Check(session, session.Start(*request, file_bytes, {.blksize_max = 1468}, now), file_bytes);
  int sent_in_silence = 0;
  while (reader.ok() && reader.left() > 0) {
    now = now + Duration::Millis(std::int64_t{reader.U8()} * 1000 / 16);
    const tftp::Step timed = session.OnTimer(now);
    sent_in_silence += timed.kind == tftp::StepKind::kSilent ? 0 : 1;
    Check(session, timed, file_bytes);
    const ByteSpan next = reader.Bytes(reader.U8());
    const std::uint64_t before = session.acknowledged_bytes();
    const tftp::Step step = session.OnPacket(next, now);
    Check(session, step, file_bytes);
    if (step.kind != tftp::StepKind::kSilent || session.acknowledged_bytes() != before) {
      sent_in_silence = 0;
    }
    SLIP_CHECK(sent_in_silence <= tftp::kResendsMax + 1);
    SLIP_CHECK((session.end() == tftp::EndReason::kOpen) ==
               (session.next_deadline() != Instant::Never()));
  }
  return 0;
}
