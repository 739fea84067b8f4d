#include "dataplane/dhcp/options.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

namespace slipway::dhcp {
namespace {

constexpr Family kFamilies[] = {Family::kV4, Family::kV6};

TEST(OptionsTest, NamesAreUniqueAndCanBeTyped) {
  for (const Family family : kFamilies) {
    std::set<std::string_view> names;
    for (const OptionRow& row : OptionTable(family)) {
      EXPECT_TRUE(names.insert(row.name).second) << row.name;
      EXPECT_EQ(row.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-"),
                std::string_view::npos)
          << row.name;
      EXPECT_EQ(FindOption(family, row.name), &row);
      EXPECT_EQ(FindOption(family, row.code), &row);
      EXPECT_TRUE(IsOptionCode(family, row.code));
      EXPECT_LE(row.length_min, row.length_max);
    }
  }
  EXPECT_EQ(FindOption(Family::kV4, 224), nullptr);
  EXPECT_EQ(FindOption(Family::kV6, "routers"), nullptr);
}

TEST(OptionsTest, WhatTheProtocolSaysIsNotForOperators) {
  for (const int code : {1, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 61, 82, 93, 97}) {
    const OptionRow* row = FindOption(Family::kV4, static_cast<std::uint16_t>(code));
    ASSERT_NE(row, nullptr);
    EXPECT_FALSE(row->settable()) << row->name;
  }
  for (const int code : {1, 2, 3, 5, 6, 9, 13, 14, 18, 25, 61, 79}) {
    const OptionRow* row = FindOption(Family::kV6, static_cast<std::uint16_t>(code));
    ASSERT_NE(row, nullptr);
    EXPECT_FALSE(row->settable()) << row->name;
  }
  EXPECT_FALSE(IsOptionCode(Family::kV4, 0));
  EXPECT_FALSE(IsOptionCode(Family::kV4, 255));
}

TEST(OptionsTest, SlotsAreThoseOfRowsThatWeUse) {
  for (std::size_t slot = 0; slot < kOptionSlots; ++slot) {
    EXPECT_EQ(SlotOf(static_cast<std::uint8_t>(RowOfSlot(slot).code)), slot);
    EXPECT_NE(RowOfSlot(slot).use, 0);
  }
  EXPECT_EQ(SlotOf(121), kNoSlot);
  for (std::size_t slot = 0; slot < kOptionSlots6; ++slot) {
    EXPECT_EQ(SlotOf6(RowOfSlot6(slot).code), slot);
    EXPECT_NE(RowOfSlot6(slot).use, 0);
  }
  EXPECT_EQ(SlotOf6(103), kNoSlot);
  EXPECT_EQ(SlotOf6(65'535), kNoSlot);
}

std::string TableText(Family family) {
  std::string text =
      "| code | name | type | bytes | set by operators | reference |\n"
      "|---|---|---|---|---|---|\n";
  for (const OptionRow& row : OptionTable(family)) {
    const std::string least = std::to_string(row.length_min);
    text += "| " + std::to_string(row.code) + " | " + std::string(row.name) + " | " +
            std::string(ToString(row.type)) + " | " +
            (row.length_min == row.length_max ? least
                                              : least + " to " + std::to_string(row.length_max)) +
            " | " + (row.settable() ? "yes" : "no: " + std::string(row.refusal)) + " | " +
            std::string(row.reference) + " |\n";
  }
  return text;
}

// docs/protocols/dhcp-options.md has the tables between two comments each. SLIPWAY_RECORD_DOCS=1
// writes them anew.
TEST(OptionsTest, DocumentedAsTheyAre) {
  const char* const path = SLIPWAY_SOURCE_DIR "/docs/protocols/dhcp-options.md";
  std::ifstream in(path);
  std::string page{std::istreambuf_iterator<char>(in), {}};
  for (const Family family : kFamilies) {
    const std::string name = family == Family::kV4 ? "v4" : "v6";
    const std::string begin = "<!-- begin " + name + " -->\n";
    const std::size_t from = page.find(begin);
    const std::size_t to = page.find("<!-- end " + name + " -->");
    ASSERT_TRUE(from != std::string::npos && to != std::string::npos && from < to) << name;
    const std::size_t at = from + begin.size();
    if (std::getenv("SLIPWAY_RECORD_DOCS") != nullptr) {
      page.replace(at, to - at, TableText(family));
      std::ofstream(path) << page;
    } else {
      EXPECT_EQ(page.substr(at, to - at), TableText(family));
    }
  }
}

}  // namespace
}  // namespace slipway::dhcp
