#include "dataplane/config/snapshot.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "dataplane/config/encode.h"
#include "dataplane/config/option_table.h"

namespace slipway::config {
namespace {

using std::string_view_literals::operator""sv;

[[nodiscard]] IpAddress Address(const char* text) { return *IpAddress::Parse(text); }

class SnapshotTest : public testing::Test {
 protected:
  template <typename Record>
  [[nodiscard]] Result<void> Put(SnapshotBuilder& builder, const Record& record) {
    return builder.Put(static_cast<std::uint8_t>(kTableOf<Record>), record.id,
                       encoder_.Encode(record));
  }

  [[nodiscard]] static InterfaceRecord Interface(RecordId id, std::uint64_t mac,
                                                 const char* address = "0.0.0.0") {
    return {.id = id,
            .machine = id,
            .mac = MacAddress::FromU64(mac),
            .vlan = 0,
            .subnet = 0,
            .address = Address(address)};
  }

  [[nodiscard]] static SubnetRecord Subnet(RecordId id, RecordId vlan, const char* prefix) {
    SubnetRecord subnet{.id = id, .vlan = vlan, .prefix = *IpPrefix::Parse(prefix), .domain = {}};
    return subnet;
  }

  RecordEncoder encoder_;
};

TEST_F(SnapshotTest, EmptySnapshotAnswersNothing) {
  SnapshotBuilder builder{SnapshotRef{}};
  const SnapshotRef snapshot = builder.Finish({.epoch = 1, .number = 2});
  EXPECT_EQ(snapshot->generation(), (Generation{.epoch = 1, .number = 2}));
  EXPECT_EQ(snapshot->record_count(), 0U);
  EXPECT_EQ(snapshot->hash(), ContentHash{});
  EXPECT_EQ(snapshot->InterfaceByMac(MacAddress::FromU64(1)), nullptr);
  EXPECT_EQ(snapshot->MachineById(1), nullptr);
  EXPECT_EQ(snapshot->MachineByUuid(Uuid{}), nullptr);
  EXPECT_EQ(snapshot->FileByName("a/b").file, nullptr);
  EXPECT_TRUE(snapshot->SubnetsOf(0).empty());
}

TEST_F(SnapshotTest, RecordsAreFoundByEachKey) {
  SnapshotBuilder builder{SnapshotRef{}};
  ASSERT_TRUE(Put(builder, Interface(6, 0x525400000001, "10.0.0.9")));
  ASSERT_TRUE(Put(
      builder, MachineRecord{.id = 6, .hostname = "six"sv, .uuid = {9, 9}, .kernel_options = {}}));
  ASSERT_TRUE(Put(builder, ServedInterfaceRecord{.id = 1, .name = "eth0"sv, .vlan = 3}));
  const SnapshotRef snapshot = builder.Finish({});
  const InterfaceRecord* const by_mac =
      snapshot->InterfaceByMac(MacAddress::FromU64(0x525400000001));
  ASSERT_NE(by_mac, nullptr);
  EXPECT_EQ(by_mac->id, 6U);
  EXPECT_EQ(snapshot->InterfaceByAddress(Address("10.0.0.9")), by_mac);
  EXPECT_EQ(snapshot->InterfaceById(6), by_mac);
  ASSERT_NE(snapshot->MachineById(6), nullptr);
  EXPECT_EQ(snapshot->MachineByUuid({9, 9}), snapshot->MachineById(6));
  ASSERT_NE(snapshot->ServedInterface("eth0"), nullptr);
  EXPECT_EQ(snapshot->ServedInterface("eth0")->vlan, 3U);
  EXPECT_EQ(snapshot->record_count(), 3U);
}

TEST_F(SnapshotTest, SubnetsAreOrderedByVlanThenId) {
  SnapshotBuilder builder{SnapshotRef{}};
  ASSERT_TRUE(Put(builder, Subnet(3, 1, "10.3.0.0/24")));
  ASSERT_TRUE(Put(builder, Subnet(1, 2, "10.1.0.0/24")));
  ASSERT_TRUE(Put(builder, Subnet(2, 1, "10.2.0.0/24")));
  const SnapshotRef snapshot = builder.Finish({});
  const auto of_vlan = snapshot->SubnetsOf(1);
  ASSERT_EQ(of_vlan.size(), 2U);
  EXPECT_EQ(of_vlan[0].id, 2U);
  EXPECT_EQ(of_vlan[1].id, 3U);
  EXPECT_TRUE(snapshot->SubnetsOf(3).empty());
  for (RecordId id = 1; id <= 3; ++id) {
    ASSERT_NE(snapshot->SubnetById(id), nullptr);
    EXPECT_EQ(snapshot->SubnetById(id)->id, id);
  }
  EXPECT_EQ(snapshot->SubnetById(4), nullptr);
}

TEST_F(SnapshotTest, FilesAreFoundByImageAndName) {
  SnapshotBuilder builder{SnapshotRef{}};
  for (RecordId id = 1; id <= 3; ++id) {
    ImageRecord image;
    image.id = id;
    image.name = std::string_view(id == 1 ? "zeta" : id == 2 ? "alpha" : "loaders");
    image.kind = id == 2 ? ImageKind::kLauncher : ImageKind::kLoader;
    image.architecture = "amd64"sv;
    ImageFile file;
    file.name = std::string_view("f" + std::to_string(id));
    ASSERT_TRUE(image.files.push_back(file));
    ASSERT_TRUE(Put(builder, image));
  }
  const SnapshotRef snapshot = builder.Finish({});
  const FileRef file = snapshot->FileByName("loaders/f3");
  ASSERT_NE(file.file, nullptr);
  EXPECT_EQ(file.image->id, 3U);
  EXPECT_EQ(snapshot->FileByName("loaders/f1").file, nullptr);
  EXPECT_EQ(snapshot->FileByName("loaders").file, nullptr);
  EXPECT_EQ(snapshot->FileByName("/f1").file, nullptr);
  ASSERT_NE(snapshot->LauncherFor("amd64"), nullptr);
  EXPECT_EQ(snapshot->LauncherFor("amd64")->id, 2U);
  EXPECT_EQ(snapshot->LauncherFor("arm64"), nullptr);
}

TEST_F(SnapshotTest, OldSnapshotStaysAsItWas) {
  SnapshotBuilder first{SnapshotRef{}};
  ASSERT_TRUE(Put(first, Interface(1, 0x10, "10.0.0.1")));
  const SnapshotRef before = first.Finish({.epoch = 1, .number = 1});
  SnapshotBuilder second(before);
  ASSERT_TRUE(Put(second, Interface(1, 0x20, "10.0.0.2")));
  const SnapshotRef after = second.Finish({.epoch = 1, .number = 2});
  EXPECT_NE(before->InterfaceByMac(MacAddress::FromU64(0x10)), nullptr);
  EXPECT_EQ(before->InterfaceByMac(MacAddress::FromU64(0x20)), nullptr);
  EXPECT_EQ(after->InterfaceByMac(MacAddress::FromU64(0x10)), nullptr);
  EXPECT_NE(after->InterfaceByMac(MacAddress::FromU64(0x20)), nullptr);
  EXPECT_EQ(after->InterfaceByAddress(Address("10.0.0.1")), nullptr);
}

TEST_F(SnapshotTest, MacMovesWhateverTheOrderOfTheDelta) {
  SnapshotBuilder first{SnapshotRef{}};
  ASSERT_TRUE(Put(first, Interface(1, 0x10)));
  ASSERT_TRUE(Put(first, Interface(2, 0x20)));
  const SnapshotRef before = first.Finish({});
  SnapshotBuilder swap(before);
  ASSERT_TRUE(Put(swap, Interface(1, 0x20)));
  ASSERT_TRUE(Put(swap, Interface(2, 0x10)));
  const SnapshotRef swapped = swap.Finish({});
  EXPECT_EQ(swapped->InterfaceByMac(MacAddress::FromU64(0x10))->id, 2U);
  EXPECT_EQ(swapped->InterfaceByMac(MacAddress::FromU64(0x20))->id, 1U);

  SnapshotBuilder take_over(before);
  ASSERT_TRUE(Put(take_over, Interface(3, 0x10)));
  ASSERT_TRUE(take_over.Remove(static_cast<std::uint8_t>(Table::kInterface), 1));
  const SnapshotRef taken = take_over.Finish({});
  EXPECT_EQ(taken->InterfaceByMac(MacAddress::FromU64(0x10))->id, 3U);
}

TEST_F(SnapshotTest, RemovingWhatIsNotThereFails) {
  SnapshotBuilder builder{SnapshotRef{}};
  for (std::uint8_t table = 1; table <= kTableMax + 1; ++table) {
    const auto result = builder.Remove(table, 1);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::kNotFound);
  }
}

TEST_F(SnapshotTest, RefusedRecordLeavesTheBuilderAsItWas) {
  SnapshotBuilder builder{SnapshotRef{}};
  ASSERT_TRUE(Put(builder, Interface(1, 0x10)));
  const ContentHash before = builder.hash();
  EXPECT_FALSE(builder.Put(static_cast<std::uint8_t>(Table::kInterface), 2, AsBytes("rubbish")));
  EXPECT_FALSE(builder.Put(static_cast<std::uint8_t>(Table::kVlan), 2, AsBytes("rubbish")));
  EXPECT_FALSE(builder.Put(0, 2, AsBytes("rubbish")));
  EXPECT_EQ(builder.hash(), before);
  EXPECT_EQ(builder.Finish({})->record_count(), 1U);
}

TEST_F(SnapshotTest, UnknownTablesCountInTheHashOnly) {
  SnapshotBuilder builder{SnapshotRef{}};
  ASSERT_TRUE(builder.Put(200, 1, AsBytes("from the future")));
  EXPECT_EQ(builder.hash(), HashRecord(200, 1, AsBytes("from the future")));
  const SnapshotRef snapshot = builder.Finish({});
  SnapshotBuilder next(snapshot);
  ASSERT_TRUE(next.Put(200, 1, AsBytes("changed")));
  EXPECT_EQ(next.hash(), HashRecord(200, 1, AsBytes("changed")));
  ASSERT_TRUE(next.Remove(200, 1));
  EXPECT_EQ(next.hash(), ContentHash{});
}

TEST_F(SnapshotTest, ARackIsInOnePairWhateverTheOrderOfTheDelta) {
  const auto pair = [](RecordId id) {
    RackPairRecord record;
    record.id = id;
    record.partner = 9;
    record.partner_key = std::string_view(std::string(kCurveKeyTextBytes, 'k'));
    record.own_address = Address("10.0.0.1");
    record.partner_address = Address("10.0.0.2");
    record.own_port = 5252;
    record.partner_port = 5252;
    return record;
  };
  SnapshotBuilder first{SnapshotRef{}};
  ASSERT_TRUE(Put(first, pair(5)));
  const SnapshotRef before = first.Finish({});
  ASSERT_NE(before->rack_pair(), nullptr);
  EXPECT_EQ(before->rack_pair()->id, 5U);
  SnapshotBuilder second(before);
  ASSERT_TRUE(Put(second, pair(3)));
  ASSERT_TRUE(second.Remove(static_cast<std::uint8_t>(Table::kRackPair), 5));
  const SnapshotRef after = second.Finish({});
  EXPECT_EQ(after->rack_pair()->id, 3U);
  EXPECT_EQ(after->record_count(), 1U);
  SnapshotBuilder third(after);
  ASSERT_TRUE(third.Remove(static_cast<std::uint8_t>(Table::kRackPair), 3));
  EXPECT_EQ(third.Finish({})->rack_pair(), nullptr);
}

TEST_F(SnapshotTest, OneRecordDeltaCopiesAFewPages) {
  SnapshotBuilder builder{SnapshotRef{}};
  for (RecordId id = 1; id <= 5000; ++id) {
    ASSERT_TRUE(Put(builder, Interface(id, 0x525400000000 + id)));
  }
  const SnapshotRef base = builder.Finish({});
  SnapshotBuilder delta(base);
  ASSERT_TRUE(Put(delta, Interface(77, 0x525400000000 + 77, "10.0.0.7")));
  const SnapshotRef next = delta.Finish({});
  EXPECT_LE(next->PagesNotIn(*base), 3U);
  EXPECT_GE(next->PagesNotIn(*base), 1U);
  EXPECT_FALSE(base->InterfaceByMac(MacAddress::FromU64(0x525400000000 + 77))->address.is_set());
}

DhcpOptionRecord Option(RecordId id, RecordId of, std::uint16_t code, std::string_view value) {
  return {.id = id,
          .scope = of == 0 ? OptionScope::kGlobal : OptionScope::kMachine,
          .of = of,
          .code = code,
          .value = AsBytes(value)};
}

std::string OptionsOf(const Snapshot& snapshot, RecordId of) {
  std::string text;
  snapshot.dhcp_options().ForEach(of == 0 ? OptionScope::kGlobal : OptionScope::kMachine, of,
                                  Family::kV4, [&](const OptionRow& row, ByteSpan value) {
                                    text += std::to_string(row.code) + "=" +
                                            std::string(AsText(value)) + " ";
                                  });
  return text;
}

TEST_F(SnapshotTest, OptionsOfAPlaceComeByCode) {
  SnapshotBuilder builder{SnapshotRef()};
  ASSERT_TRUE(Put(builder, Option(1, 5, 42, "b")));
  ASSERT_TRUE(Put(builder, Option(2, 5, 6, "a")));
  ASSERT_TRUE(Put(builder, Option(3, 6, 6, "other")));
  ASSERT_TRUE(Put(builder, Option(4, 0, 6, "global")));
  const SnapshotRef first = builder.Finish({1, 1});
  EXPECT_EQ(OptionsOf(*first, 5), "6=a 42=b ");
  EXPECT_EQ(OptionsOf(*first, 6), "6=other ");
  EXPECT_EQ(OptionsOf(*first, 7), "");
  EXPECT_EQ(OptionsOf(*first, 0), "6=global ");
  SnapshotBuilder next(first);
  ASSERT_TRUE(Put(next, Option(1, 6, 42, "moved")));
  ASSERT_TRUE(next.Remove(static_cast<std::uint8_t>(Table::kDhcpOption), 2));
  EXPECT_FALSE(next.Remove(static_cast<std::uint8_t>(Table::kDhcpOption), 2));
  const SnapshotRef second = next.Finish({1, 2});
  EXPECT_EQ(OptionsOf(*second, 5), "");
  EXPECT_EQ(OptionsOf(*second, 6), "6=other 42=moved ");
  EXPECT_EQ(OptionsOf(*first, 5), "6=a 42=b ");
  EXPECT_EQ(second->record_count(), 3U);
}

TEST_F(SnapshotTest, AnOptionOfAnUnknownScopeCountsForTheHashOnly) {
  SnapshotBuilder builder{SnapshotRef()};
  DhcpOptionRecord unknown = Option(1, 5, 6, "a");
  unknown.scope = static_cast<OptionScope>(99);
  ASSERT_TRUE(Put(builder, unknown));
  EXPECT_NE(builder.hash(), ContentHash{});
  const SnapshotRef snapshot = builder.Finish({1, 1});
  EXPECT_EQ(snapshot->dhcp_options().size(), 0U);
  EXPECT_EQ(snapshot->record_count(), 1U);
  SnapshotBuilder next(snapshot);
  ASSERT_TRUE(Put(next, Option(1, 5, 6, "known")));
  EXPECT_EQ(next.Finish({1, 2})->record_count(), 1U);
}

TEST_F(SnapshotTest, ChangingOneOptionOfManyCopiesOnePage) {
  SnapshotBuilder builder{SnapshotRef()};
  for (RecordId id = 1; id <= 10'000; ++id) {
    ASSERT_TRUE(Put(builder, Option(id, 1 + id * 7919 % 10'007, 6, "value")));
  }
  const SnapshotRef first = builder.Finish({1, 1});
  SnapshotBuilder next(first);
  ASSERT_TRUE(Put(next, Option(500, 1 + 500 * 7919 % 10'007, 6, "another")));
  const SnapshotRef second = next.Finish({1, 2});
  EXPECT_EQ(second->PagesNotIn(*first), 1U);
  EXPECT_EQ(OptionsOf(*second, 1 + 500 * 7919 % 10'007), "6=another ");
}

TEST_F(SnapshotTest, ClassesComeByPriority) {
  SnapshotBuilder builder{SnapshotRef()};
  for (RecordId id = 1; id <= 3; ++id) {
    DhcpClassRecord record;
    record.id = id;
    record.priority = static_cast<std::uint16_t>(id == 3 ? 20 : 10);
    ASSERT_TRUE(Put(builder, record));
  }
  const SnapshotRef snapshot = builder.Finish({1, 1});
  ASSERT_EQ(snapshot->dhcp_classes().size(), 3U);
  EXPECT_EQ(snapshot->dhcp_classes()[0].id, 3U);
  EXPECT_EQ(snapshot->dhcp_classes()[1].id, 1U);
}

}  // namespace
}  // namespace slipway::config
