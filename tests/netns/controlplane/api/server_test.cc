// The real slipway-region on loopback: what only a server can show.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/support/region_process.h"

namespace slipway::testing {
namespace {

class RegionServerTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    region_ = std::make_unique<RegionProcess>();
    ASSERT_TRUE(region_->Start()) << region_->Log();
  }

  static void TearDownTestSuite() {
    EXPECT_EQ(region_->Stop(), 0) << region_->Log();
    region_.reset();
  }

  [[nodiscard]] static std::string Ask(const std::string& head_and_body) {
    RawClient client(region_->port());
    EXPECT_TRUE(client.connected());
    (void)client.Send(head_and_body);
    return client.Read("", std::chrono::seconds(3));
  }

  [[nodiscard]] static std::string Head(const std::string& line, const std::string& more = {}) {
    return line + " HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + region_->Token() +
           "\r\n" + more + "\r\n";
  }

  static void ExpectServes() {
    RawClient client(region_->port());
    (void)client.Send(Head("GET /livez", "Connection: close\r\n"));
    EXPECT_NE(client.Read("").find("200 OK"), std::string::npos);
  }

  static std::unique_ptr<RegionProcess> region_;
};

std::unique_ptr<RegionProcess> RegionServerTest::region_;

TEST_F(RegionServerTest, MalformedRequestsAreRefusedAndTheConnectionEnds) {
  struct Row {
    const char* what;
    std::string request;
    const char* status;
  };

  const std::string host = "Host: a\r\n";
  const Row rows[] = {
      {"two lengths",
       "POST /v1/fabrics HTTP/1.1\r\n" + host + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
       "400"},
      {"length and coding",
       "POST /v1/fabrics HTTP/1.1\r\n" + host +
           "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
       "400"},
      {"bare CR", "GET /livez HTTP/1.1\r\n" + host + "X: a\rb\r\n\r\n", "400"},
      {"obs-fold", "GET /livez HTTP/1.1\r\n" + host + "X: a\r\n b\r\n\r\n", "400"},
      {"two hosts", "GET /livez HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400"},
      {"no host", "GET /livez HTTP/1.1\r\n\r\n", "400"},
      {"a huge header",
       "GET /livez HTTP/1.1\r\n" + host + "X: " + std::string(9000, 'a') + "\r\n\r\n", "431"},
      {"a head without end", "GET /livez HTTP/1.1\r\n" + std::string(20000, 'a'), "431"},
      {"an unknown method", "BREW /livez HTTP/1.1\r\n" + host + "\r\n", "501"},
      {"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505"},
      {"TLS", std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 15), "400"},
  };
  for (const Row& row : rows) {
    RawClient client(region_->port());
    (void)client.Send(row.request);
    const std::string answer = client.Read("", std::chrono::seconds(3));
    EXPECT_TRUE(answer.starts_with(std::string("HTTP/1.1 ") + row.status))
        << row.what << ": " << answer;
    EXPECT_TRUE(client.closed()) << row.what;
  }
  ExpectServes();
}

TEST_F(RegionServerTest, BodiesBeyondTheLimitAreRefusedBeforeTheyCome) {
  const std::string answer = Ask(
      Head("PATCH /v1/fabrics/x", "Content-Type: application/json\r\nContent-Length: 2000000\r\n"));
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 413")) << answer;
  const std::string chunk = "100000\r\n" + std::string(0x100000, ' ') + "\r\n";
  const std::string chunked = Ask(
      Head("POST /v1/fabrics", "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n") +
      chunk + chunk);
  EXPECT_TRUE(chunked.starts_with("HTTP/1.1 413")) << chunked.substr(0, 200);
  EXPECT_TRUE(Ask("POST /v1/fabrics HTTP/1.1\r\nHost: a\r\nContent-Length: 60000000\r\n\r\n")
                  .starts_with("HTTP/1.1 401"));
  ExpectServes();
}

TEST_F(RegionServerTest, BadChunksAreRefused) {
  const std::string answer = Ask(
      Head("POST /v1/fabrics", "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n") +
      "zz\r\n{}\r\n0\r\n\r\n");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 400")) << answer;
  ExpectServes();
}

TEST_F(RegionServerTest, AChunkedBodyIsRead) {
  const std::string answer =
      Ask(Head("POST /v1/fabrics?dry_run=1",
               "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
               "Connection: close\r\n") +
          "2\r\n{}\r\n0\r\n\r\n");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200")) << answer;
}

