#include "dataplane/dhcp/client.h"

#include <array>
#include <bit>

namespace slipway::dhcp {
namespace {

constexpr std::array<std::uint8_t, 7> kWanted = {1, 3, 6, 12, 15, 28, 42};

template <std::size_t N>
void ReadAddresses(ByteSpan value, FixedVector<Ipv4Address, N>& out) {
  WireReader reader(value);
  while (reader.left() >= 4 && out.push_back(Ipv4Address{reader.U32()})) {
  }
}

// A mask must be ones, then zeros.
Result<std::uint8_t> PrefixBits(Ipv4Address mask) {
  const int bits = std::countl_one(mask.value);
  if (mask != Ipv4Mask(static_cast<std::uint8_t>(bits))) {
    return Fail(ErrorCode::kMalformed, static_cast<std::uint32_t>(Option::kSubnetMask));
  }
  return static_cast<std::uint8_t>(bits);
}

}  // namespace

Result<std::size_t> EncodeRequest(MutableByteSpan out, const ClientRequest& request) noexcept {
  Writer writer(out, kMessageBytesMin);
  writer.RequestHeader(request.xid, request.secs, request.broadcast, request.ciaddr, request.mac);
  writer.U8(Option::kMessageType, static_cast<std::uint8_t>(request.type));
  if (!request.requested.is_any()) {
    writer.Address(Option::kRequestedAddress, request.requested);
  }
  if (!request.server.is_any()) {
    writer.Address(Option::kServerIdentifier, request.server);
  }
  if (request.type != MessageType::kRelease && request.type != MessageType::kDecline) {
    writer.Bytes(Option::kParameterRequestList, std::as_bytes(std::span(kWanted)));
    writer.U16(Option::kMaxMessageSize, 1500);
    writer.Text(Option::kHostName, request.hostname);
    writer.Text(Option::kVendorClass, request.vendor_class);
  }
  return writer.Finish();
}

Result<ClientLease> DecodeReply(ByteSpan packet, std::uint32_t xid, MacAddress mac) noexcept {
  Message message;
  SLIP_TRY(Decode(packet, message));
  const bool reply = message.type == MessageType::kOffer || message.type == MessageType::kAck ||
                     message.type == MessageType::kNak;
  if (message.op != kBootReply || !reply || message.xid != xid || message.mac() != mac) {
    return Fail(ErrorCode::kNotFound);
  }
  ClientLease lease;
  lease.type = message.type;
  lease.server = message.GetAddress(Option::kServerIdentifier);
  if (lease.server.is_any()) {
    return Fail(ErrorCode::kMalformed, static_cast<std::uint32_t>(Option::kServerIdentifier));
  }
  if (lease.type == MessageType::kNak) {
    return lease;
  }
  lease.address = message.yiaddr;
  lease.prefix_bits = SLIP_TRY(PrefixBits(message.GetAddress(Option::kSubnetMask)));
  lease.lease_seconds = message.GetNumber(Option::kLeaseTime);
  const bool has_lease = !lease.address.is_any() && lease.lease_seconds != 0;
  if (!has_lease && lease.type == MessageType::kOffer) {
    return Fail(ErrorCode::kMalformed, static_cast<std::uint32_t>(Option::kLeaseTime));
  }
  lease.renewal_seconds = message.Has(Option::kRenewalTime)
                              ? message.GetNumber(Option::kRenewalTime)
                              : lease.lease_seconds / 2;
  lease.rebinding_seconds = message.Has(Option::kRebindingTime)
                                ? message.GetNumber(Option::kRebindingTime)
                                : lease.lease_seconds / 8 * 7;
  FixedVector<Ipv4Address, 1> routers;
  ReadAddresses(message.Get(Option::kRouter), routers);
  lease.router = routers.empty() ? Ipv4Address{} : routers[0];
  ReadAddresses(message.Get(Option::kDomainNameServer), lease.dns_servers);
  ReadAddresses(message.Get(Option::kNtpServers), lease.ntp_servers);
  (void)lease.domain.Assign(AsText(message.Get(Option::kDomainName)));
  (void)lease.hostname.Assign(AsText(message.Get(Option::kHostName)));
  return lease;
}

}  // namespace slipway::dhcp
