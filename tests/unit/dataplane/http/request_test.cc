#include "dataplane/http/request.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <string_view>

namespace slipway::http {
namespace {

using std::string_literals::operator""s;
using std::string_view_literals::operator""sv;

ScanResult ScanAll(std::string_view text, Request& request) {
  HeadScanner scanner;
  return scanner.Scan(AsBytes(text), request);
}

ScanResult ScanAll(std::string_view text) {
  Request request;
  return ScanAll(text, request);
}

void ExpectRejected(std::string_view text, Status status) {
  const ScanResult result = ScanAll(text);
  EXPECT_EQ(result.kind, ScanKind::kRejected) << text;
  EXPECT_EQ(result.status, status) << text;
}

TEST(HttpRequestTest, GetOfAMachine) {
  Request request;
  const auto text =
      "GET /boot/ipxe HTTP/1.1\r\nConnection: keep-alive\r\nUser-Agent: iPXE/1.0.0\r\n"
      "Host: 10.77.0.1:5248\r\n\r\nnext"sv;
  const ScanResult result = ScanAll(text, request);
  ASSERT_EQ(result.kind, ScanKind::kComplete);
  EXPECT_EQ(result.head_bytes, text.size() - 4);
  EXPECT_EQ(request.method, Method::kGet);
  EXPECT_EQ(request.target, "/boot/ipxe");
  EXPECT_EQ(request.host, "10.77.0.1:5248");
  EXPECT_TRUE(request.http11);
  EXPECT_TRUE(request.keep_alive);
}

TEST(HttpRequestTest, ByteByByteGivesTheSame) {
  const auto text =
      "\r\nHEAD /files/a/b HTTP/1.1\r\nHost: [fe80::1]:80\r\nRange: bytes=0-1\r\n\r\n"sv;
  HeadScanner scanner;
  Request request;
  for (std::size_t size = 1; size < text.size(); ++size) {
    ASSERT_EQ(scanner.Scan(AsBytes(text.substr(0, size)), request).kind, ScanKind::kIncomplete);
  }
  const ScanResult result = scanner.Scan(AsBytes(text), request);
  ASSERT_EQ(result.kind, ScanKind::kComplete);
  EXPECT_EQ(result.head_bytes, text.size());
  EXPECT_EQ(request.method, Method::kHead);
  EXPECT_EQ(request.range, "bytes=0-1");
}

TEST(HttpRequestTest, ConnectionOptions) {
  struct Row {
    std::string_view version;
    std::string_view connection;
    bool keep;
  };

  constexpr Row kRows[] = {
      {"HTTP/1.1", "", true},
      {"HTTP/1.1", "Connection: close\r\n", false},
      {"HTTP/1.1", "Connection: x, CLOSE\r\n", false},
      {"HTTP/1.1", "Connection: keep-alive, close\r\n", false},
      {"HTTP/1.0", "", false},
      {"HTTP/1.0", "Connection: Keep-Alive\r\n", true},
      {"HTTP/1.0", "Connection: close\r\n", false},
      {"HTTP/1.9", "", true},
  };
  for (const Row& row : kRows) {
    Request request;
    const std::string text = "GET / " + std::string(row.version) + "\r\nHost: a\r\n" +
                             std::string(row.connection) + "\r\n";
    ASSERT_EQ(ScanAll(text, request).kind, ScanKind::kComplete) << text;
    EXPECT_EQ(request.keep_alive, row.keep) << text;
  }
}

TEST(HttpRequestTest, AbsoluteFormIsReduced) {
  Request request;
  ASSERT_EQ(ScanAll("GET http://rack:5248/files/a?b HTTP/1.1\r\nHost: x\r\n\r\n", request).kind,
            ScanKind::kComplete);
  EXPECT_EQ(request.target, "/files/a?b");
  EXPECT_EQ(request.host, "rack:5248");
}

TEST(HttpRequestTest, MalformedRequestsAreRejected) {
  const std::array kBad = {
      "GET / HTTP/1.1\r\n\r\n"sv,                           // no Host
      "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"sv,     // two Hosts
      "GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n"sv,     //
      "GET / HTTP/1.1\r\nHost:\r\n\r\n"sv,                  // bad Hosts
      "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"sv,              //
      "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"sv,              //
      "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"sv,              //
      "GET / HTTP/1.1\r\nHost: a:80x\r\n\r\n"sv,            //
      "GET / HTTP/1.1\r\nHost: a,b\r\n\r\n"sv,              //
      "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"sv,             //
      "GET / HTTP/1.1\r\nHost: [x]\r\n\r\n"sv,              //
      "GET / HTTP/1.0\r\nHost: a b\r\n\r\n"sv,              // also in 1.0
      "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n"sv,  // obs-fold
      "GET / HTTP/1.1\r\nHost: a\r\n\tX: 1\r\n\r\n"sv,      //
      "GET / HTTP/1.1\r\n Host: a\r\n\r\n"sv,               //
      "GET / HTTP/1.1\r\nHost: a\r\nX : 1\r\n\r\n"sv,       // space before colon
      "GET / HTTP/1.1\r\nHost: a\r\n: 1\r\n\r\n"sv,         // no name
      "GET / HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n"sv,    // no colon
      "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n"sv,     // bare CR
      "GET /a\rb HTTP/1.1\r\nHost: a\r\n\r\n"sv,            //
      "GET / HTTP/1.1\nHost: a\n\n"sv,                      // bare LF
      "GET / HTTP/1.1\r\nHost: a\nX: 1\r\n\r\n"sv,          //
      "GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n"sv,     // NUL
      "GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n"sv,              //
      "GET / HTTP/1.1\r\nHost: a\r\nX: \177\r\n\r\n"sv,     // DEL
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n"sv,
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n"sv,  // two lengths
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n"sv,    //
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n"sv,    //
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x1\r\n\r\n"sv,   //
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n"sv,       //
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999999999999999\r\n\r\n"sv,
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"sv,
      "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"sv,
      "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"sv,  // content on GET
      "GET / HTTP/1.1\r\nHost: a\r\nRange: bytes=0-1\r\nRange: bytes=0-1\r\n\r\n"sv,
      "GET  / HTTP/1.1\r\nHost: a\r\n\r\n"sv,          // request line
      "GET / x HTTP/1.1\r\nHost: a\r\n\r\n"sv,         //
      "GET /\r\nHost: a\r\n\r\n"sv,                    //
      "GET\r\n\r\n"sv,                                 //
      " GET / HTTP/1.1\r\nHost: a\r\n\r\n"sv,          //
      "G@T / HTTP/1.1\r\nHost: a\r\n\r\n"sv,           //
      "GET / HTTP/1.1 \r\nHost: a\r\n\r\n"sv,          //
      "GET / http/1.1\r\nHost: a\r\n\r\n"sv,           //
      "GET / HTTP/1\r\nHost: a\r\n\r\n"sv,             //
      "GET / HTTP/1.10\r\nHost: a\r\n\r\n"sv,          //
      "GET a HTTP/1.1\r\nHost: a\r\n\r\n"sv,           // target
      "GET https://a/ HTTP/1.1\r\nHost: a\r\n\r\n"sv,  //
      "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n"sv,   //
      "GET http://a HTTP/1.1\r\nHost: a\r\n\r\n"sv,    //
      "GET /\303\244 HTTP/1.1\r\nHost: a\r\n\r\n"sv,   //
      "\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n"sv,      // blank lines
      "\n"sv,
  };
  for (const auto text : kBad) {
    ExpectRejected(text, Status::kBadRequest);
  }
}

TEST(HttpRequestTest, OtherStatusesOfTheScan) {
  ExpectRejected("BREW / HTTP/1.1\r\nHost: a\r\n\r\n", Status::kNotImplemented);
  ExpectRejected("get / HTTP/1.1\r\nHost: a\r\n\r\n", Status::kNotImplemented);
  ExpectRejected("GET / HTTP/2.0\r\nHost: a\r\n\r\n", Status::kVersionNotSupported);
  ExpectRejected("GET / HTTP/0.9\r\nHost: a\r\n\r\n", Status::kVersionNotSupported);
  ExpectRejected("POST / HTTP/1.1\r\nHost: a\r\n\r\n", Status::kLengthRequired);
  ExpectRejected("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
                 Status::kLengthRequired);
  ExpectRejected("GET / HTTP/1.1\r\nHost: a\r\nExpect: miracle\r\n\r\n",
                 Status::kExpectationFailed);
  ExpectRejected("PRI * HTTP/2.0\r\n\r\n", Status::kVersionNotSupported);
}

TEST(HttpRequestTest, OversizeIsNamed) {
  const std::string target(kTargetBytesMax + 1, 'a');
  ExpectRejected("GET /" + target + " HTTP/1.1\r\nHost: a\r\n\r\n", Status::kUriTooLong);
  ExpectRejected("GET /" + std::string(kHeadBytesMax, 'a'), Status::kUriTooLong);
  ExpectRejected("GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(kHeadBytesMax, 'a'),
                 Status::kFieldsTooLarge);
  std::string many = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (std::size_t i = 0; i < kFieldsMax; ++i) {
    many += "X: y\r\n";
  }
  ExpectRejected(many + "\r\n", Status::kFieldsTooLarge);
}

TEST(HttpRequestTest, OtherKnownMethodsAreLeftToTheRoute) {
  Request request;
  ASSERT_EQ(ScanAll("PUT /a HTTP/1.1\r\nHost: a\r\n\r\n", request).kind, ScanKind::kComplete);
  EXPECT_EQ(request.method, Method::kOtherKnown);
}

struct Decoded {
  bool ok = false;
  std::string path;
  std::string_view query;
};

Decoded Decode(std::string_view target) {
  std::array<char, 32> out;
  std::size_t size = 0;
  Decoded decoded;
  decoded.ok = DecodeTarget(target, out, &size, &decoded.query);
  decoded.path.assign(out.data(), size);
  return decoded;
}

TEST(HttpRequestTest, TargetsDecodeOnce) {
  EXPECT_EQ(Decode("/files/a%20b").path, "/files/a b");
  EXPECT_EQ(Decode("/a%41%7e").path, "/aA~");
  EXPECT_EQ(Decode("/a%2541").path, "/a%41");
  EXPECT_EQ(Decode("/boot/ipxe?mac=1%2F2").query, "mac=1%2F2");
  EXPECT_EQ(Decode("/boot/ipxe?").path, "/boot/ipxe");
  EXPECT_TRUE(Decode("/..a/b..").ok);
  EXPECT_EQ(Decode("/" + std::string(40, 'x')).path, "");
}

TEST(HttpRequestTest, DangerousTargetsAreRefused) {
  for (const std::string_view target :
       {"/../etc/passwd", "/a/../b", "/a/..", "/./a", "/%2e%2e/a", "/%2E./a", "/a%00b", "/a%2fb",
        "/a%2Fb", "/a%5cb", "/a\\b", "/a%0ab", "/a%7f", "/a%", "/a%1", "/a%zz", "/a#b", "/a%-1"}) {
    EXPECT_FALSE(Decode(target).ok) << target;
  }
}

}  // namespace
}  // namespace slipway::http
