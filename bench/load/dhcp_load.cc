// slipway-bench dhcp: whole DHCP exchanges through the real rack, each with a new lease on disk
// before its ACK. Open loop: clients begin at a fixed rate. The region is stopped while it runs.
#include <CLI/CLI.hpp>
#include <fmt/core.h>

#include <memory>
#include <vector>

#include "bench/load/commands.h"
#include "bench/load/dora.h"
#include "bench/load/rig.h"

namespace slipway::bench {

namespace {

struct DhcpOptions {
  RigOptions rig;
  std::vector<double> rates = {1'000, 5'000, 10'000, 20'000};
  double seconds = 2;
  bool small = false;
};

int RunDhcp(DhcpOptions options) {
  if (options.small) {
    options.rates = {500};
    options.seconds = 0.2;
  }
  double hosts = 0;
  for (const double rate : options.rates) {
    hosts += rate * options.seconds;
  }
  options.rig.hosts = static_cast<std::uint32_t>(hosts);
  Rig rig(options.rig);
  if (!rig.Up()) {
    fmt::print(stderr, "{}\n", rig.why());
    return rig.no_rights() ? kExitSkipped : kExitUnable;
  }
  auto wire = DhcpWire::Open(kClientInterface);
  if (!wire) {
    fmt::print(stderr, "no packet socket: {}\n", ToString(wire.error().code));
    return kExitUnable;
  }
  (void)rig.region().Stop();
  fmt::print("{:>9} {:>9} {:>8} {:>8} {:>12} {:>10} {}\n", "begun/s", "acked/s", "begun", "lost",
             "CPU us/DORA", "commits", "begin to ACK");
  bool right = true;
  std::uint32_t first = 0;
  for (const double rate : options.rates) {
    const auto count = static_cast<std::uint32_t>(rate * options.seconds);
    const std::uint64_t commits = rig.RackMetric("slipway_journal_commits_total ");
    const double cpu = rig.rack().CpuSeconds();
    DoraResult result = RunDora(*wire, {.first_host = first, .hosts = count, .rate = rate});
    const double cpu_us = (rig.rack().CpuSeconds() - cpu) * 1e6;
    const auto acked = static_cast<double>(result.acked);
    fmt::print("{:>9.0f} {:>9.0f} {:>8} {:>8} {:>12.1f} {:>10} {}\n", rate,
               result.seconds > 0 ? acked / result.seconds : 0, result.begun,
               result.begun - result.acked, acked > 0 ? cpu_us / acked : 0,
               rig.RackMetric("slipway_journal_commits_total ") - commits,
               Percentiles(result.ack_ms));
    right = right && result.wrong == 0 && result.naked == 0 && result.acked > 0;
    first += count;
  }
  const std::uint64_t allocations = rig.RackMetric("slipway_sealed_allocations_total ");
  fmt::print("sealed allocations {}\n", allocations);
  return right && allocations == 0 ? 0 : kExitWrong;
}

}  // namespace

void AddDhcpCommand(CLI::App& program, int& status) {
  CLI::App* const command =
      program.add_subcommand("dhcp", "Whole exchanges per second, each lease on disk first");
  const auto options = std::make_shared<DhcpOptions>();
  AddRigOptions(*command, options->rig);
  command->remove_option(command->get_option("--hosts"));
  command->add_option("--rate", options->rates, "Exchanges begun per second, one after the other")
      ->check(CLI::Range(10, 1'000'000));
  command->add_option("--seconds", options->seconds, "Length of each")
      ->check(CLI::Range(0.05, 60.0))
      ->capture_default_str();
  command->add_flag("--small", options->small, "A short one: checks what is right, not speed");
  command->callback([options, &status] { status = RunDhcp(*options); });
}

}  // namespace slipway::bench
