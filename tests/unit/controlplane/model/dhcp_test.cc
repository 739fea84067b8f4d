#include "controlplane/model/dhcp.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/controlplane/model/model_test.h"

namespace slipway::model {
namespace {

class DhcpModelTest : public ModelFixture {
 protected:
  DhcpModelTest() {
    Make(Kind::kFabric, R"({"name":"lab"})");
    Make(Kind::kVlan, R"({"name":"v1","fabric":"lab"})");
    subnet_ = Make(Kind::kSubnet, R"({"name":"s1","vlan":"v1","cidr":"10.0.0.0/24"})");
    Make(Kind::kSubnet, R"({"name":"s6","vlan":"v1","cidr":"2001:db8::/64"})");
    Make(Kind::kMachine, R"({"hostname":"m1"})");
    Make(Kind::kDhcpClass, R"({"name":"c1","architectures":[7,9]})");
  }

  // The only problem of a refusal: "field: problem (cure)".
  std::string Refused(Kind kind, std::string_view body) {
    const auto result = Create(kind, body);
    if (result) {
      return "accepted";
    }
    EXPECT_EQ(result.error().problems.size(), 1U) << Text(result);
    const Problem& problem = result.error().problems.front();
    return problem.field + ": " + problem.problem + " (" + problem.cure + ")";
  }

  DhcpOption Option(EntityId id) {
    return model_.Read(
        [&](const ModelIndex& index) { return *index.Get<DhcpOption>(Kind::kDhcpOption, id); });
  }

