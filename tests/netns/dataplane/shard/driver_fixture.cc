#include "tests/netns/dataplane/shard/driver_fixture.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>

#include "dataplane/base/random.h"
#include "dataplane/epoll/epoll_driver.h"
#include "dataplane/ring/ring_driver.h"
#include "dataplane/ring/ring_probe.h"

namespace slipway::shard {

namespace {

bool own_namespace = false;

void WriteFile(const char* path, const std::string& text) {
  const OwnedFd file(::open(path, O_WRONLY | O_CLOEXEC));
  if (file.valid()) {
    (void)!::write(file.get(), text.data(), text.size());
  }
}

bool EnterNamespace() {
  const uid_t uid = ::getuid();
  const gid_t gid = ::getgid();
  if (uid == 0) {
    return ::unshare(CLONE_NEWNET) == 0;
  }
  if (::unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
    return false;
  }
  WriteFile("/proc/self/setgroups", "deny");
  WriteFile("/proc/self/uid_map", "0 " + std::to_string(uid) + " 1");
  WriteFile("/proc/self/gid_map", "0 " + std::to_string(gid) + " 1");
  return true;
}

bool BringUpLoopback() {
  const OwnedFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  if (::ioctl(fd.get(), SIOCGIFFLAGS, &request) != 0) {
    return false;
  }
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP | IFF_RUNNING);
  return ::ioctl(fd.get(), SIOCSIFFLAGS, &request) == 0;
}

class NamespaceEnvironment final : public ::testing::Environment {
 public:
  void SetUp() override {
    if (std::getenv("SLIPWAY_NO_NETNS") == nullptr) {
      own_namespace = EnterNamespace() && BringUpLoopback();
    }
  }
};

// GoogleTest takes it over.
const ::testing::Environment* const environment =
    ::testing::AddGlobalTestEnvironment(new NamespaceEnvironment);

LocalEnd FromName(const sockaddr_in6& name) {
  LocalEnd end;
  if (name.sin6_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &name, sizeof(v4));
    end.address = Ipv4Address{ntohl(v4.sin_addr.s_addr)};
    end.port = ntohs(v4.sin_port);
  } else {
    end.address = std::bit_cast<Ipv6Address>(name.sin6_addr);
    end.port = ntohs(name.sin6_port);
  }
  return end;
}

}  // namespace

bool HasOwnNamespace() { return own_namespace; }

int RunProgram(const std::vector<std::string>& arguments) {
  std::vector<char*> argv;
  for (const std::string& argument : arguments) {
    argv.push_back(const_cast<char*>(argument.c_str()));
  }
  argv.push_back(nullptr);
  pid_t child = 0;
  if (::posix_spawnp(&child, argv[0], nullptr, nullptr, argv.data(), environ) != 0) {
    return -1;
  }
  int status = 0;
  if (::waitpid(child, &status, 0) != child || !WIFEXITED(status)) {
    return -1;
  }
  return WEXITSTATUS(status);
}

void RecordingHandler::OnPackets(PortId port, std::span<Packet> batch, Instant /*now*/) {
  batch_max = std::max(batch_max, batch.size());
  for (const Packet& packet : batch) {
    packets.push_back({.port = port,
                       .data = {packet.data.begin(), packet.data.end()},
                       .source = packet.source,
                       .destination = packet.destination,
                       .ifindex = packet.ifindex,
                       .source_port = packet.source_port,
                       .truncated = packet.truncated});
  }
}

void EchoHandler::OnPackets(PortId port, std::span<Packet> packets, Instant /*now*/) {
  for (const Packet& packet : packets) {
    Outgoing out;
    out.data = packet.data;
    out.destination = packet.source;
    out.destination_port = packet.source_port;
    out.source = packet.destination;
    if (!driver_.Send(port, out)) {
      ++refused;
    }
  }
}

Client::Client(IpAddress bind, std::uint32_t receive_buffer_bytes) {
  auto fd = OpenUdp({.bind = bind, .receive_buffer_bytes = receive_buffer_bytes});
  if (!fd) {
    ADD_FAILURE() << "no client socket: " << ToString(fd.error().code);
    return;
  }
  fd_ = std::move(*fd);
  (void)::fcntl(fd_.get(), F_SETFL, 0);
  const timeval limit{.tv_sec = 2, .tv_usec = 0};
  (void)::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
}

