// Operators' options in DHCPv6 replies.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/config/option_table.h"
#include "dataplane/dhcp/option_value.h"
#include "tests/support/dhcp6_lab.h"

namespace slipway::dhcp {
namespace {

using test::BootLab;
using test::Dhcp6Lab;
using test::kSubnet6;
using test::kVlan;
using test::Request6;

constexpr config::RecordId kMachine = 500;
constexpr config::RecordId kClass = 700;
const MacAddress kMac = test::Mac("52:54:00:00:00:01");

struct Extra {
  bool always = false;
  bool suppress = false;
};

class OptionSet6Test : public testing::Test {
 protected:
  OptionSet6Test() {
    Dhcp6Lab::AddNetworks(lab_).AddMachine(kMachine, "52:54:00:00:00:01",
                                           config::BootTarget::kLocal);
  }

  void Set(OptionScope scope, config::RecordId of, std::uint16_t code, std::string_view value,
           Extra extra = {}) {
    lab_.Put(config::DhcpOptionRecord{.id = next_id_++,
                                      .scope = scope,
                                      .of = of,
                                      .family = Family::kV6,
                                      .code = code,
                                      .always = extra.always,
                                      .suppress = extra.suppress,
                                      .value = AsBytes(value)});
  }

  void SetClass(const config::DhcpClassRecord& like) {
    config::DhcpClassRecord record = like;
    record.id = kClass;
    record.name = std::string_view("c");
    lab_.Put(record);
  }

  // A client that asks for these codes; nothing: it does not say.
  static Request6 Solicit(const std::vector<std::uint16_t>& wanted,
                          const std::vector<RelayHop>& relays = {}) {
    Request6 request(MessageType6::kSolicit, 1, relays);
    request.Client(test::DuidLl(kMac)).IaNa();
    if (!wanted.empty()) {
      std::vector<std::byte> list;
      for (const std::uint16_t code : wanted) {
        list.push_back(static_cast<std::byte>(code >> 8));
        list.push_back(static_cast<std::byte>(code & 0xFF));
      }
      request.Option(Option6::kOptionRequest, list);
    }
    return request;
  }

  void Ask(Request6 request, Reason6 expected = Reason6::kAdvertised) {
    dhcp_.emplace(lab_.Finish());
    ASSERT_EQ(dhcp_->Handle(request.Build()), expected);
    Read(dhcp_->ReplyBytes());
  }

  // Every option of the reply proper, equal ones with a comma between; and their order.
  void Read(ByteSpan reply) {
    order_.clear();
    values_.clear();
    WireReader reader(reply);
    while (reader.left() > 0) {
      // Relay-reply: type, hops, two addresses, options up to the relay message.
      const bool relay = static_cast<MessageType6>(reader.U8()) == MessageType6::kRelayReply;
      reader.Skip(relay ? 33 : 3);
      ByteSpan inner;
      while (reader.left() > 0) {
        const std::uint16_t code = reader.U16();
        const ByteSpan value = reader.Bytes(reader.U16());
        if (relay) {
          inner = code == static_cast<std::uint16_t>(Option6::kRelayMessage) ? value : inner;
          continue;
        }
        order_.push_back(code);
        values_[code] += (values_.contains(code) ? "," : "") + std::string(AsText(value));
      }
      ASSERT_TRUE(reader.ok());
      reader = WireReader(inner);
    }
  }

  [[nodiscard]] bool Has(std::uint16_t code) const { return values_.contains(code); }

