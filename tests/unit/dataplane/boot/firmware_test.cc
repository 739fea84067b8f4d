#include "dataplane/boot/firmware.h"

#include <gtest/gtest.h>

#include <vector>

namespace slipway::boot {
namespace {

std::vector<std::byte> Bytes(std::initializer_list<int> values) {
  std::vector<std::byte> bytes;
  for (const int value : values) {
    bytes.push_back(static_cast<std::byte>(value));
  }
  return bytes;
}

TEST(FirmwareTest, KnowsIpxeByEitherFormOfItsUserClass) {
  const auto items = Bytes({3, 'a', 'b', 'c', 4, 'i', 'P', 'X', 'E'});
  EXPECT_TRUE(FirmwareFromOptions({.user_class = AsBytes("iPXE")}).ipxe);
  EXPECT_TRUE(FirmwareFromOptions({.user_class = items}).ipxe);
  EXPECT_FALSE(FirmwareFromOptions({.user_class = AsBytes("ipxe")}).ipxe);
  EXPECT_FALSE(FirmwareFromOptions({.user_class = Bytes({9, 'i', 'P', 'X', 'E'})}).ipxe);
  EXPECT_TRUE(FirmwareFromOptions({.ipxe = Bytes({235, 3, 1, 0, 0})}).ipxe);
}

TEST(FirmwareTest, ReadsFeaturesOfIpxe) {
  const Firmware firmware = FirmwareFromOptions({.ipxe = Bytes({19, 1, 1, 24, 1, 1})});
  EXPECT_TRUE(firmware.ipxe_http);
  EXPECT_TRUE(firmware.ipxe_kernel);
  const Firmware without = FirmwareFromOptions({.ipxe = Bytes({19, 1, 0, 36, 1})});
  EXPECT_FALSE(without.ipxe_http);
  EXPECT_FALSE(without.ipxe_kernel);
}

TEST(FirmwareTest, ReadsClassArchitectureAndUuid) {
  auto uuid = Bytes({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16});
  const Firmware firmware =
      FirmwareFromOptions({.vendor_class = AsBytes("HTTPClient:Arch:00016:UNDI:003000"),
                           .architecture = Bytes({0, 16, 0, 7}),
                           .uuid = uuid});
  EXPECT_EQ(firmware.client_class, ClientClass::kHttp);
  EXPECT_EQ(firmware.architecture, 16);
  EXPECT_TRUE(firmware.has_uuid);
  EXPECT_EQ(firmware.uuid[15], 16);
  uuid[0] = std::byte{1};
  EXPECT_FALSE(FirmwareFromOptions({.uuid = uuid}).has_uuid);
  EXPECT_FALSE(FirmwareFromOptions({.architecture = Bytes({7})}).has_architecture);
}

TEST(FirmwareTest, PlainClientsDoNotBoot) {
  EXPECT_FALSE(FirmwareFromOptions({.vendor_class = AsBytes("udhcp 1.35.0")}).boots());
  EXPECT_TRUE(FirmwareFromOptions({.vendor_class = AsBytes("PXEClient")}).boots());
}

TEST(FirmwareTest, KnowsOnieByEachOfItsNames) {
  const auto enterprise = Bytes({0, 0, 0xA6, 0x7F, 0});
  EXPECT_TRUE(FirmwareFromOptions({.user_class = AsBytes("onie_dhcp_user_class")}).onie);
  EXPECT_TRUE(FirmwareFromOptions({.vendor_info = enterprise}).onie);
  const Firmware firmware =
      FirmwareFromOptions({.vendor_class = AsBytes("onie_vendor:x86_64-acme_sw1-r0")});
  EXPECT_TRUE(firmware.onie);
  EXPECT_TRUE(firmware.boots());
  EXPECT_EQ(firmware.onie_platform.view(), "x86_64-acme_sw1-r0");
  const Firmware hostile = FirmwareFromOptions({.vendor_class = AsBytes("onie_vendor:../../x")});
  EXPECT_TRUE(hostile.onie);
  EXPECT_TRUE(hostile.onie_platform.empty());
  EXPECT_FALSE(FirmwareFromOptions({.vendor_info = Bytes({0, 0, 1, 0x57, 0})}).onie);
  EXPECT_FALSE(FirmwareFromOptions({.vendor_info = Bytes({0, 0, 0xA6, 0x7F, 9})}).onie);
}

TEST(FirmwareTest, InfrastructureNeverBoots) {
  for (const std::string_view vendor :
       {"iDRAC", "CPQRIB3", "Arista;DCS-7050", "Hewlett-Packard JetDirect"}) {
    const Firmware firmware =
        FirmwareFromOptions({.vendor_class = AsBytes(vendor), .architecture = Bytes({0, 7})});
    EXPECT_TRUE(firmware.infrastructure) << vendor;
    EXPECT_FALSE(firmware.boots()) << vendor;
  }
}

}  // namespace
}  // namespace slipway::boot
