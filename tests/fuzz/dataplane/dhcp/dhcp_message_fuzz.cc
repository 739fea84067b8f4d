// Any bytes as a DHCP message: decoding either fails or yields views inside the packet.
#include <cstdint>
#include <span>

#include "dataplane/base/check.h"
#include "dataplane/boot/firmware.h"
#include "dataplane/dhcp/client.h"
#include "dataplane/dhcp/message.h"

using slipway::ByteSpan;
using slipway::dhcp::Message;
using slipway::dhcp::Option;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteSpan packet = std::as_bytes(std::span(data, size));
  Message message;
  if (!slipway::dhcp::Decode(packet, message)) {
    return 0;
  }
  const auto inside = [](ByteSpan value, ByteSpan whole) {
    return value.data() >= whole.data() &&
           value.data() + value.size() <= whole.data() + whole.size();
  };
  for (const ByteSpan value : message.values) {
    SLIP_CHECK(value.empty() || inside(value, packet) || inside(value, ByteSpan(message.pieces)));
  }
  for (int code = 0; code < 256; ++code) {
    (void)slipway::dhcp::FindSubOption(message.Get(Option::kRelayAgentInformation),
                                       static_cast<std::uint8_t>(code));
  }
  (void)slipway::boot::FirmwareFromOptions(
      {.vendor_class = message.Get(Option::kVendorClass),
       .user_class = message.Get(Option::kUserClass),
       .architecture = message.Get(Option::kClientArchitecture),
       .uuid = message.Get(Option::kClientUuid),
       .ipxe = message.Get(Option::kIpxe)});
  (void)slipway::dhcp::DecodeReply(packet, message.xid, message.mac());
  return 0;
}
