// /livez, /readyz and /metrics of a rack on a Unix socket (mode 0600), for probes and people on the
// host: curl --unix-socket PATH http://rack/readyz. A thread of its own, one request at a time; a
// slow client is cut off after a second.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "dataplane/base/result.h"
#include "dataplane/shard/fd.h"

namespace slipway::rack {

struct AdminAnswer {
  int status = 200;
  std::string body;
};

class AdminSocket {
 public:
  // Called on the admin thread with the path of a GET; must be thread-safe.
  using Handler = std::function<AdminAnswer(std::string_view path)>;

  // Replaces a socket file that a dead process left. kTooLarge: the path is too long.
  [[nodiscard]] static Result<std::unique_ptr<AdminSocket>> Create(const std::string& path,
                                                                   Handler handler);
  ~AdminSocket();
  AdminSocket(const AdminSocket&) = delete;
  AdminSocket& operator=(const AdminSocket&) = delete;

 private:
  AdminSocket(shard::OwnedFd listener, std::string path, Handler handler);
  void Run();
  void Serve(int fd);

  shard::OwnedFd listener_;
  std::string path_;
  Handler handler_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace slipway::rack
