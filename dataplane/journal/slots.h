// Names of the journal's files, and sizes of its work.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "dataplane/base/bounded.h"
#include "dataplane/base/hex.h"

namespace slipway::journal {

inline constexpr std::string_view kSpareName = "journal.tmp";
inline constexpr std::string_view kCheckpointName = "checkpoint";
inline constexpr std::string_view kCheckpointTempName = "checkpoint.tmp";
inline constexpr std::string_view kSlotPrefix = "journal-";

inline constexpr std::size_t kReadChunkBytes = std::size_t{64} << 10;
inline constexpr std::uint64_t kSpareStepBytes = std::uint64_t{512} << 10;
inline constexpr std::size_t kCheckpointBufferBytes = std::size_t{256} << 10;
inline constexpr std::uint64_t kCheckpointSyncBytes = std::uint64_t{1} << 20;

using SlotText = FixedString<31>;

// "journal-0a".
[[nodiscard]] inline SlotText SlotName(std::uint32_t slot) {
  SlotText name(kSlotPrefix);
  AppendHex(name, static_cast<std::uint8_t>(slot));
  return name;
}

}  // namespace slipway::journal
