#include "dataplane/launcher/inventory.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace slipway::launcher {
namespace {

namespace fs = std::filesystem;

// A small /sys and /proc in a folder of its own.
class InventoryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "slipway-inventory-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
  }

  void TearDown() override { fs::remove_all(root_); }

  void File(const std::string& path, const std::string& text) const {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path, std::ios::binary) << text;
  }

  void Link(const std::string& path, const std::string& target) const {
    fs::create_directories((root_ / path).parent_path());
    fs::create_directories(root_ / target);
    fs::create_directory_symlink(root_ / target, root_ / path);
  }

  fs::path root_;
};

TEST_F(InventoryTest, DiskIsReadFromSysfs) {
  const std::string device = "sys/devices/pci0000:00/0000:00:1f.2/ata1/host0/target0:0:0/0:0:0:0";
  const std::string disk = device + "/block/sda";
  File(disk + "/size", "131072\n");
  File(disk + "/queue/rotational", "1\n");
  File(disk + "/queue/logical_block_size", "512\n");
  File(device + "/model", "QEMU HARDDISK   \n");
  File(device + "/vendor", "ATA     \n");
  File(device + "/vpd_pg80", std::string("\0\x80\0\x14", 4) + "               AHCI1");
  Link(disk + "/device", device);
  Link("sys/block/sda", disk);
  File("sys/block/loop0/size", "99\n");
  File("sys/block/sr0/size", "99\n");
  const Inventory inventory = CollectInventory(root_.string());
  ASSERT_EQ(inventory.disks.size(), 1U);
  const Disk& seen = inventory.disks[0];
  EXPECT_EQ(seen.name, "sda");
  EXPECT_EQ(seen.bytes, 131072U * 512);
  EXPECT_EQ(seen.model, "QEMU HARDDISK");
  EXPECT_EQ(seen.serial, "AHCI1");
  EXPECT_EQ(seen.transport, "sata");
  EXPECT_TRUE(seen.rotational);
}

TEST_F(InventoryTest, InterfaceNamesDriverAndPciFunction) {
  const std::string device = "sys/devices/pci0000:00/0000:00:02.0/virtio1";
  Link(device + "/driver", "sys/bus/virtio/drivers/virtio_net");
  Link("sys/class/net/eth0/device", device);
  File("sys/class/net/eth0/type", "1\n");
  File("sys/class/net/eth0/address", "52:54:00:12:34:56\n");
  File("sys/class/net/eth0/speed", "-1\n");
  File("sys/class/net/eth0/carrier", "1\n");
  File("sys/class/net/lo/type", "772\n");
  const Inventory inventory = CollectInventory(root_.string());
  ASSERT_EQ(inventory.interfaces.size(), 1U);
  EXPECT_EQ(inventory.interfaces[0].driver, "virtio_net");
  EXPECT_EQ(inventory.interfaces[0].pci, "0000:00:02.0");
  EXPECT_EQ(inventory.interfaces[0].speed_mbps, 0U);
  EXPECT_TRUE(inventory.interfaces[0].link);
}

TEST_F(InventoryTest, EmptyMachineStillMakesADocument) {
  std::vector<char> buffer(64 << 10);
  JsonWriter writer(buffer);
  const Inventory inventory = CollectInventory(root_.string());
  WriteInventory(inventory, {.boot_mac = {}, .address = {}, .uptime_ms = 5}, writer);
  ASSERT_TRUE(writer.ok());
  EXPECT_NE(writer.text().find(R"("firmware":"bios")"), std::string_view::npos);
  EXPECT_NE(writer.text().find(R"("disks":[],"interfaces":[],"pci":[],"tpm":"","ipmi":"")"),
            std::string_view::npos);
}

TEST_F(InventoryTest, ProcessorsAreCounted) {
  const Cpu cpu = ParseCpuInfo(
      "processor\t: 0\nvendor_id\t: GenuineIntel\nmodel name\t: Xeon\nphysical id\t: 0\n"
      "core id\t: 0\n\nprocessor\t: 1\nphysical id\t: 0\ncore id\t: 0\n\n"
      "processor\t: 2\nphysical id\t: 1\ncore id\t: 0\n");
  EXPECT_EQ(cpu.sockets, 2U);
  EXPECT_EQ(cpu.cores, 2U);
  EXPECT_EQ(cpu.threads, 3U);
  EXPECT_EQ(cpu.model, "Xeon");
  EXPECT_EQ(ParseCpuInfo("processor : 0\n").cores, 1U);
  EXPECT_EQ(ParseCpuInfo("").sockets, 0U);
}

TEST_F(InventoryTest, SerialPageIsBoundsChecked) {
  EXPECT_EQ(ParseSerialPage(std::string_view("\0\x80\0\x04S123junk", 12)), "S123");
  EXPECT_EQ(ParseSerialPage(std::string_view("\0\x80\0\xFF"
                                             "AB",
                                             6)),
            "AB");
  EXPECT_EQ(ParseSerialPage(std::string_view("\0\x83\0\x04S123", 8)), "");
  EXPECT_EQ(ParseSerialPage(""), "");
}

}  // namespace
}  // namespace slipway::launcher