TEST_F(RegionServerTest, PipelinedRequestsAreAnsweredInOrder) {
  RawClient client(region_->port());
  (void)client.Send(Head("GET /livez") + Head("HEAD /version") +
                    Head("GET /nothing", "Connection: close\r\n"));
  const std::string answer = client.Read("");
  const std::size_t first = answer.find("ok\n");
  const std::size_t second = answer.find("HTTP/1.1 200", first);
  const std::size_t third = answer.find("HTTP/1.1 404", second);
  EXPECT_NE(first, std::string::npos) << answer;
  EXPECT_NE(second, std::string::npos) << answer;
  EXPECT_NE(third, std::string::npos) << answer;
  EXPECT_EQ(answer.find("\"software\""), std::string::npos) << "HEAD has no body";
}

TEST_F(RegionServerTest, ContinueIsSentOnlyIfTheBodyIsWanted) {
  RawClient client(region_->port());
  (void)client.Send(Head("POST /v1/fabrics?dry_run=1",
                         "Content-Type: application/json\r\nContent-Length: 2\r\n"
                         "Expect: 100-continue\r\nConnection: close\r\n"));
  EXPECT_NE(client.Read("\r\n\r\n").find("100 Continue"), std::string::npos);
  (void)client.Send("{}");
  EXPECT_NE(client.Read("").find("200 OK"), std::string::npos);
  const std::string refused =
      Ask("POST /v1/fabrics HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"
          "Expect: 100-continue\r\n\r\n");
  EXPECT_TRUE(refused.starts_with("HTTP/1.1 401")) << refused;
}

TEST_F(RegionServerTest, SlowPeersDoNotKeepOthersWaiting) {
  std::vector<std::unique_ptr<RawClient>> slow;
  for (int i = 0; i < 200; ++i) {
    slow.push_back(std::make_unique<RawClient>(region_->port()));
    (void)slow.back()->Send("GET /livez HTTP/1.1\r\nHost: a\r\nX-");
  }
  const auto begin = SteadyClock::now();
  for (int i = 0; i < 100; ++i) {
    ExpectServes();
  }
  const auto took = SteadyClock::now() - begin;
  EXPECT_LT(took, std::chrono::seconds(5));
}

TEST_F(RegionServerTest, StreamsResumeWithoutLossOverTheRealServer) {
  RawClient client(region_->port());
  (void)client.Send(Head("GET /v1/events?topics=change", "Accept: text/event-stream\r\n"));
  const std::string head = client.Read("retry: 1000");
  EXPECT_NE(head.find("Content-Type: text/event-stream"), std::string::npos) << head;
  ASSERT_EQ(region_->Cli({"fabric", "create", "stream-a"}).code, 0);
  const std::string text = client.Read("stream-a");
  const std::size_t at = text.rfind("id: ");
  ASSERT_NE(at, std::string::npos) << text;
  const std::string last = text.substr(at + 4, text.find('\n', at) - at - 4);
  ASSERT_EQ(region_->Cli({"fabric", "create", "stream-b"}).code, 0);
  RawClient again(region_->port());
  (void)again.Send(Head("GET /v1/events?topics=change",
                        "Accept: text/event-stream\r\nLast-Event-ID: " + last + "\r\n"));
  const std::string resumed = again.Read("stream-b");
  EXPECT_NE(resumed.find("stream-b"), std::string::npos) << resumed;
  EXPECT_EQ(resumed.find("stream-a"), std::string::npos) << resumed;
}

