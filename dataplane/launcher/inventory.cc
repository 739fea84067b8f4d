#include "dataplane/launcher/inventory.h"

#include <sys/utsname.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <set>
#include <string_view>
#include <utility>

#include "dataplane/launcher/files.h"

namespace slipway::launcher {
namespace {

std::string Text(const std::string& path) { return ReadText(path).substr(0, kTextBytesMax); }

// sysfs writes "0x8086"; the ids are known by their digits.
std::string HexId(const std::string& path) {
  std::string text = Text(path);
  return text.starts_with("0x") ? text.substr(2) : text;
}

bool IsPciSlot(std::string_view name) {
  return name.size() >= 12 && name[4] == ':' && name[7] == ':' && name[10] == '.';
}

// The PCI function that a device hangs from: the last one on its path.
std::string PciSlotOf(std::string_view path) {
  std::string slot;
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/'), path.size());
    if (IsPciSlot(path.substr(0, end))) {
      slot = path.substr(0, end);
    }
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return slot;
}

std::string TransportOf(std::string_view path) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kParts{{
      {"/nvme", "nvme"},
      {"/usb", "usb"},
      {"/virtio", "virtio"},
      {"/ata", "sata"},
      {"/mmc", "mmc"},
      {"/host", "scsi"},
  }};
  for (const auto& [part, transport] : kParts) {
    if (path.find(part) != std::string_view::npos) {
      return std::string(transport);
    }
  }
  return {};
}

bool IsRealDisk(std::string_view name) {
  constexpr std::array<std::string_view, 9> kOthers{"loop", "ram", "zram", "dm-", "md",
                                                    "sr",   "fd",  "nbd",  "zd"};
  return std::none_of(kOthers.begin(), kOthers.end(),
                      [name](std::string_view other) { return name.starts_with(other); });
}

Disk ReadDisk(const std::string& folder, const std::string& name) {
  Disk disk;
  disk.name = name;
  disk.bytes = ReadNumber(folder + "/size") * 512;  // sysfs counts in 512 whatever the disk does
  disk.block_bytes = ReadNumber(folder + "/queue/logical_block_size");
  disk.rotational = ReadNumber(folder + "/queue/rotational") != 0;
  disk.model = Text(folder + "/device/model");
  disk.vendor = Text(folder + "/device/vendor");
  disk.transport = TransportOf(Resolve(folder));
  for (const std::string_view place : {"/serial", "/device/serial"}) {
    if (disk.serial.empty()) {
      disk.serial = Text(folder + std::string(place));
    }
  }
  if (disk.serial.empty()) {
    disk.serial = ParseSerialPage(ReadFile(folder + "/device/vpd_pg80"));
  }
  for (const std::string_view place : {"/wwid", "/device/wwid"}) {
    if (disk.wwn.empty()) {
      disk.wwn = Text(folder + std::string(place));
    }
  }
  return disk;
}

void CollectDisks(Inventory& inventory) {
  const std::string block = inventory.root + "/sys/block";
  for (const std::string& name : ListFolder(block)) {
    // A namespace reached over several paths shows them as hidden disks "nvme0c0n1".
    const std::string folder = block + "/" + name;
    if (!IsRealDisk(name) || ReadNumber(folder + "/hidden") != 0) {
      continue;
    }
    Disk disk = ReadDisk(folder, name);
    if (disk.bytes == 0) {
      continue;
    }
    if (inventory.disks.size() == kDisksMax) {
      ++inventory.left_out;
      continue;
    }
    inventory.disks.push_back(std::move(disk));
  }
}

void CollectInterfaces(Inventory& inventory) {
  const std::string net = inventory.root + "/sys/class/net";
  constexpr std::uint64_t kArphrdEther = 1;
  for (const std::string& name : ListFolder(net)) {
    const std::string folder = net + "/" + name;
    if (!Exists(folder + "/device") || ReadNumber(folder + "/type") != kArphrdEther) {
      continue;
    }
    if (inventory.interfaces.size() == kInterfacesMax) {
      ++inventory.left_out;
      continue;
    }
    inventory.interfaces.push_back({.name = name,
                                    .mac = Text(folder + "/address"),
                                    .driver = LinkName(folder + "/device/driver"),
                                    .pci = PciSlotOf(Resolve(folder + "/device")),
                                    .speed_mbps = ReadNumber(folder + "/speed"),
                                    .link = ReadNumber(folder + "/carrier") == 1});
  }
}

void CollectPci(Inventory& inventory) {
  const std::string bus = inventory.root + "/sys/bus/pci/devices";
  for (const std::string& slot : ListFolder(bus)) {
    if (inventory.pci.size() == kPciDevicesMax) {
      ++inventory.left_out;
      continue;
    }
    const std::string folder = bus + "/" + slot;
    inventory.pci.push_back({.slot = slot,
                             .vendor = HexId(folder + "/vendor"),
                             .device = HexId(folder + "/device"),
                             .subsystem_vendor = HexId(folder + "/subsystem_vendor"),
                             .subsystem_device = HexId(folder + "/subsystem_device"),
                             .device_class = HexId(folder + "/class"),
                             .driver = LinkName(folder + "/driver")});
  }
}

// "MemTotal:  1015000 kB".
std::uint64_t UsableMemoryMib(std::string_view meminfo) {
  constexpr std::string_view kTotal = "MemTotal:";
  const std::size_t at = meminfo.find(kTotal);
  if (at == std::string_view::npos) {
    return 0;
  }
  const std::string_view rest = Trim(meminfo.substr(at + kTotal.size()));
  std::uint64_t kib = 0;
  (void)std::from_chars(rest.data(), rest.data() + rest.size(), kib);
  return kib / 1024;
}

void CollectFirmware(Inventory& inventory) {
  const std::string& root = inventory.root;
  inventory.efi = Exists(root + "/sys/firmware/efi");
  // Four bytes of attributes, then the value.
  const std::string secure =
      ReadFile(root + "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c");
  inventory.secure_boot = secure.size() == 5 && secure[4] == 1;
  const std::string table = ReadFile(root + "/sys/firmware/dmi/tables/DMI");
  inventory.smbios = ReadSmbios(AsBytes(table));
}

void CollectManagement(Inventory& inventory) {
  const std::string& root = inventory.root;
  if (Exists(root + "/sys/class/tpm/tpm0")) {
    const std::string major = Text(root + "/sys/class/tpm/tpm0/tpm_version_major");
    inventory.tpm_version = major.empty() ? "unknown" : major;
  }
  if (Exists(root + "/sys/class/ipmi/ipmi0")) {
    const std::string type = Text(root + "/sys/class/ipmi/ipmi0/device/type");
    inventory.ipmi_interface = type.empty() ? "unknown" : type;
  } else if (inventory.smbios.ipmi) {
    // The firmware says that there is one, but no driver took it.
    inventory.ipmi_interface = "undriven";
  }
}

// The value of a "name : value" line, if its name is `name`.
bool CpuField(std::string_view line, std::string_view name, std::string_view& value) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || Trim(line.substr(0, colon)) != name) {
    return false;
  }
  value = Trim(line.substr(colon + 1));
  return true;
}

