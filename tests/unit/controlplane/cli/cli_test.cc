#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "controlplane/cli/client.h"
#include "controlplane/cli/commands.h"
#include "controlplane/cli/nouns.h"
#include "controlplane/cli/output.h"

namespace slipway::cli {
namespace {

namespace json = boost::json;

[[nodiscard]] json::object Object(std::string_view text) { return json::parse(text).as_object(); }

TEST(CliOutputTest, TablesAreAsWideAsTheirCells) {
  const std::vector<json::object> rows = {Object(R"({"id":"a-1","n":{"m":7},"b":true})"),
                                          Object(R"({"id":"a-22","n":{},"b":false})")};
  const Column columns[] = {{"ID", "id"}, {"M", "n.m"}, {"B", "b"}};
  EXPECT_EQ(RenderTable(rows, columns, true),
            "ID    M  B\n"
            "a-1   7  yes\n"
            "a-22  -  no\n");
  EXPECT_EQ(RenderTable(rows, columns, false),
            "a-1   7  yes\n"
            "a-22  -  no\n");
}

TEST(CliOutputTest, ControlCharactersNeverReachTheTerminal) {
  const json::object row = Object(R"({"name":"a\u001b[2Jb\nc"})");
  const Column column{"NAME", "name"};
  EXPECT_EQ(CellText(row, column), "a?[2Jb?c");
  EXPECT_EQ(RenderRecord(row), "name: a?[2Jb?c\n");
}

TEST(CliOutputTest, UnitsAreForPeople) {
  EXPECT_EQ(BytesText(512), "512 B");
  EXPECT_EQ(BytesText(46'871'000), "44.7 MiB");
  EXPECT_EQ(MillisText(12.34), "12.3 ms");
  EXPECT_EQ(MillisText(4200), "4.200 s");
  const json::object row = Object(R"({"t":"2026-11-22T21:30:05.123Z","b":0})");
  EXPECT_EQ(CellText(row, {"T", "t", Cell::kTime}), "2026-11-22T21:30:05Z");
  EXPECT_EQ(CellText(row, {"B", "b", Cell::kBytes}), "-");
}

TEST(CliOutputTest, RecordsAreIndentedAndListItemsMarked) {
  EXPECT_EQ(RenderRecord(Object(R"({"a":1,"b":{"c":"x"},"d":[{"e":1,"f":2},{"e":3}],"g":[1,2]})")),
            "a: 1\n"
            "b:\n"
            "  c: x\n"
            "d:\n"
            "  - e: 1\n"
            "    f: 2\n"
            "  - e: 3\n"
            "g: 1,2\n");
}

TEST(CliOutputTest, NamesAreWhatVerbsTake) {
  EXPECT_EQ(NameOf(Object(R"({"id":"mch-1","hostname":"m1"})")), "m1");
  EXPECT_EQ(NameOf(Object(R"({"id":"sub-1","name":"s1"})")), "s1");
  EXPECT_EQ(NameOf(Object(R"({"id":"rng-1"})")), "rng-1");
  EXPECT_EQ(NameOf(Object(R"({"id":"srv-1","rack":"rck-1","name":"eth1"})")), "srv-1");
  EXPECT_EQ(NameOf(Object(R"({"id":"ifc-1","machine":"mch-1","name":"eth0"})")), "ifc-1");
}

TEST(CliOutputTest, JsonIsIndentedAndParsesBack) {
  const json::object value = Object(R"({"a":[1,{"b":"\n"}],"c":{},"d":[]})");
  const std::string text = RenderJson(value);
  EXPECT_EQ(json::parse(text), json::value(value));
  EXPECT_TRUE(text.starts_with("{\n  \"a\": [\n    1,\n")) << text;
}

TEST(CliFailureTest, StatusesBecomeExitCodes) {
  struct Row {
    long status;
    ExitCode code;
  };

  for (const Row& row :
       {Row{400, ExitCode::kFailed}, Row{401, ExitCode::kAuthentication},
        Row{403, ExitCode::kAuthentication}, Row{404, ExitCode::kNotFound},
        Row{409, ExitCode::kConflict}, Row{412, ExitCode::kConflict}, Row{422, ExitCode::kFailed},
        Row{503, ExitCode::kFailed}, Row{504, ExitCode::kTimeout}}) {
    EXPECT_EQ(FailureOf({.status = row.status, .body = "{}"}).code, row.code) << row.status;
  }
  EXPECT_EQ(FailureOf({.status = 500, .body = "<html>"}).message, "the region answered 500");
}

TEST(CliFailureTest, ProblemsAreShownWithFieldsAndCures) {
  const Failure failure = FailureOf(
      {.status = 422,
       .body =
           R"({"detail":"no","item":2,"errors":[{"field":"cidr","problem":"is bad","cure":"fix"}]})"});
  EXPECT_EQ(failure.message, "no (item 2)\n  cidr is bad: fix");
}

TEST(CliFieldsTest, KindsBecomeJsonTypes) {
  const FieldOption number{"--vid", "vid", ValueKind::kNumber, false, true, ""};
  const FieldOption list{"--dns", "dns_servers", ValueKind::kList, false, true, ""};
  const FieldOption text{"--gateway", "gateway", ValueKind::kText, false, true, ""};
  const auto good = FieldsJson({{&number, {"7"}}, {&list, {"a", "b"}}, {&text, {""}}});
  ASSERT_TRUE(good.has_value());
  EXPECT_EQ(json::value(*good),
            json::value(Object(R"({"vid":7,"dns_servers":["a","b"],"gateway":null})")));
  const auto bad = FieldsJson({{&number, {"7x"}}});
  ASSERT_FALSE(bad.has_value());
  EXPECT_EQ(bad.error().code, ExitCode::kUsage);
}

TEST(CliEventTest, LinesAreForPeople) {
  EXPECT_EQ(EventLine(Object(R"({"topic":"change","verb":"added","kind":"fabric","id":"fab-1",)"
                             R"("name":"lab","revision":3})")),
            "ADDED    fabric fab-1 lab revision=3");
  EXPECT_EQ(EventLine(Object(R"({"topic":"boot","time":"T","mac":"m","step":"TftpEnd","name":"x",)"
                             R"("bytes":1024,"duration_ms":2.5,"ok":false})")),
            "T BOOT m TftpEnd x 1.0 KiB in 2.5 ms FAILED");
  EXPECT_EQ(EventLine(Object(R"({"topic":"event","time":"T","code":"rack-up","subject":"rck-1",)"
                             R"("detail":"d"})")),
            "T EVENT rack-up rck-1 d");
  EXPECT_EQ(EventLine(Object(R"({"topic":"event","time":"T","code":"boot-loop","subject":"m",)"
                             R"("detail":"d","rack":"rck-1"})")),
            "T EVENT boot-loop m d rack=rck-1");
}

TEST(CliNounsTest, TheTableIsConsistent) {
  std::set<std::string_view> names;
  for (const Noun& noun : Nouns()) {
    EXPECT_TRUE(names.insert(noun.name).second);
    EXPECT_EQ(noun.columns.front().path, "id") << noun.name;
    for (const FieldOption& option : noun.options) {
      EXPECT_TRUE(option.option.starts_with("--")) << noun.name;
      EXPECT_FALSE(option.help.empty()) << noun.name;
    }
  }
}

TEST(CliPathTest, IdsAreEncoded) { EXPECT_EQ(PercentEncode("a/b c%"), "a%2Fb%20c%25"); }

}  // namespace
}  // namespace slipway::cli
