// slipway-bench dhcp: DHCP at load, against the real rack or another server, for bench/compare.
// The server has one core and the generator another; the region is stopped while it runs. A line
// for each measurement, key=value, so that a script can read it.
#include <CLI/CLI.hpp>
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bench/load/commands.h"
#include "bench/load/load_run.h"
#include "bench/load/perfdhcp.h"
#include "bench/load/rig.h"

namespace slipway::bench {

namespace {

using Work = LoadOptions::Work;

struct DhcpOptions {
  RigOptions rig;
  std::string server = "slipway";
  std::string start;  // the script that starts another server
  std::string work = "relayed";
  std::vector<double> rates;
  std::uint32_t window = 512;
  double seconds = 2;
  double part = 0.7;
  std::uint32_t clients = 50'000;
  int generator_cpu = -1;
  bool small = false;
};

class DhcpLoad {
 public:
  explicit DhcpLoad(const DhcpOptions& options)
      : options_(options), rig_(options.rig), clients_(options.rig.leases_max) {}

  int Run() {
    if (!rig_.Up()) {
      fmt::print(stderr, "{}\n", rig_.why());
      return rig_.no_rights() ? kExitSkipped : kExitUnable;
    }
    auto wire = rig_.OnFarEnd([&] { return LoadWire::Open(options_.rig.clients); });
    if (!wire) {
      fmt::print(stderr, "no socket: {}\n", ToString(wire.error().code));
      return kExitUnable;
    }
    wire_ = std::make_unique<LoadWire>(std::move(*wire));
    // What a rack keeps of a million leases is asked where the region has heard of them.
    if (options_.work != "start") {
      (void)rig_.region().Stop();
    }
    LeaveOtherSessions();
    if (options_.generator_cpu >= 0 && !PinToCpu(options_.generator_cpu)) {
      fmt::print(stderr, "there is no core {}\n", options_.generator_cpu);
      return kExitUnable;
    }
    if (AnswersAfterMs() < 0) {
      fmt::print(stderr, "the server does not answer\n");
      return kExitUnable;
    }
    Measure();
    const bool ours = options_.rig.peer.empty();
    const std::uint64_t allocations =
        ours ? rig_.RackMetric("slipway_sealed_allocations_total ") : 0;
    if (ours) {
      fmt::print("sealed_allocations={} commits={}", allocations,
                 rig_.RackMetric("slipway_journal_commits_total "));
      for (const std::string_view reason :
           {"queue_full", "oldest", "journal_down", "no_buffer", "stale", "before_snapshot"}) {
        fmt::print(
            " dropped_{}={}", reason,
            rig_.RackMetric(fmt::format("slipway_dhcp_dropped_total{{reason=\"{}\"}} ", reason)));
      }
      fmt::print(" dropped_kernel={} joined={}\n",
                 rig_.RackMetric("slipway_packets_kernel_drops_total "),
                 rig_.RackMetric("slipway_packets_joined_total "));
    }
    return right_ && allocations == 0 ? 0 : kExitWrong;
  }

 private:
  void Measure() {
    if (options_.work == "renew") {
      Renewals();
    } else if (options_.work == "burst") {
      Burst();
    } else if (options_.work == "start") {
      Start();
    } else if (options_.work == "perfdhcp") {
      PerfDhcp();
    } else {
      Exchanges();
    }
  }

  void Exchanges() {
    for (const double rate : options_.rates) {
      (void)One("rate", {.rate = rate});
    }
    if (options_.rates.empty()) {
      (void)One("warm", {.window = options_.window, .time_ms = TimeMs() / 4 + 1});
      const LoadResult most = One("most", {.window = options_.window});
      const double rate =
          options_.part * static_cast<double>(most.done) / std::max(most.seconds, 0.001);
      (void)One("part", {.rate = std::max(rate, 100.0)});
    }
  }