void WriteDisks(const Inventory& inventory, JsonWriter& writer) {
  writer.Key("disks");
  writer.BeginArray();
  for (const Disk& disk : inventory.disks) {
    writer.BeginObject();
    writer.Field("name", disk.name);
    writer.Field("bytes", disk.bytes);
    writer.Field("block_bytes", disk.block_bytes);
    writer.Field("model", disk.model);
    writer.Field("vendor", disk.vendor);
    writer.Field("serial", disk.serial);
    writer.Field("wwn", disk.wwn);
    writer.Field("transport", disk.transport);
    writer.Flag("rotational", disk.rotational);
    writer.EndObject();
  }
  writer.EndArray();
}

void WriteInterfaces(const Inventory& inventory, JsonWriter& writer) {
  writer.Key("interfaces");
  writer.BeginArray();
  for (const Interface& interface : inventory.interfaces) {
    writer.BeginObject();
    writer.Field("name", interface.name);
    writer.Field("mac", interface.mac);
    writer.Field("driver", interface.driver);
    writer.Field("pci", interface.pci);
    writer.Field("speed_mbps", interface.speed_mbps);
    writer.Flag("link", interface.link);
    writer.EndObject();
  }
  writer.EndArray();
}

void WritePci(const Inventory& inventory, JsonWriter& writer) {
  writer.Key("pci");
  writer.BeginArray();
  for (const PciDevice& device : inventory.pci) {
    writer.BeginObject();
    writer.Field("slot", device.slot);
    writer.Field("vendor", device.vendor);
    writer.Field("device", device.device);
    writer.Field("subsystem_vendor", device.subsystem_vendor);
    writer.Field("subsystem_device", device.subsystem_device);
    writer.Field("class", device.device_class);
    writer.Field("driver", device.driver);
    writer.EndObject();
  }
  writer.EndArray();
}

