#include "controlplane/model/validate.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "controlplane/model/dhcp.h"
#include "controlplane/model/pair.h"
#include "dataplane/base/limits.h"

namespace slipway::model {

namespace {

std::string Text(const IpAddress& address) { return std::string(ToText(address).view()); }

std::string Text(const IpPrefix& prefix) { return std::string(ToText(prefix).view()); }

std::string IdText(EntityRef ref) { return FormatId(ref.kind, ref.id); }

// The id and, where there is one, the name: what people can act on.
std::string Describe(const ModelIndex& index, EntityRef ref) {
  std::string text(InfoOf(ref.kind).name);
  text += " " + IdText(ref);
  const Row* row = index.Find(ref.kind, ref.id);
  if (row != nullptr && !InfoOf(ref.kind).name_field.empty()) {
    text += " (" + NameOf(row->entity) + ")";
  }
  return text;
}

// Collects problems of one entity.
class Checker {
 public:
  Checker(const ModelIndex& index, EntityRef self) : index_(index), self_(self) {}

  void Wrong(std::string_view field, std::string problem, std::string cure) {
    problems_.push_back({.field = std::string(field),
                         .problem = std::move(problem),
                         .cure = std::move(cure),
                         .taken = false});
  }

  void Taken(std::string_view field, std::string_view what, EntityRef by, std::string cure) {
    problems_.push_back({.field = std::string(field),
                         .problem = std::string(what) + " is taken by " + Describe(index_, by),
                         .cure = std::move(cure),
                         .taken = true});
  }

  // The row, or nullptr and a problem.
  template <typename T>
  const T* Reference(std::string_view field, Kind kind, EntityId id) {
    const T* target = index_.Get<T>(kind, id);
    if (target == nullptr) {
      Wrong(field, id.is_set() ? FormatId(kind, id) + " does not exist" : std::string("is missing"),
            "give the id or name of an existing " + std::string(InfoOf(kind).name));
    }
    return target;
  }

  void UniqueName(std::string_view name) {
    const std::string_view field = InfoOf(self_.kind).name_field;
    const Row* other = index_.FindByName(self_.kind, name);
    if (other != nullptr && other->id != self_.id) {
      Taken(field, "\"" + std::string(name) + "\"", {.kind = self_.kind, .id = other->id},
            "choose another name");
    }
  }

  // Usable as a host's address in the network?
  bool HostAddress(std::string_view field, const IpPrefix& cidr, const IpAddress& address) {
    if (!cidr.Contains(address) || cidr.address.is_v4() != address.is_v4()) {
      Wrong(field, Text(address) + " is not inside " + Text(cidr),
            "choose an address of that network");
      return false;
    }
    if (!cidr.address.is_v4() || cidr.bits >= 31) {  // RFC 3021: both addresses of a /31 are hosts
      return true;
    }
    const std::uint32_t host = address.v4().value & ~Ipv4Mask(cidr.bits).value;
    if (host == 0 || host == ~Ipv4Mask(cidr.bits).value) {
      Wrong(field, Text(address) + " is the network's own or its broadcast address",
            "choose an address in between");
      return false;
    }
    return true;
  }

  void operator()(const Fabric& fabric) { UniqueName(fabric.name); }

  void operator()(const Vlan& vlan);
  void operator()(const Subnet& subnet);
  void operator()(const AddressRange& range);
  void operator()(const Machine& machine);
  void operator()(const Interface& interface);
  void operator()(const BootImage& image);
  void operator()(const Rack& rack);
  void operator()(const ServedInterface& served);
  void operator()(const DhcpClass& dhcp_class);
  void operator()(const DhcpOption& option);
  void operator()(const RackPair& pair);

  Problems Take() { return std::move(problems_); }

 private:
  void NoOverlap(const Subnet& subnet, EntityId fabric);
  void Relays(const Vlan& vlan);
  void Gateway(const Subnet& subnet);
  void Reserved(const Interface& interface, const Reservation& reservation);
  void Domain(std::string_view domain);
  void OptionValue(const DhcpOption& option);
  void OptionTarget(const DhcpOption& option);
  void OptionBound(const DhcpOption& option);
  void ServedBounds(const ServedInterface& served);
  void OneRackOrAPair(std::string_view field, EntityId vlan, std::set<EntityId> racks);
  void PairedRack(std::string_view field, EntityId rack_id);
  void PairAddress(std::string_view field, std::string_view text);

