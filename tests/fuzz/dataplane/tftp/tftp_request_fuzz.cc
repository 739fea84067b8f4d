// Any datagram at the well-known port: a verdict, and an answer not longer than its bound.
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/base/check.h"
#include "dataplane/tftp/packet.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway;  // NOLINT(google-build-using-namespace): a fuzz target
  const ByteSpan packet = std::as_bytes(std::span(data, size));
  const tftp::Admission admission = tftp::Admit(packet, 2070);
  std::array<std::byte, tftp::kControlPacketBytesMax> out;
  if (admission.verdict == tftp::Verdict::kError) {
    SLIP_CHECK(tftp::EncodeError(admission.error, admission.text, out) > 4);
  }
  if (admission.verdict == tftp::Verdict::kServe) {
    const auto name = admission.request.name.view();
    SLIP_CHECK(!name.empty());
    SLIP_CHECK(name.front() != '/');
    SLIP_CHECK(name.find('\\') == std::string_view::npos);
    SLIP_CHECK(name.find('\0') == std::string_view::npos);
  }
  SLIP_CHECK(tftp::Admit(packet, 69).verdict == tftp::Verdict::kSilent);
  return 0;
}
