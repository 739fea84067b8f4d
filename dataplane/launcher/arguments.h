// What the rack tells the launcher on the kernel command line. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "dataplane/base/address.h"
#include "dataplane/base/result.h"

namespace slipway::launcher {

// What the launcher does once the region has the inventory.
enum class After : std::uint8_t { kWait, kPowerOff, kReboot };

// An http:// address whose host is an address: the launcher resolves no names.
struct HttpTarget {
  IpAddress host;
  std::uint16_t port = 80;
  std::string path;       // begins with '/', or is empty
  std::string authority;  // "10.0.0.1:5248", for the Host field
};

// "http://ADDRESS[:PORT][/PATH]", IPv6 in brackets. kMalformed otherwise; kUnsupported for a name
// or another scheme.
[[nodiscard]] Result<HttpTarget> ParseHttpUrl(std::string_view url);

struct Arguments {
  std::optional<MacAddress>
      boot_mac;                    // BOOTIF=01-52-54-00-12-34-56, as pxelinux, iPXE, GRUB write it
  std::optional<HttpTarget> rack;  // slipway.rack=http://10.0.0.1:5248
  std::string token;               // slipway.token=...
  After after = After::kWait;      // slipway.after=wait|poweroff|reboot
  std::string complaint;           // the first argument of ours that made no sense; "" if none
};

// Reads the words that are ours and leaves all others alone. Never fails: a machine whose command
// line is wrong still boots as far as it can, and says why it stopped.
[[nodiscard]] Arguments ParseCommandLine(std::string_view command_line);

}  // namespace slipway::launcher
