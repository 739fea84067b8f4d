#include "controlplane/api/api.h"

#include <boost/json/array.hpp>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

#include "controlplane/api/openapi.h"
#include "controlplane/api/routes.h"
#include "tests/support/api_lab.h"

namespace slipway::api {
namespace {

namespace json = boost::json;

class ApiTest : public ::testing::Test {
 protected:
  // A fabric, a VLAN and a subnet by name.
  void MakeNetwork() {
    ASSERT_EQ(lab_.Call(Method::kPost, "/v1/fabrics", R"({"name":"lab"})").status, 201);
    ASSERT_EQ(lab_.Call(Method::kPost, "/v1/vlans", R"({"name":"v1","fabric":"lab"})").status, 201);
    ASSERT_EQ(
        lab_.Call(Method::kPost, "/v1/subnets", R"({"name":"s1","vlan":"v1","cidr":"10.0.0.0/16"})")
            .status,
        201);
  }

  ApiLab lab_;
};

TEST_F(ApiTest, AnonymousReachesOnlyTheNamedRoutes) {
  const std::vector<Header> nobody = {{.name = "authorization", .value = "Basic eDp5"}};
  for (const Route& route : Routes()) {
    std::string path(route.pattern);
    for (const auto& [from, to] : {std::pair{"{kind}", "fabrics"}, std::pair{"{id}", "x"}}) {
      if (const std::size_t at = path.find(from); at != std::string::npos) {
        path.replace(at, std::string(from).size(), to);
      }
    }
    const Response response = lab_.Call(route.method, path, {}, nobody);
    if (route.scope == Scope::kOpen) {
      EXPECT_EQ(response.status, 200) << path;
    } else {
      EXPECT_EQ(response.status, 401) << path;
      EXPECT_FALSE(response.header("www-authenticate").empty());
    }
  }
  EXPECT_EQ(lab_.Call(Method::kGet, "/nothing", {}, nobody).status, 401);
  EXPECT_EQ(lab_.Call(Method::kPut, "/v1/fabrics", {}, nobody).status, 401);
}

TEST_F(ApiTest, WrongTokensOfAnyLengthAreRefused) {
  const std::string token(ApiLab::kToken);
  for (const std::string& wrong : {std::string("x"), token + "x", token.substr(0, 31),
                                   std::string(32, 'x'), std::string(" ")}) {
    EXPECT_EQ(lab_.Call(Method::kGet, "/v1/fabrics", {},
                        {{.name = "authorization", .value = "Bearer " + wrong}})
                  .status,
              401);
  }
  EXPECT_EQ(lab_.Call(Method::kGet, "/v1/fabrics", {},
                      {{.name = "authorization", .value = "bearer " + token}})
                .status,
            200);
}

TEST_F(ApiTest, CreatesReadsChangesDeletes) {
  const Response created = lab_.Call(Method::kPost, "/v1/fabrics", R"({"name":"lab"})");
  ASSERT_EQ(created.status, 201) << created.body;
  const std::string id = TextOf(JsonOf(created), "id");
  EXPECT_EQ(created.header("location"), "/v1/fabrics/" + id);
  const Response read = lab_.Call(Method::kGet, "/v1/fabrics/lab");
  EXPECT_EQ(read.status, 200);
  EXPECT_EQ(read.header("etag"), created.header("etag"));
  EXPECT_EQ(lab_.Call(Method::kGet, "/v1/fabrics/lab", {},
                      {{.name = "if-none-match", .value = std::string(read.header("etag"))}})
                .status,
            304);
  const Response changed =
      lab_.Call(Method::kPatch, "/v1/fabrics/" + id, R"({"description":"x"})",
                {{.name = "if-match", .value = std::string(read.header("etag"))}});
  ASSERT_EQ(changed.status, 200) << changed.body;
  EXPECT_EQ(TextOf(JsonOf(changed), "description"), "x");
  EXPECT_NE(changed.header("etag"), read.header("etag"));
  const Response stale =
      lab_.Call(Method::kPatch, "/v1/fabrics/" + id, R"({"description":"y"})",
                {{.name = "if-match", .value = std::string(read.header("etag"))}});
  EXPECT_EQ(stale.status, 412);
  EXPECT_EQ(TextOf(JsonOf(stale), "type"), "urn:slipway:problem:changed-meanwhile");
  EXPECT_EQ(lab_.Call(Method::kDelete, "/v1/fabrics/" + id).status, 204);
  EXPECT_EQ(lab_.Call(Method::kGet, "/v1/fabrics/" + id).status, 404);
  EXPECT_EQ(lab_.Call(Method::kDelete, "/v1/fabrics/" + id).status, 404);
}

TEST_F(ApiTest, BadEtagsAreRefused) {
  ASSERT_EQ(lab_.Call(Method::kPost, "/v1/fabrics", R"({"name":"lab"})").status, 201);
  for (const char* etag : {"1", "\"x\"", "W/\"1\"", "\"1\", \"2\"", "\"0\""}) {
    EXPECT_EQ(
        lab_.Call(Method::kPatch, "/v1/fabrics/lab", "{}", {{.name = "if-match", .value = etag}})
            .status,
        400)
        << etag;
  }
}

TEST_F(ApiTest, UnknownFieldsNameTheNearest) {
  const Response response = lab_.Call(Method::kPost, "/v1/fabrics", R"({"descripton":"x"})");
  EXPECT_EQ(response.status, 400);
  EXPECT_NE(response.body.find("did you mean 'description'?"), std::string::npos) << response.body;
}

TEST_F(ApiTest, ProblemsNameTheFieldTheReasonAndTheCure) {
  MakeNetwork();
  const Response response = lab_.Call(Method::kPost, "/v1/ranges",
                                      R"({"subnet":"s1","first":"10.1.0.1","last":"10.1.0.9"})");
  ASSERT_EQ(response.status, 422) << response.body;
  EXPECT_EQ(response.content_type, "application/problem+json");
  const json::object problem = JsonOf(response);
  const json::object& error = problem.at("errors").as_array().front().as_object();
  EXPECT_FALSE(TextOf(error, "field").empty());
  EXPECT_FALSE(TextOf(error, "problem").empty());
  EXPECT_FALSE(TextOf(error, "cure").empty());
}

TEST_F(ApiTest, BadJsonIsRefusedWithItsPlace) {
  for (const char* body : {"{", "[1,", "{\"a\":1}{", "nul", "{\"a\":}", "\"x\"", "\xff"}) {
    const Response response = lab_.Call(Method::kPost, "/v1/fabrics", body);
    EXPECT_EQ(response.status, 400) << body;
    EXPECT_EQ(TextOf(JsonOf(response), "type"), "urn:slipway:problem:bad-json");
  }
  EXPECT_EQ(
      lab_.Call(Method::kPost, "/v1/fabrics", std::string(40, '[') + std::string(40, ']')).status,
      400);
  EXPECT_EQ(lab_.Call(Method::kPost, "/v1/fabrics", "{}",
                      {{.name = "content-type", .value = "text/plain"}})
                .status,
            415);
}

TEST_F(ApiTest, ABulkIsAllOrNothing) {
  const Response bad =
      lab_.Call(Method::kPost, "/v1/fabrics", R"([{"name":"a"},{"name":"b"},{"name":"a"}])");
  EXPECT_EQ(bad.status, 409) << bad.body;
  EXPECT_EQ(JsonOf(bad).at("item").to_number<int>(), 2);
  EXPECT_EQ(JsonOf(lab_.Call(Method::kGet, "/v1/fabrics")).at("items").as_array().size(), 0U);
  const Response good = lab_.Call(Method::kPost, "/v1/fabrics", R"([{"name":"a"},{"name":"b"}])");
  EXPECT_EQ(good.status, 200) << good.body;
  EXPECT_EQ(JsonOf(good).at("items").as_array().size(), 2U);
  const json::object list = JsonOf(lab_.Call(Method::kGet, "/v1/fabrics"));
  EXPECT_EQ(list.at("items").as_array().size(), 2U);
  EXPECT_EQ(list.at("revision").to_number<int>(), 1);
}

TEST_F(ApiTest, OperationsOfABulkSeeThoseBefore) {
  const Response response = lab_.Call(Method::kPost, "/v1/bulk", R"([
    {"verb":"create","kind":"machine","body":{"hostname":"m1"}},
    {"verb":"create","kind":"interface","body":{"machine":"m1","mac":"52:54:00:00:00:01"}},
    {"verb":"patch","kind":"machine","id":"m1","body":{"boot_target":"launcher"}}])");
  ASSERT_EQ(response.status, 200) << response.body;
  const json::object machine = JsonOf(lab_.Call(Method::kGet, "/v1/machines/m1"));
  EXPECT_EQ(TextOf(machine, "boot_target"), "launcher");
  const Response found = lab_.Call(Method::kGet, "/v1/machines?mac=52-54-00-00-00-01");
  EXPECT_EQ(JsonOf(found).at("items").as_array().size(), 1U) << found.body;
  EXPECT_EQ(lab_.Call(Method::kPost, "/v1/bulk", R"([{"verb":"create","kind":"rack"}])").status,
            400);
  EXPECT_EQ(
      lab_.Call(Method::kPost, "/v1/bulk", R"([{"verb":"delete","kind":"machine","id":"no"}])")
          .status,
      404);
}

TEST_F(ApiTest, DryRunChangesNothing) {
  const Response response =
      lab_.Call(Method::kPost, "/v1/fabrics?dry_run=1", R"([{"name":"a"},{"name":"b"}])");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(JsonOf(response).at("objects").to_number<int>(), 2);
  EXPECT_EQ(lab_.store.revision(), 0U);
  EXPECT_EQ(
      lab_.Call(Method::kPost, "/v1/fabrics?dry_run=1", R"([{"name":"a"},{"name":"a"}])").status,
      409);
}

TEST_F(ApiTest, CursorsWalkAllPagesOnce) {
  std::string bulk = "[";
  for (int i = 0; i < 25; ++i) {
    bulk += (i == 0 ? "" : ",") + std::string("{\"name\":\"f") + std::to_string(i) + "\"}";
  }
  ASSERT_EQ(lab_.Call(Method::kPost, "/v1/fabrics", bulk + "]").status, 200);
  std::vector<std::string> seen;
  std::string cursor;
  int pages = 0;
  do {
    const json::object page =
        JsonOf(lab_.Call(Method::kGet, "/v1/fabrics?limit=10&cursor=" + cursor));
    for (const json::value& item : page.at("items").as_array()) {
      seen.push_back(TextOf(item.as_object(), "id"));
    }
    cursor = TextOf(page, "next");
    ++pages;
  } while (!cursor.empty() && pages < 10);
  EXPECT_EQ(pages, 3);
  EXPECT_EQ(seen.size(), 25U);
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
  for (const char* bad :
       {"limit=0", "limit=1001", "limit=x", "cursor=fab-1", "cursor=vlan-00000001"}) {
    EXPECT_EQ(lab_.Call(Method::kGet, std::string("/v1/fabrics?") + bad).status, 400) << bad;
  }
}

TEST_F(ApiTest, ListsAreFilteredByFields) {
  MakeNetwork();
  ASSERT_EQ(lab_.Call(Method::kPost, "/v1/vlans", R"({"name":"v2","fabric":"lab","vid":7})").status,
            201);
  const auto count = [this](const std::string& target) {
    return JsonOf(lab_.Call(Method::kGet, target)).at("items").as_array().size();
  };
  EXPECT_EQ(count("/v1/vlans?vid=7"), 1U);
  EXPECT_EQ(count("/v1/vlans?fabric=lab"), 2U);
  EXPECT_EQ(count("/v1/vlans?fabric=lab&name=v2"), 1U);
  EXPECT_EQ(count("/v1/subnets?cidr=10.0.0.0/16"), 1U);
  EXPECT_EQ(count("/v1/vlans?unknown_policy=enlist"), 0U);
  EXPECT_EQ(lab_.Call(Method::kGet, "/v1/vlans?fabric=nope").status, 400);
  const Response unknown = lab_.Call(Method::kGet, "/v1/vlans?fabrik=lab");
  EXPECT_EQ(unknown.status, 400);
  EXPECT_NE(unknown.body.find("did you mean 'fabric'?"), std::string::npos) << unknown.body;
}

TEST_F(ApiTest, AnIdempotencyKeyAnswersTheSameAgain) {
  const std::vector<Header> key = {{.name = "idempotency-key", .value = "k1"}};
  const Response first = lab_.Call(Method::kPost, "/v1/fabrics", R"({"name":"lab"})", key);
  ASSERT_EQ(first.status, 201);
  const Response again = lab_.Call(Method::kPost, "/v1/fabrics", R"({"name":"lab"})", key);
  EXPECT_EQ(again.status, 201);
  EXPECT_EQ(again.body, first.body);
  EXPECT_EQ(again.header("idempotent-replayed"), "true");
  EXPECT_EQ(lab_.Call(Method::kPost, "/v1/fabrics", R"({"name":"other"})", key).status, 409);
  EXPECT_EQ(lab_.store.revision(), 1U);
}

TEST_F(ApiTest, AFullDiskIsAProblemAndNotReadyUntilItHasRoom) {
  lab_.store.FailCommits({.code = ErrorCode::kNoSpace, .detail = 28});
  const Response response = lab_.Call(Method::kPost, "/v1/fabrics", R"({"name":"lab"})");
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(TextOf(JsonOf(response), "type"), "urn:slipway:problem:disk-full");
  EXPECT_EQ(lab_.Call(Method::kGet, "/readyz").status, 503);
  EXPECT_EQ(lab_.Call(Method::kGet, "/livez").status, 200);
  EXPECT_EQ(lab_.Call(Method::kGet, "/v1/fabrics").status, 200);
  lab_.store.FailCommits({});
  lab_.clock.now = lab_.clock.now + Duration::Seconds(5);
  EXPECT_EQ(lab_.Call(Method::kGet, "/readyz").status, 200);
}

TEST_F(ApiTest, MutationsLeaveAnAuditLineWithoutTheToken) {
  ASSERT_EQ(lab_.Call(Method::kPost, "/v1/fabrics", R"({"name":"lab"})").status, 201);
  ASSERT_EQ(lab_.log.lines.size(), 1U);
  EXPECT_NE(lab_.log.lines[0].find("api-mutation by=admin"), std::string::npos);
  EXPECT_EQ(lab_.log.lines[0].find(ApiLab::kToken), std::string::npos);
}

TEST_F(ApiTest, RoutesThatNeedTheLinkSayThatItIsNotThere) {
  EXPECT_EQ(lab_.Call(Method::kPost, "/v1/racks/tokens", "{}").status, 503);
  EXPECT_EQ(lab_.Call(Method::kPost, "/v1/racks/tokens", R"({"life_seconds":1})").status, 422);
  EXPECT_EQ(lab_.Call(Method::kPost, "/v1/racks/none/revoke").status, 404);
}

TEST_F(ApiTest, ImportsRefuseWhatTheyCannotServe) {
  for (const char* body :
       {R"({"name":"a","directory":"relative"})", R"({"name":"a","directory":"/nonexistent"})",
        R"({"name":"a"})", R"({"directory":"/tmp"})", R"({"name":"a","files":[{"path":"/"}]})",
        R"({"name":"a","files":[{}]})", R"({"name":"a","files":7})"}) {
    EXPECT_EQ(lab_.Call(Method::kPost, "/v1/images/import", body).status, 422) << body;
  }
  EXPECT_EQ(lab_.Call(Method::kPost, "/v1/images/import", R"({"nme":"a"})").status, 400);
}

TEST_F(ApiTest, TheOpenApiDocumentHasEveryRoute) {
  const json::object document = JsonOf(lab_.Call(Method::kGet, "/v1/openapi.json"));
  EXPECT_EQ(TextOf(document, "openapi"), "3.1.0");
  const json::object& paths = document.at("paths").as_object();
  EXPECT_TRUE(paths.contains("/v1/served-interfaces/{id}"));
  EXPECT_TRUE(paths.at("/v1/machines").as_object().contains("post"));
  EXPECT_FALSE(paths.at("/v1/racks").as_object().contains("post"));
  for (const Route& route : Routes()) {
    if (route.pattern.find("{kind}") == std::string_view::npos) {
      EXPECT_TRUE(paths.contains(route.pattern)) << route.pattern;
    }
  }
}

TEST(ApiDocsTest, ThePageHoldsTheTablesOfTheProgram) {
  std::ifstream in(std::string(SLIPWAY_SOURCE_DIR) + "/docs/api.md");
  const std::string page{std::istreambuf_iterator<char>(in), {}};
  EXPECT_NE(page.find(RouteTableMarkdown()), std::string::npos) << "put this into docs/api.md:\n"
                                                                << RouteTableMarkdown();
  EXPECT_NE(page.find(FieldTablesMarkdown()), std::string::npos) << "put this into docs/api.md:\n"
                                                                 << FieldTablesMarkdown();
}

}  // namespace
}  // namespace slipway::api
