#include "dataplane/boot/firmware.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "dataplane/boot/paths.h"

namespace slipway::boot {
namespace {

constexpr std::string_view kIpxeUserClass = "iPXE";
constexpr std::uint8_t kIpxeFeatureHttp = 19;
constexpr std::uint8_t kIpxeFeatureBzImage = 24;
constexpr std::uint8_t kIpxeFeatureEfi = 36;

constexpr std::array kArchitectures = std::to_array<ArchitectureRow>({
    {0, "x86 BIOS", kArchitectureAmd64, LoaderTransport::kTftp, kLoaderBiosPxe},
    {6, "x86 UEFI", "", LoaderTransport::kNone, ""},
    {7, "x64 UEFI", kArchitectureAmd64, LoaderTransport::kTftp, kLoaderUefiX64},
    // EBC by the registry; in practice x64 UEFI (field reports of the last ten years).
    {9, "x64 UEFI (EBC)", kArchitectureAmd64, LoaderTransport::kTftp, kLoaderUefiX64},
    {10, "arm32 UEFI", "", LoaderTransport::kNone, ""},
    {11, "arm64 UEFI", "arm64", LoaderTransport::kNone, ""},
    {12, "PowerPC Open Firmware", "", LoaderTransport::kNone, ""},
    {14, "POWER OPAL v3", "", LoaderTransport::kNone, ""},
    {15, "x86 UEFI HTTP", "", LoaderTransport::kNone, ""},
    {16, "x64 UEFI HTTP", kArchitectureAmd64, LoaderTransport::kHttp, kLoaderUefiX64},
    {18, "arm32 UEFI HTTP", "", LoaderTransport::kNone, ""},
    {19, "arm64 UEFI HTTP", "arm64", LoaderTransport::kNone, ""},
    {20, "x86 BIOS HTTP", "", LoaderTransport::kNone, ""},
    {27, "RISC-V 64 UEFI", "", LoaderTransport::kNone, ""},
    {28, "RISC-V 64 UEFI HTTP", "", LoaderTransport::kNone, ""},
    {31, "s390x KVM", "", LoaderTransport::kNone, ""},
    {32, "s390x partition", "", LoaderTransport::kNone, ""},
});

static_assert(std::ranges::is_sorted(kArchitectures, {}, &ArchitectureRow::code));

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

}  // namespace

Firmware FirmwareFromOptions(const FirmwareOptions& options) noexcept {
  Firmware firmware;
  const std::string_view vendor = AsText(options.vendor_class);
  if (vendor.starts_with("PXEClient")) {
    firmware.client_class = ClientClass::kPxe;
  } else if (vendor.starts_with("HTTPClient")) {
    firmware.client_class = ClientClass::kHttp;
  }
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

std::span<const ArchitectureRow> ArchitectureTable() noexcept { return kArchitectures; }

const ArchitectureRow* FindArchitecture(std::uint16_t code) noexcept {
  const auto* found = std::ranges::find(kArchitectures, code, &ArchitectureRow::code);
  return found == kArchitectures.end() ? nullptr : found;
}

}  // namespace slipway::boot
