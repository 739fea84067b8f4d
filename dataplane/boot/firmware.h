// What a client says about itself, distilled from its DHCP options.
#pragma once

#include <cstddef>
#include <cstdint>

#include "dataplane/base/bounded.h"
#include "dataplane/base/cursor.h"
#include "dataplane/config/records.h"

namespace slipway::boot {

enum class ClientClass : std::uint8_t { kOther, kPxe, kHttp };

inline constexpr std::size_t kOniePlatformBytesMax = 47;
inline constexpr std::string_view kIpxeUserClass = "iPXE";
inline constexpr std::uint16_t kArchitectureBios = 0;
inline constexpr std::uint16_t kArchitectureUefiX64 = 7;

// Who is asking. Built by FirmwareFromOptions, or by hand where no DHCP options are at hand.
struct Firmware {
  ClientClass client_class = ClientClass::kOther;  // option 60
  bool has_architecture = false;
  std::uint16_t architecture = 0;  // option 93, RFC 4578 2.1: 16-bit code
  bool ipxe = false;               // option 77 "iPXE", or option 175
  bool ipxe_http = false;          // option 175 sub-option 19
  bool ipxe_kernel = false;        // option 175 sub-option 24 (bzImage) or 36 (EFI)
  bool onie = false;               // option 60 "onie_vendor:...", 77, or 125 of its enterprise
  FixedString<kOniePlatformBytesMax> onie_platform;  // "x86_64-acme_sw1-r0"; empty: not said
  // A BMC, switch, PDU or printer by its vendor class: never gets boot data, whatever else it says.
  bool infrastructure = false;
  bool asks_boot_file = false;  // DHCPv6: option 59 is on its list of requested options
  bool has_uuid = false;
  config::Uuid uuid{};  // option 97 after its type byte, in SMBIOS's mixed order

  // True for firmware and boot loaders: everything that may be given a boot file.
  [[nodiscard]] bool boots() const noexcept {
    return !infrastructure && (ipxe || onie || client_class != ClientClass::kOther ||
                               has_architecture || asks_boot_file);
  }
};

// The option values as received; empty for an option that is not there.
struct FirmwareOptions {
  ByteSpan vendor_class;  // 60
  ByteSpan user_class;    // 77: a bare string or RFC 3004 items
  ByteSpan architecture;  // 93: the first code counts
  ByteSpan uuid;          // 97
  ByteSpan vendor_info;   // 125
  ByteSpan ipxe;          // 175
};

// Never fails: what cannot be read counts as not said.
[[nodiscard]] Firmware FirmwareFromOptions(const FirmwareOptions& options) noexcept;

}  // namespace slipway::boot
