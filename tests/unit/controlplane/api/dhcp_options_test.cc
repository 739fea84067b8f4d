// GET /v1/machines/{id}/dhcp-options.
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>

#include <string>

#include "tests/support/api_lab.h"

namespace slipway::api {
namespace {

namespace json = boost::json;

class DhcpOptionsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Make("fabrics", R"({"name":"lab"})");
    Make("vlans", R"({"name":"v1","fabric":"lab","mtu":9000})");
    Make("subnets", R"({"name":"s1","vlan":"v1","cidr":"10.0.0.0/24","gateway":"10.0.0.1",
                        "dns_servers":["10.0.0.2"]})");
    range_ = Make("ranges", R"({"subnet":"s1","kind":"reserved","first":"10.0.0.10",
                                "last":"10.0.0.20"})");
    Make("machines", R"({"hostname":"m1"})");
    Make("interfaces", R"({"machine":"m1","mac":"52:54:00:00:00:01","address":"10.0.0.15"})");
    Make("dhcp-classes", R"({"name":"uefi","architectures":[7,16],"priority":5})");
    Make("dhcp-classes", R"({"name":"port","circuit_id":"eth0"})");
  }

  std::string Make(std::string_view plural, std::string_view body) {
    const Response made = lab_.Call(Method::kPost, "/v1/" + std::string(plural), std::string(body));
    EXPECT_EQ(made.status, 201) << made.body;
    return TextOf(JsonOf(made), "id");
  }

  json::object Ask(std::string_view query = "", std::string_view machine = "m1") {
    const Response answer = lab_.Call(Method::kGet, "/v1/machines/" + std::string(machine) +
                                                        "/dhcp-options" + std::string(query));
    EXPECT_EQ(answer.status, 200) << answer.body;
    return JsonOf(answer);
  }

  // "value scope state" of each item with the code, in order.
  static std::string Of(const json::object& answer, int code) {
    std::string text;
    for (const json::value& item : answer.at("items").as_array()) {
      const json::object& option = item.as_object();
      if (option.at("code").to_number<int>() == code) {
        text += (text.empty() ? "" : "; ") + TextOf(option, "value") + " " +
                TextOf(option, "scope") + " " + TextOf(option, "state");
      }
    }
    return text;
  }

  ApiLab lab_;
  std::string range_;
};

TEST_F(DhcpOptionsTest, FieldsAndComputedOptionsHaveTheirScope) {
  const json::object answer = Ask();
  EXPECT_EQ(Of(answer, 1), "255.255.255.0 subnet effective");
  EXPECT_EQ(Of(answer, 3), "10.0.0.1 subnet effective");
  EXPECT_EQ(Of(answer, 6), "10.0.0.2 subnet effective");
  EXPECT_EQ(Of(answer, 12), "m1 machine effective");
  EXPECT_EQ(Of(answer, 26), "9000 vlan effective");
  EXPECT_EQ(Of(answer, 28), "10.0.0.255 subnet effective");
  EXPECT_EQ(TextOf(answer, "range"), range_);
  EXPECT_EQ(TextOf(answer, "address"), "10.0.0.15");
}

TEST_F(DhcpOptionsTest, NearestScopeWinsAndTheOthersAreShown) {
  Make("dhcp-options", R"({"option":"root-path","value":"/global"})");
  Make("dhcp-options", R"({"option":"root-path","value":"/range","range":")" + range_ + "\"}");
  Make("dhcp-options", R"({"option":"routers","suppress":true,"machine":"m1"})");
  Make("dhcp-options", R"({"option":"ntp-servers","value":"10.0.0.3","vlan":"v1"})");
  Make("dhcp-options", R"({"option":"domain-name-servers","value":"10.0.0.9"})");
  Make("dhcp-options", R"({"option":"224","value":"0102","always":true})");
  const json::object answer = Ask();
  EXPECT_EQ(Of(answer, 17), "/range range effective; /global global overridden");
  EXPECT_EQ(Of(answer, 3), " machine suppressed");
  EXPECT_EQ(Of(answer, 42), "10.0.0.3 vlan effective");
  EXPECT_EQ(Of(answer, 6), "10.0.0.2 subnet effective; 10.0.0.9 global overridden");
  EXPECT_EQ(Of(answer, 224), "0x0102 global effective");
}

