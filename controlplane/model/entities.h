// The entities as plain values. Which fields exist, their types, defaults and documentation are in
// the field tables (fields.h); the rules between entities are in validate.h.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "controlplane/model/kinds.h"
#include "dataplane/base/address.h"
#include "dataplane/config/records.h"

namespace slipway::model {

using config::BootTarget;
using config::DhcpMode;
using config::Family;
using config::FileRole;
using config::ImageKind;
using config::OptionScope;
using config::RangeKind;
using config::RangeState;
using config::RouterAdvertisement;
using config::Sha256;
using config::UnknownPolicy;
using config::Uuid;

struct Fabric {
  std::string name;
  std::string description;

  friend bool operator==(const Fabric&, const Fabric&) = default;
};

struct Vlan {
  std::string name;
  std::string description;
  EntityId fabric;
  std::uint16_t vid = 0;  // 0: untagged
  std::uint16_t mtu = 1500;
  UnknownPolicy unknown_policy = UnknownPolicy::kIgnore;
  RouterAdvertisement router_advertisement = RouterAdvertisement::kOff;
  std::uint16_t router_lifetime_seconds = 0;
  DhcpMode dhcp = DhcpMode::kOn;
  std::vector<IpAddress> relays;  // addresses of relays outside its subnets

  friend bool operator==(const Vlan&, const Vlan&) = default;
};

struct Subnet {
  std::string name;
  std::string description;
  EntityId vlan;
  IpPrefix cidr;
  IpAddress gateway;  // not set: none
  std::vector<IpAddress> dns_servers;
  std::vector<IpAddress> ntp_servers;
  std::string domain;
  std::uint32_t lease_seconds = 600;
  std::uint32_t boot_lease_seconds = 120;

  friend bool operator==(const Subnet&, const Subnet&) = default;
};

struct AddressRange {
  std::string description;
  EntityId subnet;
  RangeKind kind = RangeKind::kDynamic;
  IpAddress first;
  IpAddress last;  // inclusive
  RangeState state = RangeState::kActive;

  friend bool operator==(const AddressRange&, const AddressRange&) = default;
};

// What the launcher found, as last posted. Sizes are bounded by limits::kInventoryBytesMax.
struct InventoryDisk {
  std::string name;
  std::string model;
  std::string serial;
  std::uint64_t bytes = 0;
  bool rotational = false;

  friend bool operator==(const InventoryDisk&, const InventoryDisk&) = default;
};

struct InventoryNic {
  std::string name;
  MacAddress mac;
  std::string driver;
  std::string pci_id;  // "8086:100e"
  bool link = false;

  friend bool operator==(const InventoryNic&, const InventoryNic&) = default;
};

struct Inventory {
  std::uint32_t cpu_count = 0;
  std::string cpu_model;
  std::uint64_t memory_mib = 0;
  std::string architecture;
  std::string vendor;
  std::string product;
  std::string serial;
  std::string firmware;  // "bios" or "uefi"
  std::vector<InventoryDisk> disks;
  std::vector<InventoryNic> nics;

  friend bool operator==(const Inventory&, const Inventory&) = default;
};

enum class MachineOrigin : std::uint8_t { kUser = 0, kEnlisted = 1 };

struct Machine {
  std::string hostname;
  std::string description;
  Uuid uuid{};  // all zero: not known
  MachineOrigin origin = MachineOrigin::kUser;
  BootTarget boot_target = BootTarget::kLocal;
  EntityId image;                      // with BootTarget::kImage
  std::uint32_t state_generation = 1;  // grows when the boot target or the image changes
  std::string kernel_options;
  std::optional<Inventory> inventory;
  std::string inventory_time;  // RFC 3339; empty: none yet

  friend bool operator==(const Machine&, const Machine&) = default;
};

struct Interface {
  std::string name;
  EntityId machine;
  MacAddress mac;
  EntityId vlan;       // not set: any
  EntityId subnet;     // of address
  IpAddress address;   // not set: from the pool
  EntityId subnet6;    // of address6
  IpAddress address6;  // IPv6, beside an IPv4 address; not set: from the pool

