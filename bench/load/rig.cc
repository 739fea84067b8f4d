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

std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
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
  for (const int file : {near_namespace_, far_namespace_}) {
    if (file >= 0) {
      (void)close(file);
    }
  }
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
  if (!MakeNetwork()) {
    return false;
  }
  if (!options_.peer.empty()) {
    return StartRack();
  }
  return StartRegion() && MakeModel() && MakeHosts() && Enrol();
}

bool Rig::MakeNetwork() {
  const std::string machines(kMachinesInterface);
  const std::string client(kClientInterface);
  if (!Ip({{"link", "set", "lo", "up"},
           {"link", "add", machines, "type", "veth", "peer", "name", client},
           {"address", "add", "10.128.0.1/12", "dev", machines},
           {"link", "set", machines, "up"}})) {
    return false;
  }
  if (options_.clients == Clients::kReserved) {
    return Ip({{"link", "set", client, "arp", "off"}, {"link", "set", client, "up"}});
  }
  return PartFarEnd() && (options_.clients != Clients::kRelayed6 || AddAddresses6());
}

// The far end in a namespace of its own. A relay there has an address on the wire and its giaddr.
bool Rig::PartFarEnd() {
  const auto open_own = [] { return open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC); };
  near_namespace_ = open_own();
  if (unshare(CLONE_NEWNET) != 0) {
    return Fails("no right to make a second network namespace");
  }
  far_namespace_ = open_own();
  Move(near_namespace_);
  const std::string client(kClientInterface);
  const std::string far = fmt::format("/proc/{}/fd/{}", getpid(), far_namespace_);
  const bool moved = Ip({{"link", "set", client, "netns", far},
                         {"route", "add", "10.64.0.0/11", "via", "10.128.0.2"}});
  return moved && OnFarEnd([&] {
           return Ip({{"link", "set", "lo", "up"},
                      {"address", "add", "10.128.0.2/12", "dev", client},
                      {"address", "add", "10.64.0.1/32", "dev", "lo"},
                      {"link", "set", client, "up"}});
         });
}

// Without a look whether somebody else has them: servers want them at once.
bool Rig::AddAddresses6() {
  const auto add = [this](std::string_view interface, const std::vector<std::string>& addresses) {
    std::vector<std::vector<std::string>> steps;
    for (const std::string& address : addresses) {
      steps.push_back({"-6", "address", "add", address, "dev", std::string(interface), "nodad"});
    }
    return Ip(steps);
  };
  const auto on_wire = [](const Ipv6Address& address) {
    return std::string(ToText(address).view()) + "/64";
  };
  return add(kMachinesInterface, {"fe80::1/64", on_wire(kRackAddress6)}) && OnFarEnd([&] {
           return add(kClientInterface, {"fe80::2/64", on_wire(kRelayWireAddress6)});
         });
}

void Rig::Move(int network_namespace) {
  if (network_namespace >= 0) {
    (void)setns(network_namespace, CLONE_NEWNET);
  }
}

