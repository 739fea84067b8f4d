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

TEST(ArchitectureTableTest, HasEachCodeOnce) {
  int before = -1;
  for (const ArchitectureRow& row : ArchitectureTable()) {
    EXPECT_GT(row.code, before);
    before = row.code;
    EXPECT_EQ(FindArchitecture(row.code), &row);
    EXPECT_EQ(row.loader.empty(), row.transport == LoaderTransport::kNone);
  }
  EXPECT_EQ(FindArchitecture(4711), nullptr);
}

}  // namespace
}  // namespace slipway::boot
