#include "controlplane/publish/record_body.h"

#include "controlplane/model/dhcp.h"
#include "controlplane/model/pair.h"
#include "dataplane/base/check.h"

namespace slipway::publish {

namespace {

using config::RecordId;
using config::Table;

struct Encoding {
  config::RecordEncoder& encoder;
  const model::ModelIndex& index;
  RecordId id;

  ByteSpan operator()(const model::Vlan& vlan) const {
    config::VlanRecord record{.id = id,
                              .vid = vlan.vid,
                              .mtu = vlan.mtu,
                              .unknown_policy = vlan.unknown_policy,
                              .router_advertisement = vlan.router_advertisement,
                              .router_lifetime_s = vlan.router_lifetime_seconds,
                              .dhcp = vlan.dhcp,
                              .relays = {},
                              .name = std::string_view(vlan.name)};
    for (const IpAddress& relay : vlan.relays) {
      SLIP_CHECK(record.relays.push_back(relay));  // bounded by the field table
    }
    return encoder.Encode(record, vlan.fabric.value);
  }

  ByteSpan operator()(const model::Subnet& subnet) const {
    config::SubnetRecord record;
    record.id = id;
    record.vlan = subnet.vlan.value;
    record.prefix = subnet.cidr;
    record.gateway = subnet.gateway;
    // Bounded by the field table, and by one partner for each.
    for (const IpAddress& server : ServersOfBoth(index, subnet.vlan, subnet.dns_servers)) {
      SLIP_CHECK(record.dns_servers.push_back(server));
    }
    for (const IpAddress& server : ServersOfBoth(index, subnet.vlan, subnet.ntp_servers)) {
      SLIP_CHECK(record.ntp_servers.push_back(server));
    }
    record.domain = std::string_view(subnet.domain);
    record.lease_seconds = subnet.lease_seconds;
    record.boot_lease_seconds = subnet.boot_lease_seconds;
    return encoder.Encode(record);
  }

  ByteSpan operator()(const model::AddressRange& range) const {
    return encoder.Encode(config::RangeRecord{.id = id,
                                              .subnet = range.subnet.value,
                                              .kind = range.kind,
                                              .first = range.first,
                                              .last = range.last,
                                              .state = range.state});
  }

  ByteSpan operator()(const model::Machine& machine) const {
    return encoder.Encode(
        config::MachineRecord{.id = id,
                              .hostname = std::string_view(machine.hostname),
                              .uuid = machine.uuid,
                              .boot_target = machine.boot_target,
                              .image = machine.image.value,
                              .state_generation = machine.state_generation,
                              .kernel_options = std::string_view(machine.kernel_options)});
  }

  ByteSpan operator()(const model::Interface& interface) const {
    config::InterfaceRecord record{.id = id,
                                   .machine = interface.machine.value,
                                   .mac = interface.mac,
                                   .vlan = interface.vlan.value};
    // Racks keep one of each family; the field `address` takes either.
    for (const model::Reservation& each : model::ReservationsOf(interface)) {
      if (each.address.is_set() && each.address.is_v4()) {
        record.subnet = each.subnet.value;
        record.address = each.address;
      } else if (each.address.is_set()) {
        record.subnet6 = each.subnet.value;
        record.address6 = each.address;
      }
    }
    return encoder.Encode(record);
  }

  ByteSpan operator()(const model::ServedInterface& served) const {
    return encoder.Encode(config::ServedInterfaceRecord{
        .id = id, .name = std::string_view(served.name), .vlan = served.vlan.value});
  }

  ByteSpan operator()(const model::BootImage& image) const {
    config::ImageRecord record;
    record.id = id;
    record.name = std::string_view(image.name);
    record.kind = image.kind;
    record.architecture = std::string_view(image.architecture);
    record.command_line = std::string_view(image.command_line);
    for (const model::ImageFile& file : image.files) {
      SLIP_CHECK(record.files.push_back({.name = std::string_view(file.name),
                                         .role = file.role,
                                         .sha256 = file.sha256,
                                         .bytes = file.bytes}));
    }
    return encoder.Encode(record);
  }

  // Validated: both parse.
  static config::RelayId RelayIdOf(const std::string& text) {
    const auto id = model::EncodeRelayId(text);
    SLIP_CHECK(id.has_value());
    return *id;
  }

  ByteSpan operator()(const model::DhcpClass& dhcp_class) const {
    config::DhcpClassRecord record;
    record.id = id;
    record.name = std::string_view(dhcp_class.name);
    record.priority = dhcp_class.priority;
    for (const std::uint16_t architecture : dhcp_class.architectures) {
      SLIP_CHECK(record.architectures.push_back(architecture));
    }
    record.vendor_class = std::string_view(dhcp_class.vendor_class);
    record.user_class = std::string_view(dhcp_class.user_class);
    if (!dhcp_class.mac_prefix.empty()) {
      const auto prefix = model::ParseMacPrefix(dhcp_class.mac_prefix);
      SLIP_CHECK(prefix.has_value());
      record.mac_prefix = *prefix;
    }
    record.circuit_id = RelayIdOf(dhcp_class.circuit_id);
    record.remote_id = RelayIdOf(dhcp_class.remote_id);
    return encoder.Encode(record);
  }

