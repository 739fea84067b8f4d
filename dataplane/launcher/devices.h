// Brings up the machine's devices: loads the kernel modules that they ask for, now and when more of
// them appear.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "dataplane/base/result.h"
#include "dataplane/launcher/modules.h"

namespace slipway::launcher {

// One announcement of the kernel about a device: "add@/devices/...", then NAME=VALUE strings.
struct DeviceEvent {
  std::string_view action;     // "add", "remove", "change", "bind"
  std::string_view subsystem;  // "block", "net", "pci"
  std::string_view modalias;   // "" if it has none
};

// Reads a NETLINK_KOBJECT_UEVENT message; the views point into it. Pure.
[[nodiscard]] DeviceEvent ParseDeviceEvent(std::string_view message) noexcept;

// Loads modules of /lib/modules/RELEASE. One thread; lives as long as the program.
class DeviceLoader {
 public:
  // Reads the index files. An image without them can load nothing, and says so.
  DeviceLoader();

  // The drivers of network devices only: they are wanted first.
  void LoadNetworkDrivers();

  // The drivers of every device there is, until no new device appears, and those that no device
  // asks for: IPMI's interface, TPM, EFI variables.
  void LoadAllDrivers();

  // What a device that has just appeared asks for.
  void LoadFor(std::string_view modalias);

  [[nodiscard]] std::size_t loaded() const noexcept { return loaded_.size(); }

 private:
  void LoadModule(std::string_view name);
  void LoadBus(const std::string& bus, bool network_only);

  std::string folder_;
  std::string alias_text_;
  std::string dep_text_;
  ModuleIndex index_;
  std::set<std::string, std::less<>> tried_;   // modaliases seen
  std::set<std::string, std::less<>> loaded_;  // paths, failed ones too
};

// A socket on which the kernel announces devices. kSystem: the errno.
[[nodiscard]] Result<int> OpenDeviceEvents();

}  // namespace slipway::launcher
