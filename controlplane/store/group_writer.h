// One writer thread over a bounded queue: what is queued while a group is being committed becomes
// the next group.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace slipway::store {

// `Job` is movable and has `std::size_t weight() const`. Push from any thread; the run function is
// called on the writer thread with at least one job, of about `group_weight_max` together. The
// destructor runs what is queued, then joins.
template <typename Job>
class GroupWriter {
 public:
  using Run = std::function<void(std::vector<Job>&)>;

  GroupWriter(std::size_t queue_max, std::size_t group_weight_max, Run run)
      : queue_max_(queue_max),
        group_weight_max_(group_weight_max),
        run_(std::move(run)),
        thread_([this] { Loop(); }) {}

  GroupWriter(const GroupWriter&) = delete;
  GroupWriter& operator=(const GroupWriter&) = delete;

  ~GroupWriter() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }

  // False if the queue is full: `job` is untouched then.
  [[nodiscard]] bool Push(Job& job) {
    {
      const std::lock_guard lock(mutex_);
      if (queue_.size() >= queue_max_) {
        return false;
      }
      queue_.push_back(std::move(job));
    }
    wake_.notify_one();
    return true;
  }

 private:
  void Loop() {
    std::vector<Job> group;
    while (true) {
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
        if (queue_.empty()) {
          return;
        }
        std::size_t weight = 0;
        while (!queue_.empty() && weight < group_weight_max_) {
          weight += queue_.front().weight();
          group.push_back(std::move(queue_.front()));
          queue_.pop_front();
        }
      }
      run_(group);
      group.clear();
    }
  }

  const std::size_t queue_max_;
  const std::size_t group_weight_max_;
  Run run_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> queue_;
  bool stopping_ = false;
  std::thread thread_;  // last: starts when everything is there
};

}  // namespace slipway::store
