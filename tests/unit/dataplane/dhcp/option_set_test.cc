#include "dataplane/dhcp/option_set.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "dataplane/config/option_table.h"
#include "tests/support/dhcp_lab.h"

namespace slipway::dhcp {
namespace {

using test::BootLab;
using test::DhcpLab;
using test::kRack;
using test::kSubnet;
using test::kVlan;
using test::Request;
using test::V4;

constexpr config::RecordId kMachine = 500;
constexpr config::RecordId kClass = 700;
const MacAddress kMac = test::Mac("52:54:00:00:00:01");

struct Extra {
  bool always = false;
  bool suppress = false;
};

class OptionSetTest : public testing::Test {
 protected:
  OptionSetTest() {
    lab_.AddNetwork().AddImages().AddMachine(kMachine, "52:54:00:00:00:01",
                                             config::BootTarget::kLocal);
  }

  void Set(OptionScope scope, config::RecordId of, std::uint16_t code, std::string_view value,
           Extra extra = {}) {
    lab_.Put(config::DhcpOptionRecord{.id = next_id_++,
                                      .scope = scope,
                                      .of = of,
                                      .family = Family::kV4,
                                      .code = code,
                                      .always = extra.always,
                                      .suppress = extra.suppress,
                                      .value = AsBytes(value)});
  }

  void SetClass(std::uint16_t priority, std::string_view vendor, config::RecordId id = kClass) {
    config::DhcpClassRecord record;
    record.id = id;
    record.name = std::string_view("c");
    record.priority = priority;
    record.vendor_class = vendor;
    lab_.Put(record);
  }

  // The offer to a client that asks for these codes; empty: it does not say.
  void Discover(std::vector<std::uint8_t> wanted, std::string_view vendor = "test",
                std::uint16_t bytes_max = 0) {
    dhcp_.emplace(lab_.Finish());
    Request request(MessageType::kDiscover, kMac);
    if (!wanted.empty()) {
      request.Bytes(Option::kParameterRequestList, std::move(wanted));
    }
    request.Text(Option::kVendorClass, vendor);
    if (bytes_max != 0) {
      request.Bytes(Option::kMaxMessageSize, {static_cast<std::uint8_t>(bytes_max >> 8),
                                              static_cast<std::uint8_t>(bytes_max)});
    }
    ASSERT_EQ(dhcp_->Handle(request.Build()), Reason::kOffered);
    Read();
  }

  // Every option of the reply, pieces joined, and their order.
  void Read() {
    order_.clear();
    values_.assign(256, "");
    WireReader reader(dhcp_->ReplyBytes().subspan(kHeaderBytes));
    while (reader.left() > 0) {
      const std::uint8_t code = reader.U8();
      if (code == 0 || code == 255) {
        continue;
      }
      if (values_[code].empty()) {
        order_.push_back(code);
      }
      values_[code] += AsText(reader.Bytes(reader.U8()));
    }
    ASSERT_TRUE(reader.ok());
  }

  [[nodiscard]] bool Has(std::uint8_t code) const {
    return std::find(order_.begin(), order_.end(), code) != order_.end();
  }

