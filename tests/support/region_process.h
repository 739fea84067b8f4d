// A real slipway-region in a temporary state directory on discovered loopback ports, and the real
// command line, for tests that start programs. Nothing outlives the test: children get SIGKILL when
// it ends.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace slipway::testing {

using SteadyClock = std::chrono::steady_clock;

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = std::filesystem::temp_directory_path() / "slipway-test-XXXXXX";
    path_ = mkdtemp(name.data());
  }

  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  ~TemporaryDirectory() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
  }

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

[[nodiscard]] inline std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline void WriteFile(const std::string& path, std::string_view text) {
  std::ofstream out(path, std::ios::binary);
  out << text;
}

// Starts a program with its outputs in files. -1 if it could not be forked.
[[nodiscard]] inline pid_t Spawn(const std::vector<std::string>& arguments, const std::string& out,
                                 const std::string& err) {
  const pid_t pid = fork();
  if (pid != 0) {
    return pid;
  }
  (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
  const auto redirect = [](const std::string& path, int fd) {
    const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    (void)dup2(file, fd);
  };
  redirect(out, STDOUT_FILENO);
  redirect(err, STDERR_FILENO);
  std::vector<char*> argv;
  for (const std::string& argument : arguments) {
    argv.push_back(const_cast<char*>(argument.c_str()));
  }
  argv.push_back(nullptr);
  (void)execv(argv[0], argv.data());
  _exit(127);
}

// The exit code; 128 + signal; -1 if it did not end in time (it is killed then).
[[nodiscard]] inline int WaitFor(pid_t pid, std::chrono::milliseconds limit) {
  const auto deadline = SteadyClock::now() + limit;
  int status = 0;
  while (waitpid(pid, &status, WNOHANG) == 0) {
    if (SteadyClock::now() > deadline) {
      (void)kill(pid, SIGKILL);
      (void)waitpid(pid, &status, 0);
      return -1;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

struct Output {
  int code = -1;
  std::string out;
  std::string err;
};

[[nodiscard]] inline Output RunProgram(const std::vector<std::string>& arguments,
                                       std::chrono::milliseconds limit = std::chrono::seconds(20)) {
  const TemporaryDirectory folder;
  const std::string out = folder.path() + "/out";
  const std::string err = folder.path() + "/err";
  Output output;
  output.code = WaitFor(Spawn(arguments, out, err), limit);
  output.out = ReadFile(out);
  output.err = ReadFile(err);
  return output;
}

class RegionProcess {
 public:
  explicit RegionProcess(std::string extra_settings = {}) : extra_(std::move(extra_settings)) {
    WriteFile(config(), "state_dir = \"" + state_dir() +
                            "\"\nlink.listen = \"127.0.0.1\"\nlink.port = 0\napi.port = 0\n"
                            "images.dir = \"" +
                            folder_.path() + "/images\"\n" + extra_);
  }

  RegionProcess(const RegionProcess&) = delete;
  RegionProcess& operator=(const RegionProcess&) = delete;

  ~RegionProcess() { Kill(); }

  // True once it says that it is up.
  [[nodiscard]] bool Start() {
    (void)unlink(log_file().c_str());
    pid_ = Spawn({std::string(SLIPWAY_BIN_DIR) + "/slipway-region", "--config", config()},
                 folder_.path() + "/stdout", log_file());
    const auto deadline = SteadyClock::now() + std::chrono::seconds(20);
    while (SteadyClock::now() < deadline) {
      const std::string log = Log();
      constexpr std::string_view kMark = "api=http://127.0.0.1:";
      if (const std::size_t at = log.find(kMark); at != std::string::npos) {
        port_ = static_cast<std::uint16_t>(std::atoi(log.c_str() + at + kMark.size()));
        return true;
      }
      if (waitpid(pid_, nullptr, WNOHANG) == pid_) {
        pid_ = -1;
        return false;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return false;
  }

  // SIGTERM; the exit code as WaitFor gives it.
  [[nodiscard]] int Stop() {
    (void)kill(pid_, SIGTERM);
    const int code = WaitFor(pid_, std::chrono::seconds(5));
    pid_ = -1;
    return code;
  }

  void Kill() {
    if (pid_ > 0) {
      (void)kill(pid_, SIGKILL);
      (void)waitpid(pid_, nullptr, 0);
      pid_ = -1;
    }
  }

  void Signal(int number) const { (void)kill(pid_, number); }

  [[nodiscard]] std::string state_dir() const { return folder_.path() + "/state"; }

  [[nodiscard]] const std::string& folder() const { return folder_.path(); }

  [[nodiscard]] std::string config() const { return folder_.path() + "/region.toml"; }

  [[nodiscard]] std::string log_file() const { return folder_.path() + "/log"; }

  [[nodiscard]] std::string token_file() const { return state_dir() + "/admin-token"; }

  [[nodiscard]] std::string Log() const { return ReadFile(log_file()); }

  [[nodiscard]] std::string Token() const {
    std::string token = ReadFile(token_file());
    while (!token.empty() && token.back() == '\n') {
      token.pop_back();
    }
    return token;
  }

  [[nodiscard]] std::uint16_t port() const { return port_; }

  [[nodiscard]] pid_t pid() const { return pid_; }

  // The command line, told where the region is.
  [[nodiscard]] Output Cli(std::vector<std::string> arguments) const {
    std::vector<std::string> all = {std::string(SLIPWAY_BIN_DIR) + "/slipway", "--api",
                                    "http://127.0.0.1:" + std::to_string(port_), "--token-file",
                                    token_file()};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return RunProgram(all);
  }

 private:
  std::string extra_;
  TemporaryDirectory folder_;
  pid_t pid_ = -1;
  std::uint16_t port_ = 0;
};

// A plain TCP client on loopback.
class RawClient {
 public:
  explicit RawClient(std::uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  }

  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  ~RawClient() { (void)close(fd_); }

  [[nodiscard]] bool connected() const { return connected_; }

  bool Send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) {
        return false;
      }
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }

  // Until `mark` has come, the peer has closed, or the time is over.
  [[nodiscard]] std::string Read(std::string_view mark,
                                 std::chrono::milliseconds limit = std::chrono::seconds(5)) {
    const auto deadline = SteadyClock::now() + limit;
    std::string text;
    while (mark.empty() || text.find(mark) == std::string::npos) {
      const auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(deadline - SteadyClock::now());
      pollfd entry{.fd = fd_, .events = POLLIN, .revents = 0};
      if (left.count() <= 0 || poll(&entry, 1, static_cast<int>(left.count())) <= 0) {
        timed_out_ = true;
        break;
      }
      char buffer[4096];
      const ssize_t got = recv(fd_, buffer, sizeof(buffer), 0);
      if (got <= 0) {
        closed_ = true;
        break;
      }
      text.append(buffer, static_cast<std::size_t>(got));
    }
    return text;
  }

  [[nodiscard]] bool closed() const { return closed_; }

  [[nodiscard]] bool timed_out() const { return timed_out_; }

 private:
  int fd_;
  bool connected_ = false;
  bool closed_ = false;
  bool timed_out_ = false;
};

}  // namespace slipway::testing
