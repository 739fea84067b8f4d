// What the cores of the file services cost: time and allocations (must be 0) per operation.
#include <benchmark/benchmark.h>

#include <array>
#include <cstdlib>
#include <string_view>

#include "dataplane/http/connection.h"
#include "dataplane/shard/seal.h"
#include "dataplane/tftp/session.h"

namespace slipway {
namespace {

using std::string_view_literals::operator""sv;

constexpr auto kRrq = "\0\1snponly.efi\0octet\0tsize\0000\0blksize\0001468\0windowsize\0004\0"sv;
constexpr std::string_view kGet =
    "GET /files/amd64/vmlinuz HTTP/1.1\r\nConnection: keep-alive\r\n"
    "User-Agent: iPXE/1.0.0+git-20190125.36a4c85-5.1\r\nHost: 10.77.0.1:5248\r\n\r\n";

// Reports the allocations of the loop and fails the run if there are any.
class AllocationCount {
 public:
  explicit AllocationCount(benchmark::State& state) : state_(state) {}

  ~AllocationCount() {
    const std::uint64_t made = shard::AllocationsOnThisThread() - before_;
    state_.counters["allocations"] = static_cast<double>(made);
    if (made != 0) {
      state_.SkipWithError("allocates");
    }
  }

  AllocationCount(const AllocationCount&) = delete;
  AllocationCount& operator=(const AllocationCount&) = delete;

 private:
  benchmark::State& state_;
  std::uint64_t before_ = shard::AllocationsOnThisThread();
};

void BM_TftpAdmit(benchmark::State& state) {
  const AllocationCount count(state);
  for (auto unused : state) {
    benchmark::DoNotOptimize(tftp::Admit(AsBytes(kRrq), 1810));
  }
}

BENCHMARK(BM_TftpAdmit);

void BM_TftpWindowStep(benchmark::State& state) {
  const auto request = tftp::ParseRequest(AsBytes(kRrq));
  tftp::TftpSession session;
  std::uint64_t acked = 0;
  std::array<std::byte, 4> ack{};
  StoreBig<std::uint16_t>(ack.data(), 4);
  (void)session.Start(*request, UINT64_MAX, {.blksize_max = 1468}, Instant{1});
  const AllocationCount count(state);
  for (auto unused : state) {
    StoreBig<std::uint16_t>(ack.data() + 2, static_cast<std::uint16_t>(acked));
    benchmark::DoNotOptimize(session.OnPacket(ack, Instant{1}));
    acked += 4;
  }
}

BENCHMARK(BM_TftpWindowStep);

void BM_HttpScan(benchmark::State& state) {
  http::Request request;
  const AllocationCount count(state);
  for (auto unused : state) {
    http::HeadScanner scanner;
    benchmark::DoNotOptimize(scanner.Scan(AsBytes(kGet), request));
  }
}

BENCHMARK(BM_HttpScan);

void BM_HttpExchange(benchmark::State& state) {
  constexpr std::array<http::Route, 2> kRoutes = {
      {{.path = "/boot/ipxe"}, {.path = "/files/", .prefix = true}}};
  constexpr WallTime kWall{1'780'000'000'000'000'000};
  http::HttpConnection connection;
  connection.Start(kRoutes, Instant{1});
  std::array<std::byte, http::kResponseHeadBytesMax> out;
  const AllocationCount count(state);
  for (auto unused : state) {
    (void)connection.OnInput(AsBytes(kGet), kWall, Instant{1}, out);
    benchmark::DoNotOptimize(connection.OnContent({.outcome = http::ContentOutcome::kFound,
                                                   .bytes = 8'000'000,
                                                   .validators = {.etag = "cafe", .modified = {}},
                                                   .content_type = {}},
                                                  kWall, Instant{1}, out));
    (void)connection.OnSent(Instant{1});
  }
}

BENCHMARK(BM_HttpExchange);

}  // namespace
}  // namespace slipway
