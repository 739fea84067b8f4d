// Frames and router messages from anywhere.
#include <cstdint>
#include <span>

#include "dataplane/net/arp.h"
#include "dataplane/net/frame.h"
#include "dataplane/net/icmpv6.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const slipway::ByteSpan bytes = std::as_bytes(std::span(data, size));
  (void)slipway::net::ParseUdp4Frame(bytes);
  (void)slipway::net::ParseArpFrame(bytes);
  (void)slipway::net::ParseRouterSolicitation(bytes, 255);
  (void)slipway::net::ParseRouterAdvertisement(bytes, 255);
  (void)slipway::net::ParseNeighbourAdvertisement(bytes, 255);
  return 0;
}
