// What each kind of firmware is given to boot: one table, a row per architecture code, and rows for
// boards that go their own way. A loader is a file of the snapshot, "<image>/<file>": Debian's are
// in the image "loaders", the others come from the operator (docs/protocols/dhcp.md, Boot files).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "dataplane/base/address.h"
#include "dataplane/base/bounded.h"
#include "dataplane/boot/firmware.h"

namespace slipway::boot {

enum class LoaderTransport : std::uint8_t { kTftp, kHttp };

// What the loader reads next, and so what the reply must say besides its name.
enum class ScriptKind : std::uint8_t {
  kIpxe,      // asks DHCP again and gets the script's URL
  kGrub,      // looks for its configuration below its own prefix
  kPxelinux,  // options 209 and 210 say where its configuration is (RFC 5071), asked for or not
  kOnie,      // is the installer itself: option 125 repeats its URL
  kNone,      // the loader is all there is
};

struct LoaderFile {
  std::string_view name;
  ScriptKind script = ScriptKind::kNone;
  std::string_view configuration;  // kPxelinux: a file too, without which the loader is no use
};

inline constexpr std::size_t kLoadersPerRow = 3;

struct ArchitectureRow {
  std::uint16_t code = 0;  // RFC 4578 2.1 and the IANA registry
  std::string_view name;
  std::string_view image_architecture;  // of the launcher; empty: none
  LoaderTransport transport = LoaderTransport::kTftp;
  // The first that is in the snapshot is given; unused places are empty.
  std::array<LoaderFile, kLoadersPerRow> loaders;
};

// All codes that are known, ordered.
[[nodiscard]] std::span<const ArchitectureRow> ArchitectureTable() noexcept;
// nullptr: not in the table.
[[nodiscard]] const ArchitectureRow* FindArchitecture(std::uint16_t code) noexcept;

// "PXE x64 UEFI", "iPXE": for people.
using FirmwareText = FixedString<63>;
[[nodiscard]] FirmwareText Describe(const Firmware& firmware) noexcept;

// Boards whose firmware claims an architecture and then does something else.
struct BoardRow {
  std::string_view name;
  std::uint32_t mac_prefix = 0;  // first three octets
  std::uint16_t architecture = 0;
  ArchitectureRow instead;
};

[[nodiscard]] std::span<const BoardRow> BoardTable() noexcept;

// The row of a client: its board's, ONIE's, or that of its architecture (RFC 4578 2.1: without
// option 93 it is a BIOS machine). nullptr: an unknown code.
[[nodiscard]] const ArchitectureRow* RowOf(const Firmware& firmware, MacAddress mac) noexcept;

}  // namespace slipway::boot
