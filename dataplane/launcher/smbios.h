// The few facts of the SMBIOS table (DMTF DSP0134) that sysfs does not name. Pure.
//
// A structure: type u8, length u8, handle u16, fields up to `length`, then strings that end in NUL,
// then one more NUL. Numbers are little-endian.
#pragma once

#include <cstdint>

#include "dataplane/base/cursor.h"

namespace slipway::launcher {

struct SmbiosFacts {
  std::uint64_t memory_mib = 0;      // installed: sum over type 17
  std::uint32_t memory_devices = 0;  // slots in use
  std::uint32_t memory_slots = 0;
  std::uint8_t ipmi_interface = 0;  // type 38: 1 KCS, 2 SMIC, 3 BT, 4 SSIF; 0: none said
  bool ipmi = false;
};

// Reads /sys/firmware/dmi/tables/DMI. A table that breaks off gives what came before.
[[nodiscard]] SmbiosFacts ReadSmbios(ByteSpan table) noexcept;

}  // namespace slipway::launcher
