#include "controlplane/model/fields.h"

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include <set>

#include "dataplane/base/random.h"

namespace slipway::model {
namespace {

namespace json = boost::json;

Problems ParseText(std::string_view text, ParseMode mode, Entity& entity) {
  return ParseFields(json::parse(json::string_view(text.data(), text.size())).as_object(), mode,
                     nullptr, entity);
}

TEST(KindsTest, IdTextComesBackAndSortsAsNumbers) {
  SeededRandom random(3);
  std::string last;
  for (const KindInfo& info : AllKinds()) {
    const EntityId id = RandomId(random);
    const std::string text = FormatId(info.kind, id);
    EXPECT_EQ(text.size(), info.prefix.size() + 9);
    EXPECT_EQ(ParseId(info.kind, text), Result<EntityId>(id));
    EXPECT_EQ(ParseAnyId(text)->kind, info.kind);
    if (info.stored) {
      EXPECT_EQ(ParseStoreKey(StoreKey(info.kind, id))->id, id);
    }
    EXPECT_EQ(*KindByName(info.plural), info.kind);
  }
  EXPECT_EQ(FormatId(Kind::kSubnet, EntityId{1}), "sub-00000001");
  EXPECT_LT(FormatId(Kind::kSubnet, EntityId{31}), FormatId(Kind::kSubnet, EntityId{32}));
}

TEST(KindsTest, OddIdsAreRefused) {
  for (const char* text : {"", "sub", "sub-", "sub-0000000", "sub-00000000", "sub-0000000i",
                           "fab-00000001", "sub-000000011", "SUB-00000001"}) {
    EXPECT_FALSE(ParseId(Kind::kSubnet, text)) << text;
  }
  EXPECT_FALSE(ParseStoreKey("m/sub/0000000"));
  EXPECT_FALSE(ParseStoreKey("g/sub/00000001"));
}

TEST(FieldsTest, EveryKindHasAConsistentTable) {
  for (const KindInfo& info : AllKinds()) {
    std::set<std::string_view> names;
    for (const Field& field : FieldsOf(info.kind)) {
      EXPECT_TRUE(names.insert(field.name).second) << field.name;
      EXPECT_FALSE(field.doc.empty() && !field.read_only()) << info.name << "." << field.name;
      EXPECT_NE(field.access.get, nullptr);
      EXPECT_EQ(field.type == FieldType::kEnum, !field.values.empty()) << field.name;
      // The default of each field is one that the field itself renders.
      (void)DefaultOf(info.kind, field);
    }
    if (!info.name_field.empty()) {
      EXPECT_NE(FindField(info.kind, info.name_field), nullptr);
    }
  }
}

TEST(FieldsTest, RenderedEntityCanBeSentBack) {
  Entity entity = EmptyEntity(Kind::kSubnet);
  ASSERT_TRUE(ParseText(R"({"name":"ten","vlan":"vlan-00000007","cidr":"10.0.0.0/24",
                            "gateway":"10.0.0.1","dns_servers":["10.0.0.2","2001:db8::1"],
                            "domain":"lab.example","lease_seconds":3600})",
                        ParseMode::kCreate, entity)
                  .empty());
  json::object rendered = RenderFields(entity);
  EXPECT_EQ(rendered["cidr"], "10.0.0.0/24");
  EXPECT_EQ(rendered["boot_lease_seconds"], 120U);
  rendered["id"] = "sub-00000001";
  Entity again = entity;
  EXPECT_TRUE(ParseFields(rendered, ParseMode::kPatch, nullptr, again).empty());
  EXPECT_EQ(again, entity);
}