  BootLab lab_;
  std::optional<DhcpLab> dhcp_;
  std::vector<std::uint8_t> order_;
  std::vector<std::string> values_;
  config::RecordId next_id_ = 1;
};

TEST_F(OptionSetTest, NearestScopeWins) {
  const std::vector<std::pair<OptionScope, config::RecordId>> scopes = {
      {OptionScope::kGlobal, 0},       {OptionScope::kVlan, kVlan},
      {OptionScope::kSubnet, kSubnet}, {OptionScope::kRange, test::kRange},
      {OptionScope::kClass, kClass},   {OptionScope::kMachine, kMachine},
  };
  SetClass(100, "test");
  for (std::size_t i = 0; i < scopes.size(); ++i) {
    const auto& [scope, of] = scopes[i];
    Set(scope, of, 17, "from " + std::to_string(i));
    Discover({17});
    EXPECT_EQ(values_[17], "from " + std::to_string(i));
  }
}

TEST_F(OptionSetTest, OnlyWhatIsAskedForOrAlways) {
  Set(OptionScope::kGlobal, 0, 17, "/root");
  Set(OptionScope::kGlobal, 0, 100, "UTC");
  Set(OptionScope::kGlobal, 0, 224, "forced", {.always = true});
  Discover({1, 3, 100});
  EXPECT_FALSE(Has(17));
  EXPECT_EQ(values_[100], "UTC");
  EXPECT_EQ(values_[224], "forced");
  Discover({});
  EXPECT_EQ(values_[17], "/root");
}

TEST_F(OptionSetTest, SuppressedOptionsAndFieldsAreNotSent) {
  Set(OptionScope::kGlobal, 0, 17, "/root");
  Set(OptionScope::kMachine, kMachine, 17, "", {.suppress = true});
  Set(OptionScope::kMachine, kMachine, 3, "", {.suppress = true});
  Discover({});
  EXPECT_FALSE(Has(17));
  EXPECT_FALSE(Has(3));
  EXPECT_TRUE(Has(6));
}

TEST_F(OptionSetTest, FieldsStandBehindOptionsOfTheirScope) {
  const std::string other("\x0A\x4D\x00\x09", 4);
  Set(OptionScope::kVlan, kVlan, 6, other);
  Discover({6});
  EXPECT_EQ(values_[6], std::string("\x0A\x4D\x00\x01", 4));  // the subnet's field
  Set(OptionScope::kSubnet, kSubnet, 6, other);
  Discover({6});
  EXPECT_EQ(values_[6], other);
  Set(OptionScope::kGlobal, 0, 28, other);
  Discover({28});
  EXPECT_EQ(values_[28], other);
}

TEST_F(OptionSetTest, ClassesMatchByAllThatTheyGive) {
  config::DhcpClassRecord record;
  EXPECT_FALSE(Matches(record, {}));
  (void)record.architectures.push_back(7);
  (void)record.architectures.push_back(9);
  record.vendor_class = std::string_view("PXEClient");
  record.user_class = std::string_view("lab");
  (void)record.mac_prefix.push_back(0x52);
  (void)record.mac_prefix.push_back(0x54);
  (void)record.circuit_id.push_back(std::byte{'e'});
  (void)record.remote_id.push_back(std::byte{'r'});
  OptionClient client;
  client.mac = kMac;
  client.has_architecture = true;
  client.architecture = 9;
  client.vendor_class = "PXEClient:Arch:00009";
  client.user_class = AsBytes("\x01x\x03lab");
  client.circuit_id = AsBytes("e");
  client.remote_id = AsBytes("r");
  EXPECT_TRUE(Matches(record, client));
  const auto fails = [&](auto change) {
    OptionClient other = client;
    change(other);
    return !Matches(record, other);
  };
  EXPECT_TRUE(fails([](OptionClient& c) { c.architecture = 0; }));
  EXPECT_TRUE(fails([](OptionClient& c) { c.has_architecture = false; }));
  EXPECT_TRUE(fails([](OptionClient& c) { c.vendor_class = "HTTPClient"; }));
  EXPECT_TRUE(fails([](OptionClient& c) { c.user_class = AsBytes("\x04labs"); }));
  EXPECT_TRUE(fails([](OptionClient& c) { c.mac = test::Mac("52:55:00:00:00:01"); }));
  EXPECT_TRUE(fails([](OptionClient& c) { c.circuit_id = AsBytes("ee"); }));
  EXPECT_TRUE(fails([](OptionClient& c) { c.remote_id = {}; }));
  client.user_class = AsBytes("lab");
  EXPECT_TRUE(Matches(record, client));
  client.family = Family::kV6;
  client.user_class = ByteSpan(AsBytes(std::string_view("\x00\x03lab", 5)));
  EXPECT_TRUE(Matches(record, client));
}

TEST_F(OptionSetTest, OfTwoClassesTheHigherPriorityWins) {
  SetClass(10, "te", 701);
  SetClass(20, "test", 702);
  SetClass(30, "other", 703);
  for (const config::RecordId of : {701U, 702U, 703U}) {
    Set(OptionScope::kClass, of, 17, std::to_string(of));
  }
  Discover({17});
  EXPECT_EQ(values_[17], "702");
}

TEST_F(OptionSetTest, RelayIdentifiersSelectClasses) {
  lab_.AddRelayedNetwork();
  config::DhcpClassRecord record;
  record.id = kClass;
  for (const char c : std::string_view("eth0")) {
    (void)record.circuit_id.push_back(static_cast<std::byte>(c));
  }
  lab_.Put(record);
  Set(OptionScope::kClass, kClass, 17, "port");
  dhcp_.emplace(lab_.Finish());
  const auto ask = [&](std::vector<std::uint8_t> agent) {
    dhcp_->context.destination = kRack;
    ASSERT_EQ(dhcp_->Handle(Request(MessageType::kDiscover, kMac)
                                .Giaddr(test::kRelay)
                                .Bytes(Option::kRelayAgentInformation, std::move(agent))
                                .Build()),
              Reason::kOffered);
    Read();
  };
  ask({1, 4, 'e', 't', 'h', '0'});
  EXPECT_EQ(values_[17], "port");
  EXPECT_EQ(order_.back(), 82);
  ask({1, 4, 'e', 't', 'h', '1'});
  EXPECT_FALSE(Has(17));
}

TEST_F(OptionSetTest, LongValuesGoInPiecesOrNotAtAll) {
  const std::string value(600, 'v');
  Set(OptionScope::kGlobal, 0, 224, value);
  Discover({224}, "test", 1500);
  EXPECT_EQ(values_[224], value);
  Discover({224}, "test", 600);
  EXPECT_FALSE(Has(224));
  EXPECT_EQ(dhcp_->engine.counters().options_left_out.value(), 1U);
}

TEST_F(OptionSetTest, WhatBelongsToTheNetworkComesFirst) {
  const std::string long_value(100, 'v');
  for (std::uint16_t code = 224; code < 234; ++code) {
    Set(OptionScope::kMachine, kMachine, code, long_value, {.always = code == 230});
  }
  Discover({});
  EXPECT_TRUE(Has(1));
  EXPECT_TRUE(Has(3));
  EXPECT_TRUE(Has(230));  // always: ahead of the others, which do not all fit
  EXPECT_FALSE(Has(233));
}

TEST_F(OptionSetTest, BootDecisionGoesBeforeOptions) {
  Set(OptionScope::kGlobal, 0, 67, "mine");
  Set(OptionScope::kGlobal, 0, 175, std::string("\xBC\x01\x05", 3));
  Discover({67}, "PXEClient:Arch:00000:UNDI:002001");
  EXPECT_NE(values_[67].find("undionly.kpxe"), std::string::npos);
  Discover({67}, "printer");
  EXPECT_EQ(values_[67], "mine");
  dhcp_.emplace(lab_.Finish());
  ASSERT_EQ(dhcp_->Handle(Request(MessageType::kDiscover, kMac)
                              .Text(Option::kUserClass, "iPXE")
                              .Bytes(Option::kIpxe, {19, 1, 1, 24, 1, 1})
                              .Build()),
            Reason::kOffered);
  Read();
  EXPECT_EQ(values_[175], std::string("\xB0\x01\x01\xBC\x01\x05", 6));
}

TEST_F(OptionSetTest, InformedClientsGetTheOptionsOfTheirRange) {
  Set(OptionScope::kRange, test::kRange, 17, "/pool");
  dhcp_.emplace(lab_.Finish());
  ASSERT_EQ(dhcp_->Handle(Request(MessageType::kInform, kMac).Ciaddr(V4("10.77.0.150")).Build()),
            Reason::kInformed);
  Read();
  EXPECT_EQ(values_[17], "/pool");
  ASSERT_EQ(dhcp_->Handle(Request(MessageType::kInform, kMac).Ciaddr(V4("10.77.0.20")).Build()),
            Reason::kInformed);
  Read();
  EXPECT_FALSE(Has(17));
}

TEST_F(OptionSetTest, ChangesAreInTheNextReply) {
  Set(OptionScope::kGlobal, 0, 17, "before");
  Discover({17});
  EXPECT_EQ(values_[17], "before");
  next_id_ = 1;
  Set(OptionScope::kGlobal, 0, 17, "after");
  const config::SnapshotRef next = lab_.Finish();
  dhcp_->Use(next);
  ASSERT_EQ(dhcp_->Handle(Request(MessageType::kDiscover, kMac).Build()), Reason::kOffered);
  Read();
  EXPECT_EQ(values_[17], "after");
  lab_.Remove(config::Table::kDhcpOption, 1);
  dhcp_->Use(lab_.Finish());
  ASSERT_EQ(dhcp_->Handle(Request(MessageType::kDiscover, kMac).Build()), Reason::kOffered);
  Read();
  EXPECT_FALSE(Has(17));
}

TEST_F(OptionSetTest, BeyondTheBoundsOptionsAreLeftOut) {
  for (std::uint16_t code = 62; code < 62 + kEffectiveOptionsMax + 5; ++code) {
    Set(OptionScope::kGlobal, 0, code, "x");
  }
  const config::SnapshotRef snapshot = lab_.Finish();
  OptionSet set;
  set.Collect(*snapshot, {}, {});
  EXPECT_EQ(set.options().size(), kEffectiveOptionsMax);
  EXPECT_EQ(set.left_out(), 5U);
  EXPECT_NE(set.Find(62), nullptr);
  set.Collect(*lab_.Finish(), {}, {.family = Family::kV6});
  EXPECT_EQ(set.options().size(), 0U);
  EXPECT_EQ(set.Find(62), nullptr);
}

}  // namespace
}  // namespace slipway::dhcp
