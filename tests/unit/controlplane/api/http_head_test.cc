#include "controlplane/api/http_head.h"

#include <gtest/gtest.h>

#include <string>

namespace slipway::api {
namespace {

struct BadHead {
  const char* what;
  std::string head;
  int status;
};

class BadHeadTest : public ::testing::TestWithParam<BadHead> {};

TEST_P(BadHeadTest, IsRefused) {
  const auto head = ParseHead(GetParam().head);
  ASSERT_FALSE(head.has_value()) << GetParam().what;
  EXPECT_EQ(head.error().status, GetParam().status) << GetParam().what;
}

const std::string kHost = "Host: a\r\n";

INSTANTIATE_TEST_SUITE_P(
    Table, BadHeadTest,
    ::testing::Values(
        BadHead{"two lengths",
                "POST / HTTP/1.1\r\n" + kHost + "Content-Length: 1\r\nContent-Length: 1\r\n\r\n",
                400},
        BadHead{"a list of lengths", "POST / HTTP/1.1\r\n" + kHost + "Content-Length: 1, 1\r\n\r\n",
                400},
        BadHead{"a signed length", "POST / HTTP/1.1\r\n" + kHost + "Content-Length: +1\r\n\r\n",
                400},
        BadHead{"a huge length",
                "POST / HTTP/1.1\r\n" + kHost + "Content-Length: 99999999999999999999999\r\n\r\n",
                400},
        BadHead{"length and coding",
                "POST / HTTP/1.1\r\n" + kHost +
                    "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                400},
        BadHead{"another coding",
                "POST / HTTP/1.1\r\n" + kHost + "Transfer-Encoding: gzip, chunked\r\n\r\n", 400},
        BadHead{"chunked in 1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        BadHead{"a bare CR", "GET / HTTP/1.1\r\n" + kHost + "X: a\rb\r\n\r\n", 400},
        BadHead{"a bare LF", "GET / HTTP/1.1\r\n" + kHost + "X: a\nY: b\r\n\r\n", 400},
        BadHead{"a NUL", "GET / HTTP/1.1\r\n" + kHost + "X: a" + std::string(1, '\0') + "\r\n\r\n",
                400},
        BadHead{"obs-fold", "GET / HTTP/1.1\r\n" + kHost + "X: a\r\n b\r\n\r\n", 400},
        BadHead{"space before the colon", "GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400},
        BadHead{"two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
        BadHead{"no host", "GET / HTTP/1.1\r\n\r\n", 400},
        BadHead{"a host with user information", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400},
        BadHead{"an empty host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 400},
        BadHead{"no version", "GET /\r\n" + kHost + "\r\n", 400},
        BadHead{"version 2", "GET / HTTP/2.0\r\n" + kHost + "\r\n", 505},
        BadHead{"a space in the target", "GET /a b HTTP/1.1\r\n" + kHost + "\r\n", 400},
        BadHead{"absolute form", "GET http://a/ HTTP/1.1\r\n" + kHost + "\r\n", 400},
        BadHead{"a fragment", "GET /#a HTTP/1.1\r\n" + kHost + "\r\n", 400},
        BadHead{"a long target",
                "GET /" + std::string(5000, 'a') + " HTTP/1.1\r\n" + kHost + "\r\n", 414},
        BadHead{"an unknown method", "BREW / HTTP/1.1\r\n" + kHost + "\r\n", 501},
        BadHead{"a lower-case method", "get / HTTP/1.1\r\n" + kHost + "\r\n", 501},
        BadHead{"an unknown expectation", "POST / HTTP/1.1\r\n" + kHost + "Expect: wonders\r\n\r\n",
                417},
        BadHead{"only an empty line", "\r\n\r\n", 400}));

TEST(HttpHeadTest, ReadsWhatCurlSends) {
  const auto head = ParseHead(
      "POST /v1/fabrics?dry_run=1 HTTP/1.1\r\nHost: 127.0.0.1:5240\r\nAuthorization: Bearer x\r\n"
      "Content-Type: application/json\r\nContent-Length: 2\r\nX-Request-Id: abc-1\r\n\r\n");
  ASSERT_TRUE(head.has_value());
  EXPECT_EQ(head->request.method, Method::kPost);
  EXPECT_EQ(head->request.path, "/v1/fabrics");
  EXPECT_EQ(head->request.query, "dry_run=1");
  EXPECT_EQ(head->request.header("authorization"), "Bearer x");
  EXPECT_EQ(head->request.id, "abc-1");
  EXPECT_EQ(head->content_length, 2U);
  EXPECT_TRUE(head->keep_alive);
}

TEST(HttpHeadTest, RefusesMoreThan64Headers) {
  std::string head = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (int i = 0; i < 64; ++i) {
    head += "X: y\r\n";
  }
  const auto parsed = ParseHead(head + "\r\n");
  ASSERT_FALSE(parsed.has_value());
  EXPECT_EQ(parsed.error().status, 431);
}

TEST(HttpHeadTest, DropsRequestIdsThatCouldForgeLogLines) {
  const auto head = ParseHead("GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: a\" level=error\r\n\r\n");
  ASSERT_TRUE(head.has_value());
  EXPECT_EQ(head->request.id, "");
}

TEST(HttpHeadTest, ClosesWhereTheClientCannotKeepAlive) {
  const auto old = ParseHead("GET / HTTP/1.0\r\n\r\n");
  ASSERT_TRUE(old.has_value());
  EXPECT_FALSE(old->keep_alive);
  const auto asked = ParseHead("GET / HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n");
  ASSERT_TRUE(asked.has_value());
  EXPECT_FALSE(asked->keep_alive);
}

}  // namespace
}  // namespace slipway::api
