#include "dataplane/boot/firmware.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace slipway::boot {
namespace {

constexpr std::uint8_t kIpxeFeatureHttp = 19;
constexpr std::uint8_t kIpxeFeatureBzImage = 24;
constexpr std::uint8_t kIpxeFeatureEfi = 36;

// ONIE's enterprise number and names (opencomputeproject.github.io/onie, "DHCP Requests").
constexpr std::uint32_t kOnieEnterprise = 42'623;
constexpr std::string_view kOnieUserClass = "onie_dhcp_user_class";
constexpr std::string_view kOnieVendorPrefix = "onie_vendor:";

// Beginnings of vendor classes of what is no machine: those that documentation of their makers or
// captures name. Others are told apart by asking for nothing that firmware asks for.
constexpr std::array kInfrastructure = std::to_array<std::string_view>({
    "Arista;",  // switches, zero-touch provisioning
    "CPQRIB",   // HPE iLO
    "Cisco Systems, Inc. IP Phone",
    "Hewlett-Packard JetDirect",
    "Juniper",
    "cumulus-linux",
    "iDRAC",
});

// RFC 3004 4: length-prefixed items. iPXE sends the bare string.
bool HasUserClass(ByteSpan value, std::string_view wanted) {
  if (AsText(value) == wanted) {
    return true;
  }
  WireReader reader(value);
  while (reader.left() > 0) {
    const ByteSpan item = reader.Bytes(reader.U8());
    if (!reader.ok()) {
      return false;
    }
    if (AsText(item) == wanted) {
      return true;
    }
  }
  return false;
}

// Sub-options are code, length, value (RFC 2132 8.4); features carry one byte, 1.
void ReadIpxeFeatures(ByteSpan value, Firmware& firmware) {
  WireReader reader(value);
  while (reader.left() > 0) {
    const std::uint8_t code = reader.U8();
    const ByteSpan feature = reader.Bytes(reader.U8());
    if (!reader.ok()) {
      return;
    }
    const bool on = !feature.empty() && std::to_integer<std::uint8_t>(feature[0]) != 0;
    firmware.ipxe_http = firmware.ipxe_http || (on && code == kIpxeFeatureHttp);
    firmware.ipxe_kernel =
        firmware.ipxe_kernel || (on && (code == kIpxeFeatureBzImage || code == kIpxeFeatureEfi));
  }
}

// RFC 3925 4: blocks of enterprise number and length-prefixed data.
bool HasEnterprise(ByteSpan value, std::uint32_t wanted) {
  WireReader reader(value);
  while (reader.left() > 0) {
    const std::uint32_t enterprise = reader.U32();
    (void)reader.Bytes(reader.U8());
    if (!reader.ok()) {
      return false;
    }
    if (enterprise == wanted) {
      return true;
    }
  }
  return false;
}

void ReadOnie(const FirmwareOptions& options, Firmware& firmware) {
  const std::string_view vendor = AsText(options.vendor_class);
  firmware.onie = vendor.starts_with(kOnieVendorPrefix) ||
                  HasUserClass(options.user_class, kOnieUserClass) ||
                  HasEnterprise(options.vendor_info, kOnieEnterprise);
  if (vendor.starts_with(kOnieVendorPrefix)) {
    const std::string_view platform = vendor.substr(kOnieVendorPrefix.size());
    const auto fits = [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
             c == '-' || c == '_' || c == '.';
    };
    if (std::ranges::all_of(platform, fits)) {
      (void)firmware.onie_platform.Assign(platform);
    }
  }
}

}  // namespace

Firmware FirmwareFromOptions(const FirmwareOptions& options) noexcept {
  Firmware firmware;
  const std::string_view vendor = AsText(options.vendor_class);
  if (vendor.starts_with("PXEClient")) {
    firmware.client_class = ClientClass::kPxe;
  } else if (vendor.starts_with("HTTPClient")) {
    firmware.client_class = ClientClass::kHttp;
  }
  firmware.infrastructure = std::ranges::any_of(
      kInfrastructure, [&](std::string_view prefix) { return vendor.starts_with(prefix); });
  ReadOnie(options, firmware);
  if (options.architecture.size() >= 2) {
    firmware.has_architecture = true;
    firmware.architecture = LoadBig<std::uint16_t>(options.architecture.data());
  }
  firmware.ipxe = !options.ipxe.empty() || HasUserClass(options.user_class, kIpxeUserClass);
  ReadIpxeFeatures(options.ipxe, firmware);
  // RFC 4578 2.3: type 0, then the UUID.
  if (options.uuid.size() == 17 && options.uuid[0] == std::byte{0}) {
    firmware.has_uuid = true;
    WireReader(options.uuid.subspan(1)).Copy(std::as_writable_bytes(std::span(firmware.uuid)));
  }
  return firmware;
}

}  // namespace slipway::boot