bool Rig::Ip(const std::vector<std::vector<std::string>>& steps) {
  for (const auto& step : steps) {
    std::vector<std::string> arguments = {"/usr/bin/env", "ip"};
    arguments.insert(arguments.end(), step.begin(), step.end());
    Child child;
    if (!child.Start(arguments, path_ + "/ip.log") || !WaitFor(5, [&] { return !child.alive(); })) {
      return Fails("ip does not run");
    }
  }
  if (!ReadFile(path_ + "/ip.log").empty()) {
    return Fails("ip: " + LastLines(ReadFile(path_ + "/ip.log")));
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
  std::string token = ReadFile(path_ + "/region/admin-token");
  while (!token.empty() && token.back() == '\n') {
    token.pop_back();
  }
  api_.Aim(kApiPort, token);
  return ready || Fails("slipway-region does not become ready: " + LastLines(ReadFile(log)));
}

bool Rig::Post(std::string_view path, std::string_view body) {
  const HttpAnswer answer = api_.Call("POST", path, body);
  return answer.status / 100 == 2 ||
         Fails(fmt::format("POST {}: {} {}", path, answer.status, answer.body.substr(0, 400)));
}

bool Rig::MakeModel() {
  const bool reserved = options_.clients == Clients::kReserved;
  const std::string vlan =
      fmt::format(R"({{"name":"bench","fabric":"bench","vid":0,"unknown_policy":"{}"}})",
                  reserved ? "ignore" : "local");
  const auto subnet = [this](std::string_view name, std::string_view cidr) {
    return Post("/v1/subnets",
                fmt::format(R"({{"name":"{}","vlan":"bench","cidr":"{}","lease_seconds":86400}})",
                            name, cidr));
  };
  const auto range = [this](std::string_view name, std::string_view first, std::string_view last) {
    return Post("/v1/ranges",
                fmt::format(R"({{"subnet":"{}","kind":"dynamic","first":"{}","last":"{}"}})", name,
                            first, last));
  };
  if (!Post("/v1/fabrics", R"({"name":"bench"})") || !Post("/v1/vlans", vlan) ||
      !subnet("bench", "10.128.0.0/12")) {
    return false;
  }
  switch (options_.clients) {
    case Clients::kReserved:
      return true;
    case Clients::kLocal:
      return range("bench", "10.129.0.0", "10.143.255.254");
    case Clients::kRelayed:
      return subnet("far", "10.64.0.0/11") && range("far", "10.65.0.0", "10.95.255.254");
    case Clients::kRelayed6:
      return subnet("far6", "2001:db8:0:64::/64") &&
             range("far6", "2001:db8:0:64::1:0:0", "2001:db8:0:64::1:ffff:ffff");
  }
  return false;
}

MacAddress Rig::HostMac(std::uint32_t host) {
  return MacAddress::FromU64(0x0210'0000'0000 + std::uint64_t{host});
}

Ipv4Address Rig::HostAddress(std::uint32_t host) { return {kFirstHostAddress + host}; }

bool Rig::MakeHosts() {
  if (options_.clients != Clients::kReserved) {
    return true;
  }
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
  if (!options_.peer.empty()) {
    std::vector<std::string> peer = options_.peer;
    peer.push_back(path_);
    return rack_.Start(peer, path_ + "/rack.log", options_.server_cpu) ||
           Fails(peer.front() + " cannot be started");
  }
  admin_.AimUnix(path_ + "/rack/rack.sock");
  return rack_.Start({ProgramDirectory() + "/slipway-rack", "--config", path_ + "/rack.toml"},
                     path_ + "/rack.log", options_.server_cpu) ||
         Fails("slipway-rack cannot be started");
}

bool Rig::Enrol() {
  const HttpAnswer token = api_.Call("POST", "/v1/racks/tokens", "{}");
  WriteText(path_ + "/token", JsonText(token.body, "token"));
  (void)chmod((path_ + "/token").c_str(), 0600);
  WriteText(path_ + "/rack.toml",
            fmt::format("name = \"bench\"\nstate_dir = \"{0}/rack\"\nimages_dir = \"{0}/images\"\n"
                        "join_token_file = \"{0}/token\"\ninterfaces = [\"{1}\"]\nio = \"{2}\"\n"
                        "leases_max = {3}\n",
                        path_, kMachinesInterface, options_.io, options_.leases_max));
  if (!StartRack()) {
    return false;
  }
  const bool known = WaitFor(20, [&] { return api_.Call("GET", "/v1/racks/bench").status == 200; });
  if (!known) {
    return Fails("the rack does not enrol: " + LastLines(ReadFile(path_ + "/rack.log")));
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
                          LastLines(ReadFile(path_ + "/rack.log")));
}

bool Rig::RackIsReady() { return admin_.Call("GET", "/readyz").status == 200; }

std::uint64_t Rig::RackMetric(std::string_view name) {
  const std::string body = "\n" + admin_.Call("GET", "/metrics").body;
  const std::size_t at = body.find("\n" + std::string(name));
  return at == std::string::npos ? 0
                                 : std::strtoull(body.c_str() + at + 1 + name.size(), nullptr, 10);
}

}  // namespace slipway::bench