  const ModelIndex& index_;
  const EntityRef self_;
  Problems problems_;
};

// A relay tells the VLAN of a client, so it may be listed once.
void Checker::Relays(const Vlan& vlan) {
  for (std::size_t i = 0; i < vlan.relays.size(); ++i) {
    const IpAddress& relay = vlan.relays[i];
    if (!relay.is_set() ||
        (relay.is_v4() && (relay.v4().is_multicast() || relay.v4().is_broadcast()))) {
      Wrong("relays", Text(relay) + " is not the address of a relay", "remove it");
    }
    if (std::ranges::find(vlan.relays.begin(), vlan.relays.begin() + static_cast<std::ptrdiff_t>(i),
                          relay) != vlan.relays.begin() + static_cast<std::ptrdiff_t>(i)) {
      Wrong("relays", Text(relay) + " is there twice", "remove one");
    }
    for (const auto& [id, row] : index_.All(Kind::kVlan)) {
      const auto& others = row.as<Vlan>().relays;
      if (id != self_.id && std::ranges::find(others, relay) != others.end()) {
        Taken("relays", Text(relay), {.kind = Kind::kVlan, .id = id},
              "list a relay with the one VLAN that it speaks for");
      }
    }
  }
}

void Checker::operator()(const Vlan& vlan) {
  UniqueName(vlan.name);
  Relays(vlan);
  if (Reference<Fabric>("fabric", Kind::kFabric, vlan.fabric) == nullptr) {
    return;
  }
  for (const EntityId id :
       index_.ChildrenOf({.kind = Kind::kFabric, .id = vlan.fabric}, Kind::kVlan)) {
    const Vlan* other = index_.Get<Vlan>(Kind::kVlan, id);
    if (id != self_.id && other != nullptr && other->vid == vlan.vid) {
      Taken("vid", std::to_string(vlan.vid), {.kind = Kind::kVlan, .id = id},
            "choose another id, or another fabric");
    }
  }
  if (vlan.dhcp == DhcpMode::kOn) {
    OneRackOrAPair("dhcp", self_.id, {});
  }
}

// Racks that do not know of each other would give one address twice. `racks`: those that serve the
// VLAN besides the ones that do so already.
void Checker::OneRackOrAPair(std::string_view field, EntityId vlan, std::set<EntityId> racks) {
  for (const EntityId id :
       index_.ChildrenOf({.kind = Kind::kVlan, .id = vlan}, Kind::kServedInterface)) {
    const auto* served = index_.Get<ServedInterface>(Kind::kServedInterface, id);
    if (served != nullptr && id != self_.id) {
      racks.insert(served->rack);
    }
  }
  if (racks.size() < 2) {
    return;
  }
  const Row* pair = PairOfRack(index_, *racks.begin());
  const bool paired = pair != nullptr && racks.size() == 2 &&
                      PartnerOf(pair->as<RackPair>(), *racks.begin()) == *std::next(racks.begin());
  if (!paired) {
    Wrong(field,
          Describe(index_, {.kind = Kind::kVlan, .id = vlan}) + " would be served by " +
              Describe(index_, {.kind = Kind::kRack, .id = *racks.begin()}) + " and " +
              Describe(index_, {.kind = Kind::kRack, .id = *std::next(racks.begin())}) +
              ", which are no pair",
          "make them a pair first, or set the VLAN's dhcp to proxy or off");
  }
}

void Checker::NoOverlap(const Subnet& subnet, EntityId fabric) {
  for (const EntityId vlan :
       index_.ChildrenOf({.kind = Kind::kFabric, .id = fabric}, Kind::kVlan)) {
    for (const EntityId id : index_.ChildrenOf({.kind = Kind::kVlan, .id = vlan}, Kind::kSubnet)) {
      const Subnet* other = index_.Get<Subnet>(Kind::kSubnet, id);
      if (id != self_.id && other != nullptr && other->cidr.Overlaps(subnet.cidr)) {
        Taken("cidr", Text(subnet.cidr), {.kind = Kind::kSubnet, .id = id},
              "its network " + Text(other->cidr) +
                  " overlaps: choose another, or put them into different fabrics");
      }
    }
  }
}

void Checker::Gateway(const Subnet& subnet) {
  if (!subnet.gateway.is_set() || !HostAddress("gateway", subnet.cidr, subnet.gateway)) {
    return;
  }
  if (const Row* row = index_.InterfaceByAddress(self_.id, subnet.gateway)) {
    Taken("gateway", Text(subnet.gateway), {.kind = Kind::kInterface, .id = row->id},
          "choose another gateway, or change that reservation");
  }
  for (const EntityId id : index_.ChildrenOf(self_, Kind::kRange)) {
    const AddressRange* range = index_.Get<AddressRange>(Kind::kRange, id);
    if (range != nullptr && range->kind == RangeKind::kDynamic && range->first <= subnet.gateway &&
        subnet.gateway <= range->last) {
      Taken("gateway", Text(subnet.gateway), {.kind = Kind::kRange, .id = id},
            "leave the gateway out of dynamic ranges");
    }
  }
}

void Checker::Domain(std::string_view domain) {
  if (domain.empty()) {
    return;
  }
  bool valid = true;
  std::size_t label = 0;
  for (std::size_t i = 0; i <= domain.size(); ++i) {
    const char c = i < domain.size() ? domain[i] : '.';
    if (c == '.') {
      valid = valid && label > 0 && label <= 63 && domain[i - 1] != '-';
      label = 0;
      continue;
    }
    const bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    valid = valid && (letter || (c == '-' && label > 0));
    ++label;
  }
  if (!valid) {
    Wrong("domain", "\"" + std::string(domain) + "\" is not a domain name",
          "use lower-case labels of letters, digits and hyphens, joined by dots, none at the end");
  }
}

void Checker::operator()(const Subnet& subnet) {
  UniqueName(subnet.name);
  Domain(subnet.domain);
  const std::uint8_t bits_min = subnet.cidr.address.is_v4() ? 8 : 32;
  if (subnet.cidr.bits < bits_min || (subnet.cidr.address.is_v4() && subnet.cidr.bits > 31)) {
    Wrong("cidr", Text(subnet.cidr) + " is no network for machines",
          "use /8 to /31 for IPv4, /32 or longer for IPv6");
    return;
  }
  const Vlan* vlan = Reference<Vlan>("vlan", Kind::kVlan, subnet.vlan);
  if (vlan != nullptr) {
    NoOverlap(subnet, vlan->fabric);
  }
  Gateway(subnet);
}

void Checker::operator()(const AddressRange& range) {
  const Subnet* subnet = Reference<Subnet>("subnet", Kind::kSubnet, range.subnet);
  if (subnet == nullptr) {
    return;
  }
  const bool first_fits = HostAddress("first", subnet->cidr, range.first);
  const bool last_fits = HostAddress("last", subnet->cidr, range.last);
  if (!first_fits || !last_fits) {
    return;
  }
  if (range.last < range.first) {
    Wrong("last", "comes before first", "swap them");
    return;
  }
  for (const EntityId id :
       index_.ChildrenOf({.kind = Kind::kSubnet, .id = range.subnet}, Kind::kRange)) {
    const AddressRange* other = index_.Get<AddressRange>(Kind::kRange, id);
    if (id != self_.id && other != nullptr && other->first <= range.last &&
        range.first <= other->last) {
      Taken("first", Text(range.first) + " to " + Text(range.last),
            {.kind = Kind::kRange, .id = id},
            "it covers " + Text(other->first) + " to " + Text(other->last) +
                ": choose ranges that do not overlap");
    }
  }
  if (range.kind == RangeKind::kDynamic && subnet->gateway.is_set() &&
      range.first <= subnet->gateway && subnet->gateway <= range.last) {
    Wrong("first", "the gateway " + Text(subnet->gateway) + " is inside",
          "leave the gateway out of dynamic ranges");
  }
}

void Checker::operator()(const Machine& machine) {
  UniqueName(machine.hostname);
  if (machine.image.is_set()) {
    const BootImage* image = Reference<BootImage>("image", Kind::kImage, machine.image);
    if (image != nullptr && image->kind == ImageKind::kLoader) {
      Wrong("image", FormatId(Kind::kImage, machine.image) + " is a loader",
            "choose an image with a kernel");
    }
  } else if (machine.boot_target == BootTarget::kImage) {
    Wrong("image", "is missing", "boot_target image needs one");
  }
}

void Checker::Reserved(const Interface& interface, const Reservation& reservation) {
  if (!reservation.subnet.is_set()) {
    Wrong(reservation.subnet_field, "no single subnet holds " + Text(reservation.address),
          "create the subnet first, or name the one that is meant");
    return;
  }
  const Subnet* subnet =
      Reference<Subnet>(reservation.subnet_field, Kind::kSubnet, reservation.subnet);
  if (subnet == nullptr) {
    return;
  }
  if (interface.vlan.is_set() && interface.vlan != subnet->vlan) {
    Wrong(reservation.subnet_field,
          "is on VLAN " + FormatId(Kind::kVlan, subnet->vlan) + ", not on the interface's",
          "change vlan and address together");
  }
  if (!HostAddress(reservation.address_field, subnet->cidr, reservation.address)) {
    return;
  }
  if (reservation.address == subnet->gateway) {
    Wrong(reservation.address_field, Text(reservation.address) + " is the gateway",
          "choose another address");
  }
  const Row* other = index_.InterfaceByAddress(reservation.subnet, reservation.address);
  if (other != nullptr && other->id != self_.id) {
    Taken(reservation.address_field, Text(reservation.address),
          {.kind = Kind::kInterface, .id = other->id}, "choose another address");
  }
}

void Checker::operator()(const Interface& interface) {
  (void)Reference<Machine>("machine", Kind::kMachine, interface.machine);
  if (interface.vlan.is_set()) {
    (void)Reference<Vlan>("vlan", Kind::kVlan, interface.vlan);
  }
  if (interface.mac.is_zero() || interface.mac.is_multicast()) {
    Wrong("mac", "is not the address of one interface", "write it as 52:54:00:12:34:56");
  }
  const Row* other = index_.InterfaceByMac(interface.mac);
  if (other != nullptr && other->id != self_.id) {
    Taken("mac", ToText(interface.mac).view(), {.kind = Kind::kInterface, .id = other->id},
          "check the address, or delete that interface first");
  }
  for (const Reservation& each : ReservationsOf(interface)) {
    if (each.address.is_set()) {
      Reserved(interface, each);
    }
  }
  if (interface.address6.is_set() && interface.address6.is_v4()) {
    Wrong("address6", Text(interface.address6) + " is not an IPv6 address", "use address for it");
  } else if (interface.address6.is_set() && interface.address.is_set() &&
             !interface.address.is_v4()) {
    Wrong("address", "is an IPv6 address, and so is address6", "leave one of them out");
  }
}

bool IsFileName(std::string_view name) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  };
  return !name.empty() && name.front() != '.' && std::ranges::all_of(name, fits);
}

