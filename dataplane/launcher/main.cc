// The launcher: the first and only program of a machine that booted into the Slipway environment.
// It brings up devices and network, posts the inventory through the rack, and then does what it was
// told to. It writes to no disk.
#include <fcntl.h>
#include <poll.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string>

#include "dataplane/launcher/arguments.h"
#include "dataplane/launcher/console.h"
#include "dataplane/launcher/devices.h"
#include "dataplane/launcher/files.h"
#include "dataplane/launcher/http_client.h"
#include "dataplane/launcher/inventory.h"
#include "dataplane/launcher/network.h"

namespace slipway::launcher {
namespace {

constexpr std::size_t kDocumentBytesMax = std::size_t{256} << 10;  // limits::kInventoryBytesMax
constexpr std::string_view kInventoryPath = "/machine/inventory";

void MountFileSystems() {
  struct Mount {
    const char* type;
    const char* place;
  };

  constexpr std::array<Mount, 4> kMounts{
      {{"proc", "/proc"}, {"sysfs", "/sys"}, {"devtmpfs", "/dev"}, {"tmpfs", "/run"}}};
  for (const Mount& entry : kMounts) {
    (void)mkdir(entry.place, 0755);
    if (mount(entry.type, entry.place, entry.type, MS_NOSUID | MS_NOEXEC, nullptr) != 0 &&
        errno != EBUSY) {
      Say(std::string("cannot mount ") + entry.place + ": " + std::strerror(errno));
    }
  }
}

// The kernel opened its console for us, unless /dev/console was missing from the image.
void OpenConsole() {
  const int fd = open("/dev/console", O_RDWR | O_CLOEXEC);
  if (fd < 0) {
    return;
  }
  for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    (void)dup2(fd, standard);
  }
  close(fd);
  // Errors of the kernel still show; its chatter about devices does not.
  constexpr int kConsoleLevel = 8;
  constexpr int kErrorsOnly = 4;
  (void)klogctl(kConsoleLevel, nullptr, kErrorsOnly);
}

// Starts a process that loads the drivers which the network does not need, so that the machine has
// its address meanwhile. -1: it was done here.
pid_t LoadDriversAside(DeviceLoader& loader) {
  const pid_t child = fork();
  if (child > 0) {
    return child;
  }
  loader.LoadAllDrivers();
  (void)mount("efivarfs", "/sys/firmware/efi/efivars", "efivarfs",
              MS_RDONLY | MS_NOSUID | MS_NOEXEC, nullptr);
  if (child == 0) {
    Say("drivers loaded: " + std::to_string(loader.loaded()));
    _exit(0);
  }
  return -1;
}

Network WaitForInterface(const Arguments& arguments) {
  constexpr std::int64_t kSayEveryMs = 10'000;
  constexpr int kLookEveryMs = 50;
  std::int64_t said_ms = UptimeMs();
  while (true) {
    BringUpAll();
    const std::string name = FindInterface(arguments.boot_mac);
    if (!name.empty()) {
      Result<Network> network = Network::Create(name);
      if (network) {
        return std::move(*network);
      }
      Say("cannot use " + name + ": " + std::strerror(static_cast<int>(network.error().detail)));
    }
    if (UptimeMs() - said_ms >= kSayEveryMs) {
      said_ms = UptimeMs();
      Say(arguments.boot_mac ? "no interface has the address of BOOTIF: is its driver or firmware "
                               "file missing?"
                             : "no interface has a link, and BOOTIF is not set");
    }
    (void)poll(nullptr, 0, kLookEveryMs);
  }
}

// Milliseconds until the DHCP client wants to run, at most `max_ms`.
int TimeoutMs(const Network& network, int max_ms) {
  const std::int64_t left_ms = network.deadline_ms() - UptimeMs();
  return static_cast<int>(std::clamp<std::int64_t>(left_ms, 0, max_ms));
}

// A DISCOVER sent before the link is up is lost, and the next one is seconds away.
void WaitForLink(const Network& network) {
  constexpr std::int64_t kWaitMsMax = 8'000;
  const std::int64_t until_ms = UptimeMs() + kWaitMsMax;
  while (ReadNumber("/sys/class/net/" + network.name() + "/carrier") != 1 &&
         UptimeMs() < until_ms) {
    (void)poll(nullptr, 0, 20);
  }
}

void WaitForAddress(Network& network) {
  constexpr std::int64_t kSayEveryMs = 15'000;
  WaitForLink(network);
  std::int64_t said_ms = UptimeMs();
  while (!network.Step()) {
    if (UptimeMs() - said_ms >= kSayEveryMs) {
      said_ms = UptimeMs();
      Say("no DHCP answer yet on " + network.name());
    }
    pollfd waiting{.fd = network.fd(), .events = POLLIN, .revents = 0};
    (void)poll(&waiting, 1, TimeoutMs(network, 1000));
  }
}

// Waits until the process that loads drivers is done and no device has appeared for a while.
void WaitForDevices(pid_t child, int events, DeviceLoader& loader) {
  constexpr std::int64_t kWaitMsMax = 60'000;
  constexpr std::int64_t kQuietMs = 400;
  const std::int64_t start_ms = UptimeMs();
  std::int64_t last_event_ms = start_ms;
  bool running = child > 0;
  while (UptimeMs() - start_ms < kWaitMsMax) {
    if (running && waitpid(child, nullptr, WNOHANG) != 0) {
      running = false;
    }
    if (!running && UptimeMs() - last_event_ms >= kQuietMs) {
      return;
    }
    pollfd waiting{.fd = events, .events = POLLIN, .revents = 0};
    if (poll(&waiting, 1, 50) <= 0) {
      continue;
    }
    std::array<char, 8192> message{};
    const ssize_t size = recv(events, message.data(), message.size(), MSG_DONTWAIT);
    if (size > 0) {
      const DeviceEvent event = ParseDeviceEvent({message.data(), static_cast<std::size_t>(size)});
      if (event.action == "add") {
        last_event_ms = UptimeMs();
        // While the other process runs, it sees the same devices.
        loader.LoadFor(running ? std::string_view() : event.modalias);
      }
    }
  }
  Say("devices still appear after a minute: going on without them");
}

// A count that tells whether the hardware changed since the last post.
std::size_t HardwareCount(const Inventory& inventory) {
  return inventory.disks.size() * 1000 + inventory.interfaces.size();
}

enum class Posted : std::uint8_t { kAccepted, kRefused };

// Posts until somebody answers. A refusal is final: the token is not ours, or no longer.
Posted PostInventory(const Arguments& arguments, Network& network, std::string_view document) {
  constexpr int kDelayMsMax = 30'000;
  int delay_ms = 500;
  while (true) {
    const Result<int> status = Post(*arguments.rack, kInventoryPath, arguments.token, document);
    if (status && *status >= 200 && *status < 300) {
      return Posted::kAccepted;
    }
    if (status && *status >= 400 && *status < 500 && *status != 408 && *status != 429) {
      Say("the rack refused the inventory with status " + std::to_string(*status));
      return Posted::kRefused;
    }
    Say(status ? "the rack answered " + std::to_string(*status) + ": trying again"
               : "the rack at " + arguments.rack->authority + " gave no answer: trying again");
    const std::int64_t until_ms = UptimeMs() + delay_ms;
    while (UptimeMs() < until_ms) {
      (void)network.Step();
      (void)poll(nullptr, 0, 100);
    }
    delay_ms = std::min(delay_ms * 2, kDelayMsMax);
  }
}

std::size_t ReportInventory(const Arguments& arguments, Network& network) {
  static std::array<char, kDocumentBytesMax> document;
  const Inventory inventory = CollectInventory("");
  JsonWriter writer(document);
  WriteInventory(inventory,
                 {.boot_mac = network.mac(),
                  .address = network.binding().address,
                  .uptime_ms = static_cast<std::uint64_t>(UptimeMs())},
                 writer);
  Say("inventory " + std::to_string(inventory.cpu.threads) + " cpu, " +
      std::to_string(inventory.smbios.memory_mib) + " MiB, " +
      std::to_string(inventory.disks.size()) + " disks, " +
      std::to_string(inventory.interfaces.size()) + " interfaces, " +
      std::to_string(inventory.pci.size()) + " pci" +
      (inventory.ipmi_interface.empty() ? "" : ", ipmi " + inventory.ipmi_interface) +
      (inventory.tpm_version.empty() ? "" : ", tpm " + inventory.tpm_version));
  for (const Disk& disk : inventory.disks) {
    Say("disk " + disk.name + " " + std::to_string(disk.bytes >> 20) + " MiB " + disk.model +
        " serial " + (disk.serial.empty() ? "unknown" : disk.serial));
  }
  if (!writer.ok()) {
    Say("the inventory does not fit: not sent");
  } else if (PostInventory(arguments, network, writer.text()) == Posted::kAccepted) {
    Say("inventory accepted by " + arguments.rack->authority);
  }
  return HardwareCount(inventory);
}

// Keeps the lease, and reports again when disks or interfaces come or go.
[[noreturn]] void StayWaiting(const Arguments& arguments, Network& network, int events,
                              DeviceLoader& loader, std::size_t reported) {
  constexpr std::int64_t kQuietMs = 2000;
  std::int64_t changed_ms = 0;
  while (true) {
    (void)network.Step();
    while (waitpid(-1, nullptr, WNOHANG) > 0) {
    }
    std::array<char, 8192> message{};
    const ssize_t size = recv(events, message.data(), message.size(), MSG_DONTWAIT);
    if (size > 0) {
      const DeviceEvent event = ParseDeviceEvent({message.data(), static_cast<std::size_t>(size)});
      loader.LoadFor(event.action == "add" ? event.modalias : std::string_view());
      if (event.subsystem == "block" || event.subsystem == "net") {
        changed_ms = UptimeMs();
      }
      continue;
    }
    if (changed_ms != 0 && UptimeMs() - changed_ms >= kQuietMs) {
      changed_ms = 0;
      if (HardwareCount(CollectInventory("")) != reported) {
        reported = ReportInventory(arguments, network);
      }
    }
    std::array<pollfd, 2> waiting{pollfd{.fd = network.fd(), .events = POLLIN, .revents = 0},
                                  pollfd{.fd = events, .events = POLLIN, .revents = 0}};
    (void)poll(waiting.data(), waiting.size(), TimeoutMs(network, changed_ms != 0 ? 200 : 60'000));
  }
}

[[noreturn]] void StopHere(std::string_view reason) {
  Say("stopped: " + std::string(reason));
  while (true) {
    (void)pause();
  }
}

[[noreturn]] void Run() {
  MountFileSystems();
  OpenConsole();
  const Arguments arguments = ParseCommandLine(ReadFile("/proc/cmdline"));
  Say("launcher " SLIPWAY_VERSION " starts");
  if (!arguments.complaint.empty()) {
    Say("the value of " + arguments.complaint + " on the command line makes no sense");
  }
  const Result<int> events = OpenDeviceEvents();
  DeviceLoader loader;
  loader.LoadNetworkDrivers();
  const pid_t child = LoadDriversAside(loader);
  Network network = WaitForInterface(arguments);
  WaitForAddress(network);
  WaitForDevices(child, events ? *events : -1, loader);
  if (!arguments.rack) {
    StopHere("the command line names no rack (slipway.rack=http://ADDRESS:PORT)");
  }
  const std::size_t reported = ReportInventory(arguments, network);
  if (arguments.after != After::kWait) {
    Say(arguments.after == After::kPowerOff ? "powering off" : "restarting");
    (void)reboot(arguments.after == After::kPowerOff ? RB_POWER_OFF : RB_AUTOBOOT);
  }
  Say("waiting");
  StayWaiting(arguments, network, events ? *events : -1, loader, reported);
}

}  // namespace
}  // namespace slipway::launcher

int main() {
  if (getpid() != 1) {
    constexpr char kUsage[] =
        "slipway-launcher is the init program of the Slipway boot environment; it does nothing "
        "elsewhere.\n";
    (void)!write(STDERR_FILENO, kUsage, sizeof(kUsage) - 1);
    return 2;
  }
  slipway::launcher::Run();
}
