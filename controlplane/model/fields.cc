#include "controlplane/model/fields.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "controlplane/model/field_codec.h"
#include "dataplane/base/check.h"
#include "dataplane/base/limits.h"

namespace slipway::model {

namespace json = boost::json;

namespace {

constexpr std::uint64_t kDescriptionMax = 1'024;
constexpr std::uint64_t kSmallTextMax = 256;
constexpr std::uint64_t kOptionTextMax = 4'096;
constexpr std::uint64_t kEndpointTextMax = 64;
constexpr std::uint64_t kServersMax = config::kServersPerSubnetMax / 2;

constexpr std::string_view kUnknownPolicies[] = {"ignore", "local", "wait", "enlist"};
constexpr std::string_view kAdvertisements[] = {"off", "no-router-here", "full"};
constexpr std::string_view kDhcpModes[] = {"on", "proxy", "off"};
constexpr std::string_view kRangeKinds[] = {"dynamic", "reserved"};
constexpr std::string_view kRangeStates[] = {"active", "draining", "revoked"};
constexpr std::string_view kOrigins[] = {"user", "enlisted"};
constexpr std::string_view kBootTargets[] = {"local", "launcher", "image", "wait"};
constexpr std::string_view kImageKinds[] = {"loader", "launcher", "kernel"};
constexpr std::string_view kFileRoles[] = {"other", "kernel", "initrd", "loader"};
constexpr std::string_view kScopeNames[] = {"global", "vlan",  "subnet",
                                            "range",  "class", "machine"};
constexpr std::string_view kFamilies[] = {"v4", "v6"};
constexpr std::string_view kRackStates[] = {"enrolled", "revoked"};

using enum FieldType;
using enum FieldMode;

template <auto Member>
constexpr FieldAccess kAt = codec::MemberAccess<Member>::kAccess;

template <auto Member>
constexpr Field Text(std::string_view name, FieldMode mode, std::uint64_t bytes_max,
                     std::string_view doc) {
  return {.name = name,
          .type = kText,
          .mode = mode,
          .doc = doc,
          .access = kAt<Member>,
          .maximum = bytes_max};
}

template <auto Member>
constexpr Field Name(std::string_view name, FieldMode mode, std::string_view doc) {
  return {.name = name,
          .type = kName,
          .mode = mode,
          .doc = doc,
          .access = kAt<Member>,
          .maximum = limits::kHostnameBytesMax};
}

template <auto Member>
constexpr Field Number(std::string_view name, FieldMode mode, std::uint64_t minimum,
                       std::uint64_t maximum, std::string_view doc) {
  return {.name = name,
          .type = kUnsigned,
          .mode = mode,
          .doc = doc,
          .access = kAt<Member>,
          .minimum = minimum,
          .maximum = maximum};
}

template <auto Member>
constexpr Field Choice(std::string_view name, FieldMode mode,
                       std::span<const std::string_view> values, std::string_view doc) {
  return {.name = name,
          .type = kEnum,
          .mode = mode,
          .doc = doc,
          .access = kAt<Member>,
          .values = values};
}

template <auto Member>
constexpr Field Ref(std::string_view name, FieldMode mode, Kind target, std::string_view doc) {
  return {.name = name,
          .type = kRef,
          .mode = mode,
          .doc = doc,
          .access = kAt<Member>,
          .target = target};
}

// Types that need nothing more (kBool, kMac, kIp, kPrefix, kUuid, kSha256) or only a maximum.
template <auto Member>
constexpr Field Plain(std::string_view name, FieldType type, FieldMode mode, std::string_view doc,
                      std::uint64_t maximum = 0, std::span<const Field> record = {}) {
  return {.name = name,
          .type = type,
          .mode = mode,
          .doc = doc,
          .access = kAt<Member>,
          .maximum = maximum,
          .record = record};
}

// ---- the tables ----

constexpr Field kFabricFields[] = {
    Name<&Fabric::name>("name", kOptional, "Unique among fabrics; the id if not given."),
    Text<&Fabric::description>("description", kOptional, kDescriptionMax, "For people."),
};

constexpr Field kVlanFields[] = {
    Name<&Vlan::name>("name", kOptional, "Unique among VLANs; the id if not given."),
    Text<&Vlan::description>("description", kOptional, kDescriptionMax, "For people."),
    Ref<&Vlan::fabric>("fabric", kFixed, Kind::kFabric, "The fabric that it belongs to."),
    Number<&Vlan::vid>("vid", kImmutable, 0, 4094, "802.1Q id, unique in the fabric; 0: untagged."),
    Number<&Vlan::mtu>("mtu", kOptional, 576, 9216, "Bytes; given to DHCP clients."),
    Choice<&Vlan::unknown_policy>("unknown_policy", kOptional, kUnknownPolicies,
                                  "What happens to a machine that is not known."),
    Choice<&Vlan::router_advertisement>(
        "router_advertisement", kOptional, kAdvertisements,
        "no-router-here: answer router solicitations once with lifetime 0, so that firmware does "
        "not wait. full: advertise prefixes, MTU and DNS servers, with addresses by DHCPv6."),
    Number<&Vlan::router_lifetime_seconds>(
        "router_lifetime_seconds", kOptional, 0, 9000,
        "Of full advertisements; 0: the rack is no default router."),
    Choice<&Vlan::dhcp>("dhcp", kOptional, kDhcpModes,
                        "proxy: another server gives the addresses, the racks add boot data."),
    Plain<&Vlan::relays>("relays", kIpList, kOptional,
                         "Relay addresses outside its subnets, as loopbacks of anycast gateways.",
                         config::kRelaysPerVlanMax),
};

constexpr Field kSubnetFields[] = {
    Name<&Subnet::name>("name", kOptional, "Unique among subnets; the id if not given."),
    Text<&Subnet::description>("description", kOptional, kDescriptionMax, "For people."),
    Ref<&Subnet::vlan>("vlan", kFixed, Kind::kVlan, "The VLAN that it is on."),
    Plain<&Subnet::cidr>("cidr", kPrefix, kFixed,
                         "The network; no overlap with others of the fabric."),
    Plain<&Subnet::gateway>("gateway", kIp, kOptional, "Inside the network; null: none."),
    Plain<&Subnet::dns_servers>("dns_servers", kIpList, kOptional, "Given to DHCP clients.",
                                kServersMax),
    Plain<&Subnet::ntp_servers>("ntp_servers", kIpList, kOptional, "Given to DHCP clients.",
                                kServersMax),
    Text<&Subnet::domain>("domain", kOptional, 253, "Domain name given to DHCP clients."),
    Number<&Subnet::lease_seconds>("lease_seconds", kOptional, 60, 31'536'000, "Lease time."),
    Number<&Subnet::boot_lease_seconds>("boot_lease_seconds", kOptional, 30, 86'400,
                                        "Lease time of clients in firmware or a boot loader."),
};

constexpr Field kRangeFields[] = {
    Text<&AddressRange::description>("description", kOptional, kDescriptionMax, "For people."),
    Ref<&AddressRange::subnet>("subnet", kFixed, Kind::kSubnet, "The subnet that it is part of."),
    Choice<&AddressRange::kind>("kind", kOptional, kRangeKinds,
                                "dynamic: the DHCP pool; reserved: never given out."),
    Plain<&AddressRange::first>("first", kIp, kRequired, "First address."),
    Plain<&AddressRange::last>("last", kIp, kRequired, "Last address, inclusive."),
    Choice<&AddressRange::state>("state", kOptional, kRangeStates,
                                 "draining: nothing new, leases run out; revoked: renewals are "
                                 "refused."),
};

constexpr Field kDiskFields[] = {
    Text<&InventoryDisk::name>("name", kOptional, kSmallTextMax, "As the kernel calls it."),
    Text<&InventoryDisk::model>("model", kOptional, kSmallTextMax, ""),
    Text<&InventoryDisk::serial>("serial", kOptional, kSmallTextMax, ""),
    Number<&InventoryDisk::bytes>("bytes", kOptional, 0, UINT64_MAX, ""),
    Plain<&InventoryDisk::rotational>("rotational", kBool, kOptional, ""),
};

constexpr Field kNicFields[] = {
    Text<&InventoryNic::name>("name", kOptional, kSmallTextMax, "As the kernel calls it."),
    Plain<&InventoryNic::mac>("mac", kMac, kOptional, ""),
    Text<&InventoryNic::driver>("driver", kOptional, kSmallTextMax, ""),
    Text<&InventoryNic::pci_id>("pci_id", kOptional, kSmallTextMax, "Vendor and device."),
    Plain<&InventoryNic::link>("link", kBool, kOptional, "A carrier was seen."),
};

constexpr std::uint64_t kInventoryListMax = 256;

constexpr Field kInventoryFields[] = {
    Number<&Inventory::cpu_count>("cpu_count", kOptional, 0, UINT32_MAX, "Logical processors."),
    Text<&Inventory::cpu_model>("cpu_model", kOptional, kSmallTextMax, ""),
    Number<&Inventory::memory_mib>("memory_mib", kOptional, 0, UINT64_MAX, ""),
    Text<&Inventory::architecture>("architecture", kOptional, kSmallTextMax, ""),
    Text<&Inventory::vendor>("vendor", kOptional, kSmallTextMax, "From DMI."),
    Text<&Inventory::product>("product", kOptional, kSmallTextMax, "From DMI."),
    Text<&Inventory::serial>("serial", kOptional, kSmallTextMax, "From DMI."),
    Text<&Inventory::firmware>("firmware", kOptional, kSmallTextMax, "bios or uefi."),
    Plain<&Inventory::disks>("disks", kRecordList, kOptional, "", kInventoryListMax, kDiskFields),
    Plain<&Inventory::nics>("nics", kRecordList, kOptional, "", kInventoryListMax, kNicFields),
};

constexpr Field kMachineFields[] = {
    Name<&Machine::hostname>("hostname", kOptional, "Unique; the id if not given."),
    Text<&Machine::description>("description", kOptional, kDescriptionMax, "For people."),
    Plain<&Machine::uuid>("uuid", kUuid, kOptional, "SMBIOS UUID."),
    Choice<&Machine::origin>("origin", kReadOnly, kOrigins, "Who made it."),
    Choice<&Machine::boot_target>("boot_target", kOptional, kBootTargets,
                                  "What it boots from the network now."),
    Ref<&Machine::image>("image", kOptional, Kind::kImage, "With boot_target image."),
    Number<&Machine::state_generation>("state_generation", kReadOnly, 0, UINT32_MAX,
                                       "Grows with each change of boot_target or image."),
    Text<&Machine::kernel_options>("kernel_options", kOptional, 255,
                                   "Added to the kernel's command line."),
    Plain<&Machine::inventory>("inventory", kRecord, kReadOnly, "As last reported.", 0,
                               kInventoryFields),
    Text<&Machine::inventory_time>("inventory_time", kReadOnly, 40, "When, RFC 3339."),
};

constexpr Field kInterfaceFields[] = {
    Text<&Interface::name>("name", kOptional, limits::kInterfaceNameBytesMax,
                           "As the machine calls it."),
    Ref<&Interface::machine>("machine", kFixed, Kind::kMachine, "Whose it is."),
    Plain<&Interface::mac>("mac", kMac, kRequired, "Unique."),
    Ref<&Interface::vlan>("vlan", kOptional, Kind::kVlan, "Where it is plugged in; null: any."),
    Ref<&Interface::subnet>("subnet", kOptional, Kind::kSubnet,
                            "Of the address; found from it if not given."),
    Plain<&Interface::address>("address", kIp, kOptional, "Reserved for it; null: from the pool."),
    Ref<&Interface::subnet6>("subnet6", kOptional, Kind::kSubnet,
                             "Of address6; found from it if not given."),
    Plain<&Interface::address6>("address6", kIp, kOptional,
                                "IPv6, beside an IPv4 address; null: from the pool."),
};

constexpr Field kImageFileFields[] = {
    Text<&ImageFile::name>("name", kRequired, 63, "Within the image."),
    Choice<&ImageFile::role>("role", kOptional, kFileRoles, "What it is for."),
    Plain<&ImageFile::sha256>("sha256", kSha256, kRequired, "Of its contents."),
    Number<&ImageFile::bytes>("bytes", kRequired, 1, std::uint64_t{1} << 40, "Its size."),
};

constexpr Field kImageFields[] = {
    Name<&BootImage::name>("name", kRequired, "Unique; files are served as <name>/<file>."),
    Text<&BootImage::description>("description", kOptional, kDescriptionMax, "For people."),
    Choice<&BootImage::kind>("kind", kImmutable, kImageKinds, "What it is for."),
    Text<&BootImage::architecture>("architecture", kOptional, 15, "amd64, arm64, ..."),
    Text<&BootImage::command_line>("command_line", kOptional, 511, "Of its kernel."),
    Plain<&BootImage::files>("files", kRecordList, kOptional, "What it consists of.",
                             config::kFilesPerImageMax, kImageFileFields),
};

constexpr Field kRackFields[] = {
    Name<&Rack::name>("name", kRequired, "Unique among racks."),
    Text<&Rack::description>("description", kOptional, kDescriptionMax, "For people."),
    Text<&Rack::public_key>("public_key", kReadOnly, 40, "Its CURVE key, in Z85."),
    Choice<&Rack::state>("state", kOptional, kRackStates,
                         "revoked: it is refused from the next message on."),
};

constexpr Field kServedInterfaceFields[] = {
    Ref<&ServedInterface::rack>("rack", kFixed, Kind::kRack, "Whose it is."),
    Text<&ServedInterface::name>("name", kImmutable, limits::kInterfaceNameBytesMax,
                                 "As the rack's kernel calls it; unique on the rack. Left out: "
                                 "the VLAN is reached by relays only."),
    Ref<&ServedInterface::vlan>("vlan", kRequired, Kind::kVlan, "What it serves."),
    Plain<&ServedInterface::addresses>("addresses", kIpList, kReadOnly,
                                       "Of a rack in a pair: as it last reported them.",
                                       kServedAddressesMax),
};

constexpr Field kDhcpClassFields[] = {
    Name<&DhcpClass::name>("name", kOptional, "Unique among classes; the id if not given."),
    Text<&DhcpClass::description>("description", kOptional, kDescriptionMax, "For people."),
    Number<&DhcpClass::priority>("priority", kOptional, 0, UINT16_MAX,
                                 "Of two classes that set one option the higher one wins."),
    {.name = "architectures",
     .type = kUnsignedList,
     .doc = "Option 93 (61 of DHCPv6) is one of these: 0 BIOS, 7 and 9 x64 UEFI, 16 its HTTP form.",
     .access = kAt<&DhcpClass::architectures>,
     .minimum = UINT16_MAX,
     .maximum = config::kArchitecturesPerClassMax},
    Text<&DhcpClass::vendor_class>("vendor_class", kOptional, 255,
                                   "What option 60 (16 of DHCPv6) begins with."),
    Text<&DhcpClass::user_class>("user_class", kOptional, 255,
                                 "One of the items of option 77 (15 of DHCPv6)."),
    Text<&DhcpClass::mac_prefix>("mac_prefix", kOptional, 17,
                                 "1 to 6 octets that the MAC begins with: 52:54:00."),
    Text<&DhcpClass::circuit_id>("circuit_id", kOptional, 2 * config::kRelayIdBytesMax + 2,
                                 "Option 82.1 of the relay (18 of DHCPv6): text, or 0x and "
                                 "hexadecimal digits."),
    Text<&DhcpClass::remote_id>("remote_id", kOptional, 2 * config::kRelayIdBytesMax + 2,
                                "Option 82.2 of the relay (37 of DHCPv6, behind its enterprise), "
                                "likewise."),
};

constexpr Field kDhcpOptionFields[] = {
    Text<&DhcpOption::description>("description", kOptional, kDescriptionMax, "For people."),
    Choice<&DhcpOption::scope>("scope", kReadOnly, kScopeNames,
                               "Where it holds; it follows from the reference."),
    Ref<&DhcpOption::vlan>("vlan", kImmutable, Kind::kVlan, "It holds on this VLAN."),
    Ref<&DhcpOption::subnet>("subnet", kImmutable, Kind::kSubnet, "It holds in this subnet."),
    Ref<&DhcpOption::range>("range", kImmutable, Kind::kRange,
                            "It holds for addresses of this range."),
    Ref<&DhcpOption::dhcp_class>("class", kImmutable, Kind::kDhcpClass,
                                 "It holds for clients of this class."),
    Ref<&DhcpOption::machine>("machine", kImmutable, Kind::kMachine, "It holds for this machine."),
    Choice<&DhcpOption::family>("family", kImmutable, kFamilies, "Of DHCPv4 or of DHCPv6."),
    Text<&DhcpOption::option>("option", kFixed, 63,
                              "A name of docs/protocols/dhcp-options.md, or a code."),
    Number<&DhcpOption::code>("code", kReadOnly, 0, UINT16_MAX, "Its code."),
    Text<&DhcpOption::value>(
        "value", kOptional, kOptionTextMax,
        "In the form of the option's type; codes without a name: hexadecimal."),
    Plain<&DhcpOption::always>("always", kBool, kOptional,
                               "Sent to clients that did not ask for it too."),
    Plain<&DhcpOption::suppress>("suppress", kBool, kOptional,
                                 "Not sent here, whatever wider scopes say. Takes no value."),
};

constexpr Field kRackPairFields[] = {
    Name<&RackPair::name>("name", kOptional, "Unique among pairs; the id if not given."),
    Text<&RackPair::description>("description", kOptional, kDescriptionMax, "For people."),
    Ref<&RackPair::rack_a>("rack_a", kFixed, Kind::kRack,
                           "The founder: the one that served first. It gives the even addresses."),
    Ref<&RackPair::rack_b>("rack_b", kFixed, Kind::kRack, "The other one."),
    Text<&RackPair::address_a>("address_a", kRequired, kEndpointTextMax,
                               "Where rack_b reaches rack_a: 10.0.0.2, 10.0.0.2:5252 or "
                               "[2001:db8::2]:5252."),
    Text<&RackPair::address_b>("address_b", kRequired, kEndpointTextMax,
                               "Where rack_a reaches rack_b."),
    Number<&RackPair::mclt_seconds>("mclt_seconds", kImmutable, 30, 86'400,
                                    "What either rack promises at most while it is alone."),
    Number<&RackPair::auto_partner_down_seconds>(
        "auto_partner_down_seconds", kOptional, 0, 604'800,
        "Declare a rack down that was away from the region and its partner for so long; 0: only a "
        "person does."),
    Plain<&RackPair::formed>("formed", kBool, kReadOnly, "Both have been in state normal."),
    Number<&RackPair::term>("term", kReadOnly, 0, UINT64_MAX,
                            "Grows with each word that a rack is down."),
    Ref<&RackPair::down>("down", kReadOnly, Kind::kRack, "The rack that is declared down."),
    Plain<&RackPair::survivor_stale>("survivor_stale", kBool, kReadOnly,
                                     "The other one was declared down before, and the two have "
                                     "not met since."),
    Text<&RackPair::down_reason>("down_reason", kReadOnly, kDescriptionMax, "Why."),
    Text<&RackPair::down_time>("down_time", kReadOnly, 40, "Since when, RFC 3339."),
};

constexpr std::array<std::span<const Field>, kStoredKindCount> kTables = {
    kFabricFields,          kVlanFields,      kSubnetFields,     kRangeFields,
    kMachineFields,         kInterfaceFields, kImageFields,      kRackFields,
    kServedInterfaceFields, kDhcpClassFields, kDhcpOptionFields, kRackPairFields};

// Every alternative of Entity is at the variant's address in effect: this gives the struct.
const void* StructOf(const Entity& entity) {
  return std::visit([](const auto& alternative) -> const void* { return &alternative; }, entity);
}

void* StructOf(Entity& entity) {
  return std::visit([](auto& alternative) -> void* { return &alternative; }, entity);
}

template <std::size_t... I>
Entity MakeEmpty(Kind kind, std::index_sequence<I...>) {
  Entity entity;
  ((static_cast<std::size_t>(kind) == I ? (void)entity.emplace<I>() : (void)0), ...);
  return entity;
}

json::value Get(const Field& field, const Entity& entity) {
  json::value value;
  field.access.get(field, StructOf(entity), value);
  return value;
}

constexpr std::string_view kSkipped[] = {"id", "kind", "created", "modified"};

// A name where an id belongs becomes the id's text.
json::value Resolved(const Field& field, const json::value& value, const NameResolver* resolver) {
  if (field.type != kRef || resolver == nullptr || !value.is_string()) {
    return value;
  }
  const std::string_view text(value.get_string().data(), value.get_string().size());
  const EntityId id = resolver->Resolve(field.target, text);
  return id.is_set() ? json::value(FormatId(field.target, id)) : value;
}

// Sets one field under the rules of the mode.
bool SetField(const Field& field, const json::value& value, ParseMode mode, Entity& entity,
              Problem& problem) {
  const bool frozen = (mode == ParseMode::kPatch && field.immutable()) ||
                      (mode != ParseMode::kInternal && field.read_only());
  if (!frozen) {
    if (value.is_null() && field.required() && mode != ParseMode::kInternal) {
      return codec::Wrong(problem, "must not be null", "give a value");
    }
    return field.access.set(field, StructOf(entity), value, problem);
  }
  Entity candidate = entity;
  if (!field.access.set(field, StructOf(candidate), value, problem)) {
    return false;
  }
  if (Get(field, candidate) == Get(field, entity)) {
    return true;
  }
  if (field.read_only()) {
    return codec::Wrong(problem, "is read-only", "leave it out");
  }
  return codec::Wrong(problem, "cannot be changed",
                      "leave it out, or delete this one and create another");
}

Problem UnknownField(Kind kind, std::string_view name) {
  std::vector<std::string_view> names;
  for (const Field& field : FieldsOf(kind)) {
    names.push_back(field.name);
  }
  const std::string_view near = Nearest(name, names);
  return {.field = std::string(name.substr(0, 64)),
          .problem = "is not a field of a " + std::string(InfoOf(kind).name),
          .cure = near.empty() ? "remove it" : "did you mean \"" + std::string(near) + "\"?"};
}

}  // namespace

Entity EmptyEntity(Kind kind) {
  SLIP_CHECK(InfoOf(kind).stored);
  return MakeEmpty(kind, std::make_index_sequence<kStoredKindCount>());
}

std::span<const Field> FieldsOf(Kind kind) noexcept {
  const auto index = static_cast<std::size_t>(kind);
  return index < kTables.size() ? kTables[index] : std::span<const Field>();
}

const Field* FindField(Kind kind, std::string_view name) noexcept {
  const std::span<const Field> fields = FieldsOf(kind);
  const auto found = std::ranges::find(fields, name, &Field::name);
  return found == fields.end() ? nullptr : &*found;
}

std::string_view ToString(FieldType type) noexcept {
  constexpr std::string_view kNames[] = {"text",      "name", "boolean", "number",  "choice",
                                         "reference", "mac",  "address", "network", "addresses",
                                         "numbers",   "uuid", "sha256",  "record",  "records"};
  return kNames[static_cast<std::size_t>(type)];
}

json::value DefaultOf(Kind kind, const Field& field) { return Get(field, EmptyEntity(kind)); }

Problems ParseFields(const json::object& from, ParseMode mode, const NameResolver* resolver,
                     Entity& entity) {
  Problems problems;
  const Kind kind = KindOf(entity);
  for (const auto& [key, value] : from) {
    const std::string_view name(key.data(), key.size());
    const Field* field = FindField(kind, name);
    if (field == nullptr) {
      if (std::ranges::find(kSkipped, name) == std::end(kSkipped)) {
        problems.push_back(UnknownField(kind, name));
      }
      continue;
    }
    Problem problem{.field = std::string(name), .problem = {}, .cure = {}};
    if (!SetField(*field, Resolved(*field, value, resolver), mode, entity, problem)) {
      problems.push_back(std::move(problem));
    }
  }
  if (mode == ParseMode::kCreate) {
    for (const Field& field : FieldsOf(kind)) {
      if (field.required() && !from.contains(field.name)) {
        problems.push_back({.field = std::string(field.name),
                            .problem = "is missing",
                            .cure = "add it: " + std::string(field.doc)});
      }
    }
  }
  return problems;
}

json::object RenderFields(const Entity& entity) {
  return codec::GetRecord(FieldsOf(KindOf(entity)), StructOf(entity), true);
}

std::string EncodeStored(const Entity& entity) {
  json::object object = codec::GetRecord(FieldsOf(KindOf(entity)), StructOf(entity), false);
  object.emplace("v", kStoredVersion);
  return json::serialize(object);
}

Result<Entity> DecodeStored(Kind kind, std::string_view bytes) {
  json::error_code error;
  const json::value value = json::parse(json::string_view(bytes.data(), bytes.size()), error);
  if (error || !value.is_object()) {
    return Fail(ErrorCode::kMalformed);
  }
  const json::object& object = value.get_object();
  const json::value* version = object.if_contains("v");
  if (version == nullptr || !version->is_int64()) {
    return Fail(ErrorCode::kMalformed);
  }
  if (static_cast<std::uint64_t>(version->get_int64()) > kStoredVersion) {
    return Fail(ErrorCode::kBadVersion, static_cast<std::uint32_t>(version->get_int64()));
  }
  Entity entity = EmptyEntity(kind);
  for (const auto& [key, item] : object) {
    const Field* field = FindField(kind, std::string_view(key.data(), key.size()));
    Problem problem;
    if (field != nullptr && !SetField(*field, item, ParseMode::kInternal, entity, problem)) {
      return Fail(ErrorCode::kMalformed);
    }
  }
  return entity;
}

std::string_view Nearest(std::string_view word, std::span<const std::string_view> candidates) {
  constexpr std::size_t kWordMax = 64;
  std::string_view best;
  std::size_t best_distance = word.size() > 4 ? 3 : 2;  // less than this is near
  if (word.size() > kWordMax) {
    return best;
  }
  for (const std::string_view candidate : candidates) {
    std::array<std::size_t, kWordMax + 1> row{};
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < candidate.size(); ++i) {
      std::size_t diagonal = row[0];
      row[0] = i + 1;
      for (std::size_t j = 0; j < word.size(); ++j) {
        const std::size_t substitute = diagonal + (candidate[i] == word[j] ? 0 : 1);
        diagonal = row[j + 1];
        row[j + 1] = std::min({row[j + 1] + 1, row[j] + 1, substitute});
      }
    }
    if (row[word.size()] < best_distance) {
      best_distance = row[word.size()];
      best = candidate;
    }
  }
  return best;
}

}  // namespace slipway::model
