// decode.h and encode.h: one is the inverse of the other, and nothing outside the bounds gets in.
#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <vector>

#include "dataplane/config/decode.h"
#include "dataplane/config/encode.h"
#include "dataplane/config/limits.h"
#include "dataplane/config/snapshot.h"
#include "schemas/config_generated.h"

namespace slipway::config {
namespace {

using std::string_view_literals::operator""sv;

[[nodiscard]] IpAddress Address(const char* text) { return *IpAddress::Parse(text); }

[[nodiscard]] SubnetRecord SampleSubnet() {
  SubnetRecord subnet{.id = 7, .vlan = 3, .prefix = *IpPrefix::Parse("10.1.0.0/16"), .domain = {}};
  subnet.gateway = Address("10.1.0.1");
  subnet.dns_servers = {Address("10.1.0.2"), Address("2001:db8::53")};
  subnet.ntp_servers = {Address("10.1.0.3")};
  subnet.domain = DomainName("rack.example");
  subnet.lease_seconds = 3600;
  return subnet;
}

[[nodiscard]] ImageRecord SampleImage() {
  ImageRecord image;
  image.id = 9;
  image.name = "launcher"sv;
  image.kind = ImageKind::kLauncher;
  image.architecture = "amd64"sv;
  image.command_line = "console=ttyS0"sv;
  for (int i = 0; i < 2; ++i) {
    ImageFile file;
    file.name = i == 0 ? "vmlinuz"sv : "initrd"sv;
    file.role = i == 0 ? FileRole::kKernel : FileRole::kInitrd;
    file.sha256[0] = static_cast<std::byte>(i + 1);
    file.bytes = 1'000'000;
    EXPECT_TRUE(image.files.push_back(file));
  }
  return image;
}

TEST(ConfigCodecTest, SubnetComesBackAsItWas) {
  RecordEncoder encoder;
  const SubnetRecord subnet = SampleSubnet();
  const auto back = DecodeSubnet(7, encoder.Encode(subnet));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->vlan, 3U);
  EXPECT_EQ(back->prefix, subnet.prefix);
  EXPECT_EQ(back->gateway, subnet.gateway);
  EXPECT_EQ(back->dns_servers, subnet.dns_servers);
  EXPECT_EQ(back->ntp_servers, subnet.ntp_servers);
  EXPECT_EQ(back->domain, "rack.example");
  EXPECT_EQ(back->lease_seconds, 3600U);
  EXPECT_EQ(back->boot_lease_seconds, 120U);
}

TEST(ConfigCodecTest, MachineAndInterfaceComeBackAsTheyWere) {
  RecordEncoder encoder;
  MachineRecord machine{
      .id = 5, .hostname = "node5"sv, .uuid = {1, 2, 3}, .kernel_options = "quiet"sv};
  machine.boot_target = BootTarget::kImage;
  machine.image = 9;
  machine.state_generation = 12;
  const auto machine_back = DecodeMachine(5, encoder.Encode(machine));
  ASSERT_TRUE(machine_back);
  EXPECT_EQ(machine_back->hostname, "node5");
  EXPECT_EQ(machine_back->uuid, machine.uuid);
  EXPECT_EQ(machine_back->boot_target, BootTarget::kImage);
  EXPECT_EQ(machine_back->image, 9U);
  EXPECT_EQ(machine_back->state_generation, 12U);
  EXPECT_EQ(machine_back->kernel_options, "quiet");

  const InterfaceRecord interface {
    .id = 6, .machine = 5, .mac = MacAddress::FromU64(0x52540000ABCD), .vlan = 3, .subnet = 7,
    .address = Address("10.1.0.99"), .subnet6 = 8, .address6 = Address("2001:db8::99")
  };
  const auto back = DecodeInterface(6, encoder.Encode(interface));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->mac, interface.mac);
  EXPECT_EQ(back->address, interface.address);
  EXPECT_EQ(back->subnet6, 8U);
  EXPECT_EQ(back->address6, interface.address6);
  EXPECT_EQ(back->machine, 5U);
}