TEST_F(RegionServerTest, TheTokenIsPrivateAndInNoLog) {
  struct stat status {};

  ASSERT_EQ(stat(region_->token_file().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  EXPECT_GE(region_->Token().size(), 32U);
  EXPECT_EQ(region_->Log().find(region_->Token()), std::string::npos);
  const std::string process = "/proc/" + std::to_string(region_->pid());
  EXPECT_EQ(ReadFile(process + "/cmdline").find(region_->Token()), std::string::npos);
  EXPECT_EQ(ReadFile(process + "/environ").find(region_->Token()), std::string::npos);
}

// ---- life and death of the process ----

TEST(RegionProcessTest, WhatWasAnsweredSurvivesSigkill) {
  RegionProcess region;
  ASSERT_TRUE(region.Start()) << region.Log();
  ASSERT_EQ(region.Cli({"fabric", "create", "lab"}).code, 0);
  region.Kill();
  ASSERT_TRUE(region.Start()) << region.Log();
  EXPECT_EQ(region.Cli({"fabric", "show", "lab"}).code, 0);
  EXPECT_EQ(region.Stop(), 0);
}

TEST(RegionProcessTest, DrainsWithinTwoSecondsWithStreamsOpen) {
  RegionProcess region;
  ASSERT_TRUE(region.Start()) << region.Log();
  RawClient client(region.port());
  (void)client.Send(
      "GET /v1/events HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n"
      "Authorization: Bearer " +
      region.Token() + "\r\n\r\n");
  ASSERT_NE(client.Read("retry").find("200 OK"), std::string::npos);
  const auto begin = SteadyClock::now();
  EXPECT_EQ(region.Stop(), 0) << region.Log();
  EXPECT_LT(SteadyClock::now() - begin, std::chrono::seconds(2));
  EXPECT_NE(client.Read("").find("0\r\n\r\n"), std::string::npos);
}

TEST(RegionProcessTest, TheStateDirectoryIsExclusive) {
  RegionProcess region;
  ASSERT_TRUE(region.Start()) << region.Log();
  const Output second =
      RunProgram({std::string(SLIPWAY_BIN_DIR) + "/slipway-region", "--config", region.config()});
  EXPECT_EQ(second.code, 1);
  EXPECT_NE(second.err.find("another slipway-region uses"), std::string::npos) << second.err;
  EXPECT_EQ(region.Stop(), 0);
}

TEST(RegionProcessTest, ATakenPortIsNamedWithTheCure) {
  RegionProcess first;
  ASSERT_TRUE(first.Start());
  RegionProcess second;
  WriteFile(second.config(), "state_dir = \"" + second.state_dir() +
                                 "\"\nlink.listen = \"127.0.0.1\"\nlink.port = 0\napi.port = " +
                                 std::to_string(first.port()) + "\n");
  EXPECT_FALSE(second.Start());
  EXPECT_NE(second.Log().find("the port is taken"), std::string::npos) << second.Log();
}

TEST(RegionProcessTest, ConfigErrorsNamePlaceAndCureAndStartNothing) {
  const TemporaryDirectory folder;
  const std::string file = folder.path() + "/region.toml";

  struct Row {
    const char* text;
    const char* expected;
  };

  const Row rows[] = {
      {"state_dri = \"/x\"\n", ":1:1: unknown key 'state_dri'; did you mean 'state_dir'?"},
      {"[api]\nprot = 1\n", ":2:1: unknown key 'api.prot'; did you mean 'api.port'?"},
      {"[api]\nport = 70000\n", ":2:8: 'api.port'"},
      {"[api]\nport = \"x\"\n", ":2:8: 'api.port' must be a whole number"},
      {"state_dir = \"relative\"\n", ":1:13: 'state_dir' must be an absolute path"},
      {"[api\n", ":1:"},
      {"[api]\nlisten = \"0.0.0.0\"\n", ":2: 'api.listen' must be a loopback address"},
      {"[log]\nlevel = \"loud\"\n", ":2: 'log.level' must be"},
  };
  for (const Row& row : rows) {
    WriteFile(file, row.text);
    const Output output = RunProgram({std::string(SLIPWAY_BIN_DIR) + "/slipway-region", "--config",
                                      file, "--state-dir", folder.path() + "/state"});
    EXPECT_EQ(output.code, 2) << row.text;
    EXPECT_NE(output.err.find(file + row.expected), std::string::npos) << row.text << output.err;
    EXPECT_FALSE(std::filesystem::exists(folder.path() + "/state")) << row.text;
  }
  EXPECT_EQ(RunProgram({std::string(SLIPWAY_BIN_DIR) + "/slipway-region", "--config",
                        folder.path() + "/none.toml"})
                .code,
            2);
  EXPECT_EQ(RunProgram({std::string(SLIPWAY_BIN_DIR) + "/slipway-region", "--wrong"}).code, 2);
}

TEST(RegionProcessTest, ReloadsTheLogLevelAndKeepsTheOldOnError) {
  RegionProcess region;
  ASSERT_TRUE(region.Start());
  const std::string good = ReadFile(region.config());
  WriteFile(region.config(), good + "nonsense = 1\n");
  region.Signal(SIGHUP);
  const auto wait_for = [&region](std::string_view text) {
    for (int i = 0; i < 400 && region.Log().find(text) == std::string::npos; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return region.Log().find(text) != std::string::npos;
  };
  EXPECT_TRUE(wait_for("reload-refused")) << region.Log();
  WriteFile(region.config(), good + "log.level = \"debug\"\n");
  region.Signal(SIGHUP);
  EXPECT_TRUE(wait_for("log.level=debug")) << region.Log();
  EXPECT_EQ(region.Stop(), 0);
}

TEST(RegionProcessTest, ATokenThatOthersMayReadIsRefused) {
  RegionProcess region;
  ASSERT_TRUE(region.Start());
  ASSERT_EQ(region.Stop(), 0);
  ASSERT_EQ(chmod(region.token_file().c_str(), 0644), 0);
  EXPECT_FALSE(region.Start());
  EXPECT_NE(region.Log().find("chmod 600"), std::string::npos) << region.Log();
}

}  // namespace
}  // namespace slipway::testing
