#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "controlplane/model/kinds.h"
#include "controlplane/model/pair_watch.h"
#include "tests/support/api_lab.h"

namespace slipway::api {
namespace {

namespace json = boost::json;
using model::Kind;

class SetRacks final : public RackControl {
 public:
  [[nodiscard]] RackLinkStatus StatusOf(std::uint64_t rack) override {
    RackLinkStatus status;
    status.connected = !away.contains(rack);
    status.is_current = !old.contains(rack);
    return status;
  }

  void MintToken(Duration /*life*/, TokenDone /*done*/) override {}

  void Ask(std::uint64_t /*rack*/, std::string /*topic*/, std::string /*argument*/,
           AskDone done) override {
    done(Fail(ErrorCode::kTimeout));
  }

  std::map<std::uint64_t, bool> away;
  std::map<std::uint64_t, bool> old;  // behind the newest generation
};

class SetPairs final : public PairBoard {
 public:
  [[nodiscard]] PairStatus StatusOf(std::uint64_t /*pair*/) override { return status; }

  PairStatus status;
};

class RackPairsTest : public ::testing::Test {
 protected:
  RackPairsTest() {
    lab_.api.parts().racks = &racks_;
    lab_.api.parts().pairs = &pairs_;
    pairs_.status.normal = true;
    for (const char* name : {"r1", "r2"}) {
      Mutate([&](model::Plan& plan) -> model::Outcome {
        model::Rack rack;
        rack.name = name;
        rack.public_key = std::string(38, 'k') + name;
        ids_[name] = *plan.Create(model::Entity(rack));
        return {};
      });
    }
    const Response made = lab_.Call(Method::kPost, "/v1/rack-pairs",
                                    R"({"name":"p","rack_a":"r1","rack_b":"r2",
                                        "address_a":"10.9.0.1","address_b":"10.9.0.2"})");
    EXPECT_EQ(made.status, 201) << made.body;
    id_ = *model::ParseId(Kind::kRackPair, TextOf(JsonOf(made), "id"));
    Mutate([&](model::Plan& plan) { return model::MarkMet(plan, id_); });
  }

  void Mutate(model::LiveModel::Planner planner) {
    lab_.model.Mutate(std::move(planner),
                      [](const auto& result) { ASSERT_TRUE(result.has_value()); });
  }

  Response Down(std::string_view body, std::string_view query = "") {
    return lab_.Call(Method::kPost, "/v1/rack-pairs/p/partner-down" + std::string(query),
                     std::string(body));
  }

  ApiLab lab_;
  SetRacks racks_;
  SetPairs pairs_;
  std::map<std::string, model::EntityId> ids_;
  model::EntityId id_;
};

TEST_F(RackPairsTest, ShowsWhatBothRacksSay) {
  pairs_.status.sides[0] = {.connected = true,
                            .heard = true,
                            .heard_before = Duration::Seconds(4),
                            .said = {{"pair", 7}, {"state", "normal"}, {"leases_untold", 0}}};
  for (const std::string path : {"/v1/rack-pairs/p", "/v1/rack-pairs"}) {
    json::object body = JsonOf(lab_.Call(Method::kGet, path));
    const json::object pair =
        body.contains("items") ? body.at("items").as_array()[0].as_object() : body;
    const json::object a = pair.at("status").as_object().at("a").as_object();
    EXPECT_EQ(TextOf(a, "state"), "normal");
    EXPECT_EQ(a.at("heard_seconds_ago").as_int64(), 4);
    EXPECT_FALSE(a.contains("pair"));
    EXPECT_EQ(TextOf(pair.at("status").as_object().at("b").as_object(), "state"), "unknown");
  }
}

TEST_F(RackPairsTest, ARackIsDeclaredDownWithAReason) {
  pairs_.status.normal = false;
  const Response response = Down(R"({"down":"r2","reason":"burnt"})");
  ASSERT_EQ(response.status, 200) << response.body;
  const json::object pair = JsonOf(response);
  EXPECT_EQ(TextOf(pair, "down"), model::FormatId(Kind::kRack, ids_["r2"]));
  EXPECT_EQ(TextOf(pair, "down_reason"), "burnt");
  EXPECT_GT(pair.at("term").to_number<std::uint64_t>(), 0U);
}

TEST_F(RackPairsTest, TheWordIsRefusedWithoutCauseOrWithMistakes) {
  EXPECT_EQ(Down(R"({"down":"r2","reason":"burnt"})").status, 409) << "both are in state normal";
  pairs_.status.normal = false;
  EXPECT_EQ(Down(R"({"down":"r2"})").status, 422);
  EXPECT_EQ(Down(R"({"down":"r9","reason":"burnt"})").status, 422);
  EXPECT_EQ(Down(R"({"reason":"burnt"})").status, 422);
  EXPECT_EQ(Down(R"({"down":"r2","reason":"burnt","force":true})").status, 400);
  EXPECT_EQ(lab_.Call(Method::kPost, "/v1/rack-pairs/none/partner-down",
                      R"({"down":"r2","reason":"burnt"})")
                .status,
            404);
  ASSERT_EQ(Down(R"({"down":"r2","reason":"burnt"})", "?dry_run=1").status, 200);
  EXPECT_TRUE(JsonOf(lab_.Call(Method::kGet, "/v1/rack-pairs/p")).at("down").is_null());
}

TEST_F(RackPairsTest, APairEndsWhenBothKnowItAndEachOther) {
  racks_.old[ids_["r2"].value] = true;
  EXPECT_EQ(lab_.Call(Method::kDelete, "/v1/rack-pairs/p").status, 409);
  racks_.old.clear();
  racks_.away[ids_["r1"].value] = true;
  EXPECT_EQ(lab_.Call(Method::kDelete, "/v1/rack-pairs/p").status, 409);
  racks_.away.clear();
  pairs_.status.normal = false;
  const Response refused = lab_.Call(Method::kDelete, "/v1/rack-pairs/p");
  EXPECT_EQ(refused.status, 409);
  EXPECT_NE(refused.body.find("state normal"), std::string::npos) << refused.body;
  pairs_.status.normal = true;
  EXPECT_EQ(lab_.Call(Method::kDelete, "/v1/rack-pairs/p").status, 204);
}

TEST_F(RackPairsTest, ABulkIsNoWayAround) {
  racks_.old[ids_["r2"].value] = true;
  const std::string bulk = R"([{"verb":"delete","kind":"rack-pairs","id":"p"}])";
  EXPECT_EQ(lab_.Call(Method::kPost, "/v1/bulk", bulk).status, 409);
  racks_.old.clear();
  EXPECT_EQ(lab_.Call(Method::kPost, "/v1/bulk", bulk).status, 200);
}

TEST_F(RackPairsTest, ADeadRackIsLeftBehindAfterMclt) {
  pairs_.status.normal = false;
  ASSERT_EQ(Down(R"({"down":"r2","reason":"burnt"})").status, 200);
  racks_.away[ids_["r2"].value] = true;
  pairs_.status.order_age = Duration::Seconds(3600);
  EXPECT_EQ(lab_.Call(Method::kDelete, "/v1/rack-pairs/p").status, 409);
  pairs_.status.order_age = Duration::Seconds(3630);
  EXPECT_EQ(lab_.Call(Method::kDelete, "/v1/rack-pairs/p").status, 204);
}

}  // namespace
}  // namespace slipway::api
