// Replies: which options go into them, and where they go.
#include <algorithm>
#include <array>

#include "dataplane/dhcp/exchange6.h"
#include "dataplane/dhcp/rules.h"

namespace slipway::dhcp {
namespace {

using Exchange = Dhcp6Engine::Exchange;

// RFC 8415 18.2.1: the client takes this offer at once, without waiting for others.
constexpr std::uint8_t kPreferenceMax = 255;
constexpr std::uint32_t kRefreshSecondsMin = 600;  // RFC 8415 21.23

bool HasAddress(const config::SubnetRecord& subnet, const IpAddress& address) {
  return !subnet.prefix.address.is_v4() && !address.is_v4() && subnet.prefix.Contains(address);
}

const config::SubnetRecord* FindIn(std::span<const config::SubnetRecord> subnets,
                                   const Ipv6Address& address) {
  const auto found = std::ranges::find_if(
      subnets, [&](const config::SubnetRecord& subnet) { return HasAddress(subnet, address); });
  return found == subnets.end() ? nullptr : &*found;
}

std::string_view TextOf(Status6 status) {
  switch (status) {
    case Status6::kNoAddrsAvail:
      return "no address available";
    case Status6::kNoBinding:
      return "no such lease";
    case Status6::kNotOnLink:
      return "not an address of this link";
    case Status6::kUseMulticast:
      return "use ff02::1:2";
    case Status6::kNoPrefixAvail:
      return "no prefixes here";
    case Status6::kSuccess:
      break;
  }
  return "";
}

// ---- identity associations ----

void WriteAddress(Writer6& writer, const Ipv6Address& address, std::uint32_t seconds) {
  writer.Begin(Option6::kIaAddress);
  writer.Raw(std::as_bytes(std::span(address.octets)));
  writer.RawU32(seconds);  // preferred
  writer.RawU32(seconds);  // valid
  writer.End();
}

// T2 is at four fifths (RFC 8415 21.4).
void WriteServedIa(Writer6& writer, const Exchange& exchange, const Answer6& answer) {
  const auto seconds = static_cast<std::uint32_t>(answer.lease.seconds());
  const bool given = answer.address.is_set() && seconds != 0;
  writer.Begin(Option6::kIaNa);
  writer.RawU32(exchange.ia->iaid);
  writer.RawU32(given ? RenewalSeconds(exchange.client.key, seconds) : 0);
  writer.RawU32(given ? seconds / 5 * 4 : 0);
  if (answer.address.is_set()) {
    WriteAddress(writer, answer.address.v6(), seconds);
    // RFC 8415 18.3.4: what the client has besides, it has from elsewhere or for too long.
    const bool extends = exchange.message.type == MessageType6::kRenew ||
                         exchange.message.type == MessageType6::kRebind;
    for (const Ipv6Address& other : exchange.ia->addresses) {
      if (extends && answer.address != IpAddress(other)) {
        WriteAddress(writer, other, 0);
      }
    }
  } else {
    writer.Status(answer.ia_status, TextOf(answer.ia_status));
  }
  writer.End();
}

void WriteOtherIa(Writer6& writer, const Ia& ia, Status6 status) {
  writer.Begin(ia.type);
  writer.RawU32(ia.iaid);
  if (ia.type != Option6::kIaTa) {
    writer.RawU32(0);
    writer.RawU32(0);
  }
  // Prefixes are not delegated.
  const bool asks_prefix = ia.type == Option6::kIaPd && status == Status6::kNoAddrsAvail;
  const Status6 said = asks_prefix ? Status6::kNoPrefixAvail : status;
  writer.Status(said, TextOf(said));
  writer.End();
}

void WriteIas(Writer6& writer, const Exchange& exchange, const Answer6& answer) {
  for (const Ia& ia : exchange.message.ias) {
    if (&ia == exchange.ia) {
      WriteServedIa(writer, exchange, answer);
    } else {
      WriteOtherIa(writer, ia, answer.other_status);
    }
  }
}

// ---- other options ----

// Only what is asked for, and nothing long unasked: firmware has been broken by less (PixieFail).
void WriteBoot(Writer6& writer, const Exchange& exchange) {
  const boot::BootPlan& plan = exchange.plan;
  if (plan.file.empty()) {
    return;
  }
  if (exchange.message.Wants(Option6::kBootFileUrl)) {
    writer.Text(Option6::kBootFileUrl,
                plan.file_is_url ? plan.file : boot::TftpUrl(exchange.server, plan.file));
  }
  const std::string_view vendor_class = plan.echo_http_client  ? "HTTPClient"
                                        : plan.echo_pxe_client ? "PXEClient"
                                                               : "";
  if (!vendor_class.empty()) {
    std::array<std::byte, 16> bytes{};
    WireWriter value(bytes);
    value.U32(kEnterpriseIntel);
    value.U16(static_cast<std::uint16_t>(vendor_class.size()));
    value.Text(vendor_class);
    writer.Bytes(Option6::kVendorClass, value.written());
  }
}

using Servers = FixedVector<IpAddress, config::kServersPerSubnetMax>;

void WriteAddresses(Writer6& writer, Option6 option, const Servers& addresses) {
  std::array<std::byte, 16 * config::kServersPerSubnetMax> bytes{};
  WireWriter list(bytes);
  for (const IpAddress& address : addresses) {
    if (!address.is_v4()) {
      list.Bytes(std::as_bytes(std::span(address.v6().octets)));
    }
  }
  if (list.size() != 0) {
    writer.Bytes(option, list.written());
  }
}

// RFC 5908 4: one option for each server.
void WriteNtpServers(Writer6& writer, const Servers& addresses) {
  for (const IpAddress& address : addresses) {
    if (address.is_v4()) {
      continue;
    }
    std::array<std::byte, 4 + 16> bytes{};
    WireWriter value(bytes);
    value.U16(kNtpServerAddress);
    value.U16(16);
    value.Bytes(std::as_bytes(std::span(address.v6().octets)));
    writer.Bytes(Option6::kNtpServer, value.written());
  }
}

// RFC 4704 6: the name that the machine has here. Racks publish names by themselves, so no update
// of ours is the client's to ask for: N is set, and O if it asked for one by S.
void WriteFqdn(Writer6& writer, const Exchange& exchange) {
  const ByteSpan asked = exchange.message.Get(Option6::kClientFqdn);
  if (exchange.detail.hostname.empty() ||
      (asked.empty() && !exchange.message.Asks(Option6::kClientFqdn))) {
    return;
  }
  FixedString<kWireNameBytesMax> name(exchange.detail.hostname.view());
  if (!exchange.subnet->domain.empty() &&
      !(name.push_back('.') && name.Append(exchange.subnet->domain.view()))) {
    return;
  }
  const auto wire = ToWireName(name);
  if (wire.empty()) {
    return;
  }
  const bool asked_update =
      !asked.empty() && (std::to_integer<std::uint8_t>(asked[0]) & kFqdnServerUpdates) != 0;
  std::array<std::byte, 1 + kWireNameBytesMax> bytes{};
  WireWriter value(bytes);
  constexpr std::uint8_t kOverridden = kFqdnNoServerUpdate | kFqdnOverridden;
  value.U8(asked_update ? kOverridden : kFqdnNoServerUpdate);
  value.Bytes({wire.data(), wire.size()});
  writer.Bytes(Option6::kClientFqdn, value.written());
}

void WriteNetwork(Writer6& writer, const Exchange& exchange) {
  const Message6& request = exchange.message;
  const config::SubnetRecord& subnet = *exchange.subnet;
  if (request.Wants(Option6::kDnsServers)) {
    WriteAddresses(writer, Option6::kDnsServers, subnet.dns_servers);
  }
  if (request.Wants(Option6::kDomainList)) {
    writer.Name(Option6::kDomainList, subnet.domain);
  }
  if (request.Asks(Option6::kSntpServers)) {
    WriteAddresses(writer, Option6::kSntpServers, subnet.ntp_servers);
  }
  if (request.Asks(Option6::kNtpServer)) {
    WriteNtpServers(writer, subnet.ntp_servers);
  }
  if (request.Asks(Option6::kInformationRefreshTime)) {
    writer.U32(Option6::kInformationRefreshTime,
               std::max(kRefreshSecondsMin, subnet.lease_seconds));
  }
  WriteFqdn(writer, exchange);
}

// To the relay or the client that sent the packet (RFC 8415 18.3.10, RFC 8357 5.3).
void Address(const Exchange& exchange, Reply6& reply) {
  const ReceiveContext6& context = exchange.context;
  reply.address = context.source;
  if (!context.destination.is_multicast()) {
    reply.source = context.destination;
  } else {
    reply.source = reply.address.is_link_local() ? context.link_local : exchange.server.v6();
  }
  if (!exchange.message.relayed()) {
    reply.port = kClientPort6;
  } else {
    reply.port = exchange.message.relays[0].has_port ? context.source_port : kServerPort6;
  }
}

}  // namespace

const config::SubnetRecord* FindSubnet6(const config::Snapshot& snapshot,
                                        const Ipv6Address& address) noexcept {
  return FindIn(snapshot.subnets(), address);
}

const config::SubnetRecord* FindSubnet6(const config::Snapshot& snapshot, config::RecordId vlan,
                                        const Ipv6Address& address) noexcept {
  return FindIn(snapshot.SubnetsOf(vlan), address);
}

const config::SubnetRecord* FirstSubnet6(const config::Snapshot& snapshot,
                                         config::RecordId vlan) noexcept {
  const auto subnets = snapshot.SubnetsOf(vlan);
  const auto found = std::ranges::find_if(
      subnets, [](const config::SubnetRecord& subnet) { return !subnet.prefix.address.is_v4(); });
  return found == subnets.end() ? nullptr : &*found;
}

void Dhcp6Engine::Exchange::ChooseSubnet(const config::SubnetRecord* chosen) noexcept {
  const IpAddress before = server;
  subnet = chosen;
  server = {};
  const Ipv6Address& reached = context.destination;
  if (message.relayed() && !reached.is_multicast() && !reached.is_link_local()) {
    server = reached;  // The address that the relay used, a virtual one included.
  } else {
    for (const IpAddress& local : context.local_addresses) {
      if (!local.is_v4() && !local.v6().is_link_local() &&
          (!server.is_set() ||
           (chosen != nullptr && HasAddress(*chosen, local) && !HasAddress(*chosen, server)))) {
        server = local;
      }
    }
  }
  if (server != before || plan.reason.empty()) {
    boot.server = server;
    plan = boot::Decide(boot, snapshot);
  }
}

lease::OfferRequest Dhcp6Engine::Exchange::OfferRequestFor(
    const config::SubnetRecord& wanted_subnet, const IpAddress& requested) const noexcept {
  return {.client = client,
          .subnet = wanted_subnet.id,
          .reserved = reserved_subnet == &wanted_subnet ? reserved : IpAddress(),
          .requested = requested,
          .excluded = context.local_addresses};
}

Result<std::uint32_t> WriteAnswer6(const Exchange& exchange, const Answer6& answer,
                                   Reply6& reply) noexcept {
  const Message6& request = exchange.message;
  Writer6 writer(exchange.out, kMessage6BytesMax);
  for (const RelayHop& hop : request.relays) {
    writer.RelayReply(hop);
  }
  writer.Header(answer.type, request.xid);
  if (request.Has(Option6::kClientId)) {
    writer.Bytes(Option6::kClientId, request.Get(Option6::kClientId));
  }
  writer.Bytes(Option6::kServerId, {exchange.server_id.data(), exchange.server_id.size()});
  if (answer.type == MessageType6::kAdvertise) {
    writer.U8(Option6::kPreference, kPreferenceMax);
  }
  if (answer.rapid_commit) {
    writer.Flag(Option6::kRapidCommit);
  }
  if (answer.has_status) {
    writer.Status(answer.status, TextOf(answer.status));
  }
  if (answer.has_ias) {
    WriteIas(writer, exchange, answer);
  }
  const std::uint32_t needed_left_out = writer.left_out();
  if (answer.has_options) {
    WriteBoot(writer, exchange);
    WriteNetwork(writer, exchange);
  }
  reply.bytes = SLIP_TRY(writer.Finish());
  if (needed_left_out != 0) {
    return Fail(ErrorCode::kTooLarge, needed_left_out);
  }
  Address(exchange, reply);
  return writer.left_out();
}

}  // namespace slipway::dhcp
