#include "dataplane/shard/wake.h"

#include <sys/eventfd.h>

#include <cerrno>
#include <cstdint>

namespace slipway::shard {

Result<OwnedFd> Wake::OpenEvent() noexcept {
  const int fd = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (fd < 0) {
    return FailErrno(errno);
  }
  return OwnedFd(fd);
}

void Wake::Notify() noexcept {
  // Acquire and release: whoever finds the flag raised has published its work to the reader that
  // will lower it.
  if (signalled_.exchange(true, std::memory_order_acq_rel)) {
    return;
  }
  const std::uint64_t one = 1;
  // It cannot fail: the count stays far below its limit, because Clear takes it down.
  (void)::write(event_.get(), &one, sizeof(one));
}

void Wake::Clear() noexcept {
  // Down already: nothing was written since, or whoever raises it now comes after this.
  if (!signalled_.load(std::memory_order_acquire)) {
    return;
  }
  std::uint64_t count = 0;
  // In this order: a Notify between the two finds the flag up and leaves its work to this reader,
  // which looks for work after lowering it.
  (void)::read(event_.get(), &count, sizeof(count));
  (void)signalled_.exchange(false, std::memory_order_acq_rel);
}

}  // namespace slipway::shard
