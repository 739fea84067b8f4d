// The order in which options of the network and of operators go into a reply of either family, and
// where each value comes from. The writer of replies and the region's listing both walk through
// here.
//
// A field of the model counts as an option of its scope, behind one that is set there by hand: a
// subnet's gateway gives way to option 3 of the subnet, a range, a class or the machine, but not to
// one of the VLAN.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/base/cursor.h"
#include "dataplane/config/records.h"
#include "dataplane/dhcp/domain_names.h"
#include "dataplane/dhcp/option_set.h"
#include "dataplane/dhcp/options6.h"

namespace slipway::dhcp {

enum class OptionOrigin : std::uint8_t {
  kOption,    // set by an operator: `scope` and `of` say where
  kField,     // a field of the VLAN, subnet or machine
  kComputed,  // follows from the subnet's network
};

struct ReplyOption {
  std::uint16_t code = 0;
  OptionOrigin origin = OptionOrigin::kOption;
  OptionScope scope = OptionScope::kGlobal;
  RecordId of = 0;
  RecordId id = 0;      // of an operator's option
  bool always = false;  // sent though nobody asked
  ByteSpan value;       // valid during the call
};

struct NetworkFacts {
  const config::VlanRecord& vlan;
  const config::SubnetRecord& subnet;
  const config::MachineRecord* machine = nullptr;  // nullptr: unknown
};

// MTUs that are like this need not be told.
inline constexpr std::uint16_t kUsualMtu = 1500;
inline constexpr std::uint32_t kRefreshSecondsMin = 600;  // RFC 8415 21.23

// Walks over the options of the network: those that a client cannot do without come first. `wants`
// says which codes it asked for (the values of others are not even made), `each` takes them.
template <typename Wants, typename Each>
class NetworkOptions {
 public:
  NetworkOptions(const OptionSet& set, const NetworkFacts& facts, Wants wants, Each each)
      : set_(set), facts_(facts), wants_(wants), each_(each) {}

  void Run() { set_.family() == Family::kV4 ? RunV4() : RunV6(); }

 private:
  void RunV4() {
    const config::SubnetRecord& subnet = facts_.subnet;
    const Ipv4Address mask = Ipv4Mask(subnet.prefix.bits);
    Value(mask.value);
    each_(ReplyOption{.code = static_cast<std::uint16_t>(Option::kSubnetMask),
                      .origin = OptionOrigin::kComputed,
                      .scope = OptionScope::kSubnet,
                      .of = subnet.id,
                      .always = true,
                      .value = writer_.written()});
    Choose(Option::kRouter, OptionScope::kSubnet, subnet.id, [&] {
      if (subnet.gateway.is_set() && subnet.gateway.is_v4()) {
        Value(subnet.gateway.v4().value);
      }
    });
    Choose(Option::kDomainNameServer, OptionScope::kSubnet, subnet.id,
           [&] { Addresses(subnet.dns_servers); });
    Choose(Option::kDomainName, OptionScope::kSubnet, subnet.id,
           [&] { writer_.Text(subnet.domain); });
    Choose(Option::kHostName, OptionScope::kMachine,
           facts_.machine == nullptr ? 0 : facts_.machine->id, [&] {
             if (facts_.machine != nullptr) {
               writer_.Text(facts_.machine->hostname);
             }
           });
    Choose(
        Option::kBroadcastAddress, OptionScope::kGlobal, subnet.id,
        [&] { Value(subnet.prefix.address.v4().value | ~mask.value); }, OptionOrigin::kComputed);
    Choose(Option::kNtpServers, OptionScope::kSubnet, subnet.id,
           [&] { Addresses(subnet.ntp_servers); });
    Choose(Option::kInterfaceMtu, OptionScope::kVlan, facts_.vlan.id, [&] {
      if (facts_.vlan.mtu != kUsualMtu) {
        writer_ = WireWriter(bytes_);
        writer_.U16(facts_.vlan.mtu);
      }
    });
  }

