// What a machine is made of, read from /sys and /proc, and its JSON form: the document that the
// launcher posts to the rack and the region keeps. docs/inventory.md lists the fields.
//
// Nothing here opens a disk: sizes, models and serials come from sysfs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "dataplane/base/address.h"
#include "dataplane/launcher/json_writer.h"
#include "dataplane/launcher/smbios.h"

namespace slipway::launcher {

// A machine with more of a kind reports this many, and how many were left out.
inline constexpr std::size_t kDisksMax = 512;
inline constexpr std::size_t kInterfacesMax = 128;
inline constexpr std::size_t kPciDevicesMax = 768;
inline constexpr std::size_t kTextBytesMax = 128;  // any one string

struct Disk {
  std::string name;  // "sda"
  std::string model;
  std::string vendor;
  std::string serial;
  std::string wwn;
  std::string transport;  // "sata", "nvme", "virtio", "usb", "scsi"
  std::uint64_t bytes = 0;
  std::uint64_t block_bytes = 0;
  bool rotational = false;
};

struct Interface {
  std::string name;
  std::string mac;
  std::string driver;
  std::string pci;  // "0000:00:02.0"; "" if it sits on no PCI bus
  std::uint64_t speed_mbps = 0;
  bool link = false;
};

struct PciDevice {
  std::string slot;
  std::string vendor;  // four hexadecimal digits, as in the PCI ids
  std::string device;
  std::string subsystem_vendor;
  std::string subsystem_device;
  std::string device_class;  // six digits
  std::string driver;
};

struct Cpu {
  std::string vendor;
  std::string model;
  std::uint64_t sockets = 0;
  std::uint64_t cores = 0;
  std::uint64_t threads = 0;
};

struct Inventory {
  std::string root;  // "" on a machine, a sample tree in tests
  std::string kernel;
  Cpu cpu;
  SmbiosFacts smbios;
  std::uint64_t memory_usable_mib = 0;
  std::vector<Disk> disks;
  std::vector<Interface> interfaces;
  std::vector<PciDevice> pci;
  std::size_t left_out = 0;
  bool efi = false;
  bool secure_boot = false;
  std::string tpm_version;     // "2"; "" if there is none
  std::string ipmi_interface;  // "kcs"; "" if there is none
};

// Reads the tree below `root`. Never fails: what is not there stays empty.
[[nodiscard]] Inventory CollectInventory(const std::string& root);

// What the launcher knows besides.
struct InventoryContext {
  MacAddress boot_mac;
  Ipv4Address address;
  std::uint64_t uptime_ms = 0;
};

// One JSON object; writer.ok() is false if it does not fit.
void WriteInventory(const Inventory& inventory, const InventoryContext& context,
                    JsonWriter& writer);

// Counts the processors of /proc/cpuinfo. Pure.
[[nodiscard]] Cpu ParseCpuInfo(std::string_view text);

// The serial of SCSI vital product data page 0x80 (SPC-4 7.8.15). Pure.
[[nodiscard]] std::string ParseSerialPage(std::string_view page);

}  // namespace slipway::launcher