// The folder of sysfs has one file for each field of SMBIOS types 0 to 3.
void WriteDmi(const Inventory& inventory, JsonWriter& writer) {
  struct Row {
    std::string_view group;
    std::string_view name;
    std::string_view file;
  };

  constexpr std::array<Row, 17> kRows{{{"system", "vendor", "sys_vendor"},
                                       {"system", "product", "product_name"},
                                       {"system", "version", "product_version"},
                                       {"system", "serial", "product_serial"},
                                       {"system", "sku", "product_sku"},
                                       {"system", "family", "product_family"},
                                       {"board", "vendor", "board_vendor"},
                                       {"board", "product", "board_name"},
                                       {"board", "version", "board_version"},
                                       {"board", "serial", "board_serial"},
                                       {"chassis", "vendor", "chassis_vendor"},
                                       {"chassis", "type", "chassis_type"},
                                       {"chassis", "serial", "chassis_serial"},
                                       {"chassis", "asset_tag", "chassis_asset_tag"},
                                       {"bios", "vendor", "bios_vendor"},
                                       {"bios", "version", "bios_version"},
                                       {"bios", "date", "bios_date"}}};
  std::string_view group;
  for (const Row& row : kRows) {
    if (row.group != group) {
      if (!group.empty()) {
        writer.EndObject();
      }
      group = row.group;
      writer.Key(group);
      writer.BeginObject();
    }
    writer.Field(row.name, Text(inventory.root + "/sys/class/dmi/id/" + std::string(row.file)));
  }
  writer.EndObject();
}

}  // namespace

Cpu ParseCpuInfo(std::string_view text) {
  Cpu cpu;
  std::set<std::string_view> sockets;
  std::set<std::pair<std::string_view, std::string_view>> cores;
  std::string_view socket;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    std::string_view value;
    if (CpuField(line, "processor", value)) {
      ++cpu.threads;
    } else if (CpuField(line, "vendor_id", value)) {
      cpu.vendor = value.substr(0, kTextBytesMax);
    } else if (CpuField(line, "model name", value)) {
      cpu.model = value.substr(0, kTextBytesMax);
    } else if (CpuField(line, "physical id", value)) {
      socket = value;
      sockets.insert(value);
    } else if (CpuField(line, "core id", value)) {
      cores.emplace(socket, value);
    }
  }
  // A single processor may say nothing of sockets and cores.
  cpu.sockets = std::max<std::uint64_t>(sockets.size(), cpu.threads > 0 ? 1 : 0);
  cpu.cores = cores.empty() ? cpu.threads : cores.size();
  return cpu;
}

std::string ParseSerialPage(std::string_view page) {
  constexpr std::size_t kHeaderBytes = 4;
  if (page.size() < kHeaderBytes || static_cast<unsigned char>(page[1]) != 0x80) {
    return {};
  }
  const auto length = static_cast<std::size_t>(static_cast<unsigned char>(page[3]));
  return std::string(Trim(page.substr(kHeaderBytes, length)).substr(0, kTextBytesMax));
}

Inventory CollectInventory(const std::string& root) {
  Inventory inventory;
  inventory.root = root;
  utsname name{};
  if (uname(&name) == 0) {
    inventory.kernel = name.release;
  }
  inventory.cpu = ParseCpuInfo(ReadFile(root + "/proc/cpuinfo"));
  inventory.memory_usable_mib = UsableMemoryMib(ReadFile(root + "/proc/meminfo"));
  CollectFirmware(inventory);
  CollectManagement(inventory);
  CollectDisks(inventory);
  CollectInterfaces(inventory);
  CollectPci(inventory);
  return inventory;
}

void WriteInventory(const Inventory& inventory, const InventoryContext& context,
                    JsonWriter& writer) {
  writer.BeginObject();
  writer.Field("format", std::uint64_t{1});
  writer.Field("launcher", SLIPWAY_VERSION);
  writer.Field("kernel", inventory.kernel);
  writer.Field("architecture", "x86_64");
  writer.Field("uptime_ms", context.uptime_ms);
  writer.Field("boot_mac", ToText(context.boot_mac).view());
  writer.Field("address", ToText(context.address).view());
  writer.Field("firmware", inventory.efi ? "uefi" : "bios");
  writer.Flag("secure_boot", inventory.secure_boot);
  writer.Field("uuid", Text(inventory.root + "/sys/class/dmi/id/product_uuid"));
  WriteDmi(inventory, writer);
  writer.Key("cpu");
  writer.BeginObject();
  writer.Field("vendor", inventory.cpu.vendor);
  writer.Field("model", inventory.cpu.model);
  writer.Field("sockets", inventory.cpu.sockets);
  writer.Field("cores", inventory.cpu.cores);
  writer.Field("threads", inventory.cpu.threads);
  writer.EndObject();
  writer.Field("memory_mib", inventory.smbios.memory_mib != 0 ? inventory.smbios.memory_mib
                                                              : inventory.memory_usable_mib);
  writer.Field("memory_usable_mib", inventory.memory_usable_mib);
  writer.Field("memory_slots", std::uint64_t{inventory.smbios.memory_slots});
  writer.Field("memory_devices", std::uint64_t{inventory.smbios.memory_devices});
  WriteDisks(inventory, writer);
  WriteInterfaces(inventory, writer);
  WritePci(inventory, writer);
  writer.Field("tpm", inventory.tpm_version);
  writer.Field("ipmi", inventory.ipmi_interface);
  writer.Field("left_out", inventory.left_out);
  writer.EndObject();
}

}  // namespace slipway::launcher
