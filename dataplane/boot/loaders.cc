#include "dataplane/boot/loaders.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "dataplane/boot/paths.h"

namespace slipway::boot {
namespace {

using enum LoaderTransport;
using enum ScriptKind;

constexpr std::string_view kAmd64 = kArchitectureAmd64;

// The firmware's own network driver (undionly, snponly) comes before the full set of drivers: it
// works wherever the firmware got this far, while some cards hang with a second driver.
constexpr std::array kArchitectures = std::to_array<ArchitectureRow>({
    {0,
     "x86 BIOS",
     kAmd64,
     kTftp,
     {{{kLoaderBiosPxe, kIpxe, ""},
       {"loaders/ipxe.pxe", kIpxe, ""},
       {"loaders-pxelinux/lpxelinux.0", kPxelinux, "loaders-pxelinux/pxelinux.conf"}}}},
    {6,
     "x86 UEFI",
     "i386",
     kTftp,
     {{{"loaders-i386/snponly.efi", kIpxe, ""}, {"loaders-i386/ipxe.efi", kIpxe, ""}}}},
    {7,
     "x64 UEFI",
     kAmd64,
     kTftp,
     {{{kLoaderUefiX64, kIpxe, ""}, {"loaders/ipxe.efi", kIpxe, ""}}}},
    // EBC by the registry; in practice x64 UEFI (field reports of the last ten years).
    {9,
     "x64 UEFI (EBC)",
     kAmd64,
     kTftp,
     {{{kLoaderUefiX64, kIpxe, ""}, {"loaders/ipxe.efi", kIpxe, ""}}}},
    {10,
     "arm32 UEFI",
     "armhf",
     kTftp,
     {{{"loaders-armhf/snponly.efi", kIpxe, ""}, {"loaders-armhf/ipxe.efi", kIpxe, ""}}}},
    {11,
     "arm64 UEFI",
     "arm64",
     kTftp,
     {{{"loaders-arm64/snponly.efi", kIpxe, ""},
       {"loaders-arm64/ipxe.efi", kIpxe, ""},
       {"loaders-arm64/bootaa64.efi", kGrub, ""}}}},
    {12,
     "PowerPC Open Firmware",
     "ppc64el",
     kTftp,
     {{{"loaders-ppc64el/bootppc64.bin", kGrub, ""}}}},
    // petitboot reads the configuration only, in the form of pxelinux; the name it is given is
    // never run.
    {14,
     "POWER OPAL v3",
     "ppc64el",
     kTftp,
     {{{"loaders-ppc64el/petitboot.conf", kPxelinux, "loaders-ppc64el/petitboot.conf"}}}},
    {15,
     "x86 UEFI HTTP",
     "i386",
     kHttp,
     {{{"loaders-i386/snponly.efi", kIpxe, ""}, {"loaders-i386/ipxe.efi", kIpxe, ""}}}},
    {16,
     "x64 UEFI HTTP",
     kAmd64,
     kHttp,
     {{{kLoaderUefiX64, kIpxe, ""}, {"loaders/ipxe.efi", kIpxe, ""}}}},
    {18,
     "arm32 UEFI HTTP",
     "armhf",
     kHttp,
     {{{"loaders-armhf/snponly.efi", kIpxe, ""}, {"loaders-armhf/ipxe.efi", kIpxe, ""}}}},
    {19,
     "arm64 UEFI HTTP",
     "arm64",
     kHttp,
     {{{"loaders-arm64/snponly.efi", kIpxe, ""},
       {"loaders-arm64/ipxe.efi", kIpxe, ""},
       {"loaders-arm64/bootaa64.efi", kGrub, ""}}}},
    {20,
     "x86 BIOS HTTP",
     kAmd64,
     kHttp,
     {{{kLoaderBiosPxe, kIpxe, ""}, {"loaders/ipxe.pxe", kIpxe, ""}}}},
    {27,
     "RISC-V 64 UEFI",
     "riscv64",
     kTftp,
     {{{"loaders-riscv64/snponly.efi", kIpxe, ""},
       {"loaders-riscv64/grubriscv64.efi", kGrub, ""}}}},
    {28,
     "RISC-V 64 UEFI HTTP",
     "riscv64",
     kHttp,
     {{{"loaders-riscv64/snponly.efi", kIpxe, ""},
       {"loaders-riscv64/grubriscv64.efi", kGrub, ""}}}},
    {31, "s390x KVM", "s390x", kTftp, {{{"loaders-s390x/boots390x.bin", kNone, ""}}}},
    // The configuration is what it fetches as its loader.
    {32, "s390x partition", "s390x", kTftp, {{{"loaders-s390x/partition", kNone, ""}}}},
});

static_assert(std::ranges::is_sorted(kArchitectures, {}, &ArchitectureRow::code));

// Open Network Install Environment: it has no architecture code.
constexpr ArchitectureRow kOnieRow{0, "ONIE", "", kHttp, {{{kLoaderOnie, ScriptKind::kOnie, ""}}}};

// The boot ROM of a Raspberry Pi says BIOS and wants names of its own (start4.elf, ...) at the top
// of the server: a BIOS loader would only be fetched in vain.
constexpr ArchitectureRow kRaspberryPi{0, "Raspberry Pi", "arm64", kTftp, {}};

constexpr std::array kBoards = std::to_array<BoardRow>({
    {"Raspberry Pi", 0x28CDC1, 0, kRaspberryPi},
    {"Raspberry Pi", 0x2CCF67, 0, kRaspberryPi},
    {"Raspberry Pi", 0xB827EB, 0, kRaspberryPi},
    {"Raspberry Pi", 0xD83ADD, 0, kRaspberryPi},
    {"Raspberry Pi", 0xDCA632, 0, kRaspberryPi},
    {"Raspberry Pi", 0xE45F01, 0, kRaspberryPi},
});

static_assert(std::ranges::is_sorted(kBoards, {}, &BoardRow::mac_prefix));

}  // namespace

std::span<const ArchitectureRow> ArchitectureTable() noexcept { return kArchitectures; }

const ArchitectureRow* FindArchitecture(std::uint16_t code) noexcept {
  const auto* found = std::ranges::find(kArchitectures, code, &ArchitectureRow::code);
  return found == kArchitectures.end() ? nullptr : found;
}

std::span<const BoardRow> BoardTable() noexcept { return kBoards; }

const ArchitectureRow* RowOf(const Firmware& firmware, MacAddress mac) noexcept {
  if (firmware.onie) {
    return &kOnieRow;
  }
  const std::uint16_t code = firmware.has_architecture ? firmware.architecture : std::uint16_t{0};
  const auto prefix = static_cast<std::uint32_t>(mac.ToU64() >> 24);
  const auto* board = std::ranges::lower_bound(kBoards, prefix, {}, &BoardRow::mac_prefix);
  // iPXE runs on a board as anywhere else.
  if (board != kBoards.end() && board->mac_prefix == prefix && board->architecture == code &&
      !firmware.ipxe) {
    return &board->instead;
  }
  return FindArchitecture(code);
}

FirmwareText Describe(const Firmware& firmware) noexcept {
  FirmwareText text("boot client");
  if (firmware.ipxe) {
    text = FirmwareText("iPXE");
  } else if (firmware.client_class != ClientClass::kOther) {
    text = FirmwareText(firmware.client_class == ClientClass::kPxe ? "PXE" : "HTTP");
  }
  if (!firmware.has_architecture) {
    return text;
  }
  const ArchitectureRow* const row = FindArchitecture(firmware.architecture);
  (void)text.push_back(' ');
  if (row != nullptr) {
    (void)text.Append(row->name);
    return text;
  }
  std::array<char, 8> number{};
  const auto [end, error] =
      std::to_chars(number.data(), number.data() + number.size(), firmware.architecture);
  (void)error;
  (void)text.Append("architecture ");
  (void)text.Append({number.data(), static_cast<std::size_t>(end - number.data())});
  return text;
}

}  // namespace slipway::boot
