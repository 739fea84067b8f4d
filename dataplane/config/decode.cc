#include "dataplane/config/decode.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "dataplane/config/limits.h"
#include "schemas/config_generated.h"

namespace slipway::config {
namespace {

// A verified body. flatbuffers reads numbers in place, so a body that does not start on an aligned
// address (they come out of the middle of link messages and files) is copied first.
template <typename Root>
class Body {
 public:
  [[nodiscard]] Result<const Root*> Open(ByteSpan bytes) {
    if (bytes.size() > kRecordBytesMax) {
      return Fail(ErrorCode::kTooLarge, static_cast<std::uint32_t>(bytes.size()));
    }
    const auto address = reinterpret_cast<std::uintptr_t>(bytes.data());
    if (address % kAlignment != 0) {
      std::copy(bytes.begin(), bytes.end(), copy_.begin());
      bytes = ByteSpan(copy_).first(bytes.size());
    }
    const auto* const data = reinterpret_cast<const std::uint8_t*>(bytes.data());
    flatbuffers::Verifier verifier(data, bytes.size(), kVerifierDepthMax, kVerifierTablesMax);
    if (!verifier.VerifyBuffer<Root>(nullptr)) {
      return Fail(ErrorCode::kMalformed);
    }
    data_ = data;
    return flatbuffers::GetRoot<Root>(data);
  }

  // Of a place inside what Open gave.
  [[nodiscard]] std::size_t OffsetOf(const std::uint8_t* place) const noexcept {
    return static_cast<std::size_t>(place - data_);
  }

