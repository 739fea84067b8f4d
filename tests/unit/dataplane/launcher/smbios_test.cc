#include "dataplane/launcher/smbios.h"

#include <gtest/gtest.h>

#include <vector>

namespace slipway::launcher {
namespace {

// A structure with its length set, fields zero but those given, and no strings.
class Structure {
 public:
  Structure(std::uint8_t type, std::uint8_t length) : bytes_(length) {
    bytes_[0] = std::byte{type};
    bytes_[1] = std::byte{length};
  }

  Structure& U16(std::size_t at, std::uint16_t value) {
    StoreLittle(bytes_.data() + at, value);
    return *this;
  }

  Structure& U32(std::size_t at, std::uint32_t value) {
    StoreLittle(bytes_.data() + at, value);
    return *this;
  }

  void AppendTo(std::vector<std::byte>& table) const {
    table.insert(table.end(), bytes_.begin(), bytes_.end());
    for (const char c : std::string_view("DIMM 0\0\0", 8)) {
      table.push_back(static_cast<std::byte>(c));
    }
  }

 private:
  std::vector<std::byte> bytes_;
};

TEST(SmbiosTest, AddsUpMemoryDevicesOfAllSizes) {
  std::vector<std::byte> table;
  Structure(17, 0x28).U16(0x0C, 16384).AppendTo(table);                    // 16 GiB
  Structure(17, 0x28).U16(0x0C, 0x7FFF).U32(0x1C, 65536).AppendTo(table);  // 64 GiB, extended
  Structure(17, 0x28).U16(0x0C, 0x8000 | 2048).AppendTo(table);            // 2 MiB, in KiB
  Structure(17, 0x28).U16(0x0C, 0).AppendTo(table);                        // an empty slot
  Structure(17, 0x28).U16(0x0C, 0xFFFF).AppendTo(table);                   // unknown
  const SmbiosFacts facts = ReadSmbios(table);
  EXPECT_EQ(facts.memory_mib, 16384U + 65536U + 2U);
  EXPECT_EQ(facts.memory_devices, 3U);
  EXPECT_EQ(facts.memory_slots, 5U);
  EXPECT_FALSE(facts.ipmi);
}

TEST(SmbiosTest, FindsTheManagementController) {
  std::vector<std::byte> table;
  Structure(38, 0x12).U16(4, 1).AppendTo(table);
  const SmbiosFacts facts = ReadSmbios(table);
  EXPECT_TRUE(facts.ipmi);
  EXPECT_EQ(facts.ipmi_interface, 1);
}

TEST(SmbiosTest, TornTableGivesWhatCameBefore) {
  std::vector<std::byte> table;
  Structure(17, 0x28).U16(0x0C, 1024).AppendTo(table);
  const std::size_t whole = table.size();
  Structure(17, 0x28).U16(0x0C, 1024).AppendTo(table);
  for (std::size_t size = 0; size <= table.size(); ++size) {
    const SmbiosFacts facts = ReadSmbios(ByteSpan(table).first(size));
    EXPECT_LE(facts.memory_mib, size < whole ? 1024U : 2048U);
  }
}

TEST(SmbiosTest, LengthBelowItsHeaderEndsTheWalk) {
  const std::vector<std::byte> table(64, std::byte{0});
  EXPECT_EQ(ReadSmbios(table).memory_slots, 0U);
}

}  // namespace
}  // namespace slipway::launcher
