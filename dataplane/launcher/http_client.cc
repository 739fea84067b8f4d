#include "dataplane/launcher/http_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace slipway::launcher {
namespace {

// Closes the socket when the exchange is over.
class Connection {
 public:
  explicit Connection(int fd) noexcept : fd_(fd) {}

  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  ~Connection() {
    if (fd_ >= 0) {
      close(fd_);
    }
  }

  [[nodiscard]] int fd() const noexcept { return fd_; }

 private:
  int fd_;
};

std::unexpected<Error> FailSocket() {
  if (errno == EAGAIN || errno == EINPROGRESS || errno == ETIMEDOUT) {
    return Fail(ErrorCode::kTimeout);
  }
  return FailErrno(errno);
}

Result<> Connect(int fd, const HttpTarget& target) {
  sockaddr_storage storage{};
  socklen_t size = 0;
  if (target.host.is_v4()) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(target.port);
    address.sin_addr.s_addr = htonl(target.host.v4().value);
    std::memcpy(&storage, &address, sizeof(address));
    size = sizeof(address);
  } else {
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(target.port);
    std::memcpy(&address.sin6_addr, target.host.v6().octets.data(), 16);
    std::memcpy(&storage, &address, sizeof(address));
    size = sizeof(address);
  }
  if (connect(fd, reinterpret_cast<const sockaddr*>(&storage), size) != 0) {
    return FailSocket();
  }
  return {};
}

Result<> SendAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) {
      return FailSocket();
    }
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return {};
}

}  // namespace

std::string PostHead(const HttpTarget& target, std::string_view path, std::string_view token,
                     std::size_t body_bytes) {
  std::string head = "POST " + target.path + std::string(path) + " HTTP/1.1\r\nHost: ";
  head += target.authority;
  head += "\r\nUser-Agent: slipway-launcher/" SLIPWAY_VERSION;
  head += "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body_bytes);
  if (!token.empty()) {
    head += "\r\nAuthorization: Bearer " + std::string(token);
  }
  head += "\r\nConnection: close\r\n\r\n";
  return head;
}

Result<int> ParseStatus(std::string_view response) noexcept {
  const std::size_t end = response.find("\r\n");
  if (end == std::string_view::npos) {
    return Fail(ErrorCode::kTruncated);
  }
  const std::string_view line = response.substr(0, end);
  if (line.size() < 12 || !line.starts_with("HTTP/1.") || line[8] != ' ') {
    return Fail(ErrorCode::kMalformed);
  }
  int status = 0;
  for (const char digit : line.substr(9, 3)) {
    if (digit < '0' || digit > '9') {
      return Fail(ErrorCode::kMalformed);
    }
    status = status * 10 + (digit - '0');
  }
  return status;
}

Result<int> Post(const HttpTarget& target, std::string_view path, std::string_view token,
                 std::string_view body) {
  const int family = target.host.is_v4() ? AF_INET : AF_INET6;
  const Connection connection(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (connection.fd() < 0) {
    return FailErrno(errno);
  }
  const timeval limit{.tv_sec = kHttpTimeoutSeconds, .tv_usec = 0};
  (void)setsockopt(connection.fd(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
  (void)setsockopt(connection.fd(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  SLIP_TRY(Connect(connection.fd(), target));
  SLIP_TRY(SendAll(connection.fd(), PostHead(target, path, token, body.size())));
  SLIP_TRY(SendAll(connection.fd(), body));
  // The status line is all that counts; it comes in the first bytes.
  std::array<char, 1024> response{};
  std::size_t size = 0;
  while (size < response.size()) {
    const ssize_t got = recv(connection.fd(), response.data() + size, response.size() - size, 0);
    if (got < 0) {
      return FailSocket();
    }
    size += static_cast<std::size_t>(got);
    const Result<int> status = ParseStatus({response.data(), size});
    if (status || status.error().code != ErrorCode::kTruncated || got == 0) {
      return status;
    }
  }
  return Fail(ErrorCode::kMalformed);
}

}  // namespace slipway::launcher
