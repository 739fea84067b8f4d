#include "dataplane/dhcp/option_set.h"

#include <algorithm>

#include "dataplane/config/option_table.h"

namespace slipway::dhcp {
namespace {

// RFC 3004 4: items behind their lengths, of one byte, or of two in DHCPv6; iPXE sends a bare
// string.
bool HasUserClass(const OptionClient& client, std::string_view wanted) {
  if (AsText(client.user_class) == wanted) {
    return true;
  }
  WireReader reader(client.user_class);
  while (reader.left() > 0) {
    const ByteSpan item = reader.Bytes(client.family == Family::kV4 ? reader.U8() : reader.U16());
    if (!reader.ok()) {
      return false;
    }
    if (AsText(item) == wanted) {
      return true;
    }
  }
  return false;
}

bool Equal(const config::RelayId& wanted, ByteSpan got) {
  return std::ranges::equal(ByteSpan(wanted.data(), wanted.size()), got);
}

}  // namespace

bool Matches(const config::DhcpClassRecord& dhcp_class, const OptionClient& client) noexcept {
  bool gives = false;
  if (!dhcp_class.architectures.empty()) {
    gives = true;
    const auto& wanted = dhcp_class.architectures;
    if (!client.has_architecture ||
        std::find(wanted.begin(), wanted.end(), client.architecture) == wanted.end()) {
      return false;
    }
  }
  if (!dhcp_class.vendor_class.empty()) {
    gives = true;
    if (!client.vendor_class.starts_with(dhcp_class.vendor_class.view())) {
      return false;
    }
  }
  if (!dhcp_class.user_class.empty()) {
    gives = true;
    if (!HasUserClass(client, dhcp_class.user_class.view())) {
      return false;
    }
  }
  if (!dhcp_class.mac_prefix.empty()) {
    gives = true;
    if (client.mac.is_zero() ||
        !std::equal(dhcp_class.mac_prefix.begin(), dhcp_class.mac_prefix.end(),
                    client.mac.octets.begin())) {
      return false;
    }
  }
  if (!dhcp_class.circuit_id.empty()) {
    gives = true;
    if (!Equal(dhcp_class.circuit_id, client.circuit_id)) {
      return false;
    }
  }
  if (!dhcp_class.remote_id.empty()) {
    gives = true;
    if (!Equal(dhcp_class.remote_id, client.remote_id)) {
      return false;
    }
  }
  return gives;
}

RecordId FindRange(const config::Snapshot& snapshot, RecordId subnet,
                   const IpAddress& address) noexcept {
  for (const config::RangeRecord& range : snapshot.RangesOf(subnet)) {
    if (range.first <= address && address <= range.last) {
      return range.id;
    }
  }
  return 0;
}

void OptionSet::Clear() noexcept {
  for (const EffectiveOption& option : options()) {
    if (option.code < index_.size()) {
      index_[option.code] = kNone;
    }
  }
  size_ = 0;
  class_count_ = 0;
  left_out_ = 0;
}

const EffectiveOption* OptionSet::Find(std::uint16_t code) const noexcept {
  if (code < index_.size()) {
    return index_[code] == kNone ? nullptr : &options_[index_[code]];
  }
  const auto found = std::ranges::find(options(), code, &EffectiveOption::code);
  return found == options().end() ? nullptr : &*found;
}

void OptionSet::Add(const config::Snapshot& snapshot, OptionScope scope, RecordId of,
                    Family family) noexcept {
  const config::OptionTable& table = snapshot.dhcp_options();
  if (!table.Has(scope) || (of == 0 && scope != OptionScope::kGlobal)) {
    return;
  }
  table.ForEach(scope, of, family, [&](const config::OptionRow& row, ByteSpan value) {
    if (Find(row.code) != nullptr) {
      return;  // a stronger scope has said it
    }
    if (size_ == options_.size()) {
      ++left_out_;
      return;
    }
    if (row.code < index_.size()) {
      index_[row.code] = static_cast<std::uint8_t>(size_);
    }
    options_[size_++] = {.code = row.code,
                         .scope = scope,
                         .of = of,
                         .id = row.id,
                         .always = row.always,
                         .suppress = row.suppress,
                         .value = value};
  });
}

void OptionSet::Collect(const config::Snapshot& snapshot, const OptionPlace& place,
                        const OptionClient& client) noexcept {
  Clear();
  family_ = client.family;
  if (snapshot.dhcp_options().size() == 0) {
    return;
  }
  Add(snapshot, OptionScope::kMachine, place.machine, client.family);
  if (snapshot.dhcp_options().Has(OptionScope::kClass)) {
    for (const config::DhcpClassRecord& dhcp_class : snapshot.dhcp_classes()) {
      if (!Matches(dhcp_class, client)) {
        continue;
      }
      if (class_count_ == classes_.size()) {
        ++left_out_;
        break;
      }
      classes_[class_count_++] = dhcp_class.id;
      Add(snapshot, OptionScope::kClass, dhcp_class.id, client.family);
    }
  }
  Add(snapshot, OptionScope::kRange, place.range, client.family);
  Add(snapshot, OptionScope::kSubnet, place.subnet, client.family);
  Add(snapshot, OptionScope::kVlan, place.vlan, client.family);
  Add(snapshot, OptionScope::kGlobal, 0, client.family);
}

}  // namespace slipway::dhcp
