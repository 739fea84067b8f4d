// A small rack for tests of boot, lease and dhcp: one VLAN 10.77.0.0/24 with the rack at 10.77.0.1,
// a pool at .100-.199, loaders and a launcher; and a second VLAN that is reached by a relay.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/base/address.h"
#include "dataplane/config/encode.h"
#include "dataplane/config/snapshot.h"

namespace slipway::test {

inline constexpr config::RecordId kVlan = 1;
inline constexpr config::RecordId kSubnet = 10;
inline constexpr config::RecordId kRange = 100;
inline constexpr config::RecordId kSubnet6 = 11;
inline constexpr config::RecordId kRange6 = 110;
inline constexpr config::RecordId kRelayVlan = 2;
inline constexpr config::RecordId kRelaySubnet = 20;
inline constexpr config::RecordId kRelaySubnet6 = 21;
inline constexpr Ipv4Address kRack{0x0A4D'0001};
inline constexpr Ipv4Address kPoolFirst{0x0A4D'0064};
inline constexpr Ipv4Address kPoolLast{0x0A4D'00C7};
inline constexpr Ipv4Address kRelay{0x0A58'0001};

inline Ipv4Address V4(std::string_view text) { return *Ipv4Address::Parse(text); }

inline Ipv6Address V6(std::string_view text) { return *Ipv6Address::Parse(text); }

inline MacAddress Mac(std::string_view text) { return *MacAddress::Parse(text); }

// Collects records, yields snapshots. Aborts on a record that the builder refuses.
class BootLab {
 public:
  BootLab() {
    vlan.id = kVlan;
    vlan.unknown_policy = config::UnknownPolicy::kEnlist;
    vlan.router_advertisement = config::RouterAdvertisement::kNoRouterHere;
    subnet.id = kSubnet;
    subnet.vlan = kVlan;
    subnet.prefix = *IpPrefix::Parse("10.77.0.0/24");
    subnet.gateway = kRack;
    (void)subnet.dns_servers.push_back(kRack);
    (void)subnet.ntp_servers.push_back(kRack);
    subnet.domain = config::DomainName("rack.test");
    range.id = kRange;
    range.subnet = kSubnet;
    range.first = kPoolFirst;
    range.last = kPoolLast;
    subnet6.id = kSubnet6;
    subnet6.vlan = kVlan;
    subnet6.prefix = *IpPrefix::Parse("2001:db8:77::/64");
    subnet6.domain = subnet.domain;
    range6.id = kRange6;
    range6.subnet = kSubnet6;
    range6.first = V6("2001:db8:77::1:0");
    range6.last = V6("2001:db8:77::1:ff");
  }

  template <typename Record>
  BootLab& Put(const Record& record) {
    Add(*builder_, record);
    return *this;
  }

  BootLab& Remove(config::Table table, config::RecordId id) {
    if (!builder_->Remove(static_cast<std::uint8_t>(table), id)) {
      std::abort();
    }
    return *this;
  }

  BootLab& AddImages() {
    config::ImageRecord loaders;
    loaders.id = 900;
    loaders.name = std::string_view("loaders");
    loaders.kind = config::ImageKind::kLoader;
    loaders.architecture = std::string_view("amd64");
    (void)loaders.files.push_back(File("undionly.kpxe", config::FileRole::kLoader));
    (void)loaders.files.push_back(File("snponly.efi", config::FileRole::kLoader));
    config::ImageRecord launcher;
    launcher.id = 901;
    launcher.name = std::string_view("launcher-amd64");
    launcher.kind = config::ImageKind::kLauncher;
    launcher.architecture = std::string_view("amd64");
    launcher.command_line = std::string_view("console=ttyS0");
    (void)launcher.files.push_back(File("vmlinuz", config::FileRole::kKernel));
    (void)launcher.files.push_back(File("initrd.img", config::FileRole::kInitrd));
    return Put(loaders).Put(launcher);
  }

  BootLab& AddNetwork() { return Put(vlan).Put(subnet).Put(range); }

  // 2001:db8:77::/64 on the first VLAN, with a pool of 256 addresses.
  BootLab& AddNetwork6() { return Put(subnet6).Put(range6); }

  BootLab& AddRelayedNetwork() {
    config::VlanRecord far = vlan;
    far.id = kRelayVlan;
    config::SubnetRecord net = subnet;
    net.id = kRelaySubnet;
    net.vlan = kRelayVlan;
    net.prefix = *IpPrefix::Parse("10.88.0.0/24");
    net.gateway = kRelay;
    config::RangeRecord pool = range;
    pool.id = 200;
    pool.subnet = kRelaySubnet;
    pool.first = V4("10.88.0.100");
    pool.last = V4("10.88.0.199");
    return Put(far).Put(net).Put(pool);
  }

  // The rack is one of a pair, whose other rack serves the first VLAN too.
  BootLab& AddPair(std::uint8_t side) {
    config::RackPairRecord pair;
    pair.id = 700;
    pair.side = side;
    pair.partner = 800U + side;
    pair.partner_name = std::string_view("partner");
    pair.partner_key = std::string_view("rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7");
    pair.own_address = V4("10.0.0.2");
    pair.own_port = 5252;
    pair.partner_address = V4("10.0.0.3");
    pair.partner_port = 5252;
    pair.mclt_seconds = 60;
    (void)pair.shared_vlans.push_back({.vlan = kVlan, .address = V4("10.77.0.2"), .address6 = {}});
    return Put(pair);
  }

  // A known machine with one interface; `address` empty: from the pool.
  BootLab& AddMachine(config::RecordId id, std::string_view mac, config::BootTarget target,
                      std::string_view address = "", std::string_view hostname = "node") {
    config::MachineRecord machine;
    machine.id = id;
    machine.hostname = config::HostName(hostname);
    machine.boot_target = target;
    config::InterfaceRecord interface;
    interface.id = id + 100'000;
    interface.machine = id;
    interface.mac = Mac(mac);
    if (!address.empty()) {
      interface.subnet = kSubnet;
      interface.address = V4(address);
    }
    return Put(machine).Put(interface);
  }

  // The snapshot of all that was put so far; the lab can go on from it.
  config::SnapshotRef Finish() {
    config::SnapshotRef snapshot = builder_->Finish({.epoch = 1, .number = ++number_});
    builder_.emplace(snapshot);
    return snapshot;
  }

  static config::SnapshotRef Standard() {
    return BootLab().AddNetwork().AddRelayedNetwork().AddImages().Finish();
  }

  template <typename Record>
  static void Add(config::SnapshotBuilder& builder, const Record& record) {
    config::RecordEncoder encoder;
    const auto table = static_cast<std::uint8_t>(config::kTableOf<Record>);
    if (!builder.Put(table, record.id, encoder.Encode(record))) {
      std::abort();
    }
  }

  static config::ImageFile File(std::string_view name, config::FileRole role) {
    config::ImageFile file;
    file.name = FixedString<63>(name);
    file.role = role;
    file.sha256.fill(std::byte{0x5A});
    file.bytes = 1000;
    return file;
  }

  config::VlanRecord vlan;
  config::SubnetRecord subnet;
  config::RangeRecord range;
  config::SubnetRecord subnet6;
  config::RangeRecord range6;

 private:
  std::optional<config::SnapshotBuilder> builder_{config::SnapshotRef{}};
  std::uint64_t number_ = 0;
};

// Bytes of a vector file: hex digits, spaces and line breaks; '#' begins a comment.
inline std::vector<std::byte> ReadHex(const std::string& path) {
  std::ifstream in(path);
  std::vector<std::byte> bytes;
  std::string line;
  while (std::getline(in, line)) {
    std::istringstream digits(line.substr(0, line.find('#')));
    std::string word;
    while (digits >> word) {
      for (std::size_t i = 0; i + 1 < word.size(); i += 2) {
        bytes.push_back(static_cast<std::byte>(std::stoul(word.substr(i, 2), nullptr, 16)));
      }
    }
  }
  return bytes;
}

}  // namespace slipway::test