 private:
  static constexpr std::size_t kAlignment = 8;
  const std::uint8_t* data_ = nullptr;
  alignas(kAlignment) std::array<std::byte, kRecordBytesMax> copy_;
};

[[nodiscard]] std::string_view Text(const flatbuffers::String* text) noexcept {
  return text == nullptr ? std::string_view{} : std::string_view{text->c_str(), text->size()};
}

template <std::size_t N>
[[nodiscard]] Result<void> Assign(FixedString<N>& to, const flatbuffers::String* from) {
  const std::string_view text = Text(from);
  if (!to.Assign(text)) {
    return Fail(ErrorCode::kTooLarge, static_cast<std::uint32_t>(text.size()));
  }
  return {};
}

[[nodiscard]] IpAddress ToAddress(const schema::Address* from) noexcept {
  Ipv6Address address;
  if (from != nullptr) {
    std::memcpy(address.octets.data(), from->bytes()->data(), address.octets.size());
  }
  return IpAddress(address);
}

template <std::size_t N>
[[nodiscard]] Result<void> Assign(FixedVector<IpAddress, N>& to,
                                  const flatbuffers::Vector<const schema::Address*>* from) {
  const std::size_t count = from == nullptr ? 0 : from->size();
  for (std::size_t i = 0; i < count; ++i) {
    if (!to.push_back(ToAddress(from->Get(static_cast<flatbuffers::uoffset_t>(i))))) {
      return Fail(ErrorCode::kTooLarge, static_cast<std::uint32_t>(count));
    }
  }
  return {};
}

// Fails with kOutOfRange and the field's number unless `good`.
[[nodiscard]] Result<void> Require(bool good, std::uint32_t field) {
  if (!good) {
    return Fail(ErrorCode::kOutOfRange, field);
  }
  return {};
}

template <typename To, typename From>
[[nodiscard]] To EnumOr(From from, From highest, To unknown) noexcept {
  return from <= highest ? static_cast<To>(from) : unknown;
}

[[nodiscard]] Result<ImageFile> ToFile(const schema::ImageFile& from) {
  ImageFile file;
  SLIP_TRY(Assign(file.name, from.name()));
  const std::string_view name = file.name;
  SLIP_TRY(Require(!name.empty() && name.find('/') == std::string_view::npos, 0));
  file.role = EnumOr(from.role(), schema::FileRole::MAX, FileRole::kOther);
  if (from.sha256() == nullptr || from.sha256()->size() != file.sha256.size()) {
    return Fail(ErrorCode::kMalformed, 2);
  }
  std::memcpy(file.sha256.data(), from.sha256()->data(), file.sha256.size());
  file.bytes = from.bytes();
  return file;
}

}  // namespace

Result<VlanRecord> DecodeVlan(RecordId id, ByteSpan body) {
  Body<schema::Vlan> holder;
  const schema::Vlan& from = *SLIP_TRY(holder.Open(body));
  VlanRecord vlan{.id = id, .vid = from.vid(), .mtu = from.mtu(), .relays = {}, .name = {}};
  SLIP_TRY(Require(id != 0, 0));
  SLIP_TRY(Require(from.vid() <= 4094, 1));  // IEEE 802.1Q: 4095 is reserved; 0 is untagged
  SLIP_TRY(Require(from.mtu() >= 576, 2));   // RFC 1122 3.3.2
  SLIP_TRY(Assign(vlan.name, from.name()));
  vlan.unknown_policy =
      EnumOr(from.unknown_policy(), schema::UnknownPolicy::MAX, UnknownPolicy::kIgnore);
  vlan.router_advertisement = EnumOr(from.router_advertisement(), schema::RouterAdvertisement::MAX,
                                     RouterAdvertisement::kOff);
  vlan.router_lifetime_s = from.router_lifetime_s();
  // A mode of a newer region that we do not know: silence harms least.
  vlan.dhcp = EnumOr(from.dhcp(), schema::DhcpMode::MAX, DhcpMode::kOff);
  SLIP_TRY(Assign(vlan.relays, from.relays()));
  return vlan;
}

Result<SubnetRecord> DecodeSubnet(RecordId id, ByteSpan body) {
  Body<schema::Subnet> holder;
  const schema::Subnet& from = *SLIP_TRY(holder.Open(body));
  SubnetRecord subnet{.id = id, .vlan = from.vlan()};
  SLIP_TRY(Require(id != 0 && from.vlan() != 0, 0));
  if (from.network() == nullptr) {
    return Fail(ErrorCode::kMalformed, 1);
  }
  subnet.prefix.address = ToAddress(from.network());
  subnet.prefix.bits = from.bits();
  SLIP_TRY(Require(from.bits() <= (subnet.prefix.address.is_v4() ? 32 : 128), 2));
  SLIP_TRY(Require(subnet.prefix.Network() == subnet.prefix, 1));
  subnet.gateway = ToAddress(from.gateway());
  SLIP_TRY(Assign(subnet.dns_servers, from.dns_servers()));
  SLIP_TRY(Assign(subnet.ntp_servers, from.ntp_servers()));
  SLIP_TRY(Assign(subnet.domain, from.domain()));
  subnet.lease_seconds = from.lease_seconds();
  subnet.boot_lease_seconds = from.boot_lease_seconds();
  SLIP_TRY(Require(subnet.lease_seconds > 0, 7));
  SLIP_TRY(Require(subnet.boot_lease_seconds > 0, 8));
  return subnet;
}

Result<RangeRecord> DecodeRange(RecordId id, ByteSpan body) {
  Body<schema::Range> holder;
  const schema::Range& from = *SLIP_TRY(holder.Open(body));
  SLIP_TRY(Require(id != 0 && from.subnet() != 0, 0));
  const RangeRecord range{
      .id = id,
      .subnet = from.subnet(),
      .kind = EnumOr(from.kind(), schema::RangeKind::MAX, RangeKind::kReserved),
      .first = ToAddress(from.first()),
      .last = ToAddress(from.last()),
      .state = EnumOr(from.state(), schema::RangeState::MAX, RangeState::kDraining)};
  SLIP_TRY(Require(range.first.is_set(), 2));
  SLIP_TRY(Require(range.first.is_v4() == range.last.is_v4() && range.first <= range.last, 3));
  return range;
}

Result<MachineRecord> DecodeMachine(RecordId id, ByteSpan body) {
  Body<schema::Machine> holder;
  const schema::Machine& from = *SLIP_TRY(holder.Open(body));
  SLIP_TRY(Require(id != 0, 0));
  MachineRecord machine{.id = id, .hostname = {}, .uuid = {}, .kernel_options = {}};
  SLIP_TRY(Assign(machine.hostname, from.hostname()));
  if (from.uuid() != nullptr) {
    SLIP_TRY(Require(from.uuid()->size() == machine.uuid.size(), 1));
    std::memcpy(machine.uuid.data(), from.uuid()->data(), machine.uuid.size());
  }
  machine.boot_target = EnumOr(from.boot_target(), schema::BootTarget::MAX, BootTarget::kWait);
  machine.image = from.image();
  machine.state_generation = from.state_generation();
  SLIP_TRY(Assign(machine.kernel_options, from.kernel_options()));
  return machine;
}

Result<InterfaceRecord> DecodeInterface(RecordId id, ByteSpan body) {
  Body<schema::Interface> holder;
  const schema::Interface& from = *SLIP_TRY(holder.Open(body));
  SLIP_TRY(Require(id != 0, 0));
  SLIP_TRY(Require(from.mac() != 0 && (from.mac() >> 48) == 0, 1));
  return InterfaceRecord{.id = id,
                         .machine = from.machine(),
                         .mac = MacAddress::FromU64(from.mac()),
                         .vlan = from.vlan(),
                         .subnet = from.subnet(),
                         .address = ToAddress(from.address()),
                         .subnet6 = from.subnet6(),
                         .address6 = ToAddress(from.address6())};
}

Result<ServedInterfaceRecord> DecodeServedInterface(RecordId id, ByteSpan body) {
  Body<schema::ServedInterface> holder;
  const schema::ServedInterface& from = *SLIP_TRY(holder.Open(body));
  SLIP_TRY(Require(id != 0, 0));
  ServedInterfaceRecord served{.id = id, .name = {}, .vlan = from.vlan()};
  SLIP_TRY(Assign(served.name, from.name()));
  SLIP_TRY(Require(!served.name.empty(), 0));
  return served;
}

Result<ImageRecord> DecodeImage(RecordId id, ByteSpan body) {
  Body<schema::Image> holder;
  const schema::Image& from = *SLIP_TRY(holder.Open(body));
  SLIP_TRY(Require(id != 0, 0));
  ImageRecord image;
  image.id = id;
  SLIP_TRY(Assign(image.name, from.name()));
  const std::string_view name = image.name;
  SLIP_TRY(Require(!name.empty() && name.find('/') == std::string_view::npos, 0));
  image.kind = EnumOr(from.kind(), schema::ImageKind::MAX, ImageKind::kKernel);
  SLIP_TRY(Assign(image.architecture, from.architecture()));
  SLIP_TRY(Assign(image.command_line, from.command_line()));
  const std::size_t count = from.files() == nullptr ? 0 : from.files()->size();
  for (std::size_t i = 0; i < count; ++i) {
    const auto* const file = from.files()->Get(static_cast<flatbuffers::uoffset_t>(i));
    if (!image.files.push_back(SLIP_TRY(ToFile(*file)))) {
      return Fail(ErrorCode::kTooLarge, static_cast<std::uint32_t>(count));
    }
  }
  return image;
}

namespace {

template <typename T, std::size_t N, typename From>
[[nodiscard]] Result<void> AssignNumbers(FixedVector<T, N>& to,
                                         const flatbuffers::Vector<From>* from) {
  const std::size_t count = from == nullptr ? 0 : from->size();
  for (std::size_t i = 0; i < count; ++i) {
    if (!to.push_back(static_cast<T>(from->Get(static_cast<flatbuffers::uoffset_t>(i))))) {
      return Fail(ErrorCode::kTooLarge, static_cast<std::uint32_t>(count));
    }
  }
  return {};
}

}  // namespace

Result<DhcpClassRecord> DecodeDhcpClass(RecordId id, ByteSpan body) {
  Body<schema::DhcpClass> holder;
  const schema::DhcpClass& from = *SLIP_TRY(holder.Open(body));
  SLIP_TRY(Require(id != 0, 0));
  DhcpClassRecord record;
  record.id = id;
  record.priority = from.priority();
  SLIP_TRY(Assign(record.name, from.name()));
  SLIP_TRY(AssignNumbers(record.architectures, from.architectures()));
  SLIP_TRY(Assign(record.vendor_class, from.vendor_class()));
  SLIP_TRY(Assign(record.user_class, from.user_class()));
  SLIP_TRY(AssignNumbers(record.mac_prefix, from.mac_prefix()));
  SLIP_TRY(AssignNumbers(record.circuit_id, from.circuit_id()));
  SLIP_TRY(AssignNumbers(record.remote_id, from.remote_id()));
  return record;
}

namespace {

// A VLAN at most once, by rising id: equal records have equal bytes.
[[nodiscard]] Result<void> AssignVlans(
    RackPairRecord& pair, const flatbuffers::Vector<const schema::PartnerVlan*>* from) {
  const std::size_t count = from == nullptr ? 0 : from->size();
  RecordId last = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const schema::PartnerVlan& vlan = *from->Get(static_cast<flatbuffers::uoffset_t>(i));
    SLIP_TRY(Require(vlan.vlan() > last, 13));
    last = vlan.vlan();
    if (!pair.shared_vlans.push_back({.vlan = vlan.vlan(),
                                      .address = ToAddress(&vlan.address()),
                                      .address6 = ToAddress(&vlan.address6())})) {
      return Fail(ErrorCode::kTooLarge, static_cast<std::uint32_t>(count));
    }
  }
  return {};
}

}  // namespace

