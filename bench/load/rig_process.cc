// Children and HTTP of the rig.
#include <fcntl.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "bench/load/rig.h"

namespace slipway::bench {

namespace {

constexpr std::int64_t kCallNs = 60'000'000'000;

}  // namespace

void LeaveOtherSessions() {
  (void)setsid();
  const int file = open("/proc/self/autogroup", O_WRONLY | O_CLOEXEC);
  if (file >= 0) {
    (void)!write(file, "-20", 3);
    (void)close(file);
  }
}

bool PinToCpu(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<std::size_t>(cpu), &set);
  return sched_setaffinity(0, sizeof(set), &set) == 0;
}

bool Child::Start(const std::vector<std::string>& arguments, const std::string& log, int cpu) {
  Kill();
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ != 0) {
    return pid_ > 0;
  }
  (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) {
    _exit(127);
  }
  LeaveOtherSessions();
  if (cpu >= 0 && !PinToCpu(cpu)) {
    _exit(127);
  }
  const int file = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  (void)dup2(file, STDOUT_FILENO);
  (void)dup2(file, STDERR_FILENO);
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (const std::string& argument : arguments) {
    argv.push_back(const_cast<char*>(argument.c_str()));
  }
  argv.push_back(nullptr);
  (void)execv(argv[0], argv.data());
  _exit(127);
}

bool Child::alive() {
  if (pid_ > 0 && waitpid(pid_, nullptr, WNOHANG) == pid_) {
    pid_ = -1;
  }
  return pid_ > 0;
}

bool Child::Stop() {
  if (!alive()) {
    return true;
  }
  (void)kill(pid_, SIGTERM);
  for (int i = 0; i < 1000 && alive(); ++i) {
    (void)usleep(10'000);
  }
  const bool ended = pid_ < 0;
  Kill();
  return ended;
}

void Child::Kill() {
  if (pid_ > 0) {
    (void)kill(pid_, SIGKILL);
    (void)waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
}

std::uint64_t Child::StatusKib(std::string_view key) const {
  std::ifstream in(fmt::format("/proc/{}/status", pid_));
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(key) && line.size() > key.size() && line[key.size()] == ':') {
      return std::strtoull(line.c_str() + key.size() + 1, nullptr, 10);
    }
  }
  return 0;
}

double Child::CpuSeconds() const {
  double ns = 0;
  std::error_code error;
  for (const auto& task :
       std::filesystem::directory_iterator(fmt::format("/proc/{}/task", pid_), error)) {
    std::ifstream in(task.path() / "schedstat");
    double run_ns = 0;
    if (in >> run_ns) {
      ns += run_ns;
    }
  }
  return ns * 1e-9;
}

void HttpClient::Aim(std::uint16_t port, std::string token) {
  Close();
  port_ = port;
  token_ = std::move(token);
}

void HttpClient::AimUnix(std::string path) {
  Close();
  unix_path_ = std::move(path);
}

void HttpClient::Close() {
  if (fd_ >= 0) {
    (void)close(fd_);
    fd_ = -1;
  }
  received_.clear();
}

bool HttpClient::Connect() {
  const int family = unix_path_.empty() ? AF_INET : AF_UNIX;
  fd_ = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int done = -1;
  if (family == AF_INET) {
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_port = htons(port_);
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    done = connect(fd_, reinterpret_cast<const sockaddr*>(&name), sizeof(name));
    const int on = 1;
    (void)setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  } else {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    (void)unix_path_.copy(name.sun_path, sizeof(name.sun_path) - 1);
    done = connect(fd_, reinterpret_cast<const sockaddr*>(&name), sizeof(name));
  }
  if (done != 0) {
    Close();
  }
  return done == 0;
}

bool HttpClient::Send(std::string_view method, std::string_view path, std::string_view body) {
  if (fd_ < 0 && !Connect()) {
    return false;
  }
  std::string request = fmt::format("{} {} HTTP/1.1\r\nHost: localhost\r\n", method, path);
  if (!token_.empty()) {
    request += "Authorization: Bearer " + token_ + "\r\n";
  }
  if (!body.empty()) {
    request += fmt::format("Content-Type: application/json\r\nContent-Length: {}\r\n", body.size());
  }
  request += "\r\n";
  request += body;
  for (std::string_view left = request; !left.empty();) {
    const ssize_t sent = send(fd_, left.data(), left.size(), MSG_NOSIGNAL);
    if (sent <= 0) {
      Close();
      return false;
    }
    left.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

bool HttpClient::TryReceive(HttpAnswer& answer) {
  char buffer[16384];
  bool closed = fd_ < 0;
  while (!closed) {
    const ssize_t got = recv(fd_, buffer, sizeof(buffer), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
      break;
    }
    closed = got <= 0;
    if (got > 0) {
      received_.append(buffer, static_cast<std::size_t>(got));
    }
  }
  const std::size_t head_end = received_.find("\r\n\r\n");
  if (head_end == std::string::npos) {
    if (closed) {
      Close();
      answer = {};
    }
    return closed;
  }
  const std::string head = received_.substr(0, head_end + 2);
  std::size_t length = received_.size();  // until the end of the connection, without a length
  const std::size_t field = head.find("Content-Length: ");
  if (field != std::string::npos) {
    length = head_end + 4 + std::strtoull(head.c_str() + field + 16, nullptr, 10);
  } else if (!closed) {
    return false;
  }
  if (received_.size() < length && !closed) {
    return false;
  }
  answer.status = std::atoi(head.c_str() + head.find(' ') + 1);
  answer.body = received_.substr(head_end + 4, length - head_end - 4);
  received_.clear();
  if (closed || head.find("Connection: close") != std::string::npos) {
    Close();
  }
  return true;
}

HttpAnswer HttpClient::Call(std::string_view method, std::string_view path, std::string_view body) {
  HttpAnswer answer;
  if (!Send(method, path, body) && !Send(method, path, body)) {
    return answer;
  }
  for (const std::int64_t end = NowNs() + kCallNs; NowNs() < end;) {
    if (TryReceive(answer)) {
      return answer;
    }
    pollfd polled{.fd = fd_, .events = POLLIN, .revents = 0};
    (void)poll(&polled, 1, 1000);
  }
  Close();
  return answer;
}

}  // namespace slipway::bench
