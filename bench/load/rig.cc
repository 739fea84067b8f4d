#include "bench/load/rig.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

namespace slipway::bench {

namespace {

constexpr std::uint16_t kApiPort = 5240;
constexpr std::uint32_t kHostsPerBulk = 5'000;

[[nodiscard]] std::string ReadText(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void WriteText(const std::string& path, std::string_view text) {
  std::ofstream out(path, std::ios::binary);
  out << text;
}

// The text after "key": in a JSON text.
[[nodiscard]] std::string JsonText(const std::string& json, const std::string& key) {
  const std::size_t at = json.find('"' + key + '"');
  if (at == std::string::npos) {
    return {};
  }
  const std::size_t open = json.find('"', json.find(':', at));
  return json.substr(open + 1, json.find('"', open + 1) - open - 1);
}

[[nodiscard]] std::string ProgramDirectory() {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
}

[[nodiscard]] std::string LastLines(const std::string& text) {
  return text.size() > 600 ? text.substr(text.size() - 600) : text;
}

// Until this process is in a namespace of its own, nothing may be made.
[[nodiscard]] bool EnterNamespace() {
  if (unshare(CLONE_NEWNET) == 0) {
    return true;
  }
  const uid_t user = getuid();
  const gid_t group = getgid();
  if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
    return false;
  }
  WriteText("/proc/self/setgroups", "deny");
  WriteText("/proc/self/uid_map", fmt::format("0 {} 1", user));
  WriteText("/proc/self/gid_map", fmt::format("0 {} 1", group));
  return true;
}

}  // namespace

std::int64_t NowNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

double Percentile(std::vector<double>& values, double part) {
  if (values.empty()) {
    return 0;
  }
  std::sort(values.begin(), values.end());
  const double rank = std::ceil(part * static_cast<double>(values.size()));
  return values[static_cast<std::size_t>(std::max(rank, 1.0)) - 1];
}

std::string Percentiles(std::vector<double>& values_ms) {
  return fmt::format("p50 {:.2f}  p90 {:.2f}  p99 {:.2f}  p99.9 {:.2f}  max {:.2f} ms",
                     Percentile(values_ms, 0.5), Percentile(values_ms, 0.9),
                     Percentile(values_ms, 0.99), Percentile(values_ms, 0.999),
                     Percentile(values_ms, 1));
}

Rig::~Rig() {
  (void)rack_.Stop();
  (void)region_.Stop();
  if (!path_.empty() && std::getenv("SLIPWAY_BENCH_KEEP") == nullptr) {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
  }
}

bool Rig::Fails(std::string why) {
  why_ = std::move(why);
  return false;
}

template <typename Done>
bool Rig::WaitFor(int seconds, Done done) {
  const std::int64_t end = NowNs() + std::int64_t{seconds} * 1'000'000'000;
  while (!done()) {
    if (NowNs() > end) {
      return false;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

bool Rig::Up() {
  if (!EnterNamespace()) {
    no_rights_ = true;
    return Fails("no right to make a network namespace");
  }
  std::string name = options_.directory + "/slipway-bench-XXXXXX";
  if (mkdtemp(name.data()) == nullptr) {
    return Fails("cannot make a directory in " + options_.directory);
  }
  path_ = name;
  for (const char* const folder : {"/region", "/rack", "/images"}) {
    (void)mkdir((path_ + folder).c_str(), 0700);
  }
  return MakeNetwork() && StartRegion() && MakeModel() && MakeHosts() && Enrol();
}

bool Rig::MakeNetwork() {
  const std::string machines(kMachinesInterface);
  const std::string client(kClientInterface);
  const std::vector<std::vector<std::string>> steps = {
      {"link", "set", "lo", "up"},
      {"link", "add", machines, "type", "veth", "peer", "name", client},
      {"address", "add", "10.128.0.1/13", "dev", machines},
      {"link", "set", client, "arp", "off"},
      {"link", "set", machines, "up"},
      {"link", "set", client, "up"}};
  for (const auto& step : steps) {
    std::vector<std::string> arguments = {"/usr/bin/env", "ip"};
    arguments.insert(arguments.end(), step.begin(), step.end());
    Child child;
    if (!child.Start(arguments, path_ + "/ip.log") || !WaitFor(5, [&] { return !child.alive(); })) {
      return Fails("ip does not run");
    }
  }
  if (!ReadText(path_ + "/ip.log").empty()) {
    return Fails("ip: " + LastLines(ReadText(path_ + "/ip.log")));
  }
  return true;
}

bool Rig::StartRegion() {
  WriteText(path_ + "/region.toml",
            fmt::format("state_dir = \"{0}/region\"\n[images]\ndir = \"{0}/images\"\n[link]\n"
                        "listen = \"127.0.0.1\"\nendpoints = [\"tcp://127.0.0.1:5250\"]\n",
                        path_));
  const std::string log = path_ + "/region.log";
  if (!region_.Start({ProgramDirectory() + "/slipway-region", "--config", path_ + "/region.toml"},
                     log)) {
    return Fails("slipway-region cannot be started");
  }
  api_.Aim(kApiPort, "");
  const bool ready = WaitFor(20, [&] { return api_.Call("GET", "/readyz").status == 200; });
  std::string token = ReadText(path_ + "/region/admin-token");
  while (!token.empty() && token.back() == '\n') {
    token.pop_back();
  }
  api_.Aim(kApiPort, token);
  return ready || Fails("slipway-region does not become ready: " + LastLines(ReadText(log)));
}

bool Rig::Post(std::string_view path, std::string_view body) {
  const HttpAnswer answer = api_.Call("POST", path, body);
  return answer.status / 100 == 2 ||
         Fails(fmt::format("POST {}: {} {}", path, answer.status, answer.body.substr(0, 400)));
}

bool Rig::MakeModel() {
  return Post("/v1/fabrics", R"({"name":"bench"})") &&
         Post("/v1/vlans",
              R"({"name":"bench","fabric":"bench","vid":0,"unknown_policy":"ignore"})") &&
         Post("/v1/subnets",
              R"({"name":"bench","vlan":"bench","cidr":"10.128.0.0/13","lease_seconds":86400})");
}

MacAddress Rig::HostMac(std::uint32_t host) {
  return MacAddress::FromU64(0x0210'0000'0000 + std::uint64_t{host});
}

Ipv4Address Rig::HostAddress(std::uint32_t host) { return {kFirstHostAddress + host}; }

bool Rig::MakeHosts() {
  for (std::uint32_t first = 0; first < options_.hosts; first += kHostsPerBulk) {
    std::string body = "[";
    const std::uint32_t end = std::min(options_.hosts, first + kHostsPerBulk);
    for (std::uint32_t host = first; host < end; ++host) {
      body +=
          fmt::format(R"({}{{"verb":"create","kind":"machine","body":{{"hostname":"h{}"}}}},)"
                      R"({{"verb":"create","kind":"interface","body":{{"machine":"h{}","mac":"{}",)"
                      R"("vlan":"bench","address":"{}"}}}})",
                      host == first ? "" : ",", host, host, ToText(HostMac(host)).view(),
                      ToText(HostAddress(host)).view());
    }
    if (!Post("/v1/bulk", body + "]")) {
      return false;
    }
  }
  return true;
}

bool Rig::StartRack() {
  admin_.AimUnix(path_ + "/rack/rack.sock");
  return rack_.Start({ProgramDirectory() + "/slipway-rack", "--config", path_ + "/rack.toml"},
                     path_ + "/rack.log") ||
         Fails("slipway-rack cannot be started");
}

bool Rig::Enrol() {
  const HttpAnswer token = api_.Call("POST", "/v1/racks/tokens", "{}");
  WriteText(path_ + "/token", JsonText(token.body, "token"));
  (void)chmod((path_ + "/token").c_str(), 0600);
  WriteText(path_ + "/rack.toml",
            fmt::format("name = \"bench\"\nstate_dir = \"{0}/rack\"\nimages_dir = \"{0}/images\"\n"
                        "join_token_file = \"{0}/token\"\ninterfaces = [\"{1}\"]\nio = \"{2}\"\n",
                        path_, kMachinesInterface, options_.io));
  if (!StartRack()) {
    return false;
  }
  const bool known = WaitFor(20, [&] { return api_.Call("GET", "/v1/racks/bench").status == 200; });
  if (!known) {
    return Fails("the rack does not enrol: " + LastLines(ReadText(path_ + "/rack.log")));
  }
  const std::string served =
      fmt::format(R"({{"rack":"bench","name":"{}","vlan":"bench"}})", kMachinesInterface);
  if (!Post("/v1/served-interfaces", served)) {
    return false;
  }
  return WaitCurrent();
}

bool Rig::WaitCurrent() {
  const bool current = WaitFor(60, [&] {
    const std::string body = api_.Call("GET", "/v1/racks/bench").body;
    return body.find("\"connected\":true") != std::string::npos &&
           body.find("\"current\":true") != std::string::npos && RackIsReady() &&
           RackMetric("slipway_interfaces_served ") == 1;
  });
  return current || Fails("the rack does not take its configuration: " +
                          LastLines(ReadText(path_ + "/rack.log")));
}

bool Rig::RackIsReady() { return admin_.Call("GET", "/readyz").status == 200; }

std::uint64_t Rig::RackMetric(std::string_view name) {
  const std::string body = "\n" + admin_.Call("GET", "/metrics").body;
  const std::size_t at = body.find("\n" + std::string(name));
  return at == std::string::npos ? 0
                                 : std::strtoull(body.c_str() + at + 1 + name.size(), nullptr, 10);
}

}  // namespace slipway::bench
