// Any bytes as a DHCPv6 message: decoding either fails or yields views inside the packet, and what
// was read can be written again and read back the same.
#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "dataplane/base/check.h"
#include "dataplane/dhcp/message6.h"

using slipway::ByteSpan;
using slipway::dhcp::Message6;
using slipway::dhcp::Option6;
using slipway::dhcp::RelayHop;

namespace {

bool Inside(ByteSpan value, ByteSpan whole) {
  return value.empty() || (value.data() >= whole.data() &&
                           value.data() + value.size() <= whole.data() + whole.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteSpan packet = std::as_bytes(std::span(data, size));
  auto message = std::make_unique<Message6>();
  if (!slipway::dhcp::Decode6(packet, *message)) {
    return 0;
  }
  for (const ByteSpan value : message->values) {
    SLIP_CHECK(Inside(value, packet));
  }
  std::array<std::byte, 4096> out{};
  slipway::dhcp::Writer6 writer(out, out.size());
  for (const RelayHop& hop : message->relays) {
    SLIP_CHECK(Inside(hop.interface_id, packet));
    SLIP_CHECK(Inside(hop.remote_id, packet));
    SLIP_CHECK(Inside(hop.client_address, packet));
    writer.RelayReply(hop);
  }
  writer.Header(message->type, message->xid);
  writer.Bytes(Option6::kClientId, message->Get(Option6::kClientId));
  for (std::uint16_t code = 0; code < 140; ++code) {
    (void)message->Asks(static_cast<Option6>(code));
  }
  (void)slipway::dhcp::FindClassItem(message->Get(Option6::kUserClass),
                                     [](std::string_view) { return false; });
  const auto written = writer.Finish();
  if (!written || message->Get(Option6::kClientId).size() < slipway::dhcp::kDuidBytesMin) {
    return 0;
  }
  auto again = std::make_unique<Message6>();
  SLIP_CHECK(slipway::dhcp::Decode6(std::span(out).first(*written), *again).has_value());
  SLIP_CHECK(again->relays.size() == message->relays.size());
  SLIP_CHECK(again->xid == message->xid);
  SLIP_CHECK(std::ranges::equal(again->Get(Option6::kClientId), message->Get(Option6::kClientId)));
  return 0;
}