void Checker::operator()(const BootImage& image) {
  UniqueName(image.name);
  for (std::size_t i = 0; i < image.files.size(); ++i) {
    const ImageFile& file = image.files[i];
    if (!IsFileName(file.name)) {
      Wrong("files", "\"" + file.name + "\" is not a file name",
            "use letters, digits, hyphens, underscores and dots, no dot at the front");
    }
    for (std::size_t j = 0; j < i; ++j) {
      if (image.files[j].name == file.name) {
        Wrong("files", "\"" + file.name + "\" is there twice", "remove one");
      }
    }
  }
  if (image.kind == ImageKind::kLauncher && image.architecture.empty()) {
    Wrong("architecture", "is missing", "a launcher environment is chosen by it: amd64");
  }
}

void Checker::operator()(const Rack& rack) {
  constexpr std::size_t kKeyTextBytes = 40;
  UniqueName(rack.name);
  if (rack.public_key.size() != kKeyTextBytes) {
    Wrong("public_key", "is missing",
          "racks join with a token: make one with slipway rack token, and start the rack with it");
  }
  const Row* other = index_.RackByKey(rack.public_key);
  if (other != nullptr && other->id != self_.id) {
    Taken("public_key", "this key", {.kind = Kind::kRack, .id = other->id}, "use another key");
  }
}

