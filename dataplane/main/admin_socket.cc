#include "dataplane/main/admin_socket.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

namespace slipway::rack {
namespace {

constexpr int kPollMillis = 500;

[[nodiscard]] std::string_view PhraseOf(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    default:
      return "Service Unavailable";
  }
}

}  // namespace

Result<std::unique_ptr<AdminSocket>> AdminSocket::Create(const std::string& path, Handler handler) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return Fail(ErrorCode::kTooLarge, static_cast<std::uint32_t>(path.size()));
  }
  path.copy(address.sun_path, path.size());
  shard::OwnedFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) {
    return FailErrno(errno);
  }
  // The state directory is locked by now: whoever made the file is gone.
  (void)unlink(path.c_str());
  const mode_t before = umask(0177);
  const int bound = bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  const int error = errno;
  (void)umask(before);
  if (bound != 0) {
    return FailErrno(error);
  }
  if (listen(fd.get(), 16) != 0) {
    return FailErrno(errno);
  }
  return std::unique_ptr<AdminSocket>(new AdminSocket(std::move(fd), path, std::move(handler)));
}

AdminSocket::AdminSocket(shard::OwnedFd listener, std::string path, Handler handler)
    : listener_(std::move(listener)),
      path_(std::move(path)),
      handler_(std::move(handler)),
      thread_([this] { Run(); }) {}

AdminSocket::~AdminSocket() {
  stop_ = true;
  thread_.join();
  (void)unlink(path_.c_str());
}

void AdminSocket::Run() {
  while (!stop_) {
    pollfd watched{.fd = listener_.get(), .events = POLLIN, .revents = 0};
    if (poll(&watched, 1, kPollMillis) <= 0) {
      continue;
    }
    const shard::OwnedFd peer(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (peer.valid()) {
      Serve(peer.get());
    }
  }
}

void AdminSocket::Serve(int fd) {
  const timeval limit{.tv_sec = 1, .tv_usec = 0};
  if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) != 0 ||
      setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) != 0) {
    return;
  }
  std::array<char, 2048> buffer;
  std::size_t size = 0;
  std::string_view request;
  while (size < buffer.size() && request.find("\r\n\r\n") == std::string_view::npos) {
    const ssize_t got = recv(fd, buffer.data() + size, buffer.size() - size, 0);
    if (got <= 0) {
      return;
    }
    size += static_cast<std::size_t>(got);
    request = {buffer.data(), size};
  }
  AdminAnswer answer{.status = 405, .body = "only GET\n"};
  if (request.starts_with("GET ")) {
    request.remove_prefix(4);
    answer = handler_(request.substr(0, request.find_first_of(" ?\r\n")));
  }
  const std::string text = "HTTP/1.1 " + std::to_string(answer.status) + " " +
                           std::string(PhraseOf(answer.status)) +
                           "\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
                           "Connection: close\r\nContent-Length: " +
                           std::to_string(answer.body.size()) + "\r\n\r\n" + answer.body;
  std::string_view left = text;
  while (!left.empty()) {
    const ssize_t put = send(fd, left.data(), left.size(), MSG_NOSIGNAL);
    if (put <= 0) {
      return;
    }
    left.remove_prefix(static_cast<std::size_t>(put));
  }
}

}  // namespace slipway::rack
