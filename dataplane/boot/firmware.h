// What a client says about itself, distilled from its DHCP options; and the table of architectures.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "dataplane/base/cursor.h"
#include "dataplane/config/records.h"

namespace slipway::boot {

enum class ClientClass : std::uint8_t { kOther, kPxe, kHttp };

// Who is asking. Built by FirmwareFromOptions, or by hand where no DHCP options are at hand.
struct Firmware {
  ClientClass client_class = ClientClass::kOther;  // option 60
  bool has_architecture = false;
  std::uint16_t architecture = 0;  // option 93, RFC 4578 2.1: 16-bit code
  bool ipxe = false;               // option 77 "iPXE", or option 175
  bool ipxe_http = false;          // option 175 sub-option 19
  bool ipxe_kernel = false;        // option 175 sub-option 24 (bzImage) or 36 (EFI)
  bool has_uuid = false;
  config::Uuid uuid{};  // option 97 after its type byte, in SMBIOS's mixed order

  // True for firmware and boot loaders: everything that may be given a boot file.
  [[nodiscard]] bool boots() const noexcept {
    return ipxe || client_class != ClientClass::kOther || has_architecture;
  }
};

// The option values as received; empty for an option that is not there.
struct FirmwareOptions {
  ByteSpan vendor_class;  // 60
  ByteSpan user_class;    // 77: a bare string or RFC 3004 items
  ByteSpan architecture;  // 93: the first code counts
  ByteSpan uuid;          // 97
  ByteSpan ipxe;          // 175
};

// Never fails: what cannot be read counts as not said.
[[nodiscard]] Firmware FirmwareFromOptions(const FirmwareOptions& options) noexcept;

enum class LoaderTransport : std::uint8_t { kNone, kTftp, kHttp };

struct ArchitectureRow {
  std::uint16_t code = 0;  // RFC 4578 2.1 and the IANA registry
  std::string_view name;
  std::string_view image_architecture;  // of the launcher; empty: none
  LoaderTransport transport = LoaderTransport::kNone;
  std::string_view loader;  // file name in the snapshot; empty: no loader in this release
};

// All codes that are known, ordered.
[[nodiscard]] std::span<const ArchitectureRow> ArchitectureTable() noexcept;
// nullptr: not in the table.
[[nodiscard]] const ArchitectureRow* FindArchitecture(std::uint16_t code) noexcept;

}  // namespace slipway::boot