  EntityId subnet_;
};

TEST_F(DhcpModelTest, NamesAndCodesAreTheSame) {
  const EntityId by_name =
      Make(Kind::kDhcpOption, R"({"option":"ntp-servers","value":"10.0.0.1","subnet":"s1"})");
  EXPECT_EQ(Option(by_name).code, 42);
  EXPECT_EQ(Option(by_name).scope, OptionScope::kSubnet);
  EXPECT_EQ(TargetOf(Option(by_name)), (EntityRef{.kind = Kind::kSubnet, .id = subnet_}));
  const EntityId by_code = Make(Kind::kDhcpOption, R"({"option":"42","value":"10.0.0.2"})");
  EXPECT_EQ(Option(by_code).option, "ntp-servers");
  EXPECT_EQ(Option(by_code).scope, OptionScope::kGlobal);
  const EntityId unknown = Make(Kind::kDhcpOption, R"({"option":"0xE0","value":"0102"})");
  EXPECT_EQ(Option(unknown).option, "224");
  EXPECT_EQ(*EncodeValue(Option(unknown)), std::string("\x01\x02"));
}

TEST_F(DhcpModelTest, ValuesAreRefusedWithThePlace) {
  EXPECT_EQ(Refused(Kind::kDhcpOption,
                    R"({"option":"domain-name-servers","value":"10.0.0.1, 10.0.300.2"})"),
            "value: item 2, character 18: is not an IPv4 address (write it as 10.0.0.1)");
  EXPECT_EQ(Refused(Kind::kDhcpOption, R"({"option":"interface-mtu","value":"60"})"),
            "value: item 1, character 1: is too small a number (give a number of type u16, at "
            "least 68)");
  EXPECT_EQ(Refused(Kind::kDhcpOption, R"({"option":"netbios-node-type","value":"9"})"),
            "value: item 1, character 1: is too large a number (give a number from 1 to 8)");
  EXPECT_EQ(Refused(Kind::kDhcpOption, R"({"option":"224","value":"xy"})"),
            "value: item 1, character 1: is not a hexadecimal digit (write two for each byte: "
            "0x0a0b)");
  EXPECT_EQ(Refused(Kind::kDhcpOption, R"({"option":"root-path"})"),
            "value: item 1, character 1: is empty (write a text)");
}

TEST_F(DhcpModelTest, OptionsOfTheProtocolAreRefused) {
  EXPECT_EQ(Refused(Kind::kDhcpOption, R"({"option":"53","value":"5"})"),
            "option: message-type (53) cannot be set: the protocol itself says it (leave it out)");
  EXPECT_EQ(Refused(Kind::kDhcpOption, R"({"option":"lease-time","value":"60"})"),
            "option: lease-time (51) cannot be set: set lease_seconds or boot_lease_seconds of the "
            "subnet (leave it out)");
  EXPECT_EQ(Refused(Kind::kDhcpOption, R"({"option":"domain-name-server","value":"x"})"),
            "option: \"domain-name-server\" is not an option (did you mean "
            "\"domain-name-servers\"?)");
  EXPECT_EQ(Refused(Kind::kDhcpOption, R"({"option":"255","value":"00"})"),
            "option: \"255\" is not an option (use a name of docs/protocols/dhcp-options.md, or a "
            "code)");
}

TEST_F(DhcpModelTest, EachScopeHasAnOptionOnce) {
  Make(Kind::kDhcpOption, R"({"option":"root-path","value":"/a","machine":"m1"})");
  Make(Kind::kDhcpOption, R"({"option":"root-path","value":"/b","class":"c1"})");
  Make(Kind::kDhcpOption, R"({"option":"root-path","value":"/c"})");
  Make(Kind::kDhcpOption, R"({"option":"41","family":"v6","value":"UTC"})");
  Make(Kind::kDhcpOption, R"({"option":"41","value":"10.0.0.1"})");
  const auto again = Create(Kind::kDhcpOption, R"({"option":"17","value":"/d","machine":"m1"})");
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().kind, RefusalKind::kConflict);
  EXPECT_EQ(Refused(Kind::kDhcpOption,
                    R"({"option":"nis-domain","value":"a","machine":"m1","class":"c1"})"),
            "scope: several references are given (give one of vlan, subnet, range, class and "
            "machine; none for all clients)");
}

TEST_F(DhcpModelTest, ScopeIsForLifeAndWhatIsReferredToStays) {
  const EntityId id =
      Make(Kind::kDhcpOption, R"({"option":"root-path","value":"/a","subnet":"s1"})");
  EXPECT_FALSE(Patch(Kind::kDhcpOption, id, R"({"subnet":null})"));
  EXPECT_FALSE(Patch(Kind::kDhcpOption, id, R"({"scope":"global"})"));
  EXPECT_TRUE(Patch(Kind::kDhcpOption, id, R"({"value":"/b","always":true})"));
  EXPECT_FALSE(Delete(Kind::kSubnet, subnet_));
  EXPECT_TRUE(Delete(Kind::kDhcpOption, id));
  EXPECT_TRUE(Delete(Kind::kSubnet, subnet_));
}

TEST_F(DhcpModelTest, SuppressedOptionsTakeNoValue) {
  EXPECT_TRUE(Create(Kind::kDhcpOption, R"({"option":"routers","suppress":true,"machine":"m1"})"));
  EXPECT_EQ(Refused(Kind::kDhcpOption, R"({"option":"42","suppress":true,"value":"10.0.0.1"})"),
            "value: is given for an option that is not sent (leave it out, or do not suppress)");
  EXPECT_EQ(Refused(Kind::kDhcpOption, R"({"option":"42","suppress":true,"always":true})"),
            "always: contradicts suppress (set one of the two)");
}

TEST_F(DhcpModelTest, FamilyIsThatOfTheSubnet) {
  EXPECT_EQ(Refused(Kind::kDhcpOption, R"({"option":"root-path","value":"/a","subnet":"s6"})"),
            "family: is not that of 2001:db8::/64 (set it on a subnet of the family)");
  EXPECT_TRUE(Create(Kind::kDhcpOption,
                     R"({"family":"v6","option":"dns-servers","value":"2001:db8::1",
                         "subnet":"s6"})"));
}

TEST_F(DhcpModelTest, ScopesHoldABoundedNumber) {
  for (int code = 0; code < 64; ++code) {
    const std::string body = R"({"family":"v6","value":"00","machine":"m1","option":")" +
                             std::to_string(40'000 + code) + "\"}";
    ASSERT_TRUE(Create(Kind::kDhcpOption, body));
  }
  EXPECT_EQ(Refused(Kind::kDhcpOption, R"({"option":"root-path","value":"/a","machine":"m1"})"),
            "scope: has 64 options already (delete some, or set some in a wider scope)");
}

TEST_F(DhcpModelTest, ClassesMustBeAbleToMatch) {
  EXPECT_EQ(Refused(Kind::kDhcpClass, R"({"name":"c2"})").substr(0, 57),
            "architectures: nothing is given that clients could match ");
  EXPECT_EQ(Refused(Kind::kDhcpClass, R"({"mac_prefix":"52:5"})"),
            "mac_prefix: \"52:5\" is not the beginning of a MAC address (write 1 to 6 octets as "
            "52:54:00)");
  EXPECT_EQ(Refused(Kind::kDhcpClass, R"({"circuit_id":"0x0"})"),
            "circuit_id: item 1, character 4: is not a hexadecimal digit (write two for each byte: "
            "0x0a0b)");
  EXPECT_EQ(Refused(Kind::kDhcpClass, R"({"architectures":[70000]})"),
            "architectures: 70000 is out of range (send a whole number from 0 to 65535)");
  EXPECT_TRUE(Create(Kind::kDhcpClass, R"({"mac_prefix":"52:54:00","remote_id":"0x0a0b",
                                           "priority":7})"));
  EXPECT_EQ(EncodeRelayId("0x0a0b")->size(), 2U);
  EXPECT_EQ(EncodeRelayId("eth0")->size(), 4U);
}

}  // namespace
}  // namespace slipway::model
