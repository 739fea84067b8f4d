#include "dataplane/config/encode.h"

#include <algorithm>
#include <array>
#include <vector>

#include "schemas/config_generated.h"

namespace slipway::config {

struct RecordEncoder::Buffer {
  flatbuffers::FlatBufferBuilder builder{4096};

  // An empty text is an absent field.
  [[nodiscard]] flatbuffers::Offset<flatbuffers::String> Text(std::string_view text) {
    return text.empty() ? flatbuffers::Offset<flatbuffers::String>{}
                        : builder.CreateString(text.data(), text.size());
  }

  template <typename Root>
  [[nodiscard]] ByteSpan Finish(flatbuffers::Offset<Root> root) {
    builder.Finish(root);
    return std::as_bytes(std::span(builder.GetBufferPointer(), builder.GetSize()));
  }
};

namespace {

[[nodiscard]] schema::Address ToWire(const IpAddress& address) {
  return schema::Address(
      flatbuffers::span<const std::uint8_t, 16>(address.v6().octets.data(), std::size_t{16}));
}

using AddressVector = flatbuffers::Offset<flatbuffers::Vector<const schema::Address*>>;

template <std::size_t N>
[[nodiscard]] AddressVector ToWire(flatbuffers::FlatBufferBuilder& builder,
                                   const FixedVector<IpAddress, N>& addresses) {
  if (addresses.empty()) {
    return {};
  }
  std::array<schema::Address, N> wire;
  std::transform(addresses.begin(), addresses.end(), wire.begin(),
                 [](const IpAddress& address) { return ToWire(address); });
  return builder.CreateVectorOfStructs(wire.data(), addresses.size());
}

}  // namespace

RecordEncoder::RecordEncoder() : buffer_(std::make_unique<Buffer>()) {}

RecordEncoder::~RecordEncoder() = default;

ByteSpan RecordEncoder::Encode(const VlanRecord& vlan, RecordId fabric) {
  buffer_->builder.Clear();
  const auto name = buffer_->Text(vlan.name);
  const auto relays = ToWire(buffer_->builder, vlan.relays);
  return buffer_->Finish(
      schema::CreateVlan(buffer_->builder, fabric, vlan.vid, vlan.mtu, name,
                         static_cast<schema::UnknownPolicy>(vlan.unknown_policy),
                         static_cast<schema::RouterAdvertisement>(vlan.router_advertisement),
                         static_cast<schema::DhcpMode>(vlan.dhcp), relays, vlan.router_lifetime_s));
}

ByteSpan RecordEncoder::Encode(const SubnetRecord& subnet) {
  flatbuffers::FlatBufferBuilder& builder = buffer_->builder;
  builder.Clear();
  const auto dns_servers = ToWire(builder, subnet.dns_servers);
  const auto ntp_servers = ToWire(builder, subnet.ntp_servers);
  const auto domain = buffer_->Text(subnet.domain);
  const schema::Address network = ToWire(subnet.prefix.address);
  const schema::Address gateway = ToWire(subnet.gateway);
  return buffer_->Finish(schema::CreateSubnet(builder, subnet.vlan, &network, subnet.prefix.bits,
                                              subnet.gateway.is_set() ? &gateway : nullptr,
                                              dns_servers, ntp_servers, domain,
                                              subnet.lease_seconds, subnet.boot_lease_seconds));
}

ByteSpan RecordEncoder::Encode(const RangeRecord& range) {
  buffer_->builder.Clear();
  const schema::Address first = ToWire(range.first);
  const schema::Address last = ToWire(range.last);
  return buffer_->Finish(schema::CreateRange(buffer_->builder, range.subnet,
                                             static_cast<schema::RangeKind>(range.kind), &first,
                                             &last, static_cast<schema::RangeState>(range.state)));
}

ByteSpan RecordEncoder::Encode(const MachineRecord& machine) {
  flatbuffers::FlatBufferBuilder& builder = buffer_->builder;
  builder.Clear();
  const auto hostname = buffer_->Text(machine.hostname);
  flatbuffers::Offset<flatbuffers::Vector<std::uint8_t>> uuid;
  if (machine.uuid != Uuid{}) {
    uuid = builder.CreateVector(machine.uuid.data(), machine.uuid.size());
  }
  const auto options = buffer_->Text(machine.kernel_options);
  return buffer_->Finish(schema::CreateMachine(builder, hostname, uuid,
                                               static_cast<schema::BootTarget>(machine.boot_target),
                                               machine.image, machine.state_generation, options));
}

ByteSpan RecordEncoder::Encode(const InterfaceRecord& interface) {
  buffer_->builder.Clear();
  const schema::Address address = ToWire(interface.address);
  const schema::Address address6 = ToWire(interface.address6);
  return buffer_->Finish(schema::CreateInterface(
      buffer_->builder, interface.machine, interface.mac.ToU64(), interface.vlan, interface.subnet,
      interface.address.is_set() ? &address : nullptr, interface.subnet6,
      interface.address6.is_set() ? &address6 : nullptr));
}

ByteSpan RecordEncoder::Encode(const ServedInterfaceRecord& served) {
  buffer_->builder.Clear();
  const auto name = buffer_->Text(served.name);
  return buffer_->Finish(schema::CreateServedInterface(buffer_->builder, name, served.vlan));
}

ByteSpan RecordEncoder::Encode(const ImageRecord& image) {
  flatbuffers::FlatBufferBuilder& builder = buffer_->builder;
  builder.Clear();
  std::vector<flatbuffers::Offset<schema::ImageFile>> files;
  for (const ImageFile& file : image.files) {
    const auto name = buffer_->Text(file.name);
    const auto sha256 = builder.CreateVector(
        reinterpret_cast<const std::uint8_t*>(file.sha256.data()), file.sha256.size());
    files.push_back(schema::CreateImageFile(builder, name, static_cast<schema::FileRole>(file.role),
                                            sha256, file.bytes));
  }
  const auto name = buffer_->Text(image.name);
  const auto architecture = buffer_->Text(image.architecture);
  const auto command_line = buffer_->Text(image.command_line);
  const auto list = builder.CreateVector(files);
  return buffer_->Finish(schema::CreateImage(
      builder, name, static_cast<schema::ImageKind>(image.kind), architecture, command_line, list));
}

namespace {

// An empty list is an absent field.
template <typename T, std::size_t N>
[[nodiscard]] flatbuffers::Offset<flatbuffers::Vector<T>> Numbers(
    flatbuffers::FlatBufferBuilder& builder, const FixedVector<T, N>& from) {
  return from.empty() ? flatbuffers::Offset<flatbuffers::Vector<T>>{}
                      : builder.CreateVector(from.data(), from.size());
}

[[nodiscard]] flatbuffers::Offset<flatbuffers::Vector<std::uint8_t>> Bytes(
    flatbuffers::FlatBufferBuilder& builder, ByteSpan from) {
  return from.empty() ? flatbuffers::Offset<flatbuffers::Vector<std::uint8_t>>{}
                      : builder.CreateVector(reinterpret_cast<const std::uint8_t*>(from.data()),
                                             from.size());
}

}  // namespace

ByteSpan RecordEncoder::Encode(const DhcpClassRecord& dhcp_class) {
  flatbuffers::FlatBufferBuilder& builder = buffer_->builder;
  builder.Clear();
  const auto name = buffer_->Text(dhcp_class.name);
  const auto architectures = Numbers(builder, dhcp_class.architectures);
  const auto vendor_class = buffer_->Text(dhcp_class.vendor_class);
  const auto user_class = buffer_->Text(dhcp_class.user_class);
  const auto mac_prefix = Numbers(builder, dhcp_class.mac_prefix);
  const auto circuit_id =
      Bytes(builder, {dhcp_class.circuit_id.data(), dhcp_class.circuit_id.size()});
  const auto remote_id = Bytes(builder, {dhcp_class.remote_id.data(), dhcp_class.remote_id.size()});
  return buffer_->Finish(schema::CreateDhcpClass(builder, name, dhcp_class.priority, architectures,
                                                 vendor_class, user_class, mac_prefix, circuit_id,
                                                 remote_id));
}

ByteSpan RecordEncoder::Encode(const DhcpOptionRecord& option) {
  flatbuffers::FlatBufferBuilder& builder = buffer_->builder;
  builder.Clear();
  const auto value = Bytes(builder, option.value);
  return buffer_->Finish(
      schema::CreateDhcpOption(builder, static_cast<schema::OptionScope>(option.scope), option.of,
                               static_cast<schema::Family>(option.family), option.code, value,
                               option.always, option.suppress));
}

ByteSpan RecordEncoder::Encode(const RackPairRecord& pair) {
  flatbuffers::FlatBufferBuilder& builder = buffer_->builder;
  builder.Clear();
  const auto name = buffer_->Text(pair.partner_name);
  const auto key = buffer_->Text(pair.partner_key);
  std::array<schema::PartnerVlan, limits::kServedVlansMax> wire;
  std::transform(pair.shared_vlans.begin(), pair.shared_vlans.end(), wire.begin(),
                 [](const PartnerVlan& vlan) {
                   return schema::PartnerVlan(vlan.vlan, ToWire(vlan.address),
                                              ToWire(vlan.address6));
                 });
  flatbuffers::Offset<flatbuffers::Vector<const schema::PartnerVlan*>> vlans;
  if (!pair.shared_vlans.empty()) {
    vlans = builder.CreateVectorOfStructs(wire.data(), pair.shared_vlans.size());
  }
  const schema::Address own = ToWire(pair.own_address);
  const schema::Address partner = ToWire(pair.partner_address);
  return buffer_->Finish(schema::CreateRackPair(builder, pair.side, pair.formed, pair.mclt_seconds,
                                                pair.partner, name, key, &own, pair.own_port,
                                                &partner, pair.partner_port, pair.term,
                                                pair.down_side, pair.survivor_stale, vlans));
}

}  // namespace slipway::config
