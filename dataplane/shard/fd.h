// A file descriptor with one owner.
#pragma once

#include <unistd.h>

#include <utility>

namespace slipway::shard {

// Closes its descriptor when it goes. Any thread; movable, not copyable.
class OwnedFd {
 public:
  OwnedFd() = default;

  explicit OwnedFd(int fd) noexcept : fd_(fd) {}

  OwnedFd(OwnedFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

  OwnedFd& operator=(OwnedFd&& other) noexcept {
    if (this != &other) {
      Reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }

  OwnedFd(const OwnedFd&) = delete;
  OwnedFd& operator=(const OwnedFd&) = delete;

  ~OwnedFd() { Reset(); }

  [[nodiscard]] int get() const noexcept { return fd_; }

  [[nodiscard]] bool valid() const noexcept { return fd_ >= 0; }

  // Hands the descriptor over to the caller, who closes it.
  [[nodiscard]] int Release() noexcept { return std::exchange(fd_, -1); }

  void Reset() noexcept {
    if (fd_ >= 0) {
      // Nothing can be done about an error here, and the descriptor is gone in every case.
      (void)::close(fd_);
      fd_ = -1;
    }
  }

 private:
  int fd_ = -1;
};

}  // namespace slipway::shard
