#include "controlplane/api/region_explain.h"

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "dataplane/dhcp/engine.h"
#include "dataplane/dhcp/engine6.h"
#include "dataplane/explain/answer_json.h"
#include "dataplane/lease/lease_table.h"

namespace slipway::api {
namespace {

// No lease is ever in it: the memory is for pools.
constexpr std::uint32_t kLeases = 16;
constexpr std::uint16_t kServerPort = 67;  // RFC 2131 4.1
constexpr std::uint16_t kClientPort = 68;

// The interface that the packet is heard on; nullptr: not to be told.
[[nodiscard]] const config::ServedInterfaceRecord* FindServed(const config::Snapshot& snapshot,
                                                              const explain::AskedPacket& asked) {
  const auto all = snapshot.served_interfaces();
  const bool v6 = asked.family == config::Family::kV6;
  const config::InterfaceRecord* const known = snapshot.InterfaceByMac(asked.question.mac);
  const config::RecordId vlan = asked.vlan != 0 ? asked.vlan : (known == nullptr ? 0 : known->vlan);
  const auto found = std::ranges::find_if(all, [&](const config::ServedInterfaceRecord& served) {
    return asked.interface.empty() ? served.vlan == vlan
                                   : served.name.view() == asked.interface.view();
  });
  if (found != all.end()) {
    return &*found;
  }
  const bool said = !asked.interface.empty() || asked.vlan != 0;
  const bool relayed = v6 ? !asked.question6.relay.is_any() : !asked.question.relay.is_any();
  const bool any = all.size() == 1 || (!all.empty() && relayed);
  return said || !any ? nullptr : &all.front();
}

[[nodiscard]] std::vector<IpAddress> AddressesOf(const RackLinkStatus& status,
                                                 std::string_view interface,
                                                 config::Family family) {
  std::vector<IpAddress> addresses;
  for (const RackLinkStatus::Interface& row : status.interfaces) {
    for (const std::string& text : row.addresses) {
      const auto prefix = IpPrefix::Parse(text);
      if (row.name == interface && prefix &&
          prefix->address.is_v4() == (family == config::Family::kV4)) {
        addresses.push_back(prefix->address);
      }
    }
  }
  return addresses;
}

[[nodiscard]] IpAddress AddressNear(const config::Snapshot& snapshot, const IpAddress& source,
                                    const std::vector<IpAddress>& local) {
  for (const config::SubnetRecord& subnet : snapshot.subnets()) {
    for (const IpAddress& address : local) {
      if (subnet.prefix.Contains(source) && subnet.prefix.Contains(address)) {
        return address;
      }
    }
  }
  return local.empty() ? IpAddress{} : local.front();
}

// The rack's own DUID is not known here; one that the packet names all the same.
constexpr config::Uuid kAnyUuid{};

[[nodiscard]] std::expected<boost::json::object, std::string> Explain6(
    const config::Snapshot& snapshot, const config::ServedInterfaceRecord& served,
    const std::vector<IpAddress>& local, const explain::AskedPacket& asked) {
  const dhcp::Duid server = dhcp::DuidFromUuid(kAnyUuid);
  dhcp::Question6 question = asked.question6;
  question.server = server;
  const bool relayed = !question.relay.is_any();
  const Ipv6Address source = dhcp::SourceOf(question);
  const dhcp::ReceiveContext6 context{
      .ifindex = 1,
      .vlan = snapshot.VlanById(served.vlan),
      .local_addresses = {local.data(), local.size()},
      .link_local = {},
      .source = source,
      .source_port = relayed ? dhcp::kServerPort6 : dhcp::kClientPort6,
      .destination = relayed ? AddressNear(snapshot, source, local).v6() : dhcp::kAllDhcpServers};
  lease::LeaseTable table({.leases_max = kLeases});
  (void)table.Rebuild(snapshot);
  const auto engine = std::make_unique<dhcp::Dhcp6Engine>(
      dhcp::EngineOptions6{.server_id = server, .loops = {}}, &table);
  std::array<std::byte, dhcp::kMessageBytesMin> packet{};
  std::array<std::byte, dhcp::kMessage6BytesMax> reply{};
  const auto bytes = dhcp::EncodeQuestion6(packet, question);
  if (!bytes) {
    return std::unexpected("the packet would be too large");
  }
  dhcp::Effects6 effects;
  const auto trace = std::make_unique<dhcp::DecisionTrace>();
  engine->Explain(ByteSpan(packet).first(*bytes), context, snapshot, lease::Now{}, reply, effects,
                  *trace);
  return explain::ToJson(explain::Explained{.interface = served.name.view(),
                                            .packet = ByteSpan(packet).first(*bytes),
                                            .family = config::Family::kV6,
                                            .reason6 = effects.reason,
                                            .reply6 = effects.reply,
                                            .mac = effects.mac,
                                            .trace = trace.get()});
}

}  // namespace

std::expected<boost::json::object, std::string> ExplainWithoutLeases(
    const config::SnapshotRef& snapshot, const RackLinkStatus& status,
    const explain::AskedPacket& asked) {
  if (!snapshot) {
    return std::unexpected("nothing is published for this rack");
  }
  const config::ServedInterfaceRecord* const served = FindServed(*snapshot, asked);
  if (served == nullptr) {
    return std::unexpected(
        "it cannot be told on which interface of the rack the packet is heard: say the interface "
        "or the VLAN");
  }
  const std::vector<IpAddress> local = AddressesOf(status, served->name.view(), asked.family);
  if (asked.family == config::Family::kV6) {
    return Explain6(*snapshot, *served, local, asked);
  }
  const dhcp::Question& question = asked.question;
  const Ipv4Address source = question.relay.is_any() ? question.ciaddr : question.relay;
  const dhcp::ReceiveContext context{
      .ifindex = 1,
      .vlan = snapshot->VlanById(served->vlan),
      .local_addresses = {local.data(), local.size()},
      .source = source,
      .source_port = source.is_any() ? kClientPort : kServerPort,
      .destination =
          source.is_any() ? Ipv4Address{0xFFFF'FFFF} : AddressNear(*snapshot, source, local).v4()};
  lease::LeaseTable table({.leases_max = kLeases});
  (void)table.Rebuild(*snapshot);
  const auto engine = std::make_unique<dhcp::Dhcp4Engine>(dhcp::EngineOptions{}, &table);
  std::array<std::byte, dhcp::kMessageBytesMin> packet{};
  std::array<std::byte, dhcp::kMessageBytesMax> reply{};
  const auto bytes = dhcp::EncodeQuestion(packet, question);
  if (!bytes) {
    return std::unexpected("the packet would be too large");
  }
  dhcp::Effects effects;
  const auto trace = std::make_unique<dhcp::DecisionTrace>();
  engine->Explain(ByteSpan(packet).first(*bytes), context, *snapshot, lease::Now{}, reply, effects,
                  *trace);
  return explain::ToJson(explain::Explained{.interface = served->name.view(),
                                            .packet = ByteSpan(packet).first(*bytes),
                                            .reason = effects.reason,
                                            .reply = effects.reply,
                                            .trace = trace.get()});
}

}  // namespace slipway::api
