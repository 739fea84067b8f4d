#include "tests/tidy/rules.h"

#include <gtest/gtest.h>

#include "tests/tidy/source_text.h"

namespace slipway::tidy {
namespace {

std::vector<Problem> Check(const std::string& path, std::string_view text) {
  std::vector<Problem> problems;
  CheckSource(path, text, problems);
  return problems;
}

std::string Body(std::size_t lines) {
  std::string text = "int F(int a) {\n";
  for (std::size_t i = 2; i < lines; ++i) {
    text += "  if (a) { a = '{'; }  // }\n";
  }
  return text + "}\n";
}

TEST(TidyRulesTest, FunctionOfSeventyLinesIsTheLongest) {
  EXPECT_TRUE(Check("dataplane/x/a.cc", "namespace s {\n" + Body(70) + "}\n").empty());
  const auto problems = Check("dataplane/x/a.cc", "class C {\n" + Body(71) + "};\n");
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_EQ(problems[0].line, 2U);
}

TEST(TidyRulesTest, TablesAndScopesAreNoFunctions) {
  const auto lines = SplitSource(
      "namespace a {\nconstexpr Row kRows[] = {\n    {1, \"}\"},\n};\nenum class E : int {\n  "
      "kA\n};\n"
      "struct S {\n  int F() const { return 1; }\n  S() : a_{1} {}\n};\n}  // namespace a\n");
  const auto functions = FindFunctions(lines);
  ASSERT_GE(functions.size(), 1U);
  EXPECT_EQ(functions[0].first_line, 9U);
}

TEST(TidyRulesTest, LiteralsAndCommentsAreNoCode) {
  EXPECT_TRUE(Check("dataplane/base/a.cc",
                    "// std::function\nconst char* k = \"system(\" R\"(popen( )\" \"\\\"throw\";\n"
                    "int n = 1'000'000; /* co_await */\n")
                  .empty());
}

TEST(TidyRulesTest, BannedNamesDependOnTheFolder) {
  EXPECT_EQ(Check("dataplane/dhcp/a.cc", "std::function<void()> f;\n").size(), 1U);
  EXPECT_TRUE(Check("controlplane/api/a.cc", "std::function<void()> f;\n").empty());
  EXPECT_EQ(Check("controlplane/api/a.cc", "co_await x;\n").size(), 1U);
  EXPECT_TRUE(Check("controlplane/api/http_server.cc", "co_await x;\n").empty());
  EXPECT_EQ(Check("tests/unit/a.cc", "std::this_thread::sleep_for(1s);\n").size(), 1U);
  EXPECT_EQ(Check("bench/a.cc", "system(\"x\");\n").size(), 1U);
  EXPECT_TRUE(Check("bench/a.cc", "error.system(1); int system = 2;\n").empty());
}

TEST(TidyRulesTest, HeaderNeedsItsGuard) {
  EXPECT_EQ(Check("bench/a.h", "int x;\n").size(), 1U);
  EXPECT_TRUE(Check("bench/a.h", "// why\n#pragma once\nint x;\n").empty());
}

TEST(TidyRulesTest, NotesNeedAnIssue) {
  std::vector<Problem> problems;
  const std::string note =
      "TO"
      "DO";
  CheckText("a", note + "(#12): later\n", problems);
  EXPECT_TRUE(problems.empty());
  CheckText("a",
            note + ": later\n" + note +
                "(me): later\nFIX"
                "ME\nx \nend",
            problems);
  EXPECT_EQ(problems.size(), 5U);
}

TEST(TidyRulesTest, LinksMustLeadSomewhere) {
  std::vector<Problem> problems;
  CheckMarkdown(
      SLIPWAY_SOURCE_DIR, "docs/x.md",
      "[a](../CMakeLists.txt#l1) [b](https://example.org/none) [c](#here)\n[d](none.md)\n",
      problems);
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_EQ(problems[0].line, 2U);
}

}  // namespace
}  // namespace slipway::tidy
