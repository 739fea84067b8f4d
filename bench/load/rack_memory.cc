// slipway-bench rack-memory: what a rack with many hosts and a lease for each takes, and how soon
// it serves after a cold start without a region.
#include <CLI/CLI.hpp>
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "bench/load/commands.h"
#include "bench/load/dora.h"
#include "bench/load/rig.h"

namespace slipway::bench {

namespace {

struct MemoryOptions {
  RigOptions rig;
  std::uint32_t leases = 100'000;
  double rate = 5'000;
  int starts = 5;
  bool small = false;
};

void PrintMemory(Rig& rig, std::string_view when) {
  fmt::print("{:<44} VmRSS {:>7.1f} MiB  VmHWM {:>7.1f} MiB\n", when,
             static_cast<double>(rig.rack().StatusKib("VmRSS")) / 1024,
             static_cast<double>(rig.rack().StatusKib("VmHWM")) / 1024);
}

// All hosts change, in few revisions: more than the region keeps as deltas.
[[nodiscard]] bool ChangeAllHosts(Rig& rig, std::uint32_t hosts, std::string_view options) {
  constexpr std::uint32_t kPerBulk = 5'000;
  for (std::uint32_t first = 0; first < hosts; first += kPerBulk) {
    std::string body = "[";
    for (std::uint32_t host = first; host < std::min(hosts, first + kPerBulk); ++host) {
      body += fmt::format(
          R"({}{{"verb":"patch","kind":"machine","id":"h{}","body":{{"kernel_options":"{}"}}}})",
          host == first ? "" : ",", host, options);
    }
    if (rig.api().Call("POST", "/v1/bulk", body + "]").status != 200) {
      return false;
    }
  }
  return true;
}

// Peaks: all hosts change under a rack that follows; then while it is down, so that it loads its
// last snapshot and takes a whole new one beside it.
[[nodiscard]] bool RunPeaks(Rig& rig, std::uint32_t hosts) {
  if (!ChangeAllHosts(rig, hosts, "first") || !rig.WaitCurrent()) {
    return false;
  }
  PrintMemory(rig, "all hosts changed, followed by deltas");
  rig.rack().Kill();
  if (!ChangeAllHosts(rig, hosts, "second") || !rig.StartRack() || !rig.WaitCurrent()) {
    return false;
  }
  PrintMemory(rig, "restarted, a whole new snapshot taken");
  std::this_thread::sleep_for(std::chrono::seconds(2));
  PrintMemory(rig, "2 s later");
  return true;
}

struct Start {
  double ready_ms = 0;  // fork to /readyz 200
  double offer_ms = 0;  // fork to the first OFFER of the reserved address
};

[[nodiscard]] bool ColdStart(Rig& rig, DhcpWire& wire, std::uint32_t xid, Start& start) {
  while (!wire.Receive().empty()) {
  }
  const std::int64_t begin = NowNs();
  if (!rig.StartRack()) {
    return false;
  }
  const std::int64_t end = begin + 60'000'000'000;
  while ((start.ready_ms == 0 || start.offer_ms == 0) && NowNs() < end && rig.rack().alive()) {
    if (start.offer_ms == 0) {
      (void)wire.Send({.xid = xid, .mac = Rig::HostMac(0)});
    }
    wire.Wait(-1, 1'000'000);
    for (const WireReply& reply : wire.Receive()) {
      if (reply.xid == xid && reply.address == Rig::HostAddress(0) && start.offer_ms == 0) {
        start.offer_ms = static_cast<double>(NowNs() - begin) * 1e-6;
      }
    }
    if (start.ready_ms == 0 && rig.RackIsReady()) {
      start.ready_ms = static_cast<double>(NowNs() - begin) * 1e-6;
    }
  }
  return start.ready_ms > 0 && start.offer_ms > 0;
}

[[nodiscard]] int RunStarts(Rig& rig, DhcpWire& wire, int starts) {
  (void)rig.region().Stop();
  std::vector<double> ready;
  std::vector<double> offer;
  for (int i = 0; i < starts; ++i) {
    rig.rack().Kill();
    Start start;
    if (!ColdStart(rig, wire, 0x7000'0000U + static_cast<std::uint32_t>(i), start)) {
      fmt::print(stderr, "the rack does not serve after a cold start\n");
      return kExitWrong;
    }
    ready.push_back(start.ready_ms);
    offer.push_back(start.offer_ms);
  }
  PrintMemory(rig, "after a cold start, region away");
  fmt::print(
      "killed and started, region away, {} times: /readyz 200 median {:.0f} max {:.0f} ms, "
      "first OFFER median {:.0f} max {:.0f} ms\n",
      starts, Percentile(ready, 0.5), Percentile(ready, 1), Percentile(offer, 0.5),
      Percentile(offer, 1));
  return 0;
}

int RunMemory(MemoryOptions options) {
  if (options.small) {
    options.rig.hosts = 200;
    options.leases = 200;
    options.rate = 500;
    options.starts = 1;
  }
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
  fmt::print("{} hosts, {} leases\n", options.rig.hosts, options.leases);
  PrintMemory(rig, "snapshot from the region taken");
  const DoraResult result = RunDora(*wire, {.hosts = std::min(options.leases, options.rig.hosts),
                                            .rate = options.rate,
                                            .tail_ms = 5'000,
                                            .tries = 5});
  fmt::print("leases made: {} in {:.1f} s\n", result.acked, result.seconds);
  PrintMemory(rig, "all leases made");
  std::this_thread::sleep_for(std::chrono::seconds(options.small ? 0 : 5));
  PrintMemory(rig, "5 s later");
  if (result.acked != std::min(options.leases, options.rig.hosts) || result.wrong != 0 ||
      rig.RackMetric("slipway_sealed_allocations_total ") != 0) {
    fmt::print(stderr, "{} acked, {} wrong\n", result.acked, result.wrong);
    return kExitWrong;
  }
  if (!RunPeaks(rig, options.rig.hosts)) {
    fmt::print(stderr, "the rack did not follow changes of all hosts: {}\n", rig.why());
    return kExitWrong;
  }
  return RunStarts(rig, *wire, options.starts);
}

}  // namespace

void AddRackMemoryCommand(CLI::App& program, int& status) {
  CLI::App* const command =
      program.add_subcommand("rack-memory", "Memory and cold start of a large rack");
  const auto options = std::make_shared<MemoryOptions>();
  options->rig.hosts = 100'000;
  AddRigOptions(*command, options->rig);
  command->add_option("--leases", options->leases, "Leases made, at most one per host")
      ->check(CLI::Range(1, 131'072))
      ->capture_default_str();
  command->add_option("--starts", options->starts, "Cold starts")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  command->add_flag("--small", options->small, "A few hosts: checks what is right, not size");
  command->callback([options, &status] { status = RunMemory(*options); });
}

}  // namespace slipway::bench