Result<RackPairRecord> DecodeRackPair(RecordId id, ByteSpan body) {
  Body<schema::RackPair> holder;
  const schema::RackPair& from = *SLIP_TRY(holder.Open(body));
  SLIP_TRY(Require(id != 0, 0));
  SLIP_TRY(Require(from.side() <= 1 && from.down_side() <= 1, 0));
  SLIP_TRY(Require(from.mclt_seconds() > 0, 2));
  SLIP_TRY(Require(from.partner() != 0, 3));
  RackPairRecord pair;
  pair.id = id;
  pair.side = from.side();
  pair.formed = from.formed();
  pair.mclt_seconds = from.mclt_seconds();
  pair.partner = from.partner();
  SLIP_TRY(Assign(pair.partner_name, from.partner_name()));
  SLIP_TRY(Assign(pair.partner_key, from.partner_key()));
  SLIP_TRY(Require(pair.partner_key.view().size() == kCurveKeyTextBytes, 5));
  pair.own_address = ToAddress(from.own_address());
  pair.own_port = from.own_port();
  pair.partner_address = ToAddress(from.partner_address());
  pair.partner_port = from.partner_port();
  SLIP_TRY(Require(pair.own_address.is_set() && pair.own_port != 0, 6));
  SLIP_TRY(Require(pair.partner_address.is_set() && pair.partner_port != 0, 8));
  pair.term = from.term();
  pair.down_side = from.down_side();
  pair.survivor_stale = from.survivor_stale();
  SLIP_TRY(AssignVlans(pair, from.shared_vlans()));
  return pair;
}