TEST(ConfigCodecTest, DhcpClassesAndOptionsComeBackAsTheyWere) {
  RecordEncoder encoder;
  DhcpClassRecord record;
  record.name = std::string_view("uefi");
  record.priority = 7;
  (void)record.architectures.push_back(16);
  record.vendor_class = std::string_view("PXEClient");
  record.user_class = std::string_view("lab");
  (void)record.mac_prefix.push_back(0x52);
  (void)record.circuit_id.push_back(std::byte{1});
  (void)record.remote_id.push_back(std::byte{2});
  const auto back = DecodeDhcpClass(5, encoder.Encode(record));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->id, 5U);
  EXPECT_EQ(back->name, record.name);
  EXPECT_EQ(back->priority, 7);
  EXPECT_EQ(back->architectures, record.architectures);
  EXPECT_EQ(back->vendor_class, record.vendor_class);
  EXPECT_EQ(back->user_class, record.user_class);
  EXPECT_EQ(back->mac_prefix, record.mac_prefix);
  EXPECT_EQ(back->circuit_id, record.circuit_id);
  EXPECT_EQ(back->remote_id, record.remote_id);
  const DhcpOptionRecord option{.id = 6,
                                .scope = OptionScope::kRange,
                                .of = 3,
                                .family = Family::kV6,
                                .code = 400,
                                .always = true,
                                .suppress = true,
                                .value = AsBytes("value")};
  const ByteSpan body = encoder.Encode(option);
  std::vector<std::byte> shifted(body.size() + 1);
  std::copy(body.begin(), body.end(), shifted.begin() + 1);
  const auto option_back = DecodeDhcpOption(6, ByteSpan(shifted).subspan(1));
  ASSERT_TRUE(option_back);
  EXPECT_EQ(option_back->scope, OptionScope::kRange);
  EXPECT_EQ(option_back->of, 3U);
  EXPECT_EQ(option_back->family, Family::kV6);
  EXPECT_EQ(option_back->code, 400);
  EXPECT_TRUE(option_back->always && option_back->suppress);
  EXPECT_EQ(AsText(option_back->value), "value");
}

[[nodiscard]] RackPairRecord SamplePair() {
  RackPairRecord pair;
  pair.id = 4;
  pair.side = 1;
  pair.formed = true;
  pair.mclt_seconds = 600;
  pair.partner = 8;
  pair.partner_name = "r1"sv;
  pair.partner_key = std::string_view(std::string(kCurveKeyTextBytes, 'k'));
  pair.own_address = Address("10.0.0.2");
  pair.own_port = 5252;
  pair.partner_address = Address("2001:db8::1");
  pair.partner_port = 6000;
  pair.term = 3;
  pair.down_side = 1;
  pair.survivor_stale = true;
  for (std::uint32_t i = 1; i <= limits::kServedVlansMax; ++i) {
    EXPECT_TRUE(pair.shared_vlans.push_back(
        {.vlan = i, .address = Address("10.0.0.1"), .address6 = Address("2001:db8::1")}));
  }
  return pair;
}

TEST(ConfigCodecTest, RackPairComesBackAsItWas) {
  RecordEncoder encoder;
  const RackPairRecord pair = SamplePair();
  const auto back = DecodeRackPair(4, encoder.Encode(pair));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->id, 4U);
  EXPECT_EQ(back->side, 1);
  EXPECT_TRUE(back->formed);
  EXPECT_EQ(back->mclt_seconds, 600U);
  EXPECT_EQ(back->partner, 8U);
  EXPECT_EQ(back->partner_name, "r1");
  EXPECT_EQ(back->partner_key, pair.partner_key);
  EXPECT_EQ(back->own_address, pair.own_address);
  EXPECT_EQ(back->own_port, 5252);
  EXPECT_EQ(back->partner_address, pair.partner_address);
  EXPECT_EQ(back->partner_port, 6000);
  EXPECT_EQ(back->term, 3U);
  EXPECT_EQ(back->down_side, 1);
  EXPECT_TRUE(back->survivor_stale);
  EXPECT_EQ(back->shared_vlans, pair.shared_vlans);
}

TEST(ConfigCodecTest, RackPairsOutOfBoundsAreRefused) {
  RecordEncoder encoder;
  const auto refused = [&](auto change) {
    RackPairRecord pair = SamplePair();
    change(pair);
    return !DecodeRackPair(pair.id, encoder.Encode(pair)).has_value();
  };
  EXPECT_FALSE(refused([](RackPairRecord&) {}));
  EXPECT_TRUE(refused([](RackPairRecord& pair) { pair.side = 2; }));
  EXPECT_TRUE(refused([](RackPairRecord& pair) { pair.down_side = 2; }));
  EXPECT_TRUE(refused([](RackPairRecord& pair) { pair.mclt_seconds = 0; }));
  EXPECT_TRUE(refused([](RackPairRecord& pair) { pair.partner = 0; }));
  EXPECT_TRUE(refused([](RackPairRecord& pair) { pair.partner_key = "short"sv; }));
  EXPECT_TRUE(refused([](RackPairRecord& pair) { pair.partner_address = {}; }));
  EXPECT_TRUE(refused([](RackPairRecord& pair) { pair.own_port = 0; }));
  EXPECT_TRUE(refused([](RackPairRecord& pair) { pair.shared_vlans[1].vlan = 1; }));
}