void Checker::operator()(const ServedInterface& served) {
  (void)Reference<Rack>("rack", Kind::kRack, served.rack);
  const Vlan* vlan = Reference<Vlan>("vlan", Kind::kVlan, served.vlan);
  if (vlan != nullptr && vlan->dhcp == DhcpMode::kOn) {
    OneRackOrAPair("vlan", served.vlan, {served.rack});
  }
  const auto bad = [](char c) { return c == '/' || c == ' ' || c == ':'; };
  if (std::ranges::any_of(served.name, bad)) {
    Wrong("name", "\"" + served.name + "\" is not the name of a network interface",
          "use the name as ip link shows it");
  }
  const Row* other = index_.FindByName(Kind::kServedInterface, NameOf(Entity(served)));
  if (other != nullptr && other->id != self_.id) {
    Taken(served.by_relay() ? "vlan" : "name",
          served.by_relay() ? "this VLAN" : "\"" + served.name + "\"",
          {.kind = Kind::kServedInterface, .id = other->id}, "change that binding instead");
  }
  ServedBounds(served);
}

void Checker::ServedBounds(const ServedInterface& served) {
  std::size_t all = 0;
  std::size_t interfaces = 0;
  for (const EntityId id :
       index_.ChildrenOf({.kind = Kind::kRack, .id = served.rack}, Kind::kServedInterface)) {
    const auto* other = index_.Get<ServedInterface>(Kind::kServedInterface, id);
    if (id != self_.id && other != nullptr) {
      ++all;
      interfaces += other->by_relay() ? 0U : 1U;
    }
  }
  if (!served.by_relay() && interfaces >= limits::kServedInterfacesMax) {
    Wrong("rack", "serves " + std::to_string(interfaces) + " interfaces already",
          "use another rack, or relays");
  } else if (all >= limits::kServedVlansMax) {
    Wrong("rack", "serves " + std::to_string(all) + " VLANs already", "use another rack");
  }
}

