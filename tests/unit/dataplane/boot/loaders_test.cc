#include "dataplane/boot/loaders.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/boot_lab.h"

namespace slipway::boot {
namespace {

TEST(ArchitectureTableTest, HasEachCodeOnce) {
  int before = -1;
  for (const ArchitectureRow& row : ArchitectureTable()) {
    EXPECT_GT(row.code, before);
    before = row.code;
    EXPECT_EQ(FindArchitecture(row.code), &row);
    EXPECT_FALSE(row.image_architecture.empty());
  }
  EXPECT_EQ(FindArchitecture(4711), nullptr);
}

TEST(ArchitectureTableTest, HasEveryArchitectureOfTheField) {
  for (const std::uint16_t code : std::to_array<std::uint16_t>(
           {0, 6, 7, 9, 10, 11, 12, 14, 15, 16, 18, 19, 20, 27, 28, 31, 32})) {
    EXPECT_NE(FindArchitecture(code), nullptr) << code;
  }
  EXPECT_EQ(ArchitectureTable().size(), 17U);
}

TEST(ArchitectureTableTest, NamesFilesOfImages) {
  for (const ArchitectureRow& row : ArchitectureTable()) {
    EXPECT_FALSE(row.loaders[0].name.empty()) << row.name;
    for (const LoaderFile& loader : row.loaders) {
      if (loader.name.empty()) {
        continue;
      }
      EXPECT_TRUE(loader.name.starts_with("loaders")) << loader.name;
      EXPECT_EQ(std::ranges::count(loader.name, '/'), 1) << loader.name;
      EXPECT_EQ(loader.configuration.empty(), loader.script != ScriptKind::kPxelinux)
          << loader.name;
    }
  }
}

// The HTTP form of an architecture has the same loaders.
TEST(ArchitectureTableTest, HttpFormsMatchTheirTftpForms) {
  for (const auto& [tftp, http] : std::to_array<std::pair<std::uint16_t, std::uint16_t>>(
           {{6, 15}, {7, 16}, {10, 18}, {11, 19}, {27, 28}})) {
    const ArchitectureRow& a = *FindArchitecture(tftp);
    const ArchitectureRow& b = *FindArchitecture(http);
    EXPECT_EQ(a.transport, LoaderTransport::kTftp);
    EXPECT_EQ(b.transport, LoaderTransport::kHttp);
    EXPECT_EQ(a.image_architecture, b.image_architecture);
    for (std::size_t i = 0; i < kLoadersPerRow; ++i) {
      EXPECT_EQ(a.loaders[i].name, b.loaders[i].name) << a.name;
    }
  }
}

TEST(BoardTableTest, TellsABoardFromTheArchitectureItClaims) {
  const Firmware bios{.client_class = ClientClass::kPxe};
  Firmware uefi = bios;
  uefi.has_architecture = true;
  uefi.architecture = 11;
  const MacAddress pi = test::Mac("dc:a6:32:00:00:01");
  EXPECT_EQ(RowOf(bios, pi)->name, "Raspberry Pi");
  EXPECT_TRUE(RowOf(bios, pi)->loaders[0].name.empty());
  EXPECT_EQ(RowOf(uefi, pi), FindArchitecture(11));
  EXPECT_EQ(RowOf(bios, test::Mac("52:54:00:00:00:01")), FindArchitecture(0));
  Firmware ipxe = bios;
  ipxe.ipxe = true;
  EXPECT_EQ(RowOf(ipxe, pi), FindArchitecture(0));
}

TEST(LoadersTest, IsDescribedForPeople) {
  EXPECT_EQ(Describe({}), "boot client");
  EXPECT_EQ(Describe({.client_class = ClientClass::kPxe, .has_architecture = true}),
            "PXE x86 BIOS");
  EXPECT_EQ(
      Describe({.client_class = ClientClass::kHttp, .has_architecture = true, .architecture = 16}),
      "HTTP x64 UEFI HTTP");
  EXPECT_EQ(Describe({.has_architecture = true, .architecture = 7, .ipxe = true}), "iPXE x64 UEFI");
  EXPECT_EQ(Describe({.has_architecture = true, .architecture = 65535}),
            "boot client architecture 65535");
}

}  // namespace
}  // namespace slipway::boot
