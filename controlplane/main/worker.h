// One thread for work that blocks, with a bounded queue.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <thread>

#include "controlplane/api/api.h"

namespace slipway::region {

class Worker final : public api::Background {
 public:
  static constexpr std::size_t kTasksMax = 64;

  Worker();
  // Finishes the task under way and drops the others: their responders answer 500.
  ~Worker() override;
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  [[nodiscard]] bool Submit(api::Executor::Task task) override;

 private:
  void Run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<api::Executor::Task> tasks_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace slipway::region