void Checker::operator()(const DhcpClass& dhcp_class) {
  UniqueName(dhcp_class.name);
  if (!dhcp_class.mac_prefix.empty() && !ParseMacPrefix(dhcp_class.mac_prefix)) {
    Wrong("mac_prefix", "\"" + dhcp_class.mac_prefix + "\" is not the beginning of a MAC address",
          "write 1 to 6 octets as 52:54:00");
  }
  for (const auto& [field, text] : {std::pair("circuit_id", &dhcp_class.circuit_id),
                                    std::pair("remote_id", &dhcp_class.remote_id)}) {
    if (auto id = EncodeRelayId(*text); !id) {
      Wrong(field, std::move(id.error().problem), std::move(id.error().cure));
    }
  }
  if (dhcp_class.architectures.empty() && dhcp_class.vendor_class.empty() &&
      dhcp_class.user_class.empty() && dhcp_class.mac_prefix.empty() &&
      dhcp_class.circuit_id.empty() && dhcp_class.remote_id.empty()) {
    Wrong("architectures", "nothing is given that clients could match",
          "give at least one of architectures, vendor_class, user_class, mac_prefix, circuit_id "
          "and remote_id");
  }
}

void Checker::OptionTarget(const DhcpOption& option) {
  std::size_t given = 0;
  const auto look = [&]<typename T>(std::string_view field, Kind kind, EntityId id) -> const T* {
    given += id.is_set() ? 1U : 0U;
    return id.is_set() ? Reference<T>(field, kind, id) : nullptr;
  };
  (void)look.operator()<Vlan>("vlan", Kind::kVlan, option.vlan);
  const Subnet* subnet = look.operator()<Subnet>("subnet", Kind::kSubnet, option.subnet);
  const auto* range = look.operator()<AddressRange>("range", Kind::kRange, option.range);
  (void)look.operator()<DhcpClass>("class", Kind::kDhcpClass, option.dhcp_class);
  (void)look.operator()<Machine>("machine", Kind::kMachine, option.machine);
  if (given > 1) {
    Wrong("scope", "several references are given",
          "give one of vlan, subnet, range, class and machine; none for all clients");
  }
  if (range != nullptr) {
    subnet = index_.Get<Subnet>(Kind::kSubnet, range->subnet);
  }
  if (subnet != nullptr && subnet->cidr.address.is_v4() != (option.family == Family::kV4)) {
    Wrong("family", "is not that of " + Text(subnet->cidr), "set it on a subnet of the family");
  }
}

