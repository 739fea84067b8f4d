// Plain TCP on loopback for hostile peers: clients, and a relay that may look at or change what
// passes through.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <charconv>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace slipway::region_link::test {

class TcpSocket {
 public:
  explicit TcpSocket(int fd = -1) : fd_(fd) {}

  TcpSocket(TcpSocket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

  TcpSocket& operator=(TcpSocket&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }

  ~TcpSocket() { Close(); }

  // From 127.0.0.`host` to a port of 127.0.0.1.
  static TcpSocket Connect(std::uint16_t port, unsigned host = 1) {
    TcpSocket socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in from = Address(host, 0);
    const sockaddr_in to = Address(1, port);
    if (bind(socket.fd_, reinterpret_cast<const sockaddr*>(&from), sizeof(from)) != 0 ||
        connect(socket.fd_, reinterpret_cast<const sockaddr*>(&to), sizeof(to)) != 0) {
      socket.Close();
    }
    return socket;
  }

  static TcpSocket Listen() {
    TcpSocket socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in at = Address(1, 0);
    if (bind(socket.fd_, reinterpret_cast<const sockaddr*>(&at), sizeof(at)) != 0 ||
        listen(socket.fd_, 16) != 0) {
      socket.Close();
    }
    return socket;
  }

  [[nodiscard]] std::uint16_t port() const {
    sockaddr_in at{};
    socklen_t size = sizeof(at);
    (void)getsockname(fd_, reinterpret_cast<sockaddr*>(&at), &size);
    return ntohs(at.sin_port);
  }

  [[nodiscard]] int fd() const { return fd_; }

  [[nodiscard]] bool is_open() const { return fd_ >= 0; }

  void Send(std::string_view bytes) const {
    (void)!send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }

  // What came within the time; empty at the end of the stream too.
  [[nodiscard]] std::string Receive(int timeout_ms) const {
    pollfd waiting{.fd = fd_, .events = POLLIN, .revents = 0};
    if (poll(&waiting, 1, timeout_ms) <= 0) {
      return {};
    }
    std::string bytes(65'536, '\0');
    const ssize_t got = recv(fd_, bytes.data(), bytes.size(), 0);
    bytes.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return bytes;
  }

  // True once the peer has closed, waiting at most the time.
  [[nodiscard]] bool Ended(int timeout_ms) const {
    while (true) {
      pollfd waiting{.fd = fd_, .events = POLLIN, .revents = 0};
      if (poll(&waiting, 1, timeout_ms) <= 0) {
        return false;
      }
      char byte = 0;
      if (recv(fd_, &byte, 1, 0) <= 0) {
        return true;
      }
    }
  }

  void Close() {
    if (fd_ >= 0) {
      (void)close(std::exchange(fd_, -1));
    }
  }

 private:
  static sockaddr_in Address(unsigned host, std::uint16_t port) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(port);
    at.sin_addr.s_addr = htonl(0x7F00'0000U | host);
    return at;
  }

  int fd_;
};

inline std::uint16_t PortOf(std::string_view endpoint) {
  const std::string_view text = endpoint.substr(endpoint.rfind(':') + 1);
  std::uint16_t port = 0;
  (void)std::from_chars(text.data(), text.data() + text.size(), port);
  return port;
}

// Stands between racks and a region. `change` sees each piece on its way to the region and may
// alter it; false cuts the connection.
class Relay {
 public:
  using Change = std::function<bool(std::string& piece)>;

  explicit Relay(std::uint16_t target, Change change = {})
      : target_(target), change_(std::move(change)), listener_(TcpSocket::Listen()) {
    thread_ = std::thread([this] { Run(); });
  }

  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  ~Relay() {
    stop_.store(true);
    thread_.join();
  }

  [[nodiscard]] std::string endpoint() const {
    return "tcp://127.0.0.1:" + std::to_string(listener_.port());
  }

  // All that went to the region, per connection.
  [[nodiscard]] std::vector<std::string> recorded() {
    const std::lock_guard lock(mutex_);
    return recorded_;
  }

 private:
  struct Joined {
    TcpSocket client;
    TcpSocket server;
    std::size_t record = 0;
  };

  void Run() {
    std::vector<Joined> joined;
    while (!stop_.load()) {
      std::vector<pollfd> waiting{{.fd = listener_.fd(), .events = POLLIN, .revents = 0}};
      for (const Joined& each : joined) {
        waiting.push_back({.fd = each.client.fd(), .events = POLLIN, .revents = 0});
        waiting.push_back({.fd = each.server.fd(), .events = POLLIN, .revents = 0});
      }
      (void)poll(waiting.data(), waiting.size(), 20);
      for (std::size_t i = joined.size(); i > 0; --i) {
        const bool from_client = waiting[2 * i - 1].revents != 0;
        const bool from_server = waiting[2 * i].revents != 0;
        if (!Forward(joined[i - 1], from_client, from_server)) {
          joined.erase(joined.begin() + static_cast<std::ptrdiff_t>(i - 1));
        }
      }
      if (waiting[0].revents != 0) {
        const std::lock_guard lock(mutex_);
        recorded_.emplace_back();
        joined.push_back({TcpSocket(accept(listener_.fd(), nullptr, nullptr)),
                          TcpSocket::Connect(target_), recorded_.size() - 1});
      }
    }
  }

  // False: the connection is over.
  bool Forward(Joined& joined, bool from_client, bool from_server) {
    if (from_client) {
      std::string piece = joined.client.Receive(0);
      if (piece.empty() || (change_ && !change_(piece))) {
        return false;
      }
      {
        const std::lock_guard lock(mutex_);
        recorded_[joined.record] += piece;
      }
      joined.server.Send(piece);
    }
    if (from_server) {
      const std::string piece = joined.server.Receive(0);
      if (piece.empty()) {
        return false;
      }
      joined.client.Send(piece);
    }
    return true;
  }

  const std::uint16_t target_;
  const Change change_;
  const TcpSocket listener_;
  std::mutex mutex_;
  std::vector<std::string> recorded_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace slipway::region_link::test
