#include "dataplane/launcher/devices.h"

#include <gtest/gtest.h>

#include <string_view>

namespace slipway::launcher {
namespace {

using std::string_view_literals::operator""sv;

TEST(DevicesTest, AnnouncementNamesActionSubsystemAndModalias) {
  const DeviceEvent event = ParseDeviceEvent(
      "add@/devices/pci0000:00/0000:00:03.0\0ACTION=add\0SUBSYSTEM=pci\0"
      "MODALIAS=pci:v00008086d000010D3sv0sd0bc02sc00i00\0SEQNUM=7\0"sv);
  EXPECT_EQ(event.action, "add");
  EXPECT_EQ(event.subsystem, "pci");
  EXPECT_EQ(event.modalias, "pci:v00008086d000010D3sv0sd0bc02sc00i00");
}

TEST(DevicesTest, BrokenAnnouncementGivesNothing) {
  EXPECT_EQ(ParseDeviceEvent("").action, "");
  EXPECT_EQ(ParseDeviceEvent("ACTION"sv).action, "");
  EXPECT_EQ(ParseDeviceEvent("\0\0\0"sv).subsystem, "");
}

}  // namespace
}  // namespace slipway::launcher
