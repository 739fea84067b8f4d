#include "dataplane/service/tftp_service.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "tests/netns/dataplane/service/files_lab.h"

namespace slipway::service {
namespace {

using std::string_literals::operator""s;

std::string Options(std::size_t blksize, std::uint64_t windowsize) {
  return "tsize\0000\0blksize\0"s + std::to_string(blksize) + "\0windowsize\0"s +
         std::to_string(windowsize) + "\0"s;
}

class TftpServiceTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!lab.available()) {
      GTEST_SKIP() << "no io_uring here";
    }
    for (const std::size_t bytes : kSizes) {
      lab.content.Add("mapped/" + std::to_string(bytes), Pattern(bytes), true);
      lab.content.Add("read/" + std::to_string(bytes), Pattern(bytes), false);
    }
    lab.content.Add("text", "one\ntwo\r\n", true);
  }

  void TearDown() override {
    if (!lab.available()) {
      return;
    }
    if (!leaves_transfers_open) {
      AwaitQuiet();
    }
    lab.Stop();
    if (!leaves_transfers_open) {
      EXPECT_EQ(lab.tftp->sessions_open(), 0U);
      EXPECT_EQ(lab.content.held.load(), 0);
    }
  }

  // The last acknowledgement is on its way when the client is done.
  void AwaitQuiet() {
    const TftpCounters& counters = lab.tftp->counters();
    const auto ended = [&counters] {
      return counters.transfers_completed.value() + counters.transfers_failed.value() +
             counters.probes.value();
    };
    for (int i = 0; i < 1000 && ended() != counters.transfers_started.value(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }

  static constexpr std::size_t kSizes[] = {0, 1, 511, 512, 1468, 600'000, (1 << 20) + 7};
  bool leaves_transfers_open = false;
  FilesLab lab{GetParam(), TftpOptions{}, HttpOptions{.connections_max = 8, .upload_buffers = 1}};
};

TEST_P(TftpServiceTest, EverySizeArrivesWhole) {
  lab.Start();
  for (const std::size_t bytes : kSizes) {
    for (const std::string folder : {"mapped/", "read/"}) {
      const std::string expected = Pattern(bytes);
      const std::string name = folder + std::to_string(bytes);
      EXPECT_TRUE(FetchTftp(lab.tftp_port, {.name = name}).data == expected) << name;
      const TftpResult windowed = FetchTftp(
          lab.tftp_port,
          {.name = name, .options = Options(1468, 16), .blksize = 1468, .windowsize = 16});
      EXPECT_TRUE(windowed.data == expected) << name;
      EXPECT_EQ(windowed.oack,
                "tsize\0"s + std::to_string(bytes) + "\0blksize\0001468\0windowsize\00016\0"s);
    }
  }
  AwaitQuiet();
  lab.Stop();
  EXPECT_EQ(lab.tftp->counters().transfers_completed.value(), 4 * std::size(kSizes));
  EXPECT_EQ(lab.tftp->counters().transfers_failed.value(), 0U);
  EXPECT_EQ(lab.sink.failed.load(), 0U);
}

TEST_P(TftpServiceTest, BlockNumbersRollOver) {
  lab.Start();
  const TftpResult result =
      FetchTftp(lab.tftp_port, {.name = "/mapped\\600000",
                                .options = "blksize\0008\0windowsize\00016\0"s,
                                .blksize = 8,
                                .windowsize = 16});
  EXPECT_TRUE(result.data == Pattern(600'000));
}

TEST_P(TftpServiceTest, GeneratedFileAndNetascii) {
  lab.Start();
  EXPECT_EQ(FetchTftp(lab.tftp_port, {.name = "script"}).data, "#!ipxe\necho hello\n");
  EXPECT_EQ(FetchTftp(lab.tftp_port, {.name = "text", .mode = "netascii"}).data,
            "one\r\ntwo\r\0\r\n"s);
  EXPECT_EQ(FetchTftp(lab.tftp_port, {.name = "script", .mode = "netascii"}).data,
            "#!ipxe\r\necho hello\r\n");
}

TEST_P(TftpServiceTest, ErrorsComeAtOnce) {
  lab.Start();
  EXPECT_EQ(FetchTftp(lab.tftp_port, {.name = "revocations_sku.efi"}).error, 1);
  EXPECT_EQ(FetchTftp(lab.tftp_port, {.name = "mapped/../1"}).error, 1);
  EXPECT_EQ(FetchTftp(lab.tftp_port, {.name = "mapped/1", .opcode = 2}).error, 2);
  EXPECT_EQ(FetchTftp(lab.tftp_port, {.name = "mapped/1", .mode = "mail"}).error, 4);
  const TftpResult list = FetchTftp(
      lab.tftp_port, {.name = "grub/fs.lst", .options = Options(1024, 1), .blksize = 1024});
  EXPECT_EQ(list.error, -1);
  EXPECT_EQ(list.data, "");
  EXPECT_EQ(FetchTftp(lab.tftp_port, {.name = "x", .opcode = 4, .timeout_ms = 50}).timed_out, true);
}

TEST_P(TftpServiceTest, SizeProbeIsNoFailure) {
  lab.Start();
  (void)FetchTftp(lab.tftp_port, {.name = "mapped/512",
                                  .options = Options(1468, 4),
                                  .blksize = 1468,
                                  .abort_after_oack = true});
  AwaitQuiet();
  lab.Stop();
  EXPECT_EQ(lab.tftp->counters().probes.value(), 1U);
  EXPECT_EQ(lab.tftp->counters().transfers_failed.value(), 0U);
  EXPECT_EQ(lab.sink.failed.load(), 0U);
}

TEST_P(TftpServiceTest, LostWindowIsSentAgain) {
  lab.Start();
  const TftpResult result = FetchTftp(lab.tftp_port, {.name = "mapped/600000",
                                                      .options = Options(1468, 4),
                                                      .blksize = 1468,
                                                      .windowsize = 4,
                                                      .lose_first_window = true});
  EXPECT_TRUE(result.data == Pattern(600'000))
      << result.data.size() << " bytes, error " << result.error << ", timed out "
      << result.timed_out << ", resends " << lab.tftp->counters().resends.value();
  AwaitQuiet();
  lab.Stop();
  EXPECT_GE(lab.tftp->counters().resends.value(), 1U);
}

TEST_P(TftpServiceTest, FifthTransferOfAnAddressWaits) {
  lab.Start();
  std::vector<std::thread> holders;
  for (int i = 0; i < 4; ++i) {
    // A plain request whose data is never acknowledged holds its session.
    holders.emplace_back([this] {
      (void)FetchTftp(lab.tftp_port,
                      {.name = "mapped/600000", .timeout_ms = 700, .lose_first_window = true});
    });
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_TRUE(FetchTftp(lab.tftp_port, {.name = "mapped/1", .timeout_ms = 100}).timed_out);
  for (auto& holder : holders) {
    holder.join();
  }
  EXPECT_EQ(lab.tftp->counters().dropped.value(), 1U);
  EXPECT_EQ(lab.tftp->sessions_open(), 4U);
  leaves_transfers_open = true;
}

TEST_P(TftpServiceTest, PendingContentIsSilence) {
  lab.content.pending = true;
  lab.Start();
  EXPECT_TRUE(FetchTftp(lab.tftp_port, {.name = "mapped/1", .timeout_ms = 100}).timed_out);
  lab.content.pending = false;
  EXPECT_TRUE(FetchTftp(lab.tftp_port, {.name = "mapped/1"}).data == Pattern(1));
}

INSTANTIATE_TEST_SUITE_P(Drivers, TftpServiceTest, ::testing::Values("epoll", "ring"),
                         [](const auto& drivers) { return std::string(drivers.param); });

}  // namespace
}  // namespace slipway::service