TEST_F(DhcpOptionsTest, ClassesDependOnTheQuestion) {
  Make("dhcp-options", R"({"option":"root-path","value":"/uefi","class":"uefi"})");
  Make("dhcp-options", R"({"option":"root-path","value":"/port","class":"port"})");
  EXPECT_EQ(Of(Ask(), 17), "");
  EXPECT_EQ(Of(Ask("?arch=7"), 17), "/uefi class effective");
  EXPECT_EQ(Of(Ask("?arch=0"), 17), "");
  const json::object both = Ask("?arch=16&relay_circuit=eth0");
  EXPECT_EQ(Of(both, 17), "/port class effective; /uefi class overridden");
  EXPECT_EQ(json::serialize(both.at("classes")), R"(["port","uefi"])");
}

TEST_F(DhcpOptionsTest, TheOtherFamilyHasItsOwnSet) {
  Make("subnets", R"({"name":"s6","vlan":"v1","cidr":"2001:db8::/64",
                      "dns_servers":["2001:db8::2"],"ntp_servers":["2001:db8::3"],
                      "domain":"lab.example","lease_seconds":900})");
  Make("dhcp-options", R"({"family":"v6","option":"posix-timezone","value":"CET-1","vlan":"v1"})");
  Make("dhcp-options", R"({"family":"v6","option":"ntp-servers","value":"ntp.example",
                           "machine":"m1"})");
  Make("dhcp-options", R"({"option":"root-path","value":"/v4"})");
  const json::object answer = Ask("?family=v6&subnet=s6");
  EXPECT_EQ(Of(answer, 23), "2001:db8::2 subnet effective");
  EXPECT_EQ(Of(answer, 24), "lab.example subnet effective");
  EXPECT_EQ(Of(answer, 31), "2001:db8::3 subnet effective");
  EXPECT_EQ(Of(answer, 32), "900 subnet effective");
  EXPECT_EQ(Of(answer, 41), "CET-1 vlan effective");
  EXPECT_EQ(Of(answer, 56), "ntp.example machine effective");
  EXPECT_EQ(Of(answer, 17), "");
}

TEST_F(DhcpOptionsTest, MachinesAreFoundByMacToo) {
  EXPECT_EQ(TextOf(Ask("", "52:54:00:00:00:01"), "mac"), "52:54:00:00:00:01");
}

TEST_F(DhcpOptionsTest, WhatCannotBeAnsweredIsRefusedWithTheReason) {
  const auto status = [&](std::string_view path) {
    return lab_.Call(Method::kGet, "/v1/machines/" + std::string(path)).status;
  };
  EXPECT_EQ(status("none/dhcp-options"), 404);
  EXPECT_EQ(status("m1/dhcp-options?arch=x"), 400);
  EXPECT_EQ(status("m1/dhcp-options?family=v5"), 400);
  EXPECT_EQ(status("m1/dhcp-options?mac=5"), 400);
  EXPECT_EQ(status("m1/dhcp-options?subnet=none"), 400);
  EXPECT_EQ(status("m1/dhcp-options?relay_circuit=0x0"), 400);
  EXPECT_EQ(status("m1/dhcp-options?mac=52:54:00:00:00:09"), 409);
  EXPECT_EQ(status("m1/dhcp-options?family=v6"), 409);
  Make("machines", R"({"hostname":"m2"})");
  EXPECT_EQ(status("m2/dhcp-options"), 409);
  Make("interfaces", R"({"machine":"m2","mac":"52:54:00:00:00:02"})");
  EXPECT_EQ(status("m2/dhcp-options"), 409);
  EXPECT_EQ(status("m2/dhcp-options?subnet=s1"), 200);
}

}  // namespace
}  // namespace slipway::api