// Racks look at so many options of a place.
void Checker::OptionBound(const DhcpOption& option) {
  const EntityRef target = TargetOf(option);
  std::size_t there = 0;
  const auto count = [&](EntityId id) {
    const auto* other = index_.Get<DhcpOption>(Kind::kDhcpOption, id);
    there += id != self_.id && other != nullptr && TargetOf(*other) == target ? 1U : 0U;
  };
  if (target.id.is_set()) {
    std::ranges::for_each(index_.ChildrenOf(target, Kind::kDhcpOption), count);
  } else {
    for (const auto& [id, row] : index_.All(Kind::kDhcpOption)) {
      count(id);
    }
  }
  if (there >= limits::kDhcpOptionsPerScopeMax) {
    Wrong("scope", "has " + std::to_string(there) + " options already",
          "delete some, or set some in a wider scope");
  }
}

void Checker::OptionValue(const DhcpOption& option) {
  if (option.suppress) {
    if (!option.value.empty()) {
      Wrong("value", "is given for an option that is not sent", "leave it out, or do not suppress");
    }
    if (option.always) {
      Wrong("always", "contradicts suppress", "set one of the two");
    }
    return;
  }
  if (auto value = EncodeValue(option); !value) {
    Wrong("value", std::move(value.error().problem), std::move(value.error().cure));
  }
}

void Checker::operator()(const DhcpOption& option) {
  OptionTarget(option);
  const auto name = FindOptionName(option.family, option.option);
  if (!name) {
    std::vector<std::string_view> names;
    for (const dhcp::OptionRow& row : dhcp::OptionTable(option.family)) {
      names.push_back(row.name);
    }
    const std::string_view near = Nearest(option.option, names);
    Wrong("option", "\"" + option.option + "\" is not an option",
          near.empty() ? std::string("use a name of docs/protocols/dhcp-options.md, or a code")
                       : "did you mean \"" + std::string(near) + "\"?");
    return;
  }
  if (name->row != nullptr && !name->row->settable()) {
    Wrong("option",
          std::string(name->row->name) + " (" + std::to_string(name->code) +
              ") cannot be set: " + std::string(name->row->refusal),
          "leave it out");
    return;
  }
  OptionValue(option);
  OptionBound(option);
  const Row* other = index_.FindByName(Kind::kDhcpOption, NameOf(Entity(option)));
  if (other != nullptr && other->id != self_.id) {
    Taken("option", option.option, {.kind = Kind::kDhcpOption, .id = other->id},
          "change that one: a scope has each option once");
  }
}

void Checker::PairedRack(std::string_view field, EntityId rack_id) {
  const Rack* rack = Reference<Rack>(field, Kind::kRack, rack_id);
  const bool is_new = index_.Find(self_.kind, self_.id) == nullptr;
  if (rack != nullptr && is_new && rack->state != RackState::kEnrolled) {
    Wrong(field, rack->name + " is revoked", "choose a rack that is enrolled");
  }
  for (const EntityId id :
       index_.ChildrenOf({.kind = Kind::kRack, .id = rack_id}, Kind::kRackPair)) {
    if (id != self_.id) {
      Taken(field, rack->name, {.kind = Kind::kRackPair, .id = id}, "a rack is in one pair");
    }
  }
}

void Checker::PairAddress(std::string_view field, std::string_view text) {
  if (!ParsePairEndpoint(text)) {
    Wrong(field, "\"" + std::string(text) + "\" is not an address of one host",
          "write it as 10.0.0.2, 10.0.0.2:5252 or [2001:db8::2]:5252; no names, as a pair does "
          "not depend on DNS");
  }
}

