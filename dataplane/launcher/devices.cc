#include "dataplane/launcher/devices.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "dataplane/launcher/console.h"
#include "dataplane/launcher/files.h"

namespace slipway::launcher {
namespace {

std::string ModulesFolder() {
  utsname name{};
  (void)uname(&name);
  return std::string("/lib/modules/") + name.release + "/";
}

// PCI base class 02 is a network controller; "virtio:d00000001..." is a virtio one.
bool IsNetwork(std::string_view modalias) {
  return modalias.starts_with("virtio:d00000001") ||
         (modalias.starts_with("pci:") && modalias.find("bc02sc") != std::string_view::npos);
}

bool TakeValue(std::string_view word, std::string_view name, std::string_view& value) {
  if (!word.starts_with(name)) {
    return false;
  }
  value = word.substr(name.size());
  return true;
}

}  // namespace

DeviceEvent ParseDeviceEvent(std::string_view message) noexcept {
  DeviceEvent event;
  while (!message.empty()) {
    const std::size_t end = std::min(message.find('\0'), message.size());
    const std::string_view word = message.substr(0, end);
    message.remove_prefix(std::min(end + 1, message.size()));
    (void)(TakeValue(word, "ACTION=", event.action) ||
           TakeValue(word, "SUBSYSTEM=", event.subsystem) ||
           TakeValue(word, "MODALIAS=", event.modalias));
  }
  return event;
}

DeviceLoader::DeviceLoader()
    : folder_(ModulesFolder()),
      alias_text_(ReadFile(folder_ + "modules.alias")),
      dep_text_(ReadFile(folder_ + "modules.dep")),
      index_(alias_text_, dep_text_) {
  if (index_.module_count() == 0) {
    Say("no modules in " + folder_ + ": only built-in drivers will work");
  }
}

void DeviceLoader::LoadModule(std::string_view name) {
  const auto order = index_.LoadOrder(name);
  if (!order) {
    return;
  }
  for (const std::string_view path : *order) {
    if (!loaded_.emplace(path).second) {
      continue;
    }
    const int fd = open((folder_ + std::string(path)).c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
      Say("module " + std::string(path) + " is missing from the image");
      continue;
    }
    // A driver that finds no device of its own answers ENODEV: normal.
    if (syscall(SYS_finit_module, fd, "", 0) != 0 && errno != EEXIST && errno != ENODEV) {
      Say("module " + std::string(path) + ": " + std::strerror(errno));
    }
    close(fd);
  }
}

void DeviceLoader::LoadFor(std::string_view modalias) {
  if (modalias.empty() || !tried_.emplace(modalias).second) {
    return;
  }
  std::vector<std::string_view> names;
  index_.Match(modalias, names);
  for (const std::string_view name : names) {
    LoadModule(name);
  }
}

void DeviceLoader::LoadBus(const std::string& bus, bool network_only) {
  const std::string folder = "/sys/bus/" + bus + "/devices";
  for (const std::string& device : ListFolder(folder)) {
    const std::string modalias = ReadText(folder + "/" + device + "/modalias");
    if (!network_only || IsNetwork(modalias)) {
      LoadFor(modalias);
    }
  }
}

void DeviceLoader::LoadNetworkDrivers() {
  LoadBus("pci", true);
  LoadBus("virtio", true);
}

void DeviceLoader::LoadAllDrivers() {
  // A controller's driver makes new devices, and those ask for drivers in turn: controller, bus,
  // target, disk are four.
  constexpr int kRoundsMax = 6;
  for (int round = 0; round < kRoundsMax; ++round) {
    const std::size_t before = tried_.size();
    for (const std::string& bus : ListFolder("/sys/bus")) {
      LoadBus(bus, false);
    }
    if (tried_.size() == before) {
      break;
    }
  }
  // ipmi_si also finds controllers that only SMBIOS or ACPI name.
  for (const std::string_view name : {"sd_mod", "ipmi_si", "ipmi_devintf", "tpm_tis", "efivarfs"}) {
    LoadModule(name);
  }
}

Result<int> OpenDeviceEvents() {
  const int fd =
      socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);
  if (fd < 0) {
    return FailErrno(errno);
  }
  // A busy start announces thousands of devices at once.
  constexpr int kReceiveBytes = 1 << 20;
  (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBytes, sizeof(kReceiveBytes));
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = 1;  // the kernel's own announcements
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    const int error_number = errno;
    close(fd);
    return FailErrno(error_number);
  }
  return fd;
}

}  // namespace slipway::launcher
