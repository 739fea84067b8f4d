#include "dataplane/main/privileges.h"

#include <grp.h>
#include <pwd.h>
#include <seccomp.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>

namespace slipway::rack {
namespace {

// What a provisioning daemon never does. A deny list, so that a new libc keeps working; the
// capability sets are empty as well.
constexpr std::array kForbiddenCalls = {SCMP_SYS(execve),
                                        SCMP_SYS(execveat),
                                        SCMP_SYS(ptrace),
                                        SCMP_SYS(mount),
                                        SCMP_SYS(umount2),
                                        SCMP_SYS(pivot_root),
                                        SCMP_SYS(init_module),
                                        SCMP_SYS(finit_module),
                                        SCMP_SYS(delete_module),
                                        SCMP_SYS(kexec_load),
                                        SCMP_SYS(reboot),
                                        SCMP_SYS(clock_settime),
                                        SCMP_SYS(settimeofday),
                                        SCMP_SYS(clock_adjtime),
                                        SCMP_SYS(swapon),
                                        SCMP_SYS(perf_event_open),
                                        SCMP_SYS(process_vm_writev),
                                        SCMP_SYS(process_vm_readv),
                                        SCMP_SYS(keyctl),
                                        SCMP_SYS(add_key),
                                        SCMP_SYS(setns),
                                        SCMP_SYS(unshare),
                                        SCMP_SYS(open_by_handle_at)};

[[nodiscard]] Result<void> ChangeUser(std::string_view user) {
  const std::string name(user);
  errno = 0;
  const passwd* const entry = getpwnam(name.c_str());
  if (entry == nullptr) {
    return Fail(ErrorCode::kNotFound);
  }
  if (setgroups(0, nullptr) != 0 || setresgid(entry->pw_gid, entry->pw_gid, entry->pw_gid) != 0 ||
      setresuid(entry->pw_uid, entry->pw_uid, entry->pw_uid) != 0) {
    return FailErrno(errno);
  }
  return {};
}

}  // namespace

Result<void> DropPrivileges(std::string_view user) {
  if (!user.empty()) {
    SLIP_TRY(ChangeUser(user));
  }
  const cap_t none = cap_init();
  if (none == nullptr) {
    return FailErrno(errno);
  }
  const int dropped = cap_set_proc(none);
  const int error = errno;
  (void)cap_free(none);
  if (dropped != 0) {
    return FailErrno(error);
  }
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return FailErrno(errno);
  }
  return {};
}

Result<void> InstallSystemCallFilter() {
  const scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
  if (filter == nullptr) {
    return Fail(ErrorCode::kUnavailable);
  }
  // All threads that exist already get the filter too.
  int error = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
  for (const int call : kForbiddenCalls) {
    if (error == 0) {
      error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), call, 0);
    }
  }
  if (error == 0) {
    error = seccomp_load(filter);
  }
  seccomp_release(filter);
  return error == 0 ? Result<void>{} : FailErrno(-error);
}

bool PrivilegesAreDropped() {
  const cap_t now = cap_get_proc();
  const cap_t none = cap_init();
  const bool empty = now != nullptr && none != nullptr && cap_compare(now, none) == 0;
  (void)cap_free(now);
  (void)cap_free(none);
  return empty && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 && prctl(PR_GET_SECCOMP) == 2;
}

}  // namespace slipway::rack
