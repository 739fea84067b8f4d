// The records of a snapshot in the form in which shards read them: fixed size, no pointers. Decoded
// from schemas/config.fbs by dataplane/config/decode.h; encoded by controlplane/publish.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "dataplane/base/address.h"
#include "dataplane/base/bounded.h"
#include "dataplane/base/cursor.h"
#include "dataplane/base/limits.h"

namespace slipway::config {

// Ids are the region's entity ids: unique within a table, never 0, never reused.
using RecordId = std::uint64_t;

// Of addresses and of the DHCP that gives them.
enum class Family : std::uint8_t { kV4 = 0, kV6 = 1 };
enum class UnknownPolicy : std::uint8_t { kIgnore = 0, kLocal = 1, kWait = 2, kEnlist = 3 };
enum class RouterAdvertisement : std::uint8_t { kOff = 0, kNoRouterHere = 1, kFull = 2 };
// Whose the addresses of a VLAN are: ours; another server's, and we add boot data (ProxyDHCP); or
// nobody asks us.
enum class DhcpMode : std::uint8_t { kOn = 0, kProxy = 1, kOff = 2 };
enum class RangeKind : std::uint8_t { kDynamic = 0, kReserved = 1 };
// Of a dynamic range. Draining: nothing new, and its leases run out. Revoked: its leases end when
// their clients next ask.
enum class RangeState : std::uint8_t { kActive = 0, kDraining = 1, kRevoked = 2 };
enum class BootTarget : std::uint8_t { kLocal = 0, kLauncher = 1, kImage = 2, kWait = 3 };
enum class ImageKind : std::uint8_t { kLoader = 0, kLauncher = 1, kKernel = 2 };
enum class FileRole : std::uint8_t { kOther = 0, kKernel = 1, kInitrd = 2, kLoader = 3 };

// Where a DHCP option was set; a later one wins over those before it.
enum class OptionScope : std::uint8_t {
  kGlobal = 0,
  kVlan = 1,
  kSubnet = 2,
  kRange = 3,
  kClass = 4,
  kMachine = 5,
};
inline constexpr std::size_t kOptionScopes = 6;

using HostName = FixedString<limits::kHostnameBytesMax>;
using DomainName = FixedString<253>;
using FileName = FixedString<limits::kFileNameBytesMax>;
using Sha256 = std::array<std::byte, 32>;
using Uuid = std::array<std::uint8_t, 16>;

// Four of the operator's, and of each that is a rack of a pair the partner's address behind it.
inline constexpr std::size_t kServersPerSubnetMax = 8;
inline constexpr std::size_t kFilesPerImageMax = 16;
inline constexpr std::size_t kRelaysPerVlanMax = 8;
inline constexpr std::size_t kArchitecturesPerClassMax = 16;
inline constexpr std::size_t kRelayIdBytesMax = 128;
inline constexpr std::size_t kCurveKeyTextBytes = 40;

using RelayId = FixedVector<std::byte, kRelayIdBytesMax>;

struct VlanRecord {
  RecordId id = 0;
  std::uint16_t vid = 0;
  std::uint16_t mtu = 1500;
  UnknownPolicy unknown_policy = UnknownPolicy::kIgnore;
  RouterAdvertisement router_advertisement = RouterAdvertisement::kOff;
  std::uint16_t router_lifetime_s = 0;  // of kFull
  DhcpMode dhcp = DhcpMode::kOn;
  FixedVector<IpAddress, kRelaysPerVlanMax> relays;  // giaddrs outside its subnets
  FixedString<63> name;
};

struct SubnetRecord {
  RecordId id = 0;
  RecordId vlan = 0;
  IpPrefix prefix;    // host bits clear
  IpAddress gateway;  // not set: none
  FixedVector<IpAddress, kServersPerSubnetMax> dns_servers;
  FixedVector<IpAddress, kServersPerSubnetMax> ntp_servers;
  DomainName domain;
  std::uint32_t lease_seconds = 600;
  std::uint32_t boot_lease_seconds = 120;
};

struct RangeRecord {
  RecordId id = 0;
  RecordId subnet = 0;
  RangeKind kind = RangeKind::kDynamic;
  IpAddress first;
  IpAddress last;  // inclusive
  RangeState state = RangeState::kActive;
};

struct MachineRecord {
  RecordId id = 0;
  HostName hostname;
  Uuid uuid{};  // all zero: not known
  BootTarget boot_target = BootTarget::kLocal;
  RecordId image = 0;
  std::uint32_t state_generation = 0;
  FixedString<255> kernel_options;
};

struct InterfaceRecord {
  RecordId id = 0;
  RecordId machine = 0;
  MacAddress mac;
  RecordId vlan = 0;    // 0: any
  RecordId subnet = 0;  // of address
  IpAddress address;    // IPv4; not set: from the pool
  RecordId subnet6 = 0;
  IpAddress address6;  // likewise, IPv6
};

struct ServedInterfaceRecord {
  RecordId id = 0;
  FixedString<limits::kInterfaceNameBytesMax> name;
  RecordId vlan = 0;
};

struct ImageFile {
  FixedString<63> name;
  FileRole role = FileRole::kOther;
  Sha256 sha256{};
  std::uint64_t bytes = 0;
};

struct ImageRecord {
  RecordId id = 0;
  FixedString<63> name;
  ImageKind kind = ImageKind::kLoader;
  FixedString<15> architecture;
  FixedString<511> command_line;
  FixedVector<ImageFile, kFilesPerImageMax> files;
};

// A class of DHCP clients: those that match all that is given.
struct DhcpClassRecord {
  RecordId id = 0;
  FixedString<63> name;
  std::uint16_t priority = 100;
  FixedVector<std::uint16_t, kArchitecturesPerClassMax> architectures;
  FixedString<255> vendor_class;
  FixedString<255> user_class;
  FixedVector<std::uint8_t, 6> mac_prefix;
  RelayId circuit_id;
  RelayId remote_id;
};

// One option of one scope. The value is a view: of the record's body, or of what is encoded.
struct DhcpOptionRecord {
  RecordId id = 0;
  OptionScope scope = OptionScope::kGlobal;
  RecordId of = 0;  // in the scope's table; 0: global
  Family family = Family::kV4;
  std::uint16_t code = 0;
  bool always = false;
  bool suppress = false;
  ByteSpan value;
};

// A VLAN that the partner serves too, with its addresses there as far as the region knows them.
struct PartnerVlan {
  RecordId vlan = 0;
  IpAddress address;   // IPv4; not set: not known
  IpAddress address6;  // IPv6, global

  friend constexpr bool operator==(const PartnerVlan&, const PartnerVlan&) = default;
};

// The pair that this rack is one of: docs/adr/0009-pair-of-racks.md.
struct RackPairRecord {
  static constexpr unsigned kFounder = 0;  // the side of the rack that served first

  RecordId id = 0;
  std::uint8_t side = 0;  // of this rack: 0 or 1
  bool formed = false;
  std::uint32_t mclt_seconds = 3600;
  RecordId partner = 0;  // the other rack
  FixedString<63> partner_name;
  FixedString<kCurveKeyTextBytes> partner_key;  // Z85, as ZeroMQ writes it
  IpAddress own_address;                        // where the partner reaches this rack
  std::uint16_t own_port = 0;
  IpAddress partner_address;
  std::uint16_t partner_port = 0;
  // The region's word that one of the two is down; term 0: neither is.
  std::uint64_t term = 0;
  std::uint8_t down_side = 0;
  bool survivor_stale = false;
  FixedVector<PartnerVlan, limits::kServedVlansMax> shared_vlans;  // by rising id
};

}  // namespace slipway::config
