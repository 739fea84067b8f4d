#include "dataplane/launcher/http_client.h"

#include <gtest/gtest.h>

namespace slipway::launcher {
namespace {

TEST(HttpClientTest, HeadCarriesTokenAndLength) {
  const Result<HttpTarget> target = ParseHttpUrl("http://10.0.0.1:5248");
  ASSERT_TRUE(target.has_value());
  EXPECT_EQ(PostHead(*target, "/machine/inventory", "abc", 12),
            "POST /machine/inventory HTTP/1.1\r\nHost: 10.0.0.1:5248\r\n"
            "User-Agent: slipway-launcher/" SLIPWAY_VERSION
            "\r\nContent-Type: application/json\r\nContent-Length: 12\r\n"
            "Authorization: Bearer abc\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(PostHead(*target, "/x", "", 0).find("Authorization"), std::string::npos);
}

TEST(HttpClientTest, StatusIsReadFromTheFirstLine) {
  EXPECT_EQ(ParseStatus("HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"), 202);
  EXPECT_EQ(ParseStatus("HTTP/1.0 404 \r\n"), 404);
  EXPECT_EQ(ParseStatus("HTTP/1.1 20").error().code, ErrorCode::kTruncated);
  EXPECT_EQ(ParseStatus("SSH-2.0-x\r\n").error().code, ErrorCode::kMalformed);
  EXPECT_EQ(ParseStatus("HTTP/1.1 2x2 No\r\n").error().code, ErrorCode::kMalformed);
}

}  // namespace
}  // namespace slipway::launcher
