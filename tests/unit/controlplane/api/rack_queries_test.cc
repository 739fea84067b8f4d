#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "controlplane/model/enrol.h"
#include "tests/support/api_lab.h"
#include "tests/support/boot_lab.h"

namespace slipway::api {
namespace {

namespace json = boost::json;

// Racks that say what the test put into `answers`, by topic.
class SpeakingRacks final : public RackControl {
 public:
  [[nodiscard]] RackLinkStatus StatusOf(std::uint64_t rack) override {
    RackLinkStatus status;
    status.connected = connected.contains(rack) && connected.at(rack);
    status.interfaces.push_back(
        {.name = "eth1", .mac = "", .up = true, .addresses = {"10.77.0.1/24", "fe80::1/64"}});
    return status;
  }

  void MintToken(Duration /*life*/, TokenDone /*done*/) override {}

  void Ask(std::uint64_t rack, std::string topic, std::string argument, AskDone done) override {
    asked.push_back(topic + " " + std::to_string(rack) + " " + argument);
    if (const auto found = answers.find(topic); found != answers.end()) {
      done(found->second);
    } else {
      done(Fail(ErrorCode::kTimeout));
    }
  }

  std::map<std::uint64_t, bool> connected;
  std::map<std::string, Result<RackAnswer>> answers;
  std::vector<std::string> asked;
};

class RackQueriesTest : public ::testing::Test {
 protected:
  RackQueriesTest() { lab_.api.parts().racks = &racks_; }

  std::uint64_t MakeRack(std::uint64_t number, bool connected = true) {
    std::uint64_t made = 0;
    lab_.model.Mutate(
        [&](model::Plan& plan) {
          return model::AddToken(plan,
                                 {.id = number,
                                  .public_key = std::string(39, 't') + std::to_string(number),
                                  .expires_ns = 1'000,
                                  .rack = {},
                                  .modified = 0},
                                 WallTime{1});
        },
        [](const auto& result) { EXPECT_TRUE(result.has_value()); });
    lab_.model.Mutate(
        [&](model::Plan& plan) -> model::Outcome {
          const auto id =
              model::EnrolRack(plan, number, "rack" + std::to_string(number),
                               std::string(39, 'r') + std::to_string(number), WallTime{2});
          if (!id) {
            return std::unexpected(id.error());
          }
          made = id->value;
          return {};
        },
        [](const auto& result) { EXPECT_TRUE(result.has_value()); });
    racks_.connected[made] = connected;
    return made;
  }

