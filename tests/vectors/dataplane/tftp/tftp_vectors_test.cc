// What firmware asks over TFTP, and Slipway's first answer for a file of 1,000,000 bytes.
#include <gtest/gtest.h>

#include <array>
#include <string>

#include "dataplane/tftp/session.h"
#include "tests/support/vector_files.h"

namespace slipway::tftp {
namespace {

std::string Answer(const std::string& packet) {
  const Admission admission = Admit(AsBytes(packet), 2070);
  if (admission.verdict != Verdict::kServe) {
    return "not served\n";
  }
  const Request& request = admission.request;
  std::string text = "name " + std::string(request.name.view()) + "\n";
  text += request.mode == Mode::kOctet ? "mode octet\n" : "mode netascii\n";
  text += request.tsize ? "tsize\n" : "";
  text += request.blksize ? "blksize " + std::to_string(*request.blksize) + "\n" : "";
  text += request.windowsize ? "windowsize " + std::to_string(*request.windowsize) + "\n" : "";
  text +=
      request.timeout_seconds ? "timeout " + std::to_string(*request.timeout_seconds) + "\n" : "";
  text += MissingIsEmpty(request.name.view()) ? "empty if missing\n" : "";
  TftpSession session;
  const Step step =
      session.Start(request, 1'000'000, {.blksize_max = BlksizeForPath(1500, true)}, Instant{});
  std::array<std::byte, kControlPacketBytesMax> out;
  if (step.kind == StepKind::kSendOack) {
    const std::size_t size = session.EncodeOack(out);
    text += "oack " + vectors::Printable(std::string(AsText(ByteSpan(out).first(size)))) + "\n";
  } else {
    text += "data " + std::to_string(step.first_block) + " of " + std::to_string(step.bytes) + "\n";
  }
  return text;
}

TEST(TftpVectorsTest, RequestsOfRealFirmware) {
  vectors::CheckFolder(SLIPWAY_SOURCE_DIR "/tests/vectors/dataplane/tftp", 15, Answer);
}

}  // namespace
}  // namespace slipway::tftp
