// Replies: which options go into them, and where they go.
#include <algorithm>
#include <array>

#include "dataplane/config/option_table.h"
#include "dataplane/dhcp/exchange6.h"
#include "dataplane/dhcp/fqdn.h"
#include "dataplane/dhcp/option_set.h"
#include "dataplane/dhcp/reply_options.h"
#include "dataplane/dhcp/rules.h"

namespace slipway::dhcp {
namespace {

using Exchange = Dhcp6Engine::Exchange;

// RFC 8415 18.2.1: the client takes this offer at once, without waiting for others.
constexpr std::uint8_t kPreferenceMax = 255;

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

// The codes that a client asks for (option 6); without that option all but those which only few
// clients know what to do with.
class Wanted6 {
 public:
  explicit Wanted6(const Message6& request) noexcept
      : list_(request.Get(Option6::kOptionRequest)), all_(!request.Has(Option6::kOptionRequest)) {
    WireReader reader(list_);
    while (reader.left() >= 2) {
      const std::uint16_t code = reader.U16();
      if (code < words_.size() * 64) {
        words_[code / 64] |= std::uint64_t{1} << (code % 64);
      }
    }
  }

  [[nodiscard]] bool operator()(std::uint16_t code) const noexcept {
    if (all_) {
      const auto option = static_cast<Option6>(code);
      return option != Option6::kSntpServers && option != Option6::kNtpServer &&
             option != Option6::kInformationRefreshTime;
    }
    return code < words_.size() * 64 ? ((words_[code / 64] >> (code % 64)) & 1) != 0
                                     : IsListed(code);
  }

 private:
  [[nodiscard]] bool IsListed(std::uint16_t code) const noexcept {
    WireReader reader(list_);
    while (reader.left() >= 2) {
      if (reader.U16() == code) {
        return true;
      }
    }
    return false;
  }

  ByteSpan list_;
  bool all_;
  std::array<std::uint64_t, 4> words_{};
};

// Of the relay nearest to the client that says it.
ByteSpan OfNearestRelay(const Message6& request, ByteSpan RelayHop::*field) {
  for (std::size_t i = request.relays.size(); i-- > 0;) {
    if (!(request.relays[i].*field).empty()) {
      return request.relays[i].*field;
    }
  }
  return {};
}

// The first item behind the enterprise number (RFC 8415 21.16).
std::string_view VendorClassOf(const Message6& request) {
  const ByteSpan vendor = request.Get(Option6::kVendorClass);
  return vendor.size() < 4
             ? std::string_view()
             : AsText(FindClassItem(vendor.subspan(4), [](std::string_view) { return true; }));
}

void CollectOptions(const Exchange& exchange, const Answer6& answer) {
  const config::Snapshot& snapshot = exchange.snapshot;
  const Message6& request = exchange.message;
  const config::OptionTable& table = snapshot.dhcp_options();
  if (table.size() == 0 && exchange.options.family() == Family::kV6 &&
      exchange.options.is_clear()) {
    return;
  }
  const RecordId subnet = exchange.subnet->id;
  const IpAddress address = answer.address.is_set() ? answer.address : exchange.wanted();
  const RecordId range =
      table.Has(OptionScope::kRange) ? FindRange(snapshot, subnet, address) : RecordId{0};
  const ByteSpan remote_id = OfNearestRelay(request, &RelayHop::remote_id);
  exchange.options.Collect(snapshot,
                           {.machine = exchange.client.machine,
                            .range = range,
                            .subnet = subnet,
                            .vlan = exchange.vlan->id},
                           {.family = Family::kV6,
                            .mac = exchange.client.mac,
                            .has_architecture = exchange.boot.firmware.has_architecture,
                            .architecture = exchange.boot.firmware.architecture,
                            .vendor_class = VendorClassOf(request),
                            .user_class = request.Get(Option6::kUserClass),
                            .circuit_id = OfNearestRelay(request, &RelayHop::interface_id),
                            // RFC 4649 3: behind the enterprise number.
                            .remote_id = remote_id.size() < 4 ? ByteSpan{} : remote_id.subspan(4)});
}

// RFC 5908 4: an option holds one server.
void WriteNtp(Writer6& writer, ByteSpan servers) {
  constexpr std::size_t kHeaderBytes = 4;
  while (servers.size() >= kHeaderBytes) {
    const std::size_t bytes =
        std::min(kHeaderBytes + LoadBig<std::uint16_t>(&servers[2]), servers.size());
    writer.Bytes(Option6::kNtpServer, servers.first(bytes));
    servers = servers.subspan(bytes);
  }
}

void Write(Writer6& writer, const ReplyOption& option) {
  const auto code = static_cast<Option6>(option.code);
  if (code == Option6::kNtpServer) {
    WriteNtp(writer, option.value);
  } else {
    writer.Bytes(code, option.value);
  }
}

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
  // Not PXEClient: EDK2 takes that for an offer whose boot file another server knows, and asks for
  // it on port 4011 in vain.
  if (plan.echo_http_client) {
    constexpr std::string_view kHttpClient = "HTTPClient";
    std::array<std::byte, 16> bytes{};
    WireWriter value(bytes);
    value.U32(kEnterpriseIntel);
    value.U16(static_cast<std::uint16_t>(kHttpClient.size()));
    value.Text(kHttpClient);
    writer.Bytes(Option6::kVendorClass, value.written());
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
  const NameText name = FullName(exchange.detail.hostname, exchange.subnet->domain);
  if (FaultOfDomain(name)) {
    return;
  }
  const bool asked_update =
      !asked.empty() && (std::to_integer<std::uint8_t>(asked[0]) & kFqdnServerUpdates) != 0;
  std::array<std::byte, 1 + kNameTextBytesMax + 2> bytes{};
  WireWriter value(bytes);
  constexpr std::uint8_t kOverridden = kFqdnNoServerUpdate | kFqdnOverridden;
  value.U8(asked_update ? kOverridden : kFqdnNoServerUpdate);
  PutName(name, value);
  writer.Bytes(Option6::kClientFqdn, value.written());
}

// Behind the boot decision: the network's options, the name, and what operators have set besides.
void WriteOptions(Writer6& writer, const Exchange& exchange, const Wanted6& wanted) {
  ForEachNetworkOption(
      exchange.options,
      {.vlan = *exchange.vlan, .subnet = *exchange.subnet, .machine = exchange.boot.machine},
      wanted, [&writer](const ReplyOption& option) { Write(writer, option); });
  WriteFqdn(writer, exchange);
  ForEachOtherOption(exchange.options, wanted, [&writer](const ReplyOption& option) {
    if (!writer.Wrote(static_cast<Option6>(option.code))) {
      Write(writer, option);
    }
  });
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
    boot::Decide(boot, snapshot, plan);
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
    CollectOptions(exchange, answer);
    WriteBoot(writer, exchange);
    WriteOptions(writer, exchange, Wanted6(request));
  }
  reply.bytes = SLIP_TRY(writer.Finish());
  if (needed_left_out != 0) {
    return Fail(ErrorCode::kTooLarge, needed_left_out);
  }
  Address(exchange, reply);
  return writer.left_out() + (answer.has_options ? exchange.options.left_out() : 0);
}

}  // namespace slipway::dhcp
