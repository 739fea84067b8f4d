#include "dataplane/launcher/modules.h"

#include <gtest/gtest.h>

namespace slipway::launcher {
namespace {

// From depmod's files of Debian's kernel 6.1.
constexpr std::string_view kAliases =
    "# Aliases extracted from modules themselves.\n"
    "alias pci:v00008086d000010D3sv*sd*bc*sc*i* e1000e\n"
    "alias pci:v*d*sv*sd*bc01sc06i01* ahci\n"
    "alias virtio:d00000001v* virtio_net\n"
    "alias acpi*:IPI0001:* ipmi_si\n"
    "alias tcp_ulp-tls\n";
constexpr std::string_view kDependencies =
    "kernel/drivers/net/ethernet/intel/e1000e/e1000e.ko: kernel/drivers/ptp/ptp.ko "
    "kernel/drivers/pps/pps_core.ko\n"
    "kernel/drivers/pps/pps_core.ko:\n"
    "kernel/drivers/ptp/ptp.ko: kernel/drivers/pps/pps_core.ko\n"
    "kernel/drivers/virtio/virtio-net.ko:\n";

TEST(ModulesTest, GlobMatchesAsTheShellDoes) {
  EXPECT_TRUE(GlobMatch("*", ""));
  EXPECT_TRUE(GlobMatch("a*c*e", "abcde"));
  EXPECT_TRUE(GlobMatch("a*b", "aXbYb"));
  EXPECT_TRUE(GlobMatch("usb:v0[0-3]?[ab]", "usb:v03zb"));
  EXPECT_FALSE(GlobMatch("usb:v0[0-3]?[ab]", "usb:v04zb"));
  EXPECT_FALSE(GlobMatch("a*c", "abcd"));
  EXPECT_FALSE(GlobMatch("", "a"));
  EXPECT_FALSE(GlobMatch("a[", "ab"));
}

TEST(ModulesTest, DeviceFindsItsDriver) {
  const ModuleIndex index(kAliases, kDependencies);
  std::vector<std::string_view> names;
  index.Match("pci:v00008086d000010D3sv00008086sd00000000bc02sc00i00", names);
  ASSERT_EQ(names.size(), 1U);
  EXPECT_EQ(names[0], "e1000e");
  names.clear();
  index.Match("pci:v00001234d00005678sv00000000sd00000000bc01sc06i01", names);
  ASSERT_EQ(names.size(), 1U);
  EXPECT_EQ(names[0], "ahci");
  names.clear();
  index.Match("acpi:IPI0001:", names);
  EXPECT_EQ(names.size(), 1U);
}

TEST(ModulesTest, DependenciesLoadFirst) {
  const ModuleIndex index(kAliases, kDependencies);
  const auto order = index.LoadOrder("e1000e");
  ASSERT_TRUE(order.has_value());
  ASSERT_EQ(order->size(), 3U);
  EXPECT_EQ((*order)[0], "kernel/drivers/pps/pps_core.ko");
  EXPECT_EQ((*order)[1], "kernel/drivers/ptp/ptp.ko");
  EXPECT_EQ((*order)[2], "kernel/drivers/net/ethernet/intel/e1000e/e1000e.ko");
}

TEST(ModulesTest, DashAndUnderscoreAreTheSame) {
  const ModuleIndex index(kAliases, kDependencies);
  EXPECT_TRUE(index.LoadOrder("virtio_net").has_value());
  EXPECT_EQ(index.LoadOrder("absent").error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace slipway::launcher