  ByteSpan operator()(const model::DhcpOption& option) const {
    std::string value;
    if (!option.suppress) {
      auto encoded = model::EncodeValue(option);
      SLIP_CHECK(encoded.has_value());
      value = *std::move(encoded);
    }
    return encoder.Encode(config::DhcpOptionRecord{.id = id,
                                                   .scope = option.scope,
                                                   .of = model::TargetOf(option).id.value,
                                                   .family = option.family,
                                                   .code = option.code,
                                                   .always = option.always,
                                                   .suppress = option.suppress,
                                                   .value = AsBytes(value)});
  }

  ByteSpan operator()(const model::Fabric&) const { return {}; }

  ByteSpan operator()(const model::Rack&) const { return {}; }

  ByteSpan operator()(const model::RackPair&) const { return {}; }
};

}  // namespace

Table TableOf(model::Kind kind) noexcept {
  switch (kind) {
    case model::Kind::kVlan:
      return Table::kVlan;
    case model::Kind::kSubnet:
      return Table::kSubnet;
    case model::Kind::kRange:
      return Table::kRange;
    case model::Kind::kMachine:
      return Table::kMachine;
    case model::Kind::kInterface:
      return Table::kInterface;
    case model::Kind::kServedInterface:
      return Table::kServedInterface;
    case model::Kind::kImage:
      return Table::kImage;
    case model::Kind::kDhcpClass:
      return Table::kDhcpClass;
    case model::Kind::kDhcpOption:
      return Table::kDhcpOption;
    case model::Kind::kRackPair:
      return Table::kRackPair;
    default:
      return Table::kNone;
  }
}

model::Kind KindOfTable(Table table) noexcept {
  switch (table) {
    case Table::kVlan:
      return model::Kind::kVlan;
    case Table::kSubnet:
      return model::Kind::kSubnet;
    case Table::kRange:
      return model::Kind::kRange;
    case Table::kMachine:
      return model::Kind::kMachine;
    case Table::kInterface:
      return model::Kind::kInterface;
    case Table::kServedInterface:
      return model::Kind::kServedInterface;
    case Table::kDhcpClass:
      return model::Kind::kDhcpClass;
    case Table::kDhcpOption:
      return model::Kind::kDhcpOption;
    case Table::kRackPair:
      return model::Kind::kRackPair;
    default:
      return model::Kind::kImage;
  }
}

RecordKey KeyOf(model::EntityRef ref) noexcept {
  return {static_cast<std::uint8_t>(TableOf(ref.kind)), ref.id.value};
}

namespace {

RecordBody BodyOf(Table table, RecordId id, ByteSpan bytes) {
  return {.bytes = std::string(AsText(bytes)),
          .hash = config::HashRecord(static_cast<std::uint8_t>(table), id, bytes)};
}

}  // namespace

RecordBody EncodeEntity(config::RecordEncoder& encoder, const model::ModelIndex& index, RecordId id,
                        const model::Entity& entity) {
  const Table table = TableOf(model::KindOf(entity));
  SLIP_CHECK(table != Table::kNone);
  SLIP_CHECK(table != Table::kRackPair);
  return BodyOf(table, id,
                std::visit(Encoding{.encoder = encoder, .index = index, .id = id}, entity));
}

std::optional<RecordBody> EncodePair(config::RecordEncoder& encoder, const model::ModelIndex& index,
                                     const model::Row& row, model::EntityId rack) {
  const auto& pair = row.as<model::RackPair>();
  const model::EntityId partner_id = model::PartnerOf(pair, rack);
  const auto* partner = index.Get<model::Rack>(model::Kind::kRack, partner_id);
  if (partner == nullptr) {
    return std::nullopt;  // it goes in the same batch as the pair
  }
  const bool is_a = model::SideOf(pair, rack) == 0;
  // Validated: both parse.
  const auto own = model::ParsePairEndpoint(is_a ? pair.address_a : pair.address_b);
  const auto other = model::ParsePairEndpoint(is_a ? pair.address_b : pair.address_a);
  SLIP_CHECK(own.has_value());
  SLIP_CHECK(other.has_value());
  config::RackPairRecord record;
  record.id = row.id.value;
  record.side = is_a ? 0 : 1;
  record.formed = pair.formed;
  record.mclt_seconds = pair.mclt_seconds;
  record.partner = partner_id.value;
  record.partner_name = std::string_view(partner->name);
  record.partner_key = std::string_view(partner->public_key);
  record.own_address = own->address;
  record.own_port = own->port;
  record.partner_address = other->address;
  record.partner_port = other->port;
  if (pair.down.is_set()) {
    record.term = pair.term;
    record.down_side = static_cast<std::uint8_t>(model::SideOf(pair, pair.down));
    record.survivor_stale = pair.survivor_stale;
  }
  for (const model::EntityId vlan : model::SharedVlans(index, pair)) {
    const IpPrefix any4{.address = Ipv4Address{}, .bits = 32};
    const IpPrefix any6{.address = Ipv6Address{}, .bits = 128};
    SLIP_CHECK(record.shared_vlans.push_back(
        {.vlan = vlan.value,
         .address = model::AddressOn(index, partner_id, vlan, any4),
         .address6 = model::AddressOn(index, partner_id, vlan, any6)}));
  }
  return BodyOf(Table::kRackPair, record.id, encoder.Encode(record));
}

}  // namespace slipway::publish
