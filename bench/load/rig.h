// What the load benches stand on: a real slipway-region and slipway-rack, and a wire between the
// rack and the bench. All of it is in one network namespace of this process' own, so that nothing
// of the host is touched and nothing is left behind: children die with the bench, and the namespace
// with them.
//
//   region --- loopback --- rack --- machines0 (veth) client0 --- the bench
//
// `slipway-bench dhcp` has the far end in a second namespace, where a relay can have addresses, and
// may have another server in the place of region and rack.
//
// One thread. Cold code.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/base/address.h"

namespace slipway::bench {

inline constexpr std::string_view kMachinesInterface = "machines0";
inline constexpr std::string_view kClientInterface = "client0";
inline constexpr Ipv4Address kRackAddress{0x0A80'0001};          // 10.128.0.1/13
inline constexpr std::uint32_t kFirstHostAddress = 0x0A80'0400;  // 10.128.4.0
inline constexpr std::uint32_t kFirstNewAddress = 0x0A84'0000;   // 10.132.0.0: reservation bench
inline constexpr Ipv4Address kRelayAddress{0x0A40'0001};         // 10.64.0.1/11: giaddr, far end

// 2001:db8:0:<link>::<host>
[[nodiscard]] constexpr Ipv6Address BenchAddress6(std::uint8_t link, std::uint8_t host) {
  Ipv6Address address{{0x20, 0x01, 0x0D, 0xB8}};
  address.octets[7] = link;
  address.octets[15] = host;
  return address;
}

// Of DHCPv6: on the wire, and of the relay on its clients' link.
inline constexpr Ipv6Address kRackAddress6 = BenchAddress6(0x80, 1);
inline constexpr Ipv6Address kRelayWireAddress6 = BenchAddress6(0x80, 2);
inline constexpr Ipv6Address kRelayAddress6 = BenchAddress6(0x64, 1);

[[nodiscard]] std::int64_t NowNs();

// Empty if it is not there.
[[nodiscard]] std::string ReadFile(const std::string& path);

// Nearest rank; sorts. 0 of nothing.
[[nodiscard]] double Percentile(std::vector<double>& values, double part);

// "p50 1.23  p99 ...  ms": of milliseconds.
[[nodiscard]] std::string Percentiles(std::vector<double>& values_ms);

// A session of its own with the best autogroup there is, so that other sessions of the machine
// weigh less on the figures. Without the right to it, it stays as it is.
void LeaveOtherSessions();
// The calling thread runs on this core alone. False: there is no such core.
[[nodiscard]] bool PinToCpu(int cpu);

// A child with its outputs appended to a file. It gets SIGKILL when its owner goes.
class Child {
 public:
  Child() = default;
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  ~Child() { Kill(); }

  // `cpu`: the only core it may use; -1: any.
  [[nodiscard]] bool Start(const std::vector<std::string>& arguments, const std::string& log,
                           int cpu = -1);
  // SIGTERM and up to 10 s; then SIGKILL. False if it had to be killed.
  bool Stop();
  void Kill();

  [[nodiscard]] bool alive();

  // A figure of /proc/<pid>/status, such as VmRSS or VmHWM, in KiB.
  [[nodiscard]] std::uint64_t StatusKib(std::string_view key) const;
  // CPU time of all its threads.
  [[nodiscard]] double CpuSeconds() const;

  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
};

struct HttpAnswer {
  int status = 0;  // 0: none came
  std::string body;
};

// One connection, kept; a request at a time.
class HttpClient {
 public:
  HttpClient() = default;
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  ~HttpClient() { Close(); }

  void Aim(std::uint16_t port, std::string token);
  void AimUnix(std::string path);

  // Sends without waiting for the answer. False: no connection.
  [[nodiscard]] bool Send(std::string_view method, std::string_view path, std::string_view body);
  // Takes what has come, without waiting. True: the answer is whole (status 0: connection lost).
  [[nodiscard]] bool TryReceive(HttpAnswer& answer);
  // Send, and up to 60 s of waiting.
  [[nodiscard]] HttpAnswer Call(std::string_view method, std::string_view path,
                                std::string_view body = {});

  [[nodiscard]] int fd() const { return fd_; }

 private:
  [[nodiscard]] bool Connect();
  void Close();

  std::uint16_t port_ = 0;
  std::string unix_path_;
  std::string token_;
  int fd_ = -1;
  std::string received_;
};

// Where dynamic clients are; what the model and the wire are made for.
enum class Clients : std::uint8_t {
  kReserved,  // on the wire, with a reservation each
  kLocal,     // on the wire, from a range of 10.128.0.0/12
  kRelayed,   // behind a relay, from a range of 10.64.0.0/11
  kRelayed6,  // behind a relay, from a range of 2001:db8:0:64::/64
};

struct RigOptions {
  std::string directory = "/tmp";  // on which disk the state lies
  std::string io = "auto";
  std::uint32_t hosts = 10'000;
  Clients clients = Clients::kReserved;
  int server_cpu = -1;
  std::uint32_t leases_max = 131'072;
  // Not empty: this instead of region and rack, with the state's directory appended.
  std::vector<std::string> peer;
};

class Rig {
 public:
  explicit Rig(RigOptions options) : options_(std::move(options)) {}

  Rig(const Rig&) = delete;
  Rig& operator=(const Rig&) = delete;

  ~Rig();

  // Puts this process into the namespace and starts everything: region, model, hosts, rack. Returns
  // when the rack serves all of it. False, with `why`: it cannot be done here.
  [[nodiscard]] bool Up();
  // The peer, if there is one, instead of the rack.
  [[nodiscard]] bool StartRack();

  // Calls `open` in the namespace of the wire's far end, for sockets to be made there.
  template <typename Open>
  auto OnFarEnd(Open open) {
    Move(far_namespace_);
    auto result = open();
    Move(near_namespace_);
    return result;
  }

  // Until what is live on the rack is what the region wants there.
  [[nodiscard]] bool WaitCurrent();
  // /readyz of the rack says 200.
  [[nodiscard]] bool RackIsReady();
  // The value of a line of the rack's /metrics that starts with `name`; 0 if there is none.
  [[nodiscard]] std::uint64_t RackMetric(std::string_view name);

  // No rights for namespaces here: a skip, not a failure.
  [[nodiscard]] bool no_rights() const { return no_rights_; }

  [[nodiscard]] const std::string& why() const { return why_; }

  // Where its files are, and those of who uses it.
  [[nodiscard]] const std::string& path() const { return path_; }

  [[nodiscard]] HttpClient& api() { return api_; }

  [[nodiscard]] Child& region() { return region_; }

  [[nodiscard]] Child& rack() { return rack_; }

  [[nodiscard]] static MacAddress HostMac(std::uint32_t host);
  [[nodiscard]] static Ipv4Address HostAddress(std::uint32_t host);

 private:
  [[nodiscard]] bool Fails(std::string why);
  [[nodiscard]] bool MakeNetwork();
  [[nodiscard]] bool PartFarEnd();
  [[nodiscard]] bool AddAddresses6();
  [[nodiscard]] bool Ip(const std::vector<std::vector<std::string>>& steps);
  static void Move(int network_namespace);
  [[nodiscard]] bool StartRegion();
  [[nodiscard]] bool MakeModel();
  [[nodiscard]] bool MakeHosts();
  [[nodiscard]] bool Enrol();
  [[nodiscard]] bool Post(std::string_view path, std::string_view body);
  // Polls every 20 ms.
  template <typename Done>
  [[nodiscard]] bool WaitFor(int seconds, Done done);

  RigOptions options_;
  std::string path_;
  std::string why_;
  bool no_rights_ = false;
  int near_namespace_ = -1;
  int far_namespace_ = -1;
  Child region_;
  Child rack_;
  HttpClient api_;
  HttpClient admin_;
};

}  // namespace slipway::bench
