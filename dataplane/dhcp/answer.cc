// Replies: which options go into them, and how they travel.
#include <algorithm>
#include <array>

#include "dataplane/base/limits.h"
#include "dataplane/base/random.h"
#include "dataplane/config/option_table.h"
#include "dataplane/dhcp/exchange.h"
#include "dataplane/dhcp/fqdn.h"
#include "dataplane/dhcp/option_set.h"
#include "dataplane/dhcp/reply_options.h"
#include "dataplane/dhcp/rules.h"

namespace slipway::dhcp {
namespace {

using Exchange = Dhcp4Engine::Exchange;

constexpr std::size_t kIpUdpBytes = 28;

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

// The codes that a client asks for (option 55); all of them if it does not say.
class Wanted {
 public:
  explicit Wanted(const Message& request) noexcept {
    const ByteSpan list = request.Get(Option::kParameterRequestList);
    all_ = list.empty();
    for (const std::byte code : list) {
      const auto number = std::to_integer<std::uint8_t>(code);
      words_[number / 64] |= std::uint64_t{1} << (number % 64);
    }
  }

  [[nodiscard]] bool operator()(std::uint16_t code) const noexcept {
    return all_ || ((words_[code / 64] >> (code % 64)) & 1) != 0;
  }

  // In so many words.
  [[nodiscard]] bool Lists(Option option) const noexcept {
    return !all_ && (*this)(static_cast<std::uint16_t>(option));
  }

 private:
  std::array<std::uint64_t, 4> words_{};
  bool all_ = false;
};

void CollectOptions(const Exchange& exchange, const Answer& answer) {
  const config::Snapshot& snapshot = exchange.snapshot;
  const Message& request = exchange.message;
  const config::OptionTable& table = snapshot.dhcp_options();
  if (table.size() == 0 && exchange.options.is_clear()) {
    return;
  }
  const ByteSpan relay = request.Get(Option::kRelayAgentInformation);
  const Ipv4Address address = answer.yiaddr.is_any() ? request.ciaddr : answer.yiaddr;
  // ProxyDHCP may answer where no subnet is known.
  const RecordId subnet = exchange.subnet == nullptr ? 0 : exchange.subnet->id;
  const RecordId range =
      table.Has(OptionScope::kRange) ? FindRange(snapshot, subnet, address) : RecordId{0};
  exchange.options.Collect(snapshot,
                           {.machine = exchange.client.machine,
                            .range = range,
                            .subnet = subnet,
                            .vlan = exchange.vlan->id},
                           {.family = Family::kV4,
                            .mac = exchange.client.mac,
                            .has_architecture = exchange.boot.firmware.has_architecture,
                            .architecture = exchange.boot.firmware.architecture,
                            .vendor_class = AsText(request.Get(Option::kVendorClass)),
                            .user_class = request.Get(Option::kUserClass),
                            .circuit_id = FindSubOption(relay, kRelayCircuitId),
                            .remote_id = FindSubOption(relay, kRelayRemoteId)});
}

void WriteTimes(Writer& writer, const Exchange& exchange, Duration lease) {
  const auto seconds = static_cast<std::uint32_t>(lease.seconds());
  writer.U32(Option::kLeaseTime, seconds);
  writer.U32(Option::kRenewalTime, RenewalSeconds(exchange.client.key, seconds));
  writer.U32(Option::kRebindingTime, seconds - seconds / 8);
}

void WriteNetwork(Writer& writer, const Exchange& exchange, const Wanted& wanted) {
  ForEachNetworkOption(
      exchange.options,
      {.vlan = *exchange.vlan, .subnet = *exchange.subnet, .machine = exchange.boot.machine},
      wanted, [&writer](const ReplyOption& option) {
        writer.Bytes(static_cast<Option>(option.code), option.value);
      });
}

// What operators have set besides; the boot decision goes first.
void WriteOthers(Writer& writer, const Exchange& exchange, const Wanted& wanted) {
  if (exchange.options.options().empty()) {
    return;
  }
  ForEachOtherOption(exchange.options, wanted, [&writer](const ReplyOption& option) {
    if (!writer.Wrote(static_cast<Option>(option.code))) {
      writer.Bytes(static_cast<Option>(option.code), option.value);
    }
  });
}

// Our wish first, then the operator's sub-options: one value.
void WriteIpxe(Writer& writer, const Exchange& exchange) {
  const EffectiveOption* set = exchange.options.Find(static_cast<std::uint16_t>(Option::kIpxe));
  if (set == nullptr || set->suppress) {
    writer.Bytes(Option::kIpxe, kIpxeOptions);
    return;
  }
  std::array<std::byte, kIpxeOptions.size() + limits::kDhcpOptionBytesMax> both;
  WireWriter value(both);
  if (!HasSubOption(set->value, kIpxeNoProxyDhcp)) {
    value.Bytes(kIpxeOptions);
  }
  value.Bytes(set->value);
  writer.Bytes(Option::kIpxe, value.written());
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
void WriteBoot(Writer& writer, const Exchange& exchange, const Wanted& wanted, bool proxy) {
  const boot::BootPlan& plan = exchange.plan;
  if (plan.file.empty()) {
    return;
  }
  const bool in_field = writer.File(plan.file);
  if (!in_field || wanted.Lists(Option::kBootFileName)) {
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
    WriteIpxe(writer, exchange);
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
    const Wanted wanted(request);
    CollectOptions(exchange, answer);
    WriteBoot(writer, exchange, wanted, answer.proxy);
    if (answer.proxy) {
      writer.Bytes(Option::kClientUuid, request.Get(Option::kClientUuid));  // PXE 2.1, table 2-3
    } else {
      WriteNetwork(writer, exchange, wanted);
      WriteFqdn(writer, exchange);
      WriteOthers(writer, exchange, wanted);
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
  return writer.left_out() + (nak ? 0 : exchange.options.left_out());
}

}  // namespace slipway::dhcp
