// Every name and path by which machines reach a rack, in one place. DHCP hands them out, TFTP and
// HTTP serve them, the launcher calls them.
#pragma once

#include <cstdint>
#include <string_view>

namespace slipway::boot {

inline constexpr std::uint16_t kHttpPort = 5248;

// HTTP. Files of the snapshot are below kFilesPrefix, as "<image name>/<file name>".
inline constexpr std::string_view kFilesPrefix = "/files/";
inline constexpr std::string_view kIpxeScriptPath = "/boot/ipxe";
inline constexpr std::string_view kInventoryPath = "/machine/inventory";

// Loaders: files of images, by the same names over TFTP and below kFilesPrefix. All of them are in
// the table of dataplane/boot/loaders.cc.
inline constexpr std::string_view kLoaderBiosPxe = "loaders/undionly.kpxe";
inline constexpr std::string_view kLoaderUefiX64 = "loaders/snponly.efi";
// ONIE: with "-" and the platform appended first, then as it is.
inline constexpr std::string_view kLoaderOnie = "loaders-onie/onie-installer";

// The architecture of the launcher's image for x86 machines.
inline constexpr std::string_view kArchitectureAmd64 = "amd64";

// Kernel arguments that the launcher reads.
inline constexpr std::string_view kArgumentBootInterface = "BOOTIF=01-";
inline constexpr std::string_view kArgumentRack = "slipway.rack=";
inline constexpr std::string_view kArgumentToken = "slipway.token=";

}  // namespace slipway::boot
