// Journal, open loop: 100-byte records arrive at a fixed rate whatever the journal does; arrival to
// durable is what a client waits. The journal runs on its own thread over a real directory
// (SLIPWAY_BENCH_DIR, else the current one). Counters: p50/p99 in milliseconds, records reached per
// second, CPU microseconds per record of the whole process' journal side, and what one fdatasync
// costs. Short without SLIPWAY_BENCH_SECONDS.
#include <benchmark/benchmark.h>
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "dataplane/base/posix_disk.h"
#include "dataplane/journal/journal_thread.h"

namespace {

using namespace slipway;  // NOLINT(google-build-using-namespace): a bench

[[nodiscard]] std::string MakeDirectory() {
  const char* const base = std::getenv("SLIPWAY_BENCH_DIR");
  std::string name = std::string(base == nullptr ? "." : base) + "/journal-bench-XXXXXX";
  return mkdtemp(name.data()) == nullptr ? std::string() : name;
}

[[nodiscard]] double Seconds() {
  const char* const text = std::getenv("SLIPWAY_BENCH_SECONDS");
  return text == nullptr ? 0.2 : std::strtod(text, nullptr);
}

[[nodiscard]] double CpuSeconds(int who) {
  rusage usage{};
  (void)getrusage(who, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

[[nodiscard]] double Percentile(std::vector<double>& values, double part) {
  if (values.empty()) {
    return 0;
  }
  const auto at = static_cast<std::size_t>(part * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(at), values.end());
  return values[at];
}

// Submits at the rate and collects, on this thread, as a shard would.
class OpenLoop {
 public:
  OpenLoop(journal::JournalThread& thread, journal::Submitter& shard, double rate)
      : thread_(thread), shard_(shard), interval_ns_(1e9 / rate) {}

  void Run(double seconds) {
    const Instant begin = clock_.Now();
    const auto total = static_cast<std::size_t>(seconds * 1e9 / interval_ns_);
    arrivals_.reserve(total);
    latencies_ms_.reserve(total);
    std::size_t arrived = 0;
    while (latencies_ms_.size() + refused_ < total) {
      const Instant now = clock_.Now();
      const auto due =
          static_cast<std::size_t>(static_cast<double>((now - begin).ns) / interval_ns_);
      for (; arrived < std::min(due, total); ++arrived) {
        Arrive(begin.ns + static_cast<std::int64_t>(static_cast<double>(arrived) * interval_ns_));
      }
      shard_.Notify();
      Collect();
      if (arrived % 65536 < 64) {
        Acknowledge();
      }
      pollfd polled{.fd = shard_.wake_fd(), .events = POLLIN, .revents = 0};
      const timespec nap{.tv_sec = 0, .tv_nsec = 100'000};
      (void)ppoll(&polled, 1, &nap, nullptr);
    }
    seconds_ = static_cast<double>((clock_.Now() - begin).ns) * 1e-9;
  }

  void Report(benchmark::State& state) {
    state.counters["reached_per_s"] = static_cast<double>(latencies_ms_.size()) / seconds_;
    state.counters["refused"] = static_cast<double>(refused_);
    state.counters["p50_ms"] = Percentile(latencies_ms_, 0.5);
    state.counters["p99_ms"] = Percentile(latencies_ms_, 0.99);
    state.counters["records"] = static_cast<double>(latencies_ms_.size());
  }

 private:
  void Arrive(std::int64_t at_ns) {
    static constexpr std::array<std::byte, 100> kPayload{};
    if (shard_.Submit(journal::FactClass::kBootStep, 0, kPayload) == 0) {
      ++refused_;
    } else {
      arrivals_.push_back(at_ns);
    }
  }

  void Collect() {
    const std::uint64_t durable = shard_.Collect().ticket;
    const std::int64_t now = clock_.Now().ns;
    for (; latencies_ms_.size() < durable;) {
      latencies_ms_.push_back(static_cast<double>(now - arrivals_[latencies_ms_.size()]) * 1e-6);
    }
  }

  // As a region that keeps up would.
  void Acknowledge() {
    const journal::ClassCursor cursor = thread_.cursor(journal::FactClass::kBootStep);
    (void)thread_.Acknowledge(journal::FactClass::kBootStep, cursor.epoch, cursor.durable_next);
  }

  PosixClock clock_;
  journal::JournalThread& thread_;
  journal::Submitter& shard_;
  const double interval_ns_;
  std::vector<std::int64_t> arrivals_;
  std::vector<double> latencies_ms_;
  std::size_t refused_ = 0;
  double seconds_ = 0;
};

void OpenLoopRate(benchmark::State& state) {
  const std::string directory = MakeDirectory();
  auto disk = PosixDisk::Create(directory);
  PosixRandom random;
  PosixClock clock;
  journal::OpenReport report;
  auto opened = disk ? journal::Journal::Open(*disk, random, {}, report)
                     : Result<std::unique_ptr<journal::Journal>>(Fail(ErrorCode::kSystem));
  if (!opened) {
    state.SkipWithError("can not open a journal in the bench directory");
    return;
  }
  journal::JournalThread thread(std::move(*opened), clock);
  journal::Submitter* const shard = *thread.AddSubmitter();
  if (!thread.Start()) {
    state.SkipWithError("can not start the journal thread");
    return;
  }
  for (auto _ : state) {
    OpenLoop loop(thread, *shard, static_cast<double>(state.range(0)));
    const double process_before = CpuSeconds(RUSAGE_SELF);
    const double generator_before = CpuSeconds(RUSAGE_THREAD);
    loop.Run(Seconds());
    const double generator = CpuSeconds(RUSAGE_THREAD) - generator_before;
    const double cpu = CpuSeconds(RUSAGE_SELF) - process_before - generator;
    loop.Report(state);
    state.counters["cpu_us_per_record"] = cpu * 1e6 / state.counters["records"].value;
    const auto commits =
        static_cast<double>(std::max<std::uint64_t>(thread.counters().commits.value(), 1));
    state.counters["commit_ms"] =
        static_cast<double>(thread.counters().commit_ns.value()) * 1e-6 / commits;
  }
  thread.Stop();
  (void)std::filesystem::remove_all(directory);
}

BENCHMARK(OpenLoopRate)
    ->Arg(50'000)
    ->Arg(120'000)
    ->Arg(300'000)
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

// What the disk itself takes for one preallocated 4 KiB write and fdatasync.
void Fdatasync(benchmark::State& state) {
  const std::string directory = MakeDirectory();
  auto disk = PosixDisk::Create(directory);
  const auto file =
      disk ? disk->Open("file", OpenMode::kCreate) : Result<FileId>(Fail(ErrorCode::kSystem));
  if (!file || !disk->Preallocate(*file, 1 << 20) || !disk->Sync(*file)) {
    state.SkipWithError("can not write in the bench directory");
    return;
  }
  const std::vector<std::byte> block(4096, std::byte{1});
  std::uint64_t at = 0;
  for (auto _ : state) {
    (void)disk->WriteAt(*file, at, block);
    (void)disk->Sync(*file);
    at = (at + block.size()) & ((1 << 20) - 1);
  }
  disk->Close(*file);
  (void)std::filesystem::remove_all(directory);
}

BENCHMARK(Fdatasync)->Iterations(200)->Unit(benchmark::kMicrosecond)->UseRealTime();

}  // namespace