  friend bool operator==(const Interface&, const Interface&) = default;
};

// An address of an interface with its fields' names, whichever of the two it is.
struct Reservation {
  std::string_view address_field;
  std::string_view subnet_field;
  EntityId subnet;
  IpAddress address;
};

[[nodiscard]] inline std::array<Reservation, 2> ReservationsOf(const Interface& interface) {
  return {{{"address", "subnet", interface.subnet, interface.address},
           {"address6", "subnet6", interface.subnet6, interface.address6}}};
}

struct ImageFile {
  std::string name;
  FileRole role = FileRole::kOther;
  Sha256 sha256{};
  std::uint64_t bytes = 0;

  friend bool operator==(const ImageFile&, const ImageFile&) = default;
};

struct BootImage {
  std::string name;
  std::string description;
  ImageKind kind = ImageKind::kLoader;
  std::string architecture;
  std::string command_line;
  std::vector<ImageFile> files;

  friend bool operator==(const BootImage&, const BootImage&) = default;
};

enum class RackState : std::uint8_t { kEnrolled = 0, kRevoked = 1 };

struct Rack {
  std::string name;
  std::string description;
  std::string public_key;  // CURVE key in Z85, 40 characters; set by enrolment
  RackState state = RackState::kEnrolled;

  friend bool operator==(const Rack&, const Rack&) = default;
};

inline constexpr std::size_t kServedAddressesMax = 8;

// Binds an interface of a rack to a VLAN: unbound interfaces are not served. Without an interface
// the rack serves the VLAN through relays only.
struct ServedInterface {
  EntityId rack;
  std::string name;  // as the rack's kernel calls it; empty: none, by relays only
  EntityId vlan;
  std::vector<IpAddress> addresses;  // of a rack in a pair: as it last reported them

  [[nodiscard]] bool by_relay() const noexcept { return name.empty(); }

  friend bool operator==(const ServedInterface&, const ServedInterface&) = default;
};

// Clients that match all that is given. Empty: not looked at.
struct DhcpClass {
  std::string name;
  std::string description;
  std::uint16_t priority = 100;  // of two that set one option the higher wins
  std::vector<std::uint16_t> architectures;
  std::string vendor_class;  // how it begins
  std::string user_class;
  std::string mac_prefix;  // "52:54:00"
  std::string circuit_id;  // text, or hexadecimal behind 0x
  std::string remote_id;

  friend bool operator==(const DhcpClass&, const DhcpClass&) = default;
};

// One option of one scope. At most one reference is set; none: global.
struct DhcpOption {
  std::string description;
  OptionScope scope = OptionScope::kGlobal;  // follows from the reference
  EntityId vlan;
  EntityId subnet;
  EntityId range;
  EntityId dhcp_class;
  EntityId machine;
  Family family = Family::kV4;
  std::string option;      // a name of the option table, or a number
  std::uint16_t code = 0;  // follows from it
  std::string value;       // as the option's type is written
  bool always = false;
  bool suppress = false;

  friend bool operator==(const DhcpOption&, const DhcpOption&) = default;
};

// Two racks that serve VLANs together (docs/adr/0009-pair-of-racks.md). rack_a is the founder: side
// 0 of the pair, which served first. What follows `description` is kept by the region.
struct RackPair {
  std::string name;
  EntityId rack_a;
  EntityId rack_b;
  std::string address_a;  // where its partner reaches rack_a: "10.0.0.2:5252"
  std::string address_b;
  std::uint32_t mclt_seconds = 3600;
  std::uint32_t auto_partner_down_seconds = 0;  // 0: only a person says that a rack is down
  std::string description;
  bool formed = false;     // both have been in state normal
  std::uint64_t term = 0;  // of the last word that one of them is down; only grows
  EntityId down;           // which of them; not set: neither is
  bool survivor_stale = false;
  std::string down_reason;
  std::string down_time;  // RFC 3339

  friend bool operator==(const RackPair&, const RackPair&) = default;
};

// The index of an alternative is its Kind.
using Entity = std::variant<Fabric, Vlan, Subnet, AddressRange, Machine, Interface, BootImage, Rack,
                            ServedInterface, DhcpClass, DhcpOption, RackPair>;

static_assert(std::variant_size_v<Entity> == kStoredKindCount);

[[nodiscard]] inline Kind KindOf(const Entity& entity) noexcept {
  return static_cast<Kind>(entity.index());
}

// A default entity of the kind. REQUIRES: a stored kind.
[[nodiscard]] Entity EmptyEntity(Kind kind);

}  // namespace slipway::model
