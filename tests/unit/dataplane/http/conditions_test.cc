#include "dataplane/http/conditions.h"

#include <gtest/gtest.h>

#include <limits>
#include <string_view>

#include "dataplane/http/date.h"

namespace slipway::http {
namespace {

constexpr std::uint64_t kTotal = 1000;
const Validators kTagged{.etag = "abc", .modified = {784'111'777'500'000'000}};

Selection Range(std::string_view range, std::uint64_t total = kTotal) {
  Request request;
  request.method = Method::kGet;
  request.range = range;
  return Select(request, kTagged, total);
}

TEST(HttpConditionsTest, RangesOfRfc9110) {
  struct Row {
    std::string_view range;
    Status status;
    std::uint64_t offset;
    std::uint64_t bytes;
  };

  constexpr Row kRows[] = {
      {"bytes=0-499", Status::kPartialContent, 0, 500},
      {"bytes=500-999", Status::kPartialContent, 500, 500},
      {"bytes=500-", Status::kPartialContent, 500, 500},
      {"bytes=-500", Status::kPartialContent, 500, 500},
      {"bytes=-5000", Status::kPartialContent, 0, 1000},
      {"bytes=0-0", Status::kPartialContent, 0, 1},
      {"BYTES=999-", Status::kPartialContent, 999, 1},
      {"bytes=0-99999", Status::kPartialContent, 0, 1000},
      {"bytes=1-18446744073709551615", Status::kPartialContent, 1, 999},
      {"bytes=1000-", Status::kRangeNotSatisfiable, 0, 0},
      {"bytes=18446744073709551615-", Status::kRangeNotSatisfiable, 0, 0},
      {"bytes=18446744073709551615-18446744073709551615", Status::kRangeNotSatisfiable, 0, 0},
      {"bytes=-0", Status::kRangeNotSatisfiable, 0, 0},
      // Ignored: the whole.
      {"bytes=5-4", Status::kOk, 0, 1000},
      {"bytes=0-0,2-2", Status::kOk, 0, 1000},
      {"bytes=-", Status::kOk, 0, 1000},
      {"bytes=", Status::kOk, 0, 1000},
      {"bytes=a-b", Status::kOk, 0, 1000},
      {"bytes=1-2-3", Status::kOk, 0, 1000},
      {"bytes=-+5", Status::kOk, 0, 1000},
      {"bytes= 1-2", Status::kOk, 0, 1000},
      {"items=1-2", Status::kOk, 0, 1000},
      {"bytes=18446744073709551616-", Status::kOk, 0, 1000},
  };
  for (const Row& row : kRows) {
    const Selection selection = Range(row.range);
    EXPECT_EQ(selection.status, row.status) << row.range;
    if (row.status != Status::kRangeNotSatisfiable) {
      EXPECT_EQ(selection.range.offset, row.offset) << row.range;
      EXPECT_EQ(selection.range.bytes, row.bytes) << row.range;
    }
  }
}

TEST(HttpConditionsTest, EmptyRepresentationHasNoRange) {
  EXPECT_EQ(Range("bytes=0-", 0).status, Status::kRangeNotSatisfiable);
  EXPECT_EQ(Range("bytes=-5", 0).status, Status::kRangeNotSatisfiable);
  EXPECT_EQ(Range("", 0).status, Status::kOk);
}

TEST(HttpConditionsTest, HugeRepresentationDoesNotOverflow) {
  constexpr std::uint64_t kHuge = std::numeric_limits<std::uint64_t>::max();
  const Selection selection = Range("bytes=1-18446744073709551613", kHuge);
  EXPECT_EQ(selection.range.offset, 1U);
  EXPECT_EQ(selection.range.bytes, kHuge - 2);
}

TEST(HttpConditionsTest, RangeIsForGetOnly) {
  Request request;
  request.method = Method::kHead;
  request.range = "bytes=0-1";
  EXPECT_EQ(Select(request, kTagged, kTotal).status, Status::kOk);
}

TEST(HttpConditionsTest, EntityTags) {
  struct Row {
    std::string_view list;
    Status none_match;
    Status match;
  };

  constexpr Row kRows[] = {
      {"\"abc\"", Status::kNotModified, Status::kOk},
      {"*", Status::kNotModified, Status::kOk},
      {"W/\"abc\"", Status::kNotModified, Status::kPreconditionFailed},
      {"\"x\", \"abc\"", Status::kNotModified, Status::kOk},
      {"\"x\",W/\"y\" ,\"abc\"", Status::kNotModified, Status::kOk},
      {"\"x\"", Status::kOk, Status::kPreconditionFailed},
      {"abc", Status::kOk, Status::kPreconditionFailed},
      {"\"abc", Status::kOk, Status::kPreconditionFailed},
      {",,", Status::kOk, Status::kPreconditionFailed},
  };
  for (const Row& row : kRows) {
    Request request;
    request.method = Method::kGet;
    request.if_none_match = row.list;
    EXPECT_EQ(Select(request, kTagged, kTotal).status, row.none_match) << row.list;
    request.if_none_match = {};
    request.if_match = row.list;
    EXPECT_EQ(Select(request, kTagged, kTotal).status, row.match) << row.list;
  }
}

TEST(HttpConditionsTest, ModificationDate) {
  Request request;
  request.method = Method::kGet;
  request.if_modified_since = "Sun, 06 Nov 1994 08:49:37 GMT";
  EXPECT_EQ(Select(request, kTagged, kTotal).status, Status::kNotModified);
  request.if_modified_since = "Sun, 06 Nov 1994 08:49:36 GMT";
  EXPECT_EQ(Select(request, kTagged, kTotal).status, Status::kOk);
  request.if_modified_since = "Sun, 06 Nov 1994 08:49:37 GMT";
  request.if_none_match = "\"other\"";  // Takes precedence.
  EXPECT_EQ(Select(request, kTagged, kTotal).status, Status::kOk);
  request.if_none_match = {};
  EXPECT_EQ(Select(request, {.etag = "abc", .modified = {}}, kTotal).status, Status::kOk);
}

TEST(HttpConditionsTest, IfRangeGuardsTheRange) {
  Request request;
  request.method = Method::kGet;
  request.range = "bytes=0-9";
  for (const std::string_view value : {"\"abc\"", "Sun, 06 Nov 1994 08:49:37 GMT"}) {
    request.if_range = value;
    EXPECT_EQ(Select(request, kTagged, kTotal).status, Status::kPartialContent) << value;
  }
  for (const std::string_view value :
       {"\"other\"", "W/\"abc\"", "Sun, 06 Nov 1994 08:49:38 GMT", "garbage"}) {
    request.if_range = value;
    EXPECT_EQ(Select(request, kTagged, kTotal).status, Status::kOk) << value;
  }
}

}  // namespace
}  // namespace slipway::http