  void Renewals() {
    const std::uint32_t first = next_;
    (void)One("leases", {.count = options_.clients, .window = options_.window, .time_ms = 60'000});
    const std::uint32_t count = next_ - first;
    (void)One("most",
              {.work = Work::kRenew, .first = first, .count = count, .window = options_.window});
    (void)One("most",
              {.work = Work::kRenew, .first = first, .count = count, .window = options_.window});
  }

  void Burst() {
    (void)One("burst", {.work = Work::kDiscover,
                        .count = options_.clients,
                        .window = options_.clients,
                        .time_ms = 5'000,
                        .lost_ms = 4'000});
  }

  // The same rate by our generator and by perfdhcp, which asks as a relay on the servers' wire.
  void PerfDhcp() {
    const double rate = options_.rates.empty() ? 2'000 : options_.rates.front();
    (void)One("ours", {.rate = rate});
    const std::string log = rig_.path() + "/perfdhcp.log";
    Child other;
    const double cpu = rig_.rack().CpuSeconds();
    right_ = right_ && rig_.OnFarEnd([&] {
      return other.Start({options_.start, "perfdhcp", fmt::format("{:.0f}", rate),
                          fmt::format("{:.0f}", std::max(1.0, options_.seconds))},
                         log, options_.generator_cpu);
    });
    for (int i = 0; i < 1'000 && other.alive(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    const double cpu_us = (rig_.rack().CpuSeconds() - cpu) * 1e6;
    const PerfDhcpReport report = ReadPerfDhcp(ReadFile(log));
    right_ = right_ && report.done > 0;
    fmt::print(
        "server={} work=perfdhcp what=perfdhcp rate={:.0f} begun={} lost={} cpu_us={:.3f} "
        "offer_ms={:.3f} ack_ms={:.3f}\n",
        options_.server, rate, report.begun, report.begun - std::min(report.begun, report.done),
        cpu_us / static_cast<double>(std::max<std::uint64_t>(report.done, 1)), report.offer_ms,
        report.ack_ms);
  }

  // Memory and start with as many leases as there are clients.
  void Start() {
    const std::uint64_t empty_kib = rig_.rack().StatusKib("VmRSS");
    (void)One("leases", {.count = options_.clients, .window = options_.window, .time_ms = 600'000});
    const std::uint64_t full_kib = rig_.rack().StatusKib("VmRSS");
    const std::uint64_t retained = AwaitRegion();
    rig_.rack().Kill();
    const std::int64_t begin = NowNs();
    if (!rig_.StartRack()) {
      right_ = false;
      return;
    }
    const double ms = AnswersAfterMs(begin);
    right_ = right_ && ms >= 0;
    fmt::print(
        "server={} work=start what=start leases={} start_ms={:.0f} rss_empty_kib={} "
        "rss_kib={} rss_started_kib={} retained={}\n",
        options_.server, options_.clients, ms, empty_kib, full_kib, rig_.rack().StatusKib("VmRSS"),
        retained);
  }

  // Until the region has the leases, or nothing goes on any more; then it is stopped. How many
  // records the rack's journal still keeps.
  [[nodiscard]] std::uint64_t AwaitRegion() {
    if (!options_.rig.peer.empty()) {
      return 0;
    }
    constexpr std::string_view kRetained = "slipway_journal_retained_records ";
    constexpr int kQuietSeconds = 20;  // a checkpoint of a million leases takes 16
    constexpr int kSecondsMax = 300;   // a region that never comes to rest is not waited for
    std::uint64_t retained = rig_.RackMetric(kRetained);
    for (int quiet = 0, waited = 0; quiet < kQuietSeconds && waited < kSecondsMax; ++waited) {
      std::this_thread::sleep_for(std::chrono::seconds(1));
      const std::uint64_t before = std::exchange(retained, rig_.RackMetric(kRetained));
      quiet = retained == before ? quiet + 1 : 0;
    }
    (void)rig_.region().Stop();
    return retained;
  }

  [[nodiscard]] std::int64_t TimeMs() const {
    return static_cast<std::int64_t>(options_.seconds * 1e3);
  }

  // Fills in what is left open; new clients unless `first` is given.
  LoadResult One(std::string_view what, LoadOptions load) {
    const bool fresh = load.first == 0;
    if (fresh) {
      load.first = next_;
      const auto left = static_cast<std::uint32_t>(clients_.size()) - next_;
      load.count = std::min(load.count == 0 ? left : load.count, left);
    }
    load.time_ms = load.time_ms == LoadOptions{}.time_ms ? TimeMs() : load.time_ms;
    const double cpu = rig_.rack().CpuSeconds();
    LoadResult result = RunLoad(*wire_, clients_, load);
    const double cpu_us = (rig_.rack().CpuSeconds() - cpu) * 1e6;
    if (fresh) {
      next_ += static_cast<std::uint32_t>(result.begun);
    }
    const std::uint64_t wrong = result.wrong + result.naked + Shared(load.first);
    const auto done = static_cast<double>(std::max<std::uint64_t>(result.done, 1));
    fmt::print(
        "server={} work={} what={} rate={:.0f} done_per_s={:.0f} begun={} lost={} "
        "cpu_us={:.3f} generator_us={:.3f} p50_ms={:.3f} p99_ms={:.3f} max_ms={:.3f} "
        "wrong={}\n",
        options_.server, options_.work, what, load.rate,
        result.seconds > 0 ? done / result.seconds : 0, result.begun, result.begun - result.done,
        cpu_us / done, result.busy_us, Percentile(result.ms, 0.5), Percentile(result.ms, 0.99),
        Percentile(result.ms, 1), wrong);
    (void)std::fflush(stdout);
    right_ = right_ && result.done > 0 && wrong == 0;
    return result;
  }

  // Addresses that two clients were given.
  [[nodiscard]] std::uint64_t Shared(std::uint32_t first) const {
    std::vector<IpAddress> given;
    for (std::uint32_t i = first; i < next_; ++i) {
      if (clients_[i].at == LoadClient::At::kDone && clients_[i].address.is_set()) {
        given.push_back(clients_[i].address);
      }
    }
    std::sort(given.begin(), given.end());
    std::uint64_t shared = 0;
    for (std::size_t i = 1; i < given.size(); ++i) {
      shared += given[i] == given[i - 1] ? 1U : 0U;
    }
    return shared;
  }

  // A client asks until it is answered. Negative: it never was.
  [[nodiscard]] double AnswersAfterMs(std::int64_t begin = NowNs()) {
    for (int i = 0; i < 6'000 && rig_.rack().alive(); ++i) {
      const LoadResult result = RunLoad(*wire_, clients_,
                                        {.work = Work::kDiscover,
                                         .first = 0,
                                         .count = 1,
                                         .window = 1,
                                         .time_ms = 1,
                                         .lost_ms = 10});
      if (result.done == 1) {
        return static_cast<double>(NowNs() - begin) * 1e-6;
      }
    }
    return -1;
  }

  const DhcpOptions options_;
  Rig rig_;
  std::unique_ptr<LoadWire> wire_;
  std::vector<LoadClient> clients_;
  std::uint32_t next_ = 1;  // 0 asks whether the server is there
  bool right_ = true;
};

int RunDhcp(DhcpOptions options) {
  if (options.small) {
    options.seconds = 0.1;
    options.clients = 500;
    options.window = 64;
    options.rig.leases_max = 20'000;
  }
  const bool on_wire = options.work == "local" || options.work == "perfdhcp";
  options.rig.clients = on_wire                      ? Clients::kLocal
                        : options.work == "relayed6" ? Clients::kRelayed6
                                                     : Clients::kRelayed;
  if (options.server == "flip") {
    std::error_code error;
    options.rig.peer = {std::filesystem::read_symlink("/proc/self/exe", error), "flip"};
  } else if (options.server != "slipway") {
    options.rig.peer = {options.start, options.server, options.work};
  }
  return DhcpLoad(options).Run();
}

}  // namespace

void AddDhcpCommand(CLI::App& program, int& status) {
  CLI::App* const command =
      program.add_subcommand("dhcp", "DHCP at load: exchanges with durable leases and more");
  const auto options = std::make_shared<DhcpOptions>();
  AddRigOptions(*command, options->rig);
  command->remove_option(command->get_option("--hosts"));
  options->rig.leases_max = 1'048'576;
  command->add_option("--server", options->server, "slipway, flip, or what --start knows")
      ->capture_default_str();
  command->add_option("--start", options->start, "Program that starts the other servers");
  command
      ->add_option("--work", options->work,
                   "relayed, relayed6, local, renew, burst, start or perfdhcp")
      ->check(
          CLI::IsMember({"relayed", "relayed6", "local", "renew", "burst", "start", "perfdhcp"}))
      ->capture_default_str();
  command
      ->add_option("--rate", options->rates,
                   "Exchanges begun per second (open loop), one rate after the other; without: "
                   "as many as it takes, then --part of that")
      ->check(CLI::Range(10, 1'000'000));
  command->add_option("--part", options->part, "Load of the open loop after the closed one")
      ->check(CLI::Range(0.01, 2.0))
      ->capture_default_str();
  command->add_option("--window", options->window, "Exchanges under way in the closed loop")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  command->add_option("--seconds", options->seconds, "Length of each")
      ->check(CLI::Range(0.05, 60.0))
      ->capture_default_str();
  command->add_option("--clients", options->clients, "Clients of renew, burst and start")
      ->check(CLI::Range(1, 4'000'000))
      ->capture_default_str();
  command->add_option("--leases-max", options->rig.leases_max, "Leases of all runs together")
      ->check(CLI::Range(1'000, 4'000'000))
      ->capture_default_str();
  command->add_option("--server-cpu", options->rig.server_cpu, "The server's only core; -1: any");
  command->add_option("--generator-cpu", options->generator_cpu, "The generator's; -1: any");
  command->add_flag("--small", options->small, "A short one: checks what is right, not speed");
  command->callback([options, &status] { status = RunDhcp(*options); });
}

}  // namespace slipway::bench
