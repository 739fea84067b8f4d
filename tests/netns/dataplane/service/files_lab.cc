#include "tests/netns/dataplane/service/files_lab.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "dataplane/epoll/epoll_driver.h"
#include "dataplane/ring/ring_driver.h"
#include "dataplane/shard/socket.h"

namespace slipway::service {
namespace {

constexpr std::string_view kScript = "#!ipxe\necho hello\n";

sockaddr_in Loopback(std::uint16_t port, std::uint32_t address = INADDR_LOOPBACK) {
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_port = htons(port);
  name.sin_addr.s_addr = htonl(address);
  return name;
}

// The teardown of an earlier test's ring may interrupt a wait of this thread.
template <typename Call>
ssize_t Uninterrupted(Call&& call) {
  ssize_t result = 0;
  do {
    result = call();
  } while (result < 0 && errno == EINTR);
  return result;
}

void SetTimeout(int fd, int timeout_ms) {
  const timeval time{.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};
  EXPECT_EQ(::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time)), 0);
}

shard::OwnedFd LoopbackUdp() {
  auto fd = shard::OpenUdp({.bind = Ipv4Address{INADDR_LOOPBACK}, .device = {}});
  EXPECT_TRUE(fd);
  return std::move(*fd);
}

}  // namespace

std::string Pattern(std::size_t bytes) {
  std::string data(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i) {
    data[i] = static_cast<char>((i * 2'654'435'761U >> 13) ^ (i >> 20));
  }
  return data;
}

LabContent::~LabContent() {
  for (const auto& [name, object] : objects_) {
    if (object.mapping != nullptr) {
      (void)::munmap(const_cast<std::byte*>(object.mapping), object.bytes);
    }
    (void)::close(object.fd);
  }
}

void LabContent::Add(std::string name, const std::string& data, bool mapped) {
  Object object{.fd = ::memfd_create("content", MFD_CLOEXEC), .bytes = data.size()};
  ASSERT_GE(object.fd, 0);
  ASSERT_EQ(::write(object.fd, data.data(), data.size()), static_cast<ssize_t>(data.size()));
  if (mapped && !data.empty()) {
    void* at = ::mmap(nullptr, data.size(), PROT_READ, MAP_SHARED, object.fd, 0);
    ASSERT_NE(at, MAP_FAILED);
    object.mapping = static_cast<const std::byte*>(at);
  }
  objects_.emplace(std::move(name), object);
}

Content LabContent::Resolve(const ContentRequest& request, MutableByteSpan scratch,
                            Instant /*now*/) {
  Content content;
  if (pending.load()) {
    content.kind = ContentKind::kPending;
    return content;
  }
  if (request.space == ContentSpace::kBootScript || request.name == "script") {
    if (scratch.empty()) {
      content.kind = ContentKind::kUnavailable;
      return content;
    }
    std::ranges::copy(AsBytes(kScript), scratch.begin());
    content.kind = ContentKind::kMemory;
    content.bytes = kScript.size();
    content.content_type = "text/plain";
    return content;
  }
  const auto found = objects_.find(request.name);
  if (found == objects_.end()) {
    return content;
  }
  content.kind = ContentKind::kFile;
  content.fd = found->second.fd;
  content.bytes = found->second.bytes;
  content.mapping = found->second.mapping;
  content.path_mtu_bytes = 1500;
  content.handle = 1;
  content.etag = std::string_view("cafe");
  held.fetch_add(1);
  return content;
}

void LabContent::Release(std::uint64_t handle) {
  EXPECT_EQ(handle, 1U);
  held.fetch_sub(1);
}

void LabSink::Record(const BootStep& step, Instant /*now*/) {
  kinds[static_cast<std::size_t>(step.kind)].fetch_add(1);
  if (!step.ok) {
    failed.fetch_add(1);
  }
}

InventoryVerdict LabInventories::Submit(const InventoryPost& post, Instant /*now*/) {
  if (post.token == "bad") {
    return InventoryVerdict::kDenied;
  }
  bytes.fetch_add(post.body.size());
  if (!waiting_.Push({.handle = post.handle, .durable = post.token != "lost"})) {
    return InventoryVerdict::kBusy;
  }
  shard->RequestTurn();
  return InventoryVerdict::kAccepted;
}

void LabInventories::OnTurn(Instant now) {
  for (std::size_t left = waiting_.size(); left > 0; --left) {
    const Waiting waiting = waiting_.Pop();
    service->CompleteInventory(waiting.handle, waiting.durable, now);
  }
}

FilesLab::FilesLab(std::string_view io, const TftpOptions& tftp_options,
                   const HttpOptions& http_options) {
  auto driver = io == "ring" ? ring::CreateRingDriver(clock, {}) : epoll::CreateEpollDriver(clock);
  if (!driver) {
    EXPECT_EQ(driver.error().code, ErrorCode::kUnavailable);
    return;
  }
  shard = std::move(*shard::Shard::Create({}, std::move(*driver), clock.Now()));
  std::array<shard::OwnedFd, 1> listener{LoopbackUdp()};
  std::array<shard::OwnedFd, 4> pool;
  for (auto& fd : pool) {
    fd = LoopbackUdp();
  }
  tftp_port = shard::LocalAddress(listener[0].get())->port;
  auto made = TftpService::Create(tftp_options, *shard, content, sink, nullptr, listener, pool);
  EXPECT_TRUE(made);
  tftp = std::move(*made);
  std::array<shard::OwnedFd, 1> tcp{
      std::move(*shard::OpenTcpListener({.bind = Ipv4Address{INADDR_LOOPBACK}, .device = {}}))};
  http_port = shard::LocalAddress(tcp[0].get())->port;
  auto web = HttpService::Create(http_options,
                                 {.shard = *shard,
                                  .clock = clock,
                                  .resolver = content,
                                  .steps = sink,
                                  .inventories = inventories},
                                 tcp);
  EXPECT_TRUE(web);
  http = std::move(*web);
  inventories.service = http.get();
  inventories.shard = shard.get();
  EXPECT_TRUE(shard->AddHook(&inventories));
}

FilesLab::~FilesLab() { Stop(); }

void FilesLab::Start() {
  thread_ = std::thread([this] { EXPECT_TRUE(shard->Run()); });
}

void FilesLab::Stop() {
  if (thread_.joinable()) {
    shard->Stop();
    thread_.join();
  }
}

namespace {

// The client's side of one transfer: takes DATA in order, acknowledges each window.
class TftpReader {
 public:
  TftpReader(int fd, const TftpWish& wish, TftpResult& result)
      : fd_(fd), wish_(wish), result_(result) {}

  // False at the end.
  bool Take(std::string_view packet, const sockaddr_in& from) {
    const auto opcode = Number(packet, 0);
    if (opcode == 5) {
      result_.error = Number(packet, 2);
      return false;
    }
    if (opcode == 6) {
      result_.oack.assign(packet.substr(2));
      if (wish_.abort_after_oack) {
        Send(std::string("\0\5\0\10aborted\0", 12), from);
        return false;
      }
      Acknowledge(from);
      return true;
    }
    return TakeData(packet, from);
  }

 private:
  static int Number(std::string_view packet, std::size_t at) {
    return static_cast<unsigned char>(packet[at]) << 8 | static_cast<unsigned char>(packet[at + 1]);
  }

  bool TakeData(std::string_view packet, const sockaddr_in& from) {
    if (wish_.lose_first_window && losses_ < wish_.windowsize) {
      ++losses_;
      return true;
    }
    if (Number(packet, 0) != 3 || Number(packet, 2) != static_cast<int>((blocks_ + 1) & 0xFFFF)) {
      return true;
    }
    ++blocks_;
    result_.data += packet.substr(4);
    const bool last = packet.size() - 4 < wish_.blksize;
    if (last || blocks_ - acknowledged_ == wish_.windowsize) {
      Acknowledge(from);
    }
    return !last;
  }

  void Acknowledge(const sockaddr_in& to) {
    acknowledged_ = blocks_;
    const char packet[4] = {0, 4, static_cast<char>(blocks_ >> 8), static_cast<char>(blocks_)};
    Send(std::string_view(packet, 4), to);
  }

  void Send(std::string_view packet, const sockaddr_in& to) const {
    EXPECT_EQ(::sendto(fd_, packet.data(), packet.size(), 0, reinterpret_cast<const sockaddr*>(&to),
                       sizeof(to)),
              static_cast<ssize_t>(packet.size()));
  }

  int fd_;
  const TftpWish& wish_;
  TftpResult& result_;
  std::uint64_t blocks_ = 0;
  std::uint64_t acknowledged_ = 0;
  std::uint64_t losses_ = 0;
};

}  // namespace

TftpResult FetchTftp(std::uint16_t port, const TftpWish& wish) {
  TftpResult result;
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  SetTimeout(fd, wish.timeout_ms);
  std::string request{static_cast<char>(0), static_cast<char>(wish.opcode)};
  request += wish.name + '\0' + wish.mode + '\0' + wish.options;
  const sockaddr_in server = Loopback(port);
  EXPECT_EQ(::sendto(fd, request.data(), request.size(), 0,
                     reinterpret_cast<const sockaddr*>(&server), sizeof(server)),
            static_cast<ssize_t>(request.size()));
  TftpReader reader(fd, wish, result);
  std::vector<char> packet(70'000);
  while (true) {
    sockaddr_in from{};
    socklen_t bytes = sizeof(from);
    const ssize_t got = Uninterrupted([&] {
      return ::recvfrom(fd, packet.data(), packet.size(), 0, reinterpret_cast<sockaddr*>(&from),
                        &bytes);
    });
    if (got < 4) {
      result.timed_out = true;
      break;
    }
    EXPECT_NE(ntohs(from.sin_port), port);  // A transfer has a port of its own.
    if (!reader.Take({packet.data(), static_cast<std::size_t>(got)}, from)) {
      break;
    }
  }
  (void)::close(fd);
  return result;
}

TcpPeer::TcpPeer(std::uint16_t port, std::uint32_t source, int receive_buffer_bytes)
    : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  SetTimeout(fd_, 10'000);
  if (receive_buffer_bytes > 0) {
    EXPECT_EQ(::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes,
                           sizeof(receive_buffer_bytes)),
              0);
  }
  if (source != 0) {
    const sockaddr_in from = Loopback(0, source);
    EXPECT_EQ(::bind(fd_, reinterpret_cast<const sockaddr*>(&from), sizeof(from)), 0);
  }
  const sockaddr_in server = Loopback(port);
  EXPECT_EQ(::connect(fd_, reinterpret_cast<const sockaddr*>(&server), sizeof(server)), 0);
}

TcpPeer::~TcpPeer() { (void)::close(fd_); }

void TcpPeer::Send(std::string_view text) const {
  while (!text.empty()) {
    const ssize_t sent =
        Uninterrupted([&] { return ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL); });
    if (sent <= 0) {
      return;
    }
    text.remove_prefix(static_cast<std::size_t>(sent));
  }
}

bool TcpPeer::Fill() {
  std::array<char, 65'536> bytes;
  const ssize_t got = Uninterrupted([&] { return ::recv(fd_, bytes.data(), bytes.size(), 0); });
  if (got <= 0) {
    return false;
  }
  received_.append(bytes.data(), static_cast<std::size_t>(got));
  return true;
}

TcpPeer::Response TcpPeer::Receive(bool head_request) {
  std::size_t end = 0;
  while ((end = received_.find("\r\n\r\n")) == std::string::npos) {
    if (!Fill()) {
      return {};
    }
  }
  Response response{.head = received_.substr(0, end + 4), .body = {}};
  received_.erase(0, end + 4);
  constexpr std::string_view kLength = "Content-Length: ";
  const std::size_t at = response.head.find(kLength);
  std::size_t length = 0;
  if (at != std::string::npos && !head_request) {
    const char* from = response.head.data() + at + kLength.size();
    (void)std::from_chars(from, response.head.data() + response.head.size(), length);
  }
  while (received_.size() < length && Fill()) {
  }
  response.body = received_.substr(0, length);
  received_.erase(0, length);
  return response;
}

bool TcpPeer::AtEnd() { return received_.empty() && !Fill() && received_.empty(); }

}  // namespace slipway::service