TEST(ConfigCodecTest, OptionsThatMakeNoSenseAreRefused) {
  RecordEncoder encoder;
  const auto code = [&](const DhcpOptionRecord& option) {
    const auto decoded = DecodeDhcpOption(option.id, encoder.Encode(option));
    return decoded ? ErrorCode::kNone : decoded.error().code;
  };
  EXPECT_EQ(code({.id = 1, .code = 6}), ErrorCode::kNone);
  EXPECT_EQ(code({.id = 0, .code = 6}), ErrorCode::kOutOfRange);
  EXPECT_EQ(code({.id = 1, .code = 0}), ErrorCode::kOutOfRange);
  EXPECT_EQ(code({.id = 1, .of = 5, .code = 6}), ErrorCode::kOutOfRange);
  EXPECT_EQ(code({.id = 1, .scope = OptionScope::kVlan, .code = 6}), ErrorCode::kOutOfRange);
  const std::vector<std::byte> large(limits::kDhcpOptionBytesMax + 1);
  EXPECT_EQ(code({.id = 1, .code = 6, .value = large}), ErrorCode::kTooLarge);
  EXPECT_EQ(code({.id = 1, .scope = static_cast<OptionScope>(99), .of = 1, .code = 6}),
            ErrorCode::kUnsupported);
}

TEST(ConfigCodecTest, ImageComesBackAsItWas) {
  RecordEncoder encoder;
  const auto back = DecodeImage(9, encoder.Encode(SampleImage()));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->name, "launcher");
  EXPECT_EQ(back->kind, ImageKind::kLauncher);
  ASSERT_EQ(back->files.size(), 2U);
  EXPECT_EQ(back->files[1].name, "initrd");
  EXPECT_EQ(back->files[1].sha256[0], std::byte{2});
  EXPECT_EQ(back->files[1].bytes, 1'000'000U);
}

TEST(ConfigCodecTest, VlanRangeAndServedInterfaceComeBack) {
  RecordEncoder encoder;
  VlanRecord vlan{.id = 3, .vid = 100, .mtu = 9000, .name = "prod"sv};
  vlan.unknown_policy = UnknownPolicy::kEnlist;
  vlan.router_advertisement = RouterAdvertisement::kFull;
  vlan.router_lifetime_s = 1800;
  vlan.dhcp = DhcpMode::kProxy;
  ASSERT_TRUE(vlan.relays.push_back(IpAddress(*Ipv4Address::Parse("192.168.255.1"))));
  const auto vlan_back = DecodeVlan(3, encoder.Encode(vlan));
  ASSERT_TRUE(vlan_back);
  EXPECT_EQ(vlan_back->vid, 100);
  EXPECT_EQ(vlan_back->mtu, 9000);
  EXPECT_EQ(vlan_back->unknown_policy, UnknownPolicy::kEnlist);
  EXPECT_EQ(vlan_back->router_advertisement, RouterAdvertisement::kFull);
  EXPECT_EQ(vlan_back->router_lifetime_s, 1800);
  EXPECT_EQ(vlan_back->dhcp, DhcpMode::kProxy);
  EXPECT_EQ(vlan_back->relays, vlan.relays);

  const RangeRecord range{
      .id = 4, .subnet = 7, .first = Address("10.1.0.10"), .last = Address("10.1.0.20")};
  const auto range_back = DecodeRange(4, encoder.Encode(range));
  ASSERT_TRUE(range_back);
  EXPECT_EQ(range_back->first, range.first);
  EXPECT_EQ(range_back->last, range.last);

  const ServedInterfaceRecord served{.id = 8, .name = "eth0"sv, .vlan = 3};
  const auto served_back = DecodeServedInterface(8, encoder.Encode(served));
  ASSERT_TRUE(served_back);
  EXPECT_EQ(served_back->name, "eth0");
}

TEST(ConfigCodecTest, EqualRecordsGiveEqualBytes) {
  RecordEncoder a;
  RecordEncoder b;
  (void)b.Encode(SampleImage());
  const ByteSpan first = a.Encode(SampleSubnet());
  const ByteSpan second = b.Encode(SampleSubnet());
  EXPECT_TRUE(std::equal(first.begin(), first.end(), second.begin(), second.end()));
}

