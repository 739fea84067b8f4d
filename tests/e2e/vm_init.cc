// The init program of a virtual machine that runs one test program and ends: file systems,
// loopback, /test, its exit status on the console, power off.
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

namespace {

void Mount(const char* type, const char* place) {
  (void)mkdir(place, 0755);
  if (mount(type, place, type, 0, nullptr) != 0) {
    std::perror(place);
  }
}

void LoopbackUp() {
  const int fd = socket(AF_INET, SOCK_DGRAM, 0);
  ifreq request{};
  std::strncat(request.ifr_name, "lo", IFNAMSIZ - 1);
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (ioctl(fd, SIOCSIFFLAGS, &request) != 0) {
    std::perror("lo");
  }
  close(fd);
}

}  // namespace

int main() {
  Mount("proc", "/proc");
  Mount("sysfs", "/sys");
  Mount("tmpfs", "/tmp");
  LoopbackUp();
  const pid_t child = fork();
  if (child == 0) {
    execl("/test", "/test", static_cast<char*>(nullptr));
    std::perror("/test");
    _exit(127);
  }
  int status = 0;
  (void)waitpid(child, &status, 0);
  std::printf("vm-test: exit %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : 255);
  std::fflush(stdout);
  sync();
  (void)reboot(RB_POWER_OFF);
}
