#include "dataplane/launcher/smbios.h"

#include <cstddef>

namespace slipway::launcher {
namespace {

constexpr std::uint8_t kMemoryDevice = 17;
constexpr std::uint8_t kIpmiDevice = 38;
constexpr std::uint8_t kEndOfTable = 127;
constexpr std::size_t kHeaderBytes = 4;

std::uint16_t U16At(ByteSpan fields, std::size_t at) noexcept {
  return at + 2 <= fields.size() ? LoadLittle<std::uint16_t>(fields.data() + at) : std::uint16_t{0};
}

std::uint32_t U32At(ByteSpan fields, std::size_t at) noexcept {
  return at + 4 <= fields.size() ? LoadLittle<std::uint32_t>(fields.data() + at) : 0U;
}

// DSP0134 7.18.
std::uint64_t MemoryDeviceMib(ByteSpan fields) noexcept {
  constexpr std::uint16_t kUnknown = 0xFFFF;
  constexpr std::uint16_t kSeeExtended = 0x7FFF;
  constexpr std::uint16_t kInKib = 0x8000;
  const std::uint16_t size = U16At(fields, 0x0C);
  if (size == 0 || size == kUnknown) {
    return 0;
  }
  if (size == kSeeExtended) {
    return U32At(fields, 0x1C) & 0x7FFF'FFFFU;
  }
  return (size & kInKib) != 0 ? (size & 0x7FFFU) / 1024U : size;
}

// The offset after the strings of a structure whose fields end at `at`.
std::size_t SkipStrings(ByteSpan table, std::size_t at) noexcept {
  while (at + 1 < table.size()) {
    if (table[at] == std::byte{0} && table[at + 1] == std::byte{0}) {
      return at + 2;
    }
    ++at;
  }
  return table.size();
}

}  // namespace

SmbiosFacts ReadSmbios(ByteSpan table) noexcept {
  SmbiosFacts facts;
  std::size_t at = 0;
  while (table.size() - at >= kHeaderBytes) {
    const auto type = std::to_integer<std::uint8_t>(table[at]);
    const auto length = std::to_integer<std::size_t>(table[at + 1]);
    if (length < kHeaderBytes || length > table.size() - at || type == kEndOfTable) {
      break;
    }
    const ByteSpan fields = table.subspan(at, length);
    if (type == kMemoryDevice) {
      const std::uint64_t mib = MemoryDeviceMib(fields);
      facts.memory_mib += mib;
      facts.memory_devices += mib > 0 ? 1U : 0U;
      ++facts.memory_slots;
    } else if (type == kIpmiDevice && length > kHeaderBytes) {
      facts.ipmi = true;
      facts.ipmi_interface = std::to_integer<std::uint8_t>(fields[kHeaderBytes]);
    }
    at = SkipStrings(table, at + length);
  }
  return facts;
}

}  // namespace slipway::launcher