void Checker::operator()(const RackPair& pair) {
  constexpr std::uint32_t kAutoSecondsMin = 60;
  UniqueName(pair.name);
  if (pair.rack_a == pair.rack_b) {
    Wrong("rack_b", "is the same as rack_a", "a pair is two racks");
    return;
  }
  PairedRack("rack_a", pair.rack_a);
  PairedRack("rack_b", pair.rack_b);
  PairAddress("address_a", pair.address_a);
  PairAddress("address_b", pair.address_b);
  if (pair.address_a == pair.address_b) {
    Wrong("address_b", "is the same as address_a", "give each rack's own");
  }
  if (pair.auto_partner_down_seconds != 0 && pair.auto_partner_down_seconds < kAutoSecondsMin) {
    Wrong("auto_partner_down_seconds", "is less than a minute",
          "give at least 60: racks restart, and links come back; 0: only a person says it");
  }
}

// The subnet whose network holds the address, if there is exactly one (on the VLAN, if it is set).
EntityId FindSubnet(const ModelIndex& index, EntityId vlan, const IpAddress& address) {
  EntityId found;
  const auto look = [&](EntityId id, const Subnet& subnet) {
    if (subnet.cidr.address.is_v4() != address.is_v4() || !subnet.cidr.Contains(address)) {
      return true;
    }
    const bool first = !found.is_set();
    found = first ? id : EntityId{};
    return first;
  };
  if (vlan.is_set()) {
    for (const EntityId id : index.ChildrenOf({.kind = Kind::kVlan, .id = vlan}, Kind::kSubnet)) {
      const Subnet* subnet = index.Get<Subnet>(Kind::kSubnet, id);
      if (subnet != nullptr && !look(id, *subnet)) {
        return {};
      }
    }
    return found;
  }
  for (const auto& [id, row] : index.All(Kind::kSubnet)) {
    if (!look(id, row.as<Subnet>())) {
      return {};
    }
  }
  return found;
}

// The subnet of an address that was given without one. `before` are the values it had.
void CompleteReservation(const ModelIndex& index, const Reservation* before, EntityId vlan,
                         const IpAddress& address, EntityId& subnet) {
  if (!address.is_set()) {
    subnet = {};
    return;
  }
  if (before != nullptr && before->subnet == subnet && before->address != address) {
    const Subnet* old = index.Get<Subnet>(Kind::kSubnet, subnet);
    if (old != nullptr && !old->cidr.Contains(address)) {
      subnet = {};  // it followed from the old address
    }
  }
  if (!subnet.is_set()) {
    subnet = FindSubnet(index, vlan, address);
  }
}

void CompleteInterface(const ModelIndex& index, const Interface* before, Interface& interface) {
  std::array<Reservation, 2> old{};
  if (before != nullptr) {
    old = ReservationsOf(*before);
  }
  CompleteReservation(index, before == nullptr ? nullptr : &old[0], interface.vlan,
                      interface.address, interface.subnet);
  CompleteReservation(index, before == nullptr ? nullptr : &old[1], interface.vlan,
                      interface.address6, interface.subnet6);
  for (const EntityId id : {interface.subnet, interface.subnet6}) {
    const Subnet* subnet = index.Get<Subnet>(Kind::kSubnet, id);
    if (!interface.vlan.is_set() && subnet != nullptr) {
      interface.vlan = subnet->vlan;
    }
  }
}

std::string* NameMember(Entity& entity) {
  switch (KindOf(entity)) {
    case Kind::kFabric:
      return &std::get<Fabric>(entity).name;
    case Kind::kVlan:
      return &std::get<Vlan>(entity).name;
    case Kind::kSubnet:
      return &std::get<Subnet>(entity).name;
    case Kind::kMachine:
      return &std::get<Machine>(entity).hostname;
    case Kind::kDhcpClass:
      return &std::get<DhcpClass>(entity).name;
    case Kind::kRackPair:
      return &std::get<RackPair>(entity).name;
    default:
      return nullptr;
  }
}

void AddKey(std::vector<UniqueKey>& keys, std::string key, std::string_view field) {
  keys.push_back({.key = "u/" + std::move(key), .field = field});
}

}  // namespace

Problems Validate(const ModelIndex& index, EntityRef ref, const Entity& entity) {
  Checker checker(index, ref);
  std::visit(checker, entity);
  return checker.Take();
}