  void RunV6() {
    const config::SubnetRecord& subnet = facts_.subnet;
    Choose(Option6::kDnsServers, OptionScope::kSubnet, subnet.id,
           [&] { Addresses(subnet.dns_servers); });
    Choose(Option6::kDomainList, OptionScope::kSubnet, subnet.id, [&] {
      if (!FaultOfDomain(subnet.domain)) {
        PutName(subnet.domain, writer_);
      }
    });
    Choose(Option6::kSntpServers, OptionScope::kSubnet, subnet.id,
           [&] { Addresses(subnet.ntp_servers); });
    Choose(Option6::kNtpServer, OptionScope::kSubnet, subnet.id, [&] {
      for (const IpAddress& address : subnet.ntp_servers) {
        if (!address.is_v4()) {
          writer_.U16(kNtpServerAddress);
          writer_.U16(sizeof(Ipv6Address::octets));
          writer_.Bytes(std::as_bytes(std::span(address.v6().octets)));
        }
      }
    });
    Choose(
        Option6::kInformationRefreshTime, OptionScope::kGlobal, subnet.id,
        [&] { writer_.U32(std::max(kRefreshSecondsMin, subnet.lease_seconds)); },
        OptionOrigin::kComputed);
  }

  void Value(std::uint32_t value) {
    writer_ = WireWriter(bytes_);
    writer_.U32(value);
  }

  void Addresses(const FixedVector<IpAddress, config::kServersPerSubnetMax>& addresses) {
    for (const IpAddress& address : addresses) {
      if (address.is_v4() != (set_.family() == Family::kV4)) {
        continue;
      }
      if (address.is_v4()) {
        writer_.U32(address.v4().value);
      } else {
        writer_.Bytes(std::as_bytes(std::span(address.v6().octets)));
      }
    }
  }

  // The operator's option unless the field, which `make` writes, stands nearer to the client.
  template <typename Code, typename Make>
  void Choose(Code option, OptionScope scope, RecordId of, Make make,
              OptionOrigin origin = OptionOrigin::kField) {
    const auto code = static_cast<std::uint16_t>(option);
    const EffectiveOption* set = set_.Find(code);
    const bool near = set != nullptr && set->scope >= scope;
    if (near) {
      Give(*set);
      return;
    }
    if (set == nullptr && !wants_(code)) {
      return;
    }
    writer_ = WireWriter(bytes_);
    make();
    if (writer_.size() > 0) {
      if (wants_(code)) {
        each_(ReplyOption{.code = code,
                          .origin = origin,
                          .scope = origin == OptionOrigin::kComputed ? OptionScope::kSubnet : scope,
                          .of = of,
                          .value = writer_.written()});
      }
    } else if (set != nullptr) {
      Give(*set);
    }
  }

  void Give(const EffectiveOption& set) {
    if (!set.suppress && (set.always || wants_(set.code))) {
      each_(ReplyOption{.code = set.code,
                        .scope = set.scope,
                        .of = set.of,
                        .id = set.id,
                        .always = set.always,
                        .value = set.value});
    }
  }

  const OptionSet& set_;
  const NetworkFacts& facts_;
  Wants wants_;
  Each each_;
  std::array<std::byte, 256> bytes_;
  WireWriter writer_{bytes_};
};

template <typename Wants, typename Each>
void ForEachNetworkOption(const OptionSet& set, const NetworkFacts& facts, Wants wants, Each each) {
  NetworkOptions<Wants, Each>(set, facts, wants, each).Run();
}

// The codes that ForEachNetworkOption is about.
[[nodiscard]] constexpr bool IsNetworkOption(Family family, std::uint16_t code) noexcept {
  if (family == Family::kV6) {
    switch (static_cast<Option6>(code)) {
      case Option6::kDnsServers:
      case Option6::kDomainList:
      case Option6::kSntpServers:
      case Option6::kNtpServer:
      case Option6::kInformationRefreshTime:
        return true;
      default:
        return false;
    }
  }
  switch (static_cast<Option>(code)) {
    case Option::kSubnetMask:
    case Option::kRouter:
    case Option::kDomainNameServer:
    case Option::kDomainName:
    case Option::kHostName:
    case Option::kBroadcastAddress:
    case Option::kNtpServers:
    case Option::kInterfaceMtu:
      return code < 256;
    default:
      return false;
  }
}

// The other options of the set: those that are sent in any case, then those that are asked for.
template <typename Wants, typename Each>
void ForEachOtherOption(const OptionSet& set, Wants wants, Each each) {
  for (const bool always : {true, false}) {
    for (const EffectiveOption& option : set.options()) {
      if (option.always == always && !option.suppress &&
          !IsNetworkOption(set.family(), option.code) && (always || wants(option.code))) {
        each(ReplyOption{.code = option.code,
                         .scope = option.scope,
                         .of = option.of,
                         .id = option.id,
                         .always = always,
                         .value = option.value});
      }
    }
  }
}

}  // namespace slipway::dhcp
