// Reads the host's interfaces and addresses by rtnetlink and notices when they change.
#pragma once

#include "dataplane/base/result.h"
#include "dataplane/service/interface_table.h"

namespace slipway::rack {

// One thread (the control thread). Blocking only while a dump is read.
class InterfaceMonitor {
 public:
  [[nodiscard]] static Result<InterfaceMonitor> Create();
  InterfaceMonitor(InterfaceMonitor&& other) noexcept;
  InterfaceMonitor& operator=(InterfaceMonitor&&) = delete;
  ~InterfaceMonitor();

  // Readable when something may have changed.
  [[nodiscard]] int fd() const noexcept { return notify_fd_; }

  // Empties the notification queue. True if there was a notification, or if some were lost.
  [[nodiscard]] bool Drain() noexcept;
  // All interfaces but loopback, ordered by index; those beyond kHostInterfacesMax are left out.
  [[nodiscard]] Result<void> Read(service::HostInterfaces& out) const;

 private:
  InterfaceMonitor(int notify_fd, int dump_fd) noexcept
      : notify_fd_(notify_fd), dump_fd_(dump_fd) {}

  int notify_fd_ = -1;
  int dump_fd_ = -1;
};

}  // namespace slipway::rack