void Client::Send(const LocalEnd& to, std::span<const std::byte> data) const {
  ssize_t sent = -1;
  if (to.address.is_v4()) {
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_port = htons(to.port);
    name.sin_addr.s_addr = htonl(to.address.v4().value);
    sent = ::sendto(fd_.get(), data.data(), data.size(), 0, reinterpret_cast<sockaddr*>(&name),
                    sizeof(name));
  } else {
    sockaddr_in6 name{};
    name.sin6_family = AF_INET6;
    name.sin6_port = htons(to.port);
    name.sin6_addr = std::bit_cast<in6_addr>(to.address.v6());
    sent = ::sendto(fd_.get(), data.data(), data.size(), 0, reinterpret_cast<sockaddr*>(&name),
                    sizeof(name));
  }
  EXPECT_EQ(sent, static_cast<ssize_t>(data.size()));
}

Client::Received Client::Receive() const { return ReceiveWith(0); }

Client::Received Client::TryReceive() const { return ReceiveWith(MSG_DONTWAIT); }

Client::Received Client::ReceiveWith(int flags) const {
  Received received;
  received.data.resize(65536);
  sockaddr_in6 name{};
  socklen_t name_bytes = sizeof(name);
  const ssize_t bytes = ::recvfrom(fd_.get(), received.data.data(), received.data.size(), flags,
                                   reinterpret_cast<sockaddr*>(&name), &name_bytes);
  received.ok = bytes >= 0;
  received.data.resize(received.ok ? static_cast<std::size_t>(bytes) : 0);
  received.from = FromName(name);
  return received;
}

LocalEnd Client::end() const { return *LocalAddress(fd_.get()); }

void DriverTest::SetUp() {
  if (GetParam() == DriverKind::kRing) {
    const ring::RingProbe probe = ring::ProbeRing();
    if (!probe.usable) {
      SLIP_SKIP_OR_FAIL(std::string(probe.reason.view()));
    }
  }
}

std::unique_ptr<Driver> DriverTest::MakeDriver(std::uint32_t rx_buffers) {
  auto driver = GetParam() == DriverKind::kRing
                    ? ring::CreateRingDriver(clock, {.rx_buffers = rx_buffers})
                    : epoll::CreateEpollDriver(clock);
  if (!driver) {
    ADD_FAILURE() << ToString(driver.error().code) << " " << driver.error().detail;
    std::abort();
  }
  return std::move(*driver);
}

PortId DriverTest::AddUdp(Driver& driver, PacketHandler* handler, LocalEnd& end,
                          UdpOptions options) {
  auto fd = OpenUdp(options);
  if (!fd) {
    ADD_FAILURE() << ToString(fd.error().code) << " " << fd.error().detail;
    std::abort();
  }
  end = *LocalAddress(fd->get());
  return *driver.AddUdp(fd->Release(), handler);
}

bool DriverTest::TurnUntil(Driver& driver, const std::function<bool()>& done) {
  const Instant end = clock.Now() + Duration::Seconds(2);
  while (!done()) {
    const auto now = driver.Turn(clock.Now() + Duration::Millis(20));
    if (!now) {
      ADD_FAILURE() << "turn: " << ToString(now.error().code) << " " << now.error().detail;
      return false;
    }
    if (*now > end) {
      return done();
    }
  }
  return true;
}

void DriverTest::Turns(Driver& driver, int count) {
  for (int i = 0; i < count; ++i) {
    ASSERT_TRUE(driver.Turn(Instant{0}));
  }
}

std::vector<std::byte> Pattern(std::size_t bytes, std::uint32_t seed) {
  std::vector<std::byte> data(bytes);
  SeededRandom random(seed);
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes; ++i) {
    if (i % 8 == 0) {
      value = random.U64();
    }
    data[i] = static_cast<std::byte>(value >> (8 * (i % 8)));
  }
  return data;
}

INSTANTIATE_TEST_SUITE_P(, DriverTest, ::testing::Values(DriverKind::kRing, DriverKind::kEpoll),
                         [](const ::testing::TestParamInfo<DriverKind>& kind) {
                           return std::string(kind.param == DriverKind::kRing ? "Ring" : "Epoll");
                         });

}  // namespace slipway::shard
