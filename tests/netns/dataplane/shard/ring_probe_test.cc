#include "dataplane/ring/ring_probe.h"

#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>

#include "dataplane/epoll/epoll_driver.h"
#include "dataplane/ring/ring_driver.h"
#include "tests/netns/dataplane/shard/driver_fixture.h"

namespace slipway::shard {

namespace {

// As the default profile of a container does it.
bool DenyRings(int error_number) {
  std::array<sock_filter, 4> code{{
      {BPF_LD | BPF_W | BPF_ABS, 0, 0, 0},
      {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, SYS_io_uring_setup},
      {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error_number)},
      {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
  }};
  sock_fprog program{};
  program.len = code.size();
  program.filter = code.data();
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

enum ChildResult : int {
  kFine = 0,
  kNoFilter = 1,
  kProbePassed = 2,
  kNoReason = 3,
  kRingMade = 4,
  kEpollFailed = 5
};

int TryWithoutRings(int error_number, std::string_view reason) {
  if (!DenyRings(error_number)) {
    return kNoFilter;
  }
  const ring::RingProbe probe = ring::ProbeRing();
  if (probe.usable) {
    return kProbePassed;
  }
  if (probe.reason.view().find(reason) == std::string_view::npos) {
    return kNoReason;
  }
  PosixClock clock;
  const auto driver = ring::CreateRingDriver(clock, {});
  if (driver || driver.error().code != ErrorCode::kUnavailable) {
    return kRingMade;
  }
  const auto other = epoll::CreateEpollDriver(clock);
  return other && (*other)->Turn(Instant{0}) ? kFine : kEpollFailed;
}

int InChild(int error_number, std::string_view reason) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::_exit(TryWithoutRings(error_number, reason));
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(RingProbeTest, SaysWhyWhereRingsAreDenied) {
  EXPECT_EQ(InChild(EPERM, "denied"), kFine);
  EXPECT_EQ(InChild(ENOSYS, "no such io_uring"), kFine);
}

TEST(RingProbeTest, NamesTheKernelWhereRingsWork) {
  const ring::RingProbe probe = ring::ProbeRing();
  if (!probe.usable) {
    SLIP_SKIP_OR_FAIL(std::string(probe.reason.view()));
  }
  EXPECT_NE(probe.reason.view().find("kernel"), std::string_view::npos);
}

}  // namespace
}  // namespace slipway::shard
