// Limits of the configuration snapshot and its files. Those that span folders are in
// dataplane/base/limits.h.
#pragma once

#include <cstddef>
#include <cstdint>

#include "dataplane/base/limits.h"

namespace slipway::config {

// A record body. The largest that the model allows is an image of 16 files: about 4 KiB.
inline constexpr std::size_t kRecordBytesMax = std::size_t{32} << 10;

// For the flatbuffers verifier: an image has one table and one per file.
inline constexpr std::uint32_t kVerifierDepthMax = 4;
inline constexpr std::uint32_t kVerifierTablesMax = 32;

// Records of tables that a newer region sends and this version does not know.
inline constexpr std::uint32_t kUnknownRecordsMax = 131'072;

inline constexpr std::uint32_t kInterfacesMax = 2 * limits::kHostsMax;

// A rack is in one pair; while a delta is applied the next one may come before the last one goes.
inline constexpr std::uint32_t kRackPairsMax = 2;

// Directory bits of a copy-on-write table: 2^20 pages are far more than any table needs.
inline constexpr std::uint8_t kTableDepthMax = 20;

}  // namespace slipway::config