Result<DhcpOptionRecord> DecodeDhcpOption(RecordId id, ByteSpan body) {
  Body<schema::DhcpOption> holder;
  const schema::DhcpOption& from = *SLIP_TRY(holder.Open(body));
  SLIP_TRY(Require(id != 0, 0));
  if (from.scope() > schema::OptionScope::MAX || from.family() > schema::Family::MAX) {
    return Fail(ErrorCode::kUnsupported);
  }
  SLIP_TRY(Require((from.of() == 0) == (from.scope() == schema::OptionScope::Global), 1));
  SLIP_TRY(Require(from.code() != 0, 3));
  DhcpOptionRecord record{.id = id,
                          .scope = static_cast<OptionScope>(from.scope()),
                          .of = from.of(),
                          .family = static_cast<Family>(from.family()),
                          .code = from.code(),
                          .always = from.always(),
                          .suppress = from.suppress(),
                          .value = {}};
  if (from.value() != nullptr) {
    const std::size_t size = from.value()->size();
    if (size > limits::kDhcpOptionBytesMax) {
      return Fail(ErrorCode::kTooLarge, static_cast<std::uint32_t>(size));
    }
    // The verified bytes may be an aligned copy: the value is given where the caller has it.
    record.value = body.subspan(holder.OffsetOf(from.value()->data()), size);
  }
  return record;
}

}  // namespace slipway::config