  ApiLab lab_;
  SpeakingRacks racks_;
};

TEST_F(RackQueriesTest, TellsWhenNoRackOrSeveralAreConnected) {
  EXPECT_EQ(lab_.Call(Method::kGet, "/v1/leases/10.0.0.1").status, 503);
  EXPECT_EQ(lab_.Call(Method::kGet, "/v1/pools").status, 503);
  MakeRack(1);
  MakeRack(2);
  EXPECT_EQ(lab_.Call(Method::kGet, "/v1/leases/10.0.0.1").status, 422);
  EXPECT_EQ(lab_.Call(Method::kGet, "/v1/leases/10.0.0.1?rack=none").status, 404);
  EXPECT_EQ(lab_.Call(Method::kGet, "/v1/leases/10.0.0.1?rack=rack2").status, 504);
  EXPECT_EQ(lab_.Call(Method::kGet, "/v1/leases/nonsense?rack=rack2").status, 404);
  EXPECT_EQ(racks_.asked.size(), 1U);
}

TEST_F(RackQueriesTest, ShowsALeaseWithIdsAndTimes) {
  MakeRack(1);
  racks_.answers["lease.show"] = RackAnswer{
      .ok = true,
      .json = R"({"address":"10.0.0.1","subnet":5,"machine":0,"expires_ns":1700000000000000000})"};
  const Response response = lab_.Call(Method::kGet, "/v1/leases/10.0.0.1");
  ASSERT_EQ(response.status, 200) << response.body;
  const json::object body = JsonOf(response);
  EXPECT_EQ(TextOf(body, "subnet"), model::FormatId(model::Kind::kSubnet, {5}));
  EXPECT_TRUE(body.at("machine").is_null());
  EXPECT_EQ(TextOf(body, "expires").substr(0, 10), "2023-11-14");
  EXPECT_FALSE(body.contains("expires_ns"));
  EXPECT_FALSE(TextOf(body, "rack").empty());
}

TEST_F(RackQueriesTest, PassesARefusalOn) {
  MakeRack(1);
  racks_.answers["lease.show"] =
      RackAnswer{.ok = false, .json = R"({"error":"no lease","code":"not found"})"};
  EXPECT_EQ(lab_.Call(Method::kGet, "/v1/leases/10.0.0.1").status, 404);
  racks_.answers["lease.show"] = RackAnswer{.ok = false, .json = "not JSON"};
  EXPECT_EQ(lab_.Call(Method::kGet, "/v1/leases/10.0.0.1").status, 503);
}

TEST_F(RackQueriesTest, AReleaseLeavesAnEvent) {
  MakeRack(1);
  racks_.answers["lease.release"] = RackAnswer{
      .ok = true, .json = R"({"address":"10.0.0.1","mac":"52:54:00:00:00:01","state":"released"})"};
  ASSERT_EQ(lab_.Call(Method::kPost, "/v1/leases/10.0.0.1/release", "{}").status, 200);
  const auto events = lab_.facts->Events(0, 10);
  ASSERT_TRUE(events.has_value());
  ASSERT_EQ(events->rows.size(), 1U);
  EXPECT_EQ(events->rows[0].code, "lease-released");
  EXPECT_EQ(events->rows[0].subject, "10.0.0.1");
  EXPECT_NE(events->rows[0].detail.find("by=admin"), std::string::npos);
  racks_.answers["lease.show"] = racks_.answers["lease.release"];
  ASSERT_EQ(lab_.Call(Method::kPost, "/v1/leases/10.0.0.1/release?dry_run=1", "{}").status, 200);
  EXPECT_EQ(lab_.facts->Events(0, 10)->rows.size(), 1U);
  EXPECT_EQ(racks_.asked.back().substr(0, 10), "lease.show");
}

TEST_F(RackQueriesTest, GathersThePoolsOfAllRacks) {
  MakeRack(1);
  MakeRack(2);
  racks_.answers["pool.usage"] =
      RackAnswer{.ok = true, .json = R"({"items":[{"subnet":5,"size":10,"percent":50.0}]})"};
  const json::object body = JsonOf(lab_.Call(Method::kGet, "/v1/pools"));
  EXPECT_EQ(body.at("items").as_array().size(), 2U);
  EXPECT_TRUE(body.at("silent_racks").as_array().empty());
  racks_.answers.clear();
  const json::object silent = JsonOf(lab_.Call(Method::kGet, "/v1/pools"));
  EXPECT_EQ(silent.at("silent_racks").as_array().size(), 2U);
  EXPECT_EQ(lab_.Call(Method::kGet, "/v1/pools?subnet=none").status, 404);
}

TEST_F(RackQueriesTest, ReadsTheQuestionBeforeItIsAsked) {
  MakeRack(1);
  EXPECT_EQ(lab_.Call(Method::kGet, "/v1/dhcp/explain").status, 422);
  for (const std::string bad :
       {"mac=1", "mac=52:54:00:00:00:01&arch=pdp-11", "mac=52:54:00:00:00:01&requested=x",
        "mac=52:54:00:00:00:01&type=nak", "duid=00010203",
        "mac=52:54:00:00:00:01&relay=2001:db8::1", "mac=52:54:00:00:00:01&client_id=0",
        "mac=52:54:00:00:00:01&link_selection=10.0.0.0", "mac=52:54:00:00:00:01&vlan=none"}) {
    EXPECT_EQ(lab_.Call(Method::kGet, "/v1/dhcp/explain?" + bad).status, 422) << bad;
  }
  EXPECT_TRUE(racks_.asked.empty());
  racks_.answers["dhcp.explain"] =
      RackAnswer{.ok = true, .json = R"({"reason":"offered","rules":[{"rule":"x","vlan":7}]})"};
  const json::object body = JsonOf(
      lab_.Call(Method::kGet, "/v1/dhcp/explain?mac=52:54:00:00:00:01&arch=x64-uefi&last=1"));
  EXPECT_TRUE(body.at("leases").as_bool());
  EXPECT_EQ(TextOf(body.at("rules").as_array()[0].as_object(), "vlan"),
            model::FormatId(model::Kind::kVlan, {7}));
}

TEST_F(RackQueriesTest, TheRegionAnswersForDhcpv6Too) {
  MakeRack(1, false);
  test::BootLab records;
  config::ServedInterfaceRecord served;
  served.id = 1;
  served.name = FixedString<limits::kInterfaceNameBytesMax>("eth1");
  served.vlan = test::kVlan;
  const config::SnapshotRef snapshot =
      records.AddNetwork().AddNetwork6().AddImages().Put(served).Finish();
  lab_.api.parts().snapshot_of = [snapshot](std::uint64_t) { return snapshot; };
  const std::string path = "/v1/dhcp/explain?family=v6&";
  const json::object body =
      JsonOf(lab_.Call(Method::kGet, path + "mac=52:54:00:00:00:01&arch=x64-uefi"));
  EXPECT_EQ(TextOf(body, "family"), "v6");
  EXPECT_EQ(TextOf(body, "answer"), "advertise");
  EXPECT_EQ(TextOf(body, "address").substr(0, 15), "2001:db8:77::1:");
  const json::object& packet = body.at("packet").as_object();
  EXPECT_EQ(TextOf(packet, "mac"), "52:54:00:00:00:01");
  EXPECT_EQ(TextOf(packet, "type"), "solicit");
  const json::object by_duid =
      JsonOf(lab_.Call(Method::kGet, path + "duid=0002ab110102&type=information-request"));
  EXPECT_EQ(TextOf(by_duid, "reason"), "informed");
  EXPECT_EQ(TextOf(by_duid.at("packet").as_object(), "duid"), "0002ab110102");
  for (const std::string bad :
       {"arch=7", "mac=52:54:00:00:00:01&type=discover", "mac=52:54:00:00:00:01&relay=10.0.0.1",
        "mac=52:54:00:00:00:01&server=2001:db8::1", "duid=0", "duid=0102"}) {
    EXPECT_EQ(lab_.Call(Method::kGet, path + bad).status, 422) << bad;
  }
}

TEST_F(RackQueriesTest, TheRegionAnswersForARackThatIsAway) {
  MakeRack(1, false);
  test::BootLab records;
  config::ServedInterfaceRecord served;
  served.id = 1;
  served.name = FixedString<limits::kInterfaceNameBytesMax>("eth1");
  served.vlan = test::kVlan;
  const config::SnapshotRef snapshot = records.AddNetwork().AddImages().Put(served).Finish();
  lab_.api.parts().snapshot_of = [snapshot](std::uint64_t) { return snapshot; };
  const std::string path = "/v1/dhcp/explain?mac=52:54:00:00:00:01&arch=x64-uefi";
  const Response response = lab_.Call(Method::kGet, path);
  ASSERT_EQ(response.status, 200) << response.body;
  const json::object body = JsonOf(response);
  EXPECT_FALSE(body.at("leases").as_bool());
  EXPECT_EQ(TextOf(body, "answer"), "offer");
  EXPECT_EQ(TextOf(body, "server"), "10.77.0.1");
  EXPECT_EQ(TextOf(body, "address").substr(0, 8), "10.77.0.");
  EXPECT_EQ(TextOf(body.at("boot").as_object(), "file"), "loaders/snponly.efi");
  EXPECT_TRUE(racks_.asked.empty());
  // What only the rack remembers is not made up.
  EXPECT_EQ(lab_.Call(Method::kGet, path + "&last=1").status, 503);
  EXPECT_EQ(lab_.Call(Method::kGet, path + "&interface=eth9").status, 422);
}

}  // namespace
}  // namespace slipway::api