TEST(ConfigCodecTest, ValuesOutsideTheirBoundsAreRefused) {
  RecordEncoder encoder;
  const auto code = [](const auto& result) {
    return result ? ErrorCode::kNone : result.error().code;
  };
  EXPECT_EQ(code(DecodeVlan(0, encoder.Encode(VlanRecord{.name = {}}))), ErrorCode::kOutOfRange);
  EXPECT_EQ(code(DecodeVlan(1, encoder.Encode(VlanRecord{.vid = 4095, .name = {}}))),
            ErrorCode::kOutOfRange);
  SubnetRecord host_bits = SampleSubnet();
  host_bits.prefix.address = Address("10.1.0.1");
  EXPECT_EQ(code(DecodeSubnet(7, encoder.Encode(host_bits))), ErrorCode::kOutOfRange);
  SubnetRecord too_long = SampleSubnet();
  too_long.prefix.bits = 33;
  EXPECT_EQ(code(DecodeSubnet(7, encoder.Encode(too_long))), ErrorCode::kOutOfRange);
  const RangeRecord backwards{
      .id = 4, .subnet = 7, .first = Address("10.0.0.9"), .last = Address("10.0.0.8")};
  EXPECT_EQ(code(DecodeRange(4, encoder.Encode(backwards))), ErrorCode::kOutOfRange);
  EXPECT_EQ(code(DecodeInterface(4, encoder.Encode(InterfaceRecord{}))), ErrorCode::kOutOfRange);
  ImageRecord slash = SampleImage();
  slash.name = "a/b"sv;
  EXPECT_EQ(code(DecodeImage(9, encoder.Encode(slash))), ErrorCode::kOutOfRange);
  EXPECT_EQ(code(DecodeMachine(5, {})), ErrorCode::kMalformed);
  const std::vector<std::byte> huge(kRecordBytesMax + 1);
  EXPECT_EQ(code(DecodeMachine(5, huge)), ErrorCode::kTooLarge);
}

TEST(ConfigCodecTest, TextLongerThanItsFieldIsRefused) {
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(schema::CreateMachine(builder, builder.CreateString(std::string(64, 'a'))));
  const auto body = std::as_bytes(std::span(builder.GetBufferPointer(), builder.GetSize()));
  const auto result = DecodeMachine(1, body);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error(), (Error{ErrorCode::kTooLarge, 64}));
}

TEST(ConfigCodecTest, EnumeratorsOfANewerVersionDoLeast) {
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(schema::CreateMachine(builder, 0, 0, static_cast<schema::BootTarget>(99)));
  const auto body = std::as_bytes(std::span(builder.GetBufferPointer(), builder.GetSize()));
  const auto machine = DecodeMachine(1, body);
  ASSERT_TRUE(machine);
  EXPECT_EQ(machine->boot_target, BootTarget::kWait);
}

TEST(ConfigCodecTest, BodyAtAnyAlignmentIsRead) {
  RecordEncoder encoder;
  const ByteSpan body = encoder.Encode(SampleImage());
  std::vector<std::byte> shifted(body.size() + 8);
  for (std::size_t shift = 0; shift < 8; ++shift) {
    std::copy(body.begin(), body.end(), shifted.begin() + static_cast<std::ptrdiff_t>(shift));
    EXPECT_TRUE(DecodeImage(9, ByteSpan(shifted).subspan(shift, body.size())));
  }
}

TEST(ConfigCodecTest, TruncatedBodiesAreRefusedOrReadWithoutOverrun) {
  RecordEncoder encoder;
  const ByteSpan body = encoder.Encode(SampleImage());
  for (std::size_t size = 0; size + 8 < body.size(); ++size) {
    // A copy of exactly that size, so that a sanitizer sees any read past it.
    const std::vector<std::byte> cut(body.begin(),
                                     body.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_FALSE(DecodeImage(9, cut));
  }
}

TEST(ContentHashTest, SumIsOrderFreeAndSubtractable) {
  const ContentHash a{.low = ~0ULL, .high = 1};
  const ContentHash b{.low = 5, .high = ~0ULL};
  ContentHash ab;
  ab.Add(a);
  ab.Add(b);
  ContentHash ba;
  ba.Add(b);
  ba.Add(a);
  EXPECT_EQ(ab, ba);
  ab.Subtract(a);
  EXPECT_EQ(ab, b);
  ab.Subtract(b);
  EXPECT_EQ(ab, ContentHash{});
}

TEST(ContentHashTest, ValueIsPinned) {
  // Both ends of the link, and files of earlier versions, must agree: never change these.
  const ContentHash hash = HashRecord(5, 42, AsBytes("body"));
  EXPECT_EQ(hash, HashRecord(5, 42, AsBytes("body")));
  EXPECT_NE(hash, HashRecord(4, 42, AsBytes("body")));
  EXPECT_NE(hash, HashRecord(5, 43, AsBytes("body")));
  EXPECT_NE(hash, HashRecord(5, 42, AsBytes("bodY")));
  EXPECT_EQ(hash.low, 3349407643668696366ULL);
  EXPECT_EQ(hash.high, 6314142725191746756ULL);
}

}  // namespace
}  // namespace slipway::config