  BootLab lab_;
  std::optional<Dhcp6Lab> dhcp_;
  std::vector<std::uint16_t> order_;
  std::map<std::uint16_t, std::string> values_;
  config::RecordId next_id_ = 1;
};

TEST_F(OptionSet6Test, NearestScopeWins) {
  const std::vector<std::pair<OptionScope, config::RecordId>> scopes = {
      {OptionScope::kGlobal, 0},        {OptionScope::kVlan, kVlan},
      {OptionScope::kSubnet, kSubnet6}, {OptionScope::kRange, test::kRange6},
      {OptionScope::kClass, kClass},    {OptionScope::kMachine, kMachine},
  };
  config::DhcpClassRecord like;
  (void)like.mac_prefix.push_back(0x52);
  SetClass(like);
  for (std::size_t i = 0; i < scopes.size(); ++i) {
    const auto& [scope, of] = scopes[i];
    Set(scope, of, 41, "from " + std::to_string(i));
    Ask(Solicit({41}));
    EXPECT_EQ(values_[41], "from " + std::to_string(i));
  }
}

TEST_F(OptionSet6Test, OptionRequestIsHonoured) {
  Set(OptionScope::kGlobal, 0, 41, "asked");
  Set(OptionScope::kGlobal, 0, 42, "not asked");
  Set(OptionScope::kGlobal, 0, 64, "always", {.always = true});
  Set(OptionScope::kGlobal, 0, 300, "a code of two bytes");
  Set(OptionScope::kGlobal, 0, 301, "another");
  Ask(Solicit({41, 300}));
  EXPECT_EQ(values_[41], "asked");
  EXPECT_FALSE(Has(42));
  EXPECT_EQ(values_[64], "always");
  EXPECT_EQ(values_[300], "a code of two bytes");
  EXPECT_FALSE(Has(301));
  Ask(Solicit({}));  // a client that does not say gets them all
  EXPECT_TRUE(Has(42));
  EXPECT_TRUE(Has(301));
}

TEST_F(OptionSet6Test, SuppressedOptionsAreNotSent) {
  Set(OptionScope::kVlan, kVlan, 41, "here");
  Set(OptionScope::kMachine, kMachine, 41, "", {.suppress = true});
  Set(OptionScope::kMachine, kMachine, 23, "", {.suppress = true});
  Ask(Solicit({41, 23, 24}));
  EXPECT_FALSE(Has(41));
  EXPECT_FALSE(Has(23));
  EXPECT_TRUE(Has(24));
}

TEST_F(OptionSet6Test, FieldsOfTheSubnetStandBehindItsOptions) {
  const std::string other(16, '\x11');
  Set(OptionScope::kVlan, kVlan, 23, other);  // farther than the subnet's field
  Ask(Solicit({23}));
  EXPECT_EQ(values_[23], std::string(AsText(std::as_bytes(std::span(test::kRack6.octets)))));
  Set(OptionScope::kSubnet, kSubnet6, 23, other);
  Ask(Solicit({23}));
  EXPECT_EQ(values_[23], other);
  Set(OptionScope::kGlobal, 0, 32, std::string("\0\0\x12\x34", 4));  // what was computed gives way
  Ask(Solicit({32}));
  EXPECT_EQ(values_[32], std::string("\0\0\x12\x34", 4));
}

// Codes of DHCPv4's network are ordinary ones here.
TEST_F(OptionSet6Test, CodesOfTheOtherFamilyMeanNothing) {
  Set(OptionScope::kGlobal, 0, 42, "Europe/Berlin");  // 42 of DHCPv4: NTP servers
  lab_.Put(config::DhcpOptionRecord{.id = next_id_++,
                                    .scope = OptionScope::kGlobal,
                                    .of = 0,
                                    .family = Family::kV4,
                                    .code = 41,
                                    .value = AsBytes("v4's")});
  Ask(Solicit({41, 42}));
  EXPECT_EQ(values_[42], "Europe/Berlin");
  EXPECT_FALSE(Has(41));
}

TEST_F(OptionSet6Test, EachTimeServerIsAnOptionOfItsOwn) {
  std::array<std::byte, limits::kDhcpOptionBytesMax> value{};
  const auto size = EncodeOptionValue(Family::kV6, FindOption(Family::kV6, std::uint16_t{56}),
                                      "2001:db8::5, ntp.example, ff02::101", value);
  ASSERT_TRUE(size.has_value());
  Set(OptionScope::kMachine, kMachine, 56, AsText(ByteSpan(value).first(*size)));
  Ask(Solicit({56}));
  EXPECT_EQ(std::ranges::count(order_, 56), 3);
  const std::string& all = values_[56];
  EXPECT_EQ(all.substr(0, 4), std::string("\0\1\0\x10", 4));
  EXPECT_EQ(all.substr(21, 4), std::string("\0\3\0\xd", 4));
}

TEST_F(OptionSet6Test, BootFileParametersAreSentBesideTheUrl) {
  const std::string parameters("\0\6foo=ba\0\1x", 11);
  Set(OptionScope::kMachine, kMachine, 60, parameters);
  Ask(Solicit({59, 60}).Architecture(7).Class(Option6::kVendorClass, "PXEClient:Arch:00007"));
  EXPECT_EQ(values_[60], parameters);
  Ask(Solicit({59}));
  EXPECT_FALSE(Has(60));
}

TEST_F(OptionSet6Test, BootDecisionGoesBeforeOptions) {
  Set(OptionScope::kGlobal, 0, 59, "tftp://[::1]/mine");
  lab_.AddMachine(kMachine, "52:54:00:00:00:01", config::BootTarget::kLauncher);
  Ask(Solicit({59}).Architecture(7).Class(Option6::kVendorClass, "PXEClient:Arch:00007"));
  EXPECT_NE(values_[59].find("snponly.efi"), std::string::npos) << values_[59];
  EXPECT_EQ(std::ranges::count(order_, 59), 1);
}

TEST_F(OptionSet6Test, ClassesKnowTheRelayNearestToTheClient) {
  config::DhcpClassRecord like;
  for (const char c : std::string_view("eth7")) {
    (void)like.circuit_id.push_back(static_cast<std::byte>(c));
  }
  for (const char c : std::string_view("switch")) {
    (void)like.remote_id.push_back(static_cast<std::byte>(c));
  }
  SetClass(like);
  Set(OptionScope::kClass, kClass, 41, "port");
  const auto remote = test::Bytes({0, 0, 0, 9, 's', 'w', 'i', 't', 'c', 'h'});
  const auto near = test::Bytes({'e', 't', 'h', '7'});
  const auto far = test::Bytes({'e', 't', 'h', '0'});
  RelayHop inner{.link = test::V6("2001:db8:77::1"), .peer = test::LinkLocalOf(kMac)};
  inner.has_interface_id = true;
  inner.interface_id = near;
  inner.remote_id = remote;
  RelayHop outer{.hops = 1, .link = {}, .peer = test::V6("2001:db8:77::1")};
  outer.has_interface_id = true;
  outer.interface_id = far;
  Ask(Solicit({41}, {outer, inner}));
  EXPECT_EQ(values_[41], "port");
  inner.interface_id = far;
  Ask(Solicit({41}, {outer, inner}));
  EXPECT_FALSE(Has(41));
}

TEST_F(OptionSet6Test, ClassesKnowFirmware) {
  config::DhcpClassRecord like;
  (void)like.architectures.push_back(16);
  like.vendor_class = std::string_view("HTTPClient");
  like.user_class = std::string_view("lab");
  SetClass(like);
  Set(OptionScope::kClass, kClass, 41, "http");
  Ask(Solicit({41})
          .Architecture(16)
          .Class(Option6::kVendorClass, "HTTPClient:Arch:00016")
          .Class(Option6::kUserClass, "lab"));
  EXPECT_EQ(values_[41], "http");
  Ask(Solicit({41}).Architecture(16).Class(Option6::kVendorClass, "HTTPClient:Arch:00016"));
  EXPECT_FALSE(Has(41));
}

TEST_F(OptionSet6Test, InformedClientsAndRepliesGetThemToo) {
  Set(OptionScope::kVlan, kVlan, 41, "here");
  Ask(Request6(MessageType6::kInformationRequest).Asks({static_cast<Option6>(41)}),
      Reason6::kInformed);
  EXPECT_EQ(values_[41], "here");
  Ask(Request6(MessageType6::kRequest)
          .Client(test::DuidLl(kMac))
          .Server(Dhcp6Lab::ServerId())
          .IaNa()
          .Asks({static_cast<Option6>(41)}),
      Reason6::kReplied);
  EXPECT_EQ(values_[41], "here");
}

TEST_F(OptionSet6Test, WhatDoesNotFitIsLeftOutAndCounted) {
  Set(OptionScope::kGlobal, 0, 300, std::string(1000, 'a'), {.always = true});
  Set(OptionScope::kGlobal, 0, 301, std::string(1000, 'b'));
  Ask(Solicit({300, 301}));
  EXPECT_TRUE(Has(300));  // always: ahead of the others
  EXPECT_FALSE(Has(301));
  EXPECT_EQ(dhcp_->engine.counters().options_left_out.value(), 1U);
}

}  // namespace
}  // namespace slipway::dhcp
