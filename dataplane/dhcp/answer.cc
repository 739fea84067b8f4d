// Replies: which options go into them, and how they travel.
#include <algorithm>
#include <array>

#include "dataplane/base/limits.h"
#include "dataplane/base/random.h"
#include "dataplane/dhcp/exchange.h"
#include "dataplane/dhcp/fqdn.h"
#include "dataplane/dhcp/rules.h"

namespace slipway::dhcp {
namespace {

using Exchange = Dhcp4Engine::Exchange;

constexpr std::size_t kIpUdpBytes = 28;
constexpr std::uint16_t kUsualMtu = 1500;

// Discovery control: no server list, the boot file name counts (PXE 2.1, 2.2.3).
constexpr std::array<std::byte, 4> kPxeVendorOptions = {
    std::byte{kPxeDiscoveryControl}, std::byte{1}, std::byte{kPxeUseBootFile}, std::byte{0xFF}};
// iPXE does not wait for ProxyDHCP offers.
constexpr std::array<std::byte, 3> kIpxeOptions = {std::byte{kIpxeNoProxyDhcp}, std::byte{1},
                                                   std::byte{1}};

// Option 57 counts the whole datagram, as most clients mean it (RFC 2132 9.10).
std::size_t BytesMax(const Message& request) {
  const std::size_t wanted = request.GetNumber(Option::kMaxMessageSize);
  if (wanted < kMessageBytesMin + kIpUdpBytes) {
    return kMessageBytesMin;
  }
  return std::min(wanted - kIpUdpBytes, kMessageBytesMax);
}

bool IsWanted(const Message& request, Option option) {
  const ByteSpan list = request.Get(Option::kParameterRequestList);
  return list.empty() ||
         std::find(list.begin(), list.end(), static_cast<std::byte>(option)) != list.end();
}

void WriteAddresses(Writer& writer, Option option,
                    const FixedVector<IpAddress, config::kServersPerSubnetMax>& addresses) {
  std::array<std::byte, 4 * config::kServersPerSubnetMax> bytes{};
  WireWriter list(bytes);
  for (const IpAddress& address : addresses) {
    if (address.is_v4()) {
      list.U32(address.v4().value);
    }
  }
  writer.Bytes(option, list.written());
}

void WriteTimes(Writer& writer, const Exchange& exchange, Duration lease) {
  const auto seconds = static_cast<std::uint32_t>(lease.seconds());
  writer.U32(Option::kLeaseTime, seconds);
  writer.U32(Option::kRenewalTime, RenewalSeconds(exchange.client.key, seconds));
  writer.U32(Option::kRebindingTime, seconds - seconds / 8);
}

void WriteNetwork(Writer& writer, const Exchange& exchange) {
  const Message& request = exchange.message;
  const config::SubnetRecord& subnet = *exchange.subnet;
  const Ipv4Address mask = Ipv4Mask(subnet.prefix.bits);
  writer.Address(Option::kSubnetMask, mask);
  if (subnet.gateway.is_set() && subnet.gateway.is_v4() && IsWanted(request, Option::kRouter)) {
    writer.Address(Option::kRouter, subnet.gateway.v4());
  }
  if (IsWanted(request, Option::kDomainNameServer)) {
    WriteAddresses(writer, Option::kDomainNameServer, subnet.dns_servers);
  }
  if (IsWanted(request, Option::kDomainName)) {
    writer.Text(Option::kDomainName, subnet.domain);
  }
  if (exchange.boot.machine != nullptr && IsWanted(request, Option::kHostName)) {
    writer.Text(Option::kHostName, exchange.boot.machine->hostname);
  }
  if (IsWanted(request, Option::kBroadcastAddress)) {
    writer.Address(Option::kBroadcastAddress, {subnet.prefix.address.v4().value | ~mask.value});
  }
  if (IsWanted(request, Option::kNtpServers)) {
    WriteAddresses(writer, Option::kNtpServers, subnet.ntp_servers);
  }
  if (exchange.vlan->mtu != kUsualMtu && IsWanted(request, Option::kInterfaceMtu)) {
    writer.U16(Option::kInterfaceMtu, exchange.vlan->mtu);
  }
}

// What the loader needs besides its name, asked for or not: ROMs do not know what their loader is.
void WriteLoaderOptions(Writer& writer, const Exchange& exchange, const boot::LoaderFile& loader) {
  if (loader.script == boot::ScriptKind::kPxelinux) {
    const boot::Url configuration = boot::FileUrl(exchange.source, loader.configuration);
    const std::string_view url = configuration.view();
    writer.Text(Option::kConfigurationFile, url);
    writer.Text(Option::kPathPrefix, url.substr(0, url.rfind('/') + 1));
  } else if (loader.script == boot::ScriptKind::kOnie) {
    // RFC 3925 4: enterprise, length of its data, then sub-options as in option 43.
    const std::string_view url = exchange.plan.file.view();
    std::array<std::byte, 4 + 1 + 2 + limits::kUrlBytesMax> value{};
    WireWriter data(value);
    data.U32(kOnieEnterprise);
    data.U8(static_cast<std::uint8_t>(2 + url.size()));
    data.U8(kOnieInstallerUrl);
    data.U8(static_cast<std::uint8_t>(url.size()));
    data.Text(url);
    if (url.size() + 2 <= kPieceBytesMax) {
      writer.Bytes(Option::kVendorIdentifyingInfo, data.written());
    }
  }
}

// The `file` field always, since old firmware reads nothing else; option 67 if it is asked for or
// the field is too small, NUL-terminated as firmware has always got it from the common servers.
void WriteBoot(Writer& writer, const Exchange& exchange, bool proxy) {
  const boot::BootPlan& plan = exchange.plan;
  if (plan.file.empty()) {
    return;
  }
  const Message& request = exchange.message;
  const bool in_field = writer.File(plan.file);
  const bool asked =
      request.Has(Option::kParameterRequestList) && IsWanted(request, Option::kBootFileName);
  if (!in_field || asked) {
    writer.Text(Option::kBootFileName, plan.file, true);
  }
  if (plan.echo_http_client) {
    writer.Text(Option::kVendorClass, "HTTPClient");
  } else if (plan.echo_pxe_client) {
    writer.Text(Option::kVendorClass, "PXEClient");
    writer.Bytes(Option::kVendorSpecific, kPxeVendorOptions);
  } else if (proxy && exchange.boot.firmware.client_class == boot::ClientClass::kPxe) {
    // By it iPXE knows an OFFER of ProxyDHCP.
    writer.Text(Option::kVendorClass, "PXEClient");
  }
  if (exchange.boot.firmware.ipxe) {
    writer.Bytes(Option::kIpxe, kIpxeOptions);
  }
  if (plan.loader != nullptr) {
    WriteLoaderOptions(writer, exchange, *plan.loader);
  }
}

// RFC 4702 3.1, 4: no name is put into the DNS for a lease, so N is set and S is not; O says that a
// wish for S was not followed. The name goes back in the client's encoding.
void WriteFqdn(Writer& writer, const Exchange& exchange) {
  const ByteSpan asked = exchange.message.Get(Option::kClientFqdn);
  if (asked.empty()) {
    return;
  }
  std::array<std::byte, kFqdnBytesMax> value{};
  writer.Bytes(Option::kClientFqdn, ByteSpan(value).first(AnswerFqdn(
                                        value, asked, exchange.detail.hostname,
                                        exchange.subnet != nullptr ? exchange.subnet->domain.view()
                                                                   : std::string_view())));
}

// RFC 2131 4.1: relay, then ciaddr, then the broadcast flag, then the hardware address.
void ChooseDelivery(const Exchange& exchange, const Answer& answer, Reply& reply) {
  const Message& request = exchange.message;
  const bool nak = answer.type == MessageType::kNak;
  reply.source = exchange.source;
  reply.port = kClientPort;
  if (exchange.relayed()) {
    reply.delivery = Delivery::kUdp;
    reply.address = request.giaddr;
    // RFC 8357 5.1: a relay that may not use port 67 gets the answer where it asked from.
    const bool own_port =
        HasSubOption(request.Get(Option::kRelayAgentInformation), kRelaySourcePort);
    reply.port = own_port ? exchange.context.source_port : kServerPort;
    return;
  }
  if (exchange.context.boot_server_port) {
    // PXE 2.1, 2.2.4: back to where it came from.
    reply.delivery = Delivery::kUdp;
    reply.address = exchange.context.source;
    reply.port = exchange.context.source_port;
    return;
  }
  if (!request.ciaddr.is_any() && !nak) {
    reply.delivery = Delivery::kUdp;
    reply.address = request.ciaddr;
    return;
  }
  reply.delivery = Delivery::kFrame;
  const MacAddress mac = request.mac();
  if (nak || request.broadcast() || mac.is_zero() || answer.yiaddr.is_any()) {
    reply.mac = kBroadcastMac;
    reply.address = {0xFFFF'FFFF};
  } else {
    reply.mac = mac;
    reply.address = answer.yiaddr;
  }
}

}  // namespace

Result<std::uint32_t> WriteAnswer(const Exchange& exchange, const Answer& answer,
                                  Reply& reply) noexcept {
  const Message& request = exchange.message;
  const bool nak = answer.type == MessageType::kNak;
  const bool boots = !nak && !exchange.plan.file.empty();
  Writer writer(exchange.out, BytesMax(request));
  // RFC 2131 4.3.1, table 3: an OFFER and a NAK leave ciaddr empty.
  const bool echoes = answer.type == MessageType::kAck || answer.type == MessageType::kNone;
  writer.ReplyHeader(request, echoes ? request.ciaddr : Ipv4Address{}, answer.yiaddr,
                     boots ? exchange.source : Ipv4Address{});
  // RFC 3046 2.2: back as it came, after all others.
  const ByteSpan relay = request.Get(Option::kRelayAgentInformation);
  if (!relay.empty()) {
    writer.Reserve(relay);
  }
  if (answer.type != MessageType::kNone) {
    writer.U8(Option::kMessageType, static_cast<std::uint8_t>(answer.type));
    writer.Address(Option::kServerIdentifier, exchange.server);
    writer.Bytes(Option::kClientIdentifier, request.Get(Option::kClientIdentifier));  // RFC 6842 3
  }
  if (nak) {
    writer.Text(Option::kMessage, answer.message);
  } else {
    if (answer.lease > Duration{}) {
      WriteTimes(writer, exchange, answer.lease);
    }
    WriteBoot(writer, exchange, answer.proxy);
    if (answer.proxy) {
      writer.Bytes(Option::kClientUuid, request.Get(Option::kClientUuid));  // PXE 2.1, table 2-3
    } else {
      WriteNetwork(writer, exchange);
      WriteFqdn(writer, exchange);
    }
  }
  if (!relay.empty()) {
    writer.Last(Option::kRelayAgentInformation, relay);
  }
  reply.bytes = SLIP_TRY(writer.Finish());
  if (nak && exchange.relayed()) {
    // RFC 2131 4.3.2: the relay must broadcast it, the client's address may be wrong.
    StoreBig<std::uint16_t>(exchange.out.data() + 10, request.flags | kBroadcastFlag);
  }
  ChooseDelivery(exchange, answer, reply);
  return writer.left_out();
}

}  // namespace slipway::dhcp