TEST(FieldsTest, StoredFormComesBackForEveryKind) {
  Machine machine;
  machine.hostname = "node-1";
  machine.uuid = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
  machine.origin = MachineOrigin::kEnlisted;
  machine.state_generation = 7;
  machine.inventory = Inventory{
      .cpu_count = 4,
      .cpu_model = "QEMU",
      .memory_mib = 2048,
      .architecture = "x86_64",
      .vendor = "v",
      .product = "p",
      .serial = "s",
      .firmware = "bios",
      .disks =
          {{.name = "sda", .model = "m", .serial = "1", .bytes = 1ULL << 40, .rotational = true}},
      .nics = {{.name = "eth0",
                .mac = MacAddress::FromU64(0x5254'0000'0001),
                .driver = "e1000e",
                .pci_id = "8086:10d3",
                .link = true}}};
  BootImage image;
  image.name = "launcher";
  image.kind = ImageKind::kLauncher;
  image.files = {{.name = "vmlinuz", .role = FileRole::kKernel, .sha256 = {}, .bytes = 9}};
  image.files[0].sha256[0] = std::byte{0xAB};
  for (const Entity& entity :
       {Entity(machine), Entity(image), Entity(Fabric{}), Entity(Vlan{}),
        Entity(Interface{.machine = EntityId{5}, .mac = {{1, 2, 3, 4, 5, 6}}}),
        Entity(Rack{.name = "r1"}), Entity(ServedInterface{})}) {
    const auto decoded = DecodeStored(KindOf(entity), EncodeStored(entity));
    if (KindOf(entity) == Kind::kInterface) {
      // A multicast address never comes out of the parser: the stored form is checked too.
      EXPECT_FALSE(decoded);
      continue;
    }
    ASSERT_TRUE(decoded);
    EXPECT_EQ(*decoded, entity);
  }
}

TEST(FieldsTest, DefaultsAreNotStored) {
  EXPECT_EQ(EncodeStored(Entity(Fabric{.name = "a"})), R"({"name":"a","v":1})");
}

TEST(FieldsTest, NewerStoredVersionIsRefusedAndUnknownFieldIsKeptOut) {
  EXPECT_EQ(DecodeStored(Kind::kFabric, R"({"v":2})").error().code, ErrorCode::kBadVersion);
  EXPECT_EQ(DecodeStored(Kind::kFabric, R"({"name":"a"})").error().code, ErrorCode::kMalformed);
  EXPECT_TRUE(DecodeStored(Kind::kFabric, R"({"v":1,"name":"a","later":true})"));
}

TEST(FieldsTest, ProblemsNameTheFieldAndTheCure) {
  Entity entity = EmptyEntity(Kind::kVlan);
  const Problems problems =
      ParseText(R"({"name":"Bad Name","vidd":1,"vid":5000,"mtu":"x","unknown_policy":"never"})",
                ParseMode::kCreate, entity);
  ASSERT_EQ(problems.size(), 6U);
  EXPECT_EQ(problems[0].field, "name");
  EXPECT_NE(problems[1].cure.find("\"vid\""), std::string::npos);
  EXPECT_NE(problems[2].cure.find("0 to 4094"), std::string::npos);
  EXPECT_EQ(problems[3].problem, "is not a whole number");
  EXPECT_NE(problems[4].cure.find("ignore, local, wait, enlist"), std::string::npos);
  EXPECT_EQ(problems[5].field, "fabric");
  EXPECT_EQ(problems[5].problem, "is missing");
}

TEST(FieldsTest, FixedAndReadOnlyFieldsDoNotChange) {
  Entity entity = EmptyEntity(Kind::kMachine);
  EXPECT_EQ(ParseText(R"({"state_generation":9})", ParseMode::kPatch, entity).size(), 1U);
  EXPECT_TRUE(
      ParseText(R"({"state_generation":1,"origin":"user"})", ParseMode::kPatch, entity).empty());
  Entity subnet = EmptyEntity(Kind::kSubnet);
  EXPECT_EQ(ParseText(R"({"cidr":"10.0.0.0/8"})", ParseMode::kPatch, subnet).size(), 1U);
}

TEST(FieldsTest, HostBitsAreRefusedWithTheNetwork) {
  Entity entity = EmptyEntity(Kind::kSubnet);
  const Problems problems =
      ParseText(R"({"vlan":"vlan-00000001","cidr":"10.0.0.7/24"})", ParseMode::kCreate, entity);
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_EQ(problems[0].cure, "did you mean 10.0.0.0/24?");
}

TEST(FieldsTest, NearestFindsSlipsOnly) {
  constexpr std::string_view kNames[] = {"gateway", "dns_servers", "name"};
  EXPECT_EQ(Nearest("gatway", kNames), "gateway");
  EXPECT_EQ(Nearest("nane", kNames), "name");
  EXPECT_EQ(Nearest("colour", kNames), "");
}

}  // namespace
}  // namespace slipway::model
