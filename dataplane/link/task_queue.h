// Work for a link thread from other threads: bounded, with an eventfd to wake a poll.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

namespace slipway::link {

template <typename Task>
class TaskQueue {
 public:
  explicit TaskQueue(std::size_t tasks_max)
      : tasks_max_(tasks_max), fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}

  TaskQueue(const TaskQueue&) = delete;
  TaskQueue& operator=(const TaskQueue&) = delete;

  ~TaskQueue() {
    if (fd_ >= 0) {
      (void)close(fd_);
    }
  }

  // Readable when there is something to do; -1 if there was no descriptor left.
  [[nodiscard]] int fd() const noexcept { return fd_; }

  // Any thread. False: full or closed; the task is untouched.
  [[nodiscard]] bool Push(Task& task) { return PushUpTo(task, tasks_max_); }

  // For results whose number is bounded elsewhere (by credit). False: closed.
  bool PushResult(Task& task) { return PushUpTo(task, SIZE_MAX); }

  // Any thread.
  void Wake() noexcept {
    const std::uint64_t one = 1;
    // EAGAIN means that it is readable already.
    (void)!write(fd_, &one, sizeof(one));
  }

  // The owner: all tasks so far.
  [[nodiscard]] std::vector<Task> Take() {
    std::uint64_t count = 0;
    (void)!read(fd_, &count, sizeof(count));
    const std::lock_guard lock(mutex_);
    return std::exchange(tasks_, {});
  }

  // Nothing is taken any more; what waits is dropped.
  void Shut() {
    std::vector<Task> dropped;
    const std::lock_guard lock(mutex_);
    closed_ = true;
    dropped.swap(tasks_);
  }

 private:
  [[nodiscard]] bool PushUpTo(Task& task, std::size_t bound) {
    {
      const std::lock_guard lock(mutex_);
      if (closed_ || tasks_.size() >= bound) {
        return false;
      }
      tasks_.push_back(std::move(task));
    }
    Wake();
    return true;
  }

  const std::size_t tasks_max_;
  const int fd_;
  std::mutex mutex_;
  std::vector<Task> tasks_;
  bool closed_ = false;
};

}  // namespace slipway::link
