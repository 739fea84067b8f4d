#include "controlplane/api/routes.h"

#include <gtest/gtest.h>

namespace slipway::api {
namespace {

TEST(RoutesTest, FindsKindAndId) {
  const auto found = FindRoute(Method::kPatch, "/v1/subnets/sub-01234567");
  ASSERT_NE(found.match.route, nullptr);
  EXPECT_EQ(found.match.kind, model::Kind::kSubnet);
  EXPECT_EQ(found.match.id, "sub-01234567");
}

TEST(RoutesTest, FixedWordsWinOverIds) {
  const auto found = FindRoute(Method::kPost, "/v1/images/import");
  ASSERT_NE(found.match.route, nullptr);
  EXPECT_EQ(found.match.route->pattern, "/v1/images/import");
}

TEST(RoutesTest, SaysWhichMethodsThereAre) {
  const auto found = FindRoute(Method::kPut, "/v1/fabrics/lab");
  EXPECT_EQ(found.match.route, nullptr);
  EXPECT_EQ(found.allowed, "GET, HEAD, PATCH, DELETE");
  EXPECT_TRUE(FindRoute(Method::kGet, "/nothing").allowed.empty());
}

TEST(RoutesTest, RacksAreNotCreated) {
  const auto found = FindRoute(Method::kPost, "/v1/racks");
  EXPECT_EQ(found.match.route, nullptr);
  EXPECT_EQ(found.allowed, "GET, HEAD");
}

TEST(RoutesTest, OnlyPluralsAreCollections) {
  EXPECT_EQ(FindRoute(Method::kGet, "/v1/fabric").match.route, nullptr);
  EXPECT_EQ(FindRoute(Method::kGet, "/v1/fabrics/").match.route, nullptr);
  EXPECT_EQ(FindRoute(Method::kGet, "/v1//fabrics").match.route, nullptr);
}

TEST(RoutesTest, DecodesIdsOnceAndNeverIntoSegments) {
  const auto found = FindRoute(Method::kGet, "/v1/fabrics/a%2Fb%2541");
  ASSERT_NE(found.match.route, nullptr);
  EXPECT_EQ(found.match.id, "a/b%41");
  EXPECT_EQ(FindRoute(Method::kGet, "/v1/fabrics/%00").match.route, nullptr);
  EXPECT_EQ(FindRoute(Method::kGet, "/v1/fabrics/%zz").match.route, nullptr);
}

TEST(RoutesTest, OnlyTheNamedRoutesAreOpen) {
  std::string open;
  for (const Route& route : Routes()) {
    if (route.scope == Scope::kOpen) {
      open += std::string(route.pattern) + " ";
      EXPECT_EQ(route.method, Method::kGet);
      EXPECT_EQ(route.body_bytes_max, 0U);
    }
  }
  EXPECT_EQ(open, "/livez /readyz /version /metrics /v1/openapi.json ");
}

TEST(QueryTest, ParsesAndRefuses) {
  const auto query = Query::Parse("a=1&b=x%20y+z&verbose");
  ASSERT_TRUE(query.has_value());
  EXPECT_EQ(query->Get("b").value_or(""), "x y z");
  EXPECT_TRUE(query->Flag("verbose"));
  EXPECT_FALSE(query->Flag("c"));
  EXPECT_EQ(Query::Parse("a=1&a=2").error().code, ErrorCode::kExists);
  EXPECT_EQ(Query::Parse("a=%0").error().code, ErrorCode::kMalformed);
  EXPECT_EQ(Query::Parse("a=%0a").error().code, ErrorCode::kMalformed);
}

}  // namespace
}  // namespace slipway::api