Problems WhyNotDelete(const ModelIndex& index, EntityRef ref) {
  Problems problems;
  const auto child = index.AnyChildOf(ref);
  if (child) {
    std::size_t count = 0;
    for (const KindInfo& info : AllKinds()) {
      count += index.ChildrenOf(ref, info.kind).size();
    }
    problems.push_back({.field = "id",
                        .problem = "is referred to by " + Describe(index, *child) +
                                   (count > 1 ? " and " + std::to_string(count - 1) + " more" : ""),
                        .cure = "delete or change those first",
                        .taken = true});
  }
  // Without a pair each of them gives every address: never both of one VLAN.
  if (const auto* pair = index.Get<RackPair>(ref.kind, ref.id); pair != nullptr) {
    const auto shared = SharedVlans(index, *pair);
    if (!shared.empty()) {
      problems.push_back(
          {.field = "id",
           .problem =
               "both racks serve " + Describe(index, {.kind = Kind::kVlan, .id = *shared.begin()}) +
               (shared.size() > 1 ? " and " + std::to_string(shared.size() - 1) + " more" : ""),
           .cure = "say which rack goes on: delete the served interfaces of the other one first",
           .taken = true});
    }
  }
  return problems;
}

std::vector<UniqueKey> UniqueKeysOf(EntityRef ref, const Entity& entity) {
  std::vector<UniqueKey> keys;
  const KindInfo& info = InfoOf(ref.kind);
  if (!info.name_field.empty()) {
    AddKey(keys, "name/" + std::string(info.prefix) + "/" + NameOf(entity), info.name_field);
  }
  if (const auto* vlan = std::get_if<Vlan>(&entity)) {
    AddKey(keys, "vid/" + FormatId(Kind::kFabric, vlan->fabric) + "/" + std::to_string(vlan->vid),
           "vid");
  } else if (const auto* interface = std::get_if<Interface>(&entity)) {
    AddKey(keys, "mac/" + std::string(ToText(interface->mac).view()), "mac");
    for (const Reservation& each : ReservationsOf(*interface)) {
      if (each.address.is_set()) {
        AddKey(keys, "addr/" + FormatId(Kind::kSubnet, each.subnet) + "/" + Text(each.address),
               each.address_field);
      }
    }
  } else if (const auto* rack = std::get_if<Rack>(&entity)) {
    AddKey(keys, "rackkey/" + rack->public_key, "public_key");
  } else if (std::holds_alternative<ServedInterface>(entity)) {
    AddKey(keys, "srv/" + NameOf(entity), "name");
  } else if (std::holds_alternative<DhcpOption>(entity)) {
    AddKey(keys, "dhcpopt/" + NameOf(entity), "option");
  } else if (const auto* pair = std::get_if<RackPair>(&entity)) {
    AddKey(keys, "pairrack/" + FormatId(Kind::kRack, pair->rack_a), "rack_a");
    AddKey(keys, "pairrack/" + FormatId(Kind::kRack, pair->rack_b), "rack_b");
  }
  return keys;
}

void Complete(const ModelIndex& index, EntityRef ref, const Entity* before, Entity& entity) {
  if (std::string* name = NameMember(entity); name != nullptr && name->empty()) {
    *name = FormatId(ref.kind, ref.id);
  }
  if (auto* interface = std::get_if<Interface>(&entity)) {
    CompleteInterface(index, before == nullptr ? nullptr : std::get_if<Interface>(before),
                      *interface);
  } else if (auto* machine = std::get_if<Machine>(&entity);
             machine != nullptr && before != nullptr) {
    const auto& old = std::get<Machine>(*before);
    if (old.boot_target != machine->boot_target || old.image != machine->image) {
      machine->state_generation = old.state_generation + 1;
    }
  } else if (auto* option = std::get_if<DhcpOption>(&entity)) {
    option->scope = ScopeOf(*option);
    if (const auto name = FindOptionName(option->family, option->option)) {
      option->code = name->code;
      option->option = OptionText(option->family, name->code);
    }
  } else if (auto* pair = std::get_if<RackPair>(&entity)) {
    for (std::string* text : {&pair->address_a, &pair->address_b}) {
      if (const auto endpoint = ParsePairEndpoint(*text)) {
        *text = FormatPairEndpoint(*endpoint);
      }
    }
  }
}

}  // namespace slipway::model
